//! The command line of `smtp-send queue`.

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand};

/// Look after the queue of sendmail mode.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "smtp-send queue",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub struct QueueCli {
    /// What to do.
    #[command(subcommand)]
    pub action: QueueAction,
}

/// What can be done with a queue.
#[derive(Debug, Clone, Subcommand)]
pub enum QueueAction {
    /// Show the messages that wait
    List,
    /// Try the messages whose time has come; a timer does this
    Run(QueueRun),
    /// Remove messages unsent
    Drop(QueueDrop),
}

/// How a queue is run.
#[derive(Debug, Clone, Args)]
pub struct QueueRun {
    /// Try all of them, whatever their time
    #[arg(long)]
    pub all: bool,
    /// Turn what could not be sent for so many days into a dead letter
    #[arg(long, value_name = "DAYS", default_value_t = 5.0)]
    pub give_up_after: f64,
    /// Show the dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// What is removed from a queue.
#[derive(Debug, Clone, Args)]
pub struct QueueDrop {
    /// The messages, by the names that list shows
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

impl QueueCli {
    /// Reads the arguments behind the word `queue`.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let name = OsString::from("smtp-send queue");
        Self::try_parse_from(std::iter::once(&name).chain(arguments))
    }

    /// The definition, for manual and completions.
    pub fn definition() -> clap::Command {
        Self::command().name("queue")
    }
}
