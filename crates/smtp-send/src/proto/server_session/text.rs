//! The message behind DATA (RFC 5321, section 4.5.2): ends only with CRLF, dot, CRLF; dots are unstuffed.
//!
//! Servers read a bare CR or LF differently, which permits SMTP smuggling; the caller refuses a message with one.

/// The position within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum LineState {
    #[default]
    Start,
    Within,
    AfterCr,
    AfterDot,
    AfterDotCr,
}

/// Reads one message.
#[derive(Debug, Default)]
pub struct DataText {
    place: LineState,
    bare: bool,
}

impl DataText {
    /// Reads bytes from the start of `input` and appends the message to `out`. Returns how many were consumed, and
    /// whether the message has ended; if it has not, all were consumed.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        for (at, byte) in input.iter().enumerate() {
            if self.byte(*byte, out) {
                return (at.saturating_add(1), true);
            }
        }
        (input.len(), false)
    }

    /// Whether the message has a bare CR or LF.
    pub fn has_bare_line_end(&self) -> bool {
        self.bare
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        self.place = match (self.place, byte) {
            (LineState::AfterDotCr, b'\n') => return true,
            (LineState::AfterCr, b'\n') => {
                out.extend_from_slice(b"\r\n");
                LineState::Start
            }
            (LineState::AfterCr | LineState::AfterDotCr, _) => {
                self.bare = true;
                out.push(b'\r');
                self.place = LineState::Within;
                return self.byte(byte, out);
            }
            (LineState::Start, b'.') => LineState::AfterDot,
            (LineState::AfterDot, b'\r') => LineState::AfterDotCr,
            (_, b'\r') => LineState::AfterCr,
            (_, b'\n') => {
                self.bare = true;
                out.push(b'\n');
                LineState::Within
            }
            _ => {
                out.push(byte);
                LineState::Within
            }
        };
        false
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a failing test may panic")]
mod tests {
    use super::*;

    /// The message, the rest, whether it ended, whether a line end was bare; checked in one piece and byte by byte.
    fn read(input: &str) -> (String, String, bool, bool) {
        let (mut text, mut out) = (DataText::default(), Vec::new());
        let (taken, ended) = text.push(input.as_bytes(), &mut out);
        let (mut slow, mut slow_out, mut slow_taken) = (DataText::default(), Vec::new(), 0);
        for byte in input.bytes() {
            slow_taken += 1;
            if slow.push(&[byte], &mut slow_out).1 {
                break;
            }
        }
        assert_eq!((slow_taken.max(taken), &slow_out, slow.bare), (taken, &out, text.bare), "{input:?}");
        (String::from_utf8(out).unwrap_or_default(), input[taken..].to_owned(), ended, text.bare)
    }

    #[test]
    fn only_a_dot_between_two_crlf_ends_a_message() {
        let cases = [
            ("a\r\n.\r\nQUIT\r\n", "a\r\n", "QUIT\r\n", true, false),
            (".\r\n", "", "", true, false),
            ("..\r\n.a\r\n...\r\n.\r\n", ".\r\na\r\n..\r\n", "", true, false),
            ("a\n.\nMAIL", "a\n.\nMAIL", "", false, true),
            ("a\n.\r\nx", "a\n.\r\nx", "", false, true),
            ("a\r\n.\nx", "a\r\n\nx", "", false, true),
            ("a\r.\r\r\n.\r\n", "a\r.\r\r\n", "", true, true),
            ("a\r\n.\rx\r\n.\r\n", "a\r\n\rx\r\n", "", true, true),
            ("a\r\n.", "a\r\n", "", false, false),
        ];
        for (input, text, rest, ended, bare) in cases {
            assert_eq!(read(input), (text.to_owned(), rest.to_owned(), ended, bare), "{input:?}");
        }
    }
}
