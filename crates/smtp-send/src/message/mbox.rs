//! Mbox files (RFC 4155): messages in a row, each after a line `From SENDER DATE`.
//!
//! Such a line begins a message at the start of the file or after an empty line. With a date as asctime(3) writes it,
//! that is certain. With another date or none, the line needs a sender and a header field after it; without a sender it
//! is doubtful, and the file is refused. Content-Length is ignored. One `>` of a line `>From ` is removed (mboxrd, mboxo).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::regular_file::{FileVersion, FileWindow, error_at, open_regular};

/// Bytes read at once.
const BLOCK: usize = 48 * 1024;
/// A longer line is no line `From `: a sender has 256 bytes at most.
const MAX_FROM_LINE: usize = 512;
/// A line with more `>` in front is no quoted `From `.
const MAX_ARROWS: usize = 256;
/// What is quoted.
const FROM: &[u8] = b"From ";

/// A mailbox file and the places of its messages.
#[derive(Debug)]
pub struct Mbox {
    file: Arc<OpenFile>,
    places: Vec<MessageSpan>,
}

/// An open file.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
    version: FileVersion,
}

/// Where a message is, without the line `From ` and the empty line behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageSpan {
    /// Its first byte, counted from 0.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
}

impl Mbox {
    /// Looks for the messages in a file; `None` when it does not begin with a line `From SENDER`.
    ///
    /// # Errors
    /// Also when a line may begin a message or belong to a text.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let (file, facts) = open_regular(path)?;
        let mut start = [0; MAX_FROM_LINE];
        let length = file.read_at(&mut start, 0)?;
        let first = start[..length].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if !is_from_line(first) && !has_sender(first) {
            return Ok(None);
        }
        let version = FileVersion::of(&facts)?;
        let mut places = MboxScanner::default();
        let mut input = BufReader::with_capacity(BLOCK, &file);
        loop {
            let block = input.fill_buf()?;
            if block.is_empty() {
                break;
            }
            places.push(block);
            let length = block.len();
            input.consume(length);
        }
        if let Some(line) = places.doubtful() {
            let why =
                format!("line {line} begins with 'From ': write a date in it if it begins a message, else '>From '");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let places = places.finish();
        if places.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { file: Arc::new(OpenFile { path: path.to_owned(), file, version }), places }))
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none; never of a file that begins as a mailbox does.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One of the messages, counted from 0.
    pub fn extract(&self, number: usize) -> Option<MboxMessage> {
        self.places.get(number).map(|place| MboxMessage { file: Arc::clone(&self.file), place: *place })
    }
}

/// One message of a mailbox file.
#[derive(Debug)]
pub struct MboxMessage {
    file: Arc<OpenFile>,
    place: MessageSpan,
}

impl MboxMessage {
    /// Lets `read` read the message. A file that has changed since its messages were found fails it, also at the end.
    pub(super) fn with<T, E: From<io::Error>>(&self, read: impl FnOnce(&mut dyn Read) -> Result<T, E>) -> Result<T, E> {
        let window = FileWindow::new(&self.file.file, self.place.start, self.place.end);
        let result = read(&mut Unquoted::new(window))?;
        if FileVersion::of(&self.file.file.metadata()?)? == self.file.version {
            Ok(result)
        } else {
            Err(error_at(&self.file.path, "the file has changed since it was first read").into())
        }
    }
}

/// Finds the places of the messages, whatever the blocks.
#[derive(Debug, Default)]
pub struct MboxScanner {
    found: Vec<MessageSpan>,
    /// Bytes so far.
    at: u64,
    /// Where the current line begins.
    line: u64,
    /// The start of the current line, as far as it can matter.
    text: Vec<u8>,
    /// Where the last empty line begins, when it was the line before this one.
    empty: Option<u64>,
    /// Number of the current line, from 0.
    number: u64,
    /// A line `From ` without a date, when it was the line before this one.
    candidate: Option<Candidate>,
    /// Number of the first doubtful line, from 1.
    doubtful: Option<u64>,
}

/// A line `From ` without a date of asctime(3).
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// End of the message before it.
    end: u64,
    has_sender: bool,
}

