//! The journal of a run: a record of what was sent, so that an interrupted run can be resumed and no recipient gets a
//! message twice.
//!
//! It is a file to which lines are appended. Before the end of a message is sent, a line is on disk; the result is
//! appended when it is known. A run that was killed in between leaves the message as unknown; it is sent again only
//! on request.
//!
//! An incomplete last line is dropped. A journal of another run is refused, and two runs cannot use the same one at
//! once.

pub mod record;
pub(crate) mod resume;

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use common::sync::Mutex;
use common::{Error, Kind};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::run_id;
use crate::session::RecipientStatus;
use record::{JournalHeader, JournalRecord, JournalState};

/// Longest line; a message has at most some hundred thousand recipients.
const MAX_LINE: u64 = 16 << 20;

/// The journal of a run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Flock<File>,
    heading: JournalHeader,
    known: KnownStates,
    written: Mutex<AppendState>,
    /// Number of lines that are on disk.
    on_disk: Mutex<u64>,
}

#[derive(Debug, Default)]
struct AppendState {
    lines: u64,
    /// The first failed write; a line may be incomplete then, so no other is appended.
    failed: Option<Error>,
}

#[derive(Debug, Default)]
struct KnownStates {
    /// The states of the recipients of messages that are not done.
    states: HashMap<usize, Vec<JournalState>>,
    /// Messages whose end was about to be sent and that have no result.
    leaving: BTreeSet<usize>,
    /// Messages that are not sent any more.
    done: BTreeSet<usize>,
    /// Whether unknown recipients are sent to again.
    resend: bool,
}

impl Journal {
    /// Opens or creates the journal of a run with `count` messages and this digest.
    ///
    /// # Errors
    /// It cannot be read or written, is in use, is not a journal, or belongs to another run.
    pub fn open(path: &Path, count: usize, digest: &str, server: &str, resend: bool) -> Result<Self, Error> {
        let failed = |operation: &'static str| move |error| Error::io(operation, path.display(), error);
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(failed("open"))?;
        let wrong = |why: String| Error::new(Kind::Config, "resume", path.display(), why);
        if !file.metadata().map_err(failed("read"))?.is_file() {
            return Err(wrong("not a regular file".into()));
        }
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => Error::new(Kind::Temporary, "use", path.display(), "another run is using it"),
            error => Error::io("lock", path.display(), error.into()),
        })?;
        let (heading, known, length) = match read(&file, count) {
            Ok(Some(found)) => found,
            Ok(None) => {
                let heading =
                    JournalHeader { run: run_id::new()?, count, digest: digest.into(), server: server.into() };
                file.set_len(0).map_err(failed("write"))?;
                begin(&file, path, &heading).map_err(failed("write"))?;
                let length = heading.line().len() as u64;
                (heading, KnownStates::default(), length)
            }
            Err(ReadError::Io(error)) => return Err(failed("read")(error)),
            Err(ReadError::Wrong(why)) => return Err(wrong(why)),
        };
        if heading.server != server {
            return Err(wrong(format!("it belongs to a run to {}", heading.server)));
        }
        if heading.count != count {
            return Err(wrong(format!(
                "it belongs to a run with {} messages, and this one has {count}",
                heading.count
            )));
        }
        if heading.digest != digest {
            return Err(wrong("it belongs to a run with other messages or recipients".into()));
        }
        if file.metadata().map_err(failed("read"))?.len() > length {
            log::warn!("{}: the incomplete last line is dropped", path.display());
            file.set_len(length).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        }
        let known = known.settled(resend);
        let (written, on_disk) = (Mutex::default(), Mutex::default());
        Ok(Self { path: path.to_owned(), file, heading, known, written, on_disk })
    }

    /// The identifier of the run, the same when it is resumed.
    pub fn run(&self) -> &str {
        &self.heading.run
    }

    /// Number of messages that are done.
    pub fn done(&self) -> usize {
        self.known.done.len()
    }

    /// Messages that may have been delivered and are not sent again.
    pub fn unknown(&self) -> Vec<usize> {
        if self.known.resend {
            return Vec::new();
        }
        let of_states = self.known.states.iter().filter(|(_, states)| states.contains(&JournalState::Unknown));
        let all: BTreeSet<usize> =
            of_states.map(|(number, _)| *number).chain(self.known.leaving.iter().copied()).collect();
        all.into_iter().collect()
    }

    /// Whether a message is still to be sent to some recipient.
    pub fn is_open(&self, number: usize) -> bool {
        !self.known.done.contains(&number)
    }

    /// Indexes of the recipients that a message is still to be sent to; `None` for all of them.
    pub fn open_recipients(&self, number: usize, recipients: usize) -> Option<Vec<usize>> {
        let states = self.known.states.get(&number)?;
        let is_open = |at: &usize| states.get(*at).is_none_or(|state| self.known.is_open(*state));
        Some((0..recipients).filter(is_open).collect())
    }

    /// Records that the end of a message is about to be sent; the line is on disk when this returns.
    ///
    /// # Errors
    /// The line cannot be written; the end must not be sent.
    pub fn record_leaving(&self, number: usize) -> Result<(), Error> {
        let line = self.write(&JournalRecord::Leaving(number))?;
        let mut on_disk = self.on_disk.lock();
        // Another thread may have synced both lines while this one waited.
        if *on_disk < line {
            let lines = self.written.lock().lines;
            self.file.sync_data().map_err(|error| Error::io("write", self.path.display(), error))?;
            *on_disk = lines;
        }
        Ok(())
    }

    /// Records the result of a message. `kept` are the indexes of its recipients if an earlier run has served the
    /// others.
    pub fn record_ended(&self, number: usize, statuses: &[RecipientStatus], kept: Option<&[usize]>) {
        let states = statuses.iter().map(|status| Some(state_of(status)));
        let states = match kept {
            None => states.collect(),
            Some(kept) => {
                let length = self.known.states.get(&number).map_or(0, Vec::len);
                let mut all = vec![None; length];
                for (at, state) in kept.iter().zip(states) {
                    if let Some(place) = all.get_mut(*at) {
                        *place = state;
                    }
                }
                all
            }
        };
        if !states.is_empty() {
            // A failed write is reported before the next message is sent.
            let _ = self.write(&JournalRecord::Ended(number, states));
        }
    }

    fn write(&self, record: &JournalRecord) -> Result<u64, Error> {
        let mut written = self.written.lock();
        if let Some(failure) = &written.failed {
            return Err(failure.clone());
        }
        if let Err(error) = (&*self.file).write_all(record.line().as_bytes()) {
            let failure = Error::io("write", self.path.display(), error).with_kind(Kind::System);
            written.failed = Some(failure.clone());
            return Err(failure);
        }
        written.lines += 1;
        Ok(written.lines)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.file.sync_all() {
            log::warn!("{}", Error::io("write", self.path.display(), error));
        }
    }
}

