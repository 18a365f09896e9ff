//! What is known of one target: 32 bytes, because there may be sixteen million of them.
//!
//! Shortest and longest time are kept in steps of 16 ns up to 68 s, the sum in nanoseconds. It counts what it is told and
//! judges nothing.

use std::time::Duration;

/// Nanoseconds in a step of the times that are kept short.
const STEP: u64 = 16;

/// Counts and times of one target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TargetStats {
    /// Sum of the round-trip times in nanoseconds.
    sum: u64,
    /// Probes whose fate is known.
    pub(crate) sent: u32,
    /// Probes that were alive, late ones included.
    pub(crate) received: u32,
    minimum: u32,
    maximum: u32,
    /// Answers that came after the time for them, up to 65,535.
    pub(crate) late: u16,
    /// Further answers to alive probes, up to 65,535.
    pub(crate) duplicates: u16,
    /// ICMP type and code of the newest error; 0 and 0 for none, which is an echo reply and no error.
    pub(crate) error: (u8, u8),
    /// ICMP errors, refusals of this host and broken answers, up to 65,535.
    pub(crate) failures: u16,
}

/// Round-trip times of a target or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) minimum: Duration,
    pub(crate) average: Duration,
    pub(crate) maximum: Duration,
}

impl TargetStats {
    /// A probe was alive for the first time.
    pub(crate) fn alive(&mut self, nanoseconds: u64) {
        let step = u32::try_from(nanoseconds / STEP).unwrap_or(u32::MAX);
        self.minimum = if self.received == 0 { step } else { self.minimum.min(step) };
        self.maximum = self.maximum.max(step);
        self.sum = self.sum.saturating_add(nanoseconds);
        self.received = self.received.saturating_add(1);
    }

    /// Something went wrong with a probe; ICMP type and code where it has one.
    pub(crate) fn failed(&mut self, error: Option<(u8, u8)>) {
        self.failures = self.failures.saturating_add(1);
        self.error = error.unwrap_or(self.error);
    }

    /// Whether there was any answer.
    pub(crate) fn is_alive(&self) -> bool {
        self.received > 0
    }

    /// The times; `None` before the first answer.
    pub(crate) fn times(&self) -> Option<Times> {
        let average = self.sum.checked_div(self.received.into())?;
        let wide = |step: u32| u64::from(step) * STEP;
        // With one answer all three are the same, to the nanosecond.
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
