//! Probes in flight: one slot of 16 bytes each, found by identifier and sequence, in the order of sending.
//!
//! The sender fills a slot before the packet leaves; after that only the receiver changes its state. All probes have
//! the same timeout, so the ring is also the queue of deadlines. Counters of 64 bits never wrap.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::probe_state::ProbeState;

/// Probes per ICMP identifier.
pub(crate) const BLOCK: u64 = 1 << 16;
/// Maximum number of identifiers of a run: 262,144 probes in flight, more than a kernel sends in a second.
pub(crate) const MAX_IDENTIFIERS: u64 = 4;

/// The target and round of a probe, and how often this host had to send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) target: u32,
    /// Round, from 0, modulo 2^24.
    pub(crate) round: u32,
    /// Earlier tries, up to 7.
    pub(crate) tries: u8,
}

/// A copy of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeSnapshot {
    pub(crate) probe: Probe,
    pub(crate) state: ProbeState,
    /// Nanoseconds since the start of the run.
    pub(crate) sent: u64,
    /// Whether `sent` is a time stamp of the kernel.
    pub(crate) is_stamped: bool,
}

#[derive(Debug, Default)]
struct RingSlot {
    /// Nanoseconds since the start of the run.
    sent: AtomicU64,
    /// Target, round, tries, stamped and state: 32, 24, 3, 1 and 4 bits.
    word: AtomicU64,
}

/// The ring of slots.
#[derive(Debug)]
pub(crate) struct ProbeRing {
    ring: Box<[RingSlot]>,
    /// The first identifier.
    identifier: u16,
    /// Number of the next probe.
    next: AtomicU64,
    /// All probes before this one are settled.
    oldest: AtomicU64,
}

impl ProbeRing {
    /// A ring with `identifiers` identifiers from `identifier` on, a power of two.
    pub(crate) fn new(identifier: u16, identifiers: u64) -> Self {
        let ring = (0..identifiers * BLOCK).map(|_| RingSlot::default()).collect();
        Self { ring, identifier, next: AtomicU64::new(0), oldest: AtomicU64::new(0) }
    }

    /// Number of the next probe; all slots before it are filled.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Probes that can be sent before the ring is full.
    pub(crate) fn room(&self) -> u64 {
        (self.ring.len() as u64).saturating_sub(self.next() - self.oldest.load(Ordering::Acquire))
    }

    /// Fills the slot of probe `number`, before its packet is sent.
    pub(crate) fn fill(&self, number: u64, probe: Probe, sent: u64) {
        let slot = self.slot(number);
        slot.sent.store(sent, Ordering::Relaxed);
        slot.word.store(pack(probe, ProbeState::InFlight), Ordering::Relaxed);
        self.next.store(number + 1, Ordering::Release);
    }

    /// Releases all slots before `number`.
    pub(crate) fn settle_until(&self, number: u64) {
        self.oldest.store(number, Ordering::Release);
    }

    /// A copy of the slot of probe `number`.
    pub(crate) fn read(&self, number: u64) -> ProbeSnapshot {
        let slot = self.slot(number);
        let word = slot.word.load(Ordering::Relaxed);
        let (probe, state) = unpack(word);
        ProbeSnapshot { probe, state, sent: slot.sent.load(Ordering::Relaxed), is_stamped: word & STAMPED != 0 }
    }

    /// Sets the state of probe `number`.
    pub(crate) fn set_state(&self, number: u64, state: ProbeState) {
        let slot = self.slot(number);
        let word = slot.word.load(Ordering::Relaxed);
        slot.word.store(pack(unpack(word).0, state) | word & STAMPED, Ordering::Relaxed);
    }

    /// Replaces the send time of probe `number` by the time stamp of the kernel.
    pub(crate) fn set_sent(&self, number: u64, sent: u64) {
        let slot = self.slot(number);
        slot.sent.store(sent, Ordering::Relaxed);
        slot.word.store(slot.word.load(Ordering::Relaxed) | STAMPED, Ordering::Relaxed);
    }

