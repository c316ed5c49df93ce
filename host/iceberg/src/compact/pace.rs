//! How much of one core a rewrite may take, and when it is to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use cpu_time::ThreadTime;

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
    /// The thread that rested last, and its CPU time then.
    rested: Mutex<(ThreadId, Duration)>,
}

impl Default for Pace {
    /// A whole core.
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Pace {
    /// The work takes this share of a core's time, above 0 and up to 1; for the rest of it, its thread sleeps. What it
    /// waits for, or what others take of the core, is no work.
    pub fn new(share: f64) -> Self {
        let rested = Mutex::new((thread::current().id(), ThreadTime::now().as_duration()));
        Self(Arc::new(Inner { share: share.clamp(0.01, 1.0), is_ended: AtomicBool::new(false), rested }))
    }

    /// Ends the work at its next pause. A commit under way is not torn.
    pub fn end(&self) {
        self.0.is_ended.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    pub fn has_ended(&self) -> bool {
        self.0.is_ended.load(Ordering::Relaxed)
    }

    /// Pauses in proportion to the CPU time since the last pause on this thread.
    pub(super) fn rest(&self) -> Result<(), CompactError> {
        let mut rested = self.0.rested.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (thread::current().id(), ThreadTime::now().as_duration());
        if self.0.share < 1.0 && rested.0 == now.0 {
            let worked = now.1.saturating_sub(rested.1);
            let mut left = worked.mul_f64((1.0 - self.0.share) / self.0.share);
            while left > Duration::ZERO && !self.has_ended() {
                let pause = left.min(PAUSE_MAX);
                thread::sleep(pause);
                left -= pause;
            }
        }
        *rested = now;
        if self.has_ended() { Err(CompactError::Stopped) } else { Ok(()) }
    }
}
