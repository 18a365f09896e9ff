//! The message (RFC 5322, MIME by RFC 2045 to 2047): composed once, then streamed as often as it is needed.
//!
//! Nothing here knows of a connection. A body is read to its end before anything is sent, because its bytes decide how it
//! is encoded; beyond a bound it waits in an unlinked temporary file, so memory stays small whatever its size.

pub mod attach;
pub mod composed;
mod dkim_signed;
pub mod dkim_signer;
pub mod encode;
mod envelope_fields;
pub mod existing;
mod extra_field;
pub mod headers;
pub mod html;
pub mod mbox;
mod mime_walk;
mod outgoing;
mod part;
pub mod regular_file;
pub mod scan;
mod source;
pub mod spool;
pub mod template;
pub mod text;
mod transfer_encoding;

use std::io;
use std::sync::Arc;

use crate::proto::command::BodyForm;

pub use attach::Attachment;
pub use composed::{ComposedMessage, Draft, HtmlBody};
pub use dkim_signed::Signed;
use dkim_signer::Signer;
pub use envelope_fields::FieldError;
pub use existing::{Edits, ExistingMessage, ExistingMessageError};
pub use extra_field::Extra;
pub use html::Html;
pub use mbox::Mbox;
pub use outgoing::OutgoingMessage;
pub use spool::SpoolError;
pub use template::Template;
pub use text::Text;

/// A message that can be sent, as often as it is needed.
#[derive(Debug)]
pub enum Message {
    /// Made from options.
    Composed(Box<ComposedMessage>),
    /// An existing message.
    Existing(Box<ExistingMessage>),
    /// One of these, signed.
    Signed(Box<Signed>),
}

/// A piece of a message on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Whole lines of at most 998 bytes, each with its CRLF, none of which begins with a dot. The piece before it ended with
    /// a line end, too. Such bytes may be sent as they are.
    Canonical(&'a [u8]),
    /// Any bytes: line ends are to be made CRLF and dots to be stuffed.
    Raw(&'a [u8]),
    /// Any bytes, none of which may be changed: the content of a file, in the form for BINARYMIME.
    Binary(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// The bytes, whatever they are.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Canonical(bytes) | Self::Raw(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

impl Message {
    /// The message with a signature of `signer`, if there is one.
    #[must_use]
    pub fn signed_by(self, signer: Option<&Arc<Signer>>) -> Self {
        match signer {
            Some(signer) => Self::Signed(Box::new(Signed::new(self, Arc::clone(signer)))),
            None => self,
        }
    }

    /// The Message-ID with its brackets; empty when an existing message has none.
    pub fn message_id(&self) -> &str {
        match self {
            Self::Composed(message) => message.message_id(),
            Self::Existing(message) => message.message_id(),
            Self::Signed(signed) => signed.message().message_id(),
        }
    }

    /// Whether the message has this form, different from the others; every message has a 7-bit form.
    pub fn has_form(&self, form: BodyForm) -> bool {
        match self {
            Self::Composed(message) => message.has_form(form),
            Self::Existing(message) => message.has_form(form),
            // A signature covers lines (RFC 6376, section 5.3).
            Self::Signed(signed) => form != BodyForm::Binary && signed.message().has_form(form),
        }
    }

    /// Whether the header holds bytes over 127, so that only a server with SMTPUTF8 may get it (RFC 6532).
    pub fn needs_smtputf8(&self) -> bool {
        match self {
            Self::Composed(message) => message.needs_smtputf8(),
            Self::Existing(message) => message.needs_smtputf8(),
            Self::Signed(signed) => signed.message().needs_smtputf8(),
        }
    }

    /// The size in bytes of one of the forms, as SIZE counts it (RFC 1870): with CRLF, without stuffed dots.
    ///
    /// Files are read only where their bytes have to be encoded in quoted-printable.
    pub fn size(&mut self, form: BodyForm) -> io::Result<u64> {
        match self {
            Self::Composed(message) => message.size(form),
            Self::Existing(message) => message.size(form),
            Self::Signed(signed) => signed.size(form),
        }
    }

    /// Passes the message in one of its forms to `sink`, piece by piece, dots not stuffed.
    ///
    /// An error, also after the last piece, says that the message is not complete: a file was changed meanwhile.
    pub fn stream<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        mut sink: impl FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stream_to(form, &mut sink)
    }

    fn stream_to<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Composed(message) => message.stream(form, sink),
            Self::Existing(message) => message.stream(form, sink),
            Self::Signed(signed) => signed.stream(form, sink),
        }
    }
}
