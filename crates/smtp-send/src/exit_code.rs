//! Exit codes (sysexits.h).

use common::Kind;

/// The exit code for a kind of error.
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => 64,
        Kind::BadData => 65,
        Kind::NoInput => 66,
        Kind::UnknownUser => 67,
        Kind::UnknownHost => 68,
        Kind::Refused => 69,
        Kind::System => 71,
        Kind::Temporary => 75,
        Kind::Protocol => 76,
        Kind::Denied => 77,
        Kind::Config => 78,
        Kind::OutputClosed => common::exit::SUCCESS,
    }
}
