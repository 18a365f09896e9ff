//! Answers that may take their time: written by plain blocking calls, one thread per answer (sendfile(2)).
//!
//! A file goes out by sendfile with explicit offsets, so nothing is copied and no file position is shared. The client has
//! to keep up a minimum rate, measured over windows; a file that shrinks under us ends the connection, because the length
//! was promised already.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::sendfile::sendfile64;
use nix::sys::socket::{MsgFlags, send};

use crate::auth::PendingVerification;
use crate::content::archive::{Archive, BodySink};
use crate::content::cache::CachedFile;
use crate::content::compression::Compression;
use crate::content::listing::FolderPage;
use crate::net::stream::ClientStream;
use crate::net::token_bucket::TokenBucket;
use crate::proto::range::Part;
use crate::telemetry::access_log::OwnedEntry;
use crate::tls::session::{BURST, Records};
use crate::worker::connection::Connection;

/// A send that moved nothing for so long returns, so that the rate can be looked at.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The minimum rate must be reached over this time, so that a short stall in a tunnel ends nobody's download.
const WINDOW: Duration = Duration::from_secs(20);
/// Octets per sendfile call: large enough that the call does not count, small enough to look at the rate in between.
const MAX_SENDFILE: u64 = 8 << 20;

/// More follows at once, so the kernel need not send a packet for this piece alone (send(2)). The same on every Linux.
const MSG_MORE: MsgFlags = MsgFlags::from_bits_retain(0x8000);

/// Why an answer breaks off whose length was promised.
const SHRUNK: &str = "the file has shrunk";

/// What is written behind the bytes that are ready.
#[derive(Debug)]
pub enum Content {
    /// Nothing more.
    Nothing,
    /// Part of a document in memory.
    Memory(Arc<CachedFile>, Range<usize>),
    /// Parts of a file, each with the bytes that stand in front of it, and the bytes behind all of them.
    File {
        /// The open file.
        file: File,
        /// The parts in order.
        pieces: Vec<(Vec<u8>, Part)>,
        /// The end of a multipart body.
        tail: Vec<u8>,
    },
    /// The listing of a folder.
    Listing(FolderPage),
    /// Nothing more, and then the check of the credentials of the next request.
    Login(Box<PendingVerification>),
    /// A folder as one archive.
    Archive(Archive),
    /// A text that is to be compressed first; the head of the answer comes with it.
    Compressed(Box<Compression>),
}

/// An answer for the blocking lane.
#[derive(Debug)]
pub struct Job {
    /// The connection; what the client sent further waits in its `pending`.
    pub connection: Connection,
    /// Bytes that come first: answers to earlier requests, the head of this one.
    pub ready: Vec<u8>,
    /// What comes behind them.
    pub content: Content,
    /// The line for the access log, unless it is written already.
    pub entry: Option<OwnedEntry>,
    /// The rate below which the client is given up, in octets a second.
    pub min_rate: u64,
}

/// A job that is done.
#[derive(Debug)]
pub struct CompletedJob {
    /// The connection, if it can go on; `None` when it broke.
    pub connection: Option<Connection>,
    /// The line for the access log, with the octets that were sent.
    pub entry: Option<OwnedEntry>,
}

/// Carries out a job; blocks until it is done, the connection breaks, or the client is too slow.
pub fn carry_out(job: Job) -> CompletedJob {
    let Job { mut connection, ready, content, mut entry, min_rate } = job;
    let mut writer = ResponseWriter {
        stream: &mut connection.stream,
        records: Records::default(),
        bucket: connection.bucket.as_mut(),
        min_rate,
        window: Instant::now(),
        moved: 0,
        content: 0,
    };
    let outcome = write_all(&mut writer, &ready, content);
    if let Some(entry) = &mut entry {
        entry.bytes = writer.content;
    }
    if let Err(error) = &outcome {
        log::debug!("{}: answer broken off: {}", connection.peer, common::error::reason(error));
    }
    CompletedJob { connection: outcome.is_ok().then_some(connection), entry }
}

