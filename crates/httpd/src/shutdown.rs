//! The shutdown of the server: draining, the grace period, and the signals that request it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::Error;
use common::signals::{Signal, Signals};

/// Time that responses may take after a shutdown request.
pub const GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Further time for workers to write their logs and end; they check the time once a second.
const FLUSH_GRACE: Duration = Duration::from_secs(2);

/// Whether and since when the server is shutting down.
#[derive(Debug, Default)]
pub struct Shutdown {
    draining: AtomicBool,
    requested: OnceLock<Instant>,
}

impl Shutdown {
    /// Starts draining: requests are served, but the health check fails.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server drains or stops.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.start_draining();
        let _ = self.requested.set(Instant::now());
    }

    /// Whether the stop is requested.
    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// Whether the grace period for responses has ended.
    pub fn is_overdue(&self) -> bool {
        self.requested.get().is_some_and(|since| since.elapsed() >= GRACE_PERIOD)
    }

    /// Whether the workers should have ended.
    pub fn is_long_overdue(&self) -> bool {
        self.requested.get().is_some_and(|since| since.elapsed() >= GRACE_PERIOD + FLUSH_GRACE)
    }
}

/// Blocks SIGTERM, SIGINT and SIGHUP and opens their descriptor. Must run before threads are started.
pub fn block_signals() -> Result<Signals, Error> {
    Signals::block(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
        .map_err(|error| Error::io("block", "signals", error))
}
