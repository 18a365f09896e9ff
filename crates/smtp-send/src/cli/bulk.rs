//! The options for many messages at once.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use common::values;

/// Many messages at once.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many messages")]
pub struct BulkArgs {
    /// A message for each row of a table in CSV (- for standard input): the template with {column} in header fields and
    /// texts, to the address in the column email or to
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
    #[arg(long, value_name = "COLUMN", help_heading = "Message", requires = "merge")]
    pub merge_to: Option<String>,
    /// What stands between two columns: a character, or tab [default: ,]
    #[arg(long, value_name = "CHARACTER", help_heading = "Message", requires = "merge")]
    pub merge_separator: Option<String>,
    /// How many connections at once [default: 1]
    #[arg(long, value_name = "N", help_heading = "Server", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub connections: Option<u16>,
    /// Send no faster than this, over all connections: so many messages a second, or N/min, N/h
    #[arg(long, value_name = "N[/s]", help_heading = "Server", value_parser = values::interval_of_rate)]
    pub rate: Option<Duration>,
    /// In sendmail mode: keep what fails for now and try it again, by 'smtp-send queue run'
    #[arg(long, help_heading = "Server")]
    pub queue: bool,
    /// File that keeps what was done, so that a run that was stopped goes on where it was
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Send again what may or may not have been delivered when a run was stopped
    #[arg(long, requires = "journal")]
    pub resend_unknown: bool,
    /// Leave out what cannot be sent, and send the rest; without this, nothing is sent then
    #[arg(long)]
    pub keep_going: bool,
    /// Report in CSV, a row for each recipient; - for standard output
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub csv: Option<PathBuf>,
}
