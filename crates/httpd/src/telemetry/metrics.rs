//! What can be counted while serving, and its text form for Prometheus (exposition format 0.0.4).
//!
//! Each worker counts for itself, in memory that no other worker writes: an addition is a load and a store, and no cache
//! line travels between cores. The sums are made when somebody asks.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::auth::Authenticator;
use crate::content::lookup::CacheStatus;
use crate::net::connection_limit::ConnectionLimiter;
use crate::shutdown::Shutdown;

/// How an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedBy {
    /// A worker gave it from memory, without waiting for anything.
    Memory,
    /// It was written in the blocking lane.
    Blocking,
}

impl ServedBy {
    const ALL: [Self; 2] = [Self::Memory, Self::Blocking];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Blocking => "blocking",
        }
    }
}

/// The upper bounds of the latency buckets, in microseconds: from an answer out of memory to a large download.
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
/// Status codes are counted from here on (RFC 9110 section 15)...
const FIRST_STATUS: u16 = 100;
/// ...as many of them.
const STATUSES: usize = 500;

/// What one worker counts.
///
/// Only that worker adds to it. It begins on a cache line of its own, in pairs as processors fetch them.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    lanes: [ServedByCounters; 2],
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
            lanes: Default::default(),
            body_bytes: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            cache_bytes: AtomicU64::new(0),
        }
    }
}

/// Adds without a locked instruction: nobody else writes here.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

impl Counters {
    /// Counts one answer.
    pub fn count_response(
        &self,
        status: u16,
        served_by: ServedBy,
        body_bytes: u64,
        cache: Option<CacheStatus>,
        duration: Duration,
    ) {
        let counters = &self.lanes[served_by as usize];
        let place = usize::from(status.saturating_sub(FIRST_STATUS)).min(STATUSES - 1);
        add(&counters.by_status[place], 1);
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

    /// Notes how many octets the worker keeps in memory now.
    pub fn set_cache_size(&self, bytes: u64) {
        self.cache_bytes.store(bytes, Ordering::Relaxed);
    }
}

/// The counters of all workers, and what else is told.
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

    /// Metrics of this many workers.
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

    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        let mut text = Text(String::with_capacity(8 * 1024));
        text.family("httpd_build_info", "gauge", "The version of the program, as a label.");
        text.line("httpd_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        text.family("httpd_start_time_seconds", "gauge", "When the server started, in seconds since 1970.");
        text.line(
            "httpd_start_time_seconds",
            &[],
            format_args!("{}.{:03}", started.as_secs(), started.subsec_millis()),
        );
        text.family("httpd_draining", "gauge", "1 once a stop was asked for, else 0.");
        text.line("httpd_draining", &[], u8::from(self.stop.is_draining()));
        self.requests(&mut text);
        self.durations(&mut text);
        text.one(
            "httpd_response_body_bytes_total",
            "counter",
            "Octets of bodies sent.",
            self.sum(|one| &one.body_bytes),
        );
        let limiter = self.limiter.counts();
        text.one("httpd_connections", "gauge", "Connections there are.", limiter.now);
        text.one("httpd_connections_accepted_total", "counter", "Connections that were let in.", limiter.accepted);
        text.family(
            "httpd_connections_refused_total",
            "counter",
            "Connections turned away, by the limit they were over.",
        );
        text.line("httpd_connections_refused_total", &[("limit", "all")], limiter.refused);
        text.line("httpd_connections_refused_total", &[("limit", "address")], limiter.refused_by_address);
        let (hits, misses) = (self.sum(|one| &one.hits), self.sum(|one| &one.misses));
        text.one("httpd_cache_hits_total", "counter", "Answers from files in memory.", hits);
        text.one("httpd_cache_misses_total", "counter", "Answers for which a small file was read.", misses);
        let bytes = self.sum(|one| &one.cache_bytes);
        text.one("httpd_cache_bytes", "gauge", "Memory that small files take, over all workers.", bytes);
        self.logins(&mut text);
        text.0
    }

    fn logins(&self, text: &mut Text) {
        const NAME: &str = "httpd_logins_total";
        let Some(authenticator) = &self.authenticator else { return };
        let judged = authenticator.login_counts();
        text.family(NAME, "counter", "Credentials that were checked, and requests told to wait after failures.");
        text.line(NAME, &[("outcome", "right")], judged.right);
        text.line(NAME, &[("outcome", "wrong")], judged.wrong);
        text.line(NAME, &[("outcome", "slowed")], judged.slowed);
    }

    fn requests(&self, text: &mut Text) {
        const NAME: &str = "httpd_requests_total";
        text.family(NAME, "counter", "Answers, by status and by the lane in which they were given.");
        for lane in ServedBy::ALL {
            for (status, place) in (FIRST_STATUS..).zip(0..STATUSES) {
                let count = self.sum(|one| &one.lanes[lane as usize].by_status[place]);
                // The one that rates are made of is there from the beginning.
                if count > 0 || status == 200 {
                    text.line(NAME, &[("status", &status.to_string()), ("lane", lane.name())], count);
                }
            }
        }
    }

    fn durations(&self, text: &mut Text) {
        const NAME: &str = "httpd_request_duration_seconds";
        text.family(
            NAME,
            "histogram",
            "From the wake-up for a request to its answer: ready, or sent by the blocking lane.",
        );
        for lane in ServedBy::ALL {
            let mut count = 0;
            for (bucket, bound) in BOUNDS.iter().map(Some).chain([None]).enumerate() {
                count += self.sum(|one| &one.lanes[lane as usize].by_duration[bucket]);
                let bound = bound.map_or("+Inf".to_owned(), |bound| seconds(bound * 1000));
                text.line("httpd_request_duration_seconds_bucket", &[("lane", lane.name()), ("le", &bound)], count);
            }
            let nanoseconds = self.sum(|one| &one.lanes[lane as usize].nanoseconds);
            text.line("httpd_request_duration_seconds_sum", &[("lane", lane.name())], seconds(nanoseconds));
            text.line("httpd_request_duration_seconds_count", &[("lane", lane.name())], count);
        }
    }
}

/// Nanoseconds as seconds, without zeros at the end.
fn seconds(nanoseconds: u64) -> String {
    let text = format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Lines of the text format. Labels hold words of this program only, so there is nothing to escape.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(workers: usize) -> Metrics {
        Metrics::new(workers, ConnectionLimiter::new(1, None), Arc::default(), None)
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
    fn a_status_that_does_not_exist_is_counted_somewhere_and_harms_nothing() {
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
