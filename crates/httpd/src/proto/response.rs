//! The head of a response (RFC 9112, section 4; RFC 9110, section 15): status line and fields, written into a buffer.

use std::fmt;

/// A status code this server sends (RFC 9110, section 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(u16);

#[expect(missing_docs, reason = "the names are the reason phrases of the RFC")]
impl Status {
    pub const OK: Self = Self(200);
    pub const NO_CONTENT: Self = Self(204);
    pub const PARTIAL_CONTENT: Self = Self(206);
    pub const MOVED_PERMANENTLY: Self = Self(301);
    pub const FOUND: Self = Self(302);
    pub const NOT_MODIFIED: Self = Self(304);
    pub const PERMANENT_REDIRECT: Self = Self(308);
    pub const BAD_REQUEST: Self = Self(400);
    pub const UNAUTHORIZED: Self = Self(401);
    pub const FORBIDDEN: Self = Self(403);
    pub const NOT_FOUND: Self = Self(404);
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    pub const NOT_ACCEPTABLE: Self = Self(406);
    pub const REQUEST_TIMEOUT: Self = Self(408);
    pub const PRECONDITION_FAILED: Self = Self(412);
    pub const URI_TOO_LONG: Self = Self(414);
    pub const RANGE_NOT_SATISFIABLE: Self = Self(416);
    pub const EXPECTATION_FAILED: Self = Self(417);
    pub const TOO_MANY_REQUESTS: Self = Self(429);
    pub const FIELDS_TOO_LARGE: Self = Self(431);
    pub const INTERNAL_ERROR: Self = Self(500);
    pub const NOT_IMPLEMENTED: Self = Self(501);
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    pub const VERSION_NOT_SUPPORTED: Self = Self(505);

    /// The number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether the response redirects to another URL.
    pub const fn is_redirect(self) -> bool {
        matches!(self.0, 301 | 302 | 307 | 308)
    }

    /// The reason phrase.
    pub const fn reason(self) -> &'static str {
        match self.0 {
            200 => "OK",
            204 => "No Content",
            206 => "Partial Content",
            301 => "Moved Permanently",
            302 => "Found",
            304 => "Not Modified",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            408 => "Request Timeout",
            412 => "Precondition Failed",
            414 => "URI Too Long",
            416 => "Range Not Satisfiable",
            417 => "Expectation Failed",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "Unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

/// Appends one field. The value must not have a line break; callers encode untrusted bytes.
pub fn field(out: &mut Vec<u8>, name: &str, value: impl AsRef<[u8]>) {
    debug_assert!(!value.as_ref().iter().any(|byte| matches!(byte, b'\r' | b'\n')), "a line break in {name}");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_ref());
    out.extend_from_slice(b"\r\n");
}

/// Appends a field whose value is a number.
pub fn number_field(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    number(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Whether the connection persists after a response (RFC 9112, section 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// Persists; the default of HTTP/1.1, which needs no field.
    Default,
    /// Persists; an HTTP/1.0 client needs the field.
    Explicit,
    /// Closes after this response.
    Close,
}

/// How a response is framed and what follows it on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Whether the connection persists.
    pub keep_alive: KeepAlive,
    /// Whether the client understands the chunked transfer coding.
    pub chunked: bool,
}

impl Framing {
    /// The framing of the last response of a connection.
    pub const LAST: Self = Self { keep_alive: KeepAlive::Close, chunked: false };
}

/// One response being written: the head, then a body that is short.
///
/// Callers name status, fields and body; the form on the wire is decided here.
#[derive(Debug)]
pub struct Response<'o> {
    out: &'o mut Vec<u8>,
    framing: Framing,
    /// Whether the body is sent in chunks.
    is_chunked: bool,
}

impl<'o> Response<'o> {
    /// A response that is appended to `out`.
    pub fn new(out: &'o mut Vec<u8>, framing: Framing) -> Self {
        Self { out, framing, is_chunked: false }
    }

    /// Writes the status line and the Date field, which are first in every response.
    pub fn start(&mut self, status: Status, date: &[u8]) {
        self.out.extend_from_slice(b"HTTP/1.1 ");
        number(self.out, u64::from(status.code()));
        self.out.push(b' ');
        self.out.extend_from_slice(status.reason().as_bytes());
        self.out.extend_from_slice(b"\r\nDate: ");
        self.out.extend_from_slice(date);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Writes one field; see [`field`].
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) {
        field(self.out, name, value);
    }

    /// Writes a field whose value is a number.
    pub fn number_field(&mut self, name: &str, value: u64) {
        number_field(self.out, name, value);
    }

    /// Writes complete field lines.
    pub fn field_lines(&mut self, lines: &[u8]) {
        self.out.extend_from_slice(lines);
    }

    /// The buffer to which complete field lines are appended.
    pub fn fields(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Ends the head of a response whose length is known.
    pub fn end_head(&mut self) {
        self.out.extend_from_slice(match self.framing.keep_alive {
            KeepAlive::Default => b"\r\n",
            KeepAlive::Explicit => b"Connection: keep-alive\r\n\r\n",
            KeepAlive::Close => b"Connection: close\r\n\r\n",
        });
    }

    /// Ends the head of a response of unknown length: chunked, or up to the end of the connection in HTTP/1.0.
    pub fn end_streamed_head(&mut self) {
        if self.framing.chunked {
            self.is_chunked = true;
            self.field("Transfer-Encoding", "chunked");
        } else {
            self.close();
        }
        self.end_head();
    }

    /// Appends the body, or part of it.
    pub fn body(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Closes the connection after this response.
    pub fn close(&mut self) {
        self.framing.keep_alive = KeepAlive::Close;
    }

    /// The framing, for a head that is written later.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the body is sent in chunks.
    pub fn is_chunked(&self) -> bool {
        self.is_chunked
    }
}

/// Appends a number in decimal digits.
pub fn number(out: &mut Vec<u8>, value: u64) {
    // 20 digits hold every u64.
    let mut digits = [0u8; 20];
    let mut value = value;
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        let digit = u8::try_from(value.rem_euclid(10)).unwrap_or(0);
        *place = b'0'.saturating_add(digit);
        start = start.saturating_sub(1);
        value = value.div_euclid(10);
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_status_line_date_fields_and_an_empty_line() {
        let mut out = Vec::new();
        let mut response = Response::new(&mut out, Framing::LAST);
        response.start(Status::NOT_FOUND, b"Sun, 06 Nov 1994 08:49:37 GMT");
        response.field("Content-Type", "text/plain");
        response.number_field("Content-Length", 0);
        response.end_head();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_body_of_unknown_length_is_chunked_or_ends_with_the_connection() {
        for (chunked, end) in [(true, "Transfer-Encoding: chunked\r\n\r\n"), (false, "Connection: close\r\n\r\n")] {
            let mut out = Vec::new();
            let mut response = Response::new(&mut out, Framing { keep_alive: KeepAlive::Default, chunked });
            response.end_streamed_head();
            assert_eq!((response.is_chunked(), response.framing().keep_alive == KeepAlive::Close), (chunked, !chunked));
            assert_eq!(String::from_utf8(out).unwrap(), end);
        }
    }

    #[test]
    fn numbers_of_every_length_are_written() {
        for value in [0, 7, 10, 1234, 99_999, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }
}
