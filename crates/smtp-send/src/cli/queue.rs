//! The command line of `smtp-send queue`.

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand};

/// Manage the queue of sendmail mode
#[derive(Debug, Clone, Parser)]
#[command(
    name = "smtp-send queue",
    version = super::version(),
    max_term_width = 100,
    styles = common::help::STYLES,
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub struct QueueCli {
    /// The action.
    #[command(subcommand)]
    pub action: QueueAction,
}

/// Actions on the queue.
#[derive(Debug, Clone, Subcommand)]
pub enum QueueAction {
    /// List the queued messages
    List,
    /// Send the messages that are due; run by a timer
    Run(QueueRun),
    /// Remove messages without sending them
    Drop(QueueDrop),
}

/// Options of `queue run`.
#[derive(Debug, Clone, Args)]
pub struct QueueRun {
    /// Send all queued messages, also those not yet due
    #[arg(long)]
    pub all: bool,
    /// Move a message to the dead letters after so many days in the queue
    #[arg(long, value_name = "DAYS", default_value_t = 5.0)]
    pub give_up_after: f64,
    /// Show the SMTP dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Options of `queue drop`.
#[derive(Debug, Clone, Args)]
pub struct QueueDrop {
    /// Queue IDs, shown by `list`
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// All messages
    #[arg(long)]
    pub all: bool,
}

impl QueueCli {
    /// Parses the arguments after `queue`.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let name = OsString::from("smtp-send queue");
        Self::try_parse_from(std::iter::once(&name).chain(arguments))
    }

    /// The definition, for manual and completions.
    pub fn definition() -> clap::Command {
        Self::command().name("queue")
    }
}
