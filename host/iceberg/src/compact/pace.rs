//! How much of one core a rewrite may take, and when it is to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::CompactError;

/// No pause is longer: the end is noticed within it.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// A share of one core, and a way to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    share: f64,
    is_ended: AtomicBool,
    worked_since: Mutex<Instant>,
}

impl Default for Pace {
    /// A whole core.
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Pace {
    /// The work takes this share of the time, above 0 and up to 1; for the rest of it, its thread sleeps.
    pub fn new(share: f64) -> Self {
        let worked_since = Mutex::new(Instant::now());
        Self(Arc::new(Inner { share: share.clamp(0.01, 1.0), is_ended: AtomicBool::new(false), worked_since }))
    }

    /// Ends the work at its next pause. A commit under way is not torn.
    pub fn end(&self) {
        self.0.is_ended.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn has_ended(&self) -> bool {
        self.0.is_ended.load(Ordering::Relaxed)
    }

    /// Pauses in proportion to the time since the last pause.
    pub(super) fn rest(&self) -> Result<(), CompactError> {
        let mut since = self.0.worked_since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.share < 1.0 {
            // Not for the time between two pieces of work.
            let worked = since.elapsed().min(Duration::from_secs(5));
            let mut left = worked.mul_f64((1.0 - self.0.share) / self.0.share);
            while left > Duration::ZERO && !self.has_ended() {
                let pause = left.min(PAUSE_MAX);
                std::thread::sleep(pause);
                left -= pause;
            }
        }
        *since = Instant::now();
        if self.has_ended() { Err(CompactError::Stopped) } else { Ok(()) }
    }
}
