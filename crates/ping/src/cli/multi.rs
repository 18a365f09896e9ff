//! Options of a run with many targets.
//!
//! Values stay strings here; `config::multi` parses them.

use std::path::PathBuf;

use clap::Args;

/// Options that make a run one with many targets.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many targets")]
pub struct MultiArgs {
    /// Read targets from FILE, - for standard input
    ///
    /// Targets are separated by blanks and line ends; # begins a comment.
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// Print the targets that answer, one per line, as they answer
    #[arg(long, conflicts_with_all = ["unreachable", "json"])]
    pub alive: bool,
    /// Print the targets that do not answer, one per line, at the end
    #[arg(long, conflicts_with = "json")]
    pub unreachable: bool,
    /// Probes per second over all targets, 0 for no limit [default: 10000]
    ///
    /// Without it there is no limit towards this host itself, and 1000 for an ordinary user.
    #[arg(long, value_name = "PPS")]
    pub rate: Option<String>,
    /// Write metrics to FILE for the textfile collector of Prometheus, after each round and at the end
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub prometheus: Option<PathBuf>,
}
