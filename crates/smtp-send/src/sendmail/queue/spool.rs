//! The queue on disk: for each message `ID.msg` with the message as it arrived and `ID.json`, its control file.
//!
//! A message is queued as long as its `.msg` exists; the control file is written before and removed after it. Both
//! are synced to disk before the message counts as kept. A program that works on a message locks its `.msg`. See
//! [`crate::sendmail::state_folder`] for the folder; without a home it is in /var/tmp.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::control_file::{ControlFileError, QueueControlFile};
use crate::sendmail::state_folder;

/// Most messages in the queue.
const MAX_MESSAGES: usize = 10_000;
/// Most bytes in the queue.
const MAX_BYTES: u64 = 1 << 30;
/// Age at which a control file without a message is removed: its program was killed.
const LEFT_OVER: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Queue {
    folder: PathBuf,
}

#[derive(Debug)]
pub(crate) struct QueueEntry {
    pub(crate) id: String,
    folder: PathBuf,
    _message: Flock<File>,
    pub(crate) control_file: QueueControlFile,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueEntryError {
    /// Another program is sending it.
    #[error("it is being sent")]
    Busy,
    /// No message has this identifier.
    #[error("no such message in the queue")]
    Missing,
    /// Its files cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its control file cannot be used.
    #[error(transparent)]
    QueueControlFile(#[from] ControlFileError),
}

impl Queue {
    /// Opens the queue of the user; creates it if necessary.
    pub(crate) fn open() -> io::Result<Self> {
        let folder = folder();
        state_folder::create(&folder)?;
        state_folder::check_owner(&folder)?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The identifiers of its messages, the oldest first. Files of killed programs are removed.
    pub(crate) fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("msg") => ids.push(name),
                Some("json" | "partial") if !path.with_extension("msg").exists() && is_old(&path) => {
                    let _ = fs::remove_file(&path);
                }
                _ => {}
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Moves a message into the queue, synced to disk; `message` is its open file.
    ///
    /// # Errors
    /// The queue is full or cannot be written. The message stays where it was.
    pub(crate) fn take(
        &self,
        path: &Path,
        message: Flock<File>,
        control_file: QueueControlFile,
    ) -> Result<QueueEntry, Flock<File>> {
        let id = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match self.put(path, &message, &id, &control_file) {
            Ok(()) => Ok(QueueEntry { id, folder: self.folder.clone(), _message: message, control_file }),
            Err(error) => {
                log::warn!("{}: {}", self.folder.display(), common::error::reason(&error));
                Err(message)
            }
        }
    }

    fn put(&self, path: &Path, message: &File, id: &str, control_file: &QueueControlFile) -> io::Result<()> {
        self.has_room(message.metadata()?.len())?;
        message.sync_all()?;
        write_control_file(&self.folder, id, control_file)?;
        if let Err(error) = fs::rename(path, self.folder.join(format!("{id}.msg"))) {
            let _ = fs::remove_file(self.folder.join(format!("{id}.json")));
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()
    }

    fn has_room(&self, bytes: u64) -> io::Result<()> {
        let (mut count, mut sum) = (0, bytes);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "msg") {
                count += 1;
                sum += entry.metadata().map_or(0, |facts| facts.len());
            }
        }
        if count >= MAX_MESSAGES || sum > MAX_BYTES {
            return Err(io::Error::other(format!("the queue is full: {count} messages with {} MiB", sum >> 20)));
        }
        Ok(())
    }

    /// The control file of a message, also while another program sends it.
    pub(crate) fn control_file(&self, id: &str) -> Result<QueueControlFile, QueueEntryError> {
        if !is_name(id) || !self.folder.join(format!("{id}.msg")).exists() {
            return Err(QueueEntryError::Missing);
        }
        Ok(QueueControlFile::parse(&fs::read(self.folder.join(format!("{id}.json")))?)?)
    }

    fn hold(&self, id: &str) -> Result<Flock<File>, QueueEntryError> {
        let path = self.folder.join(format!("{id}.msg"));
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => QueueEntryError::Missing,
            _ => error.into(),
        };
        if !is_name(id) {
            return Err(QueueEntryError::Missing);
        }
        let file = File::options().read(true).write(true).open(&path).map_err(missing)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => QueueEntryError::Busy,
            error => QueueEntryError::Io(error.into()),
        })?;
        // Another program may have sent it before the lock.
        if path.exists() { Ok(file) } else { Err(QueueEntryError::Missing) }
    }

    /// Locks a message and reads its control file.
    pub(crate) fn entry(&self, id: &str) -> Result<QueueEntry, QueueEntryError> {
        let message = self.hold(id)?;
        Ok(QueueEntry {
            id: id.to_owned(),
            folder: self.folder.clone(),
            control_file: self.control_file(id)?,
            _message: message,
        })
    }

    /// Removes a message, even one with a bad control file.
    pub(crate) fn drop_entry(&self, id: &str) -> Result<(), QueueEntryError> {
        let held = self.hold(id)?;
        remove(&self.folder, id)?;
        drop(held);
        Ok(())
    }
}

impl QueueEntry {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.msg", self.id))
    }

    pub(crate) fn save(&self) -> io::Result<()> {
        write_control_file(&self.folder, &self.id, &self.control_file)
    }

    pub(crate) fn remove(self) -> io::Result<()> {
        remove(&self.folder, &self.id)
    }
}

fn remove(folder: &Path, id: &str) -> io::Result<()> {
    fs::remove_file(folder.join(format!("{id}.msg")))?;
    let _ = fs::remove_file(folder.join(format!("{id}.json")));
    File::open(folder)?.sync_all()
}

/// Replaces a control file atomically.
fn write_control_file(folder: &Path, id: &str, control_file: &QueueControlFile) -> io::Result<()> {
    let partial = folder.join(format!("{id}.partial"));
    let write = || -> io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(control_file.json().as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, folder.join(format!("{id}.json")))?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| drop(fs::remove_file(&partial)))
}

/// An identifier contains no path separator.
fn is_name(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|facts| facts.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > LEFT_OVER))
}

/// The folder of the queue. A home that cannot be written to, as that of many services, is not used.
fn folder() -> PathBuf {
    match state_folder::path("queue") {
        Some(folder) if folder.parent().is_some_and(|parent| state_folder::create(parent).is_ok()) => folder,
        _ => PathBuf::from(format!("/var/tmp/smtp-send-queue-{}", geteuid())),
    }
}
