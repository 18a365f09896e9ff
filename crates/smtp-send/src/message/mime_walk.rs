//! A walk through the parts of a message (RFC 2046), block by block, in memory that does not grow with it.
//!
//! The walk changes nothing: all bytes are handed on in their order, and a [`Visitor`] decides what to do with them. A line
//! end in front of a boundary belongs to the boundary, as section 5.1.1 says.

use crate::proto::header::{self, Header, MAX_HEADER};
use crate::proto::mime::{ContentType, Transfer};

/// A boundary has 70 characters at most; blanks may follow. A longer line is content.
const MAX_BOUNDARY_LINE: usize = 256;
/// Parts within parts. What is deeper is taken as it is.
const MAX_DEPTH: usize = 64;

/// What is met on a walk.
pub(super) trait Visitor {
    /// An entity begins: the message, a part or a message within. `raw` is its header with the empty line.
    fn head(&mut self, entity: &Entity, header: &Header<'_>, raw: &[u8]);
    /// Bytes of the body of an entity that has no parts.
    fn leaf(&mut self, bytes: &[u8]);
    /// The end of that body.
    fn end_leaf(&mut self);
    /// Bytes of a boundary line, with the line end before it.
    fn boundary(&mut self, bytes: &[u8]);
    /// Preamble or epilogue of a multipart (RFC 2046, section 5.1.1).
    fn preamble(&mut self, bytes: &[u8]);
}

/// What a header says about the body behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(super) struct Entity {
    /// What the body is made of.
    pub(super) kind: Kind,
    /// How it is encoded.
    pub(super) transfer: Transfer,
    /// Whether it is text; without a Content-Type it is.
    pub(super) text: bool,
    /// Whether it has a Content-Type.
    pub(super) typed: bool,
    /// Whether it is a message, not a part of one.
    pub(super) message: bool,
    /// Whether it is within a signed part (RFC 1847).
    pub(super) signed: bool,
}

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Parts.
    Multipart,
    /// An enclosed message.
    Message,
    /// Content.
    Leaf,
}

/// Where the walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalkState {
    Head,
    Leaf,
    Preamble,
}

#[derive(Debug)]
struct Boundary {
    text: Vec<u8>,
    digest: bool,
    signed: bool,
}

/// A walk through one message.
#[derive(Debug)]
pub(super) struct Walk {
    place: WalkState,
    /// Of the multiparts around, the outermost first.
    boundaries: Vec<Boundary>,
    /// Messages within messages so far.
    messages: usize,
    /// Whether the next header belongs to a message.
    message: bool,
    /// Bytes that mean nothing until more have come.
    held: Vec<u8>,
    /// A line end that may belong to a boundary.
    line_end: &'static [u8],
    /// Whether the start of the current line was handed on already.
    within_line: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            place: WalkState::Head,
            boundaries: Vec::new(),
            messages: 0,
            message: true,
            held: Vec::new(),
            line_end: b"",
            within_line: false,
        }
    }
}

impl Walk {
    /// Goes through the next block.
    pub(super) fn push(&mut self, block: &[u8], visitor: &mut impl Visitor) {
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(block);
        let used = self.go(&bytes, false, visitor);
        bytes.drain(..used);
        self.held = bytes;
    }

    /// Goes to the end.
    pub(super) fn finish(mut self, visitor: &mut impl Visitor) {
        let bytes = std::mem::take(&mut self.held);
        self.go(&bytes, true, visitor);
        let line_end = self.line_end;
        self.hand_on(line_end, visitor);
        if self.place == WalkState::Leaf {
            visitor.end_leaf();
        }
    }

