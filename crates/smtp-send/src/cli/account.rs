//! The command line of `smtp-send account`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

/// Look after the accounts of config.toml.
#[derive(Debug, Clone, Parser)]
#[command(name = "smtp-send account", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct AccountCli {
    /// What to do.
    #[command(subcommand)]
    pub action: AccountAction,
}

/// What can be done with accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum AccountAction {
    /// Write a new account for an address; its domain says by SRV records which server takes its mail
    New(AccountNew),
}

/// What a new account is like. On a terminal what is missing is asked for.
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
    /// Server, in place of the one that the domain names
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// Name to log in with [default: the address]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Command that prints the password; it is written into the account, and run whenever the account is used
    #[arg(long, value_name = "COMMAND", conflicts_with = "save_password")]
    pub password_command: Option<String>,
    /// Ask for the password and keep it in a file beside config.toml that only you can read
    #[arg(long)]
    pub save_password: bool,
    /// File with the certificates to trust, instead of those of this system
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Name server to ask, instead of those of this system
    #[arg(long, value_name = "IP[:PORT]")]
    pub dns_server: Option<String>,
    /// Write the account without connecting to the server
    #[arg(long)]
    pub unchecked: bool,
    /// Show the dialogue with times on standard error
    #[arg(short, long)]
    pub verbose: bool,
}

impl AccountCli {
    /// Reads the arguments behind the word `account`.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let name = OsString::from("smtp-send account");
        Self::try_parse_from(std::iter::once(&name).chain(arguments))
    }

    /// The definition, for manual and completions.
    pub fn definition() -> clap::Command {
        Self::command().name("account")
    }
}
