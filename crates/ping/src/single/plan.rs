//! The schedule that the options ask for.

use std::time::Duration;

/// When to send, how long to wait, when to stop.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When the next probe is due.
    pub pace: Pace,
    /// Probes sent at once at the start, at least 1; in a flood also the maximum number in flight.
    pub preload: u64,
    /// Stop after this many probes, or replies if there is a deadline.
    pub count: Option<u64>,
    /// Time to wait for a reply; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Stop this long after the start.
    pub deadline: Option<Duration>,
    /// Stop when the target goes up or down.
    pub until: Option<Until>,
    /// Compute round-trip times without kernel stamps.
    pub user_times: bool,
}

/// When the next probe is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At multiples of this time from the start.
    Every(Duration),
    /// As soon as fewer than `preload` are in flight, but at least a hundred times a second.
    Flood,
    /// One mean round-trip time after the last probe, but at least this time; one second before the first reply.
    Adaptive(Duration),
}

impl Pace {
    /// The fixed time between two probes; 0 without one.
    pub fn interval(self) -> Duration {
        match self {
            Self::Every(interval) => interval,
            Self::Flood | Self::Adaptive(_) => Duration::ZERO,
        }
    }
}

/// A condition that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The first reply.
    Up,
    /// This many consecutive probes without a reply.
    Down(u64),
}
