//! When to send, what became of each probe, and when to stop: the scheduler of ping, without I/O.
//!
//! The loop asks [`Scheduler::step`] what to do and tells what it saw; times come in as arguments. Send times are kept here,
//! one probe a probe, so nothing that a reply carries can reach a round-trip time. It must not read a clock or print.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::plan::{Pace, Plan, Until};
use super::sent_probe::SentProbe;
use super::sequence_stats::SequenceStats;
use crate::probe_state::{Integrity, ProbeState, ReplyClass};
use crate::rtt::{StampSource, Timestamp};
use crate::stats::Stats;

/// Probes that are remembered: as many as the 16 bits of the sequence tell apart.
const REMEMBERED: usize = 65_536;
/// Probes that may leave together to catch up with a delay, as long as it is short.
const CAUGHT_UP: u32 = 10;
/// Longest delay that is caught up with, where the interval is shorter.
const SHORT_DELAY: Duration = Duration::from_millis(200);
/// Shortest time between two sends while nothing comes back, when replies drive the sending.
const UNANSWERED_INTERVAL: Duration = Duration::from_millis(10);

/// What the loop shall do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the probe with this number, and tell with [`Scheduler::sent`] or [`Scheduler::not_sent`].
    Send(u64),
    /// Say that this probe has no answer yet.
    NoAnswer(u64),
    /// Sleep until then, or until something arrives.
    Wait(Instant),
    /// It is over.
    Finish,
}

/// A reply with its probe and its round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Number of the probe.
    pub sequence: u64,
    /// First, late or repeated.
    pub class: ReplyClass,
    /// How much of it is right.
    pub integrity: Integrity,
    /// Whether a later probe had been answered before.
    pub is_reordered: bool,
    /// Round-trip time.
    pub time: Duration,
    /// How it was measured.
    pub source: StampSource,
}

/// Counts of fates, for the summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Probes that were sent, or should have been.
    pub transmitted: u64,
    /// Probes that were answered, late ones included.
    pub received: u64,
    /// Answers that came after the time for a reply.
    pub late: u64,
    /// Further answers to answered probes.
    pub duplicates: u64,
    /// First answers to a probe when a later one had been answered before (RFC 4737, type-P-reordered).
    pub reordered: u64,
    /// Answers with a wrong ICMP checksum or a changed payload.
    pub corrupt: u64,
    /// Answers from another address, or without the code of the probe.
    pub foreign: u64,
    /// ICMP errors, and sends that the kernel refused with one.
    pub errors: u64,
    /// Sends that failed on this host.
    pub not_sent: u64,
    /// Datagrams for which there was no room in the receive buffer, as the kernel counts them.
    pub overflowed: u64,
    /// The largest number of probes that were on their way when an answer came.
    pub pipe: u64,
}

/// The state of one run.
#[derive(Debug)]
pub struct Scheduler {
    plan: Plan,
    start: Instant,
    /// The moment at which the schedule counts from; later than `start` after the machine was asleep.
    base: Instant,
    last_send: Option<Instant>,
    interrupted: bool,
    counts: Counts,
    stats: Stats,
    probes: VecDeque<SentProbe>,
    /// Number of the probe in the first probe; probes count from 1.
    first: u64,
    /// No probe before this one is in flight.
    oldest: u64,
    in_flight: u64,
    /// Whether this host refused a probe since the last answer.
    is_refused: bool,
    /// The highest number that was answered.
    highest: u64,
    /// Probes without an answer since the last answer.
    consecutive_losses: u64,
    /// Whether a device stamped any probe of this run.
    stamps: bool,
    /// The probes that left `probes`.
    sequence_stats: SequenceStats,
}

impl Scheduler {
    /// A run that starts at `start`.
    pub fn new(plan: Plan, start: Instant) -> Self {
        Self {
            plan,
            start,
            base: start,
            last_send: None,
            interrupted: false,
            counts: Counts::default(),
            stats: Stats::default(),
            probes: VecDeque::new(),
            first: 1,
            oldest: 1,
            in_flight: 0,
            is_refused: false,
            highest: 0,
            consecutive_losses: 0,
            stamps: false,
            sequence_stats: SequenceStats::default(),
        }
    }

    /// What to do at `now`; to be asked again after each [`Action::Send`] and [`Action::NoAnswer`].
    pub fn step(&mut self, now: Instant) -> Action {
        if self.is_finished(now) {
            return Action::Finish;
        }
        let overdue = self.oldest_in_flight().map(|(sequence, sent)| (sequence, sent + self.plan.timeout));
        if let Some((sequence, _)) = overdue.filter(|(_, end)| *end <= now) {
            self.set_state(sequence, ProbeState::Lost);
            self.consecutive_losses += 1;
            return Action::NoAnswer(sequence);
        }
        let next = self.may_send().then(|| self.due());
        if next.is_some_and(|due| due <= now) {
            return Action::Send(self.counts.transmitted + 1);
        }
        let end = self.plan.deadline.map(|deadline| self.start + deadline);
        match [next, overdue.map(|(_, end)| end), end].into_iter().flatten().min() {
            Some(until) => Action::Wait(until),
            None => Action::Finish,
        }
    }

