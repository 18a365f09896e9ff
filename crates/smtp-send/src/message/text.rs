//! The text of a message: read once, looked at, and kept so that it can be sent more than once.
//!
//! Up to a bound it stays in memory, beyond it goes to an unlinked temporary file. What was learned while reading decides
//! the transfer encoding (RFC 2045, section 6).

use std::io::{self, Read, Seek, SeekFrom};

use tempfile::SpooledTempFile;

use super::spool::{self, SpoolError};

/// Texts up to this size stay in memory; that is nearly every text a person or a script writes.
const IN_MEMORY: usize = 1 << 20;
/// Bytes read at once.
const BLOCK: usize = 48 * 1024;
/// The longest line that may be sent as it is, without its CRLF (RFC 5321, section 4.5.3.1.6).
pub const MAX_LINE: u64 = 998;

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

/// What the bytes of a text have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    size: u64,
    /// Bytes that quoted-printable writes as three.
    costly: u64,
    high: bool,
    nul: bool,
    longest_line: u64,
    utf8: Utf8,
}

/// A text with what is known about it.
#[derive(Debug)]
pub struct Text {
    spool: SpooledTempFile,
    facts: Facts,
}

impl Text {
    /// Reads `source` to its end.
    pub fn read(source: impl Read) -> Result<Self, SpoolError> {
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        let mut scan = Scan::default();
        spool::copy(source, &mut spool, |block| scan.push(block))?;
        Ok(Self { spool, facts: scan.finish() })
    }

    /// Hands the text block by block to `sink`, from its start.
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

    /// The encoding for a server that takes bytes over 127, or for one that does not.
    pub fn encoding(&self, eight_bit: bool) -> Encoding {
        let facts = &self.facts;
        let as_it_is = facts.longest_line <= MAX_LINE && !facts.nul;
        if as_it_is && !facts.high {
            Encoding::SevenBit
        } else if as_it_is && eight_bit {
            Encoding::EightBit
        } else if facts.costly.saturating_mul(6) > facts.size {
            // Two more bytes for each costly one against a third more for all.
            Encoding::Base64
        } else {
            Encoding::QuotedPrintable
        }
    }

    /// The charset to declare. Bytes that are not UTF-8 are sent as they are and declared as unknown (RFC 1428).
    pub fn charset(&self) -> &'static str {
        if self.facts.utf8.is_valid() { "utf-8" } else { "unknown-8bit" }
    }
}

#[derive(Default)]
struct Scan {
    size: u64,
    costly: u64,
    high: bool,
    nul: bool,
    line: u64,
    longest_line: u64,
    utf8: Utf8,
}

impl Scan {
    fn push(&mut self, block: &[u8]) {
        self.size += block.len() as u64;
        for byte in block {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ => self.line += 1,
            }
            self.high |= *byte >= 0x80;
            self.nul |= *byte == 0;
            self.costly += u64::from(*byte >= 0x7f || (*byte < b' ' && !b"\r\n\t".contains(byte)) || *byte == b'=');
        }
        self.utf8.push(block);
    }

    fn end_line(&mut self) {
        self.longest_line = self.longest_line.max(self.line);
        self.line = 0;
    }

    fn finish(mut self) -> Facts {
        self.end_line();
        let Self { size, costly, high, nul, longest_line, utf8, .. } = self;
        Facts { size, costly, high, nul, longest_line, utf8 }
    }
}

/// Whether bytes that come in blocks are UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Utf8 {
    broken: bool,
    /// The start of a character that a block has cut.
    pending: Vec<u8>,
}

impl Utf8 {
    fn push(&mut self, block: &[u8]) {
        if self.broken {
            return;
        }
        let mut block = block;
        while !self.pending.is_empty() {
            let Some((next, rest)) = block.split_first() else { return };
            self.pending.push(*next);
            block = rest;
            match std::str::from_utf8(&self.pending) {
                Ok(_) => self.pending.clear(),
                Err(error) if error.error_len().is_some() => {
                    self.broken = true;
                    return;
                }
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(block) {
            self.broken = error.error_len().is_some();
            self.pending = block[error.valid_up_to()..].to_vec();
        }
    }

    fn is_valid(&self) -> bool {
        !self.broken && self.pending.is_empty()
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
        assert_eq!(text(b"hello\n").encoding(true), Encoding::SevenBit);
        assert_eq!(text(&[b'x'; 998]).encoding(false), Encoding::SevenBit);
    }

    #[test]
    fn other_scripts_go_as_they_are_only_where_that_is_allowed() {
        let german = text("Grüße aus Köln, hier ist alles in Ordnung\n".as_bytes());
        assert_eq!((german.encoding(true), german.encoding(false)), (Encoding::EightBit, Encoding::QuotedPrintable));
        let japanese = text("日本語の文章".as_bytes());
        assert_eq!(japanese.encoding(false), Encoding::Base64);
    }

    #[test]
    fn a_line_over_998_bytes_and_a_nul_are_never_sent_as_they_are() {
        assert_eq!(text(&[b'x'; 999]).encoding(true), Encoding::QuotedPrintable);
        assert_eq!(text(b"nul \0 in a text\n").encoding(true), Encoding::QuotedPrintable);
    }

    #[test]
    fn what_is_not_utf8_is_not_declared_as_utf8() {
        assert_eq!(text("ä".as_bytes()).charset(), "utf-8");
        assert_eq!(text(b"caf\xe9\n").charset(), "unknown-8bit");
        assert_eq!(text(b"cut \xc3").charset(), "unknown-8bit");
    }

    #[test]
    fn a_character_may_be_cut_by_a_block() {
        let mut utf8 = Utf8::default();
        for byte in "aä日🚀".as_bytes() {
            utf8.push(&[*byte]);
        }
        assert!(utf8.is_valid());
        utf8.push(&[0xf0]);
        assert!(!utf8.is_valid());
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
