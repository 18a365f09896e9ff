//! Ready messages: `--eml`.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use tempfile::TempDir;
use testkit::process::Running;
use testkit::smtp::{Behaviour, Script, Server};

use crate::support::{assert_fails, assert_sent, run, smtp_send};

const PLAIN: &str = "From: Me <me@example.org>\nTo: Bob <bob@example.com>,\n ann@example.com\nBcc: eve@example.com\n\
                     Subject: Ready\n\n.dot\n\nend\n";

fn file(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn eml(server: &Server, args: &[&str], stdin: &[u8]) -> testkit::process::Finished {
    let address = server.address().to_string();
    run(&[&["--server", &address], args].concat(), stdin)
}

#[test]
fn a_ready_message_goes_to_those_in_its_header_without_bcc() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(Script::default());
    assert_sent(&eml(&server, &["--eml", &file(&folder, "a.eml", PLAIN)], b""));
    let mail = server.mail();
    let visible = PLAIN.replace("Bcc: eve@example.com\n", "").replace('\n', "\r\n");
    assert_eq!(String::from_utf8(mail.message.clone()).unwrap(), visible);
    assert!(mail.from.starts_with("<me@example.org>"), "{}", mail.from);
    assert!(mail.from.contains(&format!("SIZE={}", visible.len())), "{}", mail.from);
    let to: Vec<_> = mail.to.iter().map(|to| to.split(['<', '>']).nth(1).unwrap()).collect();
    assert_eq!(to, ["bob@example.com", "ann@example.com", "eve@example.com"]);
}

#[test]
fn with_recipients_given_it_is_sent_as_it_is_without_bcc() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(Script::default());
    let file = file(&folder, "a.eml", PLAIN);
    assert_sent(&eml(&server, &["--eml", &file, "--bcc", "c@example.com", "--envelope-from", ""], b""));
    let mail = server.mail();
    let visible = PLAIN.replace("Bcc: eve@example.com\n", "").replace('\n', "\r\n");
    assert_eq!(String::from_utf8(mail.message).unwrap(), visible);
    assert!(mail.from.starts_with("<> ") && mail.to.len() == 1, "{} {:?}", mail.from, mail.to);
}

#[test]
fn many_messages_are_sent_and_one_may_come_from_standard_input() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(Script::default());
    let files: Vec<String> =
        (0..3).map(|one| file(&folder, &format!("{one}.eml"), format!("X: {one}\n{PLAIN}"))).collect();
    let args = ["--eml", &files[0], &files[1], "--eml", &files[2], "-"];
    assert_sent(&eml(&server, &args, format!("X: 3\r\n{PLAIN}").as_bytes()));
    let mails = server.mails();
    let first: Vec<_> = mails.iter().map(|mail| mail.message[3]).collect();
    assert_eq!(first, b"0123");
}

#[test]
fn a_resent_message_goes_to_those_it_is_resent_to() {
    let server = Server::start(Script::default());
    let resent =
        format!("Resent-From: ann@example.com\nResent-To: carl@example.com\nResent-Bcc: d@example.com\n{PLAIN}");
    assert_sent(&eml(&server, &["--eml", "-"], resent.as_bytes()));
    let mail = server.mail();
    assert!(mail.from.starts_with("<ann@example.com>"), "{}", mail.from);
    assert_eq!(mail.to, ["<carl@example.com>", "<d@example.com>"]);
    assert!(!String::from_utf8(mail.message).unwrap().contains("Resent-Bcc"));
}

