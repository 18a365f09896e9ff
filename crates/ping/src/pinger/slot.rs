//! What is remembered of one probe, in 32 bytes, and how a round-trip time follows from it.
//!
//! Times are nanoseconds in u64: since the start of the run on the steady clock, since 1970 on the wall clock.

use std::time::Duration;

use super::Source;

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    InFlight,
    NotSent,
    Replied,
    Lost,
    Failed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// When it was sent, since the start of the run.
    pub(super) sent: u64,
    /// When it was sent, since 1970: read before the send, then the kernel's stamp once that is known.
    wall: u64,
    /// Its round-trip time, once it was answered.
    pub(super) time: u64,
    pub(super) fate: Fate,
    /// Whether `wall` is the kernel's.
    is_stamped: bool,
    /// Whether it was handed to a device, or nobody can say that it was not.
    pub(super) has_left: bool,
}

impl Slot {
    /// A probe about to be sent.
    pub(super) fn new(sent: u64, wall: u64) -> Self {
        Self { sent, wall, time: 0, fate: Fate::InFlight, is_stamped: false, has_left: false }
    }

    /// The kernel stamped it; the last stamp is the one nearest to the wire. A stamp from before the send is another's.
    pub(super) fn stamp(&mut self, wall: u64, has_left: bool) {
        if wall >= self.wall {
            self.wall = wall;
            self.is_stamped = true;
            self.has_left |= has_left;
        }
    }

    /// Kernel stamps measure best, but their clock may step: they count while they stay below what the steady clock saw.
    pub(super) fn round_trip(&self, now: u64, received: Option<u64>) -> (Duration, Source) {
        let limit = now.saturating_sub(self.sent);
        let source = if self.is_stamped { Source::Kernel } else { Source::KernelReceive };
        match received.and_then(|received| received.checked_sub(self.wall)).filter(|time| *time <= limit) {
            Some(time) => (Duration::from_nanos(time), source),
            None => (Duration::from_nanos(limit), Source::User),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const SENT: u64 = 1_000_000 * MS;

    #[test]
    fn kernel_stamps_count_only_within_what_the_steady_clock_saw() {
        for (kernel_sent, kernel_received, time, source) in [
            (Some(SENT + 4 * MS), Some(SENT + 9 * MS), 5, Source::Kernel),
            (None, Some(SENT + 9 * MS), 9, Source::KernelReceive),
            (Some(SENT + 12 * MS), Some(SENT + 9 * MS), 10, Source::User),
            (Some(SENT + 4 * MS), Some(SENT + 90_000 * MS), 10, Source::User),
            (Some(SENT + 4 * MS), None, 10, Source::User),
            (Some(SENT - 4 * MS), Some(SENT + 9 * MS), 9, Source::KernelReceive),
        ] {
            let mut slot = Slot::new(7 * MS, SENT);
            if let Some(stamp) = kernel_sent {
                slot.stamp(stamp, true);
            }
            assert_eq!(slot.round_trip(17 * MS, kernel_received), (Duration::from_nanos(time * MS), source));
        }
    }

    #[test]
    fn a_slot_takes_no_more_than_32_bytes() {
        assert!(size_of::<Slot>() <= 32);
    }
}
