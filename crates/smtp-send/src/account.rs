//! Accounts: settings of a server and a login in a configuration file, inserted before the arguments of the command
//! line.
//!
//! The file of the user (`$XDG_CONFIG_HOME/smtp-send/config.toml`, by default in ~/.config) comes before
//! /etc/smtp-send/config.toml. An account is taken whole from the first file that has it. Precedence: command line,
//! environment, file.

pub mod entry;
pub mod file;
pub mod setup;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Error, Kind};
use nix::unistd::getuid;

use crate::config::CommandLine;
use crate::host;
use crate::net::address::Server;
use crate::secret;
use file::{PathBases, Setting};

/// The account that is used when none is named; it need not exist.
const DEFAULT: &str = "default";
/// Environment variable that names an account.
const VARIABLE: &str = "SMTP_SEND_ACCOUNT";
/// The file for the whole system.
const SYSTEM_FILE: &str = "/etc/smtp-send/config.toml";
/// Largest file in bytes; one with a hundred accounts has a hundredth of it.
const LIMIT: u64 = 1024 * 1024;
/// Write permission of the group and of others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Options that exclude each other.
const PASSWORD: [&str; 4] = ["password-file", "password-fd", "password-command", "token-command"];
/// Options that require TLS.
const FOR_TLS: [&str; 5] = ["insecure", "tls-ca", "tls-server-name", "tls-pin", "tls-client-cert"];
const PROXY_PASSWORD: [&str; 2] = ["proxy-password-file", "proxy-password-command"];

/// An account, and the file it was read from.
#[derive(Debug)]
pub struct Account {
    file: PathBuf,
    settings: Vec<Setting>,
}

impl Account {
    /// The account to use: `--account`, `SMTP_SEND_ACCOUNT` or `default`.
    ///
    /// A `--server` without `--account` uses an account only if its server is the same host: a login is for one host.
    ///
    /// # Errors
    /// [`Kind::Config`] for an error in a file or a missing account, [`Kind::NoInput`] for a file that cannot be
    /// read.
    pub fn of(typed: &CommandLine) -> Result<Option<Self>, Error> {
        let named = typed.value("account").map(str::to_owned).or_else(name_in_environment);
        let account = Self::find(named.as_deref(), &files())?;
        let elsewhere = |account: &Self| {
            let hosts = (typed.value("server").map(host_of), account.value("server").map(host_of));
            typed.value("account").is_none() && hosts.0.is_some() && hosts.0 != hosts.1
        };
        Ok(account.filter(|account| !elsewhere(account)))
    }

    /// The account called `named`, or the default one, from the first of `files` that has it.
    fn find(named: Option<&str>, files: &[PathBuf]) -> Result<Option<Self>, Error> {
        let wanted = named.unwrap_or(DEFAULT);
        let (mut known, mut closed) = (Vec::new(), None);
        for file in files {
            let text = match read(file) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                // A service may have the home of another user; the file of the system may still have the account.
                Err(failure) if failure.kind() == Kind::Denied => {
                    closed.get_or_insert(failure.with_kind(Kind::NoInput));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let home = host::home_folder();
            let places = PathBases { folder: file.parent().unwrap_or(Path::new("/")), home: home.as_deref() };
            let wrong = |mistake: file::AccountFileError| {
                let place = format!("{} line {}", file.display(), mistake.line);
                Error::config(place, mistake.what)
            };
            let (accounts, settings) = file::read(&text, wanted, places).map_err(wrong)?;
            if let Some(settings) = settings {
                return Ok(Some(Self { file: file.clone(), settings }));
            }
            known.extend(accounts.into_iter().filter(|name| !known.contains(name)).collect::<Vec<_>>());
        }
        if let Some(failure) = closed {
            return Err(failure);
        }
        if named.is_none() {
            return Ok(None);
        }
        let why = if known.is_empty() {
            format!(
                "not found; write [account.{wanted}] into {}",
                files.first().unwrap_or(&SYSTEM_FILE.into()).display()
            )
        } else {
            format!("not found; the accounts are {}", known.join(", "))
        };
        Err(Error::new(Kind::Config, "account", wanted, why))
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|one| one.key == key).map(|one| one.value.as_str())
    }