fn write_all(writer: &mut ResponseWriter, ready: &[u8], content: Content) -> io::Result<()> {
    // A client that neither reads nor goes away must not hold the thread for ever.
    writer.stream.set_send_timeout(SEND_TIMEOUT)?;
    match content {
        Content::Nothing => writer.send(ready, MsgFlags::empty()),
        Content::Memory(document, range) => {
            writer.send(ready, MSG_MORE)?;
            writer.content_bytes(document.body.get(range).unwrap_or_default())
        }
        Content::File { file, pieces, tail } => {
            writer.send(ready, MSG_MORE)?;
            for (head, part) in pieces {
                writer.send(&head, MSG_MORE)?;
                writer.send_file(&file, part)?;
                writer.content += head.len() as u64;
            }
            writer.content_bytes(&tail)
        }
        Content::Listing(page) => {
            writer.send(ready, MSG_MORE)?;
            page.write_to(writer)
        }
        Content::Login(attempt) => {
            writer.send(ready, MsgFlags::empty())?;
            attempt.check();
            Ok(())
        }
        Content::Archive(archive) => {
            writer.send(ready, MSG_MORE)?;
            archive.write_to(writer)
        }
        Content::Compressed(compression) => {
            writer.send(ready, MSG_MORE)?;
            let (head, content) = compression.answer();
            write_all(writer, &head, content)
        }
    }
}

/// A blocking connection with a minimum rate, and perhaps a greatest one.
struct ResponseWriter<'a> {
    stream: &'a mut ClientStream,
    /// Scratch for the records of TLS.
    records: Records,
    bucket: Option<&'a mut TokenBucket>,
    min_rate: u64,
    window: Instant,
    moved: u64,
    content: u64,
}

impl ResponseWriter<'_> {
    /// Sends bytes, in records where there is TLS; a backlog goes before them.
    fn send(&mut self, mut bytes: &[u8], flags: MsgFlags) -> io::Result<()> {
        if self.stream.is_plain() {
            return self.send_bytes(bytes, flags);
        }
        let mut records = std::mem::take(&mut self.records);
        while !bytes.is_empty() || self.stream.has_backlog() {
            let (count, octets) = self.stream.seal(bytes, &mut records)?;
            self.send_bytes(octets, flags)?;
            bytes = &bytes[count..];
        }
        self.records = records;
        Ok(())
    }

    fn send_bytes(&mut self, mut bytes: &[u8], flags: MsgFlags) -> io::Result<()> {
        while !bytes.is_empty() {
            let piece = &bytes[..self.wait_for_tokens(bytes.len())];
            match send(self.stream.as_fd().as_raw_fd(), piece, flags | MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => {
                    self.account(count as u64)?;
                    bytes = &bytes[count..];
                }
                Err(error) => self.stalled(error)?,
            }
        }
        Ok(())
    }

    fn content_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(bytes, MsgFlags::empty())?;
        self.content += bytes.len() as u64;
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
                    self.account(count as u64)?;
                    self.content += count as u64;
                    offset += count as u64;
                    left -= count as u64;
                }
                Err(error) => self.stalled(error)?,
            }
        }
        Ok(())
    }

    /// The same with TLS: the file has to be read before it can be sealed.
    fn seal_file(&mut self, file: &File, part: Part) -> io::Result<()> {
        let (mut offset, mut left) = (part.start, part.length);
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(BURST).min(BURST)];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(BURST).min(BURST);
            match file.read_at(&mut buffer[..most], offset) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, SHRUNK)),
                Ok(count) => {
                    self.send(&buffer[..count], MsgFlags::empty())?;
                    self.content += count as u64;
                    offset += count as u64;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How much of `wanted` may be sent now; waits until that is something. The client is not to blame for this time, so
    /// the window of the minimum rate moves along.
    fn wait_for_tokens(&mut self, wanted: usize) -> usize {
        let Some(bucket) = &mut self.bucket else { return wanted };
        loop {
            match bucket.take(wanted as u64, Instant::now()) {
                Ok(count) => return usize::try_from(count).unwrap_or(wanted),
                Err(wait) => {
                    sleep(wait);
                    self.window += wait;
                }
            }
        }
    }

    fn account(&mut self, count: u64) -> io::Result<()> {
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(usize::try_from(count).unwrap_or(usize::MAX));
        }
        self.moved += count;
        self.check_rate()
    }

    fn stalled(&mut self, error: Errno) -> io::Result<()> {
        match error {
            Errno::EINTR => Ok(()),
            Errno::EAGAIN => self.check_rate(),
            other => Err(other.into()),
        }
    }

    fn check_rate(&mut self) -> io::Result<()> {
        let elapsed = self.window.elapsed();
        if elapsed < WINDOW {
            return Ok(());
        }
        if self.moved < self.min_rate.saturating_mul(elapsed.as_secs()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly"));
        }
        self.window = Instant::now();
        self.moved = 0;
        Ok(())
    }
}

impl Write for ResponseWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content_bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BodySink for ResponseWriter<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.content_bytes(bytes)
    }

    fn file(&mut self, file: &File, part: Part) -> io::Result<()> {
        self.send_file(file, part)
    }
}
