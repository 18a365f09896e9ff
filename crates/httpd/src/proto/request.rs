//! The head of a request: request line and fields (RFC 9112, sections 2 to 5).
//!
//! [`parse`] reads the bytes that have arrived: they are incomplete, a checked [`Head`] that borrows from the buffer,
//! or an error. It is lenient only where the RFC requires it: empty lines before the request line, and a bare LF as the
//! end of a line. Leniency elsewhere has led to request smuggling.

use super::Rejection;
use super::authority::is_authority;
use super::field::{self, Fields, Name};
use super::response::Status;

/// Maximum number of bytes of a request line; RFC 9112, section 3, recommends at least 8,000.
pub const MAX_REQUEST_LINE: usize = 16 * 1024;
/// Maximum number of bytes of a head; bounds the memory of a connection.
pub const MAX_HEAD: usize = 32 * 1024;
/// Maximum number of field lines; bounds the work per head. Browsers send about twenty.
pub const MAX_FIELDS: usize = 100;

/// The request method (RFC 9110, section 9), as far as this server distinguishes methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// A known method that is not allowed on files: 405.
    NotAllowed,
}

impl Method {
    /// The allowed methods, as the value of `Allow`.
    pub const ALLOWED: &'static str = "GET, HEAD, OPTIONS";

    /// Methods are case-sensitive: `get` is an unknown method, not GET.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        match bytes {
            b"GET" => Ok(Self::Get),
            b"HEAD" => Ok(Self::Head),
            b"OPTIONS" => Ok(Self::Options),
            b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"CONNECT" | b"TRACE" => Ok(Self::NotAllowed),
            _ => Err(Rejection::new(Status::NOT_IMPLEMENTED, "The method is unknown.")),
        }
    }
}

/// The protocol version, for framing and persistence. A minor version above 1 counts as 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Version {
    fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        match bytes {
            b"HTTP/1.0" => Ok(Self::Http10),
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] => Ok(Self::Http11),
            [b'H', b'T', b'T', b'P', b'/', b'1'..=b'9', b'.', b'0'..=b'9'] => {
                Err(Rejection::new(Status::VERSION_NOT_SUPPORTED, "Only HTTP/1.0 and HTTP/1.1 are spoken here."))
            }
            _ => Err(Rejection::bad_request("The protocol version is malformed.")),
        }
    }
}

/// A complete and well-formed head; borrows from the receive buffer.
#[derive(Debug, Clone)]
pub struct Head<'b> {
    /// The method.
    pub method: Method,
    /// The request target as sent (RFC 9112, section 3.2): visible ASCII, not yet parsed.
    pub target: &'b [u8],
    /// The version.
    pub version: Version,
    /// The known fields.
    pub fields: Fields<'b>,
    /// The request line as sent, without its line end, for the access log.
    pub line: &'b [u8],
}

/// The result of [`parse`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives on the stack for one request; a box would cost an allocation")]
pub enum Parsed<'b> {
    /// The head is incomplete.
    Partial,
    /// A head, and its length in bytes.
    Complete(Head<'b>, usize),
}

/// Reads one head from the start of `bytes`.
///
/// 400 for malformed syntax, 414 for a request line that is too long, 431 for fields that are too long or too many, 501
/// for an unknown method, 505 for another major version; also on an incomplete head, as soon as the error is certain.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Rejection> {
    let mut lines = Lines { bytes, position: 0 };
    let line = loop {
        match lines.next()? {
            None => return incomplete_line(&lines),
            Some([]) => {}
            Some(line) => break line,
        }
        if lines.position > MAX_HEAD {
            return Err(Rejection::bad_request("There are too many empty lines before the request."));
        }
    };
    let (method, target, version) = request_line(line)?;
    let mut fields = Fields::default();
    for count in 0.. {
        match lines.next()? {
            Some([]) => break,
            Some(_) if count >= MAX_FIELDS => return Err(TOO_MANY),
            Some(line) => field_line(line, &mut fields)?,
            None if bytes.len() > MAX_HEAD => return Err(TOO_LARGE),
            None => return Ok(Parsed::Partial),
        }
        if lines.position > MAX_HEAD {
            return Err(TOO_LARGE);
        }
    }
    let head = Head { method, target, version, fields, line };
    check_host(&head)?;
    Ok(Parsed::Complete(head, lines.position))
}

/// The request line of a malformed head, for the access log.
pub fn first_line(bytes: &[u8]) -> &[u8] {
    let mut lines = Lines { bytes, position: 0 };
    loop {
        match lines.next() {
            Ok(Some([])) => {}
            Ok(Some(line)) => return line,
            _ => {
                let rest = bytes.get(lines.position..).unwrap_or_default();
                return rest.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
            }
        }
    }
}

