//! Transfer encodings (RFC 2045, section 6), streaming: blocks in, lines of at most 76 characters out.
//!
//! Text is made canonical first, with CRLF at the end of each line, so that what is decoded has the line ends of a text
//! on every system.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text::Encoding;
use crate::proto::dot::LineEnds;

/// Bytes of one line of base64: 57 bytes are 76 characters.
pub const BASE64_LINE: usize = 57;
/// A line of base64 with its CRLF.
pub(super) const ENCODED_LINE: usize = BASE64_LINE / 3 * 4 + 2;
/// Lines of base64 that are encoded at once.
const LINES: usize = 64;
/// Characters of a line of quoted-printable, before the `=` of a soft line break.
const QP_LINE: usize = 75;

/// One text on its way, in one encoding.
#[derive(Debug)]
pub struct Encoder {
    line_ends: LineEnds,
    canonical: Vec<u8>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Identity,
    QuotedPrintable(QuotedPrintable),
    Base64 { pending: Vec<u8> },
    Binary { pending: Vec<u8> },
}

impl Encoder {
    /// An encoder at the start of a text.
    pub fn new(encoding: Encoding) -> Self {
        let form = match encoding {
            Encoding::SevenBit | Encoding::EightBit => Form::Identity,
            Encoding::QuotedPrintable => Form::QuotedPrintable(QuotedPrintable::default()),
            Encoding::Base64 => Form::Base64 { pending: Vec::new() },
        };
        Self { line_ends: LineEnds::default(), canonical: Vec::new(), form }
    }

    /// An encoder to base64 for bytes that are no text, so that no line end is touched.
    pub fn binary() -> Self {
        Self { form: Form::Binary { pending: Vec::new() }, ..Self::new(Encoding::SevenBit) }
    }

    /// Appends `block` to `out`, encoded.
    pub fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        self.canonical.clear();
        match &mut self.form {
            Form::Identity => self.line_ends.push(block, out),
            Form::QuotedPrintable(encoder) => {
                self.line_ends.push(block, &mut self.canonical);
                encoder.push(&self.canonical, out);
            }
            Form::Base64 { pending } => {
                self.line_ends.push(block, pending);
                whole_lines(pending, out);
            }
            Form::Binary { pending } => {
                pending.extend_from_slice(block);
                whole_lines(pending, out);
            }
        }
    }

    /// Appends what was held back.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.form {
            Form::Identity => {}
            Form::QuotedPrintable(encoder) => encoder.finish(out),
            Form::Base64 { pending } | Form::Binary { pending } => base64_lines(&pending, out),
        }
    }
}

/// Encodes what fills whole lines and keeps the rest.
fn whole_lines(pending: &mut Vec<u8>, out: &mut Vec<u8>) {
    let whole = pending.len() - pending.len() % BASE64_LINE;
    base64_lines(&pending[..whole], out);
    pending.drain(..whole);
}

