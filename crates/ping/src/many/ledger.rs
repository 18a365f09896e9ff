//! The books of a run: which probe an answer belongs to, what became of each, and when all is known.
//!
//! No I/O and no clock: times come in as nanoseconds since the start. The receiver alone keeps the ledger; it shares the
//! slots and the set of answered targets with the sender.

use std::net::IpAddr;

use super::answered::Answered;
use super::heard::Heard;
use super::hosts::Hosts;
use super::outcome::Outcome;
use super::slots::{Probe, Slots, State};
use crate::pinger::{Source, Verdict};
use crate::proto::ECHO_HEADER;
use crate::proto::payload::{self, Comparison};
use crate::proto::seal::Seal;

/// Tries of one probe that was thrown away by this host.
const MOST_TRIES: u8 = 3;

/// Something to tell about a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Number of the target.
    pub(crate) target: u32,
    /// Number of the probe among those to its target, from 1.
    pub(crate) sequence: u32,
    pub(crate) what: What,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Answer { verdict: Verdict, time: u64, source: Source, bytes: usize, hops: Option<u8>, is_truncated: bool },
    Corrupt(&'static str),
    Foreign { from: IpAddr, reason: &'static str },
    Error { from: IpAddr, kind: u8, code: u8, info: u32 },
    Lost,
    NotSent(NotSent),
    Dropped,
}

/// Why a probe did not leave this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// The kernel refused it with this error number.
    Refused(i32),
    /// The kernel took it and never handed it to the device.
    Vanished,
}

/// Counts over all targets that no single target needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) lost: u64,
    pub(crate) in_flight: u64,
    pub(crate) corrupt: u64,
    pub(crate) foreign: u64,
    pub(crate) errors: u64,
    pub(crate) not_sent: u64,
    /// Probes whose answers this host threw away, sent again.
    pub(crate) dropped_locally: u64,
}

/// An answer or error with all that is known about its coming.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived<'a> {
    pub(crate) heard: Heard<'a>,
    pub(crate) from: IpAddr,
    /// Hops left, where the kernel told them.
    pub(crate) hops: Option<u8>,
    /// When the kernel took it from the device; `None` without its stamp.
    pub(crate) stamp: Option<u64>,
    pub(crate) now: u64,
}

