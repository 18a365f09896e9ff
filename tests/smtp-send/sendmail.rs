//! The command line of sendmail(8), and the dead letter: what is sent, what is kept, what is said.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::process::{Finished, WAIT_TIMEOUT, finish, free_port};
use testkit::smtp::{Behaviour, Script, Server};

use crate::home::{Home, inherit};
use crate::support::assert_fails;

const MESSAGE: &str = "From: Ann <ann@example.org>\nTo: bob@example.com\nSubject: Hi\nDate: Wed, 25 Nov 2026 12:00:00 +0000\n\
                       Message-ID: <1@example.org>\n\none\n.two\n";

fn sendmail(home: &Home, args: &[&str], text: &str) -> Finished {
    finish(&mut home.sendmail(args), text.as_bytes())
}

/// Demands that nothing was said and nothing is left.
#[track_caller]
fn assert_silent(finished: &Finished, home: &Home) {
    assert_eq!((finished.code(), finished.stdout.as_str(), finished.stderr.as_str()), (0, "", ""));
    assert_eq!(letters(home), Vec::<PathBuf>::new());
}

fn letters(home: &Home) -> Vec<PathBuf> {
    let folder = home.path().join(".local/state/smtp-send/dead-letters");
    fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// The only letter: its first line, and the rest.
#[track_caller]
fn letter(home: &Home) -> (String, String) {
    let letters = letters(home);
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(fs::metadata(&letters[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(letters[0].extension().unwrap(), "eml");
    let text = fs::read_to_string(&letters[0]).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    (first.to_owned(), rest.to_owned())
}

/// The default account of a server that is not there.
fn nowhere() -> Home {
    Home::new(&format!("[account.default]\nserver = '127.0.0.1:{}'\nfrom = 'me@example.org'\n", free_port()))
}

fn text_of(message: &[u8]) -> String {
    String::from_utf8(message.to_vec()).unwrap()
}

#[test]
fn a_message_is_handed_over_without_a_word() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    assert_silent(&sendmail(&home, &["-i", "bob@example.com"], MESSAGE), &home);
    let mut other_name = home.command(&["sendmail", "-i", "bob@example.com"]);
    assert_silent(&finish(&mut other_name, MESSAGE.replace('\n', "\r\n").as_bytes()), &home);
    for mail in server.mails() {
        assert_eq!(
            (mail.from.split(' ').next(), mail.to.as_slice()),
            (Some("<me@example.org>"), &["<bob@example.com>".to_owned()][..])
        );
        assert_eq!(text_of(&mail.message), MESSAGE.replace('\n', "\r\n"));
    }
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn recipients_in_the_header_count_only_when_asked_for_and_bcc_always_goes() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let text =
        "To: a@example.com, Group: b@example.com;\nCc: C <c@example.com>\nBcc: d@example.com\nSubject: x\n\ntext\n";
    assert_silent(&sendmail(&home, &["-t"], text), &home);
    assert_silent(&sendmail(&home, &["-t", "e@example.com", "a@example.com"], text), &home);
    assert_silent(&sendmail(&home, &["e@example.com"], text), &home);
    let mails = server.mails();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.join(" ")).collect();
    let header = "<a@example.com> <b@example.com> <c@example.com> <d@example.com>";
    let both = format!("<e@example.com> {header}");
    assert_eq!(to, [header, both.as_str(), "<e@example.com>"]);
    assert!(mails.iter().all(|mail| !text_of(&mail.message).contains("Bcc")));
}

#[test]
fn a_message_that_is_sent_again_goes_to_the_new_recipients() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let text =
        format!("Resent-From: cid@example.org\nResent-To: new@example.com\nResent-Bcc: secret@example.com\n{MESSAGE}");
    assert_silent(&sendmail(&home, &["-ti"], &text), &home);
    let mail = server.mail();
    assert_eq!(mail.to, ["<new@example.com>", "<secret@example.com>"]);
    assert!(!text_of(&mail.message).contains("secret"));
}

#[test]
fn date_message_id_and_from_are_added_where_they_are_missing() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    assert_silent(&sendmail(&home, &["-F", "Jörg Daemon", "bob@example.com"], "Subject: x\n\ntext\n"), &home);
    assert_silent(&sendmail(&home, &["bob@example.com"], "text without a header\n"), &home);
    let mails = server.mails();
    let message = text_of(&mails[0].message);
    assert!(message.contains("From: =?utf-8?b?SsO2cmcgRGFlbW9u?= <me@example.org>\r\n"), "{message}");
    for mail in &mails {
        let message = text_of(&mail.message);
        for field in ["Date: ", "Message-ID: <", "From: "] {
            assert_eq!(message.matches(field).count(), 1, "{field} in {message}");
        }
        assert!(message.contains("@example.org>\r\n"), "{message}");
    }
    assert!(text_of(&mails[1].message).ends_with("\r\n\r\ntext without a header\r\n"));
}

