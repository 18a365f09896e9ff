//! Regular files that are read more than once: opened without waiting, and checked for changes between readings.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use nix::fcntl::OFlag;

/// Size and modification time of a file; both are equal as long as it has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    size: u64,
    modified: SystemTime,
}

impl FileVersion {
    /// The version that `metadata` shows.
    pub fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { size: metadata.len(), modified: metadata.modified()? })
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// Opens a file for reading; folders, pipes and devices are refused.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    // O_NONBLOCK: opening a pipe would wait for a writer. It does not affect regular files.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a regular file")) }
}

/// An error about the file at `path`, with its name in the text.
pub(super) fn error_at(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("{}: {why}", path.display()))
}

/// A part of a file, read at its own position: other readers of the same descriptor do not move it.
#[derive(Debug)]
pub struct FileWindow<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl<'a> FileWindow<'a> {
    /// The bytes from `start` up to `end`.
    pub fn new(file: &'a File, start: u64, end: u64) -> Self {
        Self { file, at: start, end }
    }
}

impl Read for FileWindow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = out.len().min(left);
        let length = self.file.read_at(&mut out[..wanted], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
