//! Waiting on a condition, the one place where the kit lets time pass.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Asks `check` until it gives a value, and returns that.
///
/// # Panics
/// When `limit` has passed: "waited 10s for WHAT".
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(POLL);
    }
}
