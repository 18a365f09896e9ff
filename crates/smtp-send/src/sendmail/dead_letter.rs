//! The message on disk, from the moment it was read until somebody else has taken it.
//!
//! It is written before anything is sent, so that no way in which this program can end loses it. While it is on its way its
//! name ends in `.sending`; handed over, it is removed; otherwise its name ends in `.eml` and its first line is the `From `
//! line of mailbox files, with the recipients that are still to get it and the reason. Mail readers show such a file, and
//! the line is passed over when the message is sent again. One that a killed run has left is found by the next, because
//! nobody holds its lock, and becomes such a dead letter too.
//!
//! The folder is `$XDG_STATE_HOME/smtp-send/dead-letters`, by default in ~/.local/state; for who has no home, /var/tmp.
//! Only the owner may read it. A dead letter is seen under its name only when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use common::SafeText;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg};
use nix::unistd::{geteuid, linkat};

use super::state_folder;

/// Bytes copied at once.
const BLOCK: usize = 64 * 1024;
/// The folder for those without a home: kept when the machine starts again, unlike /tmp.
const LAST_RESORT: &str = "/var/tmp";

/// How the name of a message ends that is on its way.
const SENDING: &str = "sending";
/// How the name of a file ends that says for whom such a message is.
const NOTE: &str = "note";
/// Why such a message is found.
const KILLED: &str = "it was being sent when the program was killed, and may or may not have been delivered";

/// Where an open file without a name can be found to get one.
const OPEN_FILES: &str = "/proc/self/fd";

/// A message that is kept.
#[derive(Debug)]
pub(super) struct DeadLetter {
    /// The name without its last part.
    stem: PathBuf,
    /// The message as it was read.
    path: PathBuf,
    /// The same, open: its lock says that somebody is at work.
    file: LockedFile,
}

/// A file that is locked, where the file system knows locks.
#[derive(Debug)]
enum LockedFile {
    Locked(Flock<File>),
    Plain(File),
}

impl LockedFile {
    fn new(file: File) -> Self {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Self::Locked(locked),
            Err((file, _)) => Self::Plain(file),
        }
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Locked(file) => file,
            Self::Plain(file) => file,
        }
    }
}

/// What a dead letter says about itself in its first line.
#[derive(Debug)]
pub(super) struct Note<'a> {
    /// The sender of the envelope; empty for the null path.
    pub(super) sender: &'a str,
    /// Who is still to get it.
    pub(super) recipients: &'a [String],
    /// Why it was not sent.
    pub(super) why: &'a str,
}

/// A message that could not be kept.
pub(super) struct SaveError {
    /// All of it, to be read once.
    pub(super) message: Box<dyn Read>,
    /// Each folder that was tried, with what went wrong there.
    pub(super) why: String,
}

impl DeadLetter {
    /// Copies `source` to its end into a file. When there is no room for it anywhere, it is handed back whole.
    ///
    /// # Errors
    /// The outer error is one of reading `source`.
    pub(super) fn keep(source: impl Read + 'static) -> io::Result<Result<Self, SaveError>> {
        let (mut message, mut why): (Box<dyn Read>, _) = (Box::new(source), Vec::new());
        for folder in folders() {
            let complaint = |error: &io::Error| format!("{}: {}", folder.display(), common::error::reason(error));
            let mut unnamed = match UnnamedFile::new(&folder) {
                Ok(file) => file,
                Err(error) => {
                    why.push(complaint(&error));
                    continue;
                }
            };
            match unnamed.fill(message)? {
                Ok((path, file)) => return Ok(Ok(Self { stem: unnamed.stem.clone(), path, file })),
                Err(WriteFailure { error, whole }) => {
                    why.push(complaint(&error));
                    message = whole;
                }
            }
        }
        Ok(Err(SaveError { message, why: why.join("; ") }))
    }

