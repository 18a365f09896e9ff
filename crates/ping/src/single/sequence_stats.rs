//! Statistics that depend on the order of probes: jitter, outages, local drops.
//!
//! Each probe is added once, in sending order, when it is settled. Sums are in u128.

use std::time::Duration;

use super::sent_probe::SentProbe;
use crate::probe_state::ProbeState;

/// Statistics over the sequence of probes.
#[derive(Debug, Clone, Default)]
pub struct SequenceStats {
    lost: u64,
    in_flight: u64,
    /// Unanswered because of this host: never handed to a device, or the reply was dropped.
    dropped_locally: u64,
    /// Sixteen times the jitter (RFC 3550, appendix A.8).
    jitter: u64,
    differences: u128,
    pairs: u64,
    previous: Option<u64>,
    /// Send time of the first probe of the current outage.
    outage: Option<u64>,
    longest: u64,
}

impl SequenceStats {
    /// Adds the next probe; `stamps` says whether the kernel stamps the probes of this run.
    pub(super) fn take(&mut self, probe: &SentProbe, stamps: bool) {
        match probe.state {
            ProbeState::Replied => return self.answered(probe),
            ProbeState::InFlight => {
                self.in_flight += 1;
                return;
            }
            // The probe reached the queue of the device and not the device. A probe without any stamp waited for ARP or
            // neighbour discovery, which fails when the target is down.
            ProbeState::Lost if stamps && probe.is_queued() && !probe.has_left => self.dropped_locally += 1,
            ProbeState::Lost => self.lost += 1,
            ProbeState::NotSent | ProbeState::Failed | ProbeState::Retried => {}
        }
        self.outage.get_or_insert(probe.sent);
    }

    /// Ends the sequence at `now`, which also ends an open outage.
    ///
    /// `overflowed` received datagrams were dropped, so as many losses are local. Some kernels count a datagram twice.
    pub(super) fn end(&mut self, now: u64, overflowed: u64) {
        self.end_outage(now);
        let explained = self.lost.min(overflowed);
        self.lost -= explained;
        self.dropped_locally += explained;
    }

    fn answered(&mut self, probe: &SentProbe) {
        self.end_outage(probe.sent);
        if let Some(previous) = self.previous.replace(probe.time) {
            let difference = previous.abs_diff(probe.time);
            self.differences += u128::from(difference);
            self.pairs += 1;
            self.jitter = (self.jitter - self.jitter.saturating_add(8) / 16).saturating_add(difference);
        }
    }

    fn end_outage(&mut self, end: u64) {
        if let Some(start) = self.outage.take() {
            self.longest = self.longest.max(end.saturating_sub(start));
        }
    }

    /// Probes without a reply, an error or a sign of a local drop.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Probes still in flight at the end.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Probes lost on this host: never handed to a device, or the reply was dropped.
    pub fn dropped_locally(&self) -> u64 {
        self.dropped_locally
    }

    /// The interarrival jitter (RFC 3550) of round-trip times; `None` with fewer than two.
    pub fn jitter(&self) -> Option<Duration> {
        (self.pairs > 0).then(|| Duration::from_nanos(self.jitter / 16))
    }

    /// The mean difference of successive round-trip times; `None` with fewer than two.
    pub fn mean_difference(&self) -> Option<Duration> {
        let mean = self.differences.checked_div(u128::from(self.pairs))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The longest time from the first unanswered probe to the next answered one.
    pub fn longest_outage(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn of(fates: &[(ProbeState, u64)]) -> SequenceStats {
        let mut sequence_stats = SequenceStats::default();
        for (index, (state, time)) in fates.iter().enumerate() {
            let mut probe = SentProbe::new(index as u64 * 100 * MS, 0);
            (probe.state, probe.time) = (*state, time * MS);
            sequence_stats.take(&probe, false);
        }
        sequence_stats.end(fates.len() as u64 * 100 * MS, 0);
        sequence_stats
    }

    #[test]
    fn the_longest_outage_is_that_of_the_longest_row() {
        use ProbeState::{Failed, InFlight, Lost, NotSent, Replied};
        assert_eq!(of(&[(Replied, 1), (Replied, 1)]).longest_outage(), Duration::ZERO);
        let rows = [(Lost, 0), (Replied, 1), (Lost, 0), (Failed, 0), (NotSent, 0), (Replied, 1), (Lost, 0)];
        assert_eq!(of(&rows).longest_outage(), Duration::from_millis(300));
        assert_eq!(of(&[(Replied, 1), (Lost, 0), (Lost, 0)]).longest_outage(), Duration::from_millis(200));
        let open = of(&[(Replied, 1), (InFlight, 0)]);
        assert_eq!((open.longest_outage(), open.in_flight()), (Duration::ZERO, 1));
    }

    #[test]
    fn jitter_is_that_of_rfc_3550_and_the_mean_difference_that_of_neighbours() {
        use ProbeState::{Lost, Replied};
        let sequence_stats = of(&[(Replied, 10), (Lost, 0), (Replied, 26), (Replied, 10)]);
        assert_eq!(sequence_stats.mean_difference(), Some(Duration::from_millis(16)));
        // 16/16, then 1 + (16 - 1)/16.
        assert_eq!(sequence_stats.jitter().map(|jitter| jitter.as_micros()), Some(1937));
        assert_eq!(of(&[(Replied, 10)]).jitter(), None);
    }

    #[test]
    fn a_probe_that_reached_the_queue_and_not_the_device_was_dropped_locally() {
        let stamped = |has_left: Option<bool>| {
            let mut probe = SentProbe::new(0, 0);
            if let Some(has_left) = has_left {
                probe.stamp(5, has_left);
            }
            probe.state = ProbeState::Lost;
            probe
        };
        let count = |stamps| {
            let mut sequence_stats = SequenceStats::default();
            for probe in [Some(true), Some(false), None].map(stamped) {
                sequence_stats.take(&probe, stamps);
            }
            (sequence_stats.lost(), sequence_stats.dropped_locally())
        };
        assert_eq!(count(true), (2, 1));
        assert_eq!(count(false), (3, 0));
    }

    #[test]
    fn answers_without_room_explain_as_many_losses() {
        let mut sequence_stats = SequenceStats::default();
        let mut probe = SentProbe::new(0, 0);
        probe.state = ProbeState::Lost;
        (0..3).for_each(|_| sequence_stats.take(&probe, false));
        for (overflowed, counts) in [(0, (3, 0)), (2, (1, 2)), (6, (0, 3))] {
            let mut sequence_stats = sequence_stats.clone();
            sequence_stats.end(1, overflowed);
            assert_eq!((sequence_stats.lost(), sequence_stats.dropped_locally()), counts);
        }
    }
}
