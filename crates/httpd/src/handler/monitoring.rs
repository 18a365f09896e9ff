//! Health check and metrics.
//!
//! The paths belong to the server: files of the same name are not served.

use std::sync::Arc;

use super::exchange::Exchange;
use super::response_body::Reply;
use crate::proto::request::Method;
use crate::proto::response::Status;
use crate::proto::target::Path;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// The paths of health check and metrics, if the command line names them.
#[derive(Debug, Clone, Default)]
pub struct MonitoringPaths {
    /// The health check.
    pub health: Option<Path<'static>>,
    /// The metrics.
    pub metrics: Option<Path<'static>>,
    /// Whether health checks are in the access log.
    pub log_health: bool,
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
        exchange.is_logged = self.paths.log_health;
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
