//! Where the bytes of an existing message are: in a file that is opened for each reading, in a piece of a mailbox file, or kept
//! from a stream.
//!
//! A file that changes while it is read is an error, so that a message still being written is never completed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;

use super::mbox::MboxMessage;
use super::regular_file::{FileVersion, error_at, open_regular};
use super::spool::{self, SpoolError};

/// What is read from a stream stays in memory up to this size.
const IN_MEMORY: usize = 1 << 20;

/// A file up to this size is read at once, with two calls less for each reading.
const SMALL: u64 = 64 * 1024;

/// Bytes that can be read more than once.
#[derive(Debug)]
pub(super) enum Source {
    /// A file by its name.
    File(NamedFile),
    /// A message in a mailbox file.
    Piece(MboxMessage),
    /// The content of a stream.
    Kept(SpooledTempFile),
    /// Bytes that were made.
    Own(Vec<u8>),
}

/// A file that is opened for each reading.
#[derive(Debug)]
pub(super) struct NamedFile {
    path: PathBuf,
    /// What tells that it is still the same.
    seen: FileVersion,
    /// Only until it is first read.
    open: Option<File>,
    /// All of a small one from its last reading, for the next.
    ready: Option<Vec<u8>>,
}

impl Source {
    /// A file; folders, pipes and devices are refused.
    pub(super) fn file(path: &Path) -> io::Result<Self> {
        let (file, facts) = open_regular(path)?;
        Ok(Self::File(NamedFile {
            path: path.to_owned(),
            seen: FileVersion::of(&facts)?,
            open: Some(file),
            ready: None,
        }))
    }

    /// Reads a stream to its end and keeps it.
    pub(super) fn keep(stream: impl Read) -> Result<Self, SpoolError> {
        let mut spool = SpooledTempFile::new(IN_MEMORY);
        spool::copy(stream, &mut spool, |_| {})?;
        Ok(Self::Kept(spool))
    }

    /// The version of a file; `None` for a part of a file.
    pub(super) fn version(&self) -> Option<&FileVersion> {
        match self {
            Self::File(named) => Some(&named.seen),
            Self::Piece(_) | Self::Kept(_) | Self::Own(_) => None,
        }
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
            Self::Piece(extract) => extract.with(read),
            Self::Own(bytes) => read(&mut bytes.as_slice()),
            Self::File(named) => {
                if let Some(bytes) = &named.ready {
                    let facts = fs::metadata(&named.path);
                    named.check(&facts.map_err(|error| error_at(&named.path, &common::error::reason(&error)))?)?;
                    return read(&mut bytes.as_slice());
                }
                let mut file = named.opened()?;
                if named.seen.size() <= SMALL {
                    let bytes = named.all_of(file)?;
                    let result = read(&mut bytes.as_slice());
                    // It is read once to be looked at and once to be sent.
                    named.ready = Some(bytes);
                    return result;
                }
                let result = read(&mut file)?;
                named.check(&file.metadata()?)?;
                Ok(result)
            }
        }
    }
}

impl NamedFile {
    fn opened(&mut self) -> io::Result<File> {
        if let Some(file) = self.open.take() {
            return Ok(file);
        }
        let (file, facts) =
            open_regular(&self.path).map_err(|error| error_at(&self.path, &common::error::reason(&error)))?;
        self.check(&facts)?;
        Ok(file)
    }

    /// All bytes of a small file, if they are those that were first seen.
    fn all_of(&self, mut file: File) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.seen.size()).unwrap_or_default();
        let mut bytes = vec![0; size];
        file.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.changed(),
            _ => error_at(&self.path, &common::error::reason(&error)),
        })?;
        self.check(&file.metadata()?)?;
        Ok(bytes)
    }

    fn check(&self, facts: &Metadata) -> io::Result<()> {
        if FileVersion::of(facts)? == self.seen { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> io::Error {
        error_at(&self.path, "the file has changed since it was first read")
    }
}
