//! Replies of a server (RFC 5321, section 4.2), their enhanced status codes (RFC 3463) and queue ids.
//!
//! The parser reads the bytes that have arrived and returns a [`Reply`] when it is complete. Decisions depend on the
//! code only, and on the first digit of an unknown code. The text is for people and must be escaped before it is
//! printed.

use std::fmt;

/// Maximum number of bytes of a reply line; RFC 5321 allows 512, which some servers exceed.
pub const MAX_LINE: usize = 4096;
/// Maximum number of lines of a reply; replies to EHLO have fewer.
pub const MAX_LINES: usize = 128;
/// Maximum number of bytes of a reply; bounds the memory that a server can use.
pub const MAX_REPLY: usize = 65_536;

/// Why bytes are not a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The line does not start with three digits, the first of them 2 to 5.
    #[error("not an SMTP reply: {0}")]
    NoCode(String),
    /// The lines of one reply have different codes.
    #[error("one reply with two codes, {0} and {1}")]
    MixedCodes(u16, u16),
    /// A line, the number of lines or their sum is over its limit.
    #[error("reply without end: over {0}")]
    TooLong(&'static str),
}

/// A complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// The reply with each line replaced.
    #[must_use]
    pub fn map_lines(mut self, replace: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        self.lines.iter_mut().for_each(|line| *line = replace(line));
        self
    }

    /// The three-digit code, 200 to 599.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The text of each line, without code and separator.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// 2xx: success.
    pub fn is_positive(&self) -> bool {
        matches!(self.code, 200..=299)
    }

    /// 3xx: more input is expected.
    pub fn is_intermediate(&self) -> bool {
        matches!(self.code, 300..=399)
    }

    /// 4xx: transient failure.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, 400..=499)
    }

    /// 5xx: permanent failure.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// The enhanced status code at the start of the text, if its class fits the code.
    pub fn enhanced(&self) -> Option<EnhancedStatus> {
        let (status, _) = EnhancedStatus::split(self.lines.first()?)?;
        (u16::from(status.class) == self.code.checked_div(100)?).then_some(status)
    }

    /// The text of all lines on one line, without enhanced status codes. Invalid UTF-8 is replaced; nothing is escaped.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let words = match self.enhanced() {
                Some(_) => EnhancedStatus::split(line).map_or(line.as_slice(), |(_, rest)| rest),
                None => line,
            };
            let words = String::from_utf8_lossy(words.trim_ascii());
            if !words.is_empty() {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&words);
            }
        }
        text
    }

    /// The queue id of the message in the reply to the final dot.
    ///
    /// Supports the replies of Postfix (`queued as X`), Exim (`id=X`) and sendmail (`X Message accepted for delivery`).
    pub fn queue_id(&self) -> Option<String> {
        let text = self.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        let behind = |marker: &[&str]| {
            let at = words.windows(marker.len()).position(|window| window == marker)?;
            words.get(at.checked_add(marker.len())?).copied()
        };
        let before = |marker: &[&str]| {
            let at = words.windows(marker.len()).position(|window| window == marker)?;
            words.get(at.checked_sub(1)?).copied()
        };
        behind(&["queued", "as"])
            .or_else(|| words.iter().find_map(|word| word.strip_prefix("id=")))
            .or_else(|| before(&["Message", "accepted"]))
            .map(|id| id.trim_end_matches(['.', ',', ';']).to_owned())
            .filter(|id| !id.is_empty())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.enhanced() {
            write!(f, " {status}")?;
        }
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

/// An enhanced status code, `class.subject.detail` (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedStatus {
    /// 2, 4 or 5.
    pub class: u8,
    /// The subject: 1 address, 2 mailbox, 7 security, and others.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Splits a status code off the start of a text.
    fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        let (code, rest) = text.split_at_checked(end)?;
        let mut numbers = std::str::from_utf8(code).ok()?.split('.').map(number);
        let (class, subject, detail) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if numbers.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some((Self { class: u8::try_from(class).ok()?, subject, detail }, rest))
    }
}

fn number(digits: &str) -> Option<u16> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Collects the lines of one reply.
#[derive(Debug, Default)]
pub struct ReplyParser {
    code: Option<u16>,
    lines: Vec<Vec<u8>>,
    size: usize,
}

impl ReplyParser {
    /// Consumes complete lines from the start of `input` until a reply is complete.
    ///
    /// Returns the number of consumed bytes, and the reply if it is complete; an incomplete line is not consumed. A
    /// line ends with CRLF or a bare LF.
    pub fn push(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        let mut taken: usize = 0;
        let mut rest = input;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at_checked(end.saturating_add(1)).unwrap_or((rest, &[]));
            taken = taken.saturating_add(line.len());
            rest = behind;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if let Some(reply) = self.line(line.strip_suffix(b"\r").unwrap_or(line))? {
                return Ok((taken, Some(reply)));
            }
        }
        if rest.len() > MAX_LINE {
            return Err(ReplyError::TooLong("4096 bytes in a line"));
        }
        Ok((taken, None))
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        if line.len() > MAX_LINE {
            return Err(ReplyError::TooLong("4096 bytes in a line"));
        }
        let (code, last, text) = split_line(line).ok_or_else(|| ReplyError::NoCode(shortened(line)))?;
        match self.code {
            Some(first) if first != code => return Err(ReplyError::MixedCodes(first, code)),
            _ => self.code = Some(code),
        }
        self.size = self.size.saturating_add(line.len());
        if self.size > MAX_REPLY {
            return Err(ReplyError::TooLong("64 KiB"));
        }
        if self.lines.len() >= MAX_LINES {
            return Err(ReplyError::TooLong("128 lines"));
        }
        self.lines.push(text.to_vec());
        if !last {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        *self = Self::default();
        Ok(Some(Reply { code, lines }))
    }
}

