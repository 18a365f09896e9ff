//! A message with placeholders in header and texts, filled by each row of a table.
//!
//! Parts without placeholders keep their bytes. A field with placeholders is rewritten and encoded (RFC 2047, quoted
//! names); a text is decoded, filled, escaped in HTML, and encoded in UTF-8. Date and
//! Message-ID belong to one message, so the template's are dropped.

mod decode;
mod mailboxes;
mod text;

use super::encode::Encoder;
use super::headers::Headers;
use super::mime_walk::{Entity, Kind, Visitor, Walk};
use super::scan::TextScanner;
use super::text::Encoding;
use crate::proto::header::{self, Field, Header};
use crate::proto::mime::ContentType;

use mailboxes::ListMember;
pub use mailboxes::ListMemberError;
pub use text::{Columns, TemplateText, TemplateTextError};

/// Fields that hold addresses.
const ADDRESSES: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Errors-To",
    "Return-Receipt-To",
    "Disposition-Notification-To",
    "Mail-Followup-To",
    "Mail-Reply-To",
    "Return-Path",
];
/// Fields that belong to one message, or are not true of any other.
const DROPPED: [&str; 6] = ["Date", "Message-ID", "DKIM-Signature", "Received", "Return-Path", "Bcc"];
/// Fields that say who gets a copy.
const COPIES: [&str; 3] = ["Cc", "Bcc", "Resent-To"];

/// A template.
#[derive(Debug)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    /// Bytes that stay as they are.
    Raw(Vec<u8>),
    /// A field with text for people.
    Text(String, TemplateText),
    /// A field with addresses.
    Mailboxes(String, Vec<ListMember>),
    /// The header of a part without its transfer encoding, and its text.
    Body { head: Vec<u8>, text: TemplateText, html: bool },
}

/// Why a message is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A field or text with a mistake in it.
    #[error("{0}: {1}")]
    Text(String, TemplateTextError),
    /// Something with a placeholder in a charset that is not read.
    #[error("{0} has a {{column}} and is in another charset than UTF-8 or Latin-1; save it in UTF-8")]
    Charset(String),
    /// A placeholder within a signed part.
    #[error("a {{column}} stands in a signed part, and no signature would hold")]
    Signed,
    /// A field that names further recipients.
    #[error("it has a field {0}, and each message goes to the address of its row only")]
    Copies(&'static str),
    /// No header at all.
    #[error("it does not begin with a header field, so it is no message")]
    NoHeader,
    /// Names that no column has.
    #[error("no column is called {}; there are {}", .0.join(", "), .1.join(", "))]
    Missing(Vec<String>, Vec<String>),
}

/// Why a row does not fill a template.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct RowError {
    field: String,
    cause: ListMemberError,
}

impl Template {
    /// Reads a message for a table with these columns.
    pub fn parse(message: &[u8], mut columns: Columns) -> Result<Self, TemplateError> {
        let mut reader =
            Reader { columns: &mut columns, segments: Vec::new(), leaf: None, body: Vec::new(), wrong: None };
        let mut walk = Walk::default();
        walk.push(message, &mut reader);
        walk.finish(&mut reader);
        reader.end_leaf();
        let Reader { segments, wrong, .. } = reader;
        match wrong {
            Some(wrong) => Err(wrong),
            None if columns.missing.is_empty() => Ok(Self { segments }),
            None => Err(TemplateError::Missing(columns.missing.iter().cloned().collect(), columns.names().to_vec())),
        }
    }

    /// Whether a row fills the header.
    pub fn check(&self, row: &dyn Fn(usize) -> String) -> Result<(), RowError> {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Raw(_) | Segment::Body { .. } => Ok(()),
            _ => segment.field(row).map(drop),
        })
    }

    /// The message of a row. `first` are fields that go in front of all others.
    pub fn fill(&self, row: &dyn Fn(usize) -> String, first: &Headers) -> Result<Vec<u8>, RowError> {
        let mut out = first.as_bytes().to_vec();
        for segment in &self.segments {
            match segment {
                Segment::Raw(bytes) => out.extend_from_slice(bytes),
                Segment::Body { head, text, html } => body(head, &filled(text, *html, row), &mut out),
                _ => out.extend_from_slice(segment.field(row)?.as_bytes()),
            }
        }
        Ok(out)
    }

    /// Whether it has a field of this name.
    pub fn has(&self, wanted: &str) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Text(name, _) | Segment::Mailboxes(name, _) => name.eq_ignore_ascii_case(wanted),
            Segment::Raw(bytes) => {
                header::parse(bytes, true).is_some_and(|header| header.fields.iter().any(|field| field.is(wanted)))
            }
            Segment::Body { .. } => false,
        })
    }
}

