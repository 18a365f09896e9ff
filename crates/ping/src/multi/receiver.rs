//! Receive loop: reads replies, matches them to probes, reports, and sleeps until the next timeout.
//!
//! In a fast run it polls a few thousand times a second instead of being woken by each reply, which would cost more
//! than the reply itself.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use common::Error;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

use super::alive_set::AliveSet;
use super::probe_ring::Probe;
use super::report::MultiReport;
use super::report::prometheus::TextFile;
use super::sender::{Refusal, SenderControl};
use super::softnet_drops::SoftnetDrops;
use super::tracker::{Arrival, ProbeTracker};
use crate::clock::{self, ClockOffset};
use crate::config::multi::MultiConfig;
use crate::proto::Echo;
use crate::proto::icmp_message::{self, IcmpMessage};
use crate::signals::{Request, Signals};
use crate::socket::batch_socket::{BatchSocket, Buffer, Incoming};

/// Longest sleep in nanoseconds: the refresh period of the table.
const MAX_SLEEP: u64 = 250_000_000;
/// Sleep in a run without a gap between packets, in nanoseconds.
const FAST_SLEEP: u64 = 300_000;
/// Batches read before timeouts are checked.
const BATCHES: usize = 16;
/// Nanoseconds without a drop after which the sender may speed up.
const SPEEDUP_AFTER: u64 = 20_000_000;
/// Shortest time between two Prometheus files, in nanoseconds.
const FILE_GAP: u64 = 1_000_000_000;

/// The parts of the receive loop.
pub(crate) struct Receiver<'a> {
    pub(crate) sockets: &'a [BatchSocket],
    pub(crate) signals: &'a Signals,
    pub(crate) control: &'a SenderControl,
    pub(crate) alive: &'a AliveSet,
    pub(crate) settings: &'a MultiConfig,
    /// The ICMP identifier under which the tracker knows the probes.
    pub(crate) identifier: u16,
    pub(crate) start: Instant,
    pub(crate) again: mpsc::Sender<Probe>,
    pub(crate) refusals: mpsc::Receiver<Refusal>,
    pub(crate) file: Option<&'a TextFile>,
    pub(crate) softnet_drops: Option<SoftnetDrops>,
    /// The sender thread.
    pub(crate) sender: &'a Thread,
    /// Whether packets are sent without a gap.
    pub(crate) is_fast: bool,
}

/// State that the loop keeps between iterations.
struct LoopState {
    /// Datagrams dropped so far, per socket.
    dropped: Vec<u32>,
    /// Rounds written to the Prometheus file.
    rounds: u64,
    written: u64,
    /// Time of the last drop or the last speed-up, in nanoseconds.
    last_change: u64,
    softnet_drops: Option<SoftnetDrops>,
    clock_offset: ClockOffset,
}

