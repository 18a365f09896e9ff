//! Errors that several modules report in the same way.

use std::fmt::Display;
use std::io;

use common::{Error, Kind};

/// Input that cannot be read: [`Kind::NoInput`] whatever the system reports.
pub fn unreadable(subject: impl Display, cause: io::Error) -> Error {
    Error::io("read", subject, cause).with_kind(Kind::NoInput)
}

/// Input that was read and cannot be used.
pub fn malformed(subject: impl Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::BadData, "read", subject, cause)
}
