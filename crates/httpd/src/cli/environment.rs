//! Options from the environment: `HTTPD_PORT` for `--port` and so on.
//!
//! An option on the command line wins over the environment, also over a variable of an option that excludes it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ArgAction, Command};
use common::Error;

/// The start of values that Kubernetes sets for a service of the name `httpd`, such as `HTTPD_PORT=tcp://10.0.0.1:80`.
const SERVICE_LINK: &str = "tcp://";

/// The arguments with options from the environment behind the program name; `variable` looks up a variable.
pub(super) fn with_environment(
    command: &Command,
    args: &[OsString],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, Error> {
    let typed = typed_options(command, args);
    let excludes = |arg: &Arg, other: &Arg| command.get_arg_conflicts_with(arg).contains(&other);
    let is_typed = |arg: &Arg| {
        let is_excluded = |other: &&Arg| excludes(arg, other) || excludes(other, arg);
        typed.contains(arg.get_id().as_str())
            || command.get_arguments().filter(is_excluded).any(|other| typed.contains(other.get_id().as_str()))
    };
    let mut complete: Vec<OsString> = args.first().cloned().into_iter().collect();
    for arg in command.get_arguments() {
        let Some(long) = arg.get_long().filter(|_| !is_typed(arg)) else { continue };
        let name = format!("HTTPD_{}", long.to_ascii_uppercase().replace('-', "_"));
        if let Some(value) = variable(&name).filter(|value| !is_ignored(value)) {
            complete.extend(options(arg, long, &name, &value)?);
        }
    }
    complete.extend(args.iter().skip(1).cloned());
    Ok(complete)
}

fn is_ignored(value: &OsStr) -> bool {
    value.is_empty() || value.as_encoded_bytes().starts_with(SERVICE_LINK.as_bytes())
}

/// The options for one variable.
fn options(arg: &Arg, long: &str, name: &str, value: &OsStr) -> Result<Vec<OsString>, Error> {
    let flag = || OsString::from(format!("--{long}"));
    let with_value = |value: &OsStr| {
        let mut option = OsString::from(format!("--{long}="));
        option.push(value);
        option
    };
    let switch = match value.as_encoded_bytes().to_ascii_lowercase().as_slice() {
        b"1" | b"true" | b"yes" | b"on" => Some(true),
        b"0" | b"false" | b"no" | b"off" => Some(false),
        _ => None,
    };
    match (arg.get_action(), switch) {
        (ArgAction::SetTrue, Some(true)) => Ok(vec![flag()]),
        (ArgAction::SetTrue, None) => Err(Error::value(name.to_owned(), value.display(), "is neither yes nor no")),
        (ArgAction::Count, _) => match value.to_str().and_then(|text| text.parse::<u8>().ok()) {
            Some(count) => Ok(vec![flag(); usize::from(count.min(9))]),
            None => Err(Error::value(name.to_owned(), value.display(), "is not a number from 0 to 9")),
        },
        // An option with an optional value.
        (ArgAction::Set, Some(is_on)) if is_optional(arg) => Ok(if is_on { vec![flag()] } else { vec![] }),
        (ArgAction::Set, _) => Ok(vec![with_value(value)]),
        // One value a line.
        (ArgAction::Append, _) => {
            let lines = value.as_encoded_bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            Ok(lines.map(|line| with_value(OsStr::from_bytes(line))).collect())
        }
        // A switch that is off, help and version.
        _ => Ok(vec![]),
    }
}

fn is_optional(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.min_values() == 0)
}

/// The ids of the options and positional arguments on the command line.
fn typed_options<'a>(command: &'a Command, args: &[OsString]) -> HashSet<&'a str> {
    let mut typed = HashSet::new();
    let positional = || command.get_positionals().map(|arg| arg.get_id().as_str());
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    while let Some(text) = args.next() {
        if text == "--" {
            if args.next().is_some() {
                typed.extend(positional());
            }
            break;
        }
        let takes_next = if let Some(option) = text.strip_prefix("--") {
            let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name));
            typed.extend(arg.map(|arg| arg.get_id().as_str()));
            value.is_none() && arg.is_some_and(takes_separate_value)
        } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            take_letters(command, letters, &mut typed)
        } else {
            typed.extend(positional());
            false
        };
        if takes_next {
            args.next();
        }
    }
    typed
}

