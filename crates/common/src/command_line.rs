//! Mistakes on the command line, told on one line.
//!
//! clap explains a mistake in a paragraph with the usage below it. Next to the other messages of these programs one line
//! is easier to read and to grep, so only what is wrong, the suggestion and the way to `--help` are kept.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with the command line, as `what: why`, without a line break.
pub fn one_line(error: &clap::Error) -> String {
    let mut line = match error.kind() {
        ErrorKind::MissingRequiredArgument => match list(error, ContextKind::InvalidArg) {
            Some(missing) => format!("missing {missing}"),
            None => first_paragraph(error),
        },
        _ => first_paragraph(error),
    };
    let suggestion = list(error, ContextKind::SuggestedArg).or_else(|| list(error, ContextKind::SuggestedValue));
    if let Some(suggestion) = suggestion {
        line.push_str(": did you mean '");
        line.push_str(&suggestion);
        line.push_str("'?");
    } else {
        line.push_str(": see --help");
    }
    line
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
    }

    fn told(args: &[&str]) -> String {
        let args = ["tool"].iter().chain(args);
        one_line(&Options::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn a_missing_option_is_named() {
        assert_eq!(told(&[]), "missing --to <TO>: see --help");
    }

    #[test]
    fn a_wrong_value_names_option_and_choices() {
        let line = told(&["--to", "x", "--tls", "on"]);
        assert!(line.starts_with("invalid value 'on' for '--tls <TLS>'"), "{line}");
        assert!(line.contains("auto, off"), "{line}");
    }

    #[test]
    fn an_option_without_its_value_says_so() {
        let line = told(&["--to"]);
        assert!(line.starts_with("a value is required for '--to <TO>'"), "{line}");
        assert!(!line.contains('\n'));
    }
}