#[test]
fn a_lone_dot_ends_the_message_unless_it_is_text() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let text = "Subject: x\n\none\n.\ntwo\n";
    for args in
        [&["b@example.com"][..], &["-i", "b@example.com"], &["-oi", "b@example.com"], &["-tioi", "b@example.com"]]
    {
        assert_silent(&sendmail(&home, args, text), &home);
    }
    let ends: Vec<_> =
        server.mails().iter().map(|mail| text_of(&mail.message).ends_with("one\r\n.\r\ntwo\r\n")).collect();
    assert_eq!(ends, [false, true, true, true]);
    assert!(text_of(&server.mails()[0].message).ends_with("\r\n\r\none\r\n"));
}

#[test]
fn names_without_a_domain_get_the_one_of_the_account() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let text = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> true\n\ntext\n";
    assert_silent(
        &sendmail(&home, &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "-f", "cron", "root,ann"], text),
        &home,
    );
    let mail = server.mail();
    assert_eq!(mail.to, ["<root@example.org>", "<ann@example.org>"]);
    assert!(mail.from.starts_with("<cron@example.org>"), "{}", mail.from);
    let message = text_of(&mail.message);
    assert!(message.starts_with("From: root@example.org (Cron Daemon)\r\nTo: root@example.org\r\n"), "{message}");
}

#[test]
fn other_scripts_in_the_header_are_encoded_for_servers_without_smtputf8() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    assert_silent(&sendmail(&home, &["-t"], "From: Jörg <j@example.org>\nTo: root\nSubject: Grüße\n\ntext\n"), &home);
    let message = text_of(&server.mail().message);
    assert!(message.contains("From: =?utf-8?b?SsO2cmc=?= <j@example.org>\r\n"), "{message}");
    assert!(message.contains("Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"), "{message}");
}

#[test]
fn options_for_reports_are_dropped_for_a_server_without_dsn() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    assert_silent(&sendmail(&home, &["-N", "failure", "-R", "hdrs", "-V", "x", "b@example.com"], MESSAGE), &home);
    assert!(!server.mail().from.contains("RET="));
}

#[test]
fn the_sender_is_the_one_of_the_option_the_account_or_the_author() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let nameless = Home::new(&format!("[account.default]\nserver = '{}'\n", server.address()));
    assert_silent(&sendmail(&home, &["-f", "cid@example.net", "b@example.com"], MESSAGE), &home);
    assert_silent(&sendmail(&home, &["b@example.com"], MESSAGE), &home);
    assert_silent(&sendmail(&nameless, &["b@example.com"], MESSAGE), &nameless);
    assert_silent(&sendmail(&home, &["-f", "", "b@example.com"], MESSAGE), &home);
    let from: Vec<_> = server.mails().iter().map(|mail| mail.from.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(from, ["<cid@example.net>", "<me@example.org>", "<ann@example.org>", "<>"]);
}

