//! Writes a response with blocking calls (sendfile(2)).
//!
//! sendfile is called with explicit offsets: nothing is copied and no file position is shared. The client must read at the
//! minimum rate, measured over [`RATE_WINDOW`]. A file that shrinks ends the connection, because its length was sent.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{MsgFlags, send};

use crate::content::BodySink;
use crate::handler::ResponseBody;
use crate::net::stream::ClientStream;
use crate::net::token_bucket::TokenBucket;
use crate::proto::framing::{LAST_CHUNK, chunk_start, write_chunk};
use crate::proto::range::Part;
use crate::shutdown::Shutdown;
use crate::tls::session::{BURST, Records};

/// Longest wait of one send, after which the rate is checked.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Time over which the minimum rate is measured, so that a short stall ends no download.
const RATE_WINDOW: Duration = Duration::from_secs(20);
/// Bytes per sendfile call: the cost of the call is negligible, and the rate is checked in between.
const MAX_SENDFILE: u64 = 8 << 20;

/// Announces further data, so that the kernel sends no small packet (send(2)); the same value on every architecture.
const MSG_MORE: MsgFlags = MsgFlags::from_bits_retain(0x8000);

/// Why a response is aborted after its length was sent.
const SHRUNK: &str = "the file has shrunk";

/// A blocking stream with a minimum rate and an optional maximum rate.
pub(super) struct ResponseWriter<'a> {
    stream: &'a mut ClientStream,
    /// Space for TLS records.
    records: Records,
    bucket: Option<&'a mut TokenBucket>,
    min_rate: u64,
    shutdown: &'a Shutdown,
    window_start: Instant,
    sent_in_window: u64,
    /// Bytes of the body, including its framing.
    body_bytes: u64,
    /// Whether a body of unknown length is sent in chunks.
    chunked: bool,
    /// Space for one chunk.
    chunk: Vec<u8>,
}

impl<'a> ResponseWriter<'a> {
    pub(super) fn new(
        stream: &'a mut ClientStream,
        bucket: Option<&'a mut TokenBucket>,
        min_rate: u64,
        shutdown: &'a Shutdown,
        chunked: bool,
    ) -> Self {
        Self {
            stream,
            records: Records::default(),
            bucket,
            min_rate,
            shutdown,
            window_start: Instant::now(),
            sent_in_window: 0,
            body_bytes: 0,
            chunked,
            chunk: Vec::new(),
        }
    }

    /// Bytes of the body sent so far.
    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Sends bytes that are ready, then the body.
    pub(super) fn write(&mut self, ready: &[u8], body: ResponseBody) -> io::Result<()> {
        // Otherwise a client that neither reads nor closes would hold the thread forever.
        self.stream.set_send_timeout(SEND_TIMEOUT)?;
        match body {
            ResponseBody::Empty | ResponseBody::Events(_) => self.send(ready, MsgFlags::empty()),
            ResponseBody::Cached(cached, range) => {
                self.send(ready, MSG_MORE)?;
                self.send_body(cached.body.get(range).unwrap_or_default())
            }
            ResponseBody::File { file, parts, tail } => {
                self.send(ready, MSG_MORE)?;
                for part in parts {
                    self.send(&part.head, MSG_MORE)?;
                    self.send_file(&file, part.part)?;
                    self.body_bytes += part.head.len() as u64;
                }
                self.send_body(&tail)
            }
            ResponseBody::Listing(page) => {
                self.send(ready, MSG_MORE)?;
                page.write_to(self)?;
                self.end_chunks()
            }
            ResponseBody::Archive(archive) => {
                self.send(ready, MSG_MORE)?;
                archive.write_to(self)?;
                self.end_chunks()
            }
            ResponseBody::Compressed(compression, head) => {
                self.send(ready, MSG_MORE)?;
                let (head, body) = head.complete(compression.run());
                self.write(&head, body)
            }
            ResponseBody::Verification(verification) => {
                self.send(ready, MsgFlags::empty())?;
                verification.verify();
                Ok(())
            }
        }
    }

    /// Sends bytes, as TLS records if there is TLS; unsent records go first.
    fn send(&mut self, mut bytes: &[u8], flags: MsgFlags) -> io::Result<()> {
        if self.stream.is_plain() {
            return self.send_to_socket(bytes, flags);
        }
        let mut records = std::mem::take(&mut self.records);
        while !bytes.is_empty() || self.stream.has_backlog() {
            let (count, sealed) = self.stream.seal(bytes, &mut records)?;
            self.send_to_socket(sealed, flags)?;
            bytes = &bytes[count..];
        }
        self.records = records;
        Ok(())
    }