impl Segment {
    fn field(&self, row: &dyn Fn(usize) -> String) -> Result<Headers, RowError> {
        let mut headers = Headers::default();
        match self {
            Self::Text(name, text) => {
                let wrong = |error: TemplateTextError| RowError { field: name.clone(), cause: error.into() };
                headers.text(name, text.line(row).map_err(wrong)?.trim());
            }
            Self::Mailboxes(name, members) => {
                let list = members.iter().map(|member| member.fill(row)).collect::<Result<Vec<_>, _>>();
                headers.mailboxes(name, &list.map_err(|cause| RowError { field: name.clone(), cause })?);
            }
            Self::Raw(_) | Self::Body { .. } => {}
        }
        Ok(headers)
    }
}

fn filled(text: &TemplateText, html: bool, row: &dyn Fn(usize) -> String) -> String {
    let write: fn(&str, &mut String) = if html { text::escape_html } else { |value, out| out.push_str(value) };
    text.fill(row, write)
}

/// A part in the shortest encoding that every server takes.
fn body(head: &[u8], text: &str, out: &mut Vec<u8>) {
    let facts = TextScanner::of(text.as_bytes());
    let encoding = match (facts.has_short_lines() && !facts.high, facts.prefers_base64()) {
        (true, _) => Encoding::SevenBit,
        (false, true) => Encoding::Base64,
        (false, false) => Encoding::QuotedPrintable,
    };
    out.extend_from_slice(head);
    out.extend_from_slice(format!("Content-Transfer-Encoding: {}\r\n\r\n", encoding.name()).as_bytes());
    let mut encoder = Encoder::new(encoding);
    encoder.push(text.as_bytes(), out);
    encoder.finish(out);
}

/// Takes a message apart.
struct Reader<'a> {
    columns: &'a mut Columns,
    segments: Vec<Segment>,
    /// The part whose body is being read.
    leaf: Option<Leaf>,
    body: Vec<u8>,
    /// The first thing that is wrong.
    wrong: Option<TemplateError>,
}

struct Leaf {
    entity: Entity,
    /// Its header with the empty line.
    raw: Vec<u8>,
    /// The same for a text in UTF-8, without transfer encoding and empty line.
    head: Vec<u8>,
    charset: Option<String>,
    html: bool,
}

impl Reader<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        match self.segments.last_mut() {
            Some(Segment::Raw(last)) => last.extend_from_slice(bytes),
            _ => self.segments.push(Segment::Raw(bytes.to_vec())),
        }
    }

    fn fail(&mut self, error: TemplateError) {
        self.wrong.get_or_insert(error);
    }

    /// A field of the message itself.
    fn field(&mut self, field: &Field<'_>) -> Result<(), TemplateError> {
        let name = String::from_utf8_lossy(field.name()).into_owned();
        if let Some(copies) = COPIES.iter().find(|copies| field.is(copies)) {
            return Err(TemplateError::Copies(copies));
        }
        let is_rewritten = !name.to_ascii_lowercase().starts_with("content-");
        let raw = field.unfolded();
        let value = String::from_utf8(raw).ok().and_then(|value| decode::words(&value));
        let has_brace = |text: &str| text.contains(['{', '}']);
        match value {
            Some(value) if is_rewritten && has_brace(&value) => {
                let wrong = |error| TemplateError::Text(name.clone(), error);
                if ADDRESSES.iter().any(|known| field.is(known)) {
                    let members = mailboxes::parse(&value, self.columns).map_err(wrong)?;
                    self.segments.push(Segment::Mailboxes(name, members));
                } else {
                    let text = TemplateText::parse(&value, false, self.columns).map_err(wrong)?;
                    self.segments.push(Segment::Text(name, text));
                }
            }
            None if is_rewritten && field.raw.contains(&b'{') => return Err(TemplateError::Charset(name)),
            _ if DROPPED.iter().any(|dropped| field.is(dropped)) => {}
            _ => self.raw(field.raw),
        }
        Ok(())
    }

    fn leaf_ended(&mut self, leaf: Leaf, bytes: &[u8]) -> Result<(), TemplateError> {
        let decoded = if leaf.entity.text { decode::body(bytes, leaf.entity.transfer) } else { None };
        let decoded = decoded.filter(|decoded| decoded.iter().any(|byte| matches!(byte, b'{' | b'}')));
        let is_text = leaf.entity.kind == Kind::Leaf;
        if let Some(decoded) = decoded.filter(|_| is_text) {
            let name = if leaf.html { "the HTML text" } else { "the text" };
            let text = decode::text(decoded, leaf.charset.as_deref());
            let text = text.ok_or_else(|| TemplateError::Charset(name.into()))?;
            let text = TemplateText::parse(&text, leaf.html, self.columns);
            let text = text.map_err(|error| TemplateError::Text(name.into(), error))?;
            if leaf.entity.signed && text.has_places() {
                return Err(TemplateError::Signed);
            }
            self.segments.push(Segment::Body { head: leaf.head, text, html: leaf.html });
            return Ok(());
        }
        self.raw(&leaf.raw);
        self.raw(bytes);
        Ok(())
    }
}

