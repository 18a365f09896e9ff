//! Rates: reading them from the command line, and keeping to them (a token bucket). No I/O; moments are passed in.

use std::time::{Duration, Instant};

/// How much of a rate may be saved up while nothing is sent: a burst of a tenth of a second goes unnoticed.
const SAVED: Duration = Duration::from_millis(100);
/// What is waited for at a time, so that a stream flows and does not come in jerks.
const STEP: Duration = Duration::from_millis(25);
/// And no less than this, or a slow rate would be spent on packet headers.
const MIN_STEP: u64 = 512;

/// Why a text is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateParseError {
    /// It does not begin with a digit.
    #[error("does not begin with a number")]
    NoNumber,
    /// Something follows the number that is no unit.
    #[error("has an unknown unit: K, M and G are known, by steps of 1024")]
    Unit,
    /// Less than a byte a second.
    #[error("must be at least 1 byte a second")]
    Zero,
    /// More than can be counted.
    #[error("is too large")]
    TooLarge,
}

/// Reads a rate in octets a second: `2000`, `500K`, `1.5M`; a `B` behind it is understood as well.
pub fn parse(text: &str) -> Result<u64, RateParseError> {
    let end = text.bytes().position(|byte| !(byte.is_ascii_digit() || byte == b'.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || (number.len() > whole.len() && !is_number(fraction)) {
        return Err(RateParseError::NoNumber);
    }
    let unit = match unit.strip_suffix(['B', 'b']).unwrap_or(unit) {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => return Err(RateParseError::Unit),
    };
    let whole: u64 = whole.parse().map_err(|_| RateParseError::TooLarge)?;
    // Nine digits behind the point are more than a unit can tell apart.
    let digits = fraction.get(..fraction.len().min(9)).unwrap_or_default();
    let thousandths =
        digits.bytes().fold((0u64, 1u64), |(value, scale), digit| (value * 10 + u64::from(digit - b'0'), scale * 10));
    let part = thousandths.0 * unit / thousandths.1;
    let rate = whole.checked_mul(unit).and_then(|rate| rate.checked_add(part)).ok_or(RateParseError::TooLarge)?;
    if rate == 0 { Err(RateParseError::Zero) } else { Ok(rate) }
}

/// What one connection may still send.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: u64,
    /// Octets that may be sent now; below zero what was sent ahead.
    tokens: i64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A bucket for `rate` octets a second, filled for the first burst.
    pub fn new(rate: u64, now: Instant) -> Self {
        let mut bucket = Self { rate: rate.clamp(1, 1 << 50), tokens: 0, filled_at: now };
        bucket.tokens = bucket.capacity();
        bucket
    }

    /// Whether `octets` may be sent at once.
    pub fn allows(&mut self, octets: usize, now: Instant) -> bool {
        self.fill(now);
        i64::try_from(octets).is_ok_and(|octets| octets <= self.tokens)
    }

    /// How much of `wanted` octets may be sent now, or how long to wait before asking again.
    pub fn take(&mut self, wanted: u64, now: Instant) -> Result<u64, Duration> {
        self.fill(now);
        let least = wanted.min(self.step());
        let here = u64::try_from(self.tokens).unwrap_or(0);
        if here >= least {
            return Ok(wanted.min(here));
        }
        let missing = i64::try_from(least).unwrap_or(i64::MAX).saturating_sub(self.tokens);
        Err(Duration::from_secs_f64(missing as f64 / self.rate as f64).max(Duration::from_millis(1)))
    }

    /// Counts what was sent.
    pub fn spend(&mut self, octets: usize) {
        self.tokens = self.tokens.saturating_sub(i64::try_from(octets).unwrap_or(i64::MAX));
    }

    fn step(&self) -> u64 {
        self.worth(STEP).max(MIN_STEP)
    }

    fn capacity(&self) -> i64 {
        i64::try_from(self.worth(SAVED).max(MIN_STEP)).unwrap_or(i64::MAX)
    }

    fn fill(&mut self, now: Instant) {
        let added = self.worth(now.saturating_duration_since(self.filled_at));
        // What was too short for an octet is counted next time.
        if added > 0 {
            self.filled_at = now;
            self.tokens = self.tokens.saturating_add(i64::try_from(added).unwrap_or(i64::MAX)).min(self.capacity());
        }
    }

    /// What the rate brings in this time.
    fn worth(&self, time: Duration) -> u64 {
        let octets = u128::from(self.rate) * time.as_nanos() / 1_000_000_000;
        u64::try_from(octets).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_with_a_unit() {
        for (text, rate) in [
            ("1", 1),
            ("500K", 512_000),
            ("500k", 512_000),
            ("500KB", 512_000),
            ("2M", 2 << 20),
            ("1.5M", 3 << 19),
            ("0.5K", 512),
            ("1G", 1 << 30),
            ("1000B", 1000),
        ] {
            assert_eq!(parse(text), Ok(rate), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_told_why() {
        for (texts, why) in [
            (&["", "fast", "-5", ".5M", "1.", "1.M", "1..5", "K", "1.2.3"][..], RateParseError::NoNumber),
            (&["5T", "5Kb/s", "5 K", "5KK", "5Mi", "5%", "5k5"][..], RateParseError::Unit),
            (&["0", "0K", "0.0001", "0.0001K"][..], RateParseError::Zero),
            (&["99999999999999999999", "18446744073709551615G"][..], RateParseError::TooLarge),
        ] {
            for text in texts {
                assert_eq!(parse(text), Err(why), "{text}");
            }
        }
    }

    /// What goes out in this time when a sender always wants more.
    fn sent(rate: u64, seconds: u64) -> u64 {
        let mut now = Instant::now();
        let (end, mut total) = (now + Duration::from_secs(seconds), 0);
        let mut bucket = TokenBucket::new(rate, now);
        while now <= end {
            match bucket.take(u64::MAX, now) {
                Ok(count) => {
                    bucket.spend(usize::try_from(count).unwrap());
                    total += count;
                }
                Err(wait) => now += wait,
            }
        }
        total
    }

    #[test]
    fn over_time_exactly_the_rate_goes_out() {
        for rate in [700, 10_000, 512_000, 50_000_000] {
            let (total, expected) = (sent(rate, 20), 20 * rate);
            assert!(total.abs_diff(expected) <= rate / 5 + 1024, "{total} octets in 20 s at {rate}");
        }
    }

    #[test]
    fn what_is_saved_while_idle_is_a_short_burst_and_no_more() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(100_000, now);
        let later = now + Duration::from_secs(3600);
        assert!(bucket.allows(10_000, later) && !bucket.allows(10_001, later));
    }

    #[test]
    fn what_was_sent_ahead_is_waited_for() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(1000, now);
        bucket.spend(2512);
        let wait = bucket.take(512, now).unwrap_err();
        assert!((2400..2600).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(bucket.take(512, now + wait), Ok(512));
    }
}
