//! When to send, what became of each probe, and when to stop: the scheduler of ping, without I/O.
//!
//! The loop asks [`Pinger::step`] what to do and tells what it saw; times come in as arguments. Send times are kept here,
//! one slot a probe, so nothing that a reply carries can reach a round-trip time. It must not read a clock or print.

mod plan;
mod slot;
mod tally;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use self::plan::{Pace, Plan, Until};
pub use self::tally::Tally;

use self::slot::{Fate, Slot};
use crate::stats::Stats;

/// Probes that are remembered: as many as the 16 bits of the sequence tell apart.
const REMEMBERED: usize = 65_536;
/// Probes that may leave together to catch up with a delay, as long as it is short.
const CAUGHT_UP: u32 = 10;
/// Longest delay that is caught up with, where the interval is shorter.
const SHORT_DELAY: Duration = Duration::from_millis(200);
/// Shortest time between two sends while nothing comes back, when replies drive the sending.
const UNANSWERED_INTERVAL: Duration = Duration::from_millis(10);

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

/// How much of a reply is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// All of it.
    Whole,
    /// Its end is missing.
    Truncated,
    /// Byte number `.0` of the payload is not what was sent.
    Changed(usize),
    /// The ICMP checksum is wrong.
    Checksum,
}

/// A reply with its probe and its round-trip time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Number of the probe.
    pub sequence: u64,
    /// First, late or repeated.
    pub verdict: Verdict,
    /// How much of it is right.
    pub integrity: Integrity,
    /// Whether a later probe had been answered before.
    pub is_reordered: bool,
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
    in_flight: u64,
    /// Whether this host refused a probe since the last answer.
    is_refused: bool,
    /// The highest number that was answered.
    highest: u64,
    /// Probes without an answer since the last answer.
    silent: u64,
    /// Whether a device stamped any probe of this run.
    stamps: bool,
    /// The probes that left `slots`.
    tally: Tally,
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
            in_flight: 0,
            is_refused: false,
            highest: 0,
            silent: 0,
            stamps: false,
            tally: Tally::default(),
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
            self.silent += 1;
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
    pub fn sent(&mut self, now: Moment) {
        if let Pace::Every(interval) = self.plan.pace {
            // What a busy machine delays is caught up with; after a long pause (a suspended machine) the schedule goes
            // on from here, without a burst.
            let behind = now.steady.saturating_duration_since(self.scheduled(interval));
            if behind > interval.saturating_mul(CAUGHT_UP).min(SHORT_DELAY).max(interval) {
                self.base += behind;
            }
        }
        self.counts.transmitted += 1;
        self.last_send = Some(now.steady);
        if self.slots.len() == REMEMBERED {
            self.forget_first();
        }
        self.slots.push_back(Slot::new(self.since_start(now.steady), now.wall));
        self.in_flight += 1;
    }

    fn forget_first(&mut self) {
        let Some(mut slot) = self.slots.pop_front() else { return };
        if slot.fate == Fate::InFlight {
            self.in_flight -= 1;
            slot.fate = Fate::Lost;
        }
        self.tally.take(&slot, self.stamps);
        self.first += 1;
        self.oldest = self.oldest.max(self.first);
    }

    /// The send of this probe failed on this host.
    pub fn not_sent(&mut self, sequence: u64) {
        self.counts.not_sent += 1;
        self.silent += 1;
        self.is_refused = true;
        self.set_fate(sequence, Fate::NotSent);
    }

    /// The kernel stamped the send of probe `sequence` at `wall` nanoseconds since 1970: on its way to a device
    /// (`has_left`), or into the queue before it.
    pub fn stamped(&mut self, sequence: u64, wall: u64, has_left: bool) {
        if let Some(slot) = self.slot(sequence) {
            slot.stamp(wall, has_left);
            self.stamps |= has_left;
        }
    }

    /// Stamps are numbered anew: those of the probes on their way can no longer be told apart.
    pub fn stamps_restarted(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.fate == Fate::InFlight) {
            slot.has_left = true;
        }
    }

    /// The newest probe whose number ends in these 16 bits; `None` when no such is remembered.
    pub fn probe(&self, wire: u16) -> Option<u64> {
        let newest = self.counts.transmitted;
        let back = (newest & 0xffff).wrapping_sub(u64::from(wire)) & 0xffff;
        newest.checked_sub(back).filter(|sequence| *sequence >= self.first)
    }

    /// A reply to probe `sequence` arrived, stamped by the kernel at `kernel`; `None` when that is not remembered.
    pub fn reply(&mut self, sequence: u64, now: Moment, kernel: Option<u64>, integrity: Integrity) -> Option<Answer> {
        let steady = self.since_start(now.steady);
        let slot = *self.slot(sequence)?;
        let (time, source) = slot.round_trip(steady, kernel.filter(|_| !self.plan.user_times));
        let verdict = match slot.fate {
            Fate::Replied => Verdict::Duplicate,
            Fate::Lost => Verdict::Late,
            Fate::InFlight | Fate::NotSent | Fate::Failed => Verdict::Reply,
        };
        self.counts.pipe = self.counts.pipe.max(self.counts.transmitted - sequence + 1);
        self.counts.corrupt += u64::from(matches!(integrity, Integrity::Checksum | Integrity::Changed(_)));
        // As iputils has it: what fails the checksum is shown and counted as such, and answers nothing.
        let is_answer = integrity != Integrity::Checksum && verdict != Verdict::Duplicate;
        let is_reordered = is_answer && sequence < self.highest;
        if is_answer {
            self.counts.received += 1;
            self.counts.late += u64::from(verdict == Verdict::Late);
            self.counts.reordered += u64::from(is_reordered);
            self.highest = self.highest.max(sequence);
            self.silent = 0;
            self.is_refused = false;
            self.stats.add(time);
            self.set_fate(sequence, Fate::Replied);
            if let Some(slot) = self.slot(sequence) {
                slot.time = nanoseconds(time);
            }
        } else if integrity != Integrity::Checksum {
            self.counts.duplicates += 1;
        }
        Some(Answer { sequence, verdict, integrity, is_reordered, time, source })
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
        match self.slot(sequence).map(|slot| slot.fate) {
            Some(Fate::InFlight) => {
                self.silent += 1;
                self.set_fate(sequence, Fate::Failed);
            }
            Some(Fate::Lost) => self.set_fate(sequence, Fate::Failed),
            _ => {}
        }
        Some(sequence)
    }

    /// The kernel of this host refused the newest packet with an error of its own.
    pub fn local_error(&mut self) {
        self.counts.errors += 1;
        self.silent += 1;
        self.is_refused = true;
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

    /// What the order of the probes shows, as it stands at `now`.
    pub fn tally(&self, now: Instant) -> Tally {
        let mut tally = self.tally.clone();
        self.slots.iter().for_each(|slot| tally.take(slot, self.stamps));
        tally.end(self.since_start(now), self.counts.overflowed);
        tally
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
            Until::Down(row) => self.silent >= row,
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
            if let Some(slot) = self.slot(oldest).filter(|slot| slot.fate == Fate::InFlight) {
                return Some((oldest, start + Duration::from_nanos(slot.sent)));
            }
            self.oldest += 1;
        }
        None
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.start))
    }

    fn slot(&mut self, sequence: u64) -> Option<&mut Slot> {
        let index = sequence.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    fn set_fate(&mut self, sequence: u64, fate: Fate) {
        if let Some(slot) = self.slot(sequence) {
            let was_in_flight = std::mem::replace(&mut slot.fate, fate) == Fate::InFlight;
            self.in_flight -= u64::from(was_in_flight);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
