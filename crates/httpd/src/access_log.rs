//! The access log: one line per answer, buffered per worker, written in whole lines.
//!
//! Everything a client can put into a line is escaped, so that a line is always one line and its fields can be told apart.
//! A log that cannot be written (full disk, closed pipe) is reported once and never holds up an answer.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::clock::Clock;
use crate::metrics::{Cached, Lane};
use crate::peer::Peer;
use crate::proto::response::number;

/// A full buffer is written at once; large enough that under load one write carries hundreds of lines.
const BUFFER: usize = 32 * 1024;

/// How long a log that is read by another program may keep a worker waiting before lines are dropped: a moment without
/// reading is no reason to lose any, a reader that has stopped must not stop the server.
const STALL: Duration = Duration::from_secs(1);
/// What a pipe that can be written at all takes at once (`PIPE_BUF`, pipe(7)).
const PIPE_PIECE: usize = 4096;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people who watch: time, status, method, path, size.
    Dev,
    /// The Combined Log Format of Apache and nginx.
    Combined,
    /// The Common Log Format: combined without referer and user agent.
    Common,
    /// One JSON object per line.
    Json,
}

/// What a line says. Byte strings are as the client sent them.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
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
    pub lane: Lane,
    /// What the memory for small files did for it, where it had a part in it.
    pub cached: Option<Cached>,
    /// When the server began with it.
    pub begun: Instant,
}

/// An entry that outlives its request, for answers that take their time.
#[derive(Debug, Clone)]
pub struct OwnedEntry {
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

impl From<Entry<'_>> for OwnedEntry {
    fn from(entry: Entry) -> Self {
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

impl OwnedEntry {
    /// The entry, borrowed.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            peer: self.peer,
            line: &self.line,
            status: self.status,
            bytes: self.bytes,
            referer: self.referer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            user: self.user.clone(),
            lane: Lane::Blocking,
            cached: None,
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
    format: Format,
    color: bool,
    sink: Option<Arc<Sink>>,
    buffer: Vec<u8>,
    /// Whether somebody watches, so that lines appear at once.
    watched: bool,
    written_at: u32,
}

impl AccessLog {
    /// A log of this format into `sink`; without a sink nothing is logged.
    pub fn new(format: Format, color: bool, sink: Option<Arc<Sink>>) -> Self {
        let watched = sink.as_ref().is_some_and(|sink| sink.path.is_none()) && io::stdout().is_terminal();
        Self { format, color, sink, buffer: Vec::new(), watched, written_at: 0 }
    }

    /// Whether lines say how long an answer took.
    pub fn tells_durations(&self) -> bool {
        self.sink.is_some() && self.format == Format::Json
    }

    /// Adds the line of one answer that took this long.
    pub fn add(&mut self, clock: &Clock, entry: &Entry, duration: Duration) {
        if self.sink.is_none() {
            return;
        }
        match self.format {
            Format::Dev => dev(&mut self.buffer, clock, entry, self.color),
            Format::Combined => combined(&mut self.buffer, clock, entry),
            Format::Common => common(&mut self.buffer, clock, entry),
            Format::Json => json(&mut self.buffer, clock, entry, duration),
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

fn common(out: &mut Vec<u8>, clock: &Clock, entry: &Entry) {
    // Pushed piece by piece: this runs for every request, and formatting by traits takes several times as long.
    match entry.peer {
        Peer::Ip(ip) => address(out, ip),
        peer @ Peer::Local => _ = write!(out, "{peer}"),
    }
    out.extend_from_slice(b" - ");
    match &entry.user {
        // The name is a field between spaces, so there is none in it.
        Some(user) if !user.is_empty() => escape_spaced(out, user),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b" [");
    out.extend_from_slice(clock.log_time().as_bytes());
    out.extend_from_slice(b"] \"");
    escape(out, entry.line);
    out.extend_from_slice(b"\" ");
    number(out, entry.status.into());
    out.push(b' ');
    number(out, entry.bytes);
}

fn combined(out: &mut Vec<u8>, clock: &Clock, entry: &Entry) {
    common(out, clock, entry);
    for value in [entry.referer, entry.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, value.unwrap_or(b"-"));
        out.push(b'"');
    }
}

fn dev(out: &mut Vec<u8>, clock: &Clock, entry: &Entry, color: bool) {
    let (on, off) = match (color, entry.status) {
        (false, _) => ("", ""),
        (true, ..300) => ("\x1b[32m", "\x1b[0m"),
        (true, 300..400) => ("\x1b[36m", "\x1b[0m"),
        (true, 400..500) => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    let time = clock.log_time().get(12..20).unwrap_or_default();
    let _ = write!(out, "{time} {on}{}{off} ", entry.status);
    let line = entry.line.strip_suffix(b" HTTP/1.1").unwrap_or(entry.line);
    escape(out, line);
    let _ = write!(out, " {} (", human_size(entry.bytes));
    if let Some(user) = &entry.user {
        escape_spaced(out, user);
        out.push(b' ');
    }
    let _ = write!(out, "{})", entry.peer);
}

#[derive(Serialize)]
struct Line {
    time: String,
    remote: Peer,
    request: String,
    status: u16,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    lane: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
    /// In seconds.
    duration: f64,
}

fn json(out: &mut Vec<u8>, clock: &Clock, entry: &Entry, duration: Duration) {
    let line = Line {
        time: clock.rfc3339(),
        remote: entry.peer,
        request: text(entry.line),
        status: entry.status,
        bytes: entry.bytes,
        referer: entry.referer.map(text),
        user_agent: entry.user_agent.map(text),
        user: entry.user.as_deref().map(text),
        lane: entry.lane.name(),
        cache: entry.cached.map(Cached::name),
        duration: duration.as_secs_f64(),
    };
    // Neither the type nor a Vec can make this fail.
    let _ = serde_json::to_writer(out, &line);
}

/// Text for JSON, where DEL and the controls above ASCII would stand as they are; a terminal takes some of them for orders.
fn text(bytes: &[u8]) -> String {
    let is_raw_control = |character: char| matches!(character, '\u{7f}'..='\u{9f}');
    String::from_utf8_lossy(bytes).replace(is_raw_control, "\u{fffd}")
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                number(out, octet.into());
            }
        }
        IpAddr::V6(v6) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{v6}");
        }
    }
}

/// Appends bytes with everything escaped that is not printable ASCII, and quotes and backslashes as well.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f | 0x7f..);
    if !bytes.iter().any(is_special) {
        out.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        if is_special(byte) {
            let _ = write!(out, "\\x{byte:02X}");
        } else {
            out.push(*byte);
        }
    }
}

