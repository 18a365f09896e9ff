//! `--compress`: the server compresses text; conditions, ranges and freshness stay correct.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use testkit::http::Response;
use testkit::process::WAIT_TIMEOUT;

use crate::fixture::Server;

const GZIP: &str = "Accept-Encoding: gzip\r\n";

fn text(seed: usize) -> Vec<u8> {
    (0..800).flat_map(|line| format!("{seed} line {line} of a text that repeats itself\n").into_bytes()).collect()
}

fn unzipped(response: &Response) -> Vec<u8> {
    assert_eq!(response.field("Content-Encoding"), Some("gzip"), "{}", response.head);
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(response.body.as_slice()).read_to_end(&mut content).expect("valid gzip");
    content
}

/// Files with reliable time stamps, so that their compressed form is cached.
fn serve(files: &[(&str, &[u8])], options: &[&str]) -> Server {
    let server = Server::with_options(files, &[&["--compress", "-vv"], options].concat());
    for (name, _) in files {
        let file = fs::File::options().write(true).open(server.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    }
    // The change time cannot be set; the server relies on it after 40 ms.
    let changed = |(name, _): &(&str, &[u8])| {
        let metadata = fs::metadata(server.path(name)).unwrap();
        Duration::new(metadata.ctime().try_into().unwrap(), metadata.ctime_nsec().try_into().unwrap())
    };
    let newest = files.iter().map(changed).max().unwrap();
    while UNIX_EPOCH.elapsed().unwrap() < newest + Duration::from_millis(50) {
        std::thread::sleep(Duration::from_millis(5));
    }
    server
}

/// Whether exactly this number of texts were compressed; the log may arrive later than the responses.
fn has_compressed(server: &Server, count: usize) {
    let compressions = |text: &str| text.matches("compressed ").count();
    server.running.wait_for_stderr(|text| (compressions(text) >= count).then_some(()));
    assert_eq!(compressions(&server.running.stderr()), count, "{}", server.running.stderr());
}

#[test]
fn text_is_sent_as_gzip_with_a_separate_tag_to_clients_that_accept_it() {
    let server = serve(&[("a.txt", &text(1))], &[]);
    let mut client = server.connect();
    let original = client.get("/a.txt", "");
    assert_eq!((original.status, original.body.as_slice()), (200, &text(1)[..]));
    let zipped = client.get("/a.txt", GZIP);
    assert_eq!((zipped.status, unzipped(&zipped)), (200, text(1)));
    assert!(zipped.body.len() < text(1).len() / 4);
    assert_eq!(zipped.field("Content-Type"), original.field("Content-Type"));
    assert_eq!(zipped.field("Last-Modified"), original.field("Last-Modified"));
    assert_ne!(zipped.field("ETag"), original.field("ETag"));
    assert_eq!(zipped.field("Accept-Ranges"), None, "parts are of the original");
    for response in [&original, &zipped] {
        assert_eq!(response.field("Vary"), Some("Accept-Encoding"));
    }
    assert_eq!(client.get("/a.txt", "Accept-Encoding: br\r\n").field("Content-Encoding"), None);
    assert_eq!(client.get("/a.txt", "Accept-Encoding: gzip;q=0\r\n").body, text(1));
    assert_eq!(client.get("/a.txt", "Accept-Encoding: identity, gzip;q=0.5\r\n").body, text(1));
    assert_eq!(unzipped(&client.get("/a.txt", "Accept-Encoding: gzip, identity;q=0\r\n")), text(1));
}

#[test]
fn without_the_option_or_memory_nothing_is_compressed() {
    let server = Server::with_files(&[("a.txt", &text(1))]);
    assert_eq!(server.connect().get("/a.txt", GZIP).field("Content-Encoding"), None);
    let server = serve(&[("a.txt", &text(1))], &["--cache-memory", "0"]);
    assert_eq!(server.connect().get("/a.txt", GZIP).body, text(1), "nor without memory to keep it in");
}

#[test]
fn head_has_the_length_of_the_compressed_text_before_the_first_get() {
    let server = serve(&[("a.txt", &text(1))], &[]);
    let mut client = server.connect();
    let head = client.head("/a.txt", GZIP);
    let get = client.get("/a.txt", GZIP);
    assert_eq!(head.field("Content-Length"), get.field("Content-Length"));
    assert_eq!(head.field("ETag"), get.field("ETag"));
    assert_eq!(head.field("Content-Encoding"), Some("gzip"));
}

#[test]
fn a_text_is_compressed_once_for_many_requests_at_the_same_time() {
    let big = text(1).repeat(50);
    let server = serve(&[("big.txt", &big), ("a.txt", &text(2))], &["--workers", "4"]);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let response = server.connect().get("/big.txt", GZIP);
                match response.field("Content-Encoding") {
                    Some(_) => assert!(unzipped(&response) == big),
                    None => assert!(response.body == big, "while it is made others get the original"),
                }
            });
        }
    });
    for _ in 0..5 {
        assert!(unzipped(&server.connect().get("/big.txt", GZIP)) == big);
        assert_eq!(unzipped(&server.connect().get("/a.txt", GZIP)), text(2));
    }
    has_compressed(&server, 2);
}

#[test]
fn clients_that_reject_identity_wait_for_the_compressed_text() {
    let big = text(1).repeat(100);
    let server = serve(&[("big.txt", &big)], &[]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let response = server.connect().get("/big.txt", "Accept-Encoding: gzip, identity;q=0\r\n");
                assert!(unzipped(&response) == big);
            });
        }
    });
    has_compressed(&server, 1);
}

