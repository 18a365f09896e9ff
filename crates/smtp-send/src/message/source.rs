//! Where the bytes of a ready message are: in a file that is opened for each reading, or kept from a stream.
//!
//! A file that is not the same at the end of a reading as when it was first seen fails the reading, so that a message
//! which somebody is still writing is never completed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::OFlag;
use tempfile::SpooledTempFile;

use super::spool::{self, SpoolError};

/// What is read from a stream stays in memory up to this size.
const IN_MEMORY: usize = 1 << 20;

/// Bytes that can be read more than once.
#[derive(Debug)]
pub(super) enum Source {
    /// A file by its name, with what tells that it is still the same; open only until it is first read.
    File { path: PathBuf, seen: Stamp, open: Option<File> },
    /// The content of a stream.
    Kept(SpooledTempFile),
}

/// The size of a file and when it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: SystemTime,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let facts = file.metadata()?;
        Ok(Self { size: facts.len(), modified: facts.modified()? })
    }
}

impl Source {
    /// A file; folders, pipes and devices are refused.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        Ok(Self::File { path: path.to_owned(), seen: Stamp::of(&file)?, open: Some(file) })
    }

    /// Reads a stream to its end and keeps it.
    pub(super) fn keep(stream: impl Read) -> Result<Self, SpoolError> {
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        spool::copy(stream, &mut spool, |_| {})?;
        Ok(Self::Kept(spool))
    }

    /// Lets `read` read the bytes from the start.
    pub(super) fn with<T, E: From<io::Error>>(
        &mut self,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Kept(spool) => {
                spool.seek(SeekFrom::Start(0))?;
                read(spool)
            }
            Self::File { path, seen, open } => {
                let changed = || named(path, "the file has changed since it was first read");
                let mut file = match open.take() {
                    Some(file) => file,
                    None => open_regular(path).map_err(|error| named(path, &common::error::reason(&error)))?,
                };
                if Stamp::of(&file)? != *seen {
                    return Err(changed().into());
                }
                let result = read(&mut file)?;
                if Stamp::of(&file)? != *seen {
                    return Err(changed().into());
                }
                Ok(result)
            }
        }
    }
}

fn named(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{}: {why}", path.display()))
}

/// Opens a file for reading that is neither a folder nor a pipe nor a device.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    // Without waiting: opening a pipe would wait for its other end. For a regular file this means nothing.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}
