//! The access log: one line per response, buffered per worker, written in whole lines.
//!
//! A log that cannot be written (full disk, closed pipe) is reported once and never delays a response.

mod format;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::SafeText;
use common::logger::Color;
use common::sync::Mutex;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Clock;
use crate::content::lookup::CacheStatus;
use crate::net::peer::Peer;
use crate::telemetry::metrics::ServedBy;
use format::{combined, common, dev, json};

/// Bytes buffered per worker: hundreds of lines per write under load.
const BUFFER_SIZE: usize = 32 * 1024;

/// Time that a worker waits for the reader of a pipe before lines are dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes that a writable pipe accepts at once (`PIPE_BUF`, pipe(7)).
const PIPE_BUF: usize = 4096;

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// Short, for terminals: time, status, request, size, duration, client.
    Dev,
    /// The Combined Log Format of Apache and nginx.
    Combined,
    /// The Common Log Format: combined without referer and user agent.
    Common,
    /// One JSON object per line.
    Json,
}

/// The data of one line; byte strings are unescaped.
#[derive(Debug, Clone)]
pub struct LogEntry<'a> {
    /// The address of the client.
    pub peer: Peer,
    /// The request line.
    pub line: &'a [u8],
    /// The status of the response.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub bytes: u64,
    /// The Referer field.
    pub referer: Option<&'a [u8]>,
    /// The User-Agent field.
    pub user_agent: Option<&'a [u8]>,
    /// The authenticated user.
    pub user: Option<Arc<[u8]>>,
    /// Which thread served the response.
    pub served_by: ServedBy,
    /// Hit or miss of the cache for small files, if it was used.
    pub cache: Option<CacheStatus>,
    /// When processing began.
    pub begun: Instant,
}

/// An entry that outlives its request, for responses that are not sent when the handler returns.
#[derive(Debug, Clone)]
pub struct OwnedLogEntry {
    /// The address of the client.
    pub peer: Peer,
    /// Bytes of the body that were sent.
    pub bytes: u64,
    /// Which thread serves the response.
    pub served_by: ServedBy,
    /// Request line, Referer and User-Agent, in one allocation.
    text: Vec<u8>,
    line_length: usize,
    referer_length: Option<usize>,
    has_user_agent: bool,
    status: u16,
    user: Option<Arc<[u8]>>,
    cache: Option<CacheStatus>,
    begun: Instant,
}

impl From<LogEntry<'_>> for OwnedLogEntry {
    fn from(entry: LogEntry) -> Self {
        let (referer, user_agent) = (entry.referer.unwrap_or_default(), entry.user_agent.unwrap_or_default());
        Self {
            peer: entry.peer,
            bytes: entry.bytes,
            served_by: entry.served_by,
            text: [entry.line, referer, user_agent].concat(),
            line_length: entry.line.len(),
            referer_length: entry.referer.map(<[u8]>::len),
            has_user_agent: entry.user_agent.is_some(),
            status: entry.status,
            user: entry.user,
            cache: entry.cache,
            begun: entry.begun,
        }
    }
}

impl OwnedLogEntry {
    /// The request line, for messages.
    pub fn line(&self) -> SafeText<'_> {
        SafeText(self.as_entry().line)
    }

    /// The entry as borrowed data.
    pub fn as_entry(&self) -> LogEntry<'_> {
        let (line, rest) = self.text.split_at(self.line_length);
        let (referer, user_agent) = rest.split_at(self.referer_length.unwrap_or(0));
        LogEntry {
            peer: self.peer,
            line,
            status: self.status,
            bytes: self.bytes,
            referer: self.referer_length.map(|_| referer),
            user_agent: self.has_user_agent.then_some(user_agent),
            user: self.user.clone(),
            served_by: self.served_by,
            cache: self.cache,
            begun: self.begun,
        }
    }
}

/// The destination of the lines of all workers.
#[derive(Debug)]
pub struct Sink {
    path: Option<PathBuf>,
    file: Mutex<File>,
    failed: AtomicBool,
    /// Whether the last line is incomplete because the disk was full.
    cut: AtomicBool,
}

