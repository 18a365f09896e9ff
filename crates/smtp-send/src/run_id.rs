//! The identifier of a run, part of its journal and of the Message-IDs of a merge.

use common::Error;

use crate::errors;

/// Random bytes of an identifier.
const RUN_ID_BYTES: usize = 12;

/// A new identifier: 96 random bits in hexadecimal digits.
pub fn new() -> Result<String, Error> {
    let mut random = [0; RUN_ID_BYTES];
    getrandom::fill(&mut random).map_err(errors::no_random_numbers)?;
    Ok(random.map(|byte| format!("{byte:02x}")).concat())
}
