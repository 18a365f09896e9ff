//! The command line of `smtp-send account`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

/// Manage the accounts of config.toml
#[derive(Debug, Clone, Parser)]
#[command(
    name = "smtp-send account",
    version = super::version(),
    max_term_width = 100,
    styles = common::help::STYLES,
    disable_help_subcommand = true
)]
pub struct AccountCli {
    /// The action.
    #[command(subcommand)]
    pub action: AccountAction,
}

/// Actions on accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum AccountAction {
    /// Write a new account for an address; SRV records of its domain name the submission server
    New(AccountNew),
}

/// Options of `account new`; on a terminal it prompts for missing values.
#[derive(Debug, Clone, Default, Args)]
pub struct AccountNew {
    /// Your address
    pub address: Option<String>,
    /// Name of the account [default: default, else the domain of the address]
    #[arg(long)]
    pub name: Option<String>,
    /// Your own name, for From
    #[arg(long, value_name = "TEXT")]
    pub full_name: Option<String>,
    /// Submission server [default: the one in the SRV records]
    #[arg(long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub server: Option<String>,
    /// User name [default: the address]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Command that prints the password, written into the account and run at each use
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, conflicts_with = "save_password")]
    pub password_command: Option<String>,
    /// Ask for the password and save it in a file beside config.toml, readable only by its owner
    #[arg(long)]
    pub save_password: bool,
    /// File with the trusted certificates, in place of those of this system
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tls_ca: Option<PathBuf>,
    /// Name server, in place of those of this system
    #[arg(long, value_name = "IP[:PORT]", value_hint = ValueHint::Hostname)]
    pub dns_server: Option<String>,
    /// Write the account without connecting to the server
    #[arg(long)]
    pub unchecked: bool,
    /// Show the SMTP dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
}

impl AccountCli {
    /// Parses the arguments after `account`.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let name = OsString::from("smtp-send account");
        Self::try_parse_from(std::iter::once(&name).chain(arguments))
    }

    /// The definition, for manual and completions.
    pub fn definition() -> clap::Command {
        Self::command().name("account")
    }
}
