//! When to send, what became of each probe, and when to stop: the scheduler of ping, without I/O.
//!
//! The loop asks [`Pinger::step`] what to do and tells what it saw; times come in as arguments. Send times are kept here,
//! one slot a probe, so nothing that a reply carries can reach a round-trip time. It must not read a clock or print.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::stats::Stats;

/// Probes that are remembered: as many as the 16 bits of the sequence tell apart.
const REMEMBERED: usize = 65_536;

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Time between two sends.
    pub interval: Duration,
    /// Probes that are sent at once at the start, at least 1.
    pub preload: u64,
    /// Stop after this many (answers, when there is a deadline).
    pub count: Option<u64>,
    /// How long a reply is waited for.
    pub timeout: Duration,
    /// Stop this long after the start, whatever has come.
    pub deadline: Option<Duration>,
    /// Leave the kernel's stamps out of the round-trip time.
    pub user_times: bool,
}

/// One moment, read from two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Never steps.
    pub steady: Instant,
    /// Nanoseconds since 1970: the clock that the kernel stamps packets with.
    pub wall: u64,
}

/// What the loop shall do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the probe with this number, and tell with [`Pinger::sent`] or [`Pinger::not_sent`].
    Send(u64),
    /// Say that this probe has no answer yet.
    NoAnswer(u64),
    /// Sleep until then, or until something arrives.
    Wait(Instant),
    /// It is over.
    Finish,
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    InFlight,
    NotSent,
    Replied,
    Lost,
    Failed,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    sent: Moment,
    /// When the kernel handed the packet to the device, once that is known.
    kernel: Option<u64>,
    fate: Fate,
}

/// Which clocks a round-trip time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The kernel stamped both ends.
    Kernel,
    /// The kernel stamped the reply; the send time was read before the send.
    KernelReceive,
    /// This program's monotonic clock.
    User,
}

/// What a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The first answer, in time.
    Reply,
    /// The first answer, after the probe had been given up.
    Late,
    /// One more answer.
    Duplicate,
}

/// A reply with its probe and its round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Number of the probe.
    pub sequence: u64,
    /// First, late or repeated.
    pub verdict: Verdict,
    /// Round-trip time.
    pub time: Duration,
    /// How it was measured.
    pub source: Source,
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
    /// Answers with a wrong ICMP checksum.
    pub corrupt: u64,
    /// ICMP errors, and sends that the kernel refused with one.
    pub errors: u64,
    /// Sends that failed on this host.
    pub not_sent: u64,
    /// The largest number of probes that were on their way when an answer came.
    pub pipe: u64,
}

/// The state of one run.
#[derive(Debug)]
pub struct Pinger {
    plan: Plan,
    start: Instant,
    /// The moment at which the schedule counts from; later than `start` after the machine was asleep.
    base: Instant,
    last_send: Option<Instant>,
    interrupted: bool,
    counts: Counts,
    stats: Stats,
    slots: VecDeque<Slot>,
    /// Number of the probe in the first slot; probes count from 1.
    first: u64,
    /// No probe before this one is in flight.
    oldest: u64,
}

