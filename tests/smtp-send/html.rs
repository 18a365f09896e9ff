//! Texts in HTML with their plain alternative and their pictures; fields of every kind.

use std::fs;

use tempfile::TempDir;
use testkit::golden;
use testkit::smtp::{Script, Server};

use crate::support::{assert_fails, assert_sent, run, send};

const HTML: &str = "<!doctype html><html><head><meta charset=\"utf-8\"><title>News</title></head><body>\n\
    <h1>Grüße</h1><p>Hello <b>Bob</b>, see <a href=\"https://example.com/?a=1&amp;b=2\">our site</a>.</p>\n\
    <ul><li>one</li><li>two</li></ul><p><img src=\"cid:the%20logo.png\" alt=\"Logo\"></p></body></html>\n";

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What would be sent, with the parts that are new each time replaced by fixed words.
fn composed(args: &[&str], text: &[u8]) -> String {
    let fixed = ["--dry-run", "--from", "me@example.org", "--to", "bob@example.com", "-s", "HTML"];
    let date = ["--header", "Date: Thu, 1 Jan 1970 00:00:00 +0000"];
    let finished = run(&[&fixed[..], &date, args].concat(), text);
    assert_sent(&finished);
    let id = finished.stdout.lines().find_map(|line| line.strip_prefix("Message-ID: <")).expect("an id");
    let id = id.trim_end_matches('>');
    let unique: String = id.chars().filter(char::is_ascii_alphanumeric).take(38).collect();
    finished.stdout.replace(id, "ID").replace(&unique, "UNIQUE")
}

#[test]
fn a_text_in_html_gets_a_plain_one() {
    let folder = TempDir::new().unwrap();
    let html =
        file(&folder, "news.html", HTML.replace("<p><img src=\"cid:the%20logo.png\" alt=\"Logo\"></p>", "").as_bytes());
    golden::compare("smtp-send/html.eml", &composed(&["--html", &html], b"not read"));
}

#[test]
fn html_with_pictures_and_attachments_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let html = file(&folder, "news.html", HTML.as_bytes());
    let logo = file(&folder, "the logo.png", b"\x89PNG");
    let table = file(&folder, "table.csv", b"a,b\n");
    let args = ["--html", &html, "--inline", &logo, "--attach", &table, "--body-file", "-"];
    golden::compare("smtp-send/html-pictures-attachments.eml", &composed(&args, b"Hello Bob.\n"));
}

#[test]
fn each_alternative_has_the_encoding_that_suits_it() {
    let folder = TempDir::new().unwrap();
    let long = file(&folder, "long.html", format!("<p>{}</p>", "word ".repeat(300)).as_bytes());
    let message = composed(&["--html", &long], b"");
    assert!(message.contains("text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n"), "{message}");
    assert!(message.contains("text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n"), "{message}");
}

#[test]
fn a_picture_is_named_when_it_is_missing_and_when_no_reference_uses_it() {
    let folder = TempDir::new().unwrap();
    let html = file(&folder, "news.html", HTML.as_bytes());
    let other = file(&folder, "other.png", b"x");
    let server = Server::start(Script::default());
    assert_fails(&send(&server, &["--html", &html], b""), 65, &["news.html", "cid:the%20logo.png", "--inline"]);
    assert_eq!(server.lines(), Vec::<String>::new());
    let renamed = format!("{other};name=the logo.png");
    let finished = send(&server, &["--html", &html, "--inline", &renamed, "--inline", &other], b"");
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("does not use --inline other.png"), "{finished:?}");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn standard_input_is_one_thing_at_a_time() {
    let server = Server::start(Script::default());
    for args in [
        &["--html", "-", "--attach", "-"][..],
        &["--html", "-", "--body-file", "-"],
        &["--html", "-", "--inline", "-;name=x"],
        &["--body", "x", "--attach", "-", "--attach", "-"],
    ] {
        assert_fails(&send(&server, args, b"x"), 64, &["standard input"]);
    }
    assert_fails(&send(&server, &["--inline", "x"], b""), 64, &["--html"]);
    assert_eq!(server.lines(), Vec::<String>::new());
    assert_sent(&send(&server, &["--html", "-"], b"<p>from a pipe</p>"));
    let message = String::from_utf8(server.mail().message).unwrap();
    assert!(message.contains("\r\nfrom a pipe\r\n") && message.contains("\r\n<p>from a pipe</p>\r\n"), "{message}");
}

#[test]
fn the_announced_size_is_exact_with_pictures() {
    let folder = TempDir::new().unwrap();
    let html = file(&folder, "news.html", HTML.as_bytes());
    let logo = file(&folder, "the logo.png", &vec![7; 100_000]);
    for extensions in [&["SIZE"][..], &["SIZE", "8BITMIME"]] {
        let server = Server::start(Script::default().extensions(extensions));
        assert_sent(&send(&server, &["--html", &html, "--inline", &logo, "--attach", &logo], b""));
        let mail = server.mail();
        assert!(mail.from.contains(&format!("SIZE={}", mail.message.len())), "{} {}", mail.from, mail.message.len());
        assert!(extensions.len() == 2 || mail.message.is_ascii());
    }
}

#[test]
fn fields_take_what_may_stand_in_them() {
    let server = Server::start(Script::default());
    let fields = [
        "Sender: Jörg <j@example.org>",
        "X-Note: Grüße",
        "References: <a@b> <c@d>",
        "List-ID: Neuigkeiten für alle <n.example.org>",
    ];
    let args: Vec<&str> = fields.iter().flat_map(|field| ["--header", field]).collect();
    assert_sent(&send(&server, &args, b""));
    let message = String::from_utf8(server.mail().message).unwrap();
    for expected in
        ["Sender: =?utf-8?b?SsO2cmc=?= <j@example.org>\r\n", "References: <a@b> <c@d>\r\n", " <n.example.org>\r\n"]
    {
        assert!(message.contains(expected), "{message}");
    }
    for (field, why) in [
        ("References: <ü@x>", "ASCII"),
        ("List-Unsubscribe: <mailto:ü@example.org>", "ASCII"),
        ("In-Reply-To: ü", "ASCII"),
        ("Message-ID: x", "<unique@example.com>"),
        ("Date: today", "a date is written"),
        ("Sender: invalid", "'@'"),
    ] {
        assert_fails(&send(&server, &["--header", field], b""), 65, &["--header", why]);
    }
}