impl MboxScanner {
    /// Looks at the next block.
    pub fn push(&mut self, block: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', block).map(|end| end + 1).chain([block.len()]) {
            let piece = &block[start..end];
            // One byte more than can matter shows that the line is too long.
            let room = (MAX_FROM_LINE + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&piece[..piece.len().min(room)]);
            self.at += piece.len() as u64;
            if piece.ends_with(b"\n") {
                self.line_ended();
            }
            start = end;
        }
    }

    fn line_ended(&mut self) {
        let text = self.text.trim_ascii_end();
        if let Some(candidate) = self.candidate.take()
            && is_field(text)
        {
            if candidate.has_sender {
                self.begin_message(candidate.end, self.line);
            } else {
                self.doubtful.get_or_insert(self.number);
            }
        }
        let text = self.text.trim_ascii_end();
        let may_begin = self.line == 0 || self.empty.is_some();
        if may_begin && self.text.len() <= MAX_FROM_LINE && text.starts_with(FROM) {
            let end = self.empty.unwrap_or(self.line);
            if is_from_line(text) {
                self.begin_message(end, self.at);
            } else {
                self.candidate = Some(Candidate { end, has_sender: has_sender(text) });
            }
        }
        self.empty = matches!(self.text.as_slice(), b"\n" | b"\r\n").then_some(self.line);
        self.line = self.at;
        self.number += 1;
        self.text.clear();
    }

    fn begin_message(&mut self, end_of_last: u64, start: u64) {
        if let Some(last) = self.found.last_mut() {
            last.end = end_of_last;
        }
        self.found.push(MessageSpan { start, end: start });
    }

    /// Number of the first line, from 1, that may begin a message or belong to a text.
    pub fn doubtful(&self) -> Option<u64> {
        self.doubtful
    }

    /// The messages in their order.
    pub fn finish(mut self) -> Vec<MessageSpan> {
        let end = if self.text.is_empty() { self.empty.unwrap_or(self.at) } else { self.at };
        if let Some(last) = self.found.last_mut() {
            last.end = end.max(last.start);
        }
        self.found
    }
}

/// Whether a line is `From SENDER DATE`, the date in the form of asctime(3), perhaps with the name of a time zone.
pub fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(FROM) else { return false };
    let words: Vec<&[u8]> = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
    words.windows(4).skip(1).any(|date| {
        is_one_of(date[0], b"Mon Tue Wed Thu Fri Sat Sun")
            && is_one_of(date[1], b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
            && date[2].len() <= 2
            && date[2].iter().all(u8::is_ascii_digit)
            && is_time(date[3])
    })
}

fn is_one_of(word: &[u8], names: &[u8]) -> bool {
    names.split(|byte| *byte == b' ').any(|name| name == word)
}

/// Whether the word after `From ` is a sender: an address, or a word used in its place.
fn has_sender(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(FROM) else { return false };
    let sender = rest.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    sender.contains(&b'@') || matches!(sender, b"MAILER-DAEMON" | b"-" | b"???" | b"root")
}

/// Whether a line is a header field (RFC 5322, section 2.2).
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.len() < line.len() && !name.is_empty() && name.iter().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~'))
}

/// `12:00` or `12:00:00`.
fn is_time(word: &[u8]) -> bool {
    let mut parts = word.split(|byte| *byte == b':');
    let count = parts.clone().count();
    (2..=3).contains(&count) && parts.all(|part| matches!(part.len(), 1..=2) && part.iter().all(u8::is_ascii_digit))
}

/// Takes one `>` away from each line `>From `.
pub struct Unquoted<R> {
    source: R,
    unquote: Unquote,
    block: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Unquoted<R> {
    /// Reads from `source`, which begins at the start of a line.
    pub fn new(source: R) -> Self {
        let unquote = Unquote { at_start: true, ..Unquote::default() };
        Self { source, unquote, block: vec![0; BLOCK], ready: Vec::new(), taken: 0, ended: false }
    }
}

impl<R: Read> Read for Unquoted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.ended {
            (self.taken, self.ended) = (0, true);
            self.ready.clear();
            match self.source.read(&mut self.block)? {
                0 => self.unquote.give_up(&mut self.ready),
                length => {
                    self.unquote.push(&self.block[..length], &mut self.ready);
                    self.ended = false;
                }
            }
        }
        let there = &self.ready[self.taken..];
        let length = there.len().min(out.len());
        out[..length].copy_from_slice(&there[..length]);
        self.taken += length;
        Ok(length)
    }
}

#[derive(Debug, Default)]
struct Unquote {
    /// Whether everything of the current line so far was `>`, or the start of `From ` behind them.
    at_start: bool,
    arrows: usize,
    /// Bytes of `From ` behind the arrows.
    matched: usize,
}

