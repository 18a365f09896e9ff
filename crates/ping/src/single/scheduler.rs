//! Scheduler of one target: when to send, the state of each probe, when to stop. No I/O and no clock.
//!
//! The event loop calls [`Scheduler::step`] and reports what it received. Send times are kept here, so that no byte of
//! a reply can influence a round-trip time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::plan::{Pace, Plan, Until};
use super::sent_probe::SentProbe;
use super::sequence_stats::SequenceStats;
use crate::probe_state::{Integrity, ProbeState, ReplyClass};
use crate::rtt::{StampSource, Timestamp};
use crate::stats::Stats;

/// Number of probes kept: as many as the 16 bits of the sequence distinguish.
const REMEMBERED: usize = 65_536;
/// Maximum number of probes sent together to catch up with a short delay.
const CAUGHT_UP: u32 = 10;
/// Longest delay that is caught up with, for shorter intervals.
const SHORT_DELAY: Duration = Duration::from_millis(200);
/// Shortest interval without replies, where replies trigger the sends.
const UNANSWERED_INTERVAL: Duration = Duration::from_millis(10);

/// Longest sleep without a deadline.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The next action of the event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send this probe, then call [`Scheduler::sent`] or [`Scheduler::not_sent`].
    Send(u64),
    /// Report that this probe has no reply yet.
    NoAnswer(u64),
    /// Sleep until this time or until a datagram arrives.
    Wait(Instant),
    /// End the run.
    Finish,
}

/// A reply matched to its probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Number of the probe.
    pub sequence: u64,
    /// First, late or duplicate.
    pub class: ReplyClass,
    /// How much of it equals the request.
    pub integrity: Integrity,
    /// Whether the reply to a later probe arrived before.
    pub is_reordered: bool,
    /// Round-trip time.
    pub time: Duration,
    /// The clocks of the round-trip time.
    pub source: StampSource,
}

/// Counters for the summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Probes sent, including failed sends.
    pub transmitted: u64,
    /// Probes answered, late replies included.
    pub received: u64,
    /// First replies after the timeout.
    pub late: u64,
    /// Further replies to answered probes.
    pub duplicates: u64,
    /// First replies that arrived after the reply to a later probe (RFC 4737, type-P-reordered).
    pub reordered: u64,
    /// Replies with a wrong ICMP checksum or a changed payload.
    pub corrupt: u64,
    /// Replies from another address or without a valid MAC.
    pub foreign: u64,
    /// ICMP errors and local errors.
    pub errors: u64,
    /// Sends that failed on this host.
    pub not_sent: u64,
    /// Datagrams dropped because the receive buffer was full.
    pub overflowed: u64,
    /// Maximum number of probes in flight when a reply arrived.
    pub pipe: u64,
}

