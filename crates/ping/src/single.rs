//! One target: the interface of iputils.
//!
//! [`scheduler`] (with [`plan`] and [`sequence_stats`]) decides without I/O; `event_loop` sends and receives; `report`
//! prints. `run` drops all privileges between opening the socket and reading the first packet.

mod event_loop;
pub mod plan;
mod report;
pub mod scheduler;
mod sent_probe;
pub mod sequence_stats;

use std::io::IsTerminal;

use common::{Error, logger};

use crate::config::Config;
use crate::exit_code::{ANSWERED, UNANSWERED};
use crate::family::Family;
use crate::output::Output;
use crate::privilege;
use crate::resolve::{self, Names, Reresolver, Target};
use crate::signals::Signals;
use crate::socket::{PreparedSocket, Socket};
use event_loop::EventLoop;
use plan::Pace;
use report::ReportContext;

/// Pings one target; returns the exit code.
pub(crate) fn run(mut config: Config) -> Result<u8, Error> {
    // The first -v adds details to the lines of replies; the second one starts the log.
    logger::init("ping", logger::level(config.verbose.saturating_sub(1), false), config.color);

    let mut sockets = Sockets::open(&config)?;
    privilege::drop_all(None)?;

    let candidates = resolve::addresses(&config.destination, config.family)?;
    let (mut socket, target) = sockets.towards_first(&config, candidates)?;
    if config.plan.pace == Pace::Flood {
        // Replies to a batch arrive together and need room in the receive buffer.
        config.plan.preload = config.plan.preload.min(socket.room(&config));
    }
    config.check_size(Family::of(target.address.ip()))?;
    config.allow_group(socket.is_broadcast, target.address.ip())?;
    // Until here a signal ends the process, also one that waits for a name server.
    let signals = Signals::block()?;

    let mut names = Names::new(!shows_names(&config, &target));
    if target.is_literal {
        names.prepare(socket.expected.target);
    }
    let reresolver = config.resolve_every.filter(|_| !target.is_literal);
    let reresolver = reresolver.map(|period| Reresolver::new(&config, socket.expected.target, period));
    if socket.is_broadcast {
        eprintln!("WARNING: pinging broadcast address");
    }
    let report = report::new(ReportContext::new(&config, &target, &socket, names), Output::new(&signals));
    let scheduler = EventLoop::new(&config, &mut socket, &signals, reresolver, report)?.run()?;
    Ok(if scheduler.is_success() { ANSWERED } else { UNANSWERED })
}

/// Whether reverse names are printed: with -H, or on a terminal for a target given by name; never with -n.
fn shows_names(config: &Config, target: &Target) -> bool {
    !config.numeric && (config.always_names || (!target.is_literal && std::io::stdout().is_terminal()))
}

/// The sockets that were opened before the target is known.
struct Sockets {
    v4: Option<PreparedSocket>,
    v6: Option<PreparedSocket>,
}

impl Sockets {
    /// Opens a socket for each address family that the destination may have.
    fn open(config: &Config) -> Result<Self, Error> {
        let literal = resolve::literal(&config.destination).map(|address| Family::of(address.ip()));
        let may_be = |family| {
            config.family.is_none_or(|wanted| wanted == family) && literal.is_none_or(|literal| literal == family)
        };
        let open = |family| may_be(family).then(|| PreparedSocket::open(config, family)).transpose();
        match (open(Family::V4), open(Family::V6)) {
            (Ok(v4), Ok(v6)) => Ok(Self { v4, v6 }),
            // A host without one family pings targets of the other.
            (Ok(v4 @ Some(_)), Err(_)) => Ok(Self { v4, v6: None }),
            (Err(_), Ok(v6 @ Some(_))) => Ok(Self { v4: None, v6 }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// The socket towards the first address that has a route; without any, the error of the last address.
    fn towards_first(&mut self, config: &Config, candidates: Vec<Target>) -> Result<(Socket, Target), Error> {
        let mut last = None;
        for target in candidates {
            let prepared = if target.address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
            match Socket::new(prepared, config, target.address) {
                Ok(socket) => return Ok((socket, target)),
                Err(error) if error.is_unroutable => last = Some(error.error),
                Err(error) => return Err(error.error),
            }
        }
        Err(last.unwrap_or_else(|| Error::resolve(&config.destination, "No address associated with hostname")))
    }
}
