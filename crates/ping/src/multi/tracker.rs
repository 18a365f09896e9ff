//! Matches replies to probes; statistics per target. No I/O and no clock: times are nanoseconds since the start.
//!
//! Only the receiver thread uses the tracker; it shares the ring and the set of answered targets with the sender.

use std::net::IpAddr;

use super::alive_set::AliveSet;
use super::probe_ring::{Probe, ProbeRing};
use super::target_set::TargetSet;
use super::target_stats::{TargetStats, add_one};
use crate::probe_state::{Foreign, Integrity, ProbeState, ReplyClass, integrity_of};
use crate::proto::ECHO_HEADER;
use crate::proto::icmp_message::IcmpMessage;
use crate::proto::payload;
use crate::proto::payload_mac::PayloadMac;
use crate::rtt::{self, SendTime, StampSource};

/// Maximum number of tries of a probe that this host dropped.
const MAX_TRIES: u8 = 3;

/// An event of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeEvent {
    /// Number of the target.
    pub(crate) target: u32,
    /// Number of the probe to its target, from 1.
    pub(crate) sequence: u32,
    pub(crate) kind: EventKind,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Answer(ProbeReply),
    Foreign {
        from: IpAddr,
        why: Foreign,
    },
    Error {
        from: IpAddr,
        kind: u8,
        code: u8,
        info: u32,
    },
    Lost,
    /// The kernel refused the packet with this errno.
    NotSent(i32),
    Dropped,
}

/// A reply matched to its probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeReply {
    pub(crate) class: ReplyClass,
    pub(crate) integrity: Integrity,
    /// The sender, which differs from the target for an anycast address.
    pub(crate) from: IpAddr,
    pub(crate) time: u64,
    pub(crate) source: StampSource,
    pub(crate) bytes: usize,
    pub(crate) hops: Option<u8>,
}

/// Totals of events over all targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunCounts {
    pub(crate) lost: u64,
    pub(crate) in_flight: u64,
    pub(crate) corrupt: u64,
    pub(crate) foreign: u64,
    pub(crate) errors: u64,
    pub(crate) not_sent: u64,
    /// Probes sent again because this host dropped the reply.
    pub(crate) dropped_locally: u64,
}

/// A received message with its circumstances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) message: IcmpMessage<'a>,
    pub(crate) from: IpAddr,
    /// Time to live or hop limit, from a control message.
    pub(crate) hops: Option<u8>,
    /// The kernel's receive time stamp.
    pub(crate) stamp: Option<u64>,
    pub(crate) now: u64,
}

/// The state of all probes.
pub(crate) struct ProbeTracker<'a> {
    pub(crate) targets: &'a TargetSet,
    ring: &'a ProbeRing,
    alive: &'a AliveSet,
    mac: PayloadMac,
    pattern: &'a [u8],
    timeout: u64,
    stats: Vec<TargetStats>,
    pub(crate) counts: RunCounts,
    oldest: u64,
    /// Time of the latest local drop.
    last_drop: Option<u64>,
}

impl<'a> ProbeTracker<'a> {
    pub(crate) fn new(
        targets: &'a TargetSet,
        ring: &'a ProbeRing,
        alive: &'a AliveSet,
        mac: PayloadMac,
        pattern: &'a [u8],
        timeout: u64,
    ) -> Self {
        let stats = vec![TargetStats::default(); targets.count() as usize];
        let counts = RunCounts::default();
        Self { targets, ring, alive, mac, pattern, timeout, stats, counts, oldest: 0, last_drop: None }
    }

    /// The statistics of target `index`.
    pub(crate) fn stats(&self, index: u32) -> &TargetStats {
        &self.stats[index as usize]
    }

