//! [`Error`]: the operation that failed, its subject and the cause, with the class that decides the exit code.
//!
//! Modules return their own error enums or an [`Error`]; [`crate::exit::run`] prints it on one line.
//! No decision depends on the text: [`Error::kind`] and [`Error::is_transient`] are data.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The class of an error. The `exit_code` module of each program maps it to an exit code.
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
    /// A host name that does not resolve.
    UnknownHost,
    /// A retry may succeed: a timeout, a refused connection, a busy peer.
    Temporary,
    /// Missing permission, wrong password, untrusted certificate.
    Denied,
    /// Any other error of the operating system.
    System,
    /// The reader of standard output closed the pipe; the program ends quietly.
    OutputClosed,
    /// A class of one program only; the number is its exit code.
    Exit(u8),
}

/// An error with its three parts: operation, subject (file, host or option) and cause.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    operation: Cow<'static, str>,
    subject: String,
    cause: Arc<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// An error of `kind`, displayed as "operation subject: cause".
    ///
    /// `operation` is an infinitive phrase ("open folder"). For an error without one see [`Error::of`].
    pub fn new(
        kind: Kind,
        operation: impl Into<Cow<'static, str>>,
        subject: impl fmt::Display,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, operation: operation.into(), subject: subject.to_string(), cause: Arc::from(cause.into()) }
    }

    /// An error of `kind` about `subject` alone, displayed as "subject: cause".
    pub fn of(
        kind: Kind,
        subject: impl fmt::Display,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(kind, "", subject, cause)
    }

    /// A mistake on the command line: the option or argument and what is wrong with it.
    pub fn usage(option: impl fmt::Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::Usage, option, cause)
    }

    /// A wrong value of an option, displayed as "--option value: cause".
    pub fn value(
        option: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(Kind::Usage, option, value, cause)
    }

    /// A file or setting that the configuration names and that cannot be used.
    pub fn config(subject: impl fmt::Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::Config, subject, cause)
    }

    /// Malformed input.
    pub fn bad_data(subject: impl fmt::Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::BadData, subject, cause)
    }

    /// A host name that does not resolve.
    pub fn resolve(host: impl fmt::Display, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::UnknownHost, host, cause)
    }

    /// An operation that exceeded its time limit.
    pub fn timed_out(operation: impl Into<Cow<'static, str>>, subject: impl fmt::Display) -> Self {
        Self::io(operation, subject, io::ErrorKind::TimedOut.into())
    }

    /// A file that cannot be read.
    pub fn read(path: &Path, cause: io::Error) -> Self {
        Self::io("read", path.display(), cause)
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, cause: io::Error) -> Self {
        Self::io("write", path.display(), cause)
    }

    /// A failed system call; [`Kind`] follows from the error number.
    pub fn io(operation: impl Into<Cow<'static, str>>, subject: impl fmt::Display, cause: io::Error) -> Self {
        Self::new(kind_of_io(&cause), operation, subject, cause)
    }

    /// A failed write to standard output: [`Kind::OutputClosed`] when the reader has gone, else [`Kind::System`].
    pub fn output(cause: io::Error) -> Self {
        let kind = match cause.kind() {
            io::ErrorKind::BrokenPipe => Kind::OutputClosed,
            _ => Kind::System,
        };
        Self::new(kind, "write to", "standard output", cause)
    }

    /// The class of this error.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Replaces the class.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether the same operation may succeed when it is tried again later.
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Temporary
    }

    /// The operation that failed; empty for an error made by [`Error::of`].
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The file, host or option concerned.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.operation.is_empty() || self.subject.is_empty() { "" } else { " " };
        if !(self.operation.is_empty() && self.subject.is_empty()) {
            write!(f, "{}{space}{}: ", self.operation, self.subject)?;
        }
        match self.cause.downcast_ref::<io::Error>() {
            Some(error) => f.write_str(&reason(error)),
            None => write!(f, "{}", self.cause),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text includes the cause, so the chain continues with the source of the cause.
        self.cause.source()
    }
}

/// Whether a retry may succeed after this I/O error.
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
    fn an_error_reads_operation_address_cause_without_the_error_number() {
        let error = Error::io("open folder", "/nowhere", io::Error::from_raw_os_error(2));
        assert_eq!(error.to_string(), "open folder /nowhere: No such file or directory");
        assert_eq!(error.kind(), Kind::NoInput);
        assert_eq!((error.operation(), error.subject()), ("open folder", "/nowhere"));
    }

    #[test]
    fn an_error_without_operation_begins_with_its_subject() {
        let error = Error::resolve("no.such", "Name or service not known");
        assert_eq!(error.to_string(), "no.such: Name or service not known");
    }

    #[test]
    fn a_refused_connection_is_transient_and_a_missing_file_is_not() {
        let refused = Error::io("connect to", "[::1]:25", io::ErrorKind::ConnectionRefused.into());
        assert!(refused.is_transient());
        let missing = Error::io("read", "x", io::ErrorKind::NotFound.into());
        assert!(!missing.is_transient());
        assert!(missing.with_kind(Kind::Temporary).is_transient());
    }

    #[test]
    fn a_broken_pipe_is_output_closed_only_on_standard_output() {
        assert_eq!(Error::output(io::ErrorKind::BrokenPipe.into()).kind(), Kind::OutputClosed);
        assert_eq!(Error::output(io::ErrorKind::StorageFull.into()).kind(), Kind::System);
        assert_eq!(Error::io("send to", "peer", io::ErrorKind::BrokenPipe.into()).kind(), Kind::Temporary);
    }

    #[test]
    fn an_error_that_is_not_from_the_system_keeps_its_text() {
        assert_eq!(reason(&io::Error::other("short read")), "short read");
    }
}
