//! Exit codes, those of iputils.

use common::Kind;

/// At least one reply arrived (with `-w`: `-c` replies).
pub const ANSWERED: u8 = 0;
/// No reply arrived, or too few.
pub const UNANSWERED: u8 = 1;
/// An integer argument is malformed or out of range, as in iputils.
pub const BAD_INTEGER: u8 = 1;
/// Any other error.
pub const FAILED: u8 = 2;

/// The exit code of an error: 2, because 1 means that the host does not answer.
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::OutputClosed => ANSWERED,
        Kind::Exit(code) => code,
        _ => FAILED,
    }
}
