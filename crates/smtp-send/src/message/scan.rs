//! What the bytes of a text show while they are read: enough to choose a transfer encoding and to know the size.

/// The longest line that may be sent as it is, without its CRLF (RFC 5321, section 4.5.3.1.6).
pub const MAX_LINE: u64 = 998;

/// What the bytes of a text have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextProfile {
    /// Bytes as they were read.
    pub size: u64,
    /// Bytes with CRLF in place of every line end, and behind the last line too.
    pub canonical_size: u64,
    /// Bytes that quoted-printable writes as three.
    pub costly: u64,
    /// Whether there is a byte over 127.
    pub high: bool,
    /// Whether there is a NUL.
    pub nul: bool,
    /// Bytes of the longest line without its line end.
    pub longest_line: u64,
    /// Whether all of it is UTF-8.
    pub utf8: bool,
}

impl TextProfile {
    /// Whether every line may be sent as it is, apart from bytes over 127.
    pub fn has_short_lines(&self) -> bool {
        self.longest_line <= MAX_LINE && !self.nul
    }

    /// Whether base64 is shorter than quoted-printable.
    pub fn prefers_base64(&self) -> bool {
        // Two more bytes for each costly one against a third more for all.
        self.costly.saturating_mul(6) > self.size
    }
}

/// Collects [`TextProfile`] from blocks; where they are cut makes no difference.
#[derive(Debug, Default)]
pub struct TextScanner {
    facts: TextProfile,
    ends: u64,
    line: u64,
    after_cr: bool,
    utf8: Utf8,
}

impl TextScanner {
    /// The facts about a text that is there as a whole.
    pub fn of(text: &[u8]) -> TextProfile {
        let mut scan = Self::default();
        scan.push(text);
        scan.finish()
    }

    /// Looks at the next block.
    pub fn push(&mut self, block: &[u8]) {
        let facts = &mut self.facts;
        facts.size += block.len() as u64;
        let high = !block.is_ascii();
        facts.high |= high;
        facts.nul |= memchr::memchr(0, block).is_some();
        facts.costly += costly(block);
        if high || !self.utf8.is_valid() {
            self.utf8.push(block);
        }
        let mut start = 0;
        for end in memchr::memchr2_iter(b'\r', b'\n', block) {
            let within = (end - start) as u64;
            let second = within == 0 && std::mem::take(&mut self.after_cr) && block[end] == b'\n';
            if !second {
                facts.canonical_size += within;
                facts.longest_line = facts.longest_line.max(self.line + within);
                self.ends += 1;
                self.line = 0;
            }
            self.after_cr = block[end] == b'\r';
            start = end + 1;
        }
        let rest = (block.len() - start) as u64;
        if rest > 0 {
            self.after_cr = false;
        }
        facts.canonical_size += rest;
        self.line += rest;
    }

    /// What was seen.
    pub fn finish(self) -> TextProfile {
        let Self { mut facts, ends, line, utf8, .. } = self;
        facts.longest_line = facts.longest_line.max(line);
        facts.canonical_size += 2 * (ends + u64::from(line > 0));
        facts.utf8 = utf8.is_valid();
        facts
    }
}

fn costly(block: &[u8]) -> u64 {
    let is_costly = |byte: u8| byte >= 0x7f || byte == b'=' || (byte < b' ' && !matches!(byte, b'\r' | b'\n' | b'\t'));
    block.iter().filter(|byte| is_costly(**byte)).count() as u64
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

    fn facts(blocks: &[&[u8]]) -> TextProfile {
        let mut scan = TextScanner::default();
        for block in blocks {
            scan.push(block);
        }
        scan.finish()
    }

    #[test]
    fn where_blocks_are_cut_makes_no_difference() {
        let text = "a\r\n\r\nü=\r\rx\n\n\r\nend".as_bytes();
        let whole = facts(&[text]);
        assert_eq!((whole.longest_line, whole.canonical_size), (3, 24));
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(facts(&[&text[..first], &text[first..second], &text[second..]]), whole);
            }
        }
    }

    #[test]
    fn the_canonical_size_is_that_of_the_lines_as_they_are_sent() {
        for (text, size) in
            [("", 0), ("a", 3), ("a\n", 3), ("a\r", 3), ("a\r\n", 3), ("\n\r", 4), ("\r\r\n", 4), ("\r\n\n", 4)]
        {
            assert_eq!(facts(&[text.as_bytes()]).canonical_size, size, "{text:?}");
        }
    }

    #[test]
    fn a_character_may_be_cut_by_a_block() {
        let bytes: Vec<[u8; 1]> = "aä日🚀".bytes().map(|byte| [byte]).collect();
        let blocks: Vec<&[u8]> = bytes.iter().map(<[u8; 1]>::as_slice).collect();
        assert!(facts(&blocks).utf8);
        assert!(!facts(&[b"\xf0"]).utf8);
        assert!(!facts(&[b"\xc3", b"a"]).utf8);
    }
}
