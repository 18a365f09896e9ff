//! The queue of sendmail mode: `--queue`, and `smtp-send queue`.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::process::{Finished, finish, free_port};
use testkit::smtp::{Behaviour, Script, Server};

use crate::home::Home;
use crate::support::assert_fails;

const MESSAGE: &str = "From: ann@example.org\nTo: bob@example.com\nBcc: eve@example.com\nSubject: Hi\n\none\n.two\n";

fn account(home: &Home, server: impl std::fmt::Display) {
    let text = format!("[account.default]\nserver = '{server}'\nfrom = 'me@example.org'\nqueue = true\n");
    home.write(".config/smtp-send/config.toml", &text);
}

fn sendmail(home: &Home, args: &[&str]) -> Finished {
    finish(&mut home.sendmail(args), MESSAGE.as_bytes())
}

fn queue(home: &Home, args: &[&str]) -> Finished {
    finish(&mut home.command(&[&["queue"], args].concat()), b"")
}

/// The files of a folder below the state of the program.
fn files(home: &Home, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path().join(".local/state/smtp-send").join(folder));
    let mut files: Vec<_> = entries.map(|all| all.map(|one| one.unwrap().path()).collect()).unwrap_or_default();
    files.sort();
    files
}

/// A home with one message in its queue, for a server that is not there.
fn waiting() -> Home {
    let home = Home::new("");
    account(&home, format!("127.0.0.1:{}", free_port()));
    let finished = sendmail(&home, &["-i", "bob@example.com", "ann@example.com"]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "it is in the queue: {finished:?}");
    assert_eq!((files(&home, "queue").len(), files(&home, "dead-letters").len()), (2, 0));
    home
}

fn id(home: &Home) -> String {
    files(home, "queue")[0].file_stem().unwrap().to_str().unwrap().to_owned()
}

#[track_caller]
fn assert_empty(home: &Home) {
    assert_eq!((files(home, "queue"), files(home, "dead-letters")), (vec![], vec![]));
}