#[test]
fn an_account_can_be_named_and_dsn_is_asked_for() {
    let script = Script::default().extensions(&["DSN", "8BITMIME"]);
    let (one, two) = (Server::start(script), Server::start(Script::default()));
    let home = Home::new(&format!(
        "[account.one]\nserver = '{}'\n[account.two]\nserver = '{}'\n",
        one.address(),
        two.address()
    ));
    let dsn = ["--account", "one", "-N", "failure,delay", "-R", "hdrs", "-V", "id+1", "b@example.com"];
    assert_silent(&sendmail(&home, &dsn, MESSAGE), &home);
    assert_silent(
        &finish(home.sendmail(&["b@example.com"]).env("SMTP_SEND_ACCOUNT", "two"), MESSAGE.as_bytes()),
        &home,
    );
    assert_eq!(two.mails().len(), 1);
    let mail = one.mail();
    assert!(mail.from.contains("RET=HDRS") && mail.from.contains("ENVID=id+2B1"), "{}", mail.from);
    assert!(mail.to[0].to_ascii_uppercase().contains("NOTIFY=FAILURE,DELAY"), "{:?}", mail.to);
}

#[test]
fn without_an_account_it_says_how_to_write_one_and_keeps_the_message() {
    let home = Home::new("");
    let finished = sendmail(&home, &["bob@example.com"], MESSAGE);
    let file = home.file().display().to_string();
    assert_fails(&finished, 78, &["no account", "[account.default]", "server = ", &file, "kept in", "bob@example.com"]);
    let (first, rest) = letter(&home);
    assert!(first.starts_with("From MAILER-DAEMON ") && first.contains(" for bob@example.com: no account"), "{first}");
    assert_eq!(rest, MESSAGE);
}

#[test]
fn a_mistake_in_the_configuration_is_reported_with_its_line_and_keeps_the_message() {
    let home = Home::new("[account.default]\nsever = 'x'\n");
    assert_fails(&sendmail(&home, &["-t"], MESSAGE), 78, &["config.toml line 2: sever", "'server'", "kept in"]);
    let home = Home::new("[account.default]\nserver = 'x'\nfrom = 'invalid'\n");
    assert_fails(&sendmail(&home, &["-t"], MESSAGE), 65, &["config.toml line 3: --from invalid", "kept in"]);
    assert!(letter(&home).0.contains(" for those in its header: "));
}

#[test]
fn without_a_terminal_no_password_is_asked_for() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "user = 'me'");
    let plain = home.sendmail(&["bob@example.com"]);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(plain.get_program()).args(plain.get_args());
    inherit(&mut command, &plain);
    let finished = finish(&mut command, MESSAGE.as_bytes());
    assert_fails(&finished, 78, &["password of me at 127.0.0.1: not found", "kept in"]);
}

#[test]
fn what_a_server_that_is_down_did_not_get_is_kept_and_can_be_sent_again() {
    let home = nowhere();
    let text = format!("Bcc: secret@example.com\n{MESSAGE}");
    let finished = sendmail(&home, &["-ti"], &text);
    assert_fails(&finished, 75, &["connect to", "kept in", "bob@example.com"]);
    let (first, rest) = letter(&home);
    assert!(first.starts_with("From me@example.org "), "{first}");
    assert!(first.contains(" for bob@example.com, secret@example.com: connect to 127.0.0.1"), "{first}");
    assert_eq!(rest, text);
    assert!(finished.stderr.contains(letters(&home)[0].to_str().unwrap()), "{finished:?}");

    let server = Server::start(Script::default());
    let up = Home::with_account(&server, "");
    let kept = fs::read_to_string(&letters(&home)[0]).unwrap();
    assert_silent(&sendmail(&up, &["-ti"], &kept), &up);
    assert_silent(&sendmail(&up, &["-i", "bob@example.com"], &kept), &up);
    let mails = server.mails();
    assert_eq!(mails[0].to, ["<bob@example.com>", "<secret@example.com>"]);
    assert_eq!(mails[1].to, ["<bob@example.com>"]);
    assert!(mails.iter().all(|mail| text_of(&mail.message) == MESSAGE.replace('\n', "\r\n")));
}

