//! A message with a DKIM-Signature field in front (RFC 6376).
//!
//! It is read twice, in the form in which it will be sent: once for the digest of its body, once on its way. Memory does not
//! grow with it, and what is not the same both times is not completed.

use std::io;
use std::sync::Arc;

use super::{Message, Piece};
use crate::message::dkim_signer::{BodyHash, Signer};
use crate::proto::command::BodyForm;
use crate::proto::dkim::RelaxedBody;
use crate::proto::dot::LineEnds;
use crate::proto::header;

/// A message that is signed on its way.
#[derive(Debug)]
pub struct Signed {
    message: Message,
    signer: Arc<Signer>,
}

impl Signed {
    /// `message`, to be signed by `signer`.
    pub fn new(message: Message, signer: Arc<Signer>) -> Self {
        Self { message, signer }
    }

    /// The message itself.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message without the signature.
    pub fn into_message(self) -> Message {
        self.message
    }

    pub(super) fn size(&mut self, form: BodyForm) -> io::Result<u64> {
        let signature = self.header(form, Signer::length)?;
        Ok(self.message.size(form)? + signature as u64)
    }

    pub(super) fn stream<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut first = Reading::default();
        self.message.stream(form, |piece| {
            first.push(piece);
            Ok::<_, io::Error>(())
        })?;
        let body_hash = first.finish();
        let field = self.header(form, |signer, fields| signer.sign(fields, &body_hash))??;
        sink(Piece::Raw(field.as_bytes()))?;
        let mut second = Reading::default();
        self.message.stream(form, |piece| {
            second.push(piece);
            sink(piece)
        })?;
        if second.finish() == body_hash {
            return Ok(());
        }
        Err(io::Error::other("it was changed while it was being signed and sent").into())
    }

    /// Shows the fields of the header as they will be sent.
    fn header<T>(&mut self, form: BodyForm, look: impl FnOnce(&Signer, &[header::Field<'_>]) -> T) -> io::Result<T> {
        let mut bytes = Vec::new();
        let read = self.message.stream(form, |piece| {
            bytes.extend_from_slice(piece.bytes());
            // That is all that is wanted.
            if header::parse(&bytes, false).is_some() { Err(Stop::Seen) } else { Ok(()) }
        });
        if let Err(Stop::Failed(error)) = read {
            return Err(error);
        }
        let fields = header::parse(&bytes, true).map(|header| header.fields).unwrap_or_default();
        Ok(look(&self.signer, &fields))
    }
}

enum Stop {
    Seen,
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// One reading of a message, of whose body a digest is made.
#[derive(Default)]
struct Reading {
    /// The header as far as it has come; none behind it.
    header: Option<Vec<u8>>,
    in_body: bool,
    ends: LineEnds,
    lines: Vec<u8>,
    body: RelaxedBody,
    hash: BodyHash,
    /// The relaxed form, gathered to be digested at once.
    relaxed: Vec<u8>,
}

/// Bytes digested at once.
const GATHERED: usize = 16 * 1024;

impl Reading {
    fn push(&mut self, piece: Piece<'_>) {
        if self.in_body {
            return self.body(piece);
        }
        let header = self.header.get_or_insert_default();
        header.extend_from_slice(piece.bytes());
        let Some(length) = header::parse(header, false).map(|header| header.length) else { return };
        let bytes = self.header.take().unwrap_or_default();
        self.in_body = true;
        self.body(Piece::Raw(&bytes[length..]));
    }

    fn body(&mut self, piece: Piece<'_>) {
        self.lines.clear();
        let (lines, relaxed, hash) = (&mut self.lines, &mut self.relaxed, &mut self.hash);
        let mut gather = |bytes: &[u8]| {
            if relaxed.len() + bytes.len() > GATHERED {
                hash.update(relaxed);
                relaxed.clear();
            }
            if bytes.len() > GATHERED { hash.update(bytes) } else { relaxed.extend_from_slice(bytes) }
        };
        match piece {
            Piece::Canonical(bytes) if is_plain(bytes) => {
                self.ends.push_canonical(bytes, lines);
                self.body.push_plain(lines, &mut gather);
            }
            Piece::Canonical(bytes) => {
                self.ends.push_canonical(bytes, lines);
                self.body.push(lines, &mut gather);
            }
            // Never binary: what is signed has lines.
            Piece::Raw(bytes) | Piece::Binary(bytes) => {
                self.ends.push(bytes, lines);
                self.body.push(lines, &mut gather);
            }
        }
    }

    fn finish(mut self) -> String {
        if !self.in_body {
            let rest = self.header.take().unwrap_or_default();
            let length = header::parse(&rest, true).map_or(rest.len(), |header| header.length);
            self.body(Piece::Raw(&rest[length..]));
        }
        let mut end = Vec::new();
        std::mem::take(&mut self.ends).finish(&mut end);
        self.body.push(&end, &mut |bytes: &[u8]| self.relaxed.extend_from_slice(bytes));
        self.hash.update(&self.relaxed);
        self.hash.finish()
    }
}

/// Whether whole lines have no blank, and none of them is empty.
fn is_plain(lines: &[u8]) -> bool {
    !lines.is_empty()
        && memchr::memchr2(b' ', b'\t', lines).is_none()
        && !lines.starts_with(b"\r")
        && memchr::memmem::find(lines, b"\r\n\r").is_none()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use aws_lc_rs::signature::Ed25519KeyPair;
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::message::{Edits, ExistingMessage};

    fn signer(folder: &tempfile::TempDir) -> Arc<Signer> {
        let key = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        let text = BASE64_STANDARD.encode(key.as_ref());
        let file = folder.path().join("key.pem");
        fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Arc::new(Signer::read("example.org", "s1", &file).unwrap())
    }

    fn signed(folder: &tempfile::TempDir, body: &str) -> (std::path::PathBuf, Signed) {
        let file = folder.path().join("message.eml");
        fs::write(&file, format!("From: me@example.org\n\n{body}")).unwrap();
        let ready = ExistingMessage::open(&file, &Edits::default()).unwrap();
        (file, Signed::new(Message::Existing(Box::new(ready)), signer(folder)))
    }

    #[test]
    fn a_message_that_is_another_one_on_its_way_is_not_completed() {
        let folder = tempfile::TempDir::new().unwrap();
        let body = "a line of text\n".repeat(20_000);
        let (file, mut signed) = signed(&folder, &body);
        let mut pieces = 0;
        let sent = signed.stream(BodyForm::SevenBit, |_| {
            pieces += 1;
            if pieces == 2 {
                // In place and of the same size: some of it is already on its way.
                let text = fs::read_to_string(&file).unwrap();
                fs::write(&file, text.replace("text", "TEXT")).unwrap();
            }
            Ok::<_, io::Error>(())
        });
        assert!(sent.is_err() && pieces > 2, "{pieces}");
    }

    #[test]
    fn the_size_is_that_of_what_is_sent() {
        let folder = tempfile::TempDir::new().unwrap();
        for body in ["", "x", "x\n\n\n", " \n"] {
            let (_, mut signed) = signed(&folder, body);
            let mut sent = Vec::new();
            let streamed = signed.stream(BodyForm::SevenBit, |piece| {
                sent.extend_from_slice(piece.bytes());
                Ok::<_, io::Error>(())
            });
            streamed.unwrap();
            let (mut ends, mut wire) = (LineEnds::default(), Vec::new());
            ends.push(&sent, &mut wire);
            ends.finish(&mut wire);
            assert_eq!(signed.size(BodyForm::SevenBit).unwrap(), wire.len() as u64, "{body:?}");
        }
    }
}