/// Adds the options of a group of letters such as `-qp80`; whether the last one takes the next argument.
fn take_letters<'a>(command: &'a Command, letters: &str, typed: &mut HashSet<&'a str>) -> bool {
    for (index, letter) in letters.char_indices() {
        let Some(arg) = command.get_arguments().find(|arg| arg.get_short() == Some(letter)) else { return false };
        typed.insert(arg.get_id().as_str());
        if takes_separate_value(arg) {
            return letters.len() == index + letter.len_utf8();
        }
    }
    false
}

fn takes_separate_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !is_optional(arg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    /// The arguments in place of `args` with these variables.
    fn complete(args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        let args: Vec<OsString> = ["httpd"].iter().chain(args).map(OsString::from).collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let command = built();
        let complete = with_environment(&command, &args, variable).unwrap();
        complete.into_iter().skip(1).map(|arg| arg.into_string().unwrap()).collect()
    }

    fn built() -> Command {
        let mut command = Cli::command();
        command.build();
        command
    }

    #[test]
    fn every_option_has_a_variable_and_repeatable_ones_take_lines() {
        let variables = [
            ("HTTPD_PORT", "80"),
            ("HTTPD_ROOT", "/srv"),
            ("HTTPD_HEADER", "A: b\nC: d"),
            ("HTTPD_CORS", "yes"),
            ("HTTPD_SPA", "1"),
            ("HTTPD_HIDDEN", "0"),
            ("HTTPD_VERBOSE", "2"),
            ("HTTPD_HELP", "1"),
            ("HTTPD_CACHE", ""),
        ];
        let options = complete(&["-q"], &variables);
        let expected = [
            "--root=/srv",
            "--port=80",
            "--spa",
            "--header=A: b",
            "--header=C: d",
            "--cors",
            "--verbose",
            "--verbose",
            "-q",
        ];
        assert_eq!(options, expected);
        assert_eq!(complete(&[], &[("HTTPD_SPA", "app.html")]), ["--spa=app.html"]);
    }

    #[test]
    fn the_command_line_wins_also_over_options_that_exclude_it() {
        let port = [("HTTPD_PORT", "80")];
        for args in [&["--port", "1"][..], &["--port=1"], &["-p1"], &["-qp", "1"], &["-p", "1", "www"]] {
            assert_eq!(complete(args, &port), args, "{args:?}");
        }
        let root = [("HTTPD_ROOT", "/srv"), ("HTTPD_TLS_CERT", "c"), ("HTTPD_TLS_KEY", "k")];
        assert_eq!(complete(&["www", "--tls-self-signed"], &root), ["www", "--tls-self-signed"]);
        assert_eq!(complete(&["--", "www"], &root[..1]), ["--", "www"]);
        // The value of an option is no positional argument.
        assert_eq!(complete(&["--index", "a"], &root[..1]), ["--root=/srv", "--index", "a"]);
        assert_eq!(complete(&["--spa", "www"], &root[..1]), ["--spa", "www"]);
    }

    #[test]
    fn service_links_of_kubernetes_are_ignored() {
        assert_eq!(complete(&[], &[("HTTPD_PORT", "tcp://10.96.0.7:80")]), <[&str; 0]>::default());
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_variable() {
        let args = [OsString::from("httpd")];
        let error = |name: &'static str, value: &'static str| {
            let variable = move |wanted: &str| (wanted == name).then(|| value.into());
            with_environment(&built(), &args, variable).unwrap_err().to_string()
        };
        assert_eq!(error("HTTPD_CORS", "maybe"), "HTTPD_CORS maybe: is neither yes nor no");
        assert_eq!(error("HTTPD_VERBOSE", "very"), "HTTPD_VERBOSE very: is not a number from 0 to 9");
    }
}
