//! What smtp-send reads on behalf of other programs: netrc files, the command line of sendmail(8), the header of a message.
//!
//! Each function takes arbitrary bytes and panics when the parser does, or when a property that it must have is broken.

use std::io::Read;

use smtp_send::proto::header::{self, Header};
use smtp_send::secret::netrc::{NetrcSearch, password};
use smtp_send::sendmail::arguments::Arguments;
use smtp_send::sendmail::input::UntilDot;
use smtp_send::sendmail::{header_fields, qualify};

/// A password is a word of the file with its escapes undone; a mistake is in a line that is there.
pub fn netrc(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for machine in ["mail.example.com", "a", ""] {
        match password(text, &NetrcSearch { machine, login: "bob" }) {
            Ok(Some(password)) => {
                let mut rest = text.chars().filter(|character| *character != '\\');
                let plain =
                    password.chars().filter(|character| *character != '\\').all(|one| rest.any(|other| one == other));
                assert!(plain, "not in the file: {password:?}");
            }
            Ok(None) => {}
            Err((line, _)) => assert!((1..=text.split('\n').count()).contains(&line), "{line}"),
        }
    }
}

/// Lines are arguments. What stands behind `--` is an address in any case, and nothing is taken for two things.
pub fn arguments(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let words: Vec<String> = text.lines().map(str::to_owned).collect();
    let alone = Arguments::parse(words.clone());
    let with_address = Arguments::parse(words.iter().cloned().chain(["--", "-bp", "a@example.com"].map(str::to_owned)));
    if let (Ok(alone), Ok(with_address)) = (alone, with_address) {
        assert!(alone.recipients.len() <= words.len());
        let address = with_address.recipients.last().map(String::as_str);
        assert_eq!(address, Some("a@example.com"));
    }
}

/// A header that was made fit once is fit; its fields are as many as before and have the same names; no address that had a
/// domain gets another one.
pub fn header(data: &[u8]) {
    let Some(header) = header::parse(data, true) else { panic!("a complete header has an end") };
    let fitted = header_fields::fit(&header, "h.example");
    let Some(again) = header::parse(&fitted, true) else { panic!("a complete header has an end") };
    assert_eq!(names(&header), names(&again));
    assert_eq!(String::from_utf8_lossy(&header_fields::fit(&again, "h.example")), String::from_utf8_lossy(&fitted));
    for field in &header.fields {
        let qualified = qualify::list(field.raw, "h.example");
        assert_eq!(qualify::list(&qualified, "h.example"), qualified);
        assert_eq!(lines(&qualified), lines(field.raw));
    }
    until_dot(data);
}

fn names(header: &Header<'_>) -> Vec<Vec<u8>> {
    header.fields.iter().map(|field| field.name().to_ascii_lowercase()).collect()
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// The text in front of the first line with a lone dot, found line by line.
fn until_dot(data: &[u8]) {
    let mut expected = Vec::new();
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if [&b".\n"[..], b".\r\n", b".", b".\r"].contains(&line) {
            break;
        }
        expected.extend_from_slice(line);
    }
    let mut read = Vec::new();
    assert!(UntilDot::new(data).read_to_end(&mut read).is_ok());
    assert_eq!(read, expected);
}