impl Receiver<'_> {
    /// Receives and reports until all probes are settled, or until a signal or the deadline.
    pub(crate) fn run<W: Write>(
        mut self,
        tracker: &mut ProbeTracker<'_>,
        report: &mut MultiReport<'_, W>,
    ) -> Result<(), Error> {
        let mut buffer = Buffer::new(self.settings.config.payload.len());
        let mut state = LoopState {
            dropped: vec![0; self.sockets.len()],
            rounds: 1,
            written: 0,
            last_change: 0,
            softnet_drops: self.softnet_drops.take(),
            clock_offset: ClockOffset::new(self.start)?,
        };
        report.start()?;
        while !self.is_stopped(tracker, report)? {
            self.read(&mut buffer, &mut state, tracker, report)?;
            self.take_refusals(tracker, report)?;
            self.expire(&mut state, tracker, report)?;
            self.write_file(&mut state, tracker)?;
            if self.knows_all(tracker) {
                break;
            }
            report.pause(tracker, clock::since(self.start))?;
            self.wait(tracker)?;
        }
        self.end();
        tracker.close();
        if let Some(file) = self.file {
            file.write(tracker, clock::now()?.wall)?;
        }
        report.finish(tracker, clock::since(self.start))
    }

    /// Stops the sender.
    fn end(&self) {
        self.control.stop.store(true, Ordering::Relaxed);
        self.sender.unpark();
    }

    fn is_stopped<W: Write>(&self, tracker: &ProbeTracker<'_>, report: &MultiReport<'_, W>) -> Result<bool, Error> {
        while let Some(request) = self.signals.next()? {
            match request {
                Request::Stop => return Ok(true),
                Request::Status => report.status(tracker),
            }
        }
        Ok(self.settings.config.plan.deadline.is_some_and(|deadline| self.start.elapsed() >= deadline))
    }

    fn knows_all(&self, tracker: &ProbeTracker<'_>) -> bool {
        let is_complete = self.alive.count() == tracker.targets.count();
        // Order matters: a probe is in its slot before the sender counts it as sent.
        (self.control.is_over() && tracker.is_settled()) || (self.settings.stops_at_answer() && is_complete)
    }

    fn read<W: Write>(
        &self,
        buffer: &mut Buffer,
        state: &mut LoopState,
        tracker: &mut ProbeTracker<'_>,
        report: &mut MultiReport<'_, W>,
    ) -> Result<(), Error> {
        state.clock_offset.follow()?;
        let now = clock::since(self.start);
        if now > state.last_change + SPEEDUP_AFTER {
            state.last_change = now;
            self.control.speed_up();
        }
        for (index, socket) in self.sockets.iter().enumerate() {
            for _ in 0..BATCHES {
                let mut result = Ok(());
                let more = socket.receive(buffer, &mut |incoming| {
                    let taken = self.take(index, incoming, state, tracker, report);
                    if result.is_ok() {
                        result = taken;
                    }
                })?;
                result?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Matches a datagram to its probe and reports the event.
    fn take<W: Write>(
        &self,
        index: usize,
        incoming: Incoming<'_>,
        state: &mut LoopState,
        tracker: &mut ProbeTracker<'_>,
        report: &mut MultiReport<'_, W>,
    ) -> Result<(), Error> {
        let now = clock::since(self.start);
        let arrived = match incoming {
            Incoming::Dropped(count) => {
                self.count_drops(state, index, count, now, tracker);
                return Ok(());
            }
            Incoming::Sent { number, stamp } => {
                tracker.stamped(number, state.clock_offset.steady(stamp), now);
                return Ok(());
            }
            Incoming::Datagram { bytes, from, hops, stamp } => {
                let Some(message) = icmp_message::read(self.sockets[index].framing, bytes) else { return Ok(()) };
                Arrival { message, from, hops, stamp: stamp.map(|stamp| state.clock_offset.steady(stamp)), now }
            }
            Incoming::Error { from, kind, code, info, target, quoted } => {
                let Ok(echo) = Echo::parse(quoted) else { return Ok(()) };
                let Echo { identifier, sequence, .. } = echo;
                let message = IcmpMessage::Error { kind, code, info, target, identifier, sequence };
                Arrival { message, from: from.unwrap_or(target), hops: None, stamp: None, now }
            }
        };
        let socket = &self.sockets[index];
        let message = socket.identifier.map_or(arrived.message, |own| arrived.message.known_as(own, self.identifier));
        match tracker.arrived(&Arrival { message, ..arrived }) {
            Some(event) => report.tell(&event, tracker.stats(event.target)),
            None => Ok(()),
        }
    }

    /// Records the drops of a socket since it was opened, and slows the sender down.
    fn count_drops(&self, state: &mut LoopState, index: usize, count: u32, now: u64, tracker: &mut ProbeTracker<'_>) {
        if count != state.dropped[index] {
            (state.dropped[index], state.last_change) = (count, now);
            tracker.dropped(now);
            self.control.slow_down();
        }
    }

    fn take_refusals<W: Write>(
        &self,
        tracker: &mut ProbeTracker<'_>,
        report: &mut MultiReport<'_, W>,
    ) -> Result<(), Error> {
        // The counter is read before the channel, so that no refusal is missed.
        let _ = self.control.wake.read();
        for refusal in self.refusals.try_iter() {
            if let Some(event) = tracker.refused(refusal.number, refusal.errno) {
                report.tell(&event, tracker.stats(event.target))?;
            }
        }
        Ok(())
    }

    fn expire<W: Write>(
        &self,
        state: &mut LoopState,
        tracker: &mut ProbeTracker<'_>,
        report: &mut MultiReport<'_, W>,
    ) -> Result<(), Error> {
        let now = clock::since(self.start);
        if tracker.next_deadline().is_some_and(|deadline| deadline <= now) {
            // Checks for local drops before a probe is declared lost.
            for (index, socket) in self.sockets.iter().enumerate() {
                self.count_drops(state, index, socket.dropped(), now, tracker);
            }
            if state.softnet_drops.as_mut().is_some_and(SoftnetDrops::has_dropped) {
                tracker.dropped(now);
                self.control.slow_down();
            }
        }
        while let Some((event, again)) = tracker.expire(now) {
            if let Some(probe) = again {
                self.control.again.fetch_add(1, Ordering::Release);
                // The sender outlives this loop.
                let _ = self.again.send(probe);
                self.sender.unpark();
            }
            report.tell(&event, tracker.stats(event.target))?;
        }
        Ok(())
    }

    fn write_file(&self, state: &mut LoopState, tracker: &ProbeTracker<'_>) -> Result<(), Error> {
        let (rounds, now) = (self.control.rounds.load(Ordering::Relaxed), clock::since(self.start));
        match self.file {
            Some(file) if rounds > state.rounds && now >= state.written + FILE_GAP => {
                (state.rounds, state.written) = (rounds, now);
                file.write(tracker, clock::now()?.wall)
            }
            _ => Ok(()),
        }
    }

    /// Sleeps until the next timeout or until a packet, a refusal or a signal arrives.
    fn wait(&self, tracker: &ProbeTracker<'_>) -> Result<(), Error> {
        let now = clock::since(self.start);
        if self.is_fast && !self.control.idle.load(Ordering::Relaxed) {
            clock::sleep_until(self.start, now + FAST_SLEEP);
            return Ok(());
        }
        let end = self.settings.config.plan.deadline.map(|end| u64::try_from(end.as_nanos()).unwrap_or(u64::MAX));
        let due = [tracker.next_deadline(), end].into_iter().flatten().fold(now + MAX_SLEEP, u64::min);
        let left = Duration::from_nanos(due.saturating_sub(now).max(1));
        let mut waiting = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.control.wake.as_fd(), PollFlags::POLLIN),
        ];
        waiting.extend(self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        match ppoll(&mut waiting, Some(left.into()), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Error::io("wait for", "replies", errno.into())),
        }
    }
}
