//! Input that is read once and kept, in memory or in a temporary file.
//!
//! Errors of reading and of storing are distinct, because their remedies differ.

use std::fmt::Display;
use std::io::{self, Read, Write};

use common::{Error, Kind};

/// Bytes read at once.
const BLOCK: usize = 48 * 1024;

/// Why input could not be read and kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The input cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// There is no room for it: the temporary folder is full or missing.
    #[error(transparent)]
    Keep(io::Error),
}

impl SpoolError {
    /// What to tell: `operation` on the input that is called `name` went wrong.
    ///
    /// A full disk is not the fault of the input: room may be there later.
    pub fn into_error(self, operation: &'static str, name: impl Display) -> Error {
        match self {
            Self::Read(cause) => Error::io(operation, name, cause).with_kind(Kind::NoInput),
            Self::Keep(cause) => {
                let place = format!("{name} in {}", std::env::temp_dir().display());
                Error::io("keep", place, cause).with_kind(Kind::Temporary)
            }
        }
    }
}

/// Copies `source` to its end into `spool`, showing each block to `look`; gives the number of bytes.
pub(super) fn copy(
    mut source: impl Read,
    spool: &mut impl Write,
    mut look: impl FnMut(&[u8]),
) -> Result<u64, SpoolError> {
    let (mut block, mut size) = (vec![0; BLOCK], 0);
    loop {
        let length = match source.read(&mut block) {
            Ok(0) => return Ok(size),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SpoolError::Read(error)),
        };
        look(&block[..length]);
        spool.write_all(&block[..length]).map_err(SpoolError::Keep)?;
        size += length as u64;
    }
}
