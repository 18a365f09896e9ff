//! The sender thread: sends round after round to all targets, at a fixed rate, in small batches.
//!
//! The time read before a batch is the send time of all its packets, so batches are small. Sleeps end at absolute
//! times, so that delays do not add up.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender as Channel};
use std::thread;
use std::time::{Duration, Instant};

use common::Error;
use nix::errno::Errno;
use nix::libc;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::alive_set::AliveSet;
use super::probe_ring::{Probe, ProbeRing};
use super::target_set::TargetSet;
use crate::clock;
use crate::config::multi::MultiConfig;
use crate::family::Family;
use crate::proto::payload_mac::PayloadMac;
use crate::proto::reply::Framing;
use crate::proto::{Echo, icmp4, icmp6, payload};
use crate::socket::batch_socket::{BatchSocket, Outgoing};

/// Packets per system call; a larger batch saves little and makes send times less exact.
const BATCH: usize = 8;
/// The last part of a wait, in nanoseconds, sleeps until an absolute time; before it the receiver can wake this
/// thread.
const SLEEP_MARGIN: u64 = 2_000_000;
/// Wait while the probe ring is full, in nanoseconds.
const RING_FULL_WAIT: u64 = 200_000;
/// Sleep while the kernel has no buffer space.
const SHORTAGE: Duration = Duration::from_millis(1);
/// Number of such sleeps after which a probe counts as not sent; together as long as the default timeout.
const MAX_SHORTAGES: u32 = 1_000;
/// Largest gap between packets that local drops lead to, in nanoseconds.
const MAX_GAP: u64 = 1_000_000;
/// Gap after the first drop, in nanoseconds.
const FIRST_GAP: u64 = 5_000;

/// When to send.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Probes to each target; `None` for no end.
    pub(crate) rounds: Option<u64>,
    /// Time between two probes to the same target, in nanoseconds.
    pub(crate) interval: u64,
    /// Time between two packets, in nanoseconds; 0 for no limit.
    pub(crate) gap: u64,
    /// Whether targets that have answered are skipped.
    pub(crate) stops_at_answer: bool,
}

impl Schedule {
    /// The schedule that the options ask for, with `gap` nanoseconds between packets.
    pub(crate) fn new(settings: &MultiConfig, gap: u64) -> Self {
        let interval = settings.config.plan.pace.interval().as_nanos();
        Self {
            rounds: settings.count,
            interval: u64::try_from(interval).unwrap_or(u64::MAX),
            gap,
            stops_at_answer: settings.stops_at_answer(),
        }
    }
}

/// State shared by the sender and receiver threads.
#[derive(Debug)]
pub(crate) struct SenderControl {
    /// Wakes the receiver after the last probe or a refused one.
    pub(crate) wake: EventFd,
    /// Set by the receiver to end the sender.
    pub(crate) stop: AtomicBool,
    /// Every round has been sent.
    pub(crate) sent_all: AtomicBool,
    /// Number of probes that the receiver wants sent again.
    pub(crate) again: AtomicU64,
    /// Whether the sender waits for the next round or the end.
    pub(crate) idle: AtomicBool,
    /// Number of rounds begun.
    pub(crate) rounds: AtomicU64,
    /// Gap caused by local drops, in nanoseconds.
    slow: AtomicU64,
}

impl SenderControl {
    /// The state at the start of a run.
    pub(crate) fn new() -> Result<Self, Error> {
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|errno| Error::io("open", "an event counter", errno.into()))?;
        Ok(Self {
            wake,
            stop: AtomicBool::new(false),
            sent_all: AtomicBool::new(false),
            again: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            rounds: AtomicU64::new(1),
            slow: AtomicU64::new(0),
        })
    }

    /// Doubles the gap, after a local drop.
    pub(crate) fn slow_down(&self) {
        let slow = self.slow.load(Ordering::Relaxed);
        self.slow.store((slow * 2).clamp(FIRST_GAP, MAX_GAP), Ordering::Relaxed);
    }

    /// Reduces the gap, after a time without drops.
    pub(crate) fn speed_up(&self) {
        let slow = self.slow.load(Ordering::Relaxed);
        if slow > 0 {
            self.slow.store(if slow < FIRST_GAP { 0 } else { slow - slow / 8 }, Ordering::Relaxed);
        }
    }

    /// Whether all probes have been sent.
    pub(crate) fn is_over(&self) -> bool {
        self.sent_all.load(Ordering::Acquire) && self.again.load(Ordering::Acquire) == 0
    }
}