impl Unquote {
    fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut rest = block;
        while let Some((byte, behind)) = rest.split_first() {
            if !self.at_start {
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                out.extend_from_slice(&rest[..end]);
                self.at_start = rest[..end].ends_with(b"\n");
                rest = &rest[end..];
            } else if *byte == b'>' && self.matched == 0 && self.arrows < MAX_ARROWS {
                self.arrows += 1;
                rest = behind;
            } else if self.arrows > 0 && FROM.get(self.matched) == Some(byte) {
                self.matched += 1;
                rest = behind;
                if self.matched == FROM.len() {
                    self.arrows -= 1;
                    self.give_up(out);
                }
            } else {
                self.give_up(out);
            }
        }
    }

    /// What was held back is text.
    fn give_up(&mut self, out: &mut Vec<u8>) {
        out.extend(std::iter::repeat_n(b'>', self.arrows));
        out.extend_from_slice(&FROM[..self.matched]);
        (self.arrows, self.matched, self.at_start) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "From ann@example.org Wed Nov 25 12:00:00 2026\n";

    fn found(text: &str, cut: usize) -> Vec<String> {
        let mut places = MboxScanner::default();
        let (first, second) = text.as_bytes().split_at(cut);
        places.push(first);
        places.push(second);
        let message = |place: &MessageSpan| {
            let range = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
            text[range].to_owned()
        };
        places.finish().iter().map(message).collect()
    }

    #[test]
    fn messages_begin_at_a_line_with_sender_and_date_behind_an_empty_line() {
        let text = format!("{LINE}A: 1\n\nFrom now on\n\nFrom here to there\nno empty line\n{LINE}\n{LINE}B: 2\n\n\n");
        let expected = [format!("A: 1\n\nFrom now on\n\nFrom here to there\nno empty line\n{LINE}"), "B: 2\n\n".into()];
        for cut in 0..text.len() {
            assert_eq!(found(&text, cut), expected, "{cut}");
        }
        assert_eq!(found(&format!("{LINE}\n{LINE}"), 3), ["", ""]);
        assert_eq!(found(&format!("{LINE}A: 1\n\nno end"), 3), ["A: 1\n\nno end"]);
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(found(&crlf, 7).len(), 2);
    }

    #[test]
    fn a_line_from_has_a_date() {
        for valid in [
            "From a@b Wed Nov 25 12:00:00 2026",
            "From MAILER-DAEMON Wed Nov  5 12:00 2026",
            "From \"a b\"@c  Wed Nov 25 12:00:00 MET 2026 remote from x",
        ] {
            assert!(is_from_line(valid.as_bytes()), "{valid}");
        }
        for bad in
            ["From a@b", "From Wed Nov 25 12:00:00 2026", "from a@b Wed Nov 25 12:00:00 2026", "From a Wed Nov x 1"]
        {
            assert!(!is_from_line(bad.as_bytes()), "{bad}");
        }
    }

    fn starts(text: &str) -> (Vec<u64>, Option<u64>) {
        let mut scanner = MboxScanner::default();
        scanner.push(text.as_bytes());
        let doubtful = scanner.doubtful();
        (scanner.finish().iter().map(|span| span.start).collect(), doubtful)
    }

    #[test]
    fn a_line_from_with_another_date_or_none_separates_messages() {
        for second in ["From c@d 2026-11-25T12:00:00Z", "From c@d", "From MAILER-DAEMON", "From c@d Mi Nov 25 2026"] {
            let text = format!("From a@b 25 Nov 2026\nTo: x\n\nhello\n\n{second}\nTo: y\n\nhello\n");
            let (starts, doubtful) = starts(&text);
            assert_eq!((starts.len(), doubtful), (2, None), "{second}");
        }
    }

    #[test]
    fn a_sentence_is_text_and_one_before_a_field_is_doubtful() {
        let mbox = |sentence: &str| starts(&format!("From a@b Wed Nov 25 12:00:00 2026\nTo: x\n\nhello\n\n{sentence}"));
        assert_eq!(mbox("From there we went home.\nIt rained.\n"), (vec![34], None));
        assert_eq!(mbox("From there we went home.\nNote: it rained.\n"), (vec![34], Some(6)));
    }

    #[test]
    fn one_arrow_goes_wherever_blocks_are_cut() {
        let text = format!(">From a\n>>From b\n>Fro\n>From\nx >From c\n>\n{}From d\n>From ", ">".repeat(300));
        let plain = format!("From a\n>From b\n>Fro\n>From\nx >From c\n>\n{}From d\nFrom ", ">".repeat(300));
        for cut in 0..text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let mut read = String::new();
            Unquoted::new(first.chain(second)).read_to_string(&mut read).unwrap();
            assert_eq!(read, plain, "{cut}");
        }
    }
}
