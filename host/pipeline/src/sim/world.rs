//! What all simulated processes share: the dice, the broker, the tables.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Flaw;
use super::broker::Broker;
use super::catalog::Catalog;
use crate::clock::Clock;
use crate::source::Start;

/// Everything there is outside of the processes.
pub(super) struct World {
    pub(super) rng: StdRng,
    /// Whether requests may fail.
    pub(super) faulty: bool,
    pub(super) flaw: Option<Flaw>,
    /// Whether somebody compacts the tables: in a third of the worlds, for each replace moves the head, and a late
    /// request that another head refuses harms nobody.
    pub(super) compacts: bool,
    /// Whether a process stops for good between guard and swap, until somebody wakes it.
    pub(super) freezes_before_swap: bool,
    pub(super) shape: Shape,
    pub(super) broker: Broker,
    pub(super) catalog: Catalog,
}

/// What a pipeline is made of in a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    /// Tables that the plugin fills. The dead letters come after them.
    pub(super) data_tables: usize,
    /// Versions of the plugin, of which each process begins with one.
    pub(super) plugins: u64,
    /// Whether processes swap them while they run.
    pub(super) swaps: bool,
    /// Whether a process begins with all of them at hand.
    pub(super) keeps: bool,
    pub(super) start: Start,
}

impl Shape {
    pub(super) const ONE_TABLE: Self =
        Self { data_tables: 1, plugins: 1, swaps: false, keeps: false, start: Start::Earliest };
    pub(super) const TWO_TABLES: Self = Self { data_tables: 2, ..Self::ONE_TABLE };
    pub(super) const TWO_PLUGINS: Self = Self { plugins: 2, ..Self::TWO_TABLES };

    pub(super) const SWAPS: Self = Self { data_tables: 2, plugins: 3, swaps: true, ..Self::ONE_TABLE };

    /// Half of the worlds have one data table.
    pub(super) fn of_seed(seed: u64) -> Self {
        match seed % 8 {
            0 | 2 | 4 => Self::ONE_TABLE,
            1 => Self::TWO_TABLES,
            3 => Self::TWO_PLUGINS,
            5 => Self::SWAPS,
            6 => Self { data_tables: 1, ..Self::SWAPS },
            _ => Self { keeps: true, ..Self::SWAPS },
        }
    }

    /// Where the dead letters are among the tables.
    pub(super) fn letters(self) -> usize {
        self.data_tables
    }
}

/// A handle on the world.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(super) fn new(seed: u64, partitions: i32, shape: Shape, flaw: Option<Flaw>) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        let world = World {
            rng,
            faulty: true,
            flaw,
            compacts: seed.is_multiple_of(3),
            freezes_before_swap: false,
            shape,
            broker: Broker::new(partitions),
            catalog: Catalog::new(shape.data_tables + 1),
        };
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Sends a request: it travels, is carried out whatever has become of the sender, and the answer travels back.
    pub(super) async fn call<R: Send + 'static>(&self, act: impl FnOnce(&mut World) -> R + Send + 'static) -> R {
        let (world, (answer, answered)) = (self.clone(), oneshot::channel());
        tokio::spawn(async move {
            let there = world.lock().travel();
            tokio::time::sleep(there).await;
            let result = act(&mut world.lock());
            let back = world.lock().travel();
            tokio::time::sleep(back).await;
            let _ = answer.send(result);
        });
        answered.await.unwrap()
    }
}

impl World {
    /// True with the probability `p`.
    pub(super) fn dice(&mut self, p: f64) -> bool {
        self.rng.random_bool(p)
    }

    /// True with the probability `p`, as long as the world is faulty.
    pub(super) fn fault(&mut self, p: f64) -> bool {
        self.faulty && self.dice(p)
    }

    /// How long a message travels: mostly little, at times long.
    pub(super) fn travel(&mut self) -> Duration {
        let longest = if self.fault(0.03) { 8_000_000 } else { 30_000 };
        Duration::from_micros(self.rng.random_range(100..longest))
    }
}

/// A process's clock: virtual time, a bit off.
pub(super) struct SimClock {
    pub(super) world: Shared,
    pub(super) began: Instant,
    pub(super) off_ms: i64,
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000 + self.began.elapsed().as_millis() as i64 + self.off_ms
    }

    fn random(&self) -> u128 {
        self.world.lock().rng.random()
    }

    fn jitter(&self) -> f64 {
        self.world.lock().rng.random()
    }
}
