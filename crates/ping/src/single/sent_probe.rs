//! One sent probe in 32 bytes.
//!
//! Times are nanoseconds in u64: since the start of the run on the monotonic clock, since 1970 on the wall clock.

use std::time::Duration;

use crate::probe_state::ProbeState;
use crate::rtt::{self, SendTime, StampSource};

/// A probe that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentProbe {
    /// Send time since the start of the run.
    pub(super) sent: u64,
    /// Send time since 1970: the wall clock before the send, later the kernel's stamp.
    wall: u64,
    /// Round-trip time, once answered.
    pub(super) time: u64,
    pub(super) state: ProbeState,
    /// Whether `wall` is a kernel stamp.
    is_stamped: bool,
    /// Whether the packet was handed to a device, or this is unknown.
    pub(super) has_left: bool,
}

impl SentProbe {
    /// A probe about to be sent.
    pub(super) fn new(sent: u64, wall: u64) -> Self {
        Self { sent, wall, time: 0, state: ProbeState::InFlight, is_stamped: false, has_left: false }
    }

    /// Records a kernel stamp; the last one is nearest to the wire. An earlier one belongs to another probe.
    pub(super) fn stamp(&mut self, wall: u64, has_left: bool) {
        if wall >= self.wall {
            self.wall = wall;
            self.is_stamped = true;
            self.has_left |= has_left;
        }
    }

    /// Whether the kernel stamped its entry into a queue or its departure.
    pub(super) fn is_queued(&self) -> bool {
        self.is_stamped
    }

    /// The round-trip time of a reply that the kernel stamped at `received`, read at `now` since the start of the run.
    pub(super) fn round_trip(&self, now: u64, received: Option<u64>) -> (Duration, StampSource) {
        let sent = SendTime { stamp: self.wall, is_kernel: self.is_stamped };
        let (time, source) = rtt::round_trip(sent, received, now.saturating_sub(self.sent));
        (Duration::from_nanos(time), source)
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
            (Some(SENT + 4 * MS), Some(SENT + 9 * MS), 5, StampSource::Kernel),
            (None, Some(SENT + 9 * MS), 9, StampSource::KernelReceive),
            (Some(SENT + 12 * MS), Some(SENT + 9 * MS), 10, StampSource::User),
            (Some(SENT + 4 * MS), Some(SENT + 90_000 * MS), 10, StampSource::User),
            (Some(SENT + 4 * MS), None, 10, StampSource::User),
            (Some(SENT - 4 * MS), Some(SENT + 9 * MS), 9, StampSource::KernelReceive),
        ] {
            let mut probe = SentProbe::new(7 * MS, SENT);
            if let Some(stamp) = kernel_sent {
                probe.stamp(stamp, true);
            }
            assert_eq!(probe.round_trip(17 * MS, kernel_received), (Duration::from_nanos(time * MS), source));
        }
    }

    #[test]
    fn a_slot_takes_no_more_than_32_bytes() {
        assert!(size_of::<SentProbe>() <= 32);
    }
}
