//! The options for several messages in one run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use common::values;

/// Several messages in one run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many messages")]
pub struct BulkArgs {
    /// A message for each row of a table
    ///
    /// The table is in CSV (- for standard input). {column} in header fields and texts of the template is replaced by
    /// the value of the row; the address is in the column email or to
    #[arg(
        long,
        value_names = ["CSV", "TEMPLATE"],
        num_args = 2,
        help_heading = "Message",
        conflicts_with_all = [
            "eml", "to", "cc", "bcc", "subject", "body", "body_file", "html", "attach", "header", "reply_to"
        ]
    )]
    pub merge: Vec<PathBuf>,
    /// The column with the address
    #[arg(long, value_name = "COLUMN", help_heading = "Message", requires = "merge", hide_short_help = true)]
    pub merge_to: Option<String>,
    /// Separator of columns: a character, or tab [default: ,]
    #[arg(long, value_name = "CHARACTER", help_heading = "Message", requires = "merge", hide_short_help = true)]
    pub merge_separator: Option<String>,
    /// Number of simultaneous connections [default: 1]
    #[arg(long, value_name = "N", help_heading = "Server", value_parser = clap::value_parser!(u16).range(1..=1000), hide_short_help = true)]
    pub connections: Option<u16>,
    /// Maximum rate over all connections: messages per second, or N/min, N/h
    #[arg(long, value_name = "N[/s]", help_heading = "Server", value_parser = values::interval_of_rate, hide_short_help = true)]
    pub rate: Option<Duration>,
    /// In sendmail mode: queue messages after temporary failures, for 'smtp-send queue run'
    #[arg(long, help_heading = "Server", hide_short_help = true)]
    pub queue: bool,
    /// File that records the results, so that an interrupted run can be continued
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub journal: Option<PathBuf>,
    /// Send messages with an unknown result again
    #[arg(long, requires = "journal", hide_short_help = true)]
    pub resend_unknown: bool,
    /// Skip messages that cannot be sent; without this option one such message stops the run before anything is sent
    #[arg(long, hide_short_help = true)]
    pub keep_going: bool,
    /// Report in CSV, one row for each recipient; - for standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "dry_run", hide_short_help = true)]
    pub csv: Option<PathBuf>,
}