/// Splits `250-text`, `250 text` or `250` into the code, whether it is the last line, and the text.
fn split_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    if !(200..=599).contains(&code) {
        return None;
    }
    match rest.split_first() {
        None => Some((code, true, rest)),
        Some((b'-', text)) => Some((code, false, text)),
        Some((b' ', text)) => Some((code, true, text)),
        Some(_) => None,
    }
}

/// The beginning of an invalid line, for a message.
fn shortened(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(80).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Reply {
        let (taken, reply) = ReplyParser::default().push(bytes).unwrap();
        assert_eq!(taken, bytes.len());
        reply.unwrap()
    }

    #[test]
    fn a_reply_of_several_lines_is_one_reply() {
        let reply = parsed(b"250-one\r\n250-two\r\n250 three\r\n");
        assert_eq!((reply.code(), reply.text().as_str()), (250, "one two three"));
    }

    #[test]
    fn missing_text_and_missing_space_are_accepted() {
        assert_eq!(parsed(b"354\r\n").code(), 354);
        assert_eq!(parsed(b"250 \r\n").text(), "");
    }

    #[test]
    fn a_reply_may_arrive_byte_by_byte_and_following_bytes_are_not_consumed() {
        let bytes = b"250-a\r\n250 b\r\n220 next\r\n";
        let (mut parser, mut held, mut found) = (ReplyParser::default(), Vec::new(), None);
        for byte in &bytes[..14] {
            held.push(*byte);
            let (taken, reply) = parser.push(&held).unwrap();
            held.drain(..taken);
            found = reply;
        }
        assert_eq!(found.unwrap().text(), "a b");
        assert_eq!(ReplyParser::default().push(bytes).unwrap().0, 14);
    }

    #[test]
    fn differing_codes_in_one_reply_are_an_error() {
        let error = ReplyParser::default().push(b"250-a\r\n251 b\r\n").unwrap_err();
        assert_eq!(error, ReplyError::MixedCodes(250, 251));
    }

    #[test]
    fn other_text_is_reported() {
        for wrong in [&b"HTTP/1.1 400\r\n"[..], b"25\r\n", b"199 x\r\n", b"600 x\r\n", b"250x\r\n", b"\r\n"] {
            assert!(matches!(ReplyParser::default().push(wrong), Err(ReplyError::NoCode(_))), "{wrong:?}");
        }
        let text = ReplyParser::default().push(b"SSH-2.0\r\n").unwrap_err().to_string();
        assert_eq!(text, "not an SMTP reply: SSH-2.0");
    }

    #[test]
    fn endless_lines_and_endless_replies_are_errors() {
        let line = vec![b'2'; MAX_LINE + 1];
        assert!(matches!(ReplyParser::default().push(&line), Err(ReplyError::TooLong(_))));
        let many = b"250-x\r\n".repeat(MAX_LINES + 1);
        assert!(matches!(ReplyParser::default().push(&many), Err(ReplyError::TooLong("128 lines"))));
        let mut wide = b"250-".to_vec();
        wide.extend(vec![b'x'; 4000]);
        wide.extend(b"\r\n");
        assert!(matches!(ReplyParser::default().push(&wide.repeat(20)), Err(ReplyError::TooLong("64 KiB"))));
    }

    #[test]
    fn an_enhanced_status_counts_only_when_its_class_fits_the_code() {
        let reply = parsed(b"550-5.1.1 no such\r\n550 5.1.1 user\r\n");
        assert_eq!(reply.to_string(), "550 5.1.1 no such user");
        assert_eq!(parsed(b"550 2.1.1 odd\r\n").enhanced(), None);
        assert_eq!(parsed(b"220 mail.example.com ESMTP\r\n").enhanced(), None);
        assert_eq!(parsed(b"250 2.0.0\r\n").to_string(), "250 2.0.0");
    }

    #[test]
    fn queue_ids_of_common_servers_are_found() {
        let id = |text: &str| parsed(format!("250 {text}\r\n").as_bytes()).queue_id();
        assert_eq!(id("2.0.0 Ok: queued as 4Y0x9z"), Some("4Y0x9z".into()));
        assert_eq!(id("OK id=1tAbCd-000123-AB"), Some("1tAbCd-000123-AB".into()));
        assert_eq!(id("2.0.0 3f2a1c Message accepted for delivery"), Some("3f2a1c".into()));
        assert_eq!(id("OK"), None);
    }
}
