//! Counts and logs every response.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::telemetry::access_log::{AccessLog, LogEntry};
use crate::telemetry::metrics::Counters;

/// Counts and logs the responses of one worker.
#[derive(Debug)]
pub struct Recorder {
    log: AccessLog,
    /// The counters of this worker, if there are metrics.
    counters: Option<Arc<Counters>>,
}

impl Recorder {
    /// A recorder for one worker; `counters` only if there are metrics.
    pub fn new(log: AccessLog, counters: Option<Arc<Counters>>) -> Self {
        Self { log, counters }
    }

    /// Counts a response and adds it to the access log.
    pub fn record(&mut self, clock: &Clock, entry: &LogEntry) {
        let is_timed = self.counters.is_some() || self.log.has_durations();
        let duration = if is_timed { entry.begun.elapsed() } else { Duration::ZERO };
        if let Some(counters) = &self.counters {
            counters.count_response(entry.status, entry.served_by, entry.bytes, entry.cache, duration);
        }
        self.log.add(clock, entry, duration);
    }

    /// Counts a response that is not in the access log.
    pub(super) fn count(&self, entry: &LogEntry) {
        if let Some(counters) = &self.counters {
            let duration = entry.begun.elapsed();
            counters.count_response(entry.status, entry.served_by, entry.bytes, entry.cache, duration);
        }
    }

    /// Ends a wake-up: writes log lines, publishes the size of the cache.
    pub(super) fn end_of_batch(&mut self, clock: &Clock, cache_weight: usize) {
        self.log.end_of_batch(clock);
        if let Some(counters) = &self.counters {
            counters.set_cache_size(cache_weight as u64);
        }
    }

    /// Writes all log lines.
    pub fn flush(&mut self) {
        self.log.flush();
    }
}
