//! The parts of a composed message (RFC 2046): texts, files, and the multiparts around them.
//!
//! The size of each part is known without streaming its files. What contains bytes over 127 says so (RFC 2045, section 6.4).

use std::io;

use super::Piece;
use super::attach::Attachment;
use super::encode::Encoder;
use super::text::{Encoding, Text};
use crate::proto::command::BodyForm;

/// One part with all that is in it.
#[derive(Debug)]
pub(super) enum Part {
    /// `text/plain` or `text/html`.
    Text { subtype: &'static str, text: Text },
    /// A file.
    File(Attachment),
    /// Parts between boundary lines.
    Multipart { subtype: &'static str, boundary: String, parts: Vec<Part> },
}

impl Part {
    /// Whether it has bytes over 127 where the server takes them.
    pub(super) fn has_eight_bit_form(&self) -> bool {
        match self {
            Self::Text { text, .. } => text.encoding(BodyForm::EightBit) == Encoding::EightBit,
            Self::File(_) => false,
            Self::Multipart { parts, .. } => parts.iter().any(Self::has_eight_bit_form),
        }
    }

    /// Whether there is a file in it.
    pub(super) fn has_files(&self) -> bool {
        match self {
            Self::Text { .. } => false,
            Self::File(_) => true,
            Self::Multipart { parts, .. } => parts.iter().any(Self::has_files),
        }
    }

    /// Its header, with the empty line.
    fn head(&self, form: BodyForm) -> String {
        match self {
            Self::Text { subtype, text } => {
                let (charset, encoding) = (text.charset(), text.encoding(form).name());
                format!(
                    "Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
                )
            }
            Self::File(file) => file.head(form == BodyForm::Binary),
            Self::Multipart { subtype, boundary, .. } => {
                // Which part is the root of the others (RFC 2387).
                let root = if *subtype == "related" { " type=\"text/html\";" } else { "" };
                let encoding = match form {
                    BodyForm::Binary if self.has_files() => "Content-Transfer-Encoding: binary\r\n",
                    BodyForm::EightBit | BodyForm::Binary if self.has_eight_bit_form() => {
                        "Content-Transfer-Encoding: 8bit\r\n"
                    }
                    _ => "",
                };
                format!("Content-Type: multipart/{subtype};{root}\r\n boundary=\"{boundary}\"\r\n{encoding}\r\n")
            }
        }
    }

    /// Hands it to `sink` with its header.
    pub(super) fn stream<E: From<io::Error>>(
        &mut self,
        form: BodyForm,
        sink: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        sink(Piece::Raw(self.head(form).as_bytes()))?;
        match self {
            Self::Text { text, .. } => stream_text(text, form, sink),
            Self::File(file) => file.stream(form == BodyForm::Binary, sink),
            Self::Multipart { boundary, parts, .. } => {
                for (number, part) in parts.iter_mut().enumerate() {
                    sink(Piece::Raw(delimiter(number, boundary).as_bytes()))?;
                    part.stream(form, sink)?;
                }
                sink(Piece::Raw(closing(boundary).as_bytes()))
            }
        }
    }

    /// How many bytes [`Part::stream`] will hand over, with CRLF for every line end, and whether they end with one.
    ///
    /// Texts are encoded for it once more; files are not read.
    pub(super) fn size(&mut self, form: BodyForm) -> io::Result<(u64, bool)> {
        let head = self.head(form).len() as u64;
        Ok(match self {
            Self::Text { text, .. } => {
                let (mut size, mut complete) = (head, true);
                stream_text(text, form, &mut |piece: Piece<'_>| {
                    size += piece.bytes().len() as u64;
                    complete = piece.bytes().last().map_or(complete, |last| *last == b'\n');
                    Ok::<_, io::Error>(())
                })?;
                (size, complete)
            }
            Self::File(file) if form == BodyForm::Binary => (head + file.size(), false),
            Self::File(file) => (head + file.encoded_size(), true),
            Self::Multipart { boundary, parts, .. } => {
                let mut size = head + closing(boundary).len() as u64;
                for (number, part) in parts.iter_mut().enumerate() {
                    size += delimiter(number, boundary).len() as u64 + part.size(form)?.0;
                }
                (size, true)
            }
        })
    }
}

/// The line in front of a part. The line end before it belongs to it, so that texts keep theirs.
fn delimiter(number: usize, boundary: &str) -> String {
    format!("{}--{boundary}\r\n", if number == 0 { "" } else { "\r\n" })
}

fn closing(boundary: &str) -> String {
    format!("\r\n--{boundary}--\r\n")
}

fn stream_text<E: From<io::Error>>(
    text: &mut Text,
    form: BodyForm,
    sink: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (mut out, mut encoder) = (Vec::new(), Encoder::new(text.encoding(form)));
    text.blocks(|block| {
        encoder.push(block, &mut out);
        sink(Piece::Raw(&out))?;
        out.clear();
        Ok::<_, E>(())
    })?;
    encoder.finish(&mut out);
    sink(Piece::Raw(&out))
}