#[test]
fn what_is_wrong_is_named_before_anything_is_sent() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(Script::default());
    let good = file(&folder, "good.eml", PLAIN);
    let missing = folder.path().join("missing.eml").to_str().unwrap().to_owned();
    let cases: [(&str, &str, i32, &[&str]); 7] = [
        ("no-recipient.eml", "From: a@example.org\n\nx\n", 65, &["no-recipient.eml", "no recipient", "--to"]),
        ("group.eml", "From: a@example.org\nTo: undisclosed-recipients:;\n\nx\n", 65, &["no recipient"]),
        ("broken.eml", "From: a@example.org\nCc: b@example.com, nonsense\n\nx\n", 65, &["broken.eml", "Cc: no '@'"]),
        ("author.eml", "From: nonsense\nTo: b@example.com\n\nx\n", 65, &["author.eml", "From: no '@'"]),
        ("anonymous.eml", "To: b@example.com\n\nx\n", 65, &["anonymous.eml", "--envelope-from"]),
        ("text.eml", "just words\n", 65, &["text.eml", "not a message"]),
        ("endless.eml", &"X: y\n".repeat(300_000), 65, &["endless.eml", "header is longer"]),
    ];
    for (name, text, code, words) in cases {
        assert_fails(&eml(&server, &["--eml", &good, &file(&folder, name, text)], b""), code, words);
    }
    assert_fails(&eml(&server, &["--eml", &good, &missing], b""), 66, &["missing.eml", "No such file"]);
    let empty = TempDir::new().unwrap();
    assert_fails(&eml(&server, &["--eml", empty.path().to_str().unwrap()], b""), 66, &["neither *.eml files"]);
    assert_fails(&eml(&server, &["--eml", "/dev/null"], b""), 66, &["not a regular file"]);
    assert_fails(&eml(&server, &["--eml", "-", "-"], b""), 64, &["--eml -"]);
    assert_fails(&eml(&server, &["--eml", &good, "--subject", "x"], b""), 64, &["--eml", "--subject"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_server_without_8bitmime_gets_the_same_in_seven_bits() {
    let server = Server::start(Script::default().extensions(&["SIZE 1000000"]));
    let mail = format!("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n{PLAIN}Grüße aus der Ferne\n");
    assert_sent(&eml(&server, &["--eml", "-"], mail.as_bytes()));
    let mail = server.mail();
    let message = String::from_utf8(mail.message).unwrap();
    assert!(message.contains("\r\nContent-Transfer-Encoding: quoted-printable\r\n"), "{message}");
    assert!(message.ends_with("\r\n\r\n.dot\r\n\r\nend\r\nGr=C3=BC=C3=9Fe aus der Ferne\r\n"), "{message}");
    assert!(mail.from.contains(&format!("SIZE={}", message.len())), "{} {}", mail.from, message.len());
    assert!(!mail.from.contains("BODY="), "{}", mail.from);
}

#[test]
fn a_broken_signature_is_reported() {
    let server = Server::start(Script::default().extensions(&[]));
    let signed = "From: a@example.org\nTo: b@example.com\nMessage-ID: <1@example.org>\n\
                  Content-Type: multipart/signed; boundary=b\n\n--b\n\nGrüße\n--b\n\nsignature\n--b--\n";
    let finished = eml(&server, &["--eml", "-"], signed.as_bytes());
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("a signature in <1@example.org> is broken"), "{finished:?}");
}

#[test]
fn a_file_that_grows_before_its_upload_is_not_completed() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "growing.eml", PLAIN);
    let slowly = Behaviour::Drip("354 Go on".into(), Duration::from_millis(30));
    let server = Server::start(Script::default().at("DATA", 1, slowly));
    let address = server.address().to_string();
    let running = Running::start(&mut smtp_send(&["-v", "--server", &address, "--eml", &path]));
    running.wait_for_stderr(|text| text.contains("-> DATA").then_some(()));
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more\n").unwrap();
    let finished = running.finish();
    let line = finished.stderr.lines().last().unwrap_or_default();
    assert!(line.contains("growing.eml: the file has changed"), "{finished:?}");
    assert_eq!(finished.code(), 75, "{finished:?}");
    assert_eq!(server.mails(), []);
}

#[test]
fn a_dry_run_prints_the_message_as_it_would_be_sent() {
    let finished = run(&["--dry-run", "--eml", "-"], PLAIN.as_bytes());
    assert_sent(&finished);
    assert_eq!(finished.stdout, PLAIN.replace("Bcc: eve@example.com\n", ""));
}