/// Appends `bytes` to `out` in base64, in lines of 76 characters; the last one may be shorter.
pub(super) fn base64_lines(bytes: &[u8], out: &mut Vec<u8>) {
    // Many lines at once: a call of the encoder for each costs more than the copy that puts the line ends in.
    let mut text = [0; LINES * (BASE64_LINE / 3 * 4)];
    for lines in bytes.chunks(LINES * BASE64_LINE) {
        let length = STANDARD.encode_slice(lines, &mut text).unwrap_or_default();
        for line in text[..length].chunks(BASE64_LINE / 3 * 4) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Base64 from elsewhere, broken into lines of 76 characters. What is no character of base64 is left out, as a decoder would.
#[derive(Debug, Default)]
pub(super) struct Base64Lines {
    column: usize,
}

impl Base64Lines {
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)) {
            if self.column == BASE64_LINE / 3 * 4 {
                out.extend_from_slice(b"\r\n");
                self.column = 0;
            }
            out.push(*byte);
            self.column += 1;
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if self.column > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Quoted-printable from elsewhere whose lines are too long or hold bytes over 127 or NUL: those are encoded, the rest stays.
#[derive(Debug, Default)]
pub(super) struct MendedQuotedPrintable {
    line_ends: LineEnds,
    canonical: Vec<u8>,
    lines: QuotedPrintable,
}

impl MendedQuotedPrintable {
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.canonical.clear();
        self.line_ends.push(text, &mut self.canonical);
        for byte in &self.canonical {
            match byte {
                b'\r' => {}
                b'\n' => {
                    out.extend_from_slice(b"\r\n");
                    self.lines.column = 0;
                }
                // With room for its digits: a soft line break between them would change them.
                b'=' => {
                    self.lines.make_room(3, out);
                    out.push(b'=');
                    self.lines.column += 1;
                }
                b' '..=b'~' | b'\t' => self.lines.write(&[*byte], out),
                _ => self.lines.write(&hex(*byte), out),
            }
        }
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if self.lines.column > 0 {
            out.extend_from_slice(b"=\r\n");
        }
    }
}

/// Quoted-printable of text whose line ends are CRLF already.
#[derive(Debug, Default)]
struct QuotedPrintable {
    column: usize,
    /// A space or tab: it may stand as it is unless the line ends behind it.
    blank: Option<u8>,
}

impl QuotedPrintable {
    fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for byte in text {
            match byte {
                b'\r' => {}
                b'\n' => {
                    self.flush_blank(true, out);
                    out.extend_from_slice(b"\r\n");
                    self.column = 0;
                }
                b' ' | b'\t' => {
                    self.flush_blank(false, out);
                    self.blank = Some(*byte);
                }
                b'!'..=b'~' if *byte != b'=' => {
                    self.flush_blank(false, out);
                    self.write(&[*byte], out);
                }
                _ => {
                    self.flush_blank(false, out);
                    self.write(&hex(*byte), out);
                }
            }
        }
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        self.flush_blank(true, out);
        if self.column > 0 {
            // A soft line break: the text had no line end here, and decoded it has none.
            out.extend_from_slice(b"=\r\n");
        }
    }

    fn flush_blank(&mut self, at_line_end: bool, out: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            if at_line_end {
                self.write(&hex(blank), out);
            } else {
                self.write(&[blank], out);
            }
        }
    }

    fn write(&mut self, characters: &[u8], out: &mut Vec<u8>) {
        self.make_room(characters.len(), out);
        out.extend_from_slice(characters);
        self.column += characters.len();
    }

    fn make_room(&mut self, characters: usize, out: &mut Vec<u8>) {
        if self.column + characters > QP_LINE {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
    }
}

fn hex(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'=', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(encoding: Encoding, text: &[u8]) -> String {
        let (mut encoder, mut out) = (Encoder::new(encoding), Vec::new());
        for block in text.chunks(7) {
            encoder.push(block, &mut out);
        }
        encoder.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quoted_printable_escapes_what_it_must_and_blanks_at_line_ends() {
        let text = "a=b ü\nblank \ntab\t\n x\0".as_bytes();
        let expected = "a=3Db =C3=BC\r\nblank=20\r\ntab=09\r\n x=00=\r\n";
        assert_eq!(encoded(Encoding::QuotedPrintable, text), expected);
    }

    #[test]
    fn quoted_printable_lines_are_at_most_76_characters() {
        for text in ["x".repeat(1000), "ü".repeat(1000), "x ".repeat(1000)] {
            let out = encoded(Encoding::QuotedPrintable, text.as_bytes());
            assert!(out.split("\r\n").all(|line| line.len() <= 76), "{out}");
            assert_eq!(decoded_quoted_printable(&out), text.as_bytes());
        }
    }

    #[test]
    fn base64_has_lines_of_76_characters_and_canonical_line_ends() {
        let out = encoded(Encoding::Base64, &b"line\n".repeat(100));
        let lines: Vec<_> = out.split_terminator("\r\n").collect();
        assert!(lines[..lines.len() - 1].iter().all(|line| line.len() == 76));
        assert_eq!(STANDARD.decode(lines.concat()).unwrap(), b"line\r\n".repeat(100));
    }

    #[test]
    fn every_byte_survives_quoted_printable() {
        let all: Vec<u8> = (0..=255u8).filter(|byte| !b"\r\n".contains(byte)).collect();
        assert_eq!(decoded_quoted_printable(&encoded(Encoding::QuotedPrintable, &all)), all);
    }

    fn decoded_quoted_printable(text: &str) -> Vec<u8> {
        let text = text.replace("=\r\n", "");
        let (mut out, mut bytes) = (Vec::new(), text.bytes());
        while let Some(byte) = bytes.next() {
            if byte == b'=' {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        out
    }
}
