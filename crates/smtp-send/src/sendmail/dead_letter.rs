//! The message on disk, from the moment it was read until the server has accepted it.
//!
//! It is saved before anything is sent, so no way to end the program loses it. Its name ends in `.sending` while it
//! is sent; it is removed after that. Otherwise its name ends in `.eml`, and its first line is the `From ` line of
//! mbox files with the remaining recipients and the reason; that line is skipped when the file is sent again. A file
//! that a killed program has left is not locked: the next run makes it a dead letter.
//!
//! A file gets its name only when it is complete. See [`super::state_folder`] for the folder; without a home it is
//! /var/tmp.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use common::{SafeText, random};
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg};
use nix::unistd::{geteuid, linkat};

use super::state_folder;

/// Bytes copied at once.
const BLOCK: usize = 64 * 1024;
/// The folder without a home; it survives a reboot, unlike /tmp.
const LAST_RESORT: &str = "/var/tmp";

/// Extension of a message that is being sent.
const SENDING: &str = "sending";
/// Extension of the file with its envelope.
const NOTE: &str = "note";
/// The reason in the dead letter of a killed program.
const KILLED: &str = "it was being sent when the program was killed, and may or may not have been delivered";

/// Where an open file without a name can be linked from.
const OPEN_FILES: &str = "/proc/self/fd";

#[derive(Debug)]
pub(super) struct DeadLetter {
    stem: PathBuf,
    /// The file with the message as it was read.
    path: PathBuf,
    file: LockedFile,
}

/// A file with a lock, if the file system has locks.
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

/// The first line of a dead letter.
#[derive(Debug)]
pub(super) struct Note<'a> {
    /// The sender of the envelope; empty for the null path.
    pub(super) sender: &'a str,
    pub(super) recipients: &'a [String],
    pub(super) why: &'a str,
}

/// A message that could not be saved.
pub(super) struct SaveError {
    /// The whole message, to be read once.
    pub(super) message: Box<dyn Read>,
    /// The error of each folder that was tried.
    pub(super) why: String,
}

impl DeadLetter {
    /// Copies `source` into a new file. If no folder has room, the message is returned.
    ///
    /// # Errors
    /// The outer error is that of reading `source`.
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

    /// The file with the message as it was read.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Saves the envelope, for the dead letter if this program is killed. An error is ignored.
    pub(super) fn note(&self, sender: &str, recipients: &[String]) {
        let note = Note { sender, recipients, why: KILLED };
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.stem.with_extension(NOTE));
        let _ = options.and_then(|mut file| writeln!(file, "{}", note.line(&Local::now())));
    }

    /// Passes the file to `take`, which may return it.
    pub(super) fn hand_to<T>(self, take: impl FnOnce(&Path, Flock<File>) -> Result<T, Flock<File>>) -> Result<T, Self> {
        let Self { stem, path, file } = self;
        let LockedFile::Locked(file) = file else { return Err(Self { stem, path, file }) };
        take(&path, file).map_err(|file| Self { stem, path, file: LockedFile::Locked(file) })
    }

    /// Removes the file: the message was accepted.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(self.stem.with_extension(NOTE));
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("remove {}: {}", self.path.display(), common::error::reason(&error));
        }
    }

    /// Makes it a dead letter, synced to disk; returns the path of the file.
    ///
    /// # Errors
    /// The first line cannot be written. The message is kept at the path in the error.
    pub(super) fn save_dead_letter(self, note: &Note<'_>) -> Result<PathBuf, (PathBuf, io::Error)> {
        let _ = fs::remove_file(self.stem.with_extension(NOTE));
        match with_note(&self.path, &self.stem, |out| writeln!(out, "{}", note.line(&Local::now()))) {
            Ok(path) => {
                // Ignored: a second copy is the lesser damage.
                let _ = fs::remove_file(&self.path);
                Ok(path)
            }
            Err(error) => {
                // The disk may be full; a rename needs no room.
                let path = self.stem.with_extension("eml");
                let path = if fs::rename(&self.path, &path).is_ok() { path } else { self.path };
                let _ = File::open(&path).and_then(|file| file.sync_all());
                Err((path, error))
            }
        }
    }
}

/// Writes a dead letter named after `stem`: a first line, and the message in the file `path`.
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

/// Writes a dead letter with a copy of the message in the file `path`, synced to disk.
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

/// Makes dead letters of the messages of killed programs. Errors are logged; the next run tries again.
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

/// The path of the dead letter; `None` if a program is sending the message.
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
        let text = format!("{} for {recipients}: {}", now.format("%a %b %e %H:%M:%S %Y"), self.why);
        format!("From {sender} {}", SafeText(text.as_bytes()))
    }
}

/// An error of writing, and the message to read again.
struct WriteFailure {
    error: io::Error,
    whole: Box<dyn Read>,
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

struct UnnamedFile {
    /// `None` once it is published.
    file: Option<LockedFile>,
    stem: PathBuf,
    /// Its name, on file systems without `O_TMPFILE`.
    named: Option<PathBuf>,
}

impl UnnamedFile {
    fn new(folder: &Path) -> io::Result<Self> {
        state_folder::create(folder)?;
        let random = random::hex::<6>().map_err(io::Error::other)?;
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

    /// Copies `source` and publishes the file; on an error returns the message to read again.
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

    /// The first `length` bytes, to read again.
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

/// The folders for dead letters; the first one that can be written is used.
fn folders() -> impl Iterator<Item = PathBuf> {
    state_folder::path("dead-letters").into_iter().chain([PathBuf::from(LAST_RESORT)])
}
