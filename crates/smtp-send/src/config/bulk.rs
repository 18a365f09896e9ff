//! The options for many messages: how many connections, how fast, and what is kept of a run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::Error;

use super::{FileSource, usage};
use crate::cli::{Cli, SeeingArgs};

/// More messages a second than anybody sends; a mistyped number.
const MAX_RATE: f64 = 1e6;

/// How many messages are sent.
#[derive(Debug)]
pub struct Bulk {
    /// How many connections at once.
    pub connections: usize,
    /// The least time from one message to the next.
    pub interval: Option<Duration>,
    /// What keeps what was done.
    pub journal: Option<PathBuf>,
    /// Whether messages of an unknown status are sent again when a run goes on.
    pub resend_unknown: bool,
    /// Whether what cannot be sent is left out.
    pub keep_going: bool,
    /// Where a report in CSV goes; standard input stands for standard output.
    pub csv: Option<FileSource>,
}

impl Bulk {
    pub(super) fn new(cli: &Cli) -> Result<Self> {
        let args = &cli.bulk;
        let many = !(cli.message.eml.is_empty() && args.merge.is_empty());
        for (given, option) in [(args.journal.is_some(), "--journal"), (args.keep_going, "--keep-going")] {
            ensure!(!given || many, usage(option, "it is for ready messages: --eml or --merge"));
        }
        let probe_or_look = cli.seeing.stop_after.is_some() || cli.seeing.dry_run;
        ensure!(!(args.journal.is_some() && probe_or_look), usage("--journal", "no use when nothing is sent"));
        let csv = args.csv.clone().map(FileSource::from);
        let SeeingArgs { json, .. } = cli.seeing;
        ensure!(!(json && csv == Some(FileSource::Stdin)), usage("--csv -", "no use with --json"));
        Ok(Self {
            connections: args.connections.map_or(1, usize::from),
            interval: args.rate.as_deref().map(interval).transpose()?,
            journal: args.journal.clone(),
            resend_unknown: args.resend_unknown,
            keep_going: args.keep_going,
            csv,
        })
    }
}

/// The time between two messages at a rate such as `5`, `5/s`, `300/min` or `1000/h`.
fn interval(typed: &str) -> Result<Duration> {
    let wrong = || Error::value("--rate", typed, "write a number above 0, with /s, /min or /h behind it");
    let (number, unit) = typed.split_once('/').unwrap_or((typed, "s"));
    let seconds = match unit {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong().into()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let rate = number / seconds;
    ensure!(number > 0.0 && rate <= MAX_RATE, wrong());
    Duration::try_from_secs_f64(1.0 / rate).map_err(|_| wrong().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_time_between_two_messages() {
        for (typed, milliseconds) in [("10", 100), ("10/s", 100), ("0.5/s", 2000), ("600/min", 100), ("3600/h", 1000)] {
            assert_eq!(interval(typed).unwrap(), Duration::from_millis(milliseconds), "{typed}");
        }
        for wrong in ["", "0", "-1", "x", "1/", "1/d", "NaN", "inf", "1e9", "1/s/s", "1e-300"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
