//! Exit codes (sysexits.h), and the kinds of errors that only mail delivery has.

use common::Kind;

/// A mailbox that does not exist.
pub const UNKNOWN_USER: Kind = Kind::Exit(67);
/// The server refused, and will refuse again.
pub const REFUSED: Kind = Kind::Exit(69);
/// The server violated SMTP.
pub const PROTOCOL: Kind = Kind::Exit(76);

/// The exit code for a kind of error.
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => 64,
        Kind::BadData => 65,
        Kind::NoInput => 66,
        Kind::UnknownHost => 68,
        Kind::System => 71,
        Kind::Temporary => 75,
        Kind::Denied => 77,
        Kind::Config => 78,
        Kind::OutputClosed => common::exit::SUCCESS,
        Kind::Exit(code) => code,
    }
}
