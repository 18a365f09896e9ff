//! The text of a message: read once, looked at, and kept so that it can be sent more than once.
//!
//! Up to a bound it stays in memory, beyond it goes to an unlinked temporary file. What was learned while reading decides
//! the transfer encoding (RFC 2045, section 6).

use std::io::{self, Read, Seek, SeekFrom};

use tempfile::SpooledTempFile;

use super::scan::{TextProfile, TextScanner};
use super::spool::{self, SpoolError};
use crate::proto::command::BodyForm;

/// Texts up to this size stay in memory; that is nearly every text a person or a script writes.
const IN_MEMORY: usize = 1 << 20;
/// Bytes read at once.
const BLOCK: usize = 48 * 1024;

/// How a text is encoded for its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// ASCII in short lines, as it is.
    SevenBit,
    /// Bytes over 127 in short lines, as they are.
    EightBit,
    /// Mostly readable, with `=XX` for the rest.
    QuotedPrintable,
    /// Four characters for three bytes.
    Base64,
}

impl Encoding {
    /// The value of Content-Transfer-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// A text with what is known about it.
#[derive(Debug)]
pub struct Text {
    spool: SpooledTempFile,
    facts: TextProfile,
    /// What bytes that are not UTF-8 are.
    charset: Option<String>,
}

impl Text {
    /// Reads `source` to its end.
    pub fn read(source: impl Read) -> Result<Self, SpoolError> {
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        let mut scan = TextScanner::default();
        spool::copy(source, &mut spool, |block| scan.push(block))?;
        Ok(Self { spool, facts: scan.finish(), charset: None })
    }

    /// Passes the text block by block to `sink`, from its start.
    pub fn blocks<E: From<io::Error>>(&mut self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.spool.seek(SeekFrom::Start(0))?;
        let mut block = vec![0; BLOCK];
        loop {
            match self.spool.read(&mut block)? {
                0 => return Ok(()),
                length => sink(&block[..length])?,
            }
        }
    }

    /// The transfer encoding of the text in one of the forms.
    pub fn encoding(&self, form: BodyForm) -> Encoding {
        let facts = &self.facts;
        match (facts.has_short_lines(), facts.high, form != BodyForm::SevenBit) {
            (true, false, _) => Encoding::SevenBit,
            (true, true, true) => Encoding::EightBit,
            _ if facts.prefers_base64() => Encoding::Base64,
            _ => Encoding::QuotedPrintable,
        }
    }

    /// The charset to declare. Bytes that are not UTF-8 are sent as they are and declared as unknown (RFC 1428).
    pub fn charset(&self) -> &str {
        if self.facts.utf8 { "utf-8" } else { self.charset.as_deref().unwrap_or("unknown-8bit") }
    }

    /// The same, known to be in `charset` if it is not UTF-8.
    #[must_use]
    pub fn or_charset(self, charset: Option<String>) -> Self {
        Self { charset, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Text {
        Text::read(bytes).unwrap()
    }

    #[test]
    fn ascii_in_short_lines_needs_no_encoding() {
        assert_eq!(text(b"hello\n").encoding(BodyForm::EightBit), Encoding::SevenBit);
        assert_eq!(text(&[b'x'; 998]).encoding(BodyForm::SevenBit), Encoding::SevenBit);
    }

    #[test]
    fn other_scripts_go_as_they_are_only_where_that_is_allowed() {
        let german = text("Grüße aus Köln, hier ist alles in Ordnung\n".as_bytes());
        assert_eq!(
            (german.encoding(BodyForm::EightBit), german.encoding(BodyForm::SevenBit)),
            (Encoding::EightBit, Encoding::QuotedPrintable)
        );
        let japanese = text("日本語の文章".as_bytes());
        assert_eq!(japanese.encoding(BodyForm::SevenBit), Encoding::Base64);
    }

    #[test]
    fn a_line_over_998_bytes_and_a_nul_are_never_sent_as_they_are() {
        assert_eq!(text(&[b'x'; 999]).encoding(BodyForm::EightBit), Encoding::QuotedPrintable);
        assert_eq!(text(b"nul \0 in a text\n").encoding(BodyForm::EightBit), Encoding::QuotedPrintable);
    }

    #[test]
    fn what_is_not_utf8_is_not_declared_as_utf8() {
        assert_eq!(text("ä".as_bytes()).charset(), "utf-8");
        assert_eq!(text(b"caf\xe9\n").charset(), "unknown-8bit");
        assert_eq!(text(b"cut \xc3").charset(), "unknown-8bit");
    }

    #[test]
    fn a_large_text_can_be_read_twice() {
        let large = b"0123456789\n".repeat(200_000);
        let mut text = text(&large);
        for _ in 0..2 {
            let mut seen = Vec::new();
            text.blocks(|block| {
                seen.extend_from_slice(block);
                Ok::<_, io::Error>(())
            })
            .unwrap();
            assert!(seen == large);
        }
    }
}