/// The same with spaces escaped as well.
fn escape_spaced(out: &mut Vec<u8>, bytes: &[u8]) {
    for (place, piece) in bytes.split(|byte| *byte == b' ').enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escape(out, piece);
    }
}

/// A size for people: `999 B`, `1.2 KB`, `3.4 GB`, in steps of 1000.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 999.95 && !unit.is_empty() {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn entry() -> Entry<'static> {
        Entry {
            peer: Peer::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            line: b"GET /a\"b\x1b HTTP/1.1",
            status: 200,
            bytes: 12,
            referer: None,
            user_agent: Some(b"x\\\n\xff\xc2\x9b"),
            user: None,
            lane: Lane::Memory,
            cached: Some(Cached::Hit),
            begun: Instant::now(),
        }
    }

    fn line(write: fn(&mut Vec<u8>, &Clock, &Entry)) -> (String, String) {
        let clock = Clock::new(Instant::now());
        let mut out = Vec::new();
        write(&mut out, &clock, &entry());
        (String::from_utf8(out).unwrap(), clock.log_time().to_owned())
    }

    #[test]
    fn the_combined_format_escapes_what_a_client_can_put_into_it() {
        let (text, time) = line(combined);
        let expected =
            "127.0.0.1 - - [TIME] \"GET /a\\x22b\\x1B HTTP/1.1\" 200 12 \"-\" \"x\\x5C\\x0A\\xFF\\xC2\\x9B\"";
        assert_eq!(text, expected.replace("TIME", &time));
    }

    #[test]
    fn the_name_of_a_user_is_one_field_whatever_is_in_it() {
        let clock = Clock::new(Instant::now());
        for (user, field) in [(&b"ann"[..], "ann"), (b"a b\"\xc3", "a\\x20b\\x22\\xC3"), (b"", "-")] {
            let mut out = Vec::new();
            common(&mut out, &clock, &Entry { user: Some(user.into()), ..entry() });
            assert!(String::from_utf8(out).unwrap().starts_with(&format!("127.0.0.1 - {field} [")), "{field}");
        }
    }

    #[test]
    fn the_json_format_is_one_valid_object() {
        let (text, _) = line(|out, clock, entry| json(out, clock, entry, Duration::from_micros(1500)));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value["status"].as_u64(), value["bytes"].as_u64()), (Some(200), Some(12)));
        assert_eq!(value["request"], "GET /a\"b\u{1b} HTTP/1.1");
        assert_eq!((value["lane"].as_str(), value["cache"].as_str()), (Some("memory"), Some("hit")));
        assert_eq!(value["duration"].as_f64(), Some(0.0015));
        assert!(value.get("referer").is_none());
        assert!(!text.chars().any(char::is_control), "no order to a terminal: {text:?}");
    }

    #[test]
    fn the_dev_format_is_short() {
        let (text, time) = line(|out, clock, entry| dev(out, clock, entry, false));
        assert_eq!(text, format!("{} 200 GET /a\\x22b\\x1B 12 B (127.0.0.1)", &time[12..20]));
        let (text, _) = line(|out, clock, entry| {
            dev(out, clock, &Entry { user: Some(b"ann\n".as_slice().into()), ..entry.clone() }, false);
        });
        assert!(text.ends_with(" 12 B (ann\\x0A 127.0.0.1)"), "{text}");
    }

    #[test]
    fn sizes_have_at_most_one_decimal_and_never_reach_the_next_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (1 << 30, "1.1 GB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
