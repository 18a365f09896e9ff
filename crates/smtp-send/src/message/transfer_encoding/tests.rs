//! What becomes of parts that a server would not take as they are.

use crate::proto::command::BodyForm;
use std::io;

use crate::message::{Edits, ExistingMessage};
use crate::proto::dot::LineEnds;

fn sent(message: &[u8], form: BodyForm) -> String {
    let mut ready = ExistingMessage::read(message, &Edits::default()).unwrap();
    let (mut ends, mut out) = (LineEnds::default(), Vec::new());
    ready
        .stream(form, |piece| {
            ends.push(piece.bytes(), &mut out);
            Ok::<_, io::Error>(())
        })
        .unwrap();
    let complete = if out.ends_with(b"\n") { out.len() } else { out.len() + 2 };
    assert_eq!(ready.size(form).unwrap(), complete as u64);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_text_that_says_nothing_of_itself_is_labelled() {
    let expected = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe aus der Ferne und anderes\r\n";
    assert_eq!(sent("Subject: x\n\nGrüße aus der Ferne und anderes\n".as_bytes(), BodyForm::SevenBit), expected);
    assert!(
        sent(b"Subject: x\n\nGr\xfc\xdfe, old and long enough\n", BodyForm::SevenBit)
            .contains("charset=unknown-8bit\r\n")
    );
}

#[test]
fn with_8bitmime_only_long_lines_are_encoded() {
    let mail = "Subject: x\n\nGrüße\n";
    assert_eq!(sent(mail.as_bytes(), BodyForm::EightBit), mail.replace('\n', "\r\n"));
    let long = sent(format!("Subject: x\n\n{}\n", "long ".repeat(300)).as_bytes(), BodyForm::EightBit);
    assert!(long.contains("Content-Transfer-Encoding: quoted-printable\r\n"));
    assert!(long.lines().all(|line| line.len() <= 76));
}

#[test]
fn a_multipart_is_relabelled_and_only_the_parts_that_need_it_are_encoded() {
    let mail = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npräambel\n--b\n\
                Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\nü und viel Anderes\n--b\n\
                Content-Type: text/html\n\nplain\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\nAAAA\n\
                --b\nContent-Type: application/x\nContent-Transfer-Encoding: 8bit\n\nää\n\n--b--\n";
    let expected = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??ambel\n--b\n\
                Content-Type: text/plain; charset=utf-8\nX: y\nContent-Transfer-Encoding: quoted-printable\n\n\
                =C3=BC und viel Anderes=\n\n--b\n\
                Content-Type: text/html\n\nplain\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\nAAAA\n\
                --b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nw6TDpA0K\n\n--b--\n";
    assert_eq!(sent(mail.as_bytes(), BodyForm::SevenBit), expected.replace('\n', "\r\n"));
}

#[test]
fn a_message_within_is_entered() {
    let mail = "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: inner\n\nüber alle Berge\n";
    let expected = "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: inner\nMIME-Version: 1.0\n\
                    Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
                    =C3=BCber alle Berge\n";
    assert_eq!(sent(mail.as_bytes(), BodyForm::SevenBit), expected.replace('\n', "\r\n"));
}

#[test]
fn bytes_of_a_binary_part_stay_as_they_are() {
    let mail = b"Content-Type: application/x\nContent-Transfer-Encoding: binary\n\n\r\n\n\r\0";
    assert!(sent(mail, BodyForm::EightBit).ends_with("\r\nContent-Transfer-Encoding: base64\r\n\r\nDQoKDQA=\r\n"));
}

#[test]
fn base64_in_one_line_is_broken_and_means_the_same() {
    let mail = format!("Content-Transfer-Encoding: base64\nContent-Type: image/x\n\n{}\n", "QUJD".repeat(500));
    let sent = sent(mail.as_bytes(), BodyForm::EightBit);
    let (_, body) = sent.split_once("\r\n\r\n").unwrap();
    assert!(body.lines().all(|line| line.len() <= 76));
    assert_eq!(body.replace("\r\n", ""), "QUJD".repeat(500));
}

#[test]
fn broken_quoted_printable_is_mended_and_means_the_same() {
    for shift in 0..4 {
        let text = format!("{}{}ü=\n end", "x".repeat(shift), "=C3=BC ".repeat(200));
        let mail = format!("Content-Transfer-Encoding: quoted-printable\nContent-Type: text/x\n\n{text}\n");
        let sent = sent(mail.as_bytes(), BodyForm::SevenBit);
        let (_, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(body.lines().all(|line| line.len() <= 76), "{body}");
        assert_eq!(body.replace("=\r\n", "").trim_end(), text.replace("=\n", "").replace('ü', "=C3=BC"));
    }
}

#[test]
fn the_header_of_a_part_in_another_script_needs_smtputf8() {
    let mail = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name=ü\n\nx\n--b--\n";
    assert!(ExistingMessage::read(mail.as_bytes(), &Edits::default()).unwrap().needs_smtputf8());
}
