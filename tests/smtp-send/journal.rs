//! A stopped run continues, and no message is sent twice.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use testkit::process::{Finished, Running, free_port};
use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, run, smtp_send};

/// Letters, and what sends them with a journal.
struct Run {
    folder: TempDir,
    address: String,
}

impl Run {
    fn new(count: usize, address: SocketAddr) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("letters")).unwrap();
        for number in 0..count {
            let text = format!("From: me@example.org\nTo: to{number}@example.com\n\nMessage {number}\n");
            fs::write(folder.path().join(format!("letters/{number:04}.eml")), text).unwrap();
        }
        Self { folder, address: address.to_string() }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let (letters, journal) = (self.folder.path().join("letters"), self.journal());
        let (letters, journal) = (letters.to_str().unwrap(), journal.to_str().unwrap());
        let args = ["--server", &self.address, "--eml", letters, "--journal", journal];
        args.iter().chain(more).map(|&argument| argument.to_owned()).collect()
    }

    fn send(&self, more: &[&str]) -> Finished {
        let args = self.args(more);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>(), b"")
    }
}

/// How often each recipient has got a message.
type Counted = Arc<Mutex<HashMap<String, usize>>>;

/// A server that counts messages and holds its reply after message `stop` until released.
fn counting(stop: usize) -> (Server, Counted, Receiver<()>, mpsc::Sender<()>) {
    let counted = Counted::default();
    let ((reached, is_reached), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let (count, may_go) = (Arc::clone(&counted), Mutex::new(may_go));
    let server = Server::observed("127.0.0.1:0".parse().unwrap(), Script::default(), move |mail| {
        let all = {
            let mut count = count.lock().unwrap();
            *count.entry(mail.to[0].clone()).or_default() += 1;
            count.values().sum::<usize>()
        };
        if all == stop {
            let _ = reached.send(());
            let _ = may_go.lock().unwrap().recv();
        }
    });
    (server.unwrap(), counted, is_reached, go)
}

#[test]
fn a_run_that_was_killed_continues_and_sends_no_message_twice() {
    const ALL: usize = 300;
    for connections in ["1", "4"] {
        let (server, counted, is_reached, go) = counting(100);
        let order = Run::new(ALL, server.address());
        let running = Running::start(smtp_send(&[]).args(order.args(&["--connections", connections])));
        is_reached.recv().unwrap();
        running.signal(Signal::SIGKILL);
        drop(running);
        go.send(()).unwrap();
        let finished = order.send(&["--connections", connections]);
        let window: usize = connections.parse().unwrap();
        let (missing, twice) = {
            let counted = counted.lock().unwrap();
            (ALL - counted.len(), counted.values().filter(|count| **count > 1).count())
        };
        assert_eq!(twice, 0, "no recipient gets it twice");
        assert!(missing < window, "{missing} of {ALL} are missing");
        assert_eq!(finished.code(), 75, "the message without a reply is reported: {finished:?}");
        assert!(finished.stderr.contains("possible duplicates, not sent again"), "{finished:?}");
        let again = order.send(&["--resend-unknown"]);
        assert_eq!(again.code(), 0, "{again:?}");
        let counted = counted.lock().unwrap();
        assert_eq!(counted.len(), ALL);
        assert!(counted.values().sum::<usize>() <= ALL + window, "only those in the window are sent again");
    }
}

#[test]
fn a_run_that_is_done_has_nothing_to_do() {
    let server = Server::start(Script::default());
    let order = Run::new(10, server.address());
    assert_sent(&order.send(&[]));
    let again = order.send(&[]);
    assert_eq!((again.code(), again.stdout.as_str()), (0, ""), "{again:?}");
    assert!(again.stderr.contains("10 of 10 messages are done"), "{again:?}");
    assert_eq!(server.mails().len(), 10);
}

#[test]
fn what_was_refused_for_now_or_not_sent_is_sent_when_the_run_goes_on() {
    let unreachable = Run::new(5, ([127, 0, 0, 1], free_port()).into());
    assert_eq!(unreachable.send(&[]).code(), 75);
    let busy = Behaviour::Reply("450 4.7.1 Greylisted".into());
    let gone = Behaviour::Reply("550 5.1.1 Gone".into());
    let server = Server::start(Script::default().at("RCPT", 2, busy).at("RCPT", 4, gone));
    let order = Run::new(5, server.address());
    assert_eq!(order.send(&[]).code(), 67);
    assert_sent_with_notice(&order.send(&[]));
    let to: Vec<_> = server.mails().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, [0, 2, 4, 1].map(|number| format!("<to{number}@example.com>")));
}

#[track_caller]
fn assert_sent_with_notice(finished: &Finished) {
    assert_eq!((finished.code(), finished.stderr.lines().count()), (0, 1), "{finished:?}");
}

