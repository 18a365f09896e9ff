//! Many messages: folders and mailbox files, several connections, a rate, the table of results.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::process::Finished;
use testkit::smtp::{Behaviour, Mail, Script, Server};

use crate::support::{assert_fails, assert_sent, run};

fn letter(number: usize) -> String {
    format!("From: me@example.org\nTo: to{number}@example.com\nSubject: {number}\n\nMessage {number}\n")
}

/// A folder with `count` letters whose names are in the order of their numbers.
fn folder(count: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    for number in 0..count {
        fs::write(folder.path().join(format!("{number:04}.eml")), letter(number)).unwrap();
    }
    folder
}

fn send(server: &Server, path: &Path, more: &[&str]) -> Finished {
    let (address, path) = (server.address().to_string(), path.to_str().unwrap().to_owned());
    run(&[&["--server", &address, "--eml", &path], more].concat(), b"")
}

fn recipients(mails: &[Mail]) -> Vec<String> {
    mails.iter().flat_map(|mail| mail.to.clone()).collect()
}

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("<to{number}@example.com>")).collect()
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_folder_sends_its_messages_in_order() {
    let server = Server::start(Script::default());
    let folder = folder(12);
    write(folder.path(), "notes.txt", "no message");
    write(folder.path(), ".hidden.eml", "no message");
    fs::create_dir(folder.path().join("old.eml")).unwrap();
    assert_sent(&send(&server, folder.path(), &[]));
    assert_eq!(recipients(&server.mails()), expected(12));
}

#[test]
fn a_maildir_sends_new_and_seen_messages() {
    let server = Server::start(Script::default());
    let maildir = TempDir::new().unwrap();
    for part in ["cur", "new", "tmp"] {
        fs::create_dir(maildir.path().join(part)).unwrap();
    }
    write(&maildir.path().join("cur"), "1.host:2,S", letter(0));
    write(&maildir.path().join("new"), "2.host", letter(1));
    write(&maildir.path().join("cur"), "3.host:2,", letter(2));
    write(&maildir.path().join("tmp"), "4.host", letter(3));
    assert_sent(&send(&server, maildir.path(), &[]));
    assert_eq!(recipients(&server.mails()), expected(3));
}

#[test]
fn a_mailbox_file_is_sent_message_by_message_and_what_was_quoted_is_as_it_was() {
    let server = Server::start(Script::default());
    let folder = TempDir::new().unwrap();
    let mut text = String::new();
    for number in 0..3 {
        let quoted = "\n>From here\n>>From there\nFrom now on\n";
        let from = format!("From me@example.org Wed Nov 25 12:00:0{number} 2026\nContent-Length: 1\n");
        text.extend([from.as_str(), &letter(number), quoted, "\n"]);
    }
    let path = write(folder.path(), "mail.mbox", &text);
    let finished = send(&server, &path, &[]);
    assert_sent(&finished);
    let mails = server.mails();
    assert_eq!(recipients(&mails), expected(3));
    for (number, mail) in mails.iter().enumerate() {
        let body = format!("Message {number}\r\n\r\nFrom here\r\n>From there\r\nFrom now on\r\n");
        let message = String::from_utf8(mail.message.clone()).unwrap();
        assert!(message.starts_with("From: ") && message.ends_with(&body), "{message}");
    }
    assert!(finished.stdout.contains("mail.mbox message 3: to2@example.com: accepted"), "{finished:?}");
}