impl KnownStates {
    fn take(&mut self, record: JournalRecord, count: usize) -> bool {
        match record {
            JournalRecord::Leaving(number) if number < count => {
                self.leaving.insert(number);
            }
            JournalRecord::Ended(number, states) if number < count => {
                self.leaving.remove(&number);
                let known = self.states.entry(number).or_insert_with(|| vec![JournalState::Open; states.len()]);
                if known.len() != states.len() {
                    return false;
                }
                for (known, state) in known.iter_mut().zip(states) {
                    *known = state.unwrap_or(*known);
                }
                // Most messages end here; nothing else of them is kept.
                if known.iter().all(|state| matches!(state, JournalState::Accepted | JournalState::Refused)) {
                    self.states.remove(&number);
                    self.done.insert(number);
                }
            }
            _ => return false,
        }
        true
    }

    fn settled(mut self, resend: bool) -> Self {
        self.resend = resend;
        let closed = |states: &Vec<JournalState>| !states.iter().any(|state| self.is_open(*state));
        let ended: Vec<usize> =
            self.states.iter().filter(|(_, states)| closed(states)).map(|(number, _)| *number).collect();
        self.done.extend(ended);
        for number in &self.leaving {
            let states = self.states.get_mut(number).into_iter().flatten();
            states.filter(|state| **state == JournalState::Open).for_each(|state| *state = JournalState::Unknown);
            if !resend {
                self.done.insert(*number);
            }
        }
        self
    }

    fn is_open(&self, state: JournalState) -> bool {
        state == JournalState::Open || (state == JournalState::Unknown && self.resend)
    }
}

fn state_of(status: &RecipientStatus) -> JournalState {
    match status {
        RecipientStatus::Accepted(_) => JournalState::Accepted,
        RecipientStatus::Unknown => JournalState::Unknown,
        RecipientStatus::Refused(_, reply) if reply.is_permanent() => JournalState::Refused,
        RecipientStatus::NeedsSmtpUtf8 => JournalState::Refused,
        RecipientStatus::Refused(..) | RecipientStatus::Unsent | RecipientStatus::Valid(_) => JournalState::Open,
    }
}

enum ReadError {
    Io(io::Error),
    Wrong(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The content of a journal, and the length of its complete lines; `None` for an empty one.
fn read(file: &File, count: usize) -> Result<Option<(JournalHeader, KnownStates, u64)>, ReadError> {
    let mut input = BufReader::new(file);
    let (mut heading, mut known, mut length, mut number) = (None::<JournalHeader>, KnownStates::default(), 0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let taken = io::Read::take(&mut input, MAX_LINE).read_until(b'\n', &mut line)? as u64;
        let Some(text) = line.strip_suffix(b"\n") else { break };
        number += 1;
        length += taken;
        let text = std::str::from_utf8(text).unwrap_or_default();
        let damaged = || ReadError::Wrong(format!("line {number} is damaged"));
        match &heading {
            None => heading = Some(JournalHeader::parse(text).ok_or_else(not_one)?),
            // The caller reports the difference.
            Some(heading) if heading.count != count => break,
            Some(_) => {
                let record = JournalRecord::parse(text).ok_or_else(damaged)?;
                if !known.take(record, count) {
                    return Err(damaged());
                }
            }
        }
    }
    match heading {
        Some(heading) => Ok(Some((heading, known, length))),
        // A run that was killed while it wrote the first line has sent nothing.
        None if record::is_beginning(&line) => Ok(None),
        None => Err(not_one()),
    }
}

fn not_one() -> ReadError {
    ReadError::Wrong("it is not the journal of a run".into())
}

fn begin(mut file: &File, path: &Path, heading: &JournalHeader) -> io::Result<()> {
    file.write_all(heading.line().as_bytes())?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
