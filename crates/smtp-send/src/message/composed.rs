//! A message out of its parts: header, encoded text, attachments (RFC 5322, RFC 2045, RFC 2046).
//!
//! A message has one form for servers with 8BITMIME and one for all others; the session picks. Both are streamed from the
//! kept text, so sending twice needs no second copy. Bcc is never part of a message.

use std::io;

use chrono::{DateTime, FixedOffset};

use super::Piece;
use super::attach::Attachment;
use super::extra_field::Extra;
use super::headers::Headers;
use super::part::Part;
use super::text::Text;
use crate::proto::address::Mailbox;
use crate::proto::command::BodyForm;

/// The parts of a message to compose.
#[derive(Debug)]
pub struct Draft {
    /// The author.
    pub from: Mailbox,
    /// Reply-To; `None`: the author.
    pub reply_to: Vec<Mailbox>,
    /// Recipients named in the header.
    pub to: Vec<Mailbox>,
    /// More of those.
    pub cc: Vec<Mailbox>,
    /// The subject, any script; `None` writes none.
    pub subject: Option<String>,
    /// When it was written, with the offset of the writer.
    pub date: DateTime<FixedOffset>,
    /// Unique for all time, with its brackets.
    pub message_id: String,
    /// Further fields in the order given.
    pub headers: Vec<Extra>,
    /// The plain text.
    pub text: Text,
    /// The same in HTML.
    pub html: Option<HtmlBody>,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A text in HTML with the pictures that it shows.
#[derive(Debug)]
pub struct HtmlBody {
    /// The text.
    pub text: Text,
    /// Files whose Content-ID it names.
    pub inline: Vec<Attachment>,
}

/// A composed message.
#[derive(Debug)]
pub struct ComposedMessage {
    head: Headers,
    id: String,
    body: Part,
}

impl ComposedMessage {
    /// Gives a draft its form.
    pub fn compose(draft: Draft) -> Self {
        let (head, id) = header(&draft);
        // As unique as the Message-ID, and a line that neither base64 nor quoted-printable can contain.
        let unique: String = draft.message_id.chars().filter(char::is_ascii_alphanumeric).take(38).collect();
        let multipart = |subtype: &'static str, parts: Vec<Part>| {
            // The boundaries of parts within parts must differ: none may be the beginning of another one.
            let boundary = format!("=_{}_{unique}", &subtype[..1]);
            Part::Multipart { subtype, boundary, parts }
        };
        let files = |files: Vec<Attachment>| files.into_iter().map(Part::File);
        let mut body = Part::Text { subtype: "plain", text: draft.text };
        if let Some(HtmlBody { text, inline }) = draft.html {
            let mut html = Part::Text { subtype: "html", text };
            if !inline.is_empty() {
                html = multipart("related", std::iter::once(html).chain(files(inline)).collect());
            }
            body = multipart("alternative", vec![body, html]);
        }
        if !draft.attachments.is_empty() {
            body = multipart("mixed", std::iter::once(body).chain(files(draft.attachments)).collect());
        }
        Self { head, id, body }
    }

    /// The Message-ID with its brackets.
    pub fn message_id(&self) -> &str {
        &self.id
    }

    /// Whether the header holds UTF-8 (RFC 6532): an address needs it, all else is encoded.
    pub fn needs_smtputf8(&self) -> bool {
        !self.head.as_bytes().is_ascii()
    }

    /// Whether the message has this form, different from the others: without files there is no binary one.
    pub fn has_form(&self, form: BodyForm) -> bool {
        match form {
            BodyForm::SevenBit => true,
            BodyForm::EightBit => self.body.has_eight_bit_form(),
            BodyForm::Binary => self.body.has_files(),
        }
    }

    /// Passes the message in one of its forms to `sink`, piece by piece, dots not stuffed.
    pub fn stream<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        sink(Piece::Raw(self.head.as_bytes()))?;
        self.body.stream(form, &mut sink)
    }

    /// The size in bytes of one of the forms, as SIZE counts it (RFC 1870): with CRLF, without stuffed dots.
    ///
    /// Texts are encoded for it once more; attachments are not read.
    pub fn size(&mut self, form: BodyForm) -> io::Result<u64> {
        let (size, complete) = self.body.size(form)?;
        // The last line gets its CRLF on the way.
        Ok(self.head.as_bytes().len() as u64 + size + if complete { 0 } else { 2 })
    }
}

/// The fields in front of those that follow from the body, and the Message-ID.
fn header(draft: &Draft) -> (Headers, String) {
    let mut head = Headers::default();
    let given = |name: &str| draft.headers.iter().find(|field| field.name().eq_ignore_ascii_case(name));
    if given("Date").is_none() {
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
    let id = if let Some(Extra::Structured(_, id)) = given("Message-ID") {
        id
    } else {
        head.verbatim("Message-ID", &draft.message_id);
        &draft.message_id
    };
    for field in &draft.headers {
        match field {
            Extra::Text(name, value) => head.text(name, value),
            Extra::Structured(name, value) => head.folded(name, value),
            Extra::Mailboxes(name, list) => head.mailboxes(name, list),
        }
    }
    head.verbatim("MIME-Version", "1.0");
    (head, id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8], headers: &[(&str, &str)]) -> ComposedMessage {
        ComposedMessage::compose(Draft {
            from: Mailbox::parse("Me <me@example.com>").unwrap(),
            reply_to: vec![],
            to: vec![],
            cc: vec![],
            subject: Some("Test".into()),
            date: DateTime::parse_from_rfc3339("2026-02-03T04:05:06-03:30").unwrap(),
            message_id: "<1@example.com>".into(),
            headers: headers.iter().map(|(name, value)| Extra::new(name, value).unwrap()).collect(),
            text: Text::read(text).unwrap(),
            html: None,
            attachments: vec![],
        })
    }

    fn streamed(message: &mut ComposedMessage, form: BodyForm) -> String {
        let mut all = Vec::new();
        message
            .stream(form, |piece| {
                all.extend_from_slice(piece.bytes());
                Ok::<_, io::Error>(())
            })
            .unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_header_has_its_fields_in_order_and_the_local_offset() {
        let head = streamed(&mut message(b"x\n", &[]), BodyForm::SevenBit);
        let expected = "Date: Tue, 3 Feb 2026 04:05:06 -0330\r\nFrom: Me <me@example.com>\r\n\
            To: undisclosed-recipients:;\r\nSubject: Test\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n";
        assert_eq!(head, expected);
    }

    #[test]
    fn a_given_date_and_message_id_replace_the_own_ones() {
        let mut message = message(b"", &[("Message-Id", "<x@y>"), ("date", "Thu, 1 Jan 1970 00:00:00 +0000")]);
        assert_eq!(message.message_id(), "<x@y>");
        let head = streamed(&mut message, BodyForm::SevenBit).to_ascii_lowercase();
        assert_eq!((head.matches("message-id:").count(), head.matches("date:").count()), (1, 1));
    }

    #[test]
    fn the_size_is_that_of_the_bytes_before_stuffing_with_a_complete_last_line() {
        for text in [&b"a\n"[..], b"a", b"", b".\n", "ü".repeat(9000).as_bytes()] {
            let mut message = message(text, &[]);
            for form in [BodyForm::SevenBit, BodyForm::EightBit] {
                let mut sent = streamed(&mut message, form);
                if !sent.ends_with("\r\n") {
                    sent.push_str("\r\n");
                }
                assert_eq!(message.size(form).unwrap(), sent.len() as u64);
            }
        }
    }
}
