//! What failed: an operation, the thing it was done to, and the cause.
//!
//! Modules below the command line return their own error enums or a [`Failure`]; either way the three parts are kept
//! apart until [`crate::exit::run`] prints them on one line. Whether trying again could help is part of the error, not
//! something the caller guesses from a text.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The class of a failure. Each program turns it into an exit code by a table of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line cannot be understood.
    Usage,
    /// A configuration file, or options that contradict each other.
    Config,
    /// Input that is malformed: an address, a message, a pattern.
    BadData,
    /// A file or folder that cannot be read.
    NoInput,
    /// A mailbox that does not exist.
    UnknownUser,
    /// A host name that does not resolve.
    UnknownHost,
    /// The peer refused, and will refuse again.
    Refused,
    /// It may work later: a timeout, a refused connection, a busy peer.
    Temporary,
    /// The peer broke the rules of its protocol.
    Protocol,
    /// Missing permission, wrong password, untrusted certificate.
    Denied,
    /// Whatever else the operating system reports.
    System,
    /// Whoever read standard output went away; not worth a word.
    OutputClosed,
}

/// A failure with its three parts: operation, address (file, host or option) and cause.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: Kind,
    operation: Cow<'static, str>,
    address: String,
    cause: Arc<dyn StdError + Send + Sync>,
}

impl Failure {
    /// A failure of `kind`: `operation` on `address` went wrong because of `cause`.
    ///
    /// `operation` is an infinitive phrase ("open folder"), or empty where the address says it all.
    pub fn new(
        kind: Kind,
        operation: impl Into<Cow<'static, str>>,
        address: impl fmt::Display,
        cause: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, operation: operation.into(), address: address.to_string(), cause: Arc::from(cause.into()) }
    }

    /// A failed system call; the kind follows from the error number.
    pub fn io(operation: impl Into<Cow<'static, str>>, address: impl fmt::Display, cause: io::Error) -> Self {
        Self::new(kind_of_io(&cause), operation, address, cause)
    }

    /// A failed write to standard output: [`Kind::OutputClosed`] when the reader has gone, else [`Kind::System`].
    pub fn output(cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::BrokenPipe => Kind::OutputClosed,
            _ => Kind::System,
        };
        Self::new(kind, "write to", "standard output", cause)
    }

    /// The class of this failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The same failure, filed under another class because the caller knows better what it means.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether the same operation may succeed when it is tried again later.
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Temporary
    }

    /// The operation that failed, empty where the address says it all.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// What the operation was done to: a file, a host, an option.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.operation.is_empty() || self.address.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}: ", self.operation, self.address)?;
        match self.cause.downcast_ref::<io::Error>() {
            Some(error) => f.write_str(&reason(error)),
            None => write!(f, "{}", self.cause),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The cause is already part of the text; only what lies behind it is a further reason.
        self.cause.source()
    }
}

/// Whether trying again later may help against this I/O error.
pub fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::NotConnected
            | K::BrokenPipe
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::TimedOut
            | K::WouldBlock
            | K::Interrupted
            | K::UnexpectedEof
            | K::ResourceBusy
    )
}

/// The text of an I/O error as the C library words it, without Rust's `(os error N)`.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => {
            let tail = format!(" (os error {number})");
            text.strip_suffix(&tail).unwrap_or(&text).to_owned()
        }
        None => text,
    }
}

fn kind_of_io(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Kind::NoInput,
        io::ErrorKind::PermissionDenied => Kind::Denied,
        _ if is_transient(error) => Kind::Temporary,
        _ => Kind::System,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_operation_address_cause_without_the_error_number() {
        let failure = Failure::io("open folder", "/nowhere", io::Error::from_raw_os_error(2));
        assert_eq!(failure.to_string(), "open folder /nowhere: No such file or directory");
        assert_eq!(failure.kind(), Kind::NoInput);
        assert_eq!((failure.operation(), failure.address()), ("open folder", "/nowhere"));
    }

    #[test]
    fn an_empty_operation_leaves_no_gap() {
        let failure = Failure::new(Kind::UnknownHost, "", "no.such", "Name or service not known");
        assert_eq!(failure.to_string(), "no.such: Name or service not known");
    }

    #[test]
    fn a_refused_connection_may_work_later_and_a_missing_file_will_not() {
        let refused = Failure::io("connect to", "[::1]:25", io::ErrorKind::ConnectionRefused.into());
        assert!(refused.is_transient());
        let missing = Failure::io("read", "x", io::ErrorKind::NotFound.into());
        assert!(!missing.is_transient());
        assert!(missing.with_kind(Kind::Temporary).is_transient());
    }

    #[test]
    fn a_reader_that_went_away_is_a_kind_of_its_own_only_on_standard_output() {
        assert_eq!(Failure::output(io::ErrorKind::BrokenPipe.into()).kind(), Kind::OutputClosed);
        assert_eq!(Failure::output(io::ErrorKind::StorageFull.into()).kind(), Kind::System);
        assert_eq!(Failure::io("send to", "peer", io::ErrorKind::BrokenPipe.into()).kind(), Kind::Temporary);
    }

    #[test]
    fn an_error_that_is_not_from_the_system_keeps_its_text() {
        assert_eq!(reason(&io::Error::other("short read")), "short read");
    }
}
