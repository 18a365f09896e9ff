//! smtp-send: sends one message by SMTP and says for each recipient what became of it.
//!
//! `cli` holds what was typed, `config` what it means; `message` is what is sent, `session` decides what is said,
//! `transport` carries it, `deliver` is the loop between the two, `report` tells the result. `proto` and `session` touch
//! nothing outside themselves.

pub mod cli;
pub mod compose;
pub mod config;
pub mod deliver;
pub mod host;
pub mod message;
pub mod proto;
pub mod report;
pub mod server;
pub mod session;
pub mod tls;
pub mod transport;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, Result};
use common::logger::{self, Color};
use common::{Failure, Kind};

use cli::{Cli, Tls};
use compose::Letter;
use config::{Config, ReportStyle, Route};
use deliver::{Policy, Progress};
use proto::command::HeloName;
use report::Report;
use session::{Envelope, Session, Settings, StartTls};
use transport::{Limits, Transport};

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
    let cli = Cli::read(arguments)?;
    logger::init("smtp-send", logger::level(u8::from(cli.seeing.verbose), cli.seeing.quiet), Color::Auto);
    let mut config = Config::new(cli)?;
    let mut letters = compose::letters(&mut config.mail)?;
    if config.dry_run {
        letters.iter_mut().try_for_each(print)?;
        return Ok(common::exit::SUCCESS);
    }
    let route = config.route.as_ref().context("no server")?;
    let limits = Limits { timeout: route.timeout, end: route.max_time.map(|time| Instant::now() + time) };
    let mut failures = Vec::new();
    for letter in &mut letters {
        failures.extend(send(&config, route, letter, limits)?);
    }
    failures.into_iter().next().map_or(Ok(common::exit::SUCCESS), |failure| Err(failure.into()))
}

/// Prints the message with the line ends of this system.
fn print(letter: &mut Letter) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    letter
        .message
        .stream(true, |piece| {
            let lines = piece.bytes().split(|byte| *byte == b'\r').collect::<Vec<_>>().concat();
            out.write_all(&lines)
        })
        .and_then(|()| out.flush())
        .map_err(Failure::output)?;
    Ok(())
}

/// Sends the message and reports; gives the error of the run, which is printed last.
fn send(config: &Config, route: &Route, letter: &mut Letter, limits: Limits) -> Result<Option<Failure>> {
    let server = &route.server;
    let envelope = envelope(letter)?;
    let message = &mut letter.message;
    let connected = Transport::connect(server, route.family, limits).and_then(|wire| match route.tls {
        Tls::Implicit => wire.start_tls(&route.trust),
        _ => Ok(wire),
    });
    let mut wire = match connected {
        Ok(wire) => wire,
        Err(failure) => {
            let report = Report::unsent(&server.to_string(), message.message_id(), &letter.recipients, &failure);
            show(&report, config.report);
            return Ok(Some(failure));
        }
    };
    let settings = settings(config, route, &mut wire);
    let policy = Policy { trust: &route.trust, warn_in_clear: route.tls == Tls::Auto };
    let mut session = Session::new(settings, envelope, route.tls == Tls::Implicit);
    let mut done = Progress::default();
    let broken = deliver::run(&mut session, wire, message, &policy, &mut done).err();
    let (report, failure) =
        Report::new(&server.to_string(), message.message_id(), &session, config.stop_after, &done, broken);
    show(&report, config.report);
    Ok(failure)
}

fn envelope(letter: &mut Letter) -> Result<Envelope, Failure> {
    let message = &mut letter.message;
    let unreadable = |error| Failure::io("read", "the text", error);
    Ok(Envelope {
        reverse_path: letter.reverse_path.clone(),
        recipients: letter.recipients.clone(),
        seven_bit_size: message.size(false).map_err(unreadable)?,
        eight_bit_size: if message.has_eight_bit_form() { Some(message.size(true).map_err(unreadable)?) } else { None },
    })
}

fn settings(config: &Config, route: &Route, wire: &mut Transport) -> Settings {
    let local = wire.local_address().unwrap_or(Ipv4Addr::LOCALHOST.into());
    Settings {
        helo: route.helo.clone().unwrap_or_else(|| HeloName::literal(local)),
        starttls: match route.tls {
            Tls::Auto => StartTls::Offered,
            Tls::Starttls => StartTls::Required,
            Tls::Implicit | Tls::Off => StartTls::Never,
        },
        stop_after: config.stop_after,
    }
}

/// Prints the report. What was delivered stays delivered, so a report that cannot be written is only warned about.
fn show(report: &Report, style: ReportStyle) {
    let mut out = io::stdout().lock();
    let written = match style {
        ReportStyle::Lines => report.write_lines(&mut out),
        ReportStyle::Json => report.write_json(&mut out),
        ReportStyle::Quiet => Ok(()),
    };
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        log::warn!("{}", Failure::output(error));
    }
}
