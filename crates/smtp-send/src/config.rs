//! What was typed, turned into what it means, with every check. Nothing is sent before all of it is known to be good.
//!
//! `server` holds the way to the other side, `envelope` and `message` what goes there.

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

use crate::cli::{Cli, SeeingArgs, Tls};
use crate::message::dkim_signer::Signer;
use crate::session::StopAfter;

pub use bulk::Bulk;
pub use dkim::signer;
pub use login::Credentials;
pub use mail_exchangers::MxSettings;
pub use message::{Composed, ExistingMail, FileSource, Mail, MergeMail, ReversePath, TextSource};
pub use server::{Destination, Route};

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Config {
    /// The way to the server.
    pub route: Route,
    /// What is sent to whom.
    pub mail: Mail,
    /// Whether the message is only printed.
    pub dry_run: bool,
    /// How many messages are sent.
    pub bulk: Bulk,
    /// Who signs the messages, if anybody.
    pub signer: Option<Signer>,
    /// The step to end a probe at.
    pub stop_after: Option<StopAfter>,
    /// How the result is shown.
    pub report: ReportStyle,
    /// Whether the dialogue is shown.
    pub verbose: bool,
}

/// How the result is shown on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStyle {
    /// A line for each recipient.
    Lines,
    /// One JSON object.
    Json,
    /// Not at all.
    Quiet,
}

impl Config {
    /// Checks what was typed. Files with addresses are read here; the text is not.
    pub fn new(cli: Cli) -> Result<Self> {
        let stop_after = cli.seeing.stop_after;
        ensure!(
            stop_after != Some(StopAfter::Tls) || cli.tls.tls != Some(Tls::Off),
            usage("--stop-after tls", "no use with --tls off")
        );
        let before_login = matches!(stop_after, Some(StopAfter::Connect | StopAfter::Ehlo | StopAfter::Tls));
        ensure!(
            stop_after != Some(StopAfter::Auth) || cli.login.user.is_some() || cli.login.auth.is_some(),
            usage("--stop-after auth", "no use without --user NAME")
        );
        let route = Route::new(&cli, !before_login && !cli.seeing.dry_run)?;
        let bulk = Bulk::new(&cli)?;
        Ok(Self {
            route,
            bulk,
            mail: Mail::new(&cli.envelope, cli.message, &cli.bulk, stop_after)?,
            signer: signer(&cli.dkim)?,
            dry_run: cli.seeing.dry_run,
            stop_after,
            report: report_style(&cli.seeing),
            verbose: cli.seeing.verbose,
        })
    }
}

/// The route of these arguments.
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

fn report_style(seeing: &SeeingArgs) -> ReportStyle {
    match (seeing.json, seeing.quiet) {
        (true, _) => ReportStyle::Json,
        (false, true) => ReportStyle::Quiet,
        (false, false) => ReportStyle::Lines,
    }
}
