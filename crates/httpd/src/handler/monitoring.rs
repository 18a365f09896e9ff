//! Answers for those who watch the server: whether it is well, and what it has counted.
//!
//! Their paths are the server's own. A file of the same name is not served, and neither answer says anything about files.

use std::sync::Arc;
use std::time::Duration;

use super::{Reply, Rest, Service};
use crate::telemetry::access_log::Entry;
use crate::telemetry::metrics::{Counters, Metrics};
use crate::proto::request::Method;
use crate::proto::response::{self, Persistence, Status};
use crate::proto::target::Path;
use crate::shutdown::Stop;

/// Where those who watch ask; neither unless the command line names it.
#[derive(Debug, Clone, Default)]
pub struct WatchPaths {
    /// Whether the server is well.
    pub health: Option<Path<'static>>,
    /// What it has counted.
    pub metrics: Option<Path<'static>>,
}

/// What a worker knows about being watched.
#[derive(Debug)]
pub struct Watch {
    /// Where the questions are asked.
    pub paths: WatchPaths,
    /// What this worker counts.
    pub counters: Arc<Counters>,
    /// What all of them count.
    pub metrics: Arc<Metrics>,
    /// Whether the server is about to stop.
    pub stop: Arc<Stop>,
}

impl Watch {
    fn counts(&self) -> bool {
        self.paths.metrics.is_some()
    }
}

impl Service {
    /// Counts an answer and writes its line into the access log.
    pub fn record(&mut self, entry: &Entry) {
        let is_timed = self.watch.counts() || self.log.tells_durations();
        let duration = if is_timed { entry.begun.elapsed() } else { Duration::ZERO };
        if self.watch.counts() {
            self.watch.counters.answer(entry.status, entry.lane, entry.bytes, entry.cached, duration);
        }
        self.log.add(&self.clock, entry, duration);
    }

    /// The end of a wake-up: what was logged and counted can be seen.
    pub fn end_of_batch(&mut self) {
        self.log.end_of_batch(&self.clock);
        if self.watch.counts() {
            self.watch.counters.cache_holds(self.lookup.memory() as u64);
        }
    }

    /// Whether the server is well. It is asked by machines that have no password, and an answer that asks for one would tell
    /// them as much.
    pub(super) fn health(&mut self, reply: &mut Reply, path: &Path) -> Option<Rest> {
        let is_read = matches!(reply.head.method, Method::Get | Method::Head);
        if !is_read || self.watch.paths.health.as_ref() != Some(path) {
            return None;
        }
        let (status, body) = if self.watch.stop.is_announced() {
            reply.persistence = Persistence::Close;
            (Status::SERVICE_UNAVAILABLE, "draining\n")
        } else {
            (Status::OK, "ok\n")
        };
        Some(self.tell(reply, status, "text/plain; charset=utf-8", body))
    }

    /// What was counted.
    pub(super) fn metrics(&mut self, reply: &mut Reply, path: &Path) -> Option<Rest> {
        if self.watch.paths.metrics.as_ref() != Some(path) {
            return None;
        }
        let text = self.watch.metrics.render();
        Some(self.tell(reply, Status::OK, Metrics::CONTENT_TYPE, &text))
    }

    fn tell(&mut self, reply: &mut Reply, status: Status, content_type: &str, body: &str) -> Rest {
        response::start(reply.out, status, self.clock.date());
        response::field(reply.out, "Content-Type", content_type);
        response::number_field(reply.out, "Content-Length", body.len() as u64);
        response::field(reply.out, "Cache-Control", "no-store");
        reply.out.extend_from_slice(&self.site.always);
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