    /// Whether all probes sent so far are settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.oldest == self.ring.next()
    }

    /// When the oldest probe in flight expires.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        (!self.is_settled()).then(|| self.ring.read(self.oldest).sent.saturating_add(self.timeout))
    }

    /// Records a local drop.
    pub(crate) fn dropped(&mut self, now: u64) {
        self.last_drop = Some(now);
    }

    /// Records the kernel's send stamp of probe `number`.
    pub(crate) fn stamped(&mut self, number: u64, stamp: u64, now: u64) {
        let slot = self.ring.read(number);
        // A stamp before the send belongs to an older probe; one in the future comes from a clock step.
        if number < self.ring.next() && (slot.sent..=now).contains(&stamp) {
            self.ring.set_sent(number, stamp);
        }
    }

    /// Matches a received message; `None` when it is unrelated.
    pub(crate) fn arrived(&mut self, arrived: &Arrival<'_>) -> Option<ProbeEvent> {
        match arrived.message {
            IcmpMessage::Reply { identifier, sequence, payload, hops, is_intact } => {
                let number = self.ring.number(identifier, sequence)?;
                let probe = self.ring.read(number).probe;
                let kind = match self.integrity(number, identifier, payload, is_intact, arrived.from) {
                    Ok(integrity) => self.answer(number, arrived, payload, hops, integrity)?,
                    Err(why) => {
                        self.counts.foreign += 1;
                        EventKind::Foreign { from: arrived.from, why }
                    }
                };
                Some(event(probe, kind))
            }
            IcmpMessage::Error { kind, code, info, target, identifier, sequence } => {
                let number = self.ring.number(identifier, sequence)?;
                let slot = self.ring.read(number);
                (self.targets.address(slot.probe.target).0 == target).then_some(())?;
                self.counts.errors += 1;
                self.stats_of(slot.probe).add_error(kind, code);
                match slot.state {
                    ProbeState::InFlight => self.settle(number, slot.probe, ProbeState::Failed),
                    ProbeState::Lost => {
                        self.counts.lost -= 1;
                        self.stats_of(slot.probe).lost -= 1;
                        self.ring.set_state(number, ProbeState::Failed);
                    }
                    _ => {}
                }
                Some(event(slot.probe, EventKind::Error { from: arrived.from, kind, code, info }))
            }
        }
    }

    /// Records that probe `number` could not be sent.
    pub(crate) fn refused(&mut self, number: u64, errno: i32) -> Option<ProbeEvent> {
        let slot = self.ring.read(number);
        (slot.state == ProbeState::InFlight).then_some(())?;
        self.counts.not_sent += 1;
        add_one(&mut self.stats_of(slot.probe).not_sent);
        self.settle(number, slot.probe, ProbeState::NotSent);
        Some(event(slot.probe, EventKind::NotSent(errno)))
    }

    /// Declares the oldest expired probe lost; returns the event and the probe to send again, if any.
    ///
    /// Call until it returns `None`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<(ProbeEvent, Option<Probe>)> {
        while !self.is_settled() {
            let number = self.oldest;
            let slot = self.ring.read(number);
            if slot.state == ProbeState::InFlight {
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

    /// Ends the run; probes in flight keep no result.
    pub(crate) fn close(&mut self) {
        while !self.is_settled() {
            let slot = self.ring.read(self.oldest);
            if slot.state == ProbeState::InFlight {
                self.counts.in_flight += 1;
                let stats = self.stats_of(slot.probe);
                stats.sent += 1;
                add_one(&mut stats.in_flight);
            }
            self.advance();
        }
    }

    fn give_up(&mut self, number: u64) -> (ProbeEvent, Option<Probe>) {
        let slot = self.ring.read(number);
        if self.last_drop.is_some_and(|drop| drop >= slot.sent) && slot.probe.tries < MAX_TRIES {
            self.counts.dropped_locally += 1;
            self.ring.set_state(number, ProbeState::Retried);
            let again = Probe { tries: slot.probe.tries + 1, ..slot.probe };
            return (event(slot.probe, EventKind::Dropped), Some(again));
        }
        // Also without an answer to ARP or neighbour discovery: the target does not answer.
        self.counts.lost += 1;
        self.stats_of(slot.probe).lost += 1;
        self.settle(number, slot.probe, ProbeState::Lost);
        (event(slot.probe, EventKind::Lost), None)
    }

    /// How much of a reply equals probe `number`; an error names why it does not belong to the probe.
    fn integrity(
        &self,
        number: u64,
        identifier: u16,
        payload: &[u8],
        is_intact: bool,
        from: IpAddr,
    ) -> Result<Integrity, Foreign> {
        let address = self.targets.address(self.ring.read(number).probe.target).0;
        let mac = self.mac.mac(address, identifier, number);
        integrity_of(payload::compare(self.pattern, mac, payload), is_intact, from == address, address.is_ipv6())
    }

    fn answer(
        &mut self,
        number: u64,
        arrived: &Arrival<'_>,
        payload: &[u8],
        hops: Option<u8>,
        integrity: Integrity,
    ) -> Option<EventKind> {
        let slot = self.ring.read(number);
        let limit = arrived.now.saturating_sub(slot.sent);
        let sent = SendTime { stamp: slot.sent, is_kernel: slot.is_stamped };
        let (time, source) = rtt::round_trip(sent, arrived.stamp, limit);
        let class = match slot.state {
            ProbeState::InFlight | ProbeState::Failed | ProbeState::NotSent => ReplyClass::Reply,
            ProbeState::Lost => ReplyClass::Late,
            ProbeState::Replied => ReplyClass::Duplicate,
            // The repeated probe counts instead.
            ProbeState::Retried => return None,
        };
        let reply = ProbeReply {
            class,
            integrity,
            from: arrived.from,
            time,
            source,
            bytes: ECHO_HEADER + payload.len(),
            hops: hops.or(arrived.hops),
        };
        if integrity.is_corrupt() {
            self.counts.corrupt += 1;
            add_one(&mut self.stats_of(slot.probe).corrupt);
        }
        // As in iputils, a reply with a wrong checksum does not answer the probe.
        if integrity == Integrity::Checksum {
            return Some(EventKind::Answer(reply));
        }
        let target_stats = &mut self.stats[slot.probe.target as usize];
        match class {
            ReplyClass::Duplicate => add_one(&mut target_stats.duplicates),
            ReplyClass::Late => {
                add_one(&mut target_stats.late);
                target_stats.lost -= 1;
                self.counts.lost -= 1;
            }
            ReplyClass::Reply => {}
        }
        if slot.state == ProbeState::InFlight {
            self.settle(number, slot.probe, ProbeState::Replied);
        } else {
            self.ring.set_state(number, ProbeState::Replied);
        }
        if class != ReplyClass::Duplicate {
            self.stats[slot.probe.target as usize].add_reply(time);
            self.alive.insert(slot.probe.target);
        }
        Some(EventKind::Answer(reply))
    }

    fn settle(&mut self, number: u64, probe: Probe, state: ProbeState) {
        self.ring.set_state(number, state);
        let target_stats = self.stats_of(probe);
        target_stats.sent += 1;
        target_stats.is_up = state == ProbeState::Replied;
    }

    fn stats_of(&mut self, probe: Probe) -> &mut TargetStats {
        &mut self.stats[probe.target as usize]
    }

    fn advance(&mut self) {
        self.oldest += 1;
        self.ring.settle_until(self.oldest);
    }
}

fn event(probe: Probe, kind: EventKind) -> ProbeEvent {
    ProbeEvent { target: probe.target, sequence: probe.round + 1, kind }
}

#[cfg(test)]
mod tests;