    /// Sets the send time of a probe that is sent again because the kernel had no buffer space.
    pub(crate) fn resend(&self, number: u64, sent: u64) {
        self.slot(number).sent.store(sent, Ordering::Relaxed);
    }

    /// Identifier and sequence of probe `number` on the wire.
    pub(crate) fn wire(&self, number: u64) -> (u16, u16) {
        let place = number % self.ring.len() as u64;
        let low = |value: u64| u16::try_from(value & 0xffff).unwrap_or_default();
        (self.identifier.wrapping_add(low(place / BLOCK)), low(place % BLOCK))
    }

    /// The newest probe with this identifier and sequence; `None` when there is none in the ring.
    pub(crate) fn number(&self, identifier: u16, sequence: u16) -> Option<u64> {
        let block = u64::from(identifier.wrapping_sub(self.identifier));
        let length = self.ring.len() as u64;
        let place = block * BLOCK + u64::from(sequence);
        let newest = self.next().checked_sub(1)?;
        let back = (newest % length + length - place.min(length)) % length;
        newest.checked_sub(back).filter(|_| place < length)
    }

    fn slot(&self, number: u64) -> &RingSlot {
        let length = self.ring.len() as u64;
        &self.ring[usize::try_from(number % length).unwrap_or_default()]
    }
}

/// The bit of a slot with a kernel send stamp.
const STAMPED: u64 = 1 << 4;

fn pack(probe: Probe, state: ProbeState) -> u64 {
    let state = match state {
        ProbeState::InFlight => 0,
        ProbeState::Replied => 1,
        ProbeState::Lost => 2,
        ProbeState::Failed => 3,
        ProbeState::Retried => 4,
        ProbeState::NotSent => 5,
    };
    u64::from(probe.target) << 32 | u64::from(probe.round & 0xff_ffff) << 8 | u64::from(probe.tries.min(7)) << 5 | state
}

fn unpack(word: u64) -> (Probe, ProbeState) {
    let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or_default();
    let tries = u8::try_from(word >> 5 & 7).unwrap_or_default();
    let probe = Probe { target: low(word >> 32), round: low(word >> 8) & 0xff_ffff, tries };
    let state = match word & 15 {
        0 => ProbeState::InFlight,
        1 => ProbeState::Replied,
        2 => ProbeState::Lost,
        3 => ProbeState::Failed,
        4 => ProbeState::Retried,
        _ => ProbeState::NotSent,
    };
    (probe, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(target: u32) -> Probe {
        Probe { target, round: target & 0xff_ffff, tries: 3 }
    }

    #[test]
    fn a_probe_takes_16_bytes() {
        assert_eq!(size_of::<RingSlot>(), 16);
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for state in
            [ProbeState::InFlight, ProbeState::Replied, ProbeState::Lost, ProbeState::Failed, ProbeState::Retried]
        {
            for target in [0, 1, 65_535, 16_777_215, u32::MAX] {
                assert_eq!(unpack(pack(probe(target), state)), (probe(target), state));
            }
        }
    }

    #[test]
    fn a_reply_finds_the_newest_probe_with_its_identifier_and_sequence() {
        let ring = ProbeRing::new(0xfff0, 2);
        assert_eq!(ring.number(0xfff0, 0), None);
        for number in 0..BLOCK * 2 + 3 {
            ring.fill(number, probe(7), number);
        }
        assert_eq!(ring.wire(BLOCK), (0xfff1, 0));
        assert_eq!(ring.number(0xfff1, 0), Some(BLOCK));
        assert_eq!(ring.number(0xfff0, 2), Some(BLOCK * 2 + 2));
        assert_eq!(ring.number(0xfff0, 3), Some(3));
        assert_eq!(ring.number(0xfff2, 0), None);
        assert_eq!(ring.number(0xffef, 0), None);
    }

    #[test]
    fn there_is_room_as_far_as_the_oldest_are_settled() {
        let ring = ProbeRing::new(1, 1);
        for number in 0..BLOCK {
            ring.fill(number, probe(1), 0);
        }
        assert_eq!(ring.room(), 0);
        ring.settle_until(10);
        assert_eq!(ring.room(), 10);
    }
}
