//! The options for many messages: how many connections, how fast, and what is kept of a run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{FileSource, usage};
use crate::cli::{Cli, SeeingArgs};

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
            interval: args.rate,
            journal: args.journal.clone(),
            resend_unknown: args.resend_unknown,
            keep_going: args.keep_going,
            csv,
        })
    }
}