#[test]
fn a_copy_in_either_form_is_not_sent_again_and_not_compressed_again() {
    let server = serve(&[("a.txt", &text(1))], &[]);
    let mut client = server.connect();
    let tag = |fields: &str| server.connect().get("/a.txt", fields).field("ETag").unwrap().to_owned();
    let (original, zipped) = (tag(""), tag(GZIP));
    for known in [&original, &zipped] {
        let response = client.get("/a.txt", &format!("{GZIP}If-None-Match: {known}\r\n"));
        assert_eq!((response.status, response.field("ETag")), (304, Some(known.as_str())));
        assert_eq!(response.field("Vary"), Some("Accept-Encoding"));
    }
    let response = client.get("/a.txt", &format!("If-None-Match: {zipped}\r\n"));
    assert_eq!((response.status, response.body), (200, text(1)), "the other form is no copy for one without gzip");
    // Another server with the same file has the same tag without compressing.
    let other = serve(&[("a.txt", &text(1))], &[]);
    assert_eq!(other.connect().get("/a.txt", &format!("{GZIP}If-None-Match: {zipped}\r\n")).status, 304);
    has_compressed(&other, 0);
}

#[test]
fn a_range_always_selects_from_the_original() {
    let server = serve(&[("a.txt", &text(1))], &[]);
    let mut client = server.connect();
    let zipped = client.get("/a.txt", GZIP).field("ETag").unwrap().to_owned();
    let part = client.get("/a.txt", &format!("{GZIP}Range: bytes=10-19\r\n"));
    assert_eq!((part.status, part.body.as_slice()), (206, &text(1)[10..20]));
    assert_eq!(part.field("Content-Encoding"), None);
    // Parts of the two forms are never mixed.
    let whole = client.get("/a.txt", &format!("{GZIP}Range: bytes=10-19\r\nIf-Range: {zipped}\r\n"));
    assert_eq!((whole.status, whole.body), (200, text(1)));
}

#[test]
fn incompressible_text_is_sent_unchanged_and_not_compressed_again() {
    let mut state = 7u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(40_000)
    .collect();
    let server = serve(&[("noise.txt", &noise), ("tiny.txt", &[b'a'; 1000]), ("a.png", &text(1))], &[]);
    let mut client = server.connect();
    for _ in 0..3 {
        let response = client.get("/noise.txt", GZIP);
        assert_eq!((response.field("Content-Encoding"), &response.body), (None, &noise));
    }
    has_compressed(&server, 1);
    for path in ["/tiny.txt", "/a.png"] {
        assert_eq!(client.get(path, GZIP).field("Content-Encoding"), None, "{path}");
    }
    has_compressed(&server, 1);
    assert_eq!(unzipped(&client.get("/noise.txt", "Accept-Encoding: gzip, identity;q=0\r\n")), noise);
}

#[test]
fn a_precompressed_file_wins() {
    let server = serve(&[("a.txt", &text(1)), ("a.txt.gz", b"ready"), ("b.txt", &text(2)), ("b.txt.br", b"br")], &[]);
    let mut client = server.connect();
    assert_eq!(client.get("/a.txt", GZIP).body, b"ready");
    let both = client.get("/b.txt", "Accept-Encoding: gzip, br;q=0.5\r\n");
    assert_eq!((both.field("Content-Encoding"), both.body.as_slice()), (Some("br"), &b"br"[..]));
    has_compressed(&server, 0);
    let server = serve(&[("a.txt", &text(1)), ("a.txt.gz", b"ready")], &["--no-precompressed"]);
    assert_eq!(unzipped(&server.connect().get("/a.txt", GZIP)), text(1));
}

#[test]
fn a_compressed_text_is_never_stale() {
    let server = serve(&[("a.txt", &text(0)), ("big.txt", &text(0).repeat(5))], &[]);
    let mut client = server.connect();
    let end = Instant::now() + WAIT_TIMEOUT;
    let mut zipped = 0;
    for number in 1.. {
        // Rewritten in place with the same length, in quick succession and with pauses.
        fs::write(server.path("a.txt"), text(number % 10)).unwrap();
        fs::write(server.path("big.txt"), text(number % 10).repeat(5)).unwrap();
        for _ in 0..3 {
            for (path, expected) in [("/a.txt", text(number % 10)), ("/big.txt", text(number % 10).repeat(5))] {
                let response = client.get(path, GZIP);
                zipped += usize::from(response.field("Content-Encoding").is_some());
                let content =
                    if response.field("Content-Encoding").is_some() { unzipped(&response) } else { response.body };
                assert!(content == expected, "{path} after change {number}");
            }
            if number % 5 == 0 {
                std::thread::sleep(Duration::from_millis(45));
            }
        }
        if number >= 25 || Instant::now() > end {
            break;
        }
    }
    assert!(zipped > 75, "only {zipped} answers were compressed");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = serve(&[("a.txt", &text(1)), ("b.txt", &text(2))], &[]);
    let mut client = server.connect();
    client.send(
        format!("GET /a.txt HTTP/1.1\r\nHost: h\r\n{GZIP}\r\nGET /b.txt HTTP/1.1\r\nHost: h\r\n{GZIP}\r\n").repeat(2),
    );
    for expected in [text(1), text(2), text(1), text(2)] {
        assert_eq!(unzipped(&client.response()), expected);
    }
}

#[test]
fn it_works_with_a_single_worker() {
    let server = serve(&[("a.txt", &text(1))], &["--workers", "1"]);
    for _ in 0..3 {
        assert_eq!(unzipped(&server.connect().get("/a.txt", GZIP)), text(1));
    }
}
