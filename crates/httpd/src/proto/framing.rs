//! The length of a request body and the persistence of the connection (RFC 9112, sections 6, 7 and 9).
//!
//! The server discards request bodies, but must find their end exactly: a body must never be parsed as the next
//! request. [`Drain`] discards a body that arrives in pieces.

use super::Rejection;
use super::field::{self, Name, decimal};
use super::request::{Head, Version};
use super::response::Status;

/// Maximum number of bytes of a body that is discarded to keep a connection; after a longer one it is closed.
pub const MAX_DRAIN: u64 = 64 * 1024;
/// Maximum number of bytes of a line in chunked framing: a size with extensions, or a trailer field.
const MAX_CHUNK_LINE: usize = 4096;

/// The length of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// Number of bytes behind the head; 0 when the request has no body.
    Bytes(u64),
    /// The body is chunked.
    Chunked,
}

/// The length of the body of a request (RFC 9112, section 6.3).
///
/// 400 for contradictions: two lengths, a length and a transfer coding, a transfer coding in HTTP/1.0, an invalid
/// length. 501 for a transfer coding other than chunked.
pub fn body_length(head: &Head) -> Result<BodyLength, Rejection> {
    let fields = &head.fields;
    if fields.first(Name::TransferEncoding).is_none() {
        return content_length(head).map(BodyLength::Bytes);
    }
    if head.version == Version::Http10 {
        return Err(Rejection::bad_request("Transfer-Encoding is not part of HTTP/1.0."));
    }
    if fields.first(Name::ContentLength).is_some() {
        return Err(Rejection::bad_request("Content-Length and Transfer-Encoding contradict each other."));
    }
    let mut codings = fields.list(Name::TransferEncoding);
    match (codings.next(), codings.next()) {
        (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => Ok(BodyLength::Chunked),
        (None, _) => Err(Rejection::bad_request("Transfer-Encoding is empty.")),
        (Some(first), Some(_)) if first.eq_ignore_ascii_case(b"chunked") => {
            Err(Rejection::bad_request("Only the last transfer coding may be chunked."))
        }
        _ => Err(Rejection::new(Status::NOT_IMPLEMENTED, "The transfer coding is not supported.")),
    }
}

fn content_length(head: &Head) -> Result<u64, Rejection> {
    let mut length = None;
    for value in head.fields.all(Name::ContentLength) {
        let value = decimal(value).ok_or(Rejection::bad_request("Content-Length is not a number that fits."))?;
        if length.is_some_and(|other| other != value) {
            return Err(Rejection::bad_request("There are two different Content-Length fields."));
        }
        length = Some(value);
    }
    Ok(length.unwrap_or(0))
}

/// Whether the connection persists after this request (RFC 9112, section 9.3).
pub fn keeps_alive(head: &Head) -> bool {
    match head.version {
        _ if head.fields.lists(Name::Connection, b"close") => false,
        Version::Http11 => true,
        Version::Http10 => head.fields.lists(Name::Connection, b"keep-alive"),
    }
}

/// The expectation of a request (RFC 9110, section 10.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    None,
    /// `100-continue`: a response before the body is sent.
    Continue,
}

/// Reads `Expect`: ignored in HTTP/1.0, 417 for anything but `100-continue`.
pub fn expectation(head: &Head) -> Result<Expectation, Rejection> {
    if head.version == Version::Http10 {
        return Ok(Expectation::None);
    }
    let mut expectation = Expectation::None;
    for member in head.fields.list(Name::Expect) {
        if !member.eq_ignore_ascii_case(b"100-continue") {
            return Err(Rejection::new(Status::EXPECTATION_FAILED, "The expectation is unknown."));
        }
        expectation = Expectation::Continue;
    }
    Ok(expectation)
}

/// Discards a request body piece by piece.
#[derive(Debug, Clone)]
pub struct Drain {
    state: DrainState,
    /// Remaining number of bytes, framing included.
    budget: u64,
}

#[derive(Debug, Clone)]
enum DrainState {
    /// Remaining bytes of a body or chunk, and the next state.
    Bytes {
        left: u64,
        chunked: bool,
    },
    /// The part of the CRLF behind the data of a chunk that has arrived.
    ChunkEnd(Line),
    /// The line with the size of the next chunk.
    ChunkSize(Line),
    /// Lines of the trailer section, which ends with an empty line.
    Trailer(Line),
    Done,
}

/// The beginning of an incomplete line.
type Line = Vec<u8>;

/// The result of [`Drain::feed`].
#[derive(Debug, PartialEq, Eq)]
pub enum Drained {
    /// All bytes belong to the body, which goes on.
    More,
    /// The body ends after this number of the given bytes.
    Done(usize),
    /// The body is malformed or too large: the connection must be closed.
    GiveUp,
}

