//! The data phase (RFC 5321, sections 2.3.8 and 4.5.2): CRLF line ends, dot-stuffing, the final dot.
//!
//! CR, LF and CRLF each become CRLF. A bare CR or LF is never sent: servers read it differently, which permits SMTP
//! smuggling. The result does not depend on the boundaries of blocks.

/// Converts line ends to CRLF, block by block.
#[derive(Debug, Default)]
pub struct LineEnds {
    after_cr: bool,
    within_line: bool,
    stuffing: bool,
}

impl LineEnds {
    /// Appends `block` to `out` with CRLF line ends.
    pub fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut rest = block;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(behind) = rest.strip_prefix(b"\n")
            {
                rest = behind;
                continue;
            }
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            if !line.is_empty() {
                if self.stuffing && !self.within_line && line.starts_with(b".") {
                    out.push(b'.');
                }
                out.extend_from_slice(line);
                self.within_line = true;
            }
            if let Some((end, behind)) = behind.split_first() {
                out.extend_from_slice(b"\r\n");
                self.within_line = false;
                self.after_cr = *end == b'\r';
                rest = behind;
            } else {
                rest = behind;
            }
        }
    }
}

/// Converts a message into the bytes behind the reply 354: line ends as in [`LineEnds`], stuffed dots, the final dot.
#[derive(Debug)]
pub struct DotStuffing(LineEnds);

impl Default for DotStuffing {
    fn default() -> Self {
        Self(LineEnds { stuffing: true, ..LineEnds::default() })
    }
}

impl LineEnds {
    /// Appends unchanged lines: complete, with CRLF, without another CR or LF, not beginning with a dot.
    pub fn push_canonical(&mut self, lines: &[u8], out: &mut Vec<u8>) {
        if self.within_line {
            // Not at the start of a line, so the first byte may be a dot.
            return self.push(lines, out);
        }
        self.after_cr = false;
        out.extend_from_slice(lines);
    }

    /// Ends an incomplete last line; adds no empty line.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.within_line {
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl DotStuffing {
    /// Appends `block` to `out` as it is sent.
    pub fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        self.0.push(block, out);
    }

    /// Appends unchanged lines: complete, with CRLF, without another CR or LF, not beginning with a dot.
    pub fn push_canonical(&mut self, lines: &[u8], out: &mut Vec<u8>) {
        self.0.push_canonical(lines, out);
    }

    /// Ends an incomplete last line and appends the final dot; adds no empty line.
    pub fn finish(self, out: &mut Vec<u8>) {
        self.0.finish(out);
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn sent(message: &[u8]) -> Vec<u8> {
        let (mut stuffing, mut out) = (DotStuffing::default(), Vec::new());
        stuffing.push(message, &mut out);
        stuffing.finish(&mut out);
        out
    }

    #[test]
    fn every_line_end_becomes_crlf() {
        assert_eq!(sent(b"a\nb\rc\r\nd"), b"a\r\nb\r\nc\r\nd\r\n.\r\n");
        assert_eq!(sent(b"a\r\r\nb\n\r"), b"a\r\n\r\nb\r\n\r\n.\r\n");
    }

    #[test]
    fn dots_at_the_start_of_lines_are_doubled_the_first_byte_included() {
        assert_eq!(sent(b".\n..\na.b\n"), b"..\r\n...\r\na.b\r\n.\r\n");
        assert_eq!(sent(b"a\r.b"), b"a\r\n..b\r\n.\r\n");
    }

    #[test]
    fn no_empty_line_is_added() {
        assert_eq!(sent(b"a\n"), b"a\r\n.\r\n");
        assert_eq!(sent(b""), b".\r\n");
        assert_eq!(sent(b"a\r"), b"a\r\n.\r\n");
    }

    #[test]
    fn the_result_does_not_depend_on_the_boundaries_of_blocks() {
        let message = b".a\r\n.b\r.c\n.\r\n\r\n..\r\n.\n\r.";
        let whole = sent(message);
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let (mut stuffing, mut out) = (DotStuffing::default(), Vec::new());
                for block in [&message[..first], &message[first..second], &message[second..]] {
                    stuffing.push(block, &mut out);
                }
                stuffing.finish(&mut out);
                assert_eq!(out, whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn no_bare_cr_or_lf_is_sent_and_the_end_is_unique() {
        // Every message of up to six bytes out of the four relevant ones.
        for number in 0..4usize.pow(6) {
            let message: Vec<u8> = (0..6).map(|digit| b"\r\n.a"[number / 4usize.pow(digit) % 4]).collect();
            let out = sent(&message);
            for (at, byte) in out.iter().enumerate() {
                match byte {
                    b'\r' => assert_eq!(out[at + 1], b'\n'),
                    b'\n' => assert_eq!(out[at - 1], b'\r'),
                    _ => {}
                }
            }
            let framed = [b"\r\n", out.as_slice()].concat();
            assert_eq!(framed.windows(5).filter(|window| window == b"\r\n.\r\n").count(), 1, "{message:?}");
        }
    }
}
