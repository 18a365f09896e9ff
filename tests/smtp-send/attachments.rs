//! Files that go with the message.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use testkit::golden;
use testkit::process::finish;
use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, run, send, smtp_send};

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_message_with_attachments_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let png = file(&folder, "Übersicht 2026.png", &(0..=255).collect::<Vec<u8>>());
    let log = file(&folder, "a.log", b"line\n");
    let args = ["--dry-run", "--from", "me@example.org", "--to", "bob@example.com", "-s", "Files", "--header"];
    let args = [&args[..], &["Date: Thu, 1 Jan 1970 00:00:00 +0000", "--attach", &png]].concat();
    let finished =
        run(&[&args[..], &["--attach", &format!("{log};type=text/x-log;name=b.txt")]].concat(), "Grüße\n".as_bytes());
    assert_sent(&finished);
    let boundary = finished.stdout.split('"').nth(1).expect("a boundary").to_owned();
    let id = finished.stdout.lines().find(|line| line.starts_with("Message-ID: ")).expect("an id").to_owned();
    let message = finished.stdout.replace(&boundary, "=_BOUNDARY").replace(&id, "Message-ID: ID");
    golden::compare("smtp-send/attachments.eml", &message);
}

#[test]
fn the_announced_size_is_exact_with_attachments() {
    let folder = TempDir::new().unwrap();
    let big = file(&folder, "big.bin", &vec![0xa5; 1_000_001]);
    for text in [&b"x\n"[..], b"", "ü".as_bytes()] {
        let server = Server::start(Script::default());
        assert_sent(&send(&server, &["--attach", &big, "--attach", &big], text));
        let mail = server.mail();
        assert!(mail.from.contains(&format!("SIZE={}", mail.message.len())), "{} {}", mail.from, mail.message.len());
    }
}

#[test]
fn a_message_too_large_by_its_attachment_is_never_started() {
    let folder = TempDir::new().unwrap();
    let big = file(&folder, "big.bin", &[1; 10_000]);
    let server = Server::start(Script::default().extensions(&["SIZE 10000"]));
    assert_fails(&send(&server, &["--attach", &big], b""), 69, &["at most 10000"]);
    assert!(!server.lines().iter().any(|line| line.starts_with("MAIL")));
}

#[test]
fn standard_input_can_be_attached() {
    let server = Server::start(Script::default());
    assert_sent(&send(&server, &["--body", "see below", "--attach", "-;name=report.csv"], b"a,b\n"));
    let message = String::from_utf8(server.mail().message).unwrap();
    assert!(message.contains("filename=\"report.csv\"") && message.contains("\r\nYSxiCg==\r\n"), "{message}");
}

#[test]
fn a_file_that_grows_during_the_upload_is_not_completed_and_may_be_sent_later() {
    let folder = TempDir::new().unwrap();
    let log = file(&folder, "growing.log", b"start\n");
    // Long enough for the file to grow between its opening and its upload.
    let slowly = Behaviour::Drip("354 Go on".into(), Duration::from_millis(30));
    let server = Server::start(Script::default().at("DATA", 1, slowly));
    let done = AtomicBool::new(false);
    let finished = thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
            while !done.load(Ordering::SeqCst) {
                file.write_all(b"more\n").unwrap();
                thread::sleep(Duration::from_millis(5));
            }
        });
        let finished = send(&server, &["--attach", &log, "--body", "x"], b"");
        done.store(true, Ordering::SeqCst);
        finished
    });
    assert_fails(&finished, 75, &["send the message: growing.log changed its size"]);
    assert_eq!(server.mails(), []);
}

#[test]
fn a_temporary_folder_that_takes_nothing_is_not_blamed_on_the_text() {
    let folder = TempDir::new().unwrap();
    let gone = folder.path().join("gone");
    let large = b"0123456789\n".repeat(200_000);
    let server = Server::start(Script::default());
    let address = server.address().to_string();
    for args in [&["--body-file", "-"][..], &["--body", "x", "--attach", "-"]] {
        let mut command = smtp_send(&[&["--server", &address, "--to", "bob@example.com"], args].concat());
        let finished = finish(command.env("TMPDIR", &gone), &large);
        assert_fails(&finished, 75, &[&format!("keep standard input in {}: No such file", gone.display())]);
    }
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_attached_is_found_before_anything_is_sent() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let server = Server::start(Script::default());
    for (path, why) in [(missing.as_path(), "No such file"), (folder.path(), "not a regular"), (&pipe, "not a regular")]
    {
        let path: &Path = path;
        assert_fails(&send(&server, &["--attach", path.to_str().unwrap()], b""), 66, &["attach", why]);
    }
    assert_fails(&send(&server, &["--attach", "-"], b""), 64, &["--attach -", "--body"]);
    assert_fails(&send(&server, &["--attach", "x;type=wrong"], b""), 64, &["--attach", "image/png"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}