/// The state of one run.
#[derive(Debug)]
pub struct Scheduler {
    plan: Plan,
    start: Instant,
    /// Origin of the schedule; moves forward after a long delay (suspend).
    base: Instant,
    last_send: Option<Instant>,
    interrupted: bool,
    counts: Counts,
    stats: Stats,
    probes: VecDeque<SentProbe>,
    /// Number of the oldest probe kept; probes count from 1.
    first: u64,
    /// No probe before this one is in flight.
    oldest: u64,
    in_flight: u64,
    /// Whether a send failed since the last reply.
    is_refused: bool,
    /// The highest answered probe.
    highest: u64,
    /// Probes without a reply since the last reply.
    consecutive_losses: u64,
    /// The latest probe that was reported as outstanding, or need not be.
    outstanding: u64,
    /// Whether any probe got a kernel send stamp.
    stamps: bool,
    /// Statistics over probes no longer kept.
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
            outstanding: 0,
            stamps: false,
            sequence_stats: SequenceStats::default(),
        }
    }

    /// The action at `now`; call again after each [`Action::Send`] and [`Action::NoAnswer`].
    pub fn step(&mut self, now: Instant) -> Action {
        if self.is_finished(now) {
            return Action::Finish;
        }
        let overdue = self.plan.timeout.and_then(|timeout| {
            let (sequence, sent) = self.oldest_in_flight()?;
            Some((sequence, sent + timeout))
        });
        if let Some((sequence, _)) = overdue.filter(|(_, end)| *end <= now) {
            self.set_state(sequence, ProbeState::Lost);
            self.consecutive_losses += 1;
            return Action::NoAnswer(sequence);
        }
        let next = self.may_send().then(|| self.due());
        if next.is_some_and(|due| due <= now) {
            if let Some(sequence) = self.newly_outstanding() {
                return Action::NoAnswer(sequence);
            }
            return Action::Send(self.counts.transmitted + 1);
        }
        let end = self.plan.deadline.map(|deadline| self.start + deadline);
        match [next, overdue.map(|(_, end)| end), end].into_iter().flatten().min() {
            Some(until) => Action::Wait(until),
            // Without a time limit the run waits for the last replies or a signal.
            None if self.oldest_in_flight().is_some() => Action::Wait(now + MAX_WAIT),
            None => Action::Finish,
        }
    }

    /// Without a time limit for replies: the latest probe, once, if it has no reply when the next one is due.
    fn newly_outstanding(&mut self) -> Option<u64> {
        let latest = self.counts.transmitted;
        if self.plan.timeout.is_some() || self.outstanding == latest {
            return None;
        }
        self.outstanding = latest;
        self.probe_mut(latest).is_some_and(|probe| probe.state == ProbeState::InFlight).then_some(latest)
    }

    /// Records the send time of the next probe; called right before the send.
    pub fn sent(&mut self, now: Timestamp) {
        if let Pace::Every(interval) = self.plan.pace {
            // Short delays are caught up with; after a long one (suspend) the schedule continues from now, without a
            // burst.
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

    /// Records that the send of a probe failed.
    pub fn not_sent(&mut self, sequence: u64) {
        self.counts.not_sent += 1;
        self.consecutive_losses += 1;
        self.is_refused = true;
        self.set_state(sequence, ProbeState::NotSent);
    }

    /// Records the kernel's send stamp of a probe, from the driver (`has_left`) or from the queue before it.
    pub fn stamped(&mut self, sequence: u64, wall: u64, has_left: bool) {
        if let Some(probe) = self.probe_mut(sequence) {
            probe.stamp(wall, has_left);
            self.stamps |= has_left;
        }
    }

    /// Send stamps start a new numbering: those of probes in flight cannot be matched any more.
    pub fn stamps_restarted(&mut self) {
        for probe in self.probes.iter_mut().filter(|probe| probe.state == ProbeState::InFlight) {
            probe.has_left = true;
        }
    }

    /// The newest probe with these low 16 bits; `None` when it is not kept.
    pub fn probe(&self, wire: u16) -> Option<u64> {
        let newest = self.counts.transmitted;
        let back = (newest & 0xffff).wrapping_sub(u64::from(wire)) & 0xffff;
        newest.checked_sub(back).filter(|sequence| *sequence >= self.first)
    }

    /// Records a reply that the kernel stamped at `kernel`; `None` when its probe is not kept.
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
        // As in iputils, a reply with a wrong checksum is shown and counted, but does not answer the probe.
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

    /// Counts a reply that does not belong to this run.
    pub fn foreign(&mut self) {
        self.counts.foreign += 1;
    }

    /// Counts datagrams dropped because the receive buffer was full.
    pub fn overflowed(&mut self, datagrams: u64) {
        self.counts.overflowed += datagrams;
    }

    /// Records an ICMP error; returns the number of its probe, `None` when it is not kept.
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

    /// Records a local error about the newest packet.
    pub fn local_error(&mut self) {
        self.counts.errors += 1;
        self.consecutive_losses += 1;
        self.is_refused = true;
        self.set_state(self.counts.transmitted, ProbeState::Failed);
    }

    /// Ends the run at the next step.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The counters so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The round-trip times so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Statistics over the sequence of probes at `now`.
    pub fn sequence_stats(&self, now: Instant) -> SequenceStats {
        let mut sequence_stats = self.sequence_stats.clone();
        self.probes.iter().for_each(|probe| sequence_stats.take(probe, self.stamps));
        sequence_stats.end(self.since_start(now), self.counts.overflowed);
        sequence_stats
    }

    /// Time from the start to the last send.
    pub fn elapsed(&self) -> Duration {
        self.last_send.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.start))
    }

    /// Mean time between two sends; `None` before the second.
    pub fn mean_gap(&self) -> Option<Duration> {
        let gaps = self.counts.transmitted.checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some(Duration::from_nanos(nanoseconds(self.elapsed()) / gaps))
    }

    /// Whether enough replies arrived for exit code 0.
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
            // A run that waits for a state change goes on after errors.
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

    /// When the next probe is due.
    fn due(&self) -> Instant {
        let Some(last) = self.last_send else { return self.base };
        // A failed send is not repeated at once.
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

    /// When the next probe of a fixed schedule is due.
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
