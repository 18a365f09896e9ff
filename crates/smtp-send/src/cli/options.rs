//! Which options were given, and which can be keys of an account.
//!
//! An account becomes arguments in front of the given ones, so that every option has one parser and one meaning.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::Cli;

/// Headings of `--help` whose options belong to one message or one run.
const NOT_FOR_ACCOUNTS: [&str; 3] = ["Message", "Many messages", "Output"];
/// The envelope options that an account can have.
const AUTHOR: [&str; 2] = ["from", "envelope-from"];
/// Usual names of a password.
const SECRETS: [&str; 5] = ["password", "pass", "passwd", "secret", "token"];

/// A command line that clap accepted.
#[derive(Debug)]
pub struct CommandLine {
    arguments: Vec<OsString>,
    matches: ArgMatches,
}

impl CommandLine {
    /// Parses the arguments; the first is the name of the program.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let matches = Cli::command().try_get_matches_from(&arguments)?;
        Ok(Self { arguments, matches })
    }

    /// Whether the option with this long name was given.
    pub fn has(&self, option: &str) -> bool {
        let id = option.replace('-', "_");
        let known = self.matches.try_contains_id(&id).is_ok();
        known && self.matches.value_source(&id) == Some(ValueSource::CommandLine)
    }

    /// The value of an option as given; `None` if it was not given or is not UTF-8.
    pub fn value(&self, option: &str) -> Option<&str> {
        let mut values = self.matches.try_get_raw(&option.replace('-', "_")).ok().flatten()?;
        values.next().and_then(OsStr::to_str)
    }

    /// The given arguments with `earlier` ones in front of them.
    pub fn with_defaults(self, earlier: Vec<OsString>) -> Result<Cli, clap::Error> {
        if earlier.is_empty() {
            return Cli::from_arg_matches(&self.matches);
        }
        let mut arguments = self.arguments;
        let name = arguments.len().min(1);
        arguments.splice(name..name, earlier);
        Cli::read(arguments)
    }
}

/// The value that an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// None: a switch.
    Switch,
    /// A text or a number.
    Value,
    /// A file name.
    Path,
}

/// Why a name cannot be a key of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No option has the name.
    #[error("no option has this name{}", .0.as_ref().map(|name| format!(": did you mean '{name}'?")).unwrap_or_default())]
    Unknown(Option<String>),
    /// The option describes one message or its recipients.
    #[error("this option belongs to one message, not to an account")]
    OneMessage,
    /// The option describes one run or its output.
    #[error("this option belongs to one run, not to an account")]
    OneRun,
    /// `account` in an account.
    #[error("an account cannot name another one")]
    Account,
    /// A password; account files are copied and shared.
    #[error("passwords are not allowed in this file; use password-command or password-file")]
    Secret,
}

/// The value that the key `name` of an account takes.
pub fn option_kind(name: &str) -> Result<OptionKind, KeyError> {
    if SECRETS.contains(&name) {
        return Err(KeyError::Secret);
    }
    let command = Cli::command();
    let Some(option) = command.get_arguments().find(|option| option.get_long() == Some(name)) else {
        return Err(KeyError::Unknown(suggestion(command, name)));
    };
    match option.get_help_heading() {
        _ if name == "account" => Err(KeyError::Account),
        Some("Envelope") if !AUTHOR.contains(&name) => Err(KeyError::OneMessage),
        _ if name == "dsn-envid" => Err(KeyError::OneMessage),
        Some("Message") => Err(KeyError::OneMessage),
        Some(heading) if !NOT_FOR_ACCOUNTS.contains(&heading) => Ok(takes(option)),
        _ => Err(KeyError::OneRun),
    }
}

