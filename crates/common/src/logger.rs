//! The logger behind the `log` facade: one line per record on standard error.
//!
//! A line is `TIME LEVEL program: message`, with an RFC 3339 time stamp in local time with milliseconds. The message is
//! escaped, so that a record is always one line.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use chrono::{DateTime, Local, SecondsFormat, TimeZone};
use clap::ValueEnum;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::safe_text::SafeText;

/// The values of `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set and not empty or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always, also into a pipe.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to `stream`.
    pub fn applies_to(self, stream: &impl IsTerminal) -> bool {
        self.decide(stream.is_terminal(), std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref())
    }

    fn decide(self, terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && no_color.is_none_or(OsStr::is_empty) && term != Some(OsStr::new("dumb")),
        }
    }
}

/// The level for a number of `-v` and for `-q`: warnings by default, errors only with `-q`.
pub fn level(verbose: u8, quiet: bool) -> LevelFilter {
    match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, 2) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    }
}

struct Logger {
    program: &'static str,
    color: bool,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts logging to standard error. Later calls change the level only.
pub fn init(program: &'static str, level: LevelFilter, color: Color) {
    let logger = LOGGER.get_or_init(|| Logger { program, color: color.applies_to(&io::stderr()) });
    // Fails only when this logger is installed already.
    let _ = log::set_logger(logger);
    log::set_max_level(level);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            let line = format_line(&Local::now(), record.level(), self.program, &message, self.color);
            // One write per line, so that lines of several threads do not mix. A closed stderr is ignored.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn format_line<Tz: TimeZone>(time: &DateTime<Tz>, level: Level, program: &str, message: &str, color: bool) -> String {
    let stamp = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let message = SafeText(message.as_bytes());
    let (on, off) = if color { (color_of(level), "\x1b[0m") } else { ("", "") };
    format!("{stamp} {on}{level:5}{off} {program}: {message}\n")
}

fn color_of(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[36m",
        Level::Trace => "\x1b[2m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn line(message: &str, color: bool) -> String {
        let time = Utc.timestamp_millis_opt(1_700_000_000_123).unwrap();
        format_line(&time, Level::Warn, "tool", message, color)
    }

    #[test]
    fn a_line_has_an_rfc_3339_stamp_level_program_and_message() {
        assert_eq!(line("low on space", false), "2023-11-14T22:13:20.123Z WARN  tool: low on space\n");
    }

    #[test]
    fn a_record_is_always_one_line() {
        assert_eq!(line("a\nb", false).lines().count(), 1);
    }

    #[test]
    fn colour_surrounds_the_level_only() {
        assert_eq!(line("x", true), "2023-11-14T22:13:20.123Z \x1b[33mWARN \x1b[0m tool: x\n");
    }

    #[test]
    fn colour_needs_a_terminal_and_respects_no_color_and_dumb_terminals() {
        let (set, empty) = (Some(OsStr::new("1")), Some(OsStr::new("")));
        assert!(Color::Auto.decide(true, None, None));
        assert!(Color::Auto.decide(true, empty, Some(OsStr::new("xterm"))));
        assert!(!Color::Auto.decide(true, set, None));
        assert!(!Color::Auto.decide(false, None, None));
        assert!(!Color::Auto.decide(true, None, Some(OsStr::new("dumb"))));
        assert!(Color::Always.decide(false, set, None));
        assert!(!Color::Never.decide(true, None, None));
    }

    #[test]
    fn quiet_wins_over_verbose_and_each_v_says_more() {
        assert_eq!(level(0, false), LevelFilter::Warn);
        assert_eq!(level(1, false), LevelFilter::Info);
        assert_eq!(level(2, false), LevelFilter::Debug);
        assert_eq!(level(9, false), LevelFilter::Trace);
        assert_eq!(level(3, true), LevelFilter::Error);
    }
}
