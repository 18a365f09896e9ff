//! Composed messages as whole files in tests/golden/smtp-send.

use testkit::golden;

use crate::support::{assert_sent, run};

const TEXT: &[u8] = b"The text.\n\n-- \nThe signature\n";

/// Date and Message-ID of a dry run replaced by fixed words.
fn composed(args: &[&str], text: &[u8]) -> String {
    let fixed = ["--dry-run", "--from", "Me <me@example.org>", "--to", "bob@example.com"];
    let finished = run(&[&fixed[..], args].concat(), text);
    assert_sent(&finished);
    let line = |line: &str| match line.split_once(": ") {
        Some(("Date", date)) => {
            assert!(chrono::DateTime::parse_from_rfc2822(date).is_ok(), "{date}");
            "Date: DATE".to_owned()
        }
        Some(("Message-ID", id)) => {
            assert!(id.starts_with('<') && id.ends_with('>') && id.contains('@'), "{id}");
            "Message-ID: ID".to_owned()
        }
        _ => line.to_owned(),
    };
    finished.stdout.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_plain_message() {
    golden::compare("smtp-send/plain.eml", &composed(&["-s", "A plain message"], TEXT));
}

#[test]
fn a_message_with_everything_in_its_header() {
    let args = [
        [
            "--subject",
            "Grüße: a long subject, half of it in German und die andere Hälfte natürlich auch, über zwei Zeilen",
        ],
        ["--to", "Jörg Müller <joerg@example.com>, \"Last, First\" <first.last@example.com>"],
        ["--cc", "A. Long Name <a-rather-long-address-for-a-person@a-rather-long-domain.example.com>, c@example.com"],
        ["--bcc", "hidden.recipient@example.com"],
        ["--reply-to", "Answers <answers@example.org>"],
        ["--header", "X-Priority: 1"],
        ["--header", "X-Note: naïve"],
        ["--header", "List-Unsubscribe: <mailto:leave@example.org>"],
    ];
    golden::compare("smtp-send/full-header.eml", &composed(&args.concat(), TEXT));
}

#[test]
fn a_text_with_a_line_that_is_too_long() {
    let text = [b"short = fine \n".as_slice(), &b"long ".repeat(300), b"\nend"].concat();
    golden::compare("smtp-send/long-line.eml", &composed(&["-s", "Long"], &text));
}

#[test]
fn a_text_that_is_mostly_not_ascii_and_has_no_lines() {
    let text = "これは長い行です。".repeat(60);
    golden::compare("smtp-send/base64.eml", &composed(&["-s", "日本語"], text.as_bytes()));
}

#[test]
fn a_text_that_is_not_utf8() {
    let finished = run(&["--dry-run", "--from", "me@example.org", "--to", "bob@example.com"], b"caf\xe9\n");
    assert!(finished.stdout.contains("charset=unknown-8bit\n"), "{finished:?}");
}