/// The books.
pub(crate) struct Ledger<'a> {
    pub(crate) hosts: &'a Hosts,
    slots: &'a Slots,
    answered: &'a Answered,
    seal: Seal,
    pattern: &'a [u8],
    timeout: u64,
    /// Whether send stamps are asked for, and have been seen to work.
    expects_stamps: bool,
    outcomes: Vec<Outcome>,
    pub(crate) counts: Counts,
    oldest: u64,
    /// When this host was last seen to throw packets away.
    last_drop: Option<u64>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(
        hosts: &'a Hosts,
        slots: &'a Slots,
        answered: &'a Answered,
        seal: Seal,
        pattern: &'a [u8],
        timeout: u64,
    ) -> Self {
        let outcomes = vec![Outcome::default(); hosts.count() as usize];
        let counts = Counts::default();
        Self {
            hosts,
            slots,
            answered,
            seal,
            pattern,
            timeout,
            expects_stamps: false,
            outcomes,
            counts,
            oldest: 0,
            last_drop: None,
        }
    }

    /// What is known of target `index`.
    pub(crate) fn outcome(&self, index: u32) -> &Outcome {
        &self.outcomes[index as usize]
    }

    /// Whether every probe sent so far is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.oldest == self.slots.next()
    }

    /// When the oldest probe on its way is given up.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        (!self.is_settled()).then(|| self.slots.read(self.oldest).sent.saturating_add(self.timeout))
    }

    /// This host threw packets away.
    pub(crate) fn dropped(&mut self, now: u64) {
        self.last_drop = Some(now);
    }

    /// The kernel handed probe `number` to the device at `stamp`.
    pub(crate) fn stamped(&mut self, number: u64, stamp: u64, now: u64) {
        self.expects_stamps = true;
        let slot = self.slots.read(number);
        // A stamp from before the send belongs to an older probe, one from the future to a clock that stepped.
        if number < self.slots.next() && (slot.sent..=now).contains(&stamp) {
            self.slots.set_sent(number, stamp);
        }
    }

    /// Takes in what arrived; `None` when it is none of our business.
    pub(crate) fn arrived(&mut self, arrived: &Arrived<'_>) -> Option<Told> {
        match arrived.heard {
            Heard::Reply { identifier, sequence, payload, hops, is_intact } => {
                let number = self.slots.number(identifier, sequence)?;
                let probe = self.slots.read(number).probe;
                let what = match self.flaw(number, identifier, payload, is_intact, arrived.from) {
                    Some(flaw) => flaw,
                    None => self.answer(number, arrived, payload, hops)?,
                };
                Some(told(probe, what))
            }
            Heard::Error { kind, code, info, target, identifier, sequence } => {
                let number = self.slots.number(identifier, sequence)?;
                let slot = self.slots.read(number);
                (self.hosts.address(slot.probe.target).0 == target).then_some(())?;
                self.counts.errors += 1;
                self.outcome_of(slot.probe).failed(Some((kind, code)));
                match slot.state {
                    State::InFlight => self.settle(number, slot.probe, State::Failed),
                    State::Lost => {
                        self.counts.lost -= 1;
                        self.slots.set_state(number, State::Failed);
                    }
                    State::Replied | State::Failed | State::Retried => {}
                }
                Some(told(slot.probe, What::Error { from: arrived.from, kind, code, info }))
            }
        }
    }

    /// The sender could not send probe `number`.
    pub(crate) fn refused(&mut self, number: u64, errno: i32) -> Option<Told> {
        let slot = self.slots.read(number);
        (slot.state == State::InFlight).then_some(())?;
        self.counts.not_sent += 1;
        self.outcome_of(slot.probe).failed(None);
        self.settle(number, slot.probe, State::Failed);
        Some(told(slot.probe, What::NotSent(NotSent::Refused(errno))))
    }

    /// Gives the oldest probe up whose time is over: what to tell, and whether it is to be tried again.
    ///
    /// To be called until it returns `None`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<(Told, Option<Probe>)> {
        while !self.is_settled() {
            let number = self.oldest;
            let slot = self.slots.read(number);
            if slot.state == State::InFlight {
                if slot.sent.saturating_add(self.timeout) > now {
                    return None;
                }
                let given_up = self.give_up(number);
                self.advance();
                return Some(given_up);
            }
            self.advance();
        }
        None
    }

    /// The run ends: what is on its way stays unknown.
    pub(crate) fn close(&mut self) {
        while !self.is_settled() {
            let slot = self.slots.read(self.oldest);
            if slot.state == State::InFlight {
                self.counts.in_flight += 1;
                self.outcome_of(slot.probe).sent += 1;
            }
            self.advance();
        }
    }

    fn give_up(&mut self, number: u64) -> (Told, Option<Probe>) {
        let slot = self.slots.read(number);
        if self.last_drop.is_some_and(|drop| drop >= slot.sent) && slot.probe.tries < MOST_TRIES {
            self.counts.dropped_locally += 1;
            self.slots.set_state(number, State::Retried);
            let again = Probe { tries: slot.probe.tries + 1, ..slot.probe };
            return (told(slot.probe, What::Dropped), Some(again));
        }
        if self.expects_stamps && !slot.is_stamped {
            self.counts.not_sent += 1;
            self.outcome_of(slot.probe).failed(None);
            self.settle(number, slot.probe, State::Failed);
            return (told(slot.probe, What::NotSent(NotSent::Vanished)), None);
        }
        self.counts.lost += 1;
        self.settle(number, slot.probe, State::Lost);
        (told(slot.probe, What::Lost), None)
    }

    /// What is wrong with a reply to probe `number`.
    fn flaw(&mut self, number: u64, identifier: u16, payload: &[u8], is_intact: bool, from: IpAddr) -> Option<What> {
        let target = self.slots.read(number).probe.target;
        let address = self.hosts.address(target).0;
        let foreign = |reason| What::Foreign { from, reason };
        let code = self.seal.code(address, identifier, number);
        let flaw = match payload::compare(self.pattern, code, payload) {
            _ if !is_intact => What::Corrupt("wrong checksum"),
            _ if from != address => foreign("from another address"),
            Comparison::WithoutCode => foreign("without the code of this probe"),
            Comparison::Changed(_) => What::Corrupt("changed payload"),
            Comparison::Whole | Comparison::Truncated => return None,
        };
        match flaw {
            What::Corrupt(_) => {
                self.counts.corrupt += 1;
                self.outcomes[target as usize].failed(None);
            }
            _ => self.counts.foreign += 1,
        }
        Some(flaw)
    }

    fn answer(&mut self, number: u64, arrived: &Arrived<'_>, payload: &[u8], hops: Option<u8>) -> Option<What> {
        let slot = self.slots.read(number);
        let limit = arrived.now.saturating_sub(slot.sent);
        let stamped = arrived.stamp.and_then(|stamp| stamp.checked_sub(slot.sent)).filter(|time| *time <= limit);
        let (time, source) = match stamped {
            Some(time) if slot.is_stamped => (time, Source::Kernel),
            Some(time) => (time, Source::KernelReceive),
            None => (limit, Source::User),
        };
        let verdict = match slot.state {
            State::InFlight | State::Failed => Verdict::Reply,
            State::Lost => Verdict::Late,
            State::Replied => Verdict::Duplicate,
            // Another probe asks the same again, and its answer counts.
            State::Retried => return None,
        };
        let outcome = &mut self.outcomes[slot.probe.target as usize];
        match verdict {
            Verdict::Duplicate => outcome.duplicates = outcome.duplicates.saturating_add(1),
            Verdict::Late => {
                outcome.late = outcome.late.saturating_add(1);
                self.counts.lost -= 1;
            }
            Verdict::Reply => {}
        }
        if verdict != Verdict::Duplicate {
            outcome.answered(time);
            self.answered.insert(slot.probe.target);
        }
        if slot.state == State::InFlight {
            self.settle(number, slot.probe, State::Replied);
        } else {
            self.slots.set_state(number, State::Replied);
        }
        let is_truncated = payload.len() < self.pattern.len();
        let bytes = ECHO_HEADER + payload.len();
        Some(What::Answer { verdict, time, source, bytes, hops: hops.or(arrived.hops), is_truncated })
    }

    fn settle(&mut self, number: u64, probe: Probe, state: State) {
        self.slots.set_state(number, state);
        self.outcome_of(probe).sent += 1;
    }

    fn outcome_of(&mut self, probe: Probe) -> &mut Outcome {
        &mut self.outcomes[probe.target as usize]
    }

    fn advance(&mut self) {
        self.oldest += 1;
        self.slots.settle_until(self.oldest);
    }
}

fn told(probe: Probe, what: What) -> Told {
    Told { target: probe.target, sequence: probe.round + 1, what }
}

#[cfg(test)]
mod tests;