impl Sink {
    /// Standard output.
    pub fn stdout() -> io::Result<Self> {
        Ok(Self::new(None, File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    /// Standard error.
    pub fn stderr() -> io::Result<Self> {
        Ok(Self::new(None, File::from(io::stderr().as_fd().try_clone_to_owned()?)))
    }

    /// A file, which is created if necessary; lines are appended.
    pub fn file(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(Self::new(Some(path), file))
    }

    fn new(path: Option<PathBuf>, file: File) -> Self {
        Self { path, file: Mutex::new(file), failed: AtomicBool::new(false), cut: AtomicBool::new(false) }
    }

    /// Whether lines are coloured.
    pub fn is_colored(&self, color: Color) -> bool {
        color.applies_to(&*self.file.lock())
    }

    fn is_terminal(&self) -> bool {
        self.file.lock().is_terminal()
    }

    /// Reopens a regular file at its path after it was renamed.
    pub fn reopen(&self) -> io::Result<()> {
        let mut file = self.file.lock();
        if let Some(path) = &self.path
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            *file = append_to(path)?;
            self.failed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write(&self, lines: &[u8]) {
        let mut file = self.file.lock();
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let outcome =
            if is_regular { self.write_to_disk(&mut file, lines) } else { self.write_to_pipe(&mut file, lines) };
        if let Err(error) = outcome
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            log::error!("access log: {}; lines are lost", common::error::reason(&error));
        }
    }

    /// Writes to a regular file. An incomplete line is ended first.
    fn write_to_disk(&self, file: &mut File, lines: &[u8]) -> io::Result<()> {
        if self.cut.load(Ordering::Relaxed) {
            file.write_all(b"\n")?;
            self.cut.store(false, Ordering::Relaxed);
        }
        let mut left = lines;
        while !left.is_empty() {
            match file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let written = lines.len() - left.len();
                    let is_cut = written.checked_sub(1).is_some_and(|last| lines[last] != b'\n');
                    self.cut.store(is_cut, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        if self.failed.swap(false, Ordering::Relaxed) {
            log::warn!("access log: writing again");
        }
        Ok(())
    }

    /// Writes to a pipe or terminal. After a timeout, it does not wait until a write has succeeded.
    fn write_to_pipe(&self, file: &mut File, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let timeout = if self.failed.load(Ordering::Relaxed) { Duration::ZERO } else { WRITE_TIMEOUT };
            let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
            if poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], timeout)? == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the reader does not read"));
            }
            // Whole lines if they fit, so that no partial line is dropped.
            let limit = lines.len().min(PIPE_BUF);
            let piece = memchr::memrchr(b'\n', &lines[..limit]).map_or(limit, |end| end + 1);
            file.write_all(&lines[..piece])?;
            self.failed.store(false, Ordering::Relaxed);
            lines = &lines[piece..];
        }
        Ok(())
    }
}

/// Opens a log. A FIFO is opened for reading as well, because else the call would wait for a reader (fifo(7)).
fn append_to(path: &Path) -> io::Result<File> {
    let is_fifo = path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_fifo {
        return OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    }
    OpenOptions::new().append(true).create(true).open(path)
}

/// The log of one worker.
#[derive(Debug)]
pub struct AccessLog {
    format: LineFormat,
    color: bool,
    sink: Option<Arc<Sink>>,
    buffer: Vec<u8>,
    /// Whether lines are written at once, because the output is a terminal.
    is_interactive: bool,
    written_at: u32,
}

impl AccessLog {
    /// A log of this format; without a sink nothing is logged.
    pub fn new(format: LineFormat, color: bool, sink: Option<Arc<Sink>>) -> Self {
        let is_interactive = sink.as_ref().is_some_and(|sink| sink.is_terminal());
        Self { format, color, sink, buffer: Vec::new(), is_interactive, written_at: 0 }
    }

    /// Whether lines contain durations.
    pub fn has_durations(&self) -> bool {
        self.sink.is_some() && matches!(self.format, LineFormat::Json | LineFormat::Dev)
    }

    /// Adds a line.
    pub fn add(&mut self, clock: &Clock, entry: &LogEntry, duration: Duration) {
        if self.sink.is_none() {
            return;
        }
        match self.format {
            LineFormat::Dev => dev(&mut self.buffer, clock, entry, duration, self.color),
            LineFormat::Combined => combined(&mut self.buffer, clock, entry),
            LineFormat::Common => common(&mut self.buffer, clock, entry),
            LineFormat::Json => json(&mut self.buffer, clock, entry, duration),
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER_SIZE {
            self.flush();
        }
    }

    /// Ends a batch: writes on a terminal, or if the last write is a second old.
    pub fn end_of_batch(&mut self, clock: &Clock) {
        if self.is_interactive || clock.uptime() != self.written_at {
            self.written_at = clock.uptime();
            self.flush();
        }
    }

    /// Writes the buffered lines.
    pub fn flush(&mut self) {
        if let (Some(sink), false) = (&self.sink, self.buffer.is_empty()) {
            sink.write(&self.buffer);
        }
        self.buffer.clear();
    }
}