impl Visitor for Reader<'_> {
    fn head(&mut self, entity: &Entity, header: &Header<'_>, raw: &[u8]) {
        let is_first = self.segments.is_empty() && entity.message;
        let of_part = |field: &&Field<'_>| {
            let name = String::from_utf8_lossy(field.name()).to_ascii_lowercase();
            name.starts_with("content-") || name == "mime-version"
        };
        let mut fields: Vec<&Field<'_>> = header.fields.iter().collect();
        let mut raw = raw.to_vec();
        if is_first {
            if fields.is_empty() {
                self.fail(TemplateError::NoHeader);
            }
            // Even a message with nothing else in it begins with what was read.
            self.segments.push(Segment::Raw(Vec::new()));
            for field in fields.iter().filter(|field| !of_part(field)) {
                self.field(field).unwrap_or_else(|error| self.fail(error));
            }
            fields.retain(of_part);
            raw = fields.iter().flat_map(|field| ended(field.raw)).chain(*b"\r\n").collect();
        }
        if entity.kind != Kind::Leaf {
            self.raw(&raw);
            return;
        }
        let value = header.fields.iter().find(|field| field.is("Content-Type")).map(Field::unfolded);
        let essence = ContentType::of(header).map(|kind| kind.essence);
        let (kind, charset) = in_utf8(&value.map_or_else(|| "text/plain".into(), |value| lossy(&value)));
        let mut head: Vec<u8> = Vec::new();
        for field in fields.iter().filter(|field| !field.is("Content-Type") && !field.is("Content-Transfer-Encoding")) {
            head.extend(ended(field.raw));
        }
        if is_first && !fields.iter().any(|field| field.is("MIME-Version")) {
            head.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        head.extend_from_slice(format!("Content-Type: {kind}\r\n").as_bytes());
        let html = essence.as_deref() == Some("text/html");
        self.leaf = Some(Leaf { entity: entity.clone(), raw, head, charset, html });
    }

    fn leaf(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    fn end_leaf(&mut self) {
        let body = std::mem::take(&mut self.body);
        if let Some(leaf) = self.leaf.take() {
            self.leaf_ended(leaf, &body).unwrap_or_else(|error| self.fail(error));
        }
    }

    fn boundary(&mut self, bytes: &[u8]) {
        self.raw(bytes);
    }

    fn preamble(&mut self, bytes: &[u8]) {
        self.raw(bytes);
    }
}

/// A field with its line end.
fn ended(raw: &[u8]) -> Vec<u8> {
    let end: &[u8] = if raw.ends_with(b"\n") || raw.ends_with(b"\r") { b"" } else { b"\r\n" };
    [raw, end].concat()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The value of Content-Type with UTF-8 as its charset, and the one that it had.
fn in_utf8(value: &str) -> (String, Option<String>) {
    let (mut kept, mut charset, mut quoted, mut part) = (Vec::new(), None, false, String::new());
    for character in value.chars().chain([';']) {
        match character {
            ';' if !quoted => {
                let parameter = part.trim();
                match parameter.split_once('=') {
                    Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                        charset = Some(value.trim().trim_matches('"').to_owned());
                    }
                    _ if parameter.is_empty() => {}
                    _ => kept.push(parameter.to_owned()),
                }
                part.clear();
                continue;
            }
            '"' => quoted = !quoted,
            _ => {}
        }
        part.push(character);
    }
    kept.insert(kept.len().min(1), "charset=utf-8".to_owned());
    (kept.join(";\r\n "), charset)
}

#[cfg(test)]
mod tests;