    /// Makes room for the next probe and starts its clock; to be called right before the send.
    pub fn sent(&mut self, now: Timestamp) {
        if let Pace::Every(interval) = self.plan.pace {
            // What a busy machine delays is caught up with; after a long pause (a suspended machine) the schedule goes
            // on from here, without a burst.
            let behind = now.monotonic.saturating_duration_since(self.scheduled(interval));
            if behind > interval.saturating_mul(CAUGHT_UP).min(SHORT_DELAY).max(interval) {
                self.base += behind;
            }
        }
        self.counts.transmitted += 1;
        self.last_send = Some(now.monotonic);
        if self.probes.len() == REMEMBERED {
            self.forget_first();
        }
        self.probes.push_back(SentProbe::new(self.since_start(now.monotonic), now.wall));
        self.in_flight += 1;
    }

    fn forget_first(&mut self) {
        let Some(mut probe) = self.probes.pop_front() else { return };
        if probe.state == ProbeState::InFlight {
            self.in_flight -= 1;
            probe.state = ProbeState::Lost;
        }
        self.sequence_stats.take(&probe, self.stamps);
        self.first += 1;
        self.oldest = self.oldest.max(self.first);
    }

    /// The send of this probe failed on this host.
    pub fn not_sent(&mut self, sequence: u64) {
        self.counts.not_sent += 1;
        self.consecutive_losses += 1;
        self.is_refused = true;
        self.set_state(sequence, ProbeState::NotSent);
    }

    /// The kernel stamped the send of probe `sequence` at `wall` nanoseconds since 1970: on its way to a device
    /// (`has_left`), or into the queue before it.
    pub fn stamped(&mut self, sequence: u64, wall: u64, has_left: bool) {
        if let Some(probe) = self.probe_mut(sequence) {
            probe.stamp(wall, has_left);
            self.stamps |= has_left;
        }
    }

    /// Stamps are numbered anew: those of the probes on their way can no longer be told apart.
    pub fn stamps_restarted(&mut self) {
        for probe in self.probes.iter_mut().filter(|probe| probe.state == ProbeState::InFlight) {
            probe.has_left = true;
        }
    }

    /// The newest probe whose number ends in these 16 bits; `None` when no such is remembered.
    pub fn probe(&self, wire: u16) -> Option<u64> {
        let newest = self.counts.transmitted;
        let back = (newest & 0xffff).wrapping_sub(u64::from(wire)) & 0xffff;
        newest.checked_sub(back).filter(|sequence| *sequence >= self.first)
    }

    /// A reply to probe `sequence` arrived, stamped by the kernel at `kernel`; `None` when that is not remembered.
    pub fn reply(
        &mut self,
        sequence: u64,
        now: Timestamp,
        kernel: Option<u64>,
        integrity: Integrity,
    ) -> Option<Answer> {
        let steady = self.since_start(now.monotonic);
        let probe = *self.probe_mut(sequence)?;
        let (time, source) = probe.round_trip(steady, kernel.filter(|_| !self.plan.user_times));
        let class = match probe.state {
            ProbeState::Replied => ReplyClass::Duplicate,
            ProbeState::Lost => ReplyClass::Late,
            ProbeState::InFlight | ProbeState::NotSent | ProbeState::Failed | ProbeState::Retried => ReplyClass::Reply,
        };
        self.counts.pipe = self.counts.pipe.max(self.counts.transmitted - sequence + 1);
        self.counts.corrupt += u64::from(matches!(integrity, Integrity::Checksum | Integrity::Changed(_)));
        // As iputils has it: what fails the checksum is shown and counted as such, and answers nothing.
        let is_answer = integrity != Integrity::Checksum && class != ReplyClass::Duplicate;
        let is_reordered = is_answer && sequence < self.highest;
        if is_answer {
            self.counts.received += 1;
            self.counts.late += u64::from(class == ReplyClass::Late);
            self.counts.reordered += u64::from(is_reordered);
            self.highest = self.highest.max(sequence);
            self.consecutive_losses = 0;
            self.is_refused = false;
            self.stats.add(time);
            self.set_state(sequence, ProbeState::Replied);
            if let Some(probe) = self.probe_mut(sequence) {
                probe.time = nanoseconds(time);
            }
        } else if integrity != Integrity::Checksum {
            self.counts.duplicates += 1;
        }
        Some(Answer { sequence, class, integrity, is_reordered, time, source })
    }

    /// A reply arrived that answers none of our probes, although it looks like it.
    pub fn foreign(&mut self) {
        self.counts.foreign += 1;
    }

    /// The kernel has thrown away this many datagrams more, because the receive buffer was full.
    pub fn overflowed(&mut self, datagrams: u64) {
        self.counts.overflowed += datagrams;
    }