#[test]
fn only_the_recipients_that_are_open_get_the_message_when_the_run_goes_on() {
    let busy = Behaviour::Reply("450 4.7.1 Greylisted".into());
    let server = Server::start(Script::default().at("RCPT", 2, busy));
    let order = Run::new(1, server.address());
    let text = "From: me@example.org\nTo: a@example.com, b@example.com, c@example.com\n\nx\n";
    fs::write(order.folder.path().join("letters/0000.eml"), text).unwrap();
    assert_eq!(order.send(&[]).code(), 75);
    let again = order.send(&[]);
    assert_eq!((again.code(), again.stdout.lines().count()), (0, 1), "{again:?}");
    assert!(again.stdout.starts_with("b@example.com: accepted"), "{again:?}");
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [vec!["<a@example.com>", "<c@example.com>"], vec!["<b@example.com>"]]);
}

#[test]
fn a_journal_of_another_run_is_refused_with_words() {
    let server = Server::start(Script::default());
    let order = Run::new(3, server.address());
    assert_sent(&order.send(&[]));
    let letter = order.folder.path().join("letters/0002.eml");
    let text = fs::read_to_string(&letter).unwrap();
    fs::write(&letter, text.replace("Message", "Other")).unwrap();
    assert_fails(&order.send(&[]), 78, &["journal", "other messages"]);
    fs::write(&letter, text).unwrap();
    assert_eq!(order.send(&[]).code(), 0, "the same again");
    assert_fails(&order.send(&["--to", "x@example.com"]), 78, &["other messages or recipients"]);
    fs::remove_file(letter).unwrap();
    assert_fails(&order.send(&[]), 78, &["a run with 3 messages, and this one has 2"]);
    let other = Run { folder: order.folder, address: "127.0.0.1:9".into() };
    assert_fails(&other.send(&[]), 78, &["it belongs to a run to 127.0.0.1:"]);
    fs::write(other.journal(), "something else\n").unwrap();
    assert_fails(&other.send(&[]), 78, &["not the journal of a run"]);
    assert_eq!(fs::read_to_string(other.journal()).unwrap(), "something else\n", "it stays as it was");
}

#[test]
fn a_last_line_that_was_cut_off_is_dropped_and_damage_is_reported() {
    let server = Server::start(Script::default());
    let order = Run::new(3, server.address());
    assert_sent(&order.send(&[]));
    let whole = fs::read_to_string(order.journal()).unwrap();
    for end in ["lea", "ended 1 ", "\0\0\0\0"] {
        OpenOptions::new().append(true).open(order.journal()).unwrap().write_all(end.as_bytes()).unwrap();
        let again = order.send(&[]);
        assert!(again.code() == 0 && again.stderr.contains("incomplete last line"), "{again:?}");
        assert_eq!(fs::read_to_string(order.journal()).unwrap(), whole);
    }
    fs::write(order.journal(), whole.replace("ended 1 a", "ended 1 z")).unwrap();
    assert_fails(&order.send(&[]), 78, &["line", "damaged"]);
    fs::write(order.journal(), &whole[..30]).unwrap();
    assert_eq!(order.send(&[]).code(), 0, "a run that was stopped at once had sent nothing");
    assert_eq!(server.mails().len(), 6);
}

#[test]
fn two_runs_cannot_use_one_journal() {
    let (server, _, is_reached, go) = counting(1);
    let order = Run::new(2, server.address());
    let running = Running::start(smtp_send(&[]).args(order.args(&[])));
    is_reached.recv().unwrap();
    assert_fails(&order.send(&[]), 75, &["another run is using it"]);
    go.send(()).unwrap();
    assert_sent(&running.finish());
}

#[test]
fn a_journal_that_cannot_be_written_keeps_messages_from_leaving() {
    let server = Server::start(Script::default());
    let order = Run::new(2, server.address());
    let args = order.args(&[]).iter().map(|argument| argument.replace("/journal", "/full")).collect::<Vec<_>>();
    std::os::unix::fs::symlink("/dev/full", order.folder.path().join("full")).unwrap();
    assert_fails(&run(&args.iter().map(String::as_str).collect::<Vec<_>>(), b""), 78, &["not a regular file"]);
    assert!(server.mails().is_empty());
}

#[test]
fn a_journal_is_for_many_messages_that_can_be_read_again() {
    let server = Server::start(Script::default());
    let address = server.address().to_string();
    let args = ["--server", &address, "--journal", "/tmp/unused-journal"];
    assert_fails(&run(&[&args[..], &["--to", "a@example.com"]].concat(), b"x\n"), 64, &["--journal", "--eml"]);
    let text = b"From: a@example.com\nTo: b@example.com\n\nx\n";
    assert_fails(&run(&[&args[..], &["--eml", "-"]].concat(), text), 64, &["--journal", "standard input"]);
}
