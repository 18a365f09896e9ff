//! Many targets in one run, as fping has them: lists, files, CIDR blocks and ranges.
//!
//! [`target_spec`], `target_set`, `target_stats`, `probe_ring`, `alive_set` and `tracker` decide without I/O. `sender`
//! and `receiver` run in one thread each; `report` prints. `run` drops all privileges between opening the sockets and
//! the first look-up of a name.

mod alive_set;
mod probe_ring;
mod receiver;
mod report;
mod sender;
mod softnet_drops;
mod target_list;
pub(crate) mod target_set;
pub mod target_spec;
mod target_stats;
mod tracker;

use std::io::{BufWriter, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use common::logger::{self, Color};
use common::{Error, Kind, random};

use crate::config::multi::MultiConfig;
use crate::exit_code::{ANSWERED, FAILED, UNANSWERED};
use crate::family::Family;
use crate::output::Output;
use crate::privilege;
use crate::proto::payload_mac::PayloadMac;
use crate::signals::Signals;
use crate::socket::batch_socket::BatchSocket;
use alive_set::AliveSet;
use probe_ring::{BLOCK, MAX_IDENTIFIERS, ProbeRing};
use receiver::Receiver;
use report::MultiReport;
use report::prometheus::TextFile;
use sender::{Schedule, Sender, SenderControl};
use softnet_drops::SoftnetDrops;
use target_list::{TargetArgs, TargetFile, Targets};
use target_set::TargetSet;
use tracker::ProbeTracker;

/// Longest gap between packets, in nanoseconds, without kernel send stamps: a stamp costs about a microsecond.
const STAMPED_GAP: u64 = 50_000;
/// Size of the output buffer, for runs that print many lines.
const WRITE_BUFFER: usize = 1 << 16;

/// Pings many targets; returns the exit code of fping: 0 all answered, 1 some did not, 2 a name was not found.
pub(crate) fn run(settings: &MultiConfig) -> Result<u8, Error> {
    logger::init("ping", logger::level(settings.config.verbose.saturating_sub(1), false), Color::Auto);
    let targets = target_list::parse_args(settings)?;
    let sockets = open_sockets(settings, &targets)?;
    let source = settings.list.as_deref().map(TargetFile::open).transpose()?;
    let softnet_drops = SoftnetDrops::open();
    privilege::drop_all(settings.prometheus.as_deref())?;

    let file = settings.prometheus.as_deref().map(TextFile::new).transpose()?;
    // Reads standard input or waits for name servers; SIGINT still ends the process here.
    let Targets { targets, unresolved } = target_list::complete(settings, targets, source)?;
    if targets.count() == 0 {
        return if unresolved > 0 {
            Ok(FAILED)
        } else {
            Err(Error::new(Kind::Usage, "", "targets", "none were named"))
        };
    }
    let signals = Signals::block()?;
    let out = BufWriter::with_capacity(WRITE_BUFFER, Output::new(&signals));
    let report = MultiReport::new(settings, &targets, unresolved, std::io::stdout().is_terminal(), out);
    let alive = AliveSet::new(targets.count());
    send_and_receive(settings, &targets, &alive, sockets, &signals, RunFiles { softnet_drops, file }, report)?;
    Ok(match (unresolved, alive.count() == targets.count()) {
        (1.., _) => FAILED,
        (0, true) => ANSWERED,
        (0, false) => UNANSWERED,
    })
}

/// Files opened before privileges are dropped.
struct RunFiles {
    softnet_drops: Option<SoftnetDrops>,
    file: Option<TextFile>,
}

/// Runs the sender thread beside the receive loop and ends both.
fn send_and_receive<W: Write>(
    settings: &MultiConfig,
    targets: &TargetSet,
    alive: &AliveSet,
    mut sockets: Vec<BatchSocket>,
    signals: &Signals,
    files: RunFiles,
    mut report: MultiReport<'_, W>,
) -> Result<(), Error> {
    let config = &settings.config;
    let gap = settings.gap(targets);
    let ring = ring(settings, targets, &mut sockets, gap)?;
    let mac = PayloadMac::new(random::bytes()?);
    let (control, start) = (SenderControl::new()?, Instant::now());
    let (asked, again) = mpsc::channel();
    let (refused, refusals) = mpsc::channel();
    let timeout = config.plan.timeout.map_or(u64::MAX, nanoseconds);
    let mut tracker = ProbeTracker::new(targets, &ring, alive, mac, &config.payload, timeout);
    let sender = Sender {
        targets,
        ring: &ring,
        alive,
        sockets: &sockets,
        control: &control,
        plan: Schedule::new(settings, gap),
        mac,
        pattern: &config.payload,
        start,
        again,
        refusals: refused,
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("sender".to_owned());
        let sending = builder.spawn_scoped(scope, || sender.run());
        let sending = sending.map_err(|cause| Error::io("start", "a thread", cause))?;
        let receiver = Receiver {
            sockets: &sockets,
            signals,
            control: &control,
            alive,
            settings,
            identifier: ring.wire(0).0,
            start,
            again: asked,
            refusals,
            file: files.file.as_ref(),
            softnet_drops: files.softnet_drops,
            sender: sending.thread(),
            is_fast: gap == 0,
        };
        let result = receiver.run(&mut tracker, &mut report);
        // The scope waits for the thread, also after an error of the loop.
        control.stop.store(true, Ordering::Relaxed);
        sending.thread().unpark();
        result
    })
}

/// Opens a socket for each address family that the targets may need.
fn open_sockets(settings: &MultiConfig, targets: &TargetArgs) -> Result<Vec<BatchSocket>, Error> {
    let mut sockets = Vec::new();
    let mut failure = None;
    for family in [Family::V4, Family::V6] {
        let is_asked = settings.config.family.is_none_or(|asked| asked == family);
        if !is_asked || !targets.may_have(family) {
            continue;
        }
        match BatchSocket::open(&settings.config, family) {
            Ok(socket) => sockets.push(socket),
            // Without IPv6 on this host, IPv4 targets are still pinged.
            Err(cause) => failure = Some(cause),
        }
    }
    match failure {
        Some(failure) if sockets.is_empty() || failure.kind() == Kind::Denied => Err(failure),
        _ => Ok(sockets),
    }
}

/// Makes the probe ring, as large as the run needs, and sets packet filters and send stamps.
fn ring(
    settings: &MultiConfig,
    targets: &TargetSet,
    sockets: &mut [BatchSocket],
    gap: u64,
) -> Result<ProbeRing, Error> {
    let datagram = sockets.iter().find_map(|socket| socket.identifier);
    let wanted = u64::from(targets.count()).div_ceil(BLOCK).next_power_of_two();
    let identifiers =
        if datagram.is_some() || settings.config.identifier.is_some() { 1 } else { wanted.min(MAX_IDENTIFIERS) };
    let first = match (datagram, settings.config.identifier) {
        (Some(identifier), _) | (None, Some(identifier)) => identifier,
        // The identifiers behind the first one must not wrap.
        (None, None) => u16::from_be_bytes(random::bytes()?) & !3,
    };
    for socket in sockets.iter_mut() {
        socket.expect(first, identifiers);
        if gap >= STAMPED_GAP {
            socket.stamp_sends();
        }
    }
    log::info!("identifiers from {first} on: {identifiers}, {gap} ns from packet to packet");
    Ok(ProbeRing::new(first, identifiers))
}

fn nanoseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