#[test]
fn a_letter_names_only_those_who_have_not_got_it() {
    let refusing = Behaviour::Reply("550 5.1.1 No such user".into());
    let server = Server::start(Script::default().at("RCPT", 2, refusing));
    let home = Home::with_account(&server, "");
    let finished = sendmail(&home, &["a@example.com", "b@example.com", "c@example.com"], MESSAGE);
    assert_fails(&finished, 67, &["b@example.com", "5.1.1", "kept in"]);
    assert_eq!(server.mail().to, ["<a@example.com>", "<c@example.com>"]);
    let first = letter(&home).0;
    assert!(first.contains(" for b@example.com: ") && !first.contains("a@example.com"), "{first}");
}

#[test]
fn what_a_server_refuses_is_kept_and_the_code_tells_for_how_long() {
    for (reply, code) in [("550 5.7.1 No", 69), ("451 4.3.0 Later", 75)] {
        let server = Server::start(Script::default().reply("MESSAGE", reply));
        let home = Home::with_account(&server, "");
        assert_fails(&sendmail(&home, &["bob@example.com"], MESSAGE), code, &[reply, "kept in"]);
        assert_eq!(letter(&home).1, MESSAGE);
    }
}

#[test]
fn an_address_that_is_none_stops_everything_and_keeps_the_message() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    assert_fails(&sendmail(&home, &["bob@example.com", "a b@x"], MESSAGE), 65, &["recipient a b@x", "kept in"]);
    assert_fails(&sendmail(&home, &["-t"], "To: <bob@\n\nx\n"), 65, &["the header", "To", "kept in"]);
    assert_fails(&sendmail(&home, &["-t"], "Subject: x\n\nx\n"), 65, &["no recipient", "kept in"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_wrong_command_line_is_one_line_and_reads_nothing() {
    let home = nowhere();
    for (args, words) in [
        (&["-bp"][..], "smtp-send queue list"),
        (&["-bs", "bob"], "by RCPT"),
        (&["-bd"], "receives no mail"),
        (&["-q30m"], "no queue"),
        (&["-Z", "bob"], "-Z: not an option of sendmail"),
        (&["-f"], "a value is missing"),
        (&[], "no recipient"),
    ] {
        assert_fails(&sendmail(&home, args, MESSAGE), 64, &["sendmail: ", words]);
    }
    assert_eq!(letters(&home), Vec::<PathBuf>::new());
    let help = sendmail(&home, &["--help"], "");
    assert_eq!((help.code(), help.stderr.as_str()), (0, ""));
    assert!(help.stdout.starts_with("Reads a message"), "{help:?}");
}

/// A run of sendmail that has its message on disk, awaits signals and talks to a server that says nothing.
fn waiting(home: &Home) -> Child {
    let mut command = home.sendmail(&["-i", "bob@example.com"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MESSAGE.as_bytes()).unwrap();
    let start = Instant::now();
    while letters(home).is_empty() || !awaits_signals(child.id()) {
        assert!(start.elapsed() < WAIT_TIMEOUT, "nothing was sent");
        thread::sleep(Duration::from_millis(2));
    }
    child
}

fn awaits_signals(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap_or("0");
    u64::from_str_radix(blocked.trim(), 16).unwrap() >> (Signal::SIGTERM as i32 - 1) & 1 == 1
}

fn silent_server() -> Server {
    Server::start(Script::default().at("MAIL", 1, Behaviour::Silence))
}

#[test]
fn a_signal_in_the_middle_leaves_a_letter_and_says_where() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let server = silent_server();
        let home = Home::with_account(&server, "");
        let child = waiting(&home);
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(75), "{said}");
        assert!(said.starts_with(&format!("smtp-send: ended by {signal}")) && said.contains("kept in"), "{said}");
        let (first, rest) = letter(&home);
        assert!(first.contains(" for bob@example.com: ended by "), "{first}");
        assert_eq!(rest, MESSAGE);
    }
}

