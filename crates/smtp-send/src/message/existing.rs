//! An existing message (RFC 5322): from a file for `--eml`, from standard input in sendmail mode.
//!
//! It is read to its end once, before anything is sent, for its size, its envelope and the form of its parts; then it is
//! streamed from where it is. A file is named, not held: ten thousand of them may wait. Bytes that need no change are not
//! changed.

use std::io::{self, Read};
use std::path::Path;

use chrono::{DateTime, FixedOffset};
use common::Error;

use super::Piece;
use super::envelope_fields::{FieldError, HeaderEnvelope};
use super::headers::Headers;
use super::mbox::MboxMessage;
use super::mime_walk::Walk;
use super::regular_file::FileVersion;
use super::scan::{MAX_LINE, TextProfile, TextScanner};
use super::source::Source;
use super::spool::SpoolError;
use super::transfer_encoding::{EncodingPlan, EncodingPlanner, Recoder};
use crate::errors;
use crate::proto::address::{Address, Mailbox};
use crate::proto::command::BodyForm;
use crate::proto::dot::LineEnds;
use crate::proto::header::{self, Header, MAX_HEADER};
use crate::proto::mime::Transfer;

/// Bytes read at once.
const BLOCK: usize = 48 * 1024;

/// What is changed in the header of an existing message. The default changes nothing.
///
/// In any case a line `From ...` of a mailbox file in front of the header is dropped, a blank line that is missing between
/// header and body is added, and a field with a line over 998 bytes is folded at its blanks.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Remove Bcc and Resent-Bcc. When that leaves no field with recipients, `To: undisclosed-recipients:;` is added.
    pub remove_bcc: bool,
    /// The author with the name to show, added when there is no field From.
    pub from: Option<Mailbox>,
    /// The time, added when there is no field Date.
    pub date: Option<DateTime<FixedOffset>>,
    /// A Message-ID with its brackets, added when there is none.
    pub message_id: Option<String>,
}

impl Edits {
    /// Appends the fields that `header` lacks.
    fn added(&self, header: &Header<'_>) -> Headers {
        let has = |name: &str| header.fields.iter().any(|field| field.is(name));
        let mut added = Headers::default();
        if let Some(date) = self.date.filter(|_| !has("Date")) {
            added.verbatim("Date", &date.to_rfc2822());
        }
        if let Some(from) = self.from.as_ref().filter(|_| !has("From")) {
            added.mailboxes("From", std::slice::from_ref(from));
        }
        if self.remove_bcc && !has("To") && !has("Cc") && has("Bcc") {
            added.verbatim("To", "undisclosed-recipients:;");
        }
        if let Some(id) = self.message_id.as_ref().filter(|_| !has("Message-ID")) {
            added.verbatim("Message-ID", id);
        }
        added
    }
}

/// Why an existing message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExistingMessageError {
    /// It cannot be read, or not kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The header has no end within a megabyte.
    #[error("its header is longer than {MAX_HEADER} bytes")]
    EndlessHeader,
    /// It has more parts than a message can have.
    #[error("it has too many parts")]
    TooManyParts,
}

impl From<io::Error> for ExistingMessageError {
    fn from(cause: io::Error) -> Self {
        Self::Spool(SpoolError::Read(cause))
    }
}

impl ExistingMessageError {
    /// What to tell about the message that is called `name`: a file, or standard input.
    pub fn into_error(self, name: impl std::fmt::Display) -> Error {
        match self {
            Self::Spool(error) => error.into_error("read", name),
            Self::EndlessHeader | Self::TooManyParts => errors::malformed(name, self),
        }
    }
}

/// A existing message.
#[derive(Debug)]
pub struct ExistingMessage {
    source: Source,
    head: Head,
    body: TextProfile,
    origin: HeaderEnvelope,
    /// What its parts need, where some of them cannot go to every server as they are.
    plan: EncodingPlan,
}

/// Where the header is and what becomes of it.
#[derive(Debug)]
struct Head {
    /// Bytes in front of it: the line of a mailbox file.
    skipped: usize,
    /// Its bytes with the empty line.
    length: usize,
    /// Whether there is any field in the file.
    has_fields: bool,
    remove_bcc: bool,
    /// Fields that are added at its end.
    added: Headers,
    /// What its bytes are as they are sent, with the empty line.
    sent: TextProfile,
    /// Whether it says that line ends of the body are bytes like others.
    binary: bool,
}

impl ExistingMessage {
    /// Looks at the message in a file, which is opened again when the message is streamed. Nothing of it is kept open.
    pub fn open(path: &Path, edits: &Edits) -> Result<Self, ExistingMessageError> {
        Self::look(Source::file(path)?, edits)
    }

    /// Looks at a message in a mailbox file, which stays open.
    pub fn extract(extract: MboxMessage, edits: &Edits) -> Result<Self, ExistingMessageError> {
        Self::look(Source::Piece(extract), edits)
    }