/// The error of clap about one argument.
pub fn value_error(argument: &OsString) -> Option<String> {
    let error = Cli::command().try_get_matches_from([&OsString::from("smtp-send"), argument]).err()?;
    let value = text(&error, ContextKind::InvalidValue);
    let choices = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(choices)) if !choices.is_empty() => Some(choices.join(", ")),
        _ => None,
    };
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    Some(match (value, choices, cause) {
        (Some(value), Some(choices), _) => format!("'{value}' is not one of {choices}"),
        (Some(value), None, Some(cause)) => format!("'{value}': {cause}"),
        _ => common::command_line::one_line(&error),
    })
}

fn takes(option: &Arg) -> OptionKind {
    match option.get_action() {
        ArgAction::SetTrue => OptionKind::Switch,
        _ if option.get_value_parser().type_id() == TypeId::of::<PathBuf>() => OptionKind::Path,
        _ => OptionKind::Value,
    }
}

/// The similar name that clap suggests.
fn suggestion(command: Command, name: &str) -> Option<String> {
    let error = command.try_get_matches_from(["smtp-send".to_owned(), format!("--{name}")]).err()?;
    let meant = text(&error, ContextKind::SuggestedArg)?;
    meant.strip_prefix("--").map(str::to_owned).filter(|meant| option_kind(meant).is_ok())
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(arguments: &[&str]) -> CommandLine {
        CommandLine::read(["smtp-send"].iter().chain(arguments).map(OsString::from)).unwrap()
    }

    #[test]
    fn options_of_server_tls_login_and_smtp_are_keys() {
        for (name, wanted) in [
            ("server", OptionKind::Value),
            ("port", OptionKind::Value),
            ("from", OptionKind::Value),
            ("tls-ca", OptionKind::Path),
            ("password-file", OptionKind::Path),
            ("insecure", OptionKind::Switch),
            ("retry", OptionKind::Value),
            ("connections", OptionKind::Value),
            ("ipv4", OptionKind::Switch),
            ("dsn-notify", OptionKind::Value),
        ] {
            assert_eq!(option_kind(name), Ok(wanted), "{name}");
        }
    }

    #[test]
    fn an_option_of_one_message_or_one_run_is_not_a_key() {
        for name in ["to", "cc", "bcc", "body", "attach", "subject", "header", "eml", "dsn-envid"] {
            assert_eq!(option_kind(name), Err(KeyError::OneMessage), "{name}");
        }
        for name in ["dry-run", "json", "quiet", "verbose", "stop-after", "journal", "csv"] {
            assert_eq!(option_kind(name), Err(KeyError::OneRun), "{name}");
        }
        assert_eq!(option_kind("account"), Err(KeyError::Account));
        assert_eq!(option_kind("password"), Err(KeyError::Secret));
        assert_eq!(option_kind("help"), Err(KeyError::Unknown(None)));
    }

    #[test]
    fn an_unknown_key_comes_with_a_suggestion() {
        assert_eq!(option_kind("sever"), Err(KeyError::Unknown(Some("server".into()))));
        assert_eq!(option_kind("password_command"), Err(KeyError::Unknown(Some("password-command".into()))));
        assert_eq!(option_kind("zzz"), Err(KeyError::Unknown(None)));
    }

    #[test]
    fn a_value_is_checked_by_itself() {
        assert_eq!(value_error(&"--tls=starttls".into()), None);
        let error = |argument: &str| value_error(&argument.into()).unwrap();
        assert_eq!(error("--tls=on"), "'on' is not one of auto, starttls, implicit, off");
        assert!(error("--port=x").starts_with("'x': "), "{}", error("--port=x"));
    }

    #[test]
    fn given_options_are_found_by_their_long_names() {
        let typed = typed(&["--tls", "off", "--insecure", "--server", "x"]);
        assert!(typed.has("tls") && typed.has("insecure") && !typed.has("port") && !typed.has("nonsense"));
        assert_eq!((typed.value("server"), typed.value("user")), (Some("x"), None));
        let cli = typed.with_defaults(vec!["--port=26".into()]).unwrap();
        assert_eq!((cli.server.port, cli.server.server.as_deref()), (Some(26), Some("x")));
    }
}