impl Pinger {
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
            slots: VecDeque::new(),
            first: 1,
            oldest: 1,
        }
    }

    /// What to do at `now`; to be asked again after each [`Action::Send`] and [`Action::NoAnswer`].
    pub fn step(&mut self, now: Instant) -> Action {
        if self.is_finished(now) {
            return Action::Finish;
        }
        let overdue = self.oldest_in_flight().map(|(sequence, sent)| (sequence, sent + self.plan.timeout));
        if let Some((sequence, _)) = overdue.filter(|(_, end)| *end <= now) {
            self.set_fate(sequence, Fate::Lost);
            return Action::NoAnswer(sequence);
        }
        let next = self.may_send().then(|| self.due(self.counts.transmitted));
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
    pub fn sent(&mut self, now: Moment) {
        // A schedule that fell behind by more than a step (a suspended machine) goes on from here, without a burst.
        let behind = now.steady.saturating_duration_since(self.due(self.counts.transmitted));
        if behind > self.plan.interval {
            self.base += behind;
        }
        self.counts.transmitted += 1;
        self.last_send = Some(now.steady);
        if self.slots.len() == REMEMBERED {
            self.slots.pop_front();
            self.first += 1;
            self.oldest = self.oldest.max(self.first);
        }
        self.slots.push_back(Slot { sent: now, kernel: None, fate: Fate::InFlight });
    }

    /// The send of the newest probe failed on this host.
    pub fn not_sent(&mut self) {
        self.counts.not_sent += 1;
        self.set_fate(self.counts.transmitted, Fate::NotSent);
    }

    /// The kernel stamped the send of probe `sequence` at `wall` nanoseconds since 1970.
    pub fn stamped(&mut self, sequence: u64, wall: u64) {
        if let Some(slot) = self.slot(sequence) {
            slot.kernel = Some(wall);
        }
    }

    /// A reply to the probe with these 16 bits arrived, stamped by the kernel at `kernel`; `None` when no such was sent.
    pub fn reply(&mut self, wire: u16, now: Moment, kernel: Option<u64>, intact: bool) -> Option<Answer> {
        let sequence = self.whole(wire)?;
        let slot = *self.slot(sequence)?;
        let (time, source) = round_trip(&slot, now, kernel.filter(|_| !self.plan.user_times));
        let verdict = match slot.fate {
            Fate::Replied => Verdict::Duplicate,
            Fate::Lost => Verdict::Late,
            Fate::InFlight | Fate::NotSent | Fate::Failed => Verdict::Reply,
        };
        self.counts.pipe = self.counts.pipe.max(self.counts.transmitted - sequence + 1);
        if !intact {
            // As iputils has it: a broken reply is shown and counted as such, and answers nothing.
            self.counts.corrupt += 1;
        } else if verdict == Verdict::Duplicate {
            self.counts.duplicates += 1;
        } else {
            self.counts.received += 1;
            self.counts.late += u64::from(verdict == Verdict::Late);
            self.stats.add(time);
            self.set_fate(sequence, Fate::Replied);
        }
        Some(Answer { sequence, verdict, time, source })
    }

    /// An ICMP error about the probe with these 16 bits arrived; its number, or `None` when no such was sent.
    pub fn error(&mut self, wire: u16) -> Option<u64> {
        let sequence = self.whole(wire)?;
        self.counts.errors += 1;
        self.counts.pipe = self.counts.pipe.max(self.counts.transmitted - sequence + 1);
        if self.slot(sequence).is_some_and(|slot| slot.fate != Fate::Replied) {
            self.set_fate(sequence, Fate::Failed);
        }
        Some(sequence)
    }

    /// The kernel of this host refused a packet with an error of its own.
    pub fn local_error(&mut self) {
        self.counts.errors += 1;
        self.set_fate(self.counts.transmitted, Fate::Failed);
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

    /// From the start to the last send.
    pub fn elapsed(&self) -> Duration {
        self.last_send.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.start))
    }

    /// Whether as much came back as was asked for.
    pub fn is_success(&self) -> bool {
        let received = self.counts.received;
        received > 0 && (self.plan.deadline.is_none() || self.plan.count.is_none_or(|count| received >= count))
    }

    fn is_finished(&mut self, now: Instant) -> bool {
        let Counts { transmitted, received, errors, .. } = self.counts;
        if self.interrupted || self.plan.deadline.is_some_and(|deadline| now >= self.start + deadline) {
            return true;
        }
        let settled = self.oldest_in_flight().is_none();
        match (self.plan.count, self.plan.deadline) {
            (count, Some(_)) => errors > 0 || count.is_some_and(|count| received >= count),
            (Some(count), None) => transmitted >= count && settled,
            (None, None) => false,
        }
    }

    fn may_send(&self) -> bool {
        self.plan.deadline.is_some() || self.plan.count.is_none_or(|count| self.counts.transmitted < count)
    }

    /// When the probe that `already` others precede is to be sent.
    fn due(&self, already: u64) -> Instant {
        let steps = already.saturating_sub(self.plan.preload.saturating_sub(1));
        let nanoseconds = self.plan.interval.as_nanos().saturating_mul(u128::from(steps));
        self.base + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn oldest_in_flight(&mut self) -> Option<(u64, Instant)> {
        while self.oldest <= self.counts.transmitted {
            let oldest = self.oldest;
            if let Some(slot) = self.slot(oldest).filter(|slot| slot.fate == Fate::InFlight) {
                return Some((oldest, slot.sent.steady));
            }
            self.oldest += 1;
        }
        None
    }

    fn slot(&mut self, sequence: u64) -> Option<&mut Slot> {
        let index = sequence.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    fn set_fate(&mut self, sequence: u64, fate: Fate) {
        if let Some(slot) = self.slot(sequence) {
            slot.fate = fate;
        }
    }

    /// The newest probe whose number ends in these 16 bits.
    fn whole(&self, wire: u16) -> Option<u64> {
        let newest = self.counts.transmitted;
        let back = (newest & 0xffff).wrapping_sub(u64::from(wire)) & 0xffff;
        newest.checked_sub(back).filter(|sequence| *sequence >= self.first)
    }
}

/// Kernel stamps measure best, but their clock may step: they count while they stay below what the steady clock saw.
fn round_trip(slot: &Slot, now: Moment, kernel: Option<u64>) -> (Duration, Source) {
    let limit = now.steady.saturating_duration_since(slot.sent.steady);
    let since = |start: u64| {
        let time = Duration::from_nanos(kernel?.checked_sub(start)?);
        (time <= limit).then_some(time)
    };
    if let Some(time) = slot.kernel.and_then(since) {
        (time, Source::Kernel)
    } else if let Some(time) = since(slot.sent.wall) {
        (time, Source::KernelReceive)
    } else {
        (limit, Source::User)
    }
}

#[cfg(test)]
mod tests;
