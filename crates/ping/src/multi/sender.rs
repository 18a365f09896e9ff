//! The thread that sends: round after round over all targets, paced, in small batches.
//!
//! A batch is small so that the time read before it stands for all of its packets. Times to sleep until are absolute, so
//! that delays do not add up. It learns through shared numbers what the receiver knows: who alive, and when to slow down.

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
use crate::family::Family;
use crate::proto::payload_mac::PayloadMac;
use crate::proto::reply::Framing;
use crate::proto::{Echo, icmp4, icmp6, payload};
use crate::socket::batch_socket::{BatchSocket, Outgoing};

/// Packets in one system call; more would save little and blur the time of sending.
const BATCH: usize = 8;
/// The last part of a wait, which is slept to an absolute time; before it the receiver can wake this thread.
const SLEEP_MARGIN: u64 = 2_000_000;
/// Wait while there is no room for further probes, in nanoseconds: until the receiver has settled the oldest ones.
const RING_FULL_WAIT: u64 = 200_000;
/// Sleep while the kernel has no room for a packet.
const SHORTAGE: Duration = Duration::from_millis(1);
/// Sleeps of that kind until a probe counts as not sent: as long as a reply would be waited for.
const MOST_SHORTAGES: u32 = 1_000;
/// Largest distance between two packets that drops on this host can lead to.
const WIDEST_GAP: u64 = 1_000_000;
/// First distance after a drop.
const FIRST_GAP: u64 = 5_000;

/// When to send what.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// Probes to each target; `None` for no end.
    pub(crate) rounds: Option<u64>,
    /// From one probe to a target to the next one, in nanoseconds.
    pub(crate) interval: u64,
    /// From one packet to the next one, in nanoseconds; 0 for as fast as possible.
    pub(crate) gap: u64,
    /// Leave out targets that have alive.
    pub(crate) stops_at_answer: bool,
}

/// What sender and receiver tell each other by numbers.
#[derive(Debug)]
pub(crate) struct SenderControl {
    /// Wakes the receiver: everything is sent, or something could not be.
    pub(crate) wake: EventFd,
    /// The receiver wants the end.
    pub(crate) stop: AtomicBool,
    /// Every round has been sent.
    pub(crate) sent_all: AtomicBool,
    /// Probes that the receiver asked for again and that have not been sent yet.
    pub(crate) again: AtomicU64,
    /// The sender waits for the next round, or for the end.
    pub(crate) idle: AtomicBool,
    /// Rounds that were begun.
    pub(crate) rounds: AtomicU64,
    /// Distance of packets that drops on this host led to, in nanoseconds.
    slow: AtomicU64,
}

impl SenderControl {
    /// The beginning of a run.
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

    /// This host throws packets away: send half as fast.
    pub(crate) fn slow_down(&self) {
        let slow = self.slow.load(Ordering::Relaxed);
        self.slow.store((slow * 2).clamp(FIRST_GAP, WIDEST_GAP), Ordering::Relaxed);
    }

    /// Nothing was thrown away for a while: send a little faster again.
    pub(crate) fn speed_up(&self) {
        let slow = self.slow.load(Ordering::Relaxed);
        if slow > 0 {
            self.slow.store(if slow < FIRST_GAP { 0 } else { slow - slow / 8 }, Ordering::Relaxed);
        }
    }

    /// Whether all that shall be sent has been sent.
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

/// Everything the thread needs.
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

/// Where the sender is in its plan.
struct Position {
    round: u64,
    target: u32,
    /// When the next packet may leave.
    due: u64,
}

impl Sender<'_> {
    /// Sends until everything is sent and nothing is asked for again, or until it is told to stop.
    pub(crate) fn run(self) {
        let mut position = Position { round: 0, target: 0, due: 0 };
        let mut batch = Vec::with_capacity(BATCH);
        while !self.control.stop.load(Ordering::Relaxed) {
            let now = self.now();
            let until = self.gather(&mut position, now, &mut batch);
            if batch.is_empty() {
                // Not before the last batch has left: the receiver ends the run as soon as all that was sent is settled.
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

    /// Collects the probes that are due; without any, until when to sleep.
    fn gather(&self, position: &mut Position, now: u64, batch: &mut Vec<Probe>) -> Option<u64> {
        let gap = self.plan.gap.max(self.control.slow.load(Ordering::Relaxed));
        let room = usize::try_from(self.ring.room()).unwrap_or(BATCH).min(BATCH);
        // A schedule that fell behind (a suspended machine, a busy one) goes on from here, without a burst.
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

    /// The next probe of the plan, or when there will be one.
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
                // A round that took longer than the interval puts off those behind it; there is no catching up.
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

    /// Sends probes of one family.
    fn send(&self, probes: &[Probe]) {
        let first = self.ring.next();
        let socket = probes.first().and_then(|probe| self.socket(self.family(probe)));
        // The time in the payload is for people who look at packets; nothing is computed from it.
        let wall = clock::now().map_or(0, |moment| moment.wall);
        let compose =
            |socket| (first..).zip(probes).map(|(number, probe)| self.compose(socket, number, probe, wall)).collect();
        let outgoing: Vec<_> = socket.map(compose).unwrap_or_default();
        // The ring and the clock come first: a reply over loopback is there before the send returns.
        let now = self.now();
        for (number, probe) in (first..).zip(probes) {
            self.ring.fill(number, *probe, now);
            if probe.tries > 0 {
                self.control.again.fetch_sub(1, Ordering::Release);
            }
        }
        match socket {
            Some(socket) => self.transmit(socket, &outgoing),
            // This host does not know the family at all.
            None => (first..).zip(probes).for_each(|(number, _)| self.refuse(number, libc::EAFNOSUPPORT)),
        }
    }

    fn refuse(&self, number: u64, errno: i32) {
        // Nobody listens any more when the run is over.
        let _ = self.refusals.send(Refusal { number, errno });
        self.wake_receiver();
    }

    fn transmit(&self, socket: &BatchSocket, mut rest: &[Outgoing]) {
        let mut shortages = 0;
        let mut told = false;
        while let Some(first) = rest.first() {
            match socket.send(rest) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    (shortages, told) = (0, false);
                    continue;
                }
                Err(Errno::EINTR) => continue,
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::ENOMEM) if shortages < MOST_SHORTAGES => {
                    shortages += 1;
                    self.control.slow_down();
                    thread::sleep(SHORTAGE);
                }
                // A datagram socket tells an old error to whoever comes next; the packet itself has not been tried.
                Err(_) if socket.identifier.is_some() && !told => told = true,
                Err(errno) => {
                    self.refuse(first.number, errno as i32);
                    rest = rest.get(1..).unwrap_or_default();
                    (shortages, told) = (0, false);
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
        libc::EACCES => "a broadcast address, which takes a run of its own".to_owned(),
        _ => common::error::reason(&std::io::Error::from_raw_os_error(errno)),
    }
}
