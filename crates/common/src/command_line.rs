//! Mistakes on the command line, on one line and in plain words.
//!
//! clap explains a mistake in a paragraph with the usage below it; [`one_line`] keeps what is wrong and the next step.

use std::error::Error as _;
use std::num::{IntErrorKind, ParseIntError};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The mistake as `what: why`, without a line break.
pub fn one_line(error: &clap::Error) -> String {
    let suggestion = list(error, ContextKind::SuggestedArg).or_else(|| list(error, ContextKind::SuggestedValue));
    match suggestion {
        Some(suggestion) => format!("{}: did you mean '{suggestion}'?", sentence(error)),
        None => format!("{}: see --help", sentence(error)),
    }
}

fn sentence(error: &clap::Error) -> String {
    let invalid = list(error, ContextKind::InvalidArg);
    let other = list(error, ContextKind::PriorArg);
    match (error.kind(), invalid, other) {
        (ErrorKind::MissingRequiredArgument, Some(missing), _) => format!("missing {missing}"),
        (ErrorKind::UnknownArgument, Some(unknown), _) if unknown.starts_with('-') => {
            format!("unknown option '{unknown}'")
        }
        (ErrorKind::UnknownArgument, Some(unknown), _) => format!("unexpected argument '{unknown}'"),
        (ErrorKind::ArgumentConflict, Some(option), Some(other)) if option == other => {
            format!("'{option}' is given more than once")
        }
        (ErrorKind::ArgumentConflict, Some(option), Some(other)) => {
            format!("'{option}' cannot be combined with '{other}'")
        }
        (ErrorKind::ValueValidation, Some(option), _) => invalid_value(error, &option),
        (ErrorKind::InvalidValue, Some(option), _)
            if list(error, ContextKind::InvalidValue).is_some_and(|value| value.is_empty()) =>
        {
            match list(error, ContextKind::ValidValue) {
                Some(choices) => format!("'{option}' requires a value: {choices}"),
                None => format!("'{option}' requires a value"),
            }
        }
        _ => first_paragraph(error),
    }
}

/// A value that a value parser refused, with the reason in plain words.
fn invalid_value(error: &clap::Error, option: &str) -> String {
    let value = list(error, ContextKind::InvalidValue).unwrap_or_default();
    let Some(cause) = error.source() else { return first_paragraph(error) };
    let reason = match cause.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => "the number is too large".to_owned(),
        Some(_) => "not a whole number".to_owned(),
        None => plain_range(&cause.to_string()),
    };
    format!("invalid value '{value}' for '{option}': {reason}")
}

/// clap's "70000 is not in 0..=65535" as "a number from 0 to 65535"; other texts stay as they are.
fn plain_range(text: &str) -> String {
    let Some((_, range)) = text.split_once(" is not in ") else { return text.to_owned() };
    match range.split_once("..") {
        Some((low, high)) if !low.is_empty() && !high.is_empty() => {
            format!("a number from {low} to {}", high.trim_start_matches('='))
        }
        Some((low, "")) => format!("a number from {low} upwards"),
        _ => text.to_owned(),
    }
}

fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let paragraph = paragraph.trim_start_matches("error:");
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn list(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(one) => Some(one.clone()),
        ContextValue::Strings(many) if !many.is_empty() => Some(many.join(", ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Options {
        #[arg(long)]
        to: String,
        #[arg(long, value_parser = ["auto", "off"])]
        tls: Option<String>,
        #[arg(long, value_parser = crate::values::port)]
        port: Option<u16>,
        #[arg(long, conflicts_with = "port", value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: Option<u16>,
    }

    fn line_for(args: &[&str]) -> String {
        let args = ["tool"].iter().chain(args);
        one_line(&Options::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn a_missing_option_is_named() {
        assert_eq!(line_for(&[]), "missing --to <TO>: see --help");
    }

    #[test]
    fn a_wrong_value_names_option_and_choices() {
        let line = line_for(&["--to", "x", "--tls", "on"]);
        assert!(line.starts_with("invalid value 'on' for '--tls <TLS>'"), "{line}");
        assert!(line.contains("auto, off"), "{line}");
    }

    #[test]
    fn an_option_without_its_value_says_so() {
        let line = line_for(&["--to"]);
        assert_eq!(line, "'--to <TO>' requires a value: see --help");
        assert_eq!(line_for(&["--to", "x", "--tls"]), "'--tls <TLS>' requires a value: auto, off: see --help");
    }

    #[test]
    fn numbers_are_explained_in_plain_words() {
        let reason = |args: &[&str]| line_for(&[&["--to", "x"], args].concat());
        assert_eq!(
            reason(&["--port", "70000"]),
            "invalid value '70000' for '--port <PORT>': a port is a number from 0 to 65535: see --help"
        );
        let count = |value| reason(&["--count", value]);
        assert_eq!(count("0"), "invalid value '0' for '--count <COUNT>': a number from 1 to 1000: see --help");
        assert_eq!(count("x"), "invalid value 'x' for '--count <COUNT>': not a whole number: see --help");
    }

    #[test]
    fn options_that_exclude_each_other_are_both_named() {
        let line = line_for(&["--to", "x", "--port", "1", "--count", "1"]);
        assert_eq!(line, "'--port <PORT>' cannot be combined with '--count <COUNT>': see --help");
        assert_eq!(line_for(&["--bogus"]), "unknown option '--bogus': see --help");
    }
}
