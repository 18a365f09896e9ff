//! Converts the command line into the settings of a run, with every check. Nothing is sent before all of them are
//! valid.

mod bulk;
mod dkim;
mod envelope;
mod login;
mod mail_exchangers;
mod message;
mod proxy;
mod server;

use anyhow::{Result, ensure};
use common::{Error, Kind};

use crate::cli::{Cli, OutputArgs, Tls};
use crate::message::dkim_signer::Signer;
use crate::session::StopAfter;

pub use crate::cli::{AccountNew, CommandLine, OptionKind, option_kind, value_error};
pub use bulk::Bulk;
pub use dkim::signer;
pub use login::Credentials;
pub use mail_exchangers::MxSettings;
pub use message::{Composed, ExistingMail, FileSource, Mail, MergeMail, ReversePath, TextSource};
pub use server::{Destination, Route};

/// The settings of a run.
#[derive(Debug)]
pub struct Config {
    /// Where and how messages are sent.
    pub route: Route,
    /// The messages and their envelopes.
    pub mail: Mail,
    /// Whether messages are only printed.
    pub dry_run: bool,
    /// The options for many messages.
    pub bulk: Bulk,
    /// Signs the messages, if a key was given.
    pub signer: Option<Signer>,
    /// The last step of a probe.
    pub stop_after: Option<StopAfter>,
    /// The form of the report.
    pub report: ReportStyle,
    /// Whether the dialogue is logged.
    pub verbose: bool,
}

/// The form of the report on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStyle {
    /// A line for each recipient.
    Lines,
    /// JSON objects.
    Json,
    /// None.
    Quiet,
}

impl Config {
    /// Checks the options. Files with addresses are read here, the text is not.
    pub fn new(cli: Cli) -> Result<Self> {
        let stop_after = cli.output.stop_after;
        ensure!(
            stop_after != Some(StopAfter::Tls) || cli.tls.tls != Some(Tls::Off),
            usage("--stop-after tls", "cannot be combined with --tls off")
        );
        let before_login = matches!(stop_after, Some(StopAfter::Connect | StopAfter::Ehlo | StopAfter::Tls));
        ensure!(
            stop_after != Some(StopAfter::Auth) || cli.login.user.is_some() || cli.login.auth.is_some(),
            usage("--stop-after auth", "requires --user NAME")
        );
        let route = Route::new(&cli, !before_login && !cli.output.dry_run)?;
        let bulk = Bulk::new(&cli)?;
        Ok(Self {
            route,
            bulk,
            mail: Mail::new(&cli.envelope, cli.message, &cli.bulk, stop_after)?,
            signer: signer(&cli.dkim)?,
            dry_run: cli.output.dry_run,
            stop_after,
            report: report_style(&cli.output),
            verbose: cli.output.verbose,
        })
    }
}

#[cfg(test)]
pub(crate) fn route_of(arguments: &[&str]) -> Route {
    let arguments = ["smtp-send", "--dns-server", "127.0.0.1"].iter().chain(arguments);
    Route::new(&Cli::read(arguments.map(std::ffi::OsString::from)).unwrap(), false).unwrap()
}

fn usage(what: &'static str, why: &'static str) -> anyhow::Error {
    Error::usage(what, why).into()
}

fn bad(option: &'static str, typed: &str, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    Error::new(Kind::BadData, option, typed, error).into()
}

fn report_style(output: &OutputArgs) -> ReportStyle {
    match (output.json, output.quiet) {
        (true, _) => ReportStyle::Json,
        (false, true) => ReportStyle::Quiet,
        (false, false) => ReportStyle::Lines,
    }
}
