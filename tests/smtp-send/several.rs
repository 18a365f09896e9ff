//! Several messages over one connection, a connection that ends in between, and further tries.

use std::fs;

use tempfile::TempDir;
use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, run, send};

/// A folder with `count` ready messages, and the arguments that send them.
fn letters(server: &Server, count: usize) -> (TempDir, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut args = vec!["--server".to_owned(), server.address().to_string(), "--eml".to_owned()];
    for number in 0..count {
        let path = folder.path().join(format!("{number}.eml"));
        let text = format!("From: me@example.org\nTo: to{number}@example.com\nSubject: {number}\n\nMessage {number}\n");
        fs::write(&path, text).unwrap();
        args.push(path.display().to_string());
    }
    (folder, args)
}

fn send_letters(args: &[String], more: &[&str]) -> testkit::process::Finished {
    let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    run(&args, b"")
}

#[test]
fn messages_follow_each_other_over_one_connection() {
    for extensions in [&["PIPELINING"][..], &[], &["PIPELINING", "CHUNKING"], &["CHUNKING"]] {
        let server = Server::start(Script::default().extensions(extensions));
        let (_folder, args) = letters(&server, 20);
        let finished = send_letters(&args, &[]);
        assert_sent(&finished);
        let mails = server.mails();
        for (number, mail) in mails.iter().enumerate() {
            assert_eq!(mail.to, [format!("<to{number}@example.com>")]);
            assert!(mail.message.ends_with(format!("Message {number}\r\n").as_bytes()), "{mail:?}");
        }
        assert_eq!((mails.len(), finished.stdout.lines().count()), (20, 20));
        assert!(server.commands().iter().all(|command| command.connection == 0));
    }
}

#[test]
fn one_refused_message_does_not_stop_the_others() {
    for (step, at) in [("MAIL", 2), ("RCPT", 2), ("DATA", 2), ("MESSAGE", 2)] {
        let refusal = Behaviour::Reply("550 5.7.1 Not this one".into());
        let server = Server::start(Script::default().at(step, at, refusal));
        let (_folder, args) = letters(&server, 3);
        let finished = send_letters(&args, &[]);
        assert_fails(&finished, 69, &["1 of 3 messages failed", "550 5.7.1 Not this one"]);
        let accepted = finished.stdout.lines().filter(|line| line.contains("accepted")).count();
        assert_eq!((accepted, finished.stdout.lines().count()), (2, 3), "{step}: {finished:?}");
    }
}

#[test]
fn a_server_that_ends_the_session_between_messages_is_connected_to_again() {
    for behaviour in [Behaviour::ReplyAndClose("421 4.7.0 That was enough".into()), Behaviour::Close] {
        let server = Server::start(Script::default().extensions(&["SIZE"]).at("MAIL", 3, behaviour));
        let (_folder, args) = letters(&server, 5);
        assert_sent(&send_letters(&args, &[]));
        let mut to: Vec<String> = server.mails().into_iter().flat_map(|mail| mail.to).collect();
        to.sort();
        let expected: Vec<String> = (0..5).map(|number| format!("<to{number}@example.com>")).collect();
        assert_eq!(to, expected, "each of them once");
    }
}

#[test]
fn a_message_whose_answer_is_lost_is_unknown_and_never_sent_twice() {
    let server = Server::start(Script::default().at("MESSAGE", 3, Behaviour::Close));
    let (_folder, args) = letters(&server, 4);
    let finished = send_letters(&args, &["--retry", "1"]);
    assert_fails(&finished, 75, &["1 of 4 messages failed", "may have been delivered"]);
    assert_eq!(finished.stdout.lines().filter(|line| line.contains("accepted")).count(), 3, "{finished:?}");
    let twice = server.mails().iter().filter(|mail| mail.to == ["<to2@example.com>"]).count();
    assert_eq!((twice, server.mails().len()), (1, 4));
}

#[test]
fn what_fails_for_now_is_tried_again() {
    let busy = Behaviour::Reply("451 4.3.0 Busy".into());
    let server = Server::start(Script::default().at("CONNECT", 0, busy));
    let finished = send(&server, &["--retry", "1"], b"x\n");
    assert_eq!(finished.code(), 75, "{finished:?}");
    let lines: Vec<_> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{finished:?}");
    assert!(lines[0].contains("trying again in ") && lines[1].contains("451 4.3.0 Busy"), "{finished:?}");
    let connections: Vec<_> = server.commands().iter().map(|command| command.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn only_the_recipients_that_were_refused_for_now_are_tried_again() {
    let (listed, gone) = ("450 4.7.1 Greylisted".to_owned(), "550 5.1.1 Gone".to_owned());
    let script = Script::default().at("RCPT", 2, Behaviour::Reply(listed)).at("RCPT", 3, Behaviour::Reply(gone));
    let server = Server::start(script);
    let address = server.address().to_string();
    let args =
        ["--server", &address, "--from", "me@example.org", "--to", "a@example.com, b@example.com, c@example.com"];
    let finished = run(&[&args[..], &["--retry", "1"]].concat(), b"x\n");
    assert_eq!(finished.code(), 67, "{finished:?}");
    let to: Vec<_> = server.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["<a@example.com>"], ["<b@example.com>"]]);
    let outcomes: Vec<_> = finished.stdout.lines().map(|line| line.split([' ', ',']).nth(1).unwrap()).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "refused"]);
}

#[test]
fn a_permanent_refusal_is_not_retried() {
    let server = Server::start(Script::default().reply("RCPT", "550 5.1.1 Gone"));
    assert_fails(&send(&server, &["--retry", "5"], b"x\n"), 67, &["550 5.1.1 Gone"]);
    assert!(server.commands().iter().all(|command| command.connection == 0));
}

#[test]
fn no_further_try_begins_beyond_the_time_that_is_allowed() {
    let server = Server::start(Script::default().reply("CONNECT", "451 4.3.0 Busy"));
    let finished = send(&server, &["--retry", "9", "--max-time", "0.5"], b"x\n");
    assert_fails(&finished, 75, &["451 4.3.0 Busy"]);
}

#[test]
fn each_message_has_its_own_json_object() {
    let server = Server::start(Script::default());
    let (_folder, args) = letters(&server, 3);
    let finished = send_letters(&args, &["--json"]);
    assert_eq!(finished.stdout.lines().count(), 3);
    for (number, line) in finished.stdout.lines().enumerate() {
        assert!(line.contains(&format!("{number}.eml\"")) && line.contains("\"status\":\"accepted\""), "{line}");
    }
}
