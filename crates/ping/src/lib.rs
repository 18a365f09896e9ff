//! ping: sends ICMP echo requests and tells what became of each, in the words of iputils.
//!
//! The parts: `cli` is what may be typed, `config` what it means; `proto`, `pinger` and `stats` decide without I/O;
//! `socket`, `probe_loop` and `report` do what was decided. Privileges end in [`run_from`], between opening the socket
//! and reading the first packet.

pub mod cli;
mod clock;
pub mod config;
mod json;
pub mod many;
mod output;
pub mod pinger;
mod privilege;
mod probe_loop;
pub mod proto;
mod report;
mod resolve;
mod signals;
mod socket;
pub mod stats;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use clap::Parser;
use common::logger;
use common::{Failure, Kind};

use crate::config::{Config, Family};
use crate::output::Output;
use crate::pinger::Pace;
use crate::probe_loop::Loop;
use crate::report::Scene;
use crate::resolve::{Names, Target, Watch};
use crate::signals::Signals;
use crate::socket::Socket;

/// Some reply came (with `-w`: as many as asked for).
pub const ANSWERED: u8 = 0;
/// No reply came, or too few.
pub const UNANSWERED: u8 = 1;
/// Anything else went wrong.
pub const FAILED: u8 = 2;

/// The exit code for an error of `kind`: always 2, as 1 is kept for a host that does not answer.
pub fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::OutputClosed => ANSWERED,
        _ => FAILED,
    }
}

/// Runs ping with these arguments, the first being the name it was called by (`ping4` and `ping6` choose a family).
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<u8> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let called = arguments.first().and_then(|name| Path::new(name).file_name()?.to_str());
    let called_as = Family::of_program(called.unwrap_or_default());
    let cli = cli::Cli::try_parse_from(&arguments)?;
    if many::config::is_wanted(&cli) {
        return Ok(many::run(&many::config::Settings::new(cli, called_as)?)?);
    }
    let mut config = Config::new(cli, called_as)?;
    // The first -v belongs to the lines of the replies.
    logger::init("ping", logger::level(config.verbose.saturating_sub(1), false), config.color);

    let candidates = resolve::addresses(&config.destination, config.family)?;
    let (mut socket, target) = open_first(&config, candidates)?;
    if config.plan.pace == Pace::Flood {
        // What is sent together comes back together.
        config.plan.preload = config.plan.preload.min(socket.room(&config));
    }
    config.allow_group(socket.is_broadcast, target.address.ip())?;
    let signals = Signals::take_over()?;
    privilege::drop_all(None)?;

    let mut names = Names::new(!shows_names(&config, &target));
    names.prepare(socket.expected.target);
    let watch = config.resolve_every.filter(|_| !target.is_literal);
    let watch = watch.map(|period| Watch::new(&config, socket.expected.target, period));
    if socket.is_broadcast {
        eprintln!("WARNING: pinging broadcast address");
    }
    let report = report::new(Scene::new(&config, &target, &socket, names), Output::new(&signals));
    let pinger = Loop::new(&config, &mut socket, &signals, watch, report)?.run()?;
    Ok(if pinger.is_success() { ANSWERED } else { UNANSWERED })
}

/// Names are for people: on a terminal, for a target that was named, unless numbers were asked for; or on demand.
fn shows_names(config: &Config, target: &Target) -> bool {
    !config.numeric && (config.always_names || (!target.is_literal && std::io::stdout().is_terminal()))
}

/// Opens a socket towards the first address that there is a route to; the last failure is the one that is told.
fn open_first(config: &Config, candidates: Vec<Target>) -> Result<(Socket, Target), Failure> {
    let mut failure = None;
    for target in candidates {
        match Socket::open(config, target.address) {
            Ok(socket) => return Ok((socket, target)),
            Err(error) if error.is_unroutable => failure = Some(error.failure),
            Err(error) => return Err(error.failure),
        }
    }
    Err(failure.unwrap_or_else(|| {
        Failure::new(Kind::UnknownHost, "", &config.destination, "No address associated with hostname")
    }))
}
