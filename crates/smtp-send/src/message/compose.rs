//! A message out of its parts: header, encoded text, attachments (RFC 5322, RFC 2045, RFC 2046).
//!
//! A message has one form for servers with 8BITMIME and one for all others; the session picks. Both are streamed from the
//! kept text, so sending twice needs no second copy. Bcc is never part of a message.

use std::io;

use chrono::{DateTime, FixedOffset};

use super::Piece;
use super::attach::Attachment;
use super::encode::Encoder;
use super::headers::Headers;
use super::text::{Encoding, Text};
use crate::proto::address::Mailbox;

/// What somebody wants to send, before it has a form.
#[derive(Debug)]
pub struct Draft {
    /// The author.
    pub from: Mailbox,
    /// Where answers shall go, if not to the author.
    pub reply_to: Vec<Mailbox>,
    /// Recipients that everybody sees.
    pub to: Vec<Mailbox>,
    /// More of those.
    pub cc: Vec<Mailbox>,
    /// The subject, any script; `None` writes none.
    pub subject: Option<String>,
    /// When it was written, with the offset of the writer.
    pub date: DateTime<FixedOffset>,
    /// Unique for all time, with its brackets.
    pub message_id: String,
    /// Further fields in the order given: name and value.
    pub headers: Vec<(String, String)>,
    /// The text.
    pub text: Text,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A composed message.
#[derive(Debug)]
pub struct Composition {
    head: Headers,
    id: String,
    text: Text,
    attachments: Vec<Attachment>,
    /// The line between the parts of a message with attachments, without its dashes.
    boundary: String,
}

impl Composition {
    /// Gives a draft its form.
    pub fn compose(draft: Draft) -> Self {
        let mut head = Headers::default();
        let given = |name: &str| draft.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if !given("Date") {
            head.verbatim("Date", &draft.date.to_rfc2822());
        }
        head.mailboxes("From", std::slice::from_ref(&draft.from));
        head.mailboxes("Reply-To", &draft.reply_to);
        head.mailboxes("To", &draft.to);
        head.mailboxes("Cc", &draft.cc);
        if draft.to.is_empty() && draft.cc.is_empty() {
            head.verbatim("To", "undisclosed-recipients:;");
        }
        if let Some(subject) = &draft.subject {
            head.text("Subject", subject);
        }
        if !given("Message-ID") {
            head.verbatim("Message-ID", &draft.message_id);
        }
        // As unique as the Message-ID, and a line that neither base64 nor quoted-printable can contain.
        let unique: String = draft.message_id.chars().filter(char::is_ascii_alphanumeric).take(38).collect();
        let mut id = draft.message_id;
        for (name, value) in &draft.headers {
            if name.eq_ignore_ascii_case("Message-ID") {
                id.clone_from(value);
            }
            head.text(name, value);
        }
        head.verbatim("MIME-Version", "1.0");
        Self { head, id, text: draft.text, attachments: draft.attachments, boundary: format!("=_{unique}") }
    }

    /// The Message-ID with its brackets.
    pub fn message_id(&self) -> &str {
        &self.id
    }

    /// Whether the form for 8BITMIME differs from the one for all servers.
    pub fn has_eight_bit_form(&self) -> bool {
        self.text.encoding(true) == Encoding::EightBit
    }

    /// Hands the message in one of its forms to `sink`, block by block, all line ends CRLF, dots not stuffed.
    pub fn stream<E: From<io::Error>>(
        &mut self,
        eight_bit: bool,
        mut piece: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut sink = |block: &[u8]| piece(Piece::Raw(block));
        sink(self.head.as_bytes())?;
        if self.attachments.is_empty() {
            return self.stream_text(eight_bit, &mut sink);
        }
        sink(self.multipart_head(eight_bit).as_bytes())?;
        self.stream_text(eight_bit, &mut sink)?;
        let boundary = &self.boundary;
        for attachment in &mut self.attachments {
            sink(format!("\r\n--{boundary}\r\n{}", attachment.head()).as_bytes())?;
            attachment.stream(&mut sink)?;
        }
        sink(format!("\r\n--{boundary}--\r\n").as_bytes())
    }