    /// Gives the number of bytes that need not be seen again.
    fn go(&mut self, bytes: &[u8], last: bool, visitor: &mut impl Visitor) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let used = match self.place {
                WalkState::Head => {
                    let Some(header) = header::parse(rest, last || rest.len() > MAX_HEADER) else { return at };
                    at += header.length;
                    self.enter(&header, &rest[..header.length], visitor);
                    continue;
                }
                _ if rest.is_empty() => return at,
                _ if self.boundaries.is_empty() => {
                    self.hand_on(rest, visitor);
                    rest.len()
                }
                _ => self.line(rest, last, visitor),
            };
            if used == 0 {
                return at;
            }
            at += used;
        }
    }

    fn enter(&mut self, header: &Header<'_>, raw: &[u8], visitor: &mut impl Visitor) {
        let transfer = Transfer::of(header);
        let typed = ContentType::of(header);
        let digest = !self.message && self.boundaries.last().is_some_and(|boundary| boundary.digest);
        let essence = typed.as_ref().map_or(if digest { "message/rfc822" } else { "text/plain" }, |one| &one.essence);
        let boundary = typed.as_ref().and_then(|one| one.boundary.clone());
        let open = transfer.is_identity() && self.boundaries.len() + self.messages < MAX_DEPTH;
        let kind = match (essence, boundary) {
            (multipart, Some(text)) if open && multipart.starts_with("multipart/") => {
                let (digest, signed) = (multipart == "multipart/digest", multipart == "multipart/signed");
                self.boundaries.push(Boundary { text, digest, signed });
                Kind::Multipart
            }
            ("message/rfc822" | "message/global", _) if open => {
                self.messages += 1;
                Kind::Message
            }
            _ => Kind::Leaf,
        };
        let entity = Entity {
            kind,
            transfer,
            text: essence.starts_with("text/") || essence.starts_with("message/") || !essence.contains('/'),
            typed: typed.is_some(),
            message: self.message,
            signed: self.boundaries.iter().any(|boundary| boundary.signed),
        };
        visitor.head(&entity, header, raw);
        (self.line_end, self.within_line, self.message) = (b"", false, kind == Kind::Message);
        self.place = match kind {
            Kind::Multipart => WalkState::Preamble,
            Kind::Message => WalkState::Head,
            Kind::Leaf => WalkState::Leaf,
        };
    }

    /// One line or a piece of one, where boundaries may come; gives its length, 0 when more must be seen.
    fn line(&mut self, rest: &[u8], last: bool, visitor: &mut impl Visitor) -> usize {
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (text, behind) = rest.split_at(end);
        let ending: Option<&'static [u8]> = match behind {
            [b'\r', b'\n', ..] => Some(b"\r\n"),
            [b'\r'] if !last => None,
            [b'\r', ..] => Some(b"\r"),
            [b'\n', ..] => Some(b"\n"),
            _ if last => Some(b""),
            _ => None,
        };
        let suspect =
            !self.within_line && text.len() <= MAX_BOUNDARY_LINE && text.starts_with(&b"--"[..text.len().min(2)]);
        match ending {
            None if suspect => 0,
            None => {
                self.hand_on(text, visitor);
                self.within_line = true;
                text.len()
            }
            Some(ending) => {
                let whole = &rest[..end + ending.len()];
                if !(suspect && self.crosses(text, whole, visitor)) {
                    self.hand_on(text, visitor);
                    (self.line_end, self.within_line) = (ending, false);
                }
                whole.len()
            }
        }
    }

    /// Whether a line is a boundary; then the walk goes on behind it.
    fn crosses(&mut self, text: &[u8], whole: &[u8], visitor: &mut impl Visitor) -> bool {
        let Some(text) = text.strip_prefix(b"--") else { return false };
        let kind = |boundary: &Boundary| match text.strip_prefix(boundary.text.as_slice())?.trim_ascii() {
            b"" => Some(false),
            b"--" => Some(true),
            _ => None,
        };
        let found = self.boundaries.iter().enumerate().rev().find_map(|(at, one)| Some((at, kind(one)?)));
        let Some((at, closing)) = found else { return false };
        if self.place == WalkState::Leaf {
            visitor.end_leaf();
        }
        visitor.boundary(self.line_end);
        visitor.boundary(whole);
        (self.line_end, self.within_line, self.message) = (b"", false, false);
        self.boundaries.truncate(if closing { at } else { at + 1 });
        self.place = if closing { WalkState::Preamble } else { WalkState::Head };
        true
    }

    /// Hands on bytes that are no boundary, after the line end that was no part of one.
    fn hand_on(&mut self, bytes: &[u8], visitor: &mut impl Visitor) {
        for bytes in [std::mem::take(&mut self.line_end), bytes] {
            match self.place {
                _ if bytes.is_empty() => {}
                WalkState::Leaf => visitor.leaf(bytes),
                WalkState::Head | WalkState::Preamble => visitor.preamble(bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what is met.
    #[derive(Default)]
    struct Notes(Vec<(char, String)>);

    impl Notes {
        fn note(&mut self, sign: char, bytes: &[u8]) {
            let text = String::from_utf8_lossy(bytes);
            match self.0.last_mut() {
                Some((last, all)) if *last == sign && sign != 'h' => all.push_str(&text),
                _ => self.0.push((sign, text.into_owned())),
            }
        }
    }

    impl Visitor for Notes {
        fn head(&mut self, _: &Entity, _: &Header<'_>, raw: &[u8]) {
            self.note('h', raw);
        }
        fn leaf(&mut self, bytes: &[u8]) {
            self.note('l', bytes);
        }
        fn end_leaf(&mut self) {
            self.note('.', b"");
        }
        fn boundary(&mut self, bytes: &[u8]) {
            self.note('b', bytes);
        }
        fn preamble(&mut self, bytes: &[u8]) {
            self.note('p', bytes);
        }
    }

    fn walked(blocks: &[&[u8]]) -> Vec<(char, String)> {
        let (mut walk, mut notes) = (Walk::default(), Notes::default());
        for block in blocks {
            walk.push(block, &mut notes);
        }
        walk.finish(&mut notes);
        notes.0
    }

    const NESTED: &str = "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--bc\n\n--b \n\
        Content-Type: multipart/alternative; boundary=\"b c\"\n\n--b c\n\n--b c--\nepilogue\n--b\n\
        Content-Type: message/rfc822\n\nSubject: inner\n\ntext\n--b--\nend";

    #[test]
    fn parts_are_found_and_each_byte_is_handed_on_once() {
        let seen = walked(&[NESTED.as_bytes()]);
        let all: String = seen.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(all, NESTED);
        let leaves: Vec<_> = seen.iter().filter(|(sign, _)| *sign == 'l').map(|(_, text)| text.as_str()).collect();
        assert_eq!(leaves, ["one\n--bc\n", "text"]);
        assert_eq!(seen.iter().filter(|(sign, _)| *sign == '.').count(), 3);
        let preamble: Vec<_> = seen.iter().filter(|(sign, _)| *sign == 'p').map(|(_, text)| text.as_str()).collect();
        assert_eq!(preamble, ["preamble", "epilogue", "end"]);
    }

    #[test]
    fn where_blocks_are_cut_makes_no_difference() {
        for end in ["\n", "\r\n", "\r"] {
            let message = NESTED.replace('\n', end);
            let whole = walked(&[message.as_bytes()]);
            for cut in 0..message.len() {
                let (first, second) = message.as_bytes().split_at(cut);
                assert_eq!(walked(&[first, second]), whole, "{cut}");
            }
        }
    }

    #[test]
    fn a_depth_without_end_ends() {
        let digest = "Content-Type: multipart/digest; boundary=b\n\n--b\n".to_owned() + &"\n\n".repeat(1000);
        assert!(walked(&[digest.as_bytes()]).len() < 3 * MAX_DEPTH);
        let message = "Content-Type: message/rfc822\n\n".repeat(1000);
        assert!(walked(&[message.as_bytes()]).len() < 3 * MAX_DEPTH);
    }
}
