//! A plugin takes another's place while the pipeline runs.
//!
//! A candidate is compiled and configured in the background, held against the tables, called once, and tried beside the
//! live plugins on the next batches. Only then may an epoch be made by it. Whatever is wrong with it is said in the log
//! and to who asked, and the live plugins go on as if nothing had been.

mod candidate;
mod ledger;
mod shadow;
mod trial;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use weir_iceberg::table::IcebergTable;
use weir_pipeline::chain::{self, Swap};
use weir_pipeline::clock::SystemClock;
use weir_pipeline::holdings::Holdings;
use weir_pipeline::transform::TableSchema;
use weir_wasm::{Engine, WasmStage};

use crate::assemble::{Wishes, codec, keep};
use crate::chain::Chain;
use crate::config::{Component, Pipeline, PluginRef, Transform};
use crate::mirror::Mirror;
use crate::watch::Watcher;
use crate::workers::Workers;

pub use ledger::{Ledger, Outcome};
use shadow::Shadow;

/// Orders that wait: a person's, and a file's.
const ORDERS_MAX: usize = 4;

/// What is to take the live plugins' place.
#[derive(Debug)]
pub enum Wanted {
    /// What the pipeline's file says, its plugins read anew.
    Configured,
    /// What the pipeline's file says now.
    Transforms(Vec<Transform>),
    /// A component for one of the live transforms: the only one, or the one of that name.
    Given(String, Component),
}

/// An order, and who waits for what comes of it.
#[derive(Debug)]
pub struct Order {
    /// What is wanted.
    pub wanted: Wanted,
    /// Told in the end.
    pub answer: oneshot::Sender<Outcome>,
}

/// Where swaps are asked for, and what became of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Takes orders.
    pub orders: mpsc::Sender<Order>,
    /// Says what became of them.
    pub ledger: Arc<Ledger>,
}

impl Desk {
    /// A desk, and what comes to it.
    pub fn open() -> (Self, mpsc::Receiver<Order>) {
        let (orders, queue) = mpsc::channel(ORDERS_MAX);
        (Self { orders, ledger: Arc::default() }, queue)
    }

    /// Asks for a swap. Dropping the answer does not take it back.
    pub async fn order(&self, wanted: Wanted) -> oneshot::Receiver<Outcome> {
        let (answer, told) = oneshot::channel();
        // Nobody is there in a pipeline whose plugins are compiled in: the answer is dropped, which says so.
        let _ = self.orders.send(Order { wanted, answer }).await;
        told
    }
}

/// Carries orders out, one after the other. One that is still tried gives way to a newer one.
pub struct Reloader {
    pub(crate) engine: Engine,
    /// With the transforms that the file says.
    pub(crate) pipeline: Pipeline,
    pub(crate) wishes: Wishes,
    pub(crate) holdings: Arc<Holdings<IcebergTable, SystemClock>>,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) desk: Desk,
    pub(crate) queue: mpsc::Receiver<Order>,
    pub(crate) swaps: mpsc::Sender<Swap<Workers>>,
    pub(crate) watcher: Watcher,
    /// The live plugins and their settings.
    pub(crate) live: Vec<Transform>,
    /// What they fill.
    pub(crate) tables: Vec<TableSchema>,
    pub(crate) digests: String,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("pipeline", &self.pipeline.name).finish_non_exhaustive()
    }
}

/// A candidate that may go live.
struct Ready {
    chain: Chain<WasmStage>,
    transforms: Vec<Transform>,
}

impl Reloader {
    /// Carries orders out until the pipeline ends.
    pub async fn run(mut self) {
        let watching = tokio::spawn(self.watcher.clone().watch(self.desk.clone()));
        let mut shadow = Shadow::default();
        shadow.follow(&self, &self.live).await;
        let mut next: Option<Order> = None;
        loop {
            let order = match next.take() {
                Some(order) => order,
                None => match self.queue.recv().await {
                    Some(order) => order,
                    None => break,
                },
            };
            let is_configured = matches!(order.wanted, Wanted::Configured | Wanted::Transforms(_));
            let transforms = match self.transforms(order.wanted) {
                Ok(transforms) => transforms,
                Err(outcome) => {
                    self.close(outcome, order.answer);
                    continue;
                }
            };
            if is_configured {
                self.pipeline.transforms.clone_from(&transforms);
                shadow.follow(&self, &transforms).await;
            }
            let (prepared, newer) = self.prepare_unless_newer(transforms.clone()).await;
            next = newer;
            let outcome = match prepared {
                Ok(ready) => self.install(ready).await,
                Err(Outcome::Same) => {
                    // The same plugins and settings: what else the file says of them counts from now on.
                    self.live = transforms;
                    Outcome::Same
                }
                Err(outcome) => outcome,
            };
            self.close(outcome, order.answer);
        }
        watching.abort();
    }

    async fn prepare_unless_newer(&mut self, transforms: Vec<Transform>) -> (Result<Ready, Outcome>, Option<Order>) {
        // The queue is lent out for the time being, so that both can be waited for.
        let (_, none) = mpsc::channel(1);
        let mut queue = std::mem::replace(&mut self.queue, none);
        let found = tokio::select! {
            biased;
            Some(newer) = queue.recv() => (Err(Outcome::Superseded), Some(newer)),
            prepared = self.prepare(transforms) => (prepared, None),
        };
        self.desk.ledger.tried(None);
        self.queue = queue;
        found
    }