    /// What stands between the header and the header of the text.
    fn multipart_head(&self, eight_bit: bool) -> String {
        // What contains a part with bytes over 127 must say so too (RFC 2045, section 6.4).
        let encoding = match self.text.encoding(eight_bit) {
            Encoding::EightBit => "Content-Transfer-Encoding: 8bit\r\n",
            _ => "",
        };
        let boundary = &self.boundary;
        format!("Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n{encoding}\r\n--{boundary}\r\n")
    }

    fn stream_text<E: From<io::Error>>(
        &mut self,
        eight_bit: bool,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (encoding, charset) = (self.text.encoding(eight_bit), self.text.charset());
        let head = format!(
            "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {}\r\n\r\n",
            encoding.name()
        );
        let mut out = head.into_bytes();
        let mut encoder = Encoder::new(encoding);
        self.text.blocks(|block| {
            encoder.push(block, &mut out);
            sink(&out)?;
            out.clear();
            Ok::<_, E>(())
        })?;
        encoder.finish(&mut out);
        sink(&out)
    }

    /// The size in bytes of one of the forms, as SIZE counts it (RFC 1870): with CRLF, without stuffed dots.
    ///
    /// The text is encoded for it once more; attachments are not read.
    pub fn size(&mut self, eight_bit: bool) -> io::Result<u64> {
        let (mut size, mut tail) = (self.head.as_bytes().len() as u64, [0; 1]);
        self.stream_text(eight_bit, &mut |block: &[u8]| {
            size += block.len() as u64;
            if let Some(last) = block.last() {
                tail = [*last];
            }
            Ok::<_, io::Error>(())
        })?;
        if !self.attachments.is_empty() {
            let line = format!("\r\n--{}\r\n", self.boundary).len() as u64;
            let parts = self.attachments.iter().map(|one| line + one.head().len() as u64 + one.encoded_size());
            return Ok(size + self.multipart_head(eight_bit).len() as u64 + parts.sum::<u64>() + line + 2);
        }
        // The last line gets its CRLF on the way.
        Ok(if tail == *b"\n" { size } else { size + 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8], headers: &[(&str, &str)]) -> Composition {
        Composition::compose(Draft {
            from: Mailbox::parse("Me <me@example.com>").unwrap(),
            reply_to: vec![],
            to: vec![],
            cc: vec![],
            subject: Some("Test".into()),
            date: DateTime::parse_from_rfc3339("2026-02-03T04:05:06-03:30").unwrap(),
            message_id: "<1@example.com>".into(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            text: Text::read(text).unwrap(),
            attachments: vec![],
        })
    }

    fn streamed(message: &mut Composition, eight_bit: bool) -> String {
        let mut all = Vec::new();
        message
            .stream(eight_bit, |piece| {
                all.extend_from_slice(piece.bytes());
                Ok::<_, io::Error>(())
            })
            .unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_header_has_its_fields_in_order_and_the_local_offset() {
        let head = streamed(&mut message(b"x\n", &[]), false);
        let expected = "Date: Tue, 3 Feb 2026 04:05:06 -0330\r\nFrom: Me <me@example.com>\r\n\
            To: undisclosed-recipients:;\r\nSubject: Test\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n";
        assert_eq!(head, expected);
    }

    #[test]
    fn a_given_date_and_message_id_replace_the_own_ones() {
        let mut message = message(b"", &[("Message-Id", "<x@y>"), ("date", "Thu, 1 Jan 1970 00:00:00 +0000")]);
        assert_eq!(message.message_id(), "<x@y>");
        let head = streamed(&mut message, false).to_ascii_lowercase();
        assert_eq!((head.matches("message-id:").count(), head.matches("date:").count()), (1, 1));
    }

    #[test]
    fn the_size_is_that_of_the_bytes_before_stuffing_with_a_complete_last_line() {
        for text in [&b"a\n"[..], b"a", b"", b".\n", "ü".repeat(9000).as_bytes()] {
            let mut message = message(text, &[]);
            for eight_bit in [false, true] {
                let mut sent = streamed(&mut message, eight_bit);
                if !sent.ends_with("\r\n") {
                    sent.push_str("\r\n");
                }
                assert_eq!(message.size(eight_bit).unwrap(), sent.len() as u64);
            }
        }
    }
}