#[test]
fn a_signal_that_was_to_be_ignored_is_ignored() {
    let server = silent_server();
    let home = Home::with_account(&server, "timeout = 0.5");
    let plain = home.sendmail(&["-i", "bob@example.com"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; (sleep 0.2; kill -HUP $$) & exec \"$0\" \"$@\""]);
    command.arg(plain.get_program()).args(plain.get_args());
    inherit(&mut command, &plain);
    let finished = finish(&mut command, MESSAGE.as_bytes());
    assert_fails(&finished, 75, &["within", "kept in"]);
}

#[test]
fn a_program_that_is_killed_leaves_the_message_on_disk() {
    let server = silent_server();
    let home = Home::with_account(&server, "");
    let mut child = waiting(&home);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut letters = letters(&home);
    letters.sort();
    let kinds: Vec<_> = letters.iter().map(|path| path.extension().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["note", "sending"]);
    assert!(fs::read_to_string(&letters[0]).unwrap().contains("for bob@example.com: it was being sent"));
    assert_eq!(fs::read_to_string(&letters[1]).unwrap(), MESSAGE);
}

/// The program with files limited to 4 KB, as on a disk without room.
fn without_room(home: &Home, args: &[&str]) -> Command {
    let plain = home.sendmail(args);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    inherit(&mut command, &plain);
    command
}

#[test]
fn a_disk_without_room_does_not_keep_a_message_from_being_sent() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let text = format!("{MESSAGE}{}", "a line of text\n".repeat(5000));
    assert_silent(&finish(&mut without_room(&home, &["-i", "bob@example.com"]), text.as_bytes()), &home);
    assert_eq!(text_of(&server.mail().message), text.replace('\n', "\r\n"));
}

#[test]
fn a_message_that_can_neither_be_sent_nor_kept_is_reported_with_the_code_of_the_sending() {
    let home = nowhere();
    let text = format!("{MESSAGE}{}", "a line of text\n".repeat(5000));
    let finished = finish(&mut without_room(&home, &["-i", "bob@example.com"]), text.as_bytes());
    assert_fails(&finished, 75, &["connect to", "bob@example.com is lost", "File too large"]);
    assert_eq!(letters(&home), Vec::<PathBuf>::new());
}

#[test]
fn without_room_for_the_note_the_message_is_kept_as_it_is() {
    let home = nowhere();
    let text = format!("{MESSAGE}{}", "x".repeat(4090 - MESSAGE.len()));
    let finished = finish(&mut without_room(&home, &["-i", "bob@example.com"]), text.as_bytes());
    assert_fails(&finished, 75, &["connect to", "kept in", ".eml (without its first line: File too large)"]);
    let letters = letters(&home);
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(fs::read_to_string(&letters[0]).unwrap(), text);
}

#[test]
fn the_state_folder_can_be_elsewhere() {
    let home = nowhere();
    let elsewhere = home.path().join("state");
    let finished = finish(home.sendmail(&["bob@example.com"]).env("XDG_STATE_HOME", &elsewhere), MESSAGE.as_bytes());
    assert_fails(&finished, 75, &["kept in", elsewhere.to_str().unwrap()]);
    assert_eq!(fs::read_dir(Path::new(&elsewhere).join("smtp-send/dead-letters")).unwrap().count(), 1);
}

#[test]
fn with_v_the_dialogue_is_shown() {
    let server = Server::start(Script::default());
    let home = Home::with_account(&server, "");
    let finished = sendmail(&home, &["-v", "bob@example.com"], MESSAGE);
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, ""));
    assert!(finished.stderr.contains("RCPT TO:<bob@example.com>"), "{finished:?}");
}
