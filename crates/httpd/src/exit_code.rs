//! The exit codes of the program.

use common::Kind;

/// The server failed while it ran.
pub const FAILED: u8 = 1;
/// The server could not start.
pub const NOT_STARTED: u8 = 2;
/// Responses were cut at a stop.
pub const CUT: u8 = 3;

/// The exit code for the class of an error.
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::System => FAILED,
        _ => NOT_STARTED,
    }
}
