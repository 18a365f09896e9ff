//! What may be typed for many targets, in a section of its own below the options of iputils.
//!
//! Values stay strings here, as in the command line of one target; `many::config` decides what they mean.

use std::path::PathBuf;

use clap::Args;

/// Options that make a run one of many targets.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many targets")]
pub struct MultiArgs {
    /// Read targets from FILE, - for standard input: words in lines, # begins a comment
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// Print the targets that answer, one a line, as they do
    #[arg(long, conflicts_with_all = ["unreachable", "json"])]
    pub alive: bool,
    /// Print the targets that do not answer, one a line, at the end
    #[arg(long, conflicts_with = "json")]
    pub unreachable: bool,
    /// Probes a second over all targets, 0 for no limit [default: 10000, no limit towards this host
    /// itself; 1000 for an ordinary user]
    #[arg(long, value_name = "PPS")]
    pub rate: Option<String>,
    /// Write the figures to FILE for the textfile collector of Prometheus, after each round and at the end
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
}
