//! smtp-send: sends messages by SMTP or LMTP and reports the result for each recipient.
//!
//! - [`cli`], [`config`], [`account`], [`secret`]: the command line, configuration files and passwords
//! - [`source`], [`message`]: the messages of a run, composed, existing or merged, and their encoding
//! - [`session`], [`proto`]: the SMTP client as a state machine, and formats of RFCs; both do no I/O
//! - [`delivery`], [`mx`]: connections, retries and parallel workers; mail exchangers of a domain
//! - [`net`], [`dns`]: addresses, transport, TLS, proxies; the stub resolver
//! - [`report`], [`journal`], [`progress_bar`]: results of a run, and the record to resume it
//! - [`sendmail`]: the command line of sendmail(8) with dead letters and a retry queue
//! - [`host`], [`run_id`], [`errors`], [`exit_code`]: names, identifiers, errors and exit codes

pub mod account;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod dns;
pub mod errors;
pub mod exit_code;
pub mod host;
pub mod journal;
pub mod message;
pub mod mx;
pub mod net;
pub mod progress_bar;
pub mod proto;
pub mod report;
pub mod run_id;
pub mod secret;
pub mod sendmail;
pub mod session;
pub mod source;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use common::logger::{self, Color};
use common::{Error, Kind};

use account::Account;
use cli::{AccountAction, AccountCli, AccountNew, Cli, CommandLine, QueueAction, QueueCli, QueueRun};
use config::{Config, ReportStyle};
use delivery::RunOptions;
use journal::{Journal, resume};
use message::Message;
use proto::command::BodyForm;
use report::output::Output;
use sendmail::queue::QueueOptions;

/// The whole program, from its arguments to its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    common::exit::run("smtp-send", exit_code::of, || run_command(arguments.into_iter().collect()))
}

/// Runs the command that the arguments name: `sendmail`, `queue`, `account`, or the sending of messages.
fn run_command(arguments: Vec<OsString>) -> Result<u8> {
    if let Some(arguments) = sendmail::is_sendmail_invocation(&arguments) {
        let text = sendmail::run(arguments)?;
        io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
        return Ok(common::exit::SUCCESS);
    }
    if let Some((first, rest)) = arguments.get(1..).and_then(<[_]>::split_first)
        && first == "queue"
    {
        return queue(&QueueCli::read(rest)?);
    }
    if let Some((first, rest)) = arguments.get(1..).and_then(<[_]>::split_first)
        && first == "account"
    {
        let AccountAction::New(wanted) = AccountCli::read(rest)?.action;
        return new_account(&wanted);
    }
    let (cli, account) = with_account(CommandLine::read(arguments)?)?;
    send(cli).map_err(|error| with_config_location(error, account.as_ref()))
}

fn new_account(wanted: &AccountNew) -> Result<u8> {
    let text = account::setup::new(wanted, |mut options| {
        options.insert(0, "smtp-send".to_owned());
        let in_words = |error: anyhow::Error| {
            error.downcast().unwrap_or_else(|error| Error::new(Kind::System, "try", "the server", error.to_string()))
        };
        let cli = Cli::read(options.into_iter().map(OsString::from)).map_err(|error| in_words(error.into()))?;
        send(cli).map(drop).map_err(in_words)
    })?;
    io::stdout().write_all(text.as_bytes()).map_err(Error::output)?;
    Ok(common::exit::SUCCESS)
}

fn queue(cli: &QueueCli) -> Result<u8> {
    let (verbose, quiet) = match &cli.action {
        QueueAction::Run(how) => (how.verbose, how.quiet),
        QueueAction::List | QueueAction::Drop(_) => (false, false),
    };
    logger::init("smtp-send", logger::level(u8::from(verbose), quiet), Color::Auto);
    match &cli.action {
        QueueAction::List => sendmail::queue::list(),
        QueueAction::Run(how) => {
            let QueueRun { all, give_up_after, quiet, .. } = *how;
            sendmail::queue::run(QueueOptions { all, give_up_after, quiet })
        }
        QueueAction::Drop(what) => sendmail::queue::remove((!what.all).then_some(&what.ids)),
    }?;
    Ok(common::exit::SUCCESS)
}

fn send(cli: Cli) -> Result<u8> {
    logger::init("smtp-send", logger::level(u8::from(cli.output.verbose), cli.output.quiet), Color::Auto);
    let Config { route, mail, signer, dry_run, bulk, stop_after, report, verbose } = Config::new(cli)?;
    let mut source = source::compose::open(mail, signer, bulk.keep_going)?;
    if dry_run {
        (0..source.preview_count()).try_for_each(|number| print(&mut source.open(number)?.message))?;
        if verbose {
            mx::explain(&route, &*source)?;
        }
        return Ok(common::exit::SUCCESS);
    }
    let journal = bulk.journal.as_deref().map(|path| resume::open(path, &bulk, &*source, &route)).transpose()?;
    if let Some(journal) = &journal {
        source.set_run_id(journal.run());
    }
    let is_resumed = journal.as_ref().is_some_and(|journal| journal.done() > 0);
    let has_progress = report == ReportStyle::Lines && !verbose;
    let left = source.len() - journal.as_ref().map_or(0, Journal::done);
    let mut output = Output::new(report, bulk.csv.as_ref(), has_progress.then_some(left), is_resumed)?;
    let options = RunOptions {
        stop_after,
        progress_bar: has_progress,
        connections: bulk.connections,
        interval: bulk.interval,
        journal: journal.as_ref(),
        ..RunOptions::default()
    };
    let failure = mx::send(&route, options, &*source, &mut |result| output.show(&result.report));
    drop(output);
    let failure = failure.or_else(|| resume::remainder(journal.as_ref(), source.skipped()));
    failure.map_or(Ok(common::exit::SUCCESS), |failure| Err(failure.into()))
}

/// The command line with the defaults of its account, and the account.
pub fn with_account(typed: CommandLine) -> Result<(Cli, Option<Account>)> {
    let Some(mut account) = Account::of(&typed)? else { return Ok((typed.with_defaults(Vec::new())?, None)) };
    let arguments = account.arguments_for(&typed);
    Ok((typed.with_defaults(arguments)?, Some(account)))
}

/// Adds the file and line of the setting that an error is about.
fn with_config_location(error: anyhow::Error, account: Option<&Account>) -> anyhow::Error {
    match account.and_then(|account| account.place_of(error.downcast_ref::<Error>()?)) {
        Some(place) => error.context(place),
        None => error,
    }
}

/// Prints the message with LF line ends.
fn print(message: &mut Message) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    message
        .stream(BodyForm::EightBit, |piece| {
            let lines = piece.bytes().split(|byte| *byte == b'\r').collect::<Vec<_>>().concat();
            out.write_all(&lines)
        })
        .and_then(|()| out.flush())
        .map_err(Error::output)?;
    Ok(())
}
