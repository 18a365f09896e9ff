//! `--limit-rate`: no connection receives more, for any request and any way of sending.

use std::io::Read;
use std::time::{Duration, Instant};

use testkit::process::finish;

use crate::fixture::{Server, httpd};

/// 100 KiB a second.
const RATE: usize = 102_400;

/// Bytes that may arrive beyond the rate: the burst, a step, and the head.
const SLACK: usize = 16_000;

/// Reads `wanted` bytes and checks after each read that no more have arrived than the rate allows since `begun`.
fn is_never_faster(mut stream: impl Read, wanted: usize, begun: Instant) -> Duration {
    let (mut total, mut buffer) = (0, [0; 4096]);
    while total < wanted {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {total} of {wanted}");
        total += count;
        let allowed = begun.elapsed().as_millis() as usize * RATE / 1000 + SLACK;
        assert!(total <= allowed, "{total} bytes after {:?}", begun.elapsed());
    }
    begun.elapsed()
}

fn serve(files: &[(&str, &[u8])]) -> Server {
    Server::with_options(files, &["--limit-rate", "100K", "--workers", "2"])
}

#[test]
fn a_large_file_flows_at_the_rate() {
    let server = serve(&[("big", &vec![b'x'; 2 * RATE])]);
    let mut client = server.connect();
    let begun = Instant::now();
    client.send("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let took = is_never_faster(client.stream(), 2 * RATE, begun);
    assert!(took > Duration::from_millis(1700), "{took:?}");
}

#[test]
fn many_small_answers_on_one_connection_keep_to_the_rate_and_their_order() {
    let server = serve(&[("a", &[b'a'; 3000]), ("b", &[b'b'; 3000])]);
    let mut client = server.connect();
    let begun = Instant::now();
    for number in 0..30 {
        let (path, letter) = if number % 2 == 0 { ("/a", b'a') } else { ("/b", b'b') };
        assert!(client.get(path, "").body.iter().all(|byte| *byte == letter));
        let allowed = begun.elapsed().as_millis() as usize * RATE / 1000 + SLACK;
        assert!(number * 3000 <= allowed, "{number} answers after {:?}", begun.elapsed());
    }
    // All requests at once are not faster.
    let begun = Instant::now();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(30));
    for _ in 0..30 {
        assert_eq!(client.response().body, [b'a'; 3000]);
    }
    assert!(begun.elapsed() > Duration::from_millis(600), "{:?}", begun.elapsed());
}

#[test]
fn the_rate_applies_to_each_connection() {
    let server = serve(&[("big", &vec![b'x'; RATE])]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.connect();
                let begun = Instant::now();
                client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
                is_never_faster(client.stream(), RATE, begun);
            });
        }
    });
}

#[test]
fn a_rate_below_the_minimum_rate_closes_no_connection() {
    // Time that the server waits for its own limit does not count against the client.
    let options = ["--limit-rate", "2K", "--min-rate", "1000000"];
    let server = Server::with_options(&[("a", &[b'a'; 2000])], &options);
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/a", "").body.len(), 2000);
    }
}

#[test]
fn an_invalid_rate_is_refused_in_one_line() {
    for (rate, why) in [
        ("fast", "does not begin with a number"),
        ("5X", "has an unknown unit; write K, M or G (powers of 1024) behind the number"),
        ("0", "must be above 0"),
        ("99999999999999999999", "is too large"),
    ] {
        let refused = finish(httpd().args(["--limit-rate", rate, "."]), b"");
        assert_eq!((refused.code(), refused.stderr), (2, format!("httpd: --limit-rate {rate}: {why}\n")));
    }
}