impl Drain {
    /// A drain for a body of this length; `None` when it is too large.
    pub fn new(length: BodyLength) -> Option<Self> {
        let state = match length {
            BodyLength::Bytes(left) if left > MAX_DRAIN => return None,
            BodyLength::Bytes(left) => DrainState::Bytes { left, chunked: false },
            BodyLength::Chunked => DrainState::ChunkSize(Line::new()),
        };
        Some(Self { state, budget: MAX_DRAIN })
    }

    /// Reads the next bytes behind the head.
    pub fn feed(&mut self, bytes: &[u8]) -> Drained {
        let mut rest = bytes;
        loop {
            if let DrainState::Done = self.state {
                return Drained::Done(bytes.len().saturating_sub(rest.len()));
            }
            if let DrainState::Bytes { left: 0, chunked: false } = self.state {
                self.state = DrainState::Done;
                continue;
            }
            if rest.is_empty() {
                return Drained::More;
            }
            let Some(taken) = self.step(rest) else { return Drained::GiveUp };
            rest = rest.get(taken..).unwrap_or_default();
            match self.budget.checked_sub(taken as u64) {
                Some(budget) => self.budget = budget,
                None => return Drained::GiveUp,
            }
        }
    }

    /// One step over at least one byte; returns how many bytes it consumed, `None` when they are malformed.
    fn step(&mut self, rest: &[u8]) -> Option<usize> {
        match &mut self.state {
            DrainState::Done => Some(0),
            DrainState::Bytes { left, chunked } => {
                let taken = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                *left = left.saturating_sub(taken as u64);
                if *left == 0 {
                    self.state = if *chunked { DrainState::ChunkEnd(Line::new()) } else { DrainState::Done };
                }
                Some(taken)
            }
            DrainState::ChunkEnd(line) => match take_line(line, rest)? {
                (taken, None) => Some(taken),
                (taken, Some(line)) if line.is_empty() => {
                    self.state = DrainState::ChunkSize(Line::new());
                    Some(taken)
                }
                _ => None,
            },
            DrainState::ChunkSize(line) => {
                let (taken, line) = take_line(line, rest)?;
                if let Some(line) = line {
                    self.state = match chunk_size(&line)? {
                        0 => DrainState::Trailer(Line::new()),
                        left => DrainState::Bytes { left, chunked: true },
                    };
                }
                Some(taken)
            }
            DrainState::Trailer(line) => {
                let (taken, line) = take_line(line, rest)?;
                match line {
                    Some(line) if line.is_empty() => self.state = DrainState::Done,
                    Some(_) => self.state = DrainState::Trailer(Line::new()),
                    None => {}
                }
                Some(taken)
            }
        }
    }
}

/// Adds bytes to a line; returns how many were consumed, and the complete line. `None` when it is malformed or too
/// long.
fn take_line(line: &mut Line, bytes: &[u8]) -> Option<(usize, Option<Line>)> {
    let end = memchr::memchr(b'\n', bytes);
    let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    if line.len().saturating_add(piece.len()) > MAX_CHUNK_LINE {
        return None;
    }
    line.extend_from_slice(piece);
    if end.is_none() {
        return Some((piece.len(), None));
    }
    // A bare LF in chunked framing is used for request smuggling only, so CRLF is required.
    let complete = line.strip_suffix(b"\r")?.to_vec();
    memchr::memchr2(b'\r', 0, &complete).is_none().then(|| (piece.len().saturating_add(1), Some(complete)))
}