/// A probe that the kernel refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) number: u64,
    pub(crate) errno: i32,
}

/// The parts of the sender thread.
pub(crate) struct Sender<'a> {
    pub(crate) targets: &'a TargetSet,
    pub(crate) ring: &'a ProbeRing,
    pub(crate) alive: &'a AliveSet,
    pub(crate) sockets: &'a [BatchSocket],
    pub(crate) control: &'a SenderControl,
    pub(crate) plan: Schedule,
    pub(crate) mac: PayloadMac,
    pub(crate) pattern: &'a [u8],
    pub(crate) start: Instant,
    pub(crate) again: Receiver<Probe>,
    pub(crate) refusals: Channel<Refusal>,
}

/// Position in the schedule.
struct Position {
    round: u64,
    target: u32,
    /// When the next packet is due.
    due: u64,
}

impl Sender<'_> {
    /// Sends until the schedule and the channel of repeated probes are done, or until `stop` is set.
    pub(crate) fn run(self) {
        let mut position = Position { round: 0, target: 0, due: 0 };
        let mut batch = Vec::with_capacity(BATCH);
        while !self.control.stop.load(Ordering::Relaxed) {
            let now = self.now();
            let until = self.gather(&mut position, now, &mut batch);
            if batch.is_empty() {
                // Set after the last batch has left, because the receiver ends the run when all sent probes are
                // settled.
                if until.is_none() && !self.control.sent_all.swap(true, Ordering::Release) {
                    self.wake_receiver();
                }
                self.sleep_until(until.unwrap_or(u64::MAX), now);
                continue;
            }
            for probes in batch.chunk_by(|one, other| self.family(one) == self.family(other)) {
                self.send(probes);
            }
            batch.clear();
        }
    }

    /// Collects the probes that are due; without any, returns the time to sleep until.
    fn gather(&self, position: &mut Position, now: u64, batch: &mut Vec<Probe>) -> Option<u64> {
        let gap = self.plan.gap.max(self.control.slow.load(Ordering::Relaxed));
        let room = usize::try_from(self.ring.room()).unwrap_or(BATCH).min(BATCH);
        // After a delay (suspend, high load) the schedule continues from now, without a burst.
        position.due = position.due.max(now.saturating_sub(gap * BATCH as u64));
        while batch.len() < room && position.due <= now {
            let probe = match self.again.try_recv() {
                Ok(probe) => probe,
                Err(_) => match self.next(position, now) {
                    Ok(probe) => probe,
                    Err(until) => return until,
                },
            };
            position.due += gap;
            batch.push(probe);
        }
        Some(if room == 0 { now + RING_FULL_WAIT } else { position.due })
    }

    /// The next probe of the schedule, or the time of the next round.
    fn next(&self, position: &mut Position, now: u64) -> Result<Probe, Option<u64>> {
        loop {
            if self.plan.rounds.is_some_and(|rounds| position.round >= rounds) {
                return Err(None);
            }
            let begin = position.round.saturating_mul(self.plan.interval);
            if now < begin {
                return Err(Some(begin));
            }
            if position.target == self.targets.count() {
                position.target = 0;
                position.round += 1;
                // A round longer than the interval delays the next rounds; they are not caught up.
                continue;
            }
            if position.target == 0 {
                self.control.rounds.store(position.round + 1, Ordering::Relaxed);
            }
            let target = position.target;
            position.target += 1;
            if !(self.plan.stops_at_answer && self.alive.contains(target)) {
                let round = u32::try_from(position.round & 0xff_ffff).unwrap_or_default();
                return Ok(Probe { target, round, tries: 0 });
            }
        }
    }

    /// Sends probes of one address family.
    fn send(&self, probes: &[Probe]) {
        let first = self.ring.next();
        let socket = probes.first().and_then(|probe| self.socket(self.family(probe)));
        // The time in the payload is informative only.
        let wall = clock::now().map_or(0, |moment| moment.wall);
        let compose =
            |socket| (first..).zip(probes).map(|(number, probe)| self.compose(socket, number, probe, wall)).collect();
        let outgoing: Vec<_> = socket.map(compose).unwrap_or_default();
        // The slot is filled before the send: over loopback the reply arrives before the send returns.
        let now = self.now();
        for (number, probe) in (first..).zip(probes) {
            self.ring.fill(number, *probe, now);
            if probe.tries > 0 {
                self.control.again.fetch_sub(1, Ordering::Release);
            }
        }
        match socket {
            Some(socket) => self.transmit(socket, &outgoing),
            // This host has no socket for the family.
            None => (first..).zip(probes).for_each(|(number, _)| self.refuse(number, libc::EAFNOSUPPORT)),
        }
    }

    fn refuse(&self, number: u64, errno: i32) {
        // The receiver is gone when the run is over.
        let _ = self.refusals.send(Refusal { number, errno });
        self.wake_receiver();
    }

    fn transmit(&self, socket: &BatchSocket, mut rest: &[Outgoing]) {
        let mut shortages = 0;
        let mut reported = false;
        while let Some(first) = rest.first() {
            match socket.send(rest) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    (shortages, reported) = (0, false);
                    continue;
                }
                Err(Errno::EINTR) => continue,
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::ENOMEM) if shortages < MAX_SHORTAGES => {
                    shortages += 1;
                    self.control.slow_down();
                    thread::sleep(SHORTAGE);
                }
                // A datagram socket reports an old error at the next call; the packet itself was not sent.
                Err(_) if socket.identifier.is_some() && !reported => reported = true,
                Err(errno) => {
                    self.refuse(first.number, errno as i32);
                    rest = rest.get(1..).unwrap_or_default();
                    (shortages, reported) = (0, false);
                }
            }
            let now = self.now();
            for outgoing in rest {
                self.ring.resend(outgoing.number, now);
            }
            if self.control.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn compose(&self, socket: &BatchSocket, number: u64, probe: &Probe, wall: u64) -> Outgoing {
        let (address, scope) = self.targets.address(probe.target);
        let (identifier, sequence) = self.ring.wire(number);
        let mut bytes = self.pattern.to_vec();
        payload::fill(&mut bytes, wall, self.mac.mac(address, identifier, number));
        let echo = Echo { identifier, sequence, payload: &bytes };
        let message = match socket.framing {
            Framing::Icmp6 => icmp6::write_request(&echo),
            _ => icmp4::write_request(&echo),
        };
        let to = match address {
            IpAddr::V4(_) => SocketAddr::new(address, 0),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, scope).into(),
        };
        Outgoing { number, to, message }
    }

    fn family(&self, probe: &Probe) -> Family {
        Family::of(self.targets.address(probe.target).0)
    }

    fn socket(&self, family: Family) -> Option<&BatchSocket> {
        let is_v6 = |socket: &&BatchSocket| socket.framing == Framing::Icmp6;
        self.sockets.iter().find(|socket| is_v6(socket) == (family == Family::V6))
    }

    fn now(&self) -> u64 {
        clock::since(self.start)
    }

    fn wake_receiver(&self) {
        // A counter that is full has woken the receiver already.
        let _ = self.control.wake.write(1);
    }

    /// Waits until `until`, or until the receiver wants something.
    fn sleep_until(&self, until: u64, now: u64) {
        let left = until.saturating_sub(now);
        if left > SLEEP_MARGIN {
            self.control.idle.store(true, Ordering::Relaxed);
            thread::park_timeout(Duration::from_nanos(left - SLEEP_MARGIN));
            self.control.idle.store(false, Ordering::Relaxed);
        } else {
            clock::sleep_until(self.start, until);
        }
    }
}

/// Why a packet could not be sent, in words.
pub(crate) fn words(errno: i32) -> String {
    match errno {
        libc::EACCES => {
            "a broadcast address (ping it alone with -b), or prohibited by a route or firewall of this host".to_owned()
        }
        _ => common::error::reason(&std::io::Error::from_raw_os_error(errno)),
    }
}
