//! Reads a message from standard input as sendmail(8) does: up to a line with a single dot, and with a header that
//! servers accept.
//!
//! Only the header is held in memory.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use super::header_fields;
use crate::proto::header;

/// Longest header that is edited; a longer one is refused later.
const MAX_HEADER: usize = 1 << 20;
/// Bytes read at once.
const BLOCK: usize = 48 * 1024;

/// A message with an edited header.
pub type Edited<R> = Chain<Cursor<Vec<u8>>, R>;

/// Reads the header of `source` and edits it: addresses without a domain get `domain`, other scripts become encoded
/// words.
///
/// A line `From ...` of an mbox in front of the message is dropped.
pub fn with_fit_header<R: Read>(mut source: R, domain: &str) -> io::Result<Edited<R>> {
    let mut start = Vec::new();
    let mut complete = false;
    let mut wanted = BLOCK;
    loop {
        let missing = (wanted - start.len()) as u64;
        let read = source.by_ref().take(missing).read_to_end(&mut start)?;
        complete |= (read as u64) < missing;
        if let Some(header) = header::parse(message(&start), complete) {
            let mut edited = header_fields::fit(&header, domain);
            let length: usize = header.fields.iter().map(|field| field.raw.len()).sum();
            edited.extend_from_slice(&message(&start)[length..]);
            return Ok(Cursor::new(edited).chain(source));
        }
        if wanted > MAX_HEADER {
            return Ok(Cursor::new(start).chain(source));
        }
        wanted *= 2;
    }
}

/// The bytes behind the first line of an mbox.
fn message(start: &[u8]) -> &[u8] {
    let is_field = header::parse(start, true).is_some_and(|header| !header.fields.is_empty());
    match memchr::memchr(b'\n', start) {
        Some(end) if start.starts_with(b"From ") && !is_field => &start[end + 1..],
        _ => start,
    }
}

/// Ends before a line with a single dot.
#[derive(Debug)]
pub struct UntilDot<R> {
    source: BufReader<R>,
    at_line_start: bool,
    /// Bytes at the start of a line that are text after all.
    text: Vec<u8>,
    ended: bool,
}

impl<R: Read> UntilDot<R> {
    /// Reads from `source` up to the dot.
    pub fn new(source: R) -> Self {
        let source = BufReader::with_capacity(BLOCK, source);
        Self { source, at_line_start: true, text: Vec::new(), ended: false }
    }

    /// Checks whether a line that starts with a dot is the last one.
    fn dot(&mut self) -> io::Result<()> {
        let mut seen = Vec::new();
        loop {
            let next = self.source.fill_buf()?.first().copied();
            match (seen.as_slice(), next) {
                (b"", Some(b'.')) | (b".", Some(b'\r')) => {
                    seen.extend(next);
                    self.source.consume(1);
                }
                (b"." | b".\r", None) => break,
                (b"." | b".\r", Some(b'\n')) => {
                    self.source.consume(1);
                    break;
                }
                _ => {
                    self.text = seen;
                    self.at_line_start = false;
                    return Ok(());
                }
            }
        }
        self.ended = true;
        Ok(())
    }
}

impl<R: Read> Read for UntilDot<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at_line_start && !self.ended && self.source.fill_buf()?.first() == Some(&b'.') {
            self.dot()?;
        }
        if !self.text.is_empty() {
            let length = self.text.len().min(out.len());
            out[..length].copy_from_slice(&self.text[..length]);
            self.text.drain(..length);
            return Ok(length);
        }
        if self.ended {
            return Ok(0);
        }
        let there = self.source.fill_buf()?;
        let there = &there[..there.len().min(out.len())];
        let length = memchr::memmem::find(there, b"\n.").map_or(there.len(), |at| at + 1);
        out[..length].copy_from_slice(&there[..length]);
        self.at_line_start = length > 0 && there[length - 1] == b'\n';
        self.source.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one byte at a time, like a slow pipe.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(1).min(out.len());
            self.0.read(&mut out[..length])
        }
    }

    #[test]
    fn a_lone_dot_ends_the_text_and_no_other_dot_does() {
        for (text, expected) in [
            ("a\n.\nb\n", "a\n"),
            ("a\r\n.\r\nb", "a\r\n"),
            (".\n", ""),
            ("a\n.", "a\n"),
            ("a\n.\r", "a\n"),
            ("a\n..\n.b\n .\n.\r.\nc.\n.\nd", "a\n..\n.b\n .\n.\r.\nc.\n"),
            ("a\n\n.x", "a\n\n.x"),
            ("no end", "no end"),
            ("", ""),
        ] {
            let (mut quick, mut slow) = (String::new(), String::new());
            UntilDot::new(text.as_bytes()).read_to_string(&mut quick).unwrap();
            UntilDot::new(Slow(text.as_bytes())).read_to_string(&mut slow).unwrap();
            assert_eq!((quick.as_str(), slow.as_str()), (expected, expected), "{text:?}");
        }
    }

    #[test]
    fn addresses_in_the_header_get_a_domain_and_nothing_else_changes() {
        let text = "From root Mon Jan  1 00:00:00 2026\nFrom: root (Cron)\r\nTo: bob,\n ann\nSubject: x\n\nTo: body\n";
        let expected = "From: root@h.example (Cron)\r\nTo: bob@h.example,\n ann@h.example\nSubject: x\n\nTo: body\n";
        for source in [&mut text.as_bytes() as &mut dyn Read, &mut Slow(text.as_bytes())] {
            let mut edited = String::new();
            with_fit_header(source, "h.example").unwrap().read_to_string(&mut edited).unwrap();
            assert_eq!(edited, expected);
        }
    }

    #[test]
    fn long_headers_and_bodies_stream_through() {
        let field = format!("X: {}\n", "x".repeat(900));
        for fields in [1, 60, 2000] {
            let text = format!("To: bob\n{}\n{}", field.repeat(fields), "body\n".repeat(30_000));
            let mut edited = String::new();
            with_fit_header(text.as_bytes(), "h").unwrap().read_to_string(&mut edited).unwrap();
            let expected = if fields == 2000 { text } else { text.replacen("bob", "bob@h", 1) };
            assert!(edited == expected, "{fields} fields");
        }
    }
}
