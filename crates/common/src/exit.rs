//! The end of a program: prints an error as `program: what: why` and chooses the exit code.
//!
//! The `run` function of each program calls [`run`] with its map from [`Kind`] to exit code. No other place prints a
//! final error or calls `std::process::exit`.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::command_line;
use crate::error::{self, Error, Kind};
use crate::logger::Color;
use crate::safe_text::SafeText;

/// Success.
pub const SUCCESS: u8 = 0;

/// Runs `body` and converts its result into the exit code of the process.
///
/// An error is printed to standard error as one line, `program: what: why`, with control characters escaped; its
/// [`Kind`] becomes the code by `code_of`. `--help` and `--version` print to standard output and give 0, and so does a
/// closed standard output, as in a pipe into `head`.
pub fn run(program: &str, code_of: fn(Kind) -> u8, body: impl FnOnce() -> anyhow::Result<u8>) -> ExitCode {
    ExitCode::from(match body() {
        Ok(code) => code,
        Err(error) => report(program, code_of, &error, &mut io::stdout().lock(), &mut io::stderr().lock()),
    })
}

fn report(
    program: &str,
    code_of: fn(Kind) -> u8,
    error: &anyhow::Error,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let (kind, line) = match error.downcast_ref::<clap::Error>() {
        Some(asked) if !asked.use_stderr() => {
            return match write!(stdout, "{}", help_text(asked)).and_then(|()| stdout.flush()) {
                Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                    print_error(program, &format!("write to standard output: {}", error::reason(&cause)), stderr);
                    code_of(Kind::System)
                }
                _ => SUCCESS,
            };
        }
        Some(mistake) => (Kind::Usage, command_line::one_line(mistake)),
        None => (kind_of(error), describe(error)),
    };
    if kind == Kind::OutputClosed {
        return SUCCESS;
    }
    print_error(program, &line, stderr);
    code_of(kind)
}

/// The text of `--help` or `--version`, with bold headings when standard output is a terminal.
fn help_text(asked: &clap::Error) -> String {
    let text = asked.render();
    if Color::Auto.applies_to(&io::stdout()) { text.ansi().to_string() } else { text.to_string() }
}

fn print_error(program: &str, line: &str, stderr: &mut dyn Write) {
    // With standard error closed the exit code is all that remains.
    let _ = writeln!(stderr, "{program}: {}", SafeText(line.as_bytes()));
}

fn kind_of(error: &anyhow::Error) -> Kind {
    error.chain().find_map(|cause| cause.downcast_ref::<Error>()).map_or(Kind::System, Error::kind)
}

/// The chain of causes on one line, separated by colons, without repetitions.
fn describe(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = match cause.downcast_ref::<io::Error>() {
            Some(system) => error::reason(system),
            None => cause.to_string(),
        };
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    #[command(name = "tool", version = "1.2.3")]
    struct Options {
        #[arg(long)]
        port: u16,
    }

    fn table(kind: Kind) -> u8 {
        match kind {
            Kind::Usage => 64,
            Kind::Temporary => 75,
            _ => 1,
        }
    }

    fn ended_with(error: &anyhow::Error) -> (u8, String, String) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = report("tool", table, error, &mut stdout, &mut stderr);
        (code, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn an_error_is_one_line_with_the_code_of_its_kind() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = anyhow::Error::new(Error::io("connect to", "host:25", refused));
        let (code, stdout, stderr) = ended_with(&error);
        assert_eq!((code, stdout.as_str()), (75, ""));
        assert_eq!(stderr, "tool: connect to host:25: connection refused\n");
    }

    #[test]
    fn context_is_printed_first_and_the_kind_is_found_in_the_chain() {
        let error = anyhow::Error::new(Error::of(Kind::Temporary, "host", "busy")).context("mail 3");
        assert_eq!(ended_with(&error), (75, String::new(), "tool: mail 3: host: busy\n".to_owned()));
    }

    #[test]
    fn untrusted_bytes_cannot_break_the_line_or_colour_the_terminal() {
        let error = anyhow::Error::new(Error::of(Kind::Exit(1), "host", "said \x1b[31m\r\n550"));
        assert_eq!(ended_with(&error).2, "tool: host: said \\x1b[31m\\r\\n550\n");
    }

    #[test]
    fn a_closed_standard_output_is_no_error() {
        let error = anyhow::Error::new(Error::output(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(ended_with(&error), (0, String::new(), String::new()));
    }

    #[test]
    fn a_mistyped_option_is_one_line_and_a_usage_error() {
        let error = Options::try_parse_from(["tool", "--prot", "1"]).unwrap_err();
        let (code, _, stderr) = ended_with(&error.into());
        assert_eq!(code, 64);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("tool: unknown option '--prot'"), "{stderr}");
        assert!(stderr.contains("'--port'"), "{stderr}");
    }

    #[test]
    fn version_goes_to_standard_output_with_code_zero() {
        let error = Options::try_parse_from(["tool", "--version"]).unwrap_err();
        assert_eq!(ended_with(&error.into()), (0, "tool 1.2.3\n".to_owned(), String::new()));
    }
}