    /// The arguments of this account that the command line and the environment do not replace; the others are
    /// removed.
    pub fn arguments_for(&mut self, typed: &CommandLine) -> Vec<OsString> {
        let other_user = typed.value("user").is_some_and(|user| Some(user) != self.value("user"));
        let no_password = other_user || secret::is_in_environment() || PASSWORD.iter().any(|one| typed.has(one));
        let no_proxy_password = typed.has("proxy")
            || secret::is_for_proxy_in_environment()
            || PROXY_PASSWORD.iter().any(|one| typed.has(one));
        self.settings.retain(|one| match one.key.as_str() {
            key if typed.has(key) => false,
            key if PASSWORD.contains(&key) => !no_password,
            key if PROXY_PASSWORD.contains(&key) => !no_proxy_password,
            "proxy-client" => !typed.has("proxy-protocol"),
            "port" => !typed.has("server"),
            "ipv4" => !typed.has("ipv6"),
            "ipv6" => !typed.has("ipv4"),
            "insecure" => !typed.has("tls-ca") && !typed.has("tls-pin") && !is_off(typed),
            "tls-ca" | "tls-pin" => !typed.has("insecure") && !is_off(typed),
            "tls-server-name" | "tls-client-cert" => !is_off(typed),
            "tls-client-key" => !typed.has("tls-client-cert") && !is_off(typed),
            "tls" => !(one.value == "off" && FOR_TLS.iter().any(|key| typed.has(key))),
            _ => true,
        });
        let port_typed = typed.has("port");
        self.settings
            .iter()
            .filter_map(|one| match one.key.as_str() {
                "server" if port_typed => Some(format!("--server={}", without_port(&one.value)).into()),
                _ => one.argument.clone(),
            })
            .collect()
    }

    /// File and line of the setting that an error is about.
    pub fn place_of(&self, error: &Error) -> Option<String> {
        let option =
            [error.operation(), error.subject()].iter().find_map(|text| text.strip_prefix("--").map(first_word));
        let setting = self.settings.iter().find(|one| Some(one.key.as_str()) == option)?;
        Some(format!("{} line {}", self.file.display(), setting.line))
    }
}

/// The configuration files, in their order.
pub fn files() -> Vec<PathBuf> {
    let folder = host::xdg_folder("XDG_CONFIG_HOME", ".config", |_| true);
    let own = folder.map(|folder| folder.join("smtp-send/config.toml"));
    own.into_iter().chain([SYSTEM_FILE.into()]).collect()
}

fn name_in_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|name| !name.is_empty())
}

/// Reads a file that only its owner may change: it names hosts for passwords, and commands.
///
/// # Errors
/// [`Kind::Denied`] if this user may not read it.
fn read(path: &Path) -> Result<Option<String>, Error> {
    let unreadable = |cause: io::Error| {
        let denied = cause.kind() == io::ErrorKind::PermissionDenied;
        Error::io("read", path.display(), cause).with_kind(if denied { Kind::Denied } else { Kind::NoInput })
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    let about = file.metadata().map_err(unreadable)?;
    let wrong = |why: &str| Error::config(path.display(), why);
    if about.uid() != 0 && about.uid() != getuid().as_raw() {
        return Err(wrong("it belongs to another user"));
    }
    if about.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(wrong("others can write to it: chmod go-w"));
    }
    let mut text = String::new();
    match file.take(LIMIT + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > LIMIT => Err(wrong("larger than 1 MiB")),
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(wrong("not UTF-8")),
        Err(error) => Err(unreadable(error)),
    }
}

fn is_off(typed: &CommandLine) -> bool {
    typed.value("tls").is_some_and(|mode| mode == "off")
}

/// The host of a server, normalised for a comparison.
fn host_of(server: &str) -> String {
    without_port(server).to_ascii_lowercase()
}

fn without_port(server: &str) -> String {
    match Server::parse(server) {
        Ok(Server { host, .. }) if host.contains(':') => format!("[{host}]"),
        Ok(Server { host, .. }) => host,
        Err(_) => server.to_owned(),
    }
}

fn first_word(text: &str) -> &str {
    text.split([' ', '=']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_account_is_taken_whole_from_the_first_file_that_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["own", "system", "missing"].map(|name| folder.path().join(name));
        fs::write(&files[0], "[account.default]\nserver = 'a'\n").unwrap();
        fs::write(&files[1], "[account.default]\nserver = 'b'\nport = 1\n[account.cron]\nserver = 'c'\n").unwrap();
        for file in &files[..2] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let found = |name| Account::find(name, &files).map(|account| account.map(|account| account.settings));
        let own = found(None).unwrap().unwrap();
        assert_eq!(own.iter().map(|one| one.value.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(found(Some("cron")).unwrap().unwrap()[0].value, "c");
        let error = found(Some("work")).unwrap_err().to_string();
        assert!(error.contains("default, cron"), "{error}");
    }

    #[test]
    fn a_host_is_compared_without_port_and_case() {
        assert_eq!(host_of("Mail.Example.com:587"), "mail.example.com");
        assert_eq!(host_of("[::1]:25"), host_of("::1"));
        assert_eq!(first_word("--port=1"), "--port");
    }
}
