//! What the user asked for: when to send, how long to wait, when to stop.

use std::time::Duration;

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When the next probe is due.
    pub pace: Pace,
    /// Probes that are sent at once at the start, at least 1; later the number that may be on their way in a flood.
    pub preload: u64,
    /// Stop after this many (answers, when there is a deadline).
    pub count: Option<u64>,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// Stop this long after the start, whatever has come.
    pub deadline: Option<Duration>,
    /// Stop when the target is up, or down.
    pub until: Option<Until>,
    /// Leave the kernel's stamps out of the round-trip time.
    pub user_times: bool,
}

/// When the next probe is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At multiples of this time from the start.
    Every(Duration),
    /// As soon as fewer than `preload` are on their way, but at least a hundred times a second.
    Flood,
    /// A mean round-trip time after the last, but not sooner than this; before the first reply after one second.
    Adaptive(Duration),
}

impl Pace {
    /// The time between two sends that does not depend on replies; 0 where there is none.
    pub fn interval(self) -> Duration {
        match self {
            Self::Every(interval) => interval,
            Self::Flood | Self::Adaptive(_) => Duration::ZERO,
        }
    }
}

/// What ends a run besides count and deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The first reply.
    Up,
    /// This many probes in a row without a reply.
    Down(u64),
}
