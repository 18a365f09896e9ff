//! Counters of responses, and the text format of Prometheus (exposition format 0.0.4).
//!
//! Each worker has its own counters on its own cache lines: an addition is a load and a store. The sums are made when the
//! metrics are requested.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::auth::Authenticator;
use crate::content::lookup::CacheStatus;
use crate::net::connection_limit::ConnectionLimiter;
use crate::shutdown::Shutdown;

/// Which thread served a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedBy {
    /// A worker, from memory.
    Memory,
    /// A thread of the blocking pool.
    Blocking,
}

impl ServedBy {
    const ALL: [Self; 2] = [Self::Memory, Self::Blocking];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Blocking => "blocking",
        }
    }
}

/// The upper bounds of the latency buckets in microseconds, from a cached response to a large download.
const BOUNDS: [u64; 18] = [
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    120_000_000,
];
/// The lowest status code (RFC 9110, section 15).
const FIRST_STATUS: u16 = 100;
/// Status codes that are counted.
const STATUSES: usize = 500;

/// The counters of one worker, which alone adds to them. Aligned to the pairs of cache lines that processors fetch.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    responses: [ServedByCounters; 2],
    body_bytes: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    cache_bytes: AtomicU64,
}

#[derive(Debug)]
struct ServedByCounters {
    by_status: [AtomicU64; STATUSES],
    by_duration: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Default for ServedByCounters {
    fn default() -> Self {
        Self {
            by_status: [const { AtomicU64::new(0) }; STATUSES],
            by_duration: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
            nanoseconds: AtomicU64::new(0),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            responses: Default::default(),
            body_bytes: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            cache_bytes: AtomicU64::new(0),
        }
    }
}

/// Adds without a locked instruction, because only one thread writes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Counters {
    /// Counts one response.
    pub fn count_response(
        &self,
        status: u16,
        served_by: ServedBy,
        body_bytes: u64,
        cache: Option<CacheStatus>,
        duration: Duration,
    ) {
        let counters = &self.responses[served_by as usize];
        let index = usize::from(status.saturating_sub(FIRST_STATUS)).min(STATUSES - 1);
        add(&counters.by_status[index], 1);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| bound * 1000 < nanoseconds);
        add(&counters.by_duration[bucket], 1);
        add(&counters.nanoseconds, nanoseconds);
        add(&self.body_bytes, body_bytes);
        match cache {
            Some(CacheStatus::Hit) => add(&self.hits, 1),
            Some(CacheStatus::Miss) => add(&self.misses, 1),
            None => {}
        }
    }

    /// Sets the size of the cache for small files.
    pub fn set_cache_size(&self, bytes: u64) {
        self.cache_bytes.store(bytes, Ordering::Relaxed);
    }
}

/// The counters of all workers, of connections and of logins.
#[derive(Debug)]
pub struct Metrics {
    workers: Vec<Arc<Counters>>,
    limiter: Arc<ConnectionLimiter>,
    stop: Arc<Shutdown>,
    authenticator: Option<Arc<Authenticator>>,
    started: SystemTime,
}

impl Metrics {
    /// The media type of [`Metrics::render`].
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Metrics of `workers` workers.
    pub fn new(
        workers: usize,
        limiter: Arc<ConnectionLimiter>,
        stop: Arc<Shutdown>,
        authenticator: Option<Arc<Authenticator>>,
    ) -> Self {
        let workers = (0..workers).map(|_| Arc::default()).collect();
        Self { workers, limiter, stop, authenticator, started: SystemTime::now() }
    }

    /// The counters of one worker.
    pub fn of_worker(&self, number: usize) -> Arc<Counters> {
        self.workers.get(number).map(Arc::clone).unwrap_or_default()
    }

    fn sum(&self, counter: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        let values = self.workers.iter().map(|worker| counter(worker).load(Ordering::Relaxed));
        values.fold(0, u64::wrapping_add)
    }

    /// All metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        let mut text = MetricsText(String::with_capacity(8 * 1024));
        text.family("httpd_build_info", "gauge", "The version of the program, as a label.");
        text.line("httpd_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        text.family("httpd_start_time_seconds", "gauge", "When the server started, in seconds since 1970.");
        text.line(
            "httpd_start_time_seconds",
            &[],
            format_args!("{}.{:03}", started.as_secs(), started.subsec_millis()),
        );
        text.family("httpd_draining", "gauge", "1 while the server drains or stops, else 0.");
        text.line("httpd_draining", &[], u8::from(self.stop.is_draining()));
        self.requests(&mut text);
        self.durations(&mut text);
        text.single(
            "httpd_response_body_bytes_total",
            "counter",
            "Bytes of response bodies sent.",
            self.sum(|worker| &worker.body_bytes),
        );
        let connections = self.limiter.counts();
        text.single("httpd_connections", "gauge", "Open connections.", connections.open);
        text.single("httpd_connections_accepted_total", "counter", "Connections accepted.", connections.accepted);
        text.family("httpd_connections_refused_total", "counter", "Connections rejected, by the limit.");
        text.line("httpd_connections_refused_total", &[("limit", "all")], connections.rejected);
        text.line("httpd_connections_refused_total", &[("limit", "address")], connections.rejected_by_address);
        let (hits, misses) = (self.sum(|worker| &worker.hits), self.sum(|worker| &worker.misses));
        text.single("httpd_cache_hits_total", "counter", "Responses from the cache for small files.", hits);
        text.single("httpd_cache_misses_total", "counter", "Responses for which a small file was read.", misses);
        let bytes = self.sum(|worker| &worker.cache_bytes);
        text.single("httpd_cache_bytes", "gauge", "Memory of the caches for small files, over all workers.", bytes);
        self.logins(&mut text);
        text.0
    }

