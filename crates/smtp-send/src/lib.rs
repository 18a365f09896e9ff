//! smtp-send: sends one message by SMTP and says for each recipient what became of it.
//!
//! `cli` holds what was typed, `config` what it means; `message` is what is sent, `session` decides what is said,
//! `transport` carries it, `deliver` is the loop between the two, `report` tells the result. `proto` and `session` touch
//! nothing outside themselves.

pub mod account;
pub mod cli;
pub mod compose;
pub mod config;
pub mod deliver;
pub mod dispatch;
pub mod host;
pub mod message;
pub mod meter;
pub mod proto;
pub mod report;
pub mod resolve;
pub mod secret;
pub mod sendmail;
pub mod server;
pub mod session;
pub mod tls;
pub mod transport;

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::{Context, Result};
use common::logger::{self, Color};
use common::{Failure, Kind};

use account::Account;
use cli::{Cli, Typed};
use config::{Config, ReportStyle};
use dispatch::{Job, Manner};
use report::Report;

/// The exit code for each kind of failure (sysexits.h).
pub fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => 64,
        Kind::BadData => 65,
        Kind::NoInput => 66,
        Kind::UnknownUser => 67,
        Kind::UnknownHost => 68,
        Kind::Refused => 69,
        Kind::System => 71,
        Kind::Temporary => 75,
        Kind::Protocol => 76,
        Kind::Denied => 77,
        Kind::Config => 78,
        Kind::OutputClosed => common::exit::SUCCESS,
    }
}

/// The whole program, from its arguments to its exit code.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> Result<u8> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(arguments) = sendmail::is_meant(&arguments) {
        let text = sendmail::run(arguments)?;
        io::stdout().write_all(text.as_bytes()).map_err(Failure::output)?;
        return Ok(common::exit::SUCCESS);
    }
    let (cli, account) = with_account(Typed::read(arguments)?)?;
    run(cli).map_err(|error| placed(error, account.as_ref()))
}

fn run(cli: Cli) -> Result<u8> {
    logger::init("smtp-send", logger::level(u8::from(cli.seeing.verbose), cli.seeing.quiet), Color::Auto);
    let mut config = Config::new(cli)?;
    let mut jobs = compose::jobs(&mut config.mail)?;
    if config.dry_run {
        jobs.iter_mut().try_for_each(print)?;
        return Ok(common::exit::SUCCESS);
    }
    let route = config.route.as_ref().context("no server")?;
    let bar = config.report == ReportStyle::Lines && !config.verbose;
    let manner = Manner { stop_after: config.stop_after, bar };
    let failure = dispatch::send(route, manner, jobs, &mut |sent| show(&sent.report, config.report));
    failure.map_or(Ok(common::exit::SUCCESS), |failure| Err(failure.into()))
}

/// What was typed, together with what its account says; and that account, which can name the line behind a mistake.
pub fn with_account(typed: Typed) -> Result<(Cli, Option<Account>)> {
    let Some(mut account) = Account::of(&typed)? else { return Ok((typed.behind(Vec::new())?, None)) };
    let arguments = account.arguments_for(&typed);
    Ok((typed.behind(arguments)?, Some(account)))
}

/// An error about an option that stands in an account names the line there.
fn placed(error: anyhow::Error, account: Option<&Account>) -> anyhow::Error {
    match account.and_then(|account| account.place_of(error.downcast_ref::<Failure>()?)) {
        Some(place) => error.context(place),
        None => error,
    }
}

/// Prints the message with the line ends of this system.
fn print(job: &mut Job) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    job.message
        .stream(true, |piece| {
            let lines = piece.bytes().split(|byte| *byte == b'\r').collect::<Vec<_>>().concat();
            out.write_all(&lines)
        })
        .and_then(|()| out.flush())
        .map_err(Failure::output)?;
    Ok(())
}

/// Prints the report. What was delivered stays delivered, so a report that cannot be written is only warned about.
fn show(report: &Report, style: ReportStyle) {
    let mut out = io::stdout().lock();
    let written = match style {
        ReportStyle::Lines => report.write_lines(&mut out),
        ReportStyle::Json => report.write_json(&mut out),
        ReportStyle::Quiet => Ok(()),
    };
    let written = written.and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        log::warn!("{}", Failure::output(error));
    }
}
