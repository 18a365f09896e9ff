//! How a program ends: one place that prints `program: what: why` and picks the exit code.
//!
//! A program's `main` hands its work to [`run`] together with a table from [`Kind`] to exit code. Nobody else calls
//! `std::process::exit` for an error, and nobody else prints one.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::command_line;
use crate::error::{self, Failure, Kind};
use crate::safe_text::SafeText;

/// Everything went well.
pub const SUCCESS: u8 = 0;

/// Runs `body` and turns what it returns into the exit code of the process.
///
/// An error is printed to standard error as one line, `program: what: why`, with control characters escaped; its
/// [`Kind`] becomes the code by `code_of`. `--help` and `--version` print to standard output and give 0. A closed
/// standard output ends quietly with 0, as a pipe into `head` expects.
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
            return match write!(stdout, "{}", asked.render()).and_then(|()| stdout.flush()) {
                Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                    complain(program, &format!("write to standard output: {}", error::reason(&cause)), stderr);
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
    complain(program, &line, stderr);
    code_of(kind)
}

fn complain(program: &str, line: &str, stderr: &mut dyn Write) {
    // A program whose standard error is closed still has its exit code to speak with.
    let _ = writeln!(stderr, "{program}: {}", SafeText(line.as_bytes()));
}

fn kind_of(error: &anyhow::Error) -> Kind {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map_or(Kind::System, Failure::kind)
}

/// The whole chain on one line, each cause after a colon, none of them twice.
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
    fn a_failure_is_one_line_with_the_code_of_its_kind() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = anyhow::Error::new(Failure::io("connect to", "host:25", refused));
        let (code, stdout, stderr) = ended_with(&error);
        assert_eq!((code, stdout.as_str()), (75, ""));
        assert_eq!(stderr, "tool: connect to host:25: connection refused\n");
    }

    #[test]
    fn context_stands_in_front_and_the_kind_is_found_behind_it() {
        let error = anyhow::Error::new(Failure::new(Kind::Temporary, "", "host", "busy")).context("mail 3");
        assert_eq!(ended_with(&error), (75, String::new(), "tool: mail 3: host: busy\n".to_owned()));
    }

    #[test]
    fn bytes_of_a_stranger_cannot_break_the_line_or_colour_the_terminal() {
        let error = anyhow::Error::new(Failure::new(Kind::Protocol, "", "host", "said \x1b[31m\r\n550"));
        assert_eq!(ended_with(&error).2, "tool: host: said \\x1b[31m\\r\\n550\n");
    }

    #[test]
    fn a_closed_standard_output_is_no_error() {
        let error = anyhow::Error::new(Failure::output(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(ended_with(&error), (0, String::new(), String::new()));
    }

    #[test]
    fn a_mistyped_option_is_one_line_and_a_usage_error() {
        let error = Options::try_parse_from(["tool", "--prot", "1"]).unwrap_err();
        let (code, _, stderr) = ended_with(&error.into());
        assert_eq!(code, 64);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("tool: unexpected argument '--prot'"), "{stderr}");
        assert!(stderr.contains("'--port'"), "{stderr}");
    }

    #[test]
    fn version_goes_to_standard_output_with_code_zero() {
        let error = Options::try_parse_from(["tool", "--version"]).unwrap_err();
        assert_eq!(ended_with(&error.into()), (0, "tool 1.2.3\n".to_owned(), String::new()));
    }
}
