//! Statistics of one target in 32 bytes, because a run may have sixteen million targets.
//!
//! Minimum and maximum are kept in steps of 16 ns up to 68 s, the sum in nanoseconds.

use std::time::Duration;

/// Nanoseconds per step of minimum and maximum.
const STEP: u64 = 16;

/// Counts and round-trip times of one target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TargetStats {
    /// Sum of the round-trip times in nanoseconds.
    sum: u64,
    /// Settled probes.
    pub(crate) sent: u32,
    /// Answered probes, late replies included.
    pub(crate) received: u32,
    minimum: u32,
    maximum: u32,
    /// Late replies, up to 65,535.
    pub(crate) late: u16,
    /// Duplicate replies, up to 65,535.
    pub(crate) duplicates: u16,
    /// ICMP type and code of the latest error; (0, 0) without one.
    pub(crate) error: (u8, u8),
    /// ICMP errors, local send errors and corrupt replies, up to 65,535.
    pub(crate) failures: u16,
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
    pub(crate) fn alive(&mut self, nanoseconds: u64) {
        let step = u32::try_from(nanoseconds / STEP).unwrap_or(u32::MAX);
        self.minimum = if self.received == 0 { step } else { self.minimum.min(step) };
        self.maximum = self.maximum.max(step);
        self.sum = self.sum.saturating_add(nanoseconds);
        self.received = self.received.saturating_add(1);
    }

    /// Adds an error, with ICMP type and code if it has them.
    pub(crate) fn failed(&mut self, error: Option<(u8, u8)>) {
        self.failures = self.failures.saturating_add(1);
        self.error = error.unwrap_or(self.error);
    }

    /// Whether at least one reply arrived.
    pub(crate) fn is_alive(&self) -> bool {
        self.received > 0
    }

    /// The round-trip times; `None` without a reply.
    pub(crate) fn times(&self) -> Option<Times> {
        let average = self.sum.checked_div(self.received.into())?;
        let wide = |step: u32| u64::from(step) * STEP;
        // With one reply all three are equal, to the nanosecond.
        let (minimum, maximum) = match self.received {
            1 => (average, average),
            _ => (wide(self.minimum).min(average), wide(self.maximum).max(average)),
        };
        let [minimum, average, maximum] = [minimum, average, maximum].map(Duration::from_nanos);
        Some(Times { minimum, average, maximum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_takes_32_bytes() {
        assert_eq!(size_of::<TargetStats>(), 32);
    }

    #[test]
    fn one_answer_is_all_times_to_the_nanosecond() {
        let mut stats = TargetStats::default();
        assert_eq!(stats.times(), None);
        stats.alive(12_345);
        let time = Duration::from_nanos(12_345);
        assert_eq!(stats.times(), Some(Times { minimum: time, average: time, maximum: time }));
    }

    #[test]
    fn times_of_a_minute_and_more_do_not_overflow() {
        let mut stats = TargetStats::default();
        stats.alive(u64::MAX);
        stats.alive(u64::MAX);
        stats.alive(1);
        let times = stats.times().unwrap();
        assert!(times.minimum < times.average && times.average <= times.maximum, "{times:?}");
    }
}