const TOO_LARGE: Rejection = Rejection::new(Status::FIELDS_TOO_LARGE, "The header fields are too large.");
const TOO_MANY: Rejection = Rejection::new(Status::FIELDS_TOO_LARGE, "There are too many header fields.");
const TOO_LONG: Rejection = Rejection::new(Status::URI_TOO_LONG, "The request target is too long.");

fn incomplete_line<'b>(lines: &Lines<'b>) -> Result<Parsed<'b>, Rejection> {
    let started = lines.bytes.get(lines.position..).unwrap_or_default();
    // The CR of the line end may have arrived without its LF.
    let started = started.strip_suffix(b"\r").unwrap_or(started);
    if started.len() > MAX_REQUEST_LINE { Err(TOO_LONG) } else { Ok(Parsed::Partial) }
}

fn request_line(line: &[u8]) -> Result<(Method, &[u8], Version), Rejection> {
    if line.len() > MAX_REQUEST_LINE {
        return Err(TOO_LONG);
    }
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Rejection::bad_request("The request line must be: method, space, target, space, version."));
    };
    if method.is_empty() || !method.iter().copied().all(field::is_token) {
        return Err(Rejection::bad_request("The method is malformed."));
    }
    if target.is_empty() || !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(Rejection::bad_request("The request target holds a character that must be percent-encoded."));
    }
    let version = Version::from_bytes(version)?;
    Ok((Method::from_bytes(method)?, target, version))
}

fn field_line<'b>(line: &'b [u8], fields: &mut Fields<'b>) -> Result<(), Rejection> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Rejection::bad_request("A header field is folded over several lines."));
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(Rejection::bad_request("A header field has no colon."));
    };
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    let value = value.get(1..).unwrap_or_default();
    if name.is_empty() || !name.iter().copied().all(field::is_token) {
        return Err(Rejection::bad_request("The name of a header field is malformed."));
    }
    if !value.iter().copied().all(field::is_value) {
        return Err(Rejection::bad_request("The value of a header field holds a control character."));
    }
    if let Some(name) = Name::from_bytes(name) {
        fields.add(name, field::trim(value));
    }
    Ok(())
}

/// Checks Host: exactly one in HTTP/1.1, at most one in HTTP/1.0, well-formed (RFC 9112, section 3.2).
fn check_host(head: &Head) -> Result<(), Rejection> {
    if head.fields.repeats(Name::Host) {
        return Err(Rejection::bad_request("There is more than one Host field."));
    }
    match head.fields.first(Name::Host) {
        Some(host) if is_authority(host) => Ok(()),
        Some(_) => Err(Rejection::bad_request("The Host field is malformed.")),
        None if head.version == Version::Http10 => Ok(()),
        None => Err(Rejection::bad_request("The Host field is missing.")),
    }
}

/// Lines that end in CRLF or LF; a bare CR is an error.
struct Lines<'b> {
    bytes: &'b [u8],
    position: usize,
}