    /// The file that holds the message as it was read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes who is to get it, for the case that this program is killed. What cannot be noted is not needed.
    pub(super) fn note(&self, sender: &str, recipients: &[String]) {
        let note = Note { sender, recipients, why: KILLED };
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.stem.with_extension(NOTE));
        let _ = options.and_then(|mut file| writeln!(file, "{}", note.line(&Local::now())));
    }

    /// Gives the message into other hands, which may give it back.
    pub(super) fn hand_to<T>(self, take: impl FnOnce(&Path, Flock<File>) -> Result<T, Flock<File>>) -> Result<T, Self> {
        let Self { stem, path, file } = self;
        let LockedFile::Locked(file) = file else { return Err(Self { stem, path, file }) };
        take(&path, file).map_err(|file| Self { stem, path, file: LockedFile::Locked(file) })
    }

    /// Forgets the dead letter: it was handed over.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(self.stem.with_extension(NOTE));
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("remove {}: {}", self.path.display(), common::error::reason(&error));
        }
    }

    /// Makes it a dead letter, and gives the name of its file. It is on disk then, not only in the memory of the system.
    ///
    /// # Errors
    /// The note cannot be written. The dead letter is still there, under the name that is given with the error.
    pub(super) fn save_dead_letter(self, note: &Note<'_>) -> Result<PathBuf, (PathBuf, io::Error)> {
        let _ = fs::remove_file(self.stem.with_extension(NOTE));
        match with_note(&self.path, &self.stem, |out| writeln!(out, "{}", note.line(&Local::now()))) {
            Ok(path) => {
                // Two copies would be sent twice; a file that cannot be removed now is the lesser trouble.
                let _ = fs::remove_file(&self.path);
                Ok(path)
            }
            Err(error) => {
                // There may be no room for a copy; a name takes none.
                let path = self.stem.with_extension("eml");
                let path = if fs::rename(&self.path, &path).is_ok() { path } else { self.path };
                let _ = File::open(&path).and_then(|file| file.sync_all());
                Err((path, error))
            }
        }
    }
}

/// A dead letter named after `stem`: a first line, and the message in the file `path`.
fn with_note(path: &Path, stem: &Path, line: impl FnOnce(&mut &File) -> io::Result<()>) -> io::Result<PathBuf> {
    let folder = stem.parent().unwrap_or(Path::new("/"));
    let mut unnamed = UnnamedFile::new(folder)?;
    stem.clone_into(&mut unnamed.stem);
    let mut out: &File = unnamed.open()?;
    line(&mut out)?;
    io::copy(&mut File::open(path)?, &mut out)?;
    out.sync_all()?;
    let path = unnamed.publish("eml")?;
    File::open(folder)?.sync_all()?;
    Ok(path)
}

/// Makes a dead letter of a copy of the message in the file `path`. It is on disk when this returns.
pub(super) fn save_copy(path: &Path, note: &Note<'_>) -> io::Result<PathBuf> {
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders() {
        let dead_letter = UnnamedFile::new(&folder).map(|unnamed| unnamed.stem.clone());
        match dead_letter.and_then(|stem| with_note(path, &stem, |out| writeln!(out, "{}", note.line(&Local::now())))) {
            Ok(path) => return Ok(path),
            Err(cause) => error = cause,
        }
    }
    Err(error)
}

/// Makes dead letters of messages whose program was killed. What cannot be done now is done another time.
pub(super) fn save_left_over() {
    for folder in folders() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_own = entry.metadata().is_ok_and(|facts| facts.is_file() && facts.uid() == geteuid().as_raw());
            if is_own && path.extension().is_some_and(|extension| extension == SENDING) {
                match save_one(&path) {
                    Ok(Some(kept)) => log::warn!("a message that was being sent when the program was killed: {kept}"),
                    Ok(None) => {}
                    Err(error) => log::warn!("{}: {}", path.display(), common::error::reason(&error)),
                }
            }
        }
    }
}

/// The file of the dead letter; `None` when somebody is at work on the message.
fn save_one(path: &Path) -> io::Result<Option<String>> {
    let file = File::options().read(true).write(true).open(path)?;
    let Ok(held) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { return Ok(None) };
    if !path.exists() {
        return Ok(None);
    }
    let note = path.with_extension(NOTE);
    let line = match fs::read_to_string(&note) {
        Ok(line) if line.ends_with('\n') => line,
        _ => format!("{}\n", Note { sender: "", recipients: &[], why: KILLED }.line(&Local::now())),
    };
    let kept = with_note(path, &path.with_extension(""), |out| out.write_all(line.as_bytes()))?;
    fs::remove_file(path)?;
    let _ = fs::remove_file(note);
    drop(held);
    Ok(Some(kept.display().to_string()))
}