    fn send_to_socket(&mut self, mut bytes: &[u8], flags: MsgFlags) -> io::Result<()> {
        while !bytes.is_empty() {
            let piece = &bytes[..self.wait_for_tokens(bytes.len())];
            match send(self.stream.as_fd().as_raw_fd(), piece, flags | MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => {
                    self.count_sent(count as u64)?;
                    bytes = &bytes[count..];
                }
                Err(error) => self.check_stall(error)?,
            }
        }
        Ok(())
    }

    fn send_body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(bytes, MsgFlags::empty())?;
        self.body_bytes += bytes.len() as u64;
        Ok(())
    }

    fn send_file(&mut self, file: &File, part: Part) -> io::Result<()> {
        if !self.stream.is_plain() {
            return self.seal_file(file, part);
        }
        let (mut offset, mut left) = (part.start, part.length);
        while left > 0 {
            let mut position = i64::try_from(offset).map_err(io::Error::other)?;
            let count = usize::try_from(left.min(MAX_SENDFILE)).map_err(io::Error::other)?;
            let count = self.wait_for_tokens(count);
            match sendfile64(self.stream.as_fd(), file, Some(&mut position), count) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, SHRUNK)),
                Ok(count) => {
                    self.body_bytes += count as u64;
                    self.count_sent(count as u64)?;
                    offset += count as u64;
                    left -= count as u64;
                }
                Err(error) => self.check_stall(error)?,
            }
        }
        Ok(())
    }

    /// Sends part of a file over TLS: reads and encrypts it.
    fn seal_file(&mut self, file: &File, part: Part) -> io::Result<()> {
        let (mut offset, mut left) = (part.start, part.length);
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(BURST).min(BURST)];
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(BURST).min(BURST);
            match file.read_at(&mut buffer[..wanted], offset) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, SHRUNK)),
                Ok(count) => {
                    self.send(&buffer[..count], MsgFlags::empty())?;
                    self.body_bytes += count as u64;
                    offset += count as u64;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end_chunks(&mut self) -> io::Result<()> {
        if self.chunked { self.send_body(LAST_CHUNK) } else { Ok(()) }
    }

    /// How many of `wanted` bytes the rate limit allows now; waits until it is at least one. The client is not responsible
    /// for this time, so the window of the minimum rate is moved by it.
    fn wait_for_tokens(&mut self, wanted: usize) -> usize {
        let Some(bucket) = &mut self.bucket else { return wanted };
        loop {
            match bucket.take(wanted as u64, Instant::now()) {
                Ok(count) => return usize::try_from(count).unwrap_or(wanted),
                Err(wait) => {
                    sleep(wait);
                    self.window_start += wait;
                }
            }
        }
    }

    fn count_sent(&mut self, count: u64) -> io::Result<()> {
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(usize::try_from(count).unwrap_or(usize::MAX));
        }
        self.sent_in_window += count;
        self.check_rate()
    }

    fn check_stall(&mut self, error: Errno) -> io::Result<()> {
        match error {
            Errno::EINTR => Ok(()),
            Errno::EAGAIN => self.check_rate(),
            other => Err(other.into()),
        }
    }

    fn check_rate(&mut self) -> io::Result<()> {
        if self.shutdown.is_overdue() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server stops"));
        }
        let elapsed = self.window_start.elapsed();
        if elapsed < RATE_WINDOW {
            return Ok(());
        }
        if self.sent_in_window < self.min_rate.saturating_mul(elapsed.as_secs()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly"));
        }
        self.window_start = Instant::now();
        self.sent_in_window = 0;
        Ok(())
    }
}

impl BodySink for ResponseWriter<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.chunked {
            return self.send_body(bytes);
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.clear();
        write_chunk(bytes, &mut chunk);
        self.send_body(&chunk)?;
        self.chunk = chunk;
        Ok(())
    }

    fn file(&mut self, file: &File, part: Part) -> io::Result<()> {
        if !self.chunked {
            return self.send_file(file, part);
        }
        let mut start = Vec::new();
        chunk_start(part.length, &mut start);
        self.send_body(&start)?;
        self.send_file(file, part)?;
        self.send_body(b"\r\n")
    }
}