    /// An ICMP error about the probe with these 16 bits arrived; its number, or `None` when no such was sent.
    pub fn error(&mut self, wire: u16) -> Option<u64> {
        let sequence = self.probe(wire)?;
        self.counts.errors += 1;
        self.counts.pipe = self.counts.pipe.max(self.counts.transmitted - sequence + 1);
        match self.probe_mut(sequence).map(|probe| probe.state) {
            Some(ProbeState::InFlight) => {
                self.consecutive_losses += 1;
                self.set_state(sequence, ProbeState::Failed);
            }
            Some(ProbeState::Lost) => self.set_state(sequence, ProbeState::Failed),
            _ => {}
        }
        Some(sequence)
    }

    /// The kernel of this host refused the newest packet with an error of its own.
    pub fn local_error(&mut self) {
        self.counts.errors += 1;
        self.consecutive_losses += 1;
        self.is_refused = true;
        self.set_state(self.counts.transmitted, ProbeState::Failed);
    }

    /// The user wants to stop.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The round-trip times so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What the order of the probes shows, as it stands at `now`.
    pub fn sequence_stats(&self, now: Instant) -> SequenceStats {
        let mut sequence_stats = self.sequence_stats.clone();
        self.probes.iter().for_each(|probe| sequence_stats.take(probe, self.stamps));
        sequence_stats.end(self.since_start(now), self.counts.overflowed);
        sequence_stats
    }

    /// From the start to the last send.
    pub fn elapsed(&self) -> Duration {
        self.last_send.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.start))
    }

    /// Mean time between two sends, where replies drove the sending; `None` before the second.
    pub fn mean_gap(&self) -> Option<Duration> {
        let gaps = self.counts.transmitted.checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some(Duration::from_nanos(nanoseconds(self.elapsed()) / gaps))
    }

    /// Whether as much came back as was asked for.
    pub fn is_success(&self) -> bool {
        if let Some(until) = self.plan.until {
            return self.is_reached(until);
        }
        let received = self.counts.received;
        received > 0 && (self.plan.deadline.is_none() || self.plan.count.is_none_or(|count| received >= count))
    }

    fn is_reached(&self, until: Until) -> bool {
        match until {
            Until::Up => self.counts.received > 0,
            Until::Down(row) => self.consecutive_losses >= row,
        }
    }

    fn is_finished(&mut self, now: Instant) -> bool {
        let Counts { transmitted, received, errors, .. } = self.counts;
        if self.interrupted || self.plan.deadline.is_some_and(|deadline| now >= self.start + deadline) {
            return true;
        }
        if self.plan.until.is_some_and(|until| self.is_reached(until)) {
            return true;
        }
        let settled = self.oldest_in_flight().is_none();
        match (self.plan.count, self.plan.deadline) {
            // Who waits for a change expects errors until then.
            (count, Some(_)) => {
                (errors > 0 && self.plan.until.is_none()) || count.is_some_and(|count| received >= count)
            }
            (Some(count), None) => transmitted >= count && settled,
            (None, None) => false,
        }
    }

    fn may_send(&self) -> bool {
        self.plan.deadline.is_some() || self.plan.count.is_none_or(|count| self.counts.transmitted < count)
    }

    /// When the next probe is to be sent.
    fn due(&self) -> Instant {
        let Some(last) = self.last_send else { return self.base };
        // What this host refuses at once is not tried again at once.
        let is_full = self.in_flight >= self.plan.preload || self.is_refused;
        match self.plan.pace {
            Pace::Every(interval) => self.scheduled(interval),
            Pace::Flood if is_full => last + UNANSWERED_INTERVAL,
            Pace::Flood => last,
            Pace::Adaptive(shortest) => {
                let mean = self.stats.moving_average().unwrap_or(Duration::from_secs(1));
                last + if is_full { mean.max(shortest).max(UNANSWERED_INTERVAL) } else { mean.max(shortest) }
            }
        }
    }

    /// When the next probe is due on a schedule with this step.
    fn scheduled(&self, interval: Duration) -> Instant {
        let steps = self.counts.transmitted.saturating_sub(self.plan.preload.saturating_sub(1));
        let nanoseconds = interval.as_nanos().saturating_mul(u128::from(steps));
        self.base + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn oldest_in_flight(&mut self) -> Option<(u64, Instant)> {
        let start = self.start;
        while self.oldest <= self.counts.transmitted {
            let oldest = self.oldest;
            if let Some(probe) = self.probe_mut(oldest).filter(|probe| probe.state == ProbeState::InFlight) {
                return Some((oldest, start + Duration::from_nanos(probe.sent)));
            }
            self.oldest += 1;
        }
        None
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.start))
    }

    fn probe_mut(&mut self, sequence: u64) -> Option<&mut SentProbe> {
        let index = sequence.checked_sub(self.first)?;
        self.probes.get_mut(usize::try_from(index).ok()?)
    }

    fn set_state(&mut self, sequence: u64, state: ProbeState) {
        if let Some(probe) = self.probe_mut(sequence) {
            let was_in_flight = std::mem::replace(&mut probe.state, state) == ProbeState::InFlight;
            self.in_flight -= u64::from(was_in_flight);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