impl Note<'_> {
    fn line(&self, now: &DateTime<Local>) -> String {
        let sender = if self.sender.is_empty() { "MAILER-DAEMON" } else { self.sender };
        let recipients = match self.recipients {
            [] => "those in its header".to_owned(),
            recipients => recipients.join(", "),
        };
        let told = format!("{} for {recipients}: {}", now.format("%a %b %e %H:%M:%S %Y"), self.why);
        format!("From {sender} {}", SafeText(told.as_bytes()))
    }
}

/// Why a file could not take a message, which is to be read again.
struct WriteFailure {
    error: io::Error,
    whole: Box<dyn Read>,
}

/// The file is there until it is published.
fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// A file that nobody sees yet.
struct UnnamedFile {
    /// There until it is handed over.
    file: Option<LockedFile>,
    stem: PathBuf,
    /// Its name, on file systems where a file must have one.
    named: Option<PathBuf>,
}

impl UnnamedFile {
    fn new(folder: &Path) -> io::Result<Self> {
        state_folder::create(folder)?;
        let mut random = [0; 6];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let random = random.map(|byte| format!("{byte:02x}")).concat();
        let stem = folder.join(format!("smtp-send-{}-{random}", Local::now().format("%Y%m%dT%H%M%S")));
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        if Path::new(OPEN_FILES).exists()
            && let Ok(file) = options.clone().custom_flags(nix::libc::O_TMPFILE).open(folder)
        {
            return Ok(Self { file: Some(LockedFile::new(file)), stem, named: None });
        }
        let path = stem.with_extension("partial");
        let file = options.create_new(true).open(&path)?;
        Ok(Self { file: Some(LockedFile::new(file)), stem, named: Some(path) })
    }

    fn open(&self) -> io::Result<&File> {
        self.file.as_deref().ok_or_else(gone)
    }

    /// Gives the file its name, which nobody has had before.
    fn publish(&mut self, extension: &str) -> io::Result<PathBuf> {
        let path = self.stem.with_extension(extension);
        if let Some(named) = self.named.take() {
            fs::rename(named, &path)?;
        } else {
            let unnamed = format!("{OPEN_FILES}/{}", self.open()?.as_raw_fd());
            linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, &path, AtFlags::AT_SYMLINK_FOLLOW)?;
        }
        Ok(path)
    }

    /// Copies `source` to its end and publishes the file; or says why that fails, with all bytes to be read again.
    fn fill(&mut self, mut source: Box<dyn Read>) -> io::Result<Result<(PathBuf, LockedFile), WriteFailure>> {
        let (mut block, mut written) = (vec![0; BLOCK], 0);
        loop {
            let length = match source.read(&mut block) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Err(error) = self.open().and_then(|mut file| file.write_all(&block[..length])) {
                block.truncate(length);
                let whole = self.so_far(written)?.chain(io::Cursor::new(block)).chain(source);
                return Ok(Err(WriteFailure { error, whole: Box::new(whole) }));
            }
            written += length as u64;
        }
        let published = self.publish(SENDING);
        Ok(match published.and_then(|path| self.file.take().map(|file| (path, file)).ok_or_else(gone)) {
            Ok(published) => Ok(published),
            Err(error) => Err(WriteFailure { error, whole: Box::new(self.so_far(written)?) }),
        })
    }

    /// The first `length` bytes, to be read again.
    fn so_far(&self, length: u64) -> io::Result<io::Take<File>> {
        let mut file = self.open()?.try_clone()?;
        file.rewind()?;
        Ok(file.take(length))
    }
}

impl Drop for UnnamedFile {
    fn drop(&mut self) {
        if let Some(path) = &self.named {
            let _ = fs::remove_file(path);
        }
    }
}

/// The folders for dead letters; the first one that takes a letter is used.
fn folders() -> impl Iterator<Item = PathBuf> {
    state_folder::path("dead-letters").into_iter().chain([PathBuf::from(LAST_RESORT)])
}