#[test]
fn what_is_taken_at_once_leaves_nothing_behind() {
    let server = Server::start(Script::default());
    let home = Home::new("");
    account(&home, server.address());
    let finished = sendmail(&home, &["-t"]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert_eq!(server.mail().to, ["<bob@example.com>", "<eve@example.com>"]);
    assert_empty(&home);
}

#[test]
fn what_waits_is_listed_and_sent_when_its_time_has_come() {
    let home = waiting();
    let listed = queue(&home, &["list"]);
    for words in [id(&home).as_str(), "attempts: 1", "to bob@example.com, ann@example.com", "refused"] {
        assert!(listed.stdout.contains(words), "{words} in {listed:?}");
    }
    let server = Server::start(Script::default());
    account(&home, server.address());
    assert_eq!(queue(&home, &["run"]).code(), 0);
    assert!(server.lines().is_empty(), "its time has not come");
    let finished = queue(&home, &["run", "--all"]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert!(finished.stdout.contains("bob@example.com: accepted"), "{finished:?}");
    let mail = server.mail();
    assert_eq!(mail.to, ["<bob@example.com>", "<ann@example.com>"]);
    let text = String::from_utf8(mail.message).unwrap();
    assert!(text.contains("Message-ID: <") && !text.contains("Bcc") && text.ends_with("one\r\n.two\r\n"), "{text}");
    assert_empty(&home);
    assert!(queue(&home, &["list"]).stdout.contains("empty"));
}

#[test]
fn each_recipient_is_served_once_and_a_permanently_refused_recipient_leaves_a_dead_letter() {
    let busy = Behaviour::Reply("450 4.7.1 Greylisted".into());
    let gone = Behaviour::Reply("550 5.1.1 Gone".into());
    let server = Server::start(Script::default().at("RCPT", 1, busy).at("RCPT", 2, gone));
    let home = Home::new("");
    account(&home, server.address());
    let finished = sendmail(&home, &["-i", "later@example.com", "gone@example.com", "good@example.com"]);
    assert_fails(&finished, 67, &["gone@example.com", "Gone", "dead-letters/"]);
    let letters = files(&home, "dead-letters");
    let letter = fs::read_to_string(&letters[0]).unwrap();
    assert!(letter.lines().next().unwrap().contains("for gone@example.com: "), "{letter}");
    assert!(letter.ends_with("\none\n.two\n"), "{letter}");
    assert!(queue(&home, &["list"]).stdout.contains("to later@example.com: "), "{:?}", queue(&home, &["list"]));
    let open = Server::start(Script::default());
    account(&home, open.address());
    assert_eq!(queue(&home, &["run", "--all"]).code(), 0);
    assert_eq!(open.mail().to, ["<later@example.com>"]);
    assert_eq!((files(&home, "queue"), files(&home, "dead-letters").len()), (vec![], 1));
}

#[test]
fn what_waits_too_long_becomes_a_dead_letter() {
    let home = waiting();
    let ticket = files(&home, "queue").into_iter().find(|file| file.extension().unwrap() == "json").unwrap();
    let text = fs::read_to_string(&ticket).unwrap();
    let arrived = text.lines().find(|line| line.contains("\"arrived\"")).unwrap().to_owned();
    fs::write(&ticket, text.replace(&arrived, "  \"arrived\": 1000000,")).unwrap();
    let finished = queue(&home, &["run", "--all"]);
    assert_fails(&finished, 75, &["given up after", "dead-letters/"]);
    assert_eq!((files(&home, "queue"), files(&home, "dead-letters").len()), (vec![], 1));
}

#[test]
fn a_message_whose_program_was_killed_is_still_in_the_queue() {
    let (reached, is_reached) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let server = Server::observed("127.0.0.1:0".parse().unwrap(), Script::default(), move |_| {
        let _ = reached.send(());
        let _ = may_go.lock().unwrap().recv();
    })
    .unwrap();
    let home = Home::new("");
    account(&home, server.address());
    let mut child = home.sendmail(&["-i", "bob@example.com"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), MESSAGE.as_bytes()).unwrap();
    is_reached.recv().unwrap();
    let busy = queue(&home, &["drop", &id(&home)]);
    assert_fails(&busy, 66, &["it is being sent"]);
    assert_eq!(queue(&home, &["run", "--all"]).stdout, "", "another process works on it");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    drop(go);
    let other = Server::start(Script::default());
    account(&home, other.address());
    assert_eq!(queue(&home, &["run"]).code(), 0, "its time has come already");
    assert_eq!(other.mail().to, ["<bob@example.com>"]);
    assert_empty(&home);
}

#[test]
fn a_message_can_be_dropped() {
    let home = waiting();
    assert_fails(&queue(&home, &["drop"]), 64, &["ID"]);
    assert_fails(&queue(&home, &["drop", "../../x"]), 66, &["no such message"]);
    assert_eq!(queue(&home, &["drop", &id(&home)]).code(), 0);
    assert_empty(&home);
    assert_fails(&queue(&home, &["sweep"]), 64, &["sweep"]);
}

#[test]
fn a_malformed_control_file_is_reported_and_its_message_stays() {
    let home = waiting();
    let ticket = files(&home, "queue").into_iter().find(|file| file.extension().unwrap() == "json").unwrap();
    let text = fs::read_to_string(&ticket).unwrap();
    fs::write(&ticket, text.replace("bob@example.com", "bob@example.com>\\r\\nDATA")).unwrap();
    assert_fails(&queue(&home, &["run", "--all"]), 65, &["the field recipients"]);
    assert!(queue(&home, &["list"]).stdout.contains("cannot be used"));
    assert_eq!(files(&home, "queue").len(), 2);
    assert_eq!(queue(&home, &["drop", "--all"]).code(), 0);
    assert_empty(&home);
}

#[test]
fn a_folder_that_others_can_write_to_is_no_queue() {
    use std::os::unix::fs::PermissionsExt;
    let home = waiting();
    let folder = home.path().join(".local/state/smtp-send/queue");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert_fails(&queue(&home, &["list"]), 71, &["others may write to it"]);
    // Then it is as without a queue: nothing is lost.
    assert_fails_with_warning(&sendmail(&home, &["-i", "bob@example.com"]));
    assert_eq!(files(&home, "dead-letters").len(), 1);
}

#[track_caller]
fn assert_fails_with_warning(finished: &Finished) {
    assert!(finished.code() == 75 && finished.stderr.contains("dead-letters/"), "{finished:?}");
}

#[test]
fn a_message_that_a_killed_program_left_becomes_a_dead_letter_at_the_next_run() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let folder = home.path().join(".local/state/smtp-send/dead-letters");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("smtp-send-1.sending"), MESSAGE).unwrap();
    fs::write(
        folder.join("smtp-send-1.note"),
        "From ann@example.org Wed Nov 25 12:00:00 2026 for bob@example.com: x\n",
    )
    .unwrap();
    fs::write(folder.join("smtp-send-2.sending"), MESSAGE).unwrap();
    assert_eq!(sendmail(&home, &["-i", "ann@example.com"]).code(), 0);
    let letters = files(&home, "dead-letters");
    let names: Vec<_> = letters.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["smtp-send-1.eml", "smtp-send-2.eml"]);
    let first = fs::read_to_string(&letters[0]).unwrap();
    assert!(first.starts_with("From ann@example.org Wed") && first.ends_with(MESSAGE), "{first}");
    let second = fs::read_to_string(&letters[1]).unwrap();
    assert!(second.contains("for those in its header: it was being sent when the program was killed"), "{second}");
}
