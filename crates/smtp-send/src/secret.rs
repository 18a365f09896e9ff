//! Passwords and access tokens: their sources, and their handling in memory.
//!
//! A secret is never an argument, and never part of an error, a log line or a report. Copies are wiped when they are
//! dropped. Every source is limited in bytes, and in time where it could block. A missing secret is an error of
//! configuration: exit code 78, or 66 if its file cannot be read.

mod command;
pub mod netrc;
mod prompt;
mod source;

use std::fmt;
use std::io;
use std::path::Path;

use common::{Error, Kind};
use zeroize::Zeroizing;

use crate::host;
use netrc::NetrcSearch;

/// Longest secret in bytes; access tokens have a few thousand.
const LIMIT: usize = 64 * 1024;
/// Environment variable with the password.
const VARIABLE: &str = "SMTP_PASSWORD";
/// Environment variable with the password for a proxy.
const PROXY_VARIABLE: &str = "SMTP_PROXY_PASSWORD";

/// A password or an access token, wiped when it is dropped; `{:?}` does not show it.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Checks a secret: not empty, UTF-8 without NUL (RFC 4616, section 2).
    fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        let text = str::from_utf8(bytes).map_err(|_| SecretError::Encoding)?;
        match text {
            "" => Err(SecretError::Empty),
            _ if text.contains('\0') => Err(SecretError::Nul),
            _ => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// The secret itself, for the bytes that are sent to the server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Why a source gives no secret. The text never holds what was read.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("the first line is empty")]
    Empty,
    #[error("the first line is not UTF-8")]
    Encoding,
    #[error("a NUL byte in the first line")]
    Nul,
    #[error("more than {LIMIT} bytes")]
    TooLong,
    #[error("others can read it: chmod 600")]
    Readable,
    #[error("it belongs to another user")]
    Foreign,
    #[error("standard input is needed for the text")]
    StandardInput,
    #[error("no input within {0} seconds")]
    TooSlow(u64),
    #[error("exit code {0}")]
    ExitCode(i32),
    #[error("ended by signal {0}")]
    Signal(i32),
    #[error("{}", common::error::reason(.0))]
    Read(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error("line {0}: {1}")]
    Netrc(usize, netrc::NetrcError),
}

impl SecretError {
    fn of(self, operation: &'static str, source: impl fmt::Display) -> Error {
        let kind = if matches!(self, Self::Read(_)) { Kind::NoInput } else { Kind::Config };
        Error::new(kind, operation, source, self)
    }
}

/// A source that an option names.
#[derive(Debug, Clone, Copy)]
pub enum SecretSource<'a> {
    /// The first line of a file.
    File(&'a Path),
    /// The first line from an open descriptor.
    Descriptor(i32),
    /// The first line that a command prints.
    Command(&'a str),
}

impl SecretSource<'_> {
    /// Reads the secret; `option` names it in errors. Commands are not part of errors, as some contain secrets.
    ///
    /// # Errors
    /// [`Kind::Config`] if it is not usable, [`Kind::NoInput`] if its file cannot be read.
    pub fn read(self, option: &'static str) -> Result<Secret, Error> {
        match self {
            Self::File(path) => source::file(path).map_err(|why| why.of(option, path.display())),
            Self::Descriptor(number) => source::descriptor(number).map_err(|why| why.of(option, number)),
            Self::Command(command) => command::output(command).map_err(|why| why.of(option, "")),
        }
    }
}

/// The sources of a secret that no option names.
#[derive(Debug)]
pub struct Fallback {
    variable: &'static str,
    what: &'static str,
    /// How to provide the secret, for the error.
    hint: String,
}

impl Fallback {
    /// For a login at the server, with a password or an access token.
    pub fn login(is_token: bool) -> Self {
        let hint = format!(
            "set {VARIABLE}, use --password-file, --password-fd or --password-command, or write it into ~/.netrc"
        );
        Self { variable: VARIABLE, what: if is_token { "Access token" } else { "Password" }, hint }
    }

    /// For a login at a proxy.
    pub fn proxy() -> Self {
        let hint = format!(
            "set {PROXY_VARIABLE}, use --proxy-password-file or --proxy-password-command, or write it into ~/.netrc"
        );
        Self { variable: PROXY_VARIABLE, what: "Password", hint }
    }

    /// The secret of `user` at `host` from the environment, ~/.netrc, or a prompt for `account` on the terminal.
    ///
    /// # Errors
    /// [`Kind::Config`] without a usable one, [`Kind::NoInput`] if a file cannot be read.
    pub fn obtain(&self, user: &str, host: &str, account: &str) -> Result<Secret, Error> {
        if let Some(secret) = from_environment(self.variable)? {
            return Ok(secret);
        }
        if let Some(secret) = from_netrc(user, host)? {
            return Ok(secret);
        }
        let asked = prompt::ask(self.what, account).map_err(|why| why.of("ask for the password of", account))?;
        asked.ok_or_else(|| Error::new(Kind::Config, "password of", account, format!("not found: {}", self.hint)))
    }
}

/// Reads a private key from a file that only its owner may read; `option` names it in errors.
///
/// # Errors
/// [`Kind::Config`] if others can read it or it is too large, [`Kind::NoInput`] if it cannot be read.
pub fn key_file(option: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    source::whole_file(path).map_err(|why| why.of(option, path.display()))
}

/// A password to write into a file: from `SMTP_PASSWORD`, or a prompt.
///
/// # Errors
/// [`Kind::Config`] without one.
pub fn for_keeping(user: &str) -> Result<Secret, Error> {
    if let Some(secret) = from_environment(VARIABLE)? {
        return Ok(secret);
    }
    let asked = prompt::ask("Password", user).map_err(|why| why.of("ask for the password of", user))?;
    let why = format!("not found: set {VARIABLE}, or run this on a terminal");
    asked.ok_or_else(|| Error::new(Kind::Config, "password of", user, why))
}

/// Whether the environment holds a password; it takes precedence over the configuration file.
pub fn is_in_environment() -> bool {
    is_set(VARIABLE)
}

/// Whether the environment holds a password for a proxy.
pub fn is_for_proxy_in_environment() -> bool {
    is_set(PROXY_VARIABLE)
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn from_environment(variable: &'static str) -> Result<Option<Secret>, Error> {
    if !is_set(variable) {
        return Ok(None);
    }
    let value = Zeroizing::new(std::env::var_os(variable).unwrap_or_default().into_encoded_bytes());
    Secret::new(&value).map(Some).map_err(|why| why.of("", variable))
}

fn from_netrc(user: &str, host: &str) -> Result<Option<Secret>, Error> {
    let Some(path) = host::home_folder().map(|home| home.join(".netrc")) else { return Ok(None) };
    let found = source::netrc(&path, &NetrcSearch { machine: host, login: user });
    found.map_err(|why| why.of("", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(bytes: &[u8]) -> Result<Secret, SecretError> {
        Secret::new(bytes)
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let shown = format!("{:?}", secret(b"hunter2").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_no_server_could_take_is_refused() {
        assert!(matches!(secret(b""), Err(SecretError::Empty)));
        assert!(matches!(secret(b"a\0b"), Err(SecretError::Nul)));
        assert!(matches!(secret(b"caf\xe9"), Err(SecretError::Encoding)));
        assert_eq!(secret("pässwörd with spaces ".as_bytes()).unwrap().expose(), "pässwörd with spaces ");
    }
}
