//! Answers for those who watch the server: whether it is well, and what it has counted.
//!
//! Their paths are the server's own. A file of the same name is not served, and neither answer says anything about files.

use std::sync::Arc;
use std::time::Duration;

use super::{Handler, Reply, Rest};
use crate::proto::request::Method;
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::Path;
use crate::shutdown::Shutdown;
use crate::telemetry::access_log::Entry;
use crate::telemetry::metrics::{Counters, Metrics};

/// Where those who watch ask; neither unless the command line names it.
#[derive(Debug, Clone, Default)]
pub struct MonitoringPaths {
    /// Whether the server is well.
    pub health: Option<Path<'static>>,
    /// What it has counted.
    pub metrics: Option<Path<'static>>,
}

/// What a worker knows about being watched.
#[derive(Debug)]
pub struct Monitoring {
    /// Where the questions are asked.
    pub paths: MonitoringPaths,
    /// What this worker counts.
    pub counters: Arc<Counters>,
    /// What all of them count.
    pub metrics: Arc<Metrics>,
    /// Whether the server is about to stop.
    pub stop: Arc<Shutdown>,
}

impl Monitoring {
    fn counts(&self) -> bool {
        self.paths.metrics.is_some()
    }
}

impl Handler {
    /// Counts an answer and writes its line into the access log.
    pub fn record(&mut self, entry: &Entry) {
        let is_timed = self.monitoring.counts() || self.log.tells_durations();
        let duration = if is_timed { entry.begun.elapsed() } else { Duration::ZERO };
        if self.monitoring.counts() {
            self.monitoring.counters.answer(entry.status, entry.served_by, entry.bytes, entry.cached, duration);
        }
        self.log.add(&self.clock, entry, duration);
    }

    /// The end of a wake-up: what was logged and counted can be seen.
    pub fn end_of_batch(&mut self) {
        self.log.end_of_batch(&self.clock);
        if self.monitoring.counts() {
            self.monitoring.counters.cache_holds(self.lookup.memory() as u64);
        }
    }

    /// Whether the server is well. It is asked by machines that have no password, and an answer that asks for one would tell
    /// them as much.
    pub(super) fn health(&mut self, reply: &mut Reply, path: &Path) -> Option<Rest> {
        let is_read = matches!(reply.head.method, Method::Get | Method::Head);
        if !is_read || self.monitoring.paths.health.as_ref() != Some(path) {
            return None;
        }
        let (status, body) = if self.monitoring.stop.is_draining() {
            reply.persistence = Persistence::Close;
            (Status::SERVICE_UNAVAILABLE, "draining\n")
        } else {
            (Status::OK, "ok\n")
        };
        Some(self.tell(reply, status, "text/plain; charset=utf-8", body))
    }

    /// What was counted.
    pub(super) fn metrics(&mut self, reply: &mut Reply, path: &Path) -> Option<Rest> {
        if self.monitoring.paths.metrics.as_ref() != Some(path) {
            return None;
        }
        let text = self.monitoring.metrics.render();
        Some(self.tell(reply, Status::OK, Metrics::CONTENT_TYPE, &text))
    }

    fn tell(&mut self, reply: &mut Reply, status: Status, content_type: &str, body: &str) -> Rest {
        response::start(reply.out, status, self.clock.date());
        response::field(reply.out, "Content-Type", content_type);
        response::number_field(reply.out, "Content-Length", body.len() as u64);
        response::field(reply.out, "Cache-Control", "no-store");
        reply.out.extend_from_slice(&self.site.extra_headers);
        response::finish(reply.out, reply.persistence);
        let mut entry = reply.entry(status);
        if reply.head.method != Method::Head {
            reply.out.extend_from_slice(body.as_bytes());
            entry.bytes = body.len() as u64;
        }
        self.record(&entry);
        Rest::Nothing
    }
}
