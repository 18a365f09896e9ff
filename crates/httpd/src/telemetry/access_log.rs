//! The access log: one line per answer, buffered per worker, written in whole lines.
//!
//! Everything a client can put into a line is escaped, so that a line is always one line and its fields can be told apart.
//! A log that cannot be written (full disk, closed pipe) is reported once and never holds up an answer.

mod format;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Clock;
use crate::content::lookup::CacheStatus;
use crate::net::peer::Peer;
use crate::telemetry::metrics::ServedBy;
use format::{combined, common, dev, json};

/// A full buffer is written at once; large enough that under load one write carries hundreds of lines.
const BUFFER: usize = 32 * 1024;

/// How long a log that is read by another program may keep a worker waiting before lines are dropped: a moment without
/// reading is no reason to lose any, a reader that has stopped must not stop the server.
const STALL: Duration = Duration::from_secs(1);
/// What a pipe that can be written at all takes at once (`PIPE_BUF`, pipe(7)).
const PIPE_PIECE: usize = 4096;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people who watch: time, status, method, path, size.
    Dev,
    /// The Combined Log LogFormat of Apache and nginx.
    Combined,
    /// The Common Log LogFormat: combined without referer and user agent.
    Common,
    /// One JSON object per line.
    Json,
}

/// What a line says. Byte strings are as the client sent them.
#[derive(Debug, Clone)]
pub struct LogEntry<'a> {
    /// The address of the client.
    pub peer: Peer,
    /// The request line.
    pub line: &'a [u8],
    /// The status of the answer.
    pub status: u16,
    /// Octets of the body that were sent.
    pub bytes: u64,
    /// The Referer field.
    pub referer: Option<&'a [u8]>,
    /// The User-Agent field.
    pub user_agent: Option<&'a [u8]>,
    /// The user who is logged in.
    pub user: Option<Arc<[u8]>>,
    /// How the answer came about.
    pub served_by: ServedBy,
    /// What the memory for small files did for it, where it had a part in it.
    pub cache: Option<CacheStatus>,
    /// When the server began with it.
    pub begun: Instant,
}

/// An entry that outlives its request, for answers that take their time.
#[derive(Debug, Clone)]
pub struct OwnedLogEntry {
    /// The address of the client.
    pub peer: Peer,
    line: Vec<u8>,
    status: u16,
    /// Octets of the body that were sent so far.
    pub bytes: u64,
    referer: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    user: Option<Arc<[u8]>>,
    begun: Instant,
}

impl From<LogEntry<'_>> for OwnedLogEntry {
    fn from(entry: LogEntry) -> Self {
        Self {
            peer: entry.peer,
            line: entry.line.to_vec(),
            status: entry.status,
            bytes: entry.bytes,
            referer: entry.referer.map(<[u8]>::to_vec),
            user_agent: entry.user_agent.map(<[u8]>::to_vec),
            user: entry.user,
            begun: entry.begun,
        }
    }
}

impl OwnedLogEntry {
    /// The entry, borrowed.
    pub fn as_entry(&self) -> LogEntry<'_> {
        LogEntry {
            peer: self.peer,
            line: &self.line,
            status: self.status,
            bytes: self.bytes,
            referer: self.referer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            user: self.user.clone(),
            served_by: ServedBy::Blocking,
            cache: None,
            begun: self.begun,
        }
    }
}

/// Where the lines of all workers end up.
#[derive(Debug)]
pub struct Sink {
    path: Option<PathBuf>,
    file: Mutex<File>,
    failed: AtomicBool,
    /// The disk was full in the middle of a line.
    cut: AtomicBool,
}

impl Sink {
    /// Lines go to standard output.
    pub fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::new(None, file))
    }

    /// Lines are appended to the file at `path`, which is created if need be.
    pub fn file(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(Self::new(Some(path), file))
    }

    fn new(path: Option<PathBuf>, file: File) -> Self {
        Self { path, file: Mutex::new(file), failed: AtomicBool::new(false), cut: AtomicBool::new(false) }
    }

    /// Opens the file again under its name, after it was renamed.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            let file = append_to(path)?;
            *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
            self.failed.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write(&self, lines: &[u8]) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let outcome =
            if is_regular { self.write_to_disk(&mut file, lines) } else { self.write_patiently(&mut file, lines) };
        if let Err(error) = outcome
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            log::error!("access log: {}; lines are lost", common::error::reason(&error));
        }
    }

    /// Writes to a disk. A line in the middle of which it was full ends there: the next one does not begin behind it.
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
            log::warn!("access log: written again");
        }
        Ok(())
    }

    /// Writes to a pipe or terminal as long as somebody reads there; waits once, then only when that has gone well again.
    fn write_patiently(&self, file: &mut File, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let patience = if self.failed.load(Ordering::Relaxed) { Duration::ZERO } else { STALL };
            let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
            if poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLOUT)], timeout)? == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it"));
            }
            // Whole lines as far as they fit, so that what is dropped does not begin in the middle of one.
            let most = lines.len().min(PIPE_PIECE);
            let piece = memchr::memrchr(b'\n', &lines[..most]).map_or(most, |end| end + 1);
            file.write_all(&lines[..piece])?;
            self.failed.store(false, Ordering::Relaxed);
            lines = &lines[piece..];
        }
        Ok(())
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The log as one worker sees it.
#[derive(Debug)]
pub struct AccessLog {
    format: LogFormat,
    color: bool,
    sink: Option<Arc<Sink>>,
    buffer: Vec<u8>,
    /// Whether somebody watches, so that lines appear at once.
    watched: bool,
    written_at: u32,
}

impl AccessLog {
    /// A log of this format into `sink`; without a sink nothing is logged.
    pub fn new(format: LogFormat, color: bool, sink: Option<Arc<Sink>>) -> Self {
        let watched = sink.as_ref().is_some_and(|sink| sink.path.is_none()) && io::stdout().is_terminal();
        Self { format, color, sink, buffer: Vec::new(), watched, written_at: 0 }
    }

    /// Whether lines say how long an answer took.
    pub fn has_durations(&self) -> bool {
        self.sink.is_some() && self.format == LogFormat::Json
    }

    /// Adds the line of one answer that took this long.
    pub fn add(&mut self, clock: &Clock, entry: &LogEntry, duration: Duration) {
        if self.sink.is_none() {
            return;
        }
        match self.format {
            LogFormat::Dev => dev(&mut self.buffer, clock, entry, self.color),
            LogFormat::Combined => combined(&mut self.buffer, clock, entry),
            LogFormat::Common => common(&mut self.buffer, clock, entry),
            LogFormat::Json => json(&mut self.buffer, clock, entry, duration),
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    /// The end of a batch: writes when somebody watches or the last write is a second old.
    pub fn end_of_batch(&mut self, clock: &Clock) {
        if self.watched || clock.uptime() != self.written_at {
            self.written_at = clock.uptime();
            self.flush();
        }
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) {
        if let (Some(sink), false) = (&self.sink, self.buffer.is_empty()) {
            sink.write(&self.buffer);
        }
        self.buffer.clear();
    }
}
