//! Statistics of one target in at most 64 bytes, because a run may have sixteen million targets.

use std::time::Duration;

/// Counts and round-trip times of one target; counts of rare events stop at 65,535.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TargetStats {
    /// Sum of the round-trip times in nanoseconds.
    sum: u64,
    minimum: u64,
    maximum: u64,
    /// Settled probes, and those in flight at the end.
    pub(crate) sent: u32,
    /// Answered probes, late replies included.
    pub(crate) received: u32,
    /// Probes without a reply or an error.
    pub(crate) lost: u32,
    /// Late replies.
    pub(crate) late: u16,
    /// Duplicate replies.
    pub(crate) duplicates: u16,
    /// ICMP errors.
    pub(crate) errors: u16,
    /// Sends that failed on this host.
    pub(crate) not_sent: u16,
    /// Replies with a wrong checksum or a changed payload.
    pub(crate) corrupt: u16,
    /// Probes in flight at the end.
    pub(crate) in_flight: u16,
    /// ICMP type and code of the latest error; (0, 0) without one.
    pub(crate) error: (u8, u8),
    /// Whether the latest settled probe was answered.
    pub(crate) is_up: bool,
}

/// Round-trip times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) minimum: Duration,
    pub(crate) average: Duration,
    pub(crate) maximum: Duration,
}

impl TargetStats {
    /// Adds the first reply to a probe.
    pub(crate) fn add_reply(&mut self, nanoseconds: u64) {
        self.minimum = if self.received == 0 { nanoseconds } else { self.minimum.min(nanoseconds) };
        self.maximum = self.maximum.max(nanoseconds);
        self.sum = self.sum.saturating_add(nanoseconds);
        self.received = self.received.saturating_add(1);
        self.is_up = true;
    }

    /// Adds an ICMP error.
    pub(crate) fn add_error(&mut self, kind: u8, code: u8) {
        add_one(&mut self.errors);
        self.error = (kind, code);
    }

    /// ICMP errors, local send errors and corrupt replies.
    pub(crate) fn failures(&self) -> u64 {
        u64::from(self.errors) + u64::from(self.not_sent) + u64::from(self.corrupt)
    }

    /// Whether a probe was sent and settled, so that the target can count as unreachable.
    pub(crate) fn is_probed(&self) -> bool {
        self.sent > u32::from(self.in_flight) + u32::from(self.not_sent)
    }

    /// Whether at least one reply arrived.
    pub(crate) fn is_alive(&self) -> bool {
        self.received > 0
    }

    /// The round-trip times; `None` without a reply.
    pub(crate) fn times(&self) -> Option<Times> {
        let average = self.sum.checked_div(self.received.into())?;
        let [minimum, average, maximum] = [self.minimum, average, self.maximum].map(Duration::from_nanos);
        Some(Times { minimum, average, maximum })
    }
}

/// Counts one more, up to the limit of the counter.
pub(crate) fn add_one(count: &mut u16) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_takes_at_most_64_bytes() {
        assert!(size_of::<TargetStats>() <= 64);
    }

    #[test]
    fn one_answer_is_all_times_to_the_nanosecond() {
        let mut stats = TargetStats::default();
        assert_eq!(stats.times(), None);
        stats.add_reply(12_345);
        let time = Duration::from_nanos(12_345);
        assert_eq!(stats.times(), Some(Times { minimum: time, average: time, maximum: time }));
    }

    #[test]
    fn times_of_a_minute_and_more_do_not_overflow() {
        let mut stats = TargetStats::default();
        stats.add_reply(u64::MAX);
        stats.add_reply(u64::MAX);
        stats.add_reply(1);
        let times = stats.times().unwrap();
        assert!(times.minimum < times.average && times.average <= times.maximum, "{times:?}");
    }
}
