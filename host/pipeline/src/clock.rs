//! Time of day and randomness, as the core sees them.
//!
//! Intervals use tokio's timer, which the simulation pauses; only what is written into a table needs the time of day.

use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// Time of day and randomness. One for a process.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970 by this machine's clock, which may be wrong.
    fn now_ms(&self) -> i64;
    /// Random bits.
    fn random(&self) -> u128;
    /// A number in `0.0..1.0`, for jitter.
    fn jitter(&self) -> f64;
}

/// The machine's clock and the system's randomness.
#[derive(Debug)]
pub struct SystemClock {
    rng: Mutex<StdRng>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { rng: Mutex::new(StdRng::from_os_rng()) }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks for the time of day")]
    fn now_ms(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> u128 {
        let mut bytes = [0u8; 16];
        self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(&mut bytes);
        u128::from_le_bytes(bytes)
    }

    fn jitter(&self) -> f64 {
        self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).random()
    }
}
