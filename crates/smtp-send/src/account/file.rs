//! Parses a configuration file: tables `[account.NAME]` whose keys are the long options.
//!
//! Pure. Errors name the line and the key.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{OptionKind, option_kind, value_error};

/// An error in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountFileError {
    /// The line, from 1.
    pub line: usize,
    /// The error, with the key if there is one.
    pub what: String,
}

/// A key of an account, as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The long name of the option.
    pub key: String,
    /// The line, from 1.
    pub line: usize,
    /// `--key=value` or `--key`; `None` for `false`.
    pub argument: Option<OsString>,
    /// The value as text; empty for a switch.
    pub value: String,
}

/// The folders for relative file names and `~/`.
#[derive(Debug, Clone, Copy)]
pub struct PathBases<'a> {
    /// The folder of the file.
    pub folder: &'a Path,
    /// The home folder of the user.
    pub home: Option<&'a Path>,
}

/// The names of all accounts in `text`, and the settings of `wanted` if it exists.
pub fn read(
    text: &str,
    wanted: &str,
    places: PathBases<'_>,
) -> Result<(Vec<String>, Option<Vec<Setting>>), AccountFileError> {
    let line_at = |offset: usize| text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    let document = DeTable::parse(text).map_err(|error| AccountFileError {
        line: line_at(error.span().map_or(0, |span| span.start)),
        what: error.message().replace('\n', ", "),
    })?;
    let (mut names, mut found) = (Vec::new(), None);
    for (key, value) in document.get_ref() {
        let mistake = |what: &str| AccountFileError {
            line: line_at(key.span().start),
            what: format!("{}: {what}", key.as_ref()),
        };
        let accounts = match value.get_ref() {
            DeValue::Table(accounts) if key.as_ref() == "account" => accounts,
            _ => return Err(mistake("unknown table; an account begins with [account.NAME]")),
        };
        for (name, settings) in accounts {
            let DeValue::Table(settings) = settings.get_ref() else {
                let what = format!("account.{}: must be a table: [account.NAME]", name.as_ref());
                return Err(AccountFileError { line: line_at(name.span().start), what });
            };
            names.push(name.as_ref().to_string());
            if name.as_ref() == wanted {
                let settings = settings.iter().map(|(key, value)| setting(key, value, places, &line_at));
                found = Some(settings.collect::<Result<_, _>>()?);
            }
        }
    }
    Ok((names, found))
}

fn setting(
    key: &Spanned<impl AsRef<str>>,
    value: &Spanned<DeValue<'_>>,
    places: PathBases<'_>,
    line_at: &impl Fn(usize) -> usize,
) -> Result<Setting, AccountFileError> {
    let (line, key) = (line_at(key.span().start), key.as_ref().as_ref());
    let mistake = |what: String| AccountFileError { line, what: format!("{key}: {what}") };
    let takes = option_kind(key).map_err(|error| mistake(error.to_string()))?;
    let (argument, value) = match (takes, value.get_ref()) {
        (OptionKind::Switch, DeValue::Boolean(on)) => (on.then(|| format!("--{key}").into()), String::new()),
        (OptionKind::Switch, _) => return Err(mistake("write true or false, without quotes".into())),
        (OptionKind::Path, DeValue::String(name)) => {
            let path = path(name, places);
            let mut argument = OsString::from(format!("--{key}="));
            argument.push(&path);
            (Some(argument), path.display().to_string())
        }
        (OptionKind::Path, _) => return Err(mistake("write a file name in quotes".into())),
        (OptionKind::Value, value) => {
            let text = match value {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Float(number) => number.to_string(),
                _ => return Err(mistake("write a text in quotes or a number".into())),
            };
            (Some(format!("--{key}={text}").into()), text)
        }
    };
    if let Some(what) = argument.as_ref().and_then(value_error) {
        return Err(mistake(what));
    }
    Ok(Setting { key: key.to_owned(), line, argument, value })
}

/// `~/` is expanded here: no shell has read the name.
fn path(name: &str, places: PathBases<'_>) -> PathBuf {
    match (name.strip_prefix("~/"), places.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => places.folder.join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> PathBases<'static> {
        PathBases { folder: Path::new("/etc/smtp-send"), home: Some(Path::new("/home/bob")) }
    }

    fn arguments(text: &str) -> Vec<String> {
        let settings = read(text, "work", places()).unwrap().1.expect("the account is there");
        settings.into_iter().filter_map(|one| one.argument).map(|one| one.into_string().unwrap()).collect()
    }

    fn mistake(text: &str) -> String {
        let mistake = read(text, "work", places()).unwrap_err();
        format!("{} {}", mistake.line, mistake.what)
    }

    #[test]
    fn an_account_becomes_arguments() {
        let text = "[account.default]\nserver = 'x'\n\n[account.work]\nserver = 'mail.example.com'\nport = 587\n\
                    insecure = true\nlmtp = false\ntimeout = 2.5\npassword-file = '~/secret'\ntls-ca = 'ca.pem'\n";
        let mut found = arguments(text);
        found.sort();
        let expected = [
            "--insecure",
            "--password-file=/home/bob/secret",
            "--port=587",
            "--server=mail.example.com",
            "--timeout=2.5",
            "--tls-ca=/etc/smtp-send/ca.pem",
        ];
        assert_eq!(found, expected);
        assert_eq!(read(text, "none", places()).unwrap(), (vec!["default".into(), "work".into()], None));
    }

    #[test]
    fn errors_name_line_and_key() {
        let cases = [
            ("[account.work]\n\nsever = 'x'", "3 sever: no option has this name: did you mean 'server'?"),
            ("[account.work]\ntls = 'on'", "2 tls: 'on' is not one of auto, starttls, implicit, off"),
            ("[account.work]\nport = true", "2 port: write a text in quotes or a number"),
            ("[account.work]\ninsecure = 'true'", "2 insecure: write true or false, without quotes"),
            ("[account.work]\ntls-ca = 1", "2 tls-ca: write a file name in quotes"),
            ("[account.work]\nto = 'a@b'", "2 to: this option belongs to one message, not to an account"),
            ("[account]\nwork = 'x'", "2 account.work: must be a table: [account.NAME]"),
            ("[work]\nserver = 'x'", "1 work: unknown table; an account begins with [account.NAME]"),
            ("server = 'x'", "1 server: unknown table; an account begins with [account.NAME]"),
        ];
        for (text, expected) in cases {
            assert_eq!(mistake(text), expected, "{text}");
        }
        assert!(mistake("[account.work]\nport = 70000").starts_with("2 port: '70000': "));
        assert!(mistake("[account.work]\nserver = mail").starts_with("2 "));
        let secret = mistake("[account.work]\npassword = 'hunter2'");
        assert!(secret.contains("password-command") && !secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn errors_in_another_account_are_ignored() {
        assert_eq!(arguments("[account.home]\nsever = 'x'\n[account.work]\nserver = 'y'"), ["--server=y"]);
    }
}