    fn logins(&self, text: &mut MetricsText) {
        const NAME: &str = "httpd_logins_total";
        let Some(authenticator) = &self.authenticator else { return };
        let counts = authenticator.login_counts();
        text.family(NAME, "counter", "Credentials verified, and requests rate limited after failures.");
        text.line(NAME, &[("outcome", "right")], counts.right);
        text.line(NAME, &[("outcome", "wrong")], counts.wrong);
        text.line(NAME, &[("outcome", "slowed")], counts.rate_limited);
    }

    fn requests(&self, text: &mut MetricsText) {
        const NAME: &str = "httpd_requests_total";
        text.family(NAME, "counter", "Responses, by status and lane: from memory or by a blocking thread.");
        for served_by in ServedBy::ALL {
            for (status, index) in (FIRST_STATUS..).zip(0..STATUSES) {
                let count = self.sum(|worker| &worker.responses[served_by as usize].by_status[index]);
                // Present from the start, because rates are computed from it.
                if count > 0 || status == 200 {
                    text.line(NAME, &[("status", &status.to_string()), ("lane", served_by.name())], count);
                }
            }
        }
    }

    fn durations(&self, text: &mut MetricsText) {
        const NAME: &str = "httpd_request_duration_seconds";
        text.family(NAME, "histogram", "Time from the wake-up of the worker until the response is ready or sent.");
        for served_by in ServedBy::ALL {
            let mut count = 0;
            for (bucket, bound) in BOUNDS.iter().map(Some).chain([None]).enumerate() {
                count += self.sum(|worker| &worker.responses[served_by as usize].by_duration[bucket]);
                let bound = bound.map_or("+Inf".to_owned(), |bound| seconds(bound * 1000));
                text.line(
                    "httpd_request_duration_seconds_bucket",
                    &[("lane", served_by.name()), ("le", &bound)],
                    count,
                );
            }
            let nanoseconds = self.sum(|worker| &worker.responses[served_by as usize].nanoseconds);
            text.line("httpd_request_duration_seconds_sum", &[("lane", served_by.name())], seconds(nanoseconds));
            text.line("httpd_request_duration_seconds_count", &[("lane", served_by.name())], count);
        }
    }
}

/// Nanoseconds as seconds, without zeros at the end.
fn seconds(nanoseconds: u64) -> String {
    let text = format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes the text format. Labels contain words of this program only and need no escaping.
struct MetricsText(String);

impl MetricsText {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(workers: usize) -> Metrics {
        Metrics::new(workers, ConnectionLimiter::new(1, None), Arc::new(Shutdown::new(Duration::ZERO)), None)
    }

    #[test]
    fn the_counts_of_all_workers_are_added_up() {
        let metrics = metrics(2);
        let (first, second) = (metrics.of_worker(0), metrics.of_worker(1));
        first.count_response(200, ServedBy::Memory, 10, Some(CacheStatus::Hit), Duration::from_micros(30));
        second.count_response(200, ServedBy::Memory, 20, Some(CacheStatus::Miss), Duration::from_micros(50));
        second.count_response(404, ServedBy::Blocking, 0, None, Duration::from_secs(600));
        first.set_cache_size(5);
        first.set_cache_size(7);
        let text = metrics.render();
        for line in [
            "httpd_requests_total{status=\"200\",lane=\"memory\"} 2",
            "httpd_requests_total{status=\"200\",lane=\"blocking\"} 0",
            "httpd_requests_total{status=\"404\",lane=\"blocking\"} 1",
            "httpd_response_body_bytes_total 30",
            "httpd_cache_hits_total 1",
            "httpd_cache_misses_total 1",
            "httpd_cache_bytes 7",
            "httpd_request_duration_seconds_bucket{lane=\"memory\",le=\"0.000025\"} 0",
            "httpd_request_duration_seconds_bucket{lane=\"memory\",le=\"0.00005\"} 2",
            "httpd_request_duration_seconds_bucket{lane=\"blocking\",le=\"120\"} 0",
            "httpd_request_duration_seconds_bucket{lane=\"blocking\",le=\"+Inf\"} 1",
            "httpd_request_duration_seconds_sum{lane=\"memory\"} 0.00008",
            "httpd_request_duration_seconds_count{lane=\"memory\"} 2",
            "httpd_draining 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_unknown_status_is_counted_without_a_panic() {
        let metrics = metrics(1);
        for status in [0, 99, 600, u16::MAX] {
            metrics.of_worker(0).count_response(status, ServedBy::Memory, 0, None, Duration::MAX);
        }
        assert!(metrics.render().contains("httpd_request_duration_seconds_count{lane=\"memory\"} 4"));
    }

    #[test]
    fn seconds_are_exact() {
        for (nanoseconds, text) in [(0, "0"), (1, "0.000000001"), (25_000, "0.000025"), (10_000_000_000, "10")] {
            assert_eq!(seconds(nanoseconds), text);
        }
    }
}
