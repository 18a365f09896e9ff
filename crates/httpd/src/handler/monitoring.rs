//! Health check, metrics, and the record of every response.
//!
//! The paths belong to the server: files of the same name are not served.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use super::response_body::Reply;
use crate::clock::Clock;
use crate::proto::request::Method;
use crate::proto::response::Status;
use crate::proto::target::Path;
use crate::shutdown::Shutdown;
use crate::telemetry::access_log::{AccessLog, LogEntry};
use crate::telemetry::metrics::{Counters, Metrics};

/// The paths of health check and metrics, if the command line names them.
#[derive(Debug, Clone, Default)]
pub struct MonitoringPaths {
    /// The health check.
    pub health: Option<Path<'static>>,
    /// The metrics.
    pub metrics: Option<Path<'static>>,
}

/// Answers health checks and requests for metrics.
#[derive(Debug)]
pub struct Monitoring {
    /// The paths.
    pub paths: MonitoringPaths,
    /// The counters of all workers.
    pub metrics: Arc<Metrics>,
    /// Whether the server is shutting down.
    pub shutdown: Arc<Shutdown>,
}

impl Monitoring {
    /// The health check. It requires no login, because load balancers have no credentials.
    pub(super) fn health(&self, exchange: &mut Exchange, path: &Path) -> Option<Reply> {
        let is_read = matches!(exchange.head.method, Method::Get | Method::Head);
        if !is_read || self.paths.health.as_ref() != Some(path) {
            return None;
        }
        let (status, body) = if self.shutdown.is_draining() {
            exchange.response.close();
            (Status::SERVICE_UNAVAILABLE, "draining\n")
        } else {
            (Status::OK, "ok\n")
        };
        Some(send_text(exchange, status, "text/plain; charset=utf-8", body))
    }

    /// The metrics in the text format of Prometheus.
    pub(super) fn metrics(&self, exchange: &mut Exchange, path: &Path) -> Option<Reply> {
        if self.paths.metrics.as_ref() != Some(path) {
            return None;
        }
        let text = self.metrics.render();
        Some(send_text(exchange, Status::OK, Metrics::CONTENT_TYPE, &text))
    }
}

fn send_text(exchange: &mut Exchange, status: Status, content_type: &str, body: &str) -> Reply {
    exchange.start(status);
    exchange.response.field("Content-Type", content_type);
    exchange.response.number_field("Content-Length", body.len() as u64);
    exchange.response.field("Cache-Control", "no-store");
    exchange.finish_with(status, body.as_bytes())
}

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
