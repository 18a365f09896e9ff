//! Many targets in one run, as fping has them: lists, files, CIDR blocks and ranges; sweeps and watches.
//!
//! `target`, `hosts`, `outcome`, `slots`, `heard` and `ledger` decide without I/O; `link`, `sender` and `sweep` do the
//! sending and reading in two threads, `report`, `table` and `prometheus` the writing. Privileges end in `run` between
//! opening the sockets and looking up the first name.

mod answered;
mod backlog;
pub(crate) mod cli;
pub(crate) mod config;
mod heard;
mod hosts;
mod ledger;
mod link;
mod list;
mod outcome;
mod prometheus;
mod report;
mod sender;
mod slots;
mod sweep;
mod table;
pub mod target;

use std::io::{BufWriter, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use common::logger::{self, Color};
use common::{Failure, Kind};

use crate::config::Family;
use crate::output::Output;
use crate::privilege;
use crate::proto::seal::Seal;
use crate::signals::Signals;
use crate::{ANSWERED, FAILED, UNANSWERED};
use answered::Answered;
use backlog::Backlog;
use config::Settings;
use hosts::Hosts;
use ledger::Ledger;
use link::Link;
use list::List;
use prometheus::TextFile;
use report::Report;
use sender::{Course, Plan, Sender};
use slots::{BLOCK, MOST_IDENTIFIERS, Slots};
use sweep::Sweep;

/// Longest distance of packets, in nanoseconds, at which each send is stamped by the kernel; a stamp costs about a
/// microsecond, which a slower run has to spare.
const STAMPED_GAP: u64 = 50_000;
/// Bytes written at once where many lines come together.
const WRITE_BUFFER: usize = 1 << 16;

/// Pings many targets; the exit code is that of fping: 0 all answered, 1 some did not, 2 a name was not found.
pub(crate) fn run(settings: &Settings) -> Result<u8, Failure> {
    logger::init("ping", logger::level(settings.config.verbose.saturating_sub(1), false), Color::Auto);
    let targets = list::read_words(settings)?;
    let links = open_links(settings, &targets)?;
    let source = settings.list.as_deref().map(list::Source::open).transpose()?;
    let backlog = Backlog::open();
    privilege::drop_all(settings.prometheus.as_deref())?;

    let file = settings.prometheus.as_deref().map(TextFile::new).transpose()?;
    // Whatever this waits for, standard input or a name server, an interrupt ends it.
    let List { hosts, unresolved } = list::complete(settings, targets, source)?;
    if hosts.count() == 0 {
        return if unresolved > 0 {
            Ok(FAILED)
        } else {
            Err(Failure::new(Kind::Usage, "", "targets", "none were named"))
        };
    }
    let signals = Signals::take_over()?;
    let out = BufWriter::with_capacity(WRITE_BUFFER, Output::new(&signals));
    let report = Report::new(settings, &hosts, unresolved, std::io::stdout().is_terminal(), out);
    let answered = Answered::new(hosts.count());
    sweep(settings, &hosts, &answered, links, &signals, Watch { backlog, file }, report)?;
    Ok(match (unresolved, answered.count() == hosts.count()) {
        (1.., _) => FAILED,
        (0, true) => ANSWERED,
        (0, false) => UNANSWERED,
    })
}

/// Files that were opened or checked for the time of the run.
struct Watch {
    backlog: Option<Backlog>,
    file: Option<TextFile>,
}

/// Starts the sender beside the receiver and ends it with it.
fn sweep<W: Write>(
    settings: &Settings,
    hosts: &Hosts,
    answered: &Answered,
    mut links: Vec<Link>,
    signals: &Signals,
    watch: Watch,
    mut report: Report<'_, W>,
) -> Result<(), Failure> {
    let config = &settings.config;
    let gap = settings.gap(hosts);
    let slots = slots(settings, hosts, &mut links, gap)?;
    let seal = Seal::new(random()?);
    let (course, start) = (Course::new()?, Instant::now());
    let (asked, again) = mpsc::channel();
    let (refused, refusals) = mpsc::channel();
    let mut ledger = Ledger::new(hosts, &slots, answered, seal, &config.payload, nanoseconds(config.plan.timeout));
    let plan = Plan {
        rounds: settings.count,
        interval: nanoseconds(config.plan.pace.interval()),
        gap,
        stops_at_answer: settings.stops_at_answer(),
    };
    let sender = Sender {
        hosts,
        slots: &slots,
        answered,
        links: &links,
        course: &course,
        plan,
        seal,
        pattern: &config.payload,
        start,
        again,
        refusals: refused,
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("sender".to_owned());
        let sending = builder.spawn_scoped(scope, || sender.run());
        let sending = sending.map_err(|cause| Failure::io("start", "a thread", cause))?;
        let sweep = Sweep {
            links: &links,
            signals,
            course: &course,
            answered,
            settings,
            identifier: slots.wire(0).0,
            start,
            again: asked,
            refusals,
            file: watch.file.as_ref(),
            backlog: watch.backlog,
            sender: sending.thread(),
            is_fast: gap == 0,
        };
        let result = sweep.run(&mut ledger, &mut report);
        // Also when the loop failed: the scope waits for the thread.
        course.stop.store(true, Ordering::Relaxed);
        sending.thread().unpark();
        result
    })
}

/// A socket for each family that may be needed: names and files may bring either.
fn open_links(settings: &Settings, targets: &list::Words) -> Result<Vec<Link>, Failure> {
    let mut links = Vec::new();
    let mut failure = None;
    for family in [Family::V4, Family::V6] {
        let is_asked = settings.config.family.is_none_or(|asked| asked == family);
        if !is_asked || !targets.may_have(family) {
            continue;
        }
        match Link::open(&settings.config, family) {
            Ok(link) => links.push(link),
            // A host without IPv6 pings IPv4 all the same.
            Err(cause) => failure = Some(cause),
        }
    }
    match failure {
        Some(failure) if links.is_empty() || failure.kind() == Kind::Denied => Err(failure),
        _ => Ok(links),
    }
}

/// The ring of slots, as large as the run may need; filters and stamps are set on the way.
fn slots(settings: &Settings, hosts: &Hosts, links: &mut [Link], gap: u64) -> Result<Slots, Failure> {
    let datagram = links.iter().find_map(|link| link.identifier);
    let wanted = u64::from(hosts.count()).div_ceil(BLOCK).next_power_of_two();
    let identifiers =
        if datagram.is_some() || settings.config.identifier.is_some() { 1 } else { wanted.min(MOST_IDENTIFIERS) };
    let first = match (datagram, settings.config.identifier) {
        (Some(identifier), _) | (None, Some(identifier)) => identifier,
        // So that the identifiers behind the first one do not wrap.
        (None, None) => u16::from_be_bytes(random()?) & !3,
    };
    for link in links.iter_mut() {
        link.expect(first, identifiers)?;
        if gap >= STAMPED_GAP {
            link.stamp_sends()?;
        }
    }
    log::info!("identifiers from {first} on: {identifiers}, {gap} ns from packet to packet");
    Ok(Slots::new(first, identifiers))
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Failure> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|cause| Failure::new(Kind::System, "draw", "random numbers", cause))?;
    Ok(bytes)
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
