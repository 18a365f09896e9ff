//! No stale bytes: every response is the file as it was at some moment after the request was sent.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testkit::process::WAIT_TIMEOUT;

use crate::fixture::Server;

/// The number of a version, of which the file consists; `None` for other content.
fn version(body: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(body).ok()?.lines().next()?;
    (body == content(line.parse().ok()?).as_bytes()).then(|| line.parse().ok())?
}

/// Each version has a different length, below the limit of the cache.
fn content(version: u64) -> String {
    format!("{version:010}\n").repeat(20 + usize::try_from(version % 50).unwrap())
}

/// The content of one response: a whole version, an empty file, or no file.
fn shown(response: &testkit::http::Response) -> Option<u64> {
    match (response.status, response.body.as_slice()) {
        (404, _) | (200, b"") => None,
        (200, body) => Some(version(body).expect("an answer is one version, whole")),
        other => panic!("{other:?}"),
    }
}

/// Changes the file as fast as possible while four clients read it, and compares responses with versions.
///
/// `replace` may leave the file empty or missing for a moment when `may_be_absent`; a version never comes back.
fn is_always_fresh(may_be_absent: bool, replace: impl Fn(&Server, u64) + Sync) {
    let server = Server::with_files(&[("sub/f", content(0).as_bytes())]);
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let answers = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + WAIT_TIMEOUT;
            for number in 1.. {
                // A busy machine needs more time for enough changes.
                if Instant::now() > end || (number > 60 && answers.load(Ordering::Relaxed) > 500) {
                    break;
                }
                replace(&server, number);
                written.store(number, Ordering::SeqCst);
                // Some versions follow each other at once, others last long enough to be cached.
                if number % 4 == 0 {
                    std::thread::sleep(Duration::from_millis(number % 60));
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        for number in 0..4 {
            let (server, written, answers, done) = (&server, &written, &answers, &done);
            scope.spawn(move || {
                let mut client = server.connect();
                while !done.load(Ordering::SeqCst) {
                    // One client reconnects each time, one pipelines two requests.
                    if number == 2 {
                        client = server.connect();
                    }
                    let requests = if number == 3 { 2 } else { 1 };
                    let before: Vec<u64> = (0..requests)
                        .map(|_| {
                            let before = written.load(Ordering::SeqCst);
                            client.send("GET /sub/f HTTP/1.1\r\nHost: h\r\n\r\n");
                            before
                        })
                        .collect();
                    for before in before {
                        match shown(&client.response()) {
                            Some(got) => assert!(got >= before, "version {got} after version {before} was complete"),
                            // A link can replace the first folder only after its removal.
                            None => assert!(may_be_absent || before == 0, "the file was there all the time"),
                        }
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let last = written.load(Ordering::SeqCst);
    assert_eq!(version(&server.get("/sub/f").body), Some(last));
    assert!(last >= 60 && answers.load(Ordering::Relaxed) > 500, "too little happened to show anything");
}

#[test]
fn a_file_that_is_renamed_over_is_never_stale() {
    is_always_fresh(false, |server, number| {
        fs::write(server.path("sub/new"), content(number)).unwrap();
        fs::rename(server.path("sub/new"), server.path("sub/f")).unwrap();
    });
}

#[test]
fn a_file_that_is_deleted_and_created_again_is_never_stale() {
    is_always_fresh(true, |server, number| {
        fs::remove_file(server.path("sub/f")).unwrap();
        fs::write(server.path("sub/new"), content(number)).unwrap();
        fs::rename(server.path("sub/new"), server.path("sub/f")).unwrap();
    });
}

#[test]
fn a_file_that_is_truncated_and_rewritten_in_place_is_never_stale() {
    // One write of less than a page, so that a reader sees it empty or whole.
    is_always_fresh(true, |server, number| {
        let mut file = fs::File::options().write(true).open(server.path("sub/f")).unwrap();
        file.set_len(0).unwrap();
        std::io::Write::write_all(&mut file, content(number).as_bytes()).unwrap();
    });
}

#[test]
fn a_folder_that_is_swapped_is_never_stale() {
    is_always_fresh(false, |server, number| {
        let next = format!("v{number}");
        fs::create_dir(server.path(&next)).unwrap();
        fs::write(server.path(&format!("{next}/f")), content(number)).unwrap();
        std::os::unix::fs::symlink(&next, server.path("link")).unwrap();
        if number == 1 {
            fs::rename(server.path("sub"), server.path("v0")).unwrap();
        }
        // From the second version on, `sub` is a link that moves from folder to folder.
        fs::rename(server.path("link"), server.path("sub")).unwrap();
    });
}

#[test]
fn a_file_rewritten_in_place_at_the_same_length_is_seen_at_once() {
    let server = Server::with_files(&[("f", b"0000")]);
    let mut client = server.connect();
    for number in 1..=300 {
        let text = format!("{number:04}");
        fs::write(server.path("f"), &text).unwrap();
        assert_eq!(client.get("/f", "").text(), text);
        assert_eq!(client.get("/f", "").text(), text);
        if number % 50 == 0 {
            // Long enough for reliable time stamps, so that the cache answers.
            std::thread::sleep(Duration::from_millis(60));
            assert_eq!(client.get("/f", "").text(), text);
            assert_eq!(client.get("/f", "").text(), text);
        }
    }
}

#[test]
fn a_deleted_file_is_gone_with_the_next_request() {
    let server = Server::with_files(&[("f", b"here")]);
    let mut client = server.connect();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(client.get("/f", "").text(), "here");
    assert_eq!(client.get("/f", "").text(), "here");
    fs::remove_file(server.path("f")).unwrap();
    assert_eq!(client.get("/f", "").status, 404);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let size = 64 << 20;
    let server = Server::with_files(&[("f", b"")]);
    fs::File::create(server.path("f")).unwrap().set_len(size).unwrap();
    let mut client = server.connect();
    client.send("GET /f HTTP/1.1\r\nHost: h\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    fs::File::options().write(true).open(server.path("f")).unwrap().set_len(100).unwrap();
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.response()));
    assert!(broken.is_err(), "a complete answer of a file that was cut");
    assert_eq!(server.get("/f").body.len(), 100, "the server lives on");
}

#[test]
fn a_file_that_grows_while_it_is_sent_has_the_announced_length() {
    let server = Server::with_files(&[("f", &vec![b'x'; 8 << 20])]);
    let mut client = server.connect();
    client.send("GET /f HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut file = fs::File::options().append(true).open(server.path("f")).unwrap();
    std::io::Write::write_all(&mut file, &[b'y'; 1000]).unwrap();
    let body = client.response().body;
    assert!(body.len() == 8 << 20 || body.len() == (8 << 20) + 1000, "{}", body.len());
    assert_eq!(client.get("/f", "Range: bytes=-1\r\n").text(), "y");
}