    /// Takes a message that was made here.
    pub fn own(message: Vec<u8>, edits: &Edits) -> Result<Self, ExistingMessageError> {
        Self::look(Source::Own(message), edits)
    }

    /// Reads a message from a stream to its end and keeps it, in memory or, beyond a megabyte, in a temporary file.
    pub fn read(stream: impl Read, edits: &Edits) -> Result<Self, ExistingMessageError> {
        Self::look(Source::keep(stream)?, edits)
    }

    fn look(mut source: Source, edits: &Edits) -> Result<Self, ExistingMessageError> {
        let (head, origin, body) = source.with(|input| {
            let start = Start::read(input)?;
            let (skipped, header) = start.header();
            let added = edits.added(&header);
            let length = header.length;
            let mut head = Head {
                skipped,
                length,
                has_fields: !header.fields.is_empty(),
                remove_bcc: edits.remove_bcc,
                added,
                sent: TextProfile::default(),
                binary: Transfer::of(&header) == Transfer::Binary,
            };
            let sent = head.edited(&header);
            head.sent = TextScanner::of(&sent);
            let mut origin = HeaderEnvelope::of(&header);
            if let Some(sent) = header::parse(&sent, true) {
                // What was added counts too, and Bcc was needed although it is gone now.
                origin = HeaderEnvelope { recipients: origin.recipients, ..HeaderEnvelope::of(&sent) };
            }
            let mut scan = TextScanner::default();
            scan.push(&start.bytes[skipped + length..]);
            each_block(input, |block| {
                scan.push(block);
                Ok::<_, ExistingMessageError>(())
            })?;
            Ok::<_, ExistingMessageError>((head, origin, scan.finish()))
        })?;
        let mut seen = Self { source, head, body, origin, plan: EncodingPlan::default() };
        if seen.body.high || !seen.body.has_short_lines() || seen.head.binary {
            seen.plan = seen.planned()?;
        }
        Ok(seen)
    }

    fn planned(&mut self) -> Result<EncodingPlan, ExistingMessageError> {
        let (mut walk, mut planner) = (Walk::default(), EncodingPlanner::default());
        self.pieces(|piece| {
            walk.push(piece.bytes(), &mut planner);
            Ok::<_, ExistingMessageError>(())
        })?;
        walk.finish(&mut planner);
        let plan = planner.finish();
        if plan.endless { Err(ExistingMessageError::TooManyParts) } else { Ok(plan) }
    }

    /// The version of its file; `None` when the message is not a whole file.
    pub fn version(&self) -> Option<&FileVersion> {
        self.source.version()
    }

    /// Whether it begins with a header field. Only sendmail mode accepts a text without one.
    pub fn has_header(&self) -> bool {
        self.head.has_fields
    }

    /// The recipients that the header names, each once: To, Cc and Bcc, or those of the newest block of Resent- fields
    /// when there is one. Bcc counts whether or not it is removed.
    pub fn recipients(&self) -> Result<&[Address], &FieldError> {
        self.origin.recipients.as_deref()
    }

    /// Who is responsible for the sending: (Resent-)Sender, else the first in (Resent-)From, an added one included.
    pub fn author(&self) -> Result<Option<&Address>, &FieldError> {
        self.origin.author.as_ref().map(Option::as_ref)
    }

    /// The Message-ID as it is written, an added one included; empty when there is none.
    pub fn message_id(&self) -> &str {
        &self.origin.message_id
    }

    /// Whether the message has this form, different from the others. Parts keep their encoding, so none is binary.
    pub fn has_form(&self, form: BodyForm) -> bool {
        match form {
            BodyForm::SevenBit => true,
            BodyForm::EightBit => self.body.high || self.needs_smtputf8(),
            BodyForm::Binary => false,
        }
    }

    /// Whether the header, or that of a part, holds bytes over 127, which only a server with SMTPUTF8 takes (RFC 6532).
    pub fn needs_smtputf8(&self) -> bool {
        self.head.sent.high || self.plan.high_header
    }

    /// The size in bytes of one of the forms, as SIZE counts it (RFC 1870): with CRLF, without stuffed dots.
    ///
    /// The message is read only when parts have to be re-encoded.
    pub fn size(&mut self, form: BodyForm) -> io::Result<u64> {
        if !self.plan.is_needed(form) {
            return Ok(self.head.sent.canonical_size + self.body.canonical_size);
        }
        let (mut size, mut ends, mut lines) = (0, LineEnds::default(), Vec::new());
        let mut complete = true;
        self.recoded(form, |piece| {
            lines.clear();
            ends.push(piece.bytes(), &mut lines);
            size += lines.len() as u64;
            complete = lines.last().map_or(complete, |last| *last == b'\n');
            Ok::<_, io::Error>(())
        })?;
        // The last line gets its CRLF on the way.
        Ok(if complete { size } else { size + 2 })
    }

