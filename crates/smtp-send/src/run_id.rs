//! The identifier of a run, part of its journal and of the Message-IDs of a merge.

use common::{Error, random};

/// Random bytes of an identifier.
const RUN_ID_BYTES: usize = 12;

/// A new identifier: 96 random bits in hexadecimal digits.
pub fn new() -> Result<String, Error> {
    random::hex::<RUN_ID_BYTES>()
}