#[test]
fn a_mailbox_file_with_unusual_dates_is_sent_message_by_message_and_a_doubtful_one_not_at_all() {
    let server = Server::start(Script::default());
    let folder = TempDir::new().unwrap();
    let text = format!("From a@b 2026-11-25 12:00\n{}\nFrom MAILER-DAEMON\n{}", letter(0), letter(1));
    assert_sent(&send(&server, &write(folder.path(), "mail.mbox", &text), &[]));
    assert_eq!(recipients(&server.mails()), expected(2));
    let doubtful = format!("From a@b 2026-11-25 12:00\n{}\nFrom now on\nNote: x\n", letter(0));
    let finished = send(&server, &write(folder.path(), "doubtful.mbox", &doubtful), &[]);
    assert_fails(&finished, 66, &["doubtful.mbox", "line ", "begins with 'From '"]);
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn a_letter_with_the_line_of_a_mailbox_file_is_one_message() {
    let server = Server::start(Script::default());
    let folder = TempDir::new().unwrap();
    let line = "From me@example.org Wed Nov 25 12:00:00 2026\n";
    let path = write(folder.path(), "dead.eml", format!("{line}{}\n{line}>From x\n", letter(0)));
    assert_sent(&send(&server, &path, &[]));
    let message = String::from_utf8(server.mail().message).unwrap();
    assert!(message.ends_with("2026\r\n>From x\r\n") && message.starts_with("From: me"), "{message}");
}

#[test]
fn what_cannot_be_sent_stops_everything_or_is_left_out() {
    let server = Server::start(Script::default());
    let folder = folder(4);
    write(
        folder.path(),
        "0001.eml",
        "From: me@example.org\n\nwithout recipient
",
    );
    assert_fails(&send(&server, folder.path(), &[]), 65, &["0001.eml", "no recipient"]);
    assert_eq!(server.lines(), Vec::<String>::new());
    let finished = send(&server, folder.path(), &["--keep-going"]);
    assert_eq!((finished.code(), server.mails().len()), (65, 3), "{finished:?}");
    assert!(finished.stderr.contains("left out: read") && finished.stderr.contains("1 messages were left out"));
}

#[test]
fn several_connections_share_the_messages_and_each_goes_once() {
    let server = Server::start(Script::default());
    let folder = folder(200);
    let finished = send(&server, folder.path(), &["--connections", "4"]);
    assert_sent(&finished);
    let to = recipients(&server.mails());
    assert_eq!(to.len(), 200);
    assert_eq!(to.into_iter().collect::<HashSet<_>>(), expected(200).into_iter().collect());
    let connections: HashSet<_> = server.commands().iter().map(|command| command.connection).collect();
    assert!(connections.len() > 1, "{connections:?}");
    for (number, _) in expected(200).iter().enumerate() {
        let line = format!("{number:04}.eml: to{number}@example.com: accepted");
        assert_eq!(finished.stdout.matches(&line).count(), 1, "{line}");
    }
}

#[test]
fn a_server_that_takes_few_messages_or_connections_gets_all_of_them() {
    let enough = Behaviour::ReplyAndClose("421 4.7.0 That was enough".into());
    let server = Server::start(Script::default().at("MAIL", 6, enough));
    let folder = folder(40);
    assert_sent(&send(&server, folder.path(), &["--connections", "3"]));
    let to = recipients(&server.mails());
    assert_eq!((to.len(), to.into_iter().collect::<HashSet<_>>().len()), (40, 40));
}

#[test]
fn no_more_messages_go_over_a_connection_than_the_server_allows() {
    for extensions in [&["PIPELINING", "LIMITS RCPTMAX=100 MAILMAX=3"][..], &["LIMITS MAILMAX=3"]] {
        let server = Server::start(Script::default().extensions(extensions));
        let folder = folder(10);
        assert_sent(&send(&server, folder.path(), &[]));
        assert_eq!(recipients(&server.mails()), expected(10));
        let mut counts = vec![0; 4];
        for command in server.commands().iter().filter(|command| command.line.starts_with("MAIL")) {
            counts[command.connection] += 1;
        }
        assert_eq!(counts, [3, 3, 3, 1]);
    }
}

#[test]
fn a_message_that_breaks_connections_does_not_stop_the_others() {
    for connections in ["1", "3"] {
        let server = Server::start(Script::default().close_on("<to1@example.com>"));
        let folder = folder(5);
        let finished = send(&server, folder.path(), &["--connections", connections]);
        assert_fails(&finished, 75, &["1 of 5 messages failed", "closed the connection"]);
        let to: HashSet<_> = recipients(&server.mails()).into_iter().collect();
        assert_eq!((to.len(), to.contains("<to1@example.com>")), (4, false));
    }
}

#[test]
fn a_server_that_accepts_no_recipient_gets_one_connection_only() {
    let server = Server::start(Script::default().reply("CONNECT", "554 5.7.1 Go away"));
    let folder = folder(20);
    let finished = send(&server, folder.path(), &["--connections", "5"]);
    assert_fails(&finished, 69, &["20 of 20 messages failed", "Go away"]);
    let connections: HashSet<_> = server.commands().iter().map(|command| command.connection).collect();
    assert_eq!(connections.len(), 1);
}

#[test]
fn no_more_messages_leave_than_the_rate_allows() {
    let server = Server::start(Script::default());
    let folder = folder(5);
    let start = Instant::now();
    assert_sent(&send(&server, folder.path(), &["--rate", "20/s", "--connections", "3"]));
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!(server.mails().len(), 5);
    assert_fails(&send(&server, folder.path(), &["--rate", "many"]), 64, &["--rate"]);
}

#[test]
fn each_refusal_for_now_has_its_own_time_for_another_try() {
    let listed = Behaviour::Reply("450 4.7.1 Greylisted".into());
    let server = Server::start(Script::default().at("RCPT", 2, listed));
    let folder = folder(3);
    let finished = send(&server, folder.path(), &["--retry", "3"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("1 messages were refused temporarily; trying again in"), "{finished:?}");
    assert_eq!(recipients(&server.mails()), ["<to0@example.com>", "<to2@example.com>", "<to1@example.com>"]);
}

#[test]
fn no_further_try_begins_behind_its_time() {
    let server = Server::start(Script::default().reply("RCPT", "450 4.7.1 Greylisted"));
    let folder = folder(2);
    let finished = send(&server, folder.path(), &["--retry-max-time", "0.2"]);
    assert_fails(&finished, 75, &["2 of 2 messages failed", "Greylisted"]);
}

#[test]
fn a_rate_slower_than_the_server_timeout_delays_no_report() {
    // The end of a message would wait for the next one, if the two were to leave together.
    let server = Server::start(Script::default());
    let folder = folder(2);
    let finished = send(&server, folder.path(), &["--rate", "2/s", "-v"]);
    assert_eq!((finished.code(), server.mails().len()), (0, 2), "{finished:?}");
    let first = finished.stderr.find("queued as").or(finished.stderr.find("<- 250 2.0.0")).unwrap();
    let second = finished.stderr.rfind("-> MAIL FROM").unwrap();
    assert!(first < second, "{finished:?}");
}

#[test]
fn the_table_has_a_row_for_each_recipient() {
    let server = Server::start(Script::default().at("RCPT", 2, Behaviour::Reply("550 5.1.1 \"=Gone\", really".into())));
    let folder = folder(3);
    let table = folder.path().join("report.csv");
    let finished = send(&server, folder.path(), &["--csv", table.to_str().unwrap(), "-q"]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (67, ""), "{finished:?}");
    let text = fs::read_to_string(&table).unwrap();
    let rows: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(rows[0], "message,recipient,status,code,enhanced,text,queue_id,refused_at,message_id,error");
    assert_eq!(rows.len(), 4, "{text}");
    assert!(
        rows.iter().any(|row| row.contains(",to1@example.com,refused,550,5.1.1,\"\"\"=Gone\"\", really\"")),
        "{text}"
    );
    let printed = send(&server, folder.path(), &["--csv", "-"]);
    assert_eq!(printed.stdout.lines().count(), 4, "{printed:?}");
    assert_fails(&send(&server, folder.path(), &["--csv", "-", "--json"]), 64, &["--csv -"]);
    assert_fails(&send(&server, folder.path(), &["--csv", "/nonexistent/x"]), 71, &["/nonexistent/x"]);
}