    /// Passes the message in one of its forms to `sink`, dots not stuffed.
    ///
    /// Parts that may not go as they are go in quoted-printable or base64: those with lines over 998 bytes in
    /// every form, those with bytes over 127 in the 7-bit form. A file that has changed since it was first read, or changes
    /// meanwhile, is an error, also after its last block.
    pub fn stream<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        sink: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.plan.is_needed(form) {
            return self.pieces(sink);
        }
        if self.plan.breaks_signature(form) {
            log::warn!(
                "a signature in {} is broken: a part was re-encoded for this server",
                if self.message_id().is_empty() { "the message" } else { self.message_id() }
            );
        }
        self.recoded(form, sink)
    }

    /// The message with its edits and no other change.
    fn pieces<E: From<io::Error>>(&mut self, mut sink: impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let head = &self.head;
        self.source.with(|input| {
            let start = Start::exactly(input, head.skipped + head.length)?;
            let (_, header) = start.header();
            sink(Piece::Raw(&head.edited(&header)))?;
            each_block(input, |block| sink(Piece::Raw(block)))
        })
    }

    /// The message with its parts encoded as they have to be.
    fn recoded<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let plan = std::mem::take(&mut self.plan);
        let (mut walk, mut recoder) = (Walk::default(), Recoder::new(&plan, form));
        let streamed = self.pieces(|piece| {
            walk.push(piece.bytes(), &mut recoder);
            sink(Piece::Raw(&recoder.out))?;
            recoder.out.clear();
            Ok(())
        });
        let ended = streamed.and_then(|()| {
            walk.finish(&mut recoder);
            sink(Piece::Raw(&recoder.out))
        });
        self.plan = plan;
        ended
    }
}

impl Head {
    /// The header as it is sent, with the empty line behind it. Fields keep their line ends.
    fn edited(&self, header: &Header<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length + 256);
        for field in &header.fields {
            if self.remove_bcc && (field.is("Bcc") || field.is("Resent-Bcc")) {
                continue;
            }
            // The final delivery writes Return-Path (RFC 5321, section 4.4); Content-Length is for mailbox files.
            if field.is("Return-Path") || field.is("Content-Length") {
                continue;
            }
            if field.raw.len() as u64 > MAX_LINE && !TextScanner::of(field.raw).has_short_lines() {
                out.extend_from_slice(&header::folded(field.raw));
                continue;
            }
            out.extend_from_slice(field.raw);
            if !field.raw.ends_with(b"\n") && !field.raw.ends_with(b"\r") {
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(self.added.as_bytes());
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// The first bytes of a message, with all of its header among them.
struct Start {
    bytes: Vec<u8>,
    /// Whether nothing comes behind them.
    whole: bool,
}

impl Start {
    /// Reads as much as the header needs.
    fn read(input: &mut dyn Read) -> Result<Self, ExistingMessageError> {
        // Most messages are this small; a larger one lets it grow.
        let mut start = Self { bytes: Vec::with_capacity(8 * 1024), whole: false };
        let mut wanted = BLOCK;
        loop {
            let missing = (wanted - start.bytes.len()) as u64;
            input.take(missing).read_to_end(&mut start.bytes)?;
            start.whole = start.bytes.len() < wanted;
            match header::parse(&start.bytes[start.skipped()..], start.whole) {
                Some(header) if header.length <= MAX_HEADER => return Ok(start),
                None if wanted <= MAX_HEADER => {}
                _ => return Err(ExistingMessageError::EndlessHeader),
            }
            wanted *= 2;
        }
    }

    /// Reads a header whose length is known.
    fn exactly(input: &mut dyn Read, length: usize) -> io::Result<Self> {
        let mut bytes = vec![0; length];
        input.read_exact(&mut bytes)?;
        Ok(Self { bytes, whole: true })
    }

    /// The header, and the number of bytes in front of it.
    fn header(&self) -> (usize, Header<'_>) {
        let skipped = self.skipped();
        let none = Header { fields: Vec::new(), length: 0, separated: false };
        (skipped, header::parse(&self.bytes[skipped..], self.whole).unwrap_or(none))
    }

    /// Bytes of the line that a mailbox file puts in front of a message; `From : x` is a field.
    fn skipped(&self) -> usize {
        let is_field = header::parse(&self.bytes, true).is_some_and(|header| !header.fields.is_empty());
        if !self.bytes.starts_with(b"From ") || is_field {
            return 0;
        }
        match memchr::memchr2(b'\r', b'\n', &self.bytes) {
            None => self.bytes.len(),
            Some(end) => end + if self.bytes[end..].starts_with(b"\r\n") { 2 } else { 1 },
        }
    }
}

/// Hands everything that is left to `sink`, block by block.
fn each_block<E: From<io::Error>>(input: &mut dyn Read, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut block = vec![0; BLOCK];
    loop {
        match input.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(length) => sink(&block[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