/// The size at the start of a chunk line, extensions ignored (RFC 9112, section 7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    // White space is allowed before an extension, not before the number.
    let digits = line.split(|byte| *byte == b';').next()?;
    if !digits.first().is_some_and(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = field::trim(digits);
    if digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The last chunk, without trailer fields (RFC 9112, section 7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends `bytes` as one chunk, and nothing for no bytes: an empty chunk is the last chunk.
pub fn write_chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    chunk_start(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends the size line of a chunk of `size` bytes.
pub fn chunk_start(size: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::request::{Parsed, parse};
    use super::*;

    fn with_head<T>(text: &str, check: impl Fn(&Head) -> T) -> T {
        match parse(text.as_bytes()) {
            Ok(Parsed::Complete(head, _)) => check(&head),
            other => panic!("{other:?}"),
        }
    }

    fn length(fields: &str) -> Result<BodyLength, u16> {
        let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        with_head(&text, |head| body_length(head).map_err(|rejection| rejection.status.code()))
    }

    #[test]
    fn a_length_is_digits_and_equal_repetitions_are_one() {
        assert_eq!(length(""), Ok(BodyLength::Bytes(0)));
        assert_eq!(length("Content-Length: 12\r\n"), Ok(BodyLength::Bytes(12)));
        assert_eq!(length("Content-Length: 12\r\nContent-Length: 12\r\n"), Ok(BodyLength::Bytes(12)));
        for value in ["+1", "-1", "0x1", "1 2", "", "1,1", "18446744073709551616", "1\r\nContent-Length: 2"] {
            assert_eq!(length(&format!("Content-Length: {value}\r\n")), Err(400), "{value:?}");
        }
    }

    #[test]
    fn transfer_codings_other_than_chunked_are_refused() {
        assert_eq!(length("Transfer-Encoding: Chunked\r\n"), Ok(BodyLength::Chunked));
        assert_eq!(length("Transfer-Encoding: gzip, chunked\r\n"), Err(501));
        assert_eq!(length("Transfer-Encoding: xchunked\r\n"), Err(501));
        assert_eq!(length("Transfer-Encoding: chunked, chunked\r\n"), Err(400));
        assert_eq!(length("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), Err(400));
        assert_eq!(length("Transfer-Encoding: \r\n"), Err(400));
    }

    #[test]
    fn a_transfer_coding_beside_a_length_or_in_http_1_0_is_400() {
        assert_eq!(length("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), Err(400));
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(with_head(old, |head| body_length(head).map_err(|r| r.status.code())), Err(400));
    }

    #[test]
    fn persistence_depends_on_version_and_connection_options() {
        let alive = |version, connection: &str| {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\n{connection}\r\n");
            with_head(&text, keeps_alive)
        };
        assert!(alive("1.1", ""));
        assert!(!alive("1.1", "Connection: upgrade, CLOSE\r\n"));
        assert!(!alive("1.1", "Connection: a\r\nConnection: close\r\n"));
        assert!(alive("1.1", "Connection: closed\r\n"));
        assert!(!alive("1.0", ""));
        assert!(alive("1.0", "Connection: Keep-Alive\r\n"));
        assert!(!alive("1.0", "Connection: keep-alive, close\r\n"));
    }

    #[test]
    fn only_100_continue_can_be_expected_and_not_in_http_1_0() {
        let expected = |version, value: &str| {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\nExpect: {value}\r\n\r\n");
            with_head(&text, |head| expectation(head).map_err(|rejection| rejection.status.code()))
        };
        assert_eq!(expected("1.1", "100-Continue"), Ok(Expectation::Continue));
        assert_eq!(expected("1.1", "tea"), Err(417));
        assert_eq!(expected("1.0", "100-continue"), Ok(Expectation::None));
        assert_eq!(expected("1.0", "tea"), Ok(Expectation::None));
    }

    /// Splits `body` at every position and checks that it ends where expected.
    fn drains(length: BodyLength, body: &[u8], rest: &[u8]) {
        let whole = [body, rest].concat();
        for cut in 0..body.len() {
            let mut drain = Drain::new(length).unwrap();
            assert_eq!(drain.feed(&whole[..cut]), Drained::More, "cut {cut}");
            assert_eq!(drain.feed(&whole[cut..]), Drained::Done(body.len() - cut), "cut {cut}");
        }
    }

    #[test]
    fn a_body_of_known_length_is_discarded_exactly() {
        drains(BodyLength::Bytes(5), b"hello", b"GET / HTTP/1.1");
        assert_eq!(Drain::new(BodyLength::Bytes(0)).unwrap().feed(b"GET"), Drained::Done(0));
        assert!(Drain::new(BodyLength::Bytes(MAX_DRAIN + 1)).is_none());
    }

    #[test]
    fn a_chunked_body_is_discarded_exactly_with_extensions_and_trailers() {
        drains(BodyLength::Chunked, b"5;a=b\r\nhello\r\n0\r\n\r\n", b"GET / HTTP/1.1");
        drains(BodyLength::Chunked, b"A\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n", b"");
    }

    #[test]
    fn malformed_chunks_end_the_connection() {
        for body in
            ["x\r\n", " 1\r\n", "-1\r\n", "\r\n", "5\nhello", "3\r\nhello\r\n", "1000000000000000\r\n", "1\r\naX\r\n"]
        {
            let mut drain = Drain::new(BodyLength::Chunked).unwrap();
            assert_eq!(drain.feed(body.as_bytes()), Drained::GiveUp, "{body:?}");
        }
    }

    #[test]
    fn an_endless_chunked_body_ends_the_connection() {
        let mut drain = Drain::new(BodyLength::Chunked).unwrap();
        let chunk = [b"4000\r\n".to_vec(), vec![b'x'; 0x4000], b"\r\n".to_vec()].concat();
        let outcome = (0..10).map(|_| drain.feed(&chunk)).find(|drained| *drained != Drained::More);
        assert_eq!(outcome, Some(Drained::GiveUp));
    }

    #[test]
    fn chunks_are_framed() {
        let mut out = Vec::new();
        write_chunk(&[b'a'; 17], &mut out);
        write_chunk(b"", &mut out);
        out.extend_from_slice(LAST_CHUNK);
        assert_eq!(out, b"11\r\naaaaaaaaaaaaaaaaa\r\n0\r\n\r\n");
    }
}
