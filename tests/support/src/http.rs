//! A raw HTTP/1.1 client: sends the exact bytes of a test and parses responses strictly (RFC 9112).
//!
//! A malformed response fails the test.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::process::WAIT_TIMEOUT;

/// A connection to a server.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and header fields unchanged, without the empty line.
    pub head: String,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the only header field of that name; `None` without one. The case of the name does not matter.
    ///
    /// # Panics
    /// When the response has the field more than once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in\n{}", self.head);
        value
    }

    /// The body as text.
    ///
    /// # Panics
    /// When the body is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }
}

impl Client {
    /// Connects to a server.
    ///
    /// # Panics
    /// When the connection is refused.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(WAIT_TIMEOUT)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("no delay can be set");
        Self { stream, buffer: Vec::new() }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes unchanged.
    ///
    /// # Panics
    /// When the connection is broken.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the connection takes bytes");
    }

    /// Sends a GET request with these field lines, each with its CRLF, and reads the response.
    pub fn get(&mut self, target: &str, fields: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        self.response()
    }

    /// Sends a HEAD request with these field lines, each with its CRLF, and reads the response.
    pub fn head(&mut self, target: &str, fields: &str) -> Response {
        self.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        self.response_to_head()
    }

    /// Reads the next response.
    ///
    /// # Panics
    /// When the response is malformed or does not arrive.
    pub fn response(&mut self) -> Response {
        self.read_response(false)
    }

    /// Reads the response to a HEAD request, which has no body.
    ///
    /// # Panics
    /// When the response is malformed or does not arrive.
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(true)
    }

    /// A duplicate of the socket, for a test that sends and reads at the same time.
    ///
    /// # Panics
    /// When no descriptor is free.
    pub fn sending_half(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Closes the sending side of the connection.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether the server closes the connection without sending more.
    ///
    /// # Panics
    /// When data arrives, or the connection is still open after [`WAIT_TIMEOUT`].
    pub fn is_closed(&mut self) -> bool {
        assert!(self.buffer.is_empty(), "left over: {}", String::from_utf8_lossy(&self.buffer));
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => true,
            Ok(_) => panic!("the server sent more, beginning with {:?}", char::from(byte[0])),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => true,
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }

    fn read_response(&mut self, to_head: bool) -> Response {
        let end = self.fill_until(|buffer| find(buffer, b"\r\n\r\n"), "the head of a response");
        let head = String::from_utf8(self.take(end + 4)).expect("a head is ASCII").trim_end().to_owned();
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head}"));
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        let mut response = Response { status, head, body: Vec::new() };
        if to_head || matches!(status, 100..=199 | 204 | 304) {
            return response;
        }
        response.body = if response.field("Transfer-Encoding") == Some("chunked") {
            self.read_chunks()
        } else if let Some(length) = response.field("Content-Length") {
            let length = length.parse().expect("Content-Length is a number");
            self.fill_until(|buffer| (buffer.len() >= length).then_some(()), "the body");
            self.take(length)
        } else {
            self.stream.read_to_end(&mut self.buffer).expect("a body until the end");
            std::mem::take(&mut self.buffer)
        };
        response
    }

    fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = self.fill_until(|buffer| find(buffer, b"\r\n"), "the size of a chunk");
            let line = String::from_utf8(self.take(end + 2)).expect("a chunk size is ASCII");
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("no chunk size: {line:?}"));
            self.fill_until(|buffer| (buffer.len() >= size + 2).then_some(()), "a chunk");
            let chunk = self.take(size + 2);
            assert!(chunk.ends_with(b"\r\n"), "a chunk ends in CRLF");
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return body;
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    fn fill_until<T>(&mut self, found: impl Fn(&[u8]) -> Option<T>, what: &str) -> T {
        let mut piece = vec![0; 65536];
        loop {
            if let Some(value) = found(&self.buffer) {
                return value;
            }
            match self.stream.read(&mut piece) {
                Ok(0) => panic!("closed before {what}: {:?}", String::from_utf8_lossy(&self.buffer)),
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) => panic!("waiting for {what}: {error}"),
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