    /// The transforms that an order asks for.
    fn transforms(&self, wanted: Wanted) -> Result<Vec<Transform>, Outcome> {
        let (name, component) = match wanted {
            Wanted::Configured => return Ok(self.pipeline.transforms.clone()),
            Wanted::Transforms(transforms) => return Ok(transforms),
            Wanted::Given(name, component) => (name, component),
        };
        let mut transforms = self.live.clone();
        let at = match transforms.len() {
            1 => Some(0),
            _ => transforms.iter().position(|transform| transform.plugin.name() == name),
        };
        let Some(at) = at else {
            let names: Vec<String> = transforms.iter().map(|transform| transform.plugin.name()).collect();
            let names = names.join(", ");
            return Err(Outcome::Refused(format!("the pipeline has no plugin {name}; it has {names}")));
        };
        transforms[at].plugin = PluginRef::Given(name, component);
        // What the file says now counts, although what is live may be of before.
        if let Some(said) =
            self.pipeline.transforms.get(at).filter(|_| self.pipeline.transforms.len() == self.live.len())
        {
            transforms[at].pin = said.pin.clone();
            transforms[at].may_drop_columns = said.may_drop_columns;
        }
        Ok(transforms)
    }

    /// Loads a candidate, holds it against the tables and tries it. Changes nothing.
    async fn prepare(&self, transforms: Vec<Transform>) -> Result<Ready, Outcome> {
        let canary = transforms.iter().map(|transform| transform.canary).max().unwrap_or(0);
        let pipeline = Pipeline { transforms: transforms.clone(), ..self.pipeline.clone() };
        let limits = |transforms: &[Transform]| transforms.iter().map(|t| t.limits).collect::<Vec<_>>();
        let but = (limits(&transforms) == limits(&self.live)).then(|| self.digests.clone());
        let loaded = candidate::load(self.engine.clone(), pipeline, self.wishes.clone(), but);
        let Some(chain) = loaded.await.map_err(Outcome::Refused)? else { return Err(Outcome::Same) };
        let may_drop = transforms.iter().any(|transform| transform.may_drop_columns);
        let checked = candidate::check_tables(&self.tables, &chain.tables, &self.holdings.tables, may_drop);
        checked.await.map_err(Outcome::Refused)?;
        if canary > 0 {
            let codec = candidate::uncounted_codec(&self.pipeline);
            let (stop, samples) = self.mirror.tap(1);
            let tried = trial::canary(chain.stages[0].clone(), codec, samples, canary, {
                let (ledger, digests) = (Arc::clone(&self.desk.ledger), chain.digests.clone());
                move |batches| ledger.tried(Some((digests.clone(), batches, canary)))
            });
            let verdict = tried.await;
            drop(stop);
            verdict.map_err(Outcome::RolledBack)?;
        }
        Ok(Ready { chain, transforms })
    }

    /// Has the next epoch made by a candidate. Columns that it adds are in the tables before.
    async fn install(&mut self, ready: Ready) -> Outcome {
        let Ready { chain, transforms } = ready;
        if let Err(why) = candidate::accept_tables(&chain.tables, &self.holdings.tables).await {
            // What is live must stay the one that the tables are kept fit for.
            if let Err(e) = candidate::accept_tables(&self.tables, &self.holdings.tables).await {
                tracing::warn!(pipeline = self.pipeline.name, error = e, "the live plugin no longer fits its table");
            }
            return Outcome::Refused(why);
        }
        let stats = Arc::clone(&self.holdings.committer.stats);
        let workers = match Workers::start(chain.stages, || codec(&self.pipeline, &stats), &self.mirror) {
            Ok(workers) => workers,
            Err(e) => return Outcome::Refused(format!("the system gives no threads for it: {e}")),
        };
        // Before it makes a row: after a crash only it may make that again.
        let components: Vec<String> = chain.plugins.iter().map(|plugin| plugin.digest().to_string()).collect();
        keep(&self.holdings, &self.wishes, &transforms, &components);
        let (done, told) = oneshot::channel();
        let swap = Swap { chain: chain::Chain::new(chain.digests.as_str(), Arc::new(workers)), done };
        if self.swaps.send(swap).await.is_err() || told.await.is_err() {
            return Outcome::Ended;
        }
        self.desk.ledger.live(chain.plugins);
        (self.tables, self.digests, self.live) = (chain.tables, chain.digests.clone(), transforms);
        Outcome::Swapped(chain.digests)
    }

    /// Says what came of an order.
    fn close(&self, outcome: Outcome, answer: oneshot::Sender<Outcome>) {
        let pipeline = self.pipeline.name.as_str();
        let stats = &self.holdings.committer.stats;
        match &outcome {
            Outcome::Swapped(digests) => tracing::info!(pipeline, digests, "another plugin is live"),
            Outcome::Refused(why) => {
                stats.swaps.add(outcome.name(), 1);
                tracing::warn!(pipeline, why, "a plugin is refused; the one before stays");
            }
            Outcome::RolledBack(why) => {
                stats.swaps.add(outcome.name(), 1);
                tracing::warn!(pipeline, why, "a plugin failed beside the live one, which stays");
            }
            Outcome::Same | Outcome::Superseded | Outcome::Ended => {}
        }
        self.desk.ledger.close(&outcome);
        // Who asked may have gone.
        let _ = answer.send(outcome);
    }
}
