//! The options for many messages: connections, rate, journal, reports.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{FileSource, usage};
use crate::cli::{Cli, OutputArgs};

/// The options for many messages.
#[derive(Debug)]
pub struct Bulk {
    /// Connections at once.
    pub connections: usize,
    /// Shortest time from one message to the next.
    pub interval: Option<Duration>,
    /// The file of the journal.
    pub journal: Option<PathBuf>,
    /// Whether unknown messages of an earlier run are sent again.
    pub resend_unknown: bool,
    /// Whether messages that cannot be sent are left out.
    pub keep_going: bool,
    /// Where the CSV report is written; `Stdin` means standard output.
    pub csv: Option<FileSource>,
}

impl Bulk {
    pub(super) fn new(cli: &Cli) -> Result<Self> {
        let args = &cli.bulk;
        let many = !(cli.message.eml.is_empty() && args.merge.is_empty());
        for (given, option) in [(args.journal.is_some(), "--journal"), (args.keep_going, "--keep-going")] {
            ensure!(!given || many, usage(option, "requires --eml or --merge"));
        }
        let probe_or_look = cli.output.stop_after.is_some() || cli.output.dry_run;
        ensure!(
            !(args.journal.is_some() && probe_or_look),
            usage("--journal", "cannot be combined with --dry-run or --stop-after")
        );
        let csv = args.csv.clone().map(FileSource::from);
        let OutputArgs { json, .. } = cli.output;
        ensure!(!(json && csv == Some(FileSource::Stdin)), usage("--csv -", "cannot be combined with --json"));
        Ok(Self {
            connections: args.connections.map_or(1, usize::from),
            interval: args.rate,
            journal: args.journal.clone(),
            resend_unknown: args.resend_unknown,
            keep_going: args.keep_going,
            csv,
        })
    }
}
