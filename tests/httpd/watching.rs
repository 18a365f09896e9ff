//! Health, metrics, and the JSON log.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::fixture::Server;

/// The value of one line of the metrics.
fn value(metrics: &str, line: &str) -> Option<u64> {
    metrics.lines().find_map(|other| other.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn health_is_ok_and_other_paths_are_served() {
    let server = Server::with_options(&[("a", b"a"), ("health/x", b"x")], &["--health", "/health"]);
    let answer = server.get("/health");
    assert_eq!((answer.status, answer.text()), (200, "ok\n"));
    assert_eq!(answer.field("Cache-Control"), Some("no-store"));
    assert_eq!(server.get("/%68ealth?x=y").text(), "ok\n");
    assert_eq!(server.get("/health/x").text(), "x");
    assert_eq!(server.get("/a").text(), "a");
    let head = server.connect().head("/health", "");
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("3")));
    assert_eq!(server.answer("DELETE /health HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
    assert_eq!(server.answer("OPTIONS /health HTTP/1.1\r\nHost: h\r\n\r\n").status, 204);
    assert_eq!(server.get("/metrics").status, 404, "only with the option");
}

#[test]
fn while_it_drains_it_serves_and_health_is_unavailable() {
    let server = Server::with_options(&[("a", b"a")], &["--health", "/health", "--drain", "60"]);
    let mut client = server.connect();
    assert_eq!(client.get("/health", "").status, 200);
    server.running.signal(Signal::SIGTERM);
    let deadline = Instant::now() + Duration::from_secs(10);
    let refusal = loop {
        let answer = server.get("/health");
        if answer.status == 503 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
    };
    assert_eq!((refusal.text(), refusal.field("Connection")), ("draining\n", Some("close")));
    assert_eq!(client.get("/a", "").text(), "a");
    assert_eq!(server.get("/a").text(), "a");
    server.running.signal(Signal::SIGTERM);
    assert_eq!(server.running.finish().code(), 0);
}

#[test]
fn it_stops_after_the_drain_time() {
    let server = Server::with_options(&[], &["--drain", "1"]);
    let start = Instant::now();
    server.running.signal(Signal::SIGTERM);
    assert_eq!(server.running.finish().code(), 0);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn metrics_count_responses() {
    let big = vec![b'x'; 500_000];
    let options = ["--metrics", "/-/metrics", "--max-per-ip", "3"];
    let server = Server::with_options(&[("a", b"aaa"), ("big", &big)], &options);
    let mut client = server.connect();
    for _ in 0..3 {
        client.get("/a", "");
    }
    client.get("/big", "");
    client.get("/nothing", "");
    let mut crowd: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for other in &mut crowd {
        assert_eq!(other.get("/a", "").text(), "aaa");
    }
    // Requests that have begun, so that no connection is idle and gives way.
    for other in &mut crowd {
        other.send("GET /a HTTP/1.1\r\n");
    }
    client.send("GET /-/metrics HTTP/1.1\r\n");
    let mut refused = server.connect();
    assert_eq!(refused.response().status, 503);
    client.send("Host: h\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert_eq!(value(text, "httpd_requests_total{status=\"200\",lane=\"memory\"}"), Some(5), "{text}");
    assert_eq!(value(text, "httpd_requests_total{status=\"200\",lane=\"blocking\"}"), Some(1), "{text}");
    assert_eq!(value(text, "httpd_requests_total{status=\"404\",lane=\"memory\"}"), Some(1), "{text}");
    assert_eq!(value(text, "httpd_connections"), Some(3), "{text}");
    assert_eq!(value(text, "httpd_connections_accepted_total"), Some(3), "{text}");
    assert_eq!(value(text, "httpd_connections_refused_total{limit=\"address\"}"), Some(1), "{text}");
    let bytes = value(text, "httpd_response_body_bytes_total").unwrap();
    assert!((500_015..501_000).contains(&bytes), "{bytes}");
    // A file that has just been written is read again until its time stamps are reliable.
    let (hits, misses) = (value(text, "httpd_cache_hits_total"), value(text, "httpd_cache_misses_total"));
    assert_eq!(hits.unwrap() + misses.unwrap(), 5, "{text}");
    assert!(misses >= Some(1), "{text}");
    let count = value(text, "httpd_request_duration_seconds_count{lane=\"memory\"}");
    assert_eq!(value(text, "httpd_request_duration_seconds_bucket{lane=\"memory\",le=\"+Inf\"}"), count);
    assert!(!text.contains("httpd_request_duration_seconds_sum{lane=\"blocking\"} 0\n"), "{text}");
    drop(crowd);
}

#[test]
fn a_cached_file_is_a_hit_and_its_memory_is_counted() {
    let server = Server::with_options(&[("a", &[b'x'; 5000])], &["--metrics", "/m", "--workers", "2"]);
    let mut client = server.connect();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        client.get("/a", "");
        let answer = client.get("/m", "");
        let text = answer.text();
        if value(text, "httpd_cache_hits_total") >= Some(1) && value(text, "httpd_cache_bytes") >= Some(5000) {
            return;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_json_log_has_lane_cache_and_duration() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = ["--access-log", log.path().to_str().unwrap(), "--log-format", "json"];
    let server = Server::with_options(&[("a", b"aaa"), ("big", &vec![b'x'; 500_000])], &options);
    let mut client = server.connect();
    for target in ["/a", "/big", "/nothing"] {
        client.get(target, "");
    }
    server.running.signal(Signal::SIGTERM);
    server.running.finish();
    let text = fs::read_to_string(log.path()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let values = |name| lines.iter().map(|line| line[name].as_str().unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(values("lane"), ["memory", "blocking", "memory"], "{text}");
    assert_eq!(values("cache"), ["miss", "-", "-"], "{text}");
    assert!(lines.iter().all(|line| (0.0..10.0).contains(&line["duration"].as_f64().unwrap())), "{text}");
}