impl<'b> Lines<'b> {
    /// The next line without its end; `None` when it is incomplete.
    fn next(&mut self) -> Result<Option<&'b [u8]>, Rejection> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\n', rest) else { return Ok(None) };
        self.position = self.position.saturating_add(length).saturating_add(1);
        let line = rest.get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match memchr::memchr2(b'\r', 0, line) {
            None => Ok(Some(line)),
            Some(_) => Err(Rejection::bad_request("A line holds a bare CR or a NUL.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(text: &str) -> u16 {
        match parse(text.as_bytes()) {
            Err(rejection) => rejection.status.code(),
            Ok(parsed) => panic!("accepted: {parsed:?}"),
        }
    }

    fn head(text: &str) -> Head<'_> {
        match parse(text.as_bytes()) {
            Ok(Parsed::Complete(head, length)) if length == text.len() => head,
            other => panic!("not complete: {other:?}"),
        }
    }

    fn with_line(line: &str) -> u16 {
        rejected(&format!("{line}\r\nHost: h\r\n\r\n"))
    }

    fn with_field(field: &str) -> u16 {
        rejected(&format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n"))
    }

    #[test]
    fn an_ordinary_head_is_parsed() {
        let head = head("GET /a?b HTTP/1.1\r\nHost: example.com:80\r\nRange:  bytes=0-1 \r\nX-Other: y\r\n\r\n");
        assert_eq!((head.method, head.version, head.target), (Method::Get, Version::Http11, &b"/a?b"[..]));
        assert_eq!(head.fields.first(Name::Range), Some(&b"bytes=0-1"[..]));
        assert_eq!(head.line, b"GET /a?b HTTP/1.1");
    }

    #[test]
    fn every_prefix_of_a_head_is_incomplete() {
        let text = "\r\nGET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";
        for end in 0..text.len() {
            assert!(matches!(parse(&text.as_bytes()[..end]), Ok(Parsed::Partial)), "{:?}", &text[..end]);
        }
    }

    #[test]
    fn a_pipelined_request_is_left_in_the_buffer() {
        let text = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n";
        let Ok(Parsed::Complete(_, length)) = parse(text) else { panic!("not complete") };
        assert_eq!(&text[length..], b"GET /2 HTTP/1.1\r\n");
    }

    #[test]
    fn bare_line_feeds_and_leading_empty_lines_are_accepted() {
        assert_eq!(head("\r\n\nGET / HTTP/1.1\nHost: h\n\n").target, b"/");
    }

    #[test]
    fn unknown_methods_are_501_and_known_ones_that_are_not_allowed_are_distinguished() {
        assert_eq!(with_line("get / HTTP/1.1"), 501);
        assert_eq!(with_line("BREW / HTTP/1.1"), 501);
        assert_eq!(head("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n").method, Method::NotAllowed);
        assert_eq!(with_line("G{T / HTTP/1.1"), 400);
    }

    #[test]
    fn the_request_line_has_exactly_two_single_spaces() {
        for line in
            ["GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1", "GET /"]
        {
            assert_eq!(with_line(line), 400, "{line:?}");
        }
    }

    #[test]
    fn versions_are_checked() {
        assert_eq!(head("GET / HTTP/1.7\r\nHost: h\r\n\r\n").version, Version::Http11);
        assert_eq!(head("GET / HTTP/1.0\r\n\r\n").version, Version::Http10);
        for (line, status) in [
            ("GET / HTTP/2.0", 505),
            ("GET / HTTP/3.1", 505),
            ("GET / HTTP/0.9", 400),
            ("GET / HTTP/1.10", 400),
            ("GET / http/1.1", 400),
            ("GET / HTTP/1", 400),
            ("GET / HTTP/1.x", 400),
        ] {
            assert_eq!(with_line(line), status, "{line}");
        }
    }

    #[test]
    fn targets_hold_visible_ascii_only_and_no_fragment() {
        for target in ["/a\u{1}", "/\u{e4}", "/a#b", "/\u{7f}", "/\0"] {
            assert_eq!(with_line(&format!("GET {target} HTTP/1.1")), 400, "{target:?}");
        }
    }

    #[test]
    fn a_target_of_8000_bytes_is_accepted_and_one_beyond_the_limit_is_414() {
        assert_eq!(head(&format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(7999))).target.len(), 8000);
        assert_eq!(with_line(&format!("GET /{} HTTP/1.1", "a".repeat(MAX_REQUEST_LINE))), 414);
        assert_eq!(rejected(&"a".repeat(MAX_REQUEST_LINE + 1)), 414);
    }

    #[test]
    fn a_request_line_at_the_limit_may_arrive_in_any_pieces() {
        let target = "a".repeat(MAX_REQUEST_LINE - "GET / HTTP/1.1".len());
        let text = format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        head(&text);
        for end in MAX_REQUEST_LINE - 1..text.len() {
            assert!(matches!(parse(&text.as_bytes()[..end]), Ok(Parsed::Partial)), "{end}");
        }
    }

    #[test]
    fn malformed_fields_are_400() {
        for field in [
            " folded",
            "\tfolded",
            "Name : v",
            ": v",
            "NoColon",
            "N@me: v",
            "A: b\0c",
            "A: b\rc",
            "A: \u{7f}",
            "A\u{1}: v",
            "A: b\u{8}",
        ] {
            assert_eq!(with_field(field), 400, "{field:?}");
        }
        assert_eq!(rejected("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n"), 400);
    }

    #[test]
    fn too_many_or_too_large_fields_are_431() {
        assert_eq!(with_field(&"A: b\r\n".repeat(MAX_FIELDS)), 431);
        assert_eq!(with_field(&format!("A: {}", "b".repeat(MAX_HEAD))), 431);
        assert_eq!(rejected(&format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(MAX_HEAD))), 431);
    }

    #[test]
    fn host_is_required_once_and_checked_in_http_1_1() {
        for text in [
            "",
            "Host:\r\n",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: a:x\r\n",
            "Host: a:65536\r\n",
            "Host: a%zz\r\n",
            "Host: [::1\r\n",
            "Host: [::::]\r\n",
            "Host: [::1]a\r\n",
        ] {
            assert_eq!(rejected(&format!("GET / HTTP/1.1\r\n{text}\r\n")), 400, "{text:?}");
        }
        for host in ["a", "a.example:8080", "127.0.0.1", "[::1]:80", "a:", "a%2Eb:65535"] {
            head(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        }
    }

    #[test]
    fn the_line_of_a_bad_request_can_still_be_logged() {
        assert_eq!(first_line(b"\r\nGET /\x01 HTTP/1.1\r\nHost"), b"GET /\x01 HTTP/1.1");
        assert_eq!(first_line(b"GET /half"), b"GET /half");
        assert_eq!(first_line(b"\x16\x03\x01\r\x02"), b"\x16\x03\x01");
    }
}
