//! Named places where a test makes a process fail: it aborts, stops as by SIGSTOP, or meets an error, at the n-th time
//! that it passes.
//!
//! Only in builds with debug assertions. In a release build [`pass`] is empty and nothing can be armed.

/// A place between two steps that must not come apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// A batch has come from the source and is not yet decoded.
    Fetched,
    /// A plugin has answered and its columns are not yet believed.
    Answered,
    /// Bytes of a data file go to the disk.
    Writing,
    /// An epoch's files are closed and in no commit.
    FilesClosed,
    /// The guard has passed and the swap is not yet begun.
    GuardPassed,
    /// The snapshot's manifests and their list are written, and no catalog knows them.
    ListWritten,
    /// In a `hadoop` catalog: the next version is there and the hint does not say so.
    VersionMade,
    /// The swap is done and nobody has been told.
    Swapped,
    /// A table other than the primary has an epoch that the primary has not.
    SecondaryCommitted,
    /// All tables have an epoch and the source does not know.
    Committed,
    /// Partitions are to be given back.
    Revoking,
    /// A partition is taken in one table and not yet in the next.
    Holding,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Fetched,
        Self::Answered,
        Self::Writing,
        Self::FilesClosed,
        Self::GuardPassed,
        Self::ListWritten,
        Self::VersionMade,
        Self::Swapped,
        Self::SecondaryCommitted,
        Self::Committed,
        Self::Revoking,
        Self::Holding,
    ];

    /// Its name, as a test writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Answered => "answered",
            Self::Writing => "writing",
            Self::FilesClosed => "files-closed",
            Self::GuardPassed => "guard-passed",
            Self::ListWritten => "list-written",
            Self::VersionMade => "version-made",
            Self::Swapped => "swapped",
            Self::SecondaryCommitted => "secondary-committed",
            Self::Committed => "committed",
            Self::Revoking => "revoking",
            Self::Holding => "holding",
        }
    }
}

/// Passes a point. Usually nothing happens.
///
/// # Errors
/// The error that was asked for at this passage.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn pass(_: Point) -> Result<(), String> {
    Ok(())
}

#[cfg(debug_assertions)]
pub use armed::{arm, pass};

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    /// What happens.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Action {
        Abort,
        Stop,
        Error,
    }

    #[derive(Debug)]
    struct Fault {
        point: Point,
        /// At which passage, counted from 1.
        at: u64,
        passed: AtomicU64,
        action: Action,
    }

    static ARMED: OnceLock<Vec<Fault>> = OnceLock::new();

    /// Arms faults, once in a process: `POINT[:N[:abort|stop|error]]`, several parted by commas. N counts from 1.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn arm(text: &str) -> Result<(), String> {
        let faults = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
        ARMED.set(faults).map_err(|_| "faults are armed already".to_string())
    }

    fn parse(text: &str) -> Result<Fault, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let point = Point::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| {
            let names: Vec<_> = Point::ALL.iter().map(|p| p.name()).collect();
            format!("no fault point {name}: there are {}", names.join(", "))
        })?;
        let at = parts.next().map_or(Ok(1), str::parse).map_err(|e| format!("fault {text}: {e}"))?;
        let action = match parts.next() {
            None | Some("abort") => Action::Abort,
            Some("stop") => Action::Stop,
            Some("error") => Action::Error,
            Some(other) => return Err(format!("fault {text}: {other} is none of abort, stop, error")),
        };
        Ok(Fault { point, at, passed: AtomicU64::new(0), action })
    }

    /// Passes a point. Usually nothing happens.
    ///
    /// # Errors
    /// The error that was asked for at this passage.
    pub fn pass(point: Point) -> Result<(), String> {
        for fault in ARMED.get().into_iter().flatten().filter(|f| f.point == point) {
            if fault.passed.fetch_add(1, Ordering::Relaxed) + 1 != fault.at {
                continue;
            }
            tracing::warn!(point = point.name(), at = fault.at, action = ?fault.action, "a fault that was asked for");
            match fault.action {
                Action::Abort => std::process::abort(),
                Action::Stop => {
                    // The shell's own kill. What follows happens once somebody has sent SIGCONT.
                    let _ = std::process::Command::new("sh").args(["-c", "kill -STOP \"$PPID\""]).status();
                }
                Action::Error => return Err(format!("an error was asked for at {} {}", point.name(), fault.at)),
            }
        }
        Ok(())
    }
}
