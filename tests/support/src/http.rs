//! A raw HTTP client: it sends exactly the bytes a test gives it, and reads answers strictly (RFC 9112).
//!
//! Whatever an answer lacks or has too much is a failed test, not something to be lenient about.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::process::PATIENCE;

/// One connection to a server.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and fields as they came, without the empty line.
    pub head: String,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the only field of that name, in any case; `None` when there is none.
    ///
    /// # Panics
    /// When the field stands more than once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands twice in\n{}", self.head);
        value
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("no delay can be set");
        Self { stream, buffer: Vec::new() }
    }

    /// The connection itself, for what the other functions do not cover.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is broken.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the connection takes bytes");
    }

    /// Sends a GET request with these further field lines, each ending in CRLF, and reads the answer.
    pub fn get(&mut self, target: &str, fields: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        self.response()
    }

    /// The same with HEAD.
    pub fn head(&mut self, target: &str, fields: &str) -> Response {
        self.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        self.response_to_head()
    }

    /// Reads the next answer.
    ///
    /// # Panics
    /// When it is malformed or does not come.
    pub fn response(&mut self) -> Response {
        self.read_response(false)
    }

    /// Reads the answer to a HEAD request, which has no body whatever its fields say.
    ///
    /// # Panics
    /// When it is malformed or does not come.
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(true)
    }

    /// Another hold of the same connection, for a test that sends and reads at the same time.
    ///
    /// # Panics
    /// When the system has no descriptor left.
    pub fn sending_half(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether the server has closed the connection and sent nothing more before.
    ///
    /// # Panics
    /// When something arrives, or nothing happens for a long time.
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
        let end = self.fill_until(|buffer| find(buffer, b"\r\n\r\n"), "the head of an answer");
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
