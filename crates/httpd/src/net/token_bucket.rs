//! Limits the rate of one connection by a token bucket. No I/O; `now` is an argument.

use std::time::{Duration, Instant};

/// Time of idleness that is saved for a burst.
const BURST_TIME: Duration = Duration::from_millis(100);
/// Time of one step, so that data flows evenly.
const STEP_TIME: Duration = Duration::from_millis(25);
/// Smallest step in bytes; a smaller one would be mostly packet headers.
const MIN_STEP: u64 = 512;

/// The bytes that one connection may send.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: u64,
    /// Bytes that may be sent now; negative after a send above the limit.
    tokens: i64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket for `rate` bytes per second.
    pub fn new(rate: u64, now: Instant) -> Self {
        let mut bucket = Self { rate: rate.clamp(1, 1 << 50), tokens: 0, filled_at: now };
        bucket.tokens = bucket.capacity();
        bucket
    }

    /// Whether `bytes` may be sent at once.
    pub fn allows(&mut self, bytes: usize, now: Instant) -> bool {
        self.fill(now);
        i64::try_from(bytes).is_ok_and(|bytes| bytes <= self.tokens)
    }

    /// How many of `wanted` bytes may be sent now, or the time until at least one step may be sent.
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

    /// Removes the tokens of bytes that were sent.
    pub fn spend(&mut self, bytes: usize) {
        self.tokens = self.tokens.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn step(&self) -> u64 {
        self.bytes_in(STEP_TIME).max(MIN_STEP)
    }

    fn capacity(&self) -> i64 {
        i64::try_from(self.bytes_in(BURST_TIME).max(MIN_STEP)).unwrap_or(i64::MAX)
    }

    fn fill(&mut self, now: Instant) {
        let added = self.bytes_in(now.saturating_duration_since(self.filled_at));
        // A time too short for one byte is counted next time.
        if added > 0 {
            self.filled_at = now;
            self.tokens = self.tokens.saturating_add(i64::try_from(added).unwrap_or(i64::MAX)).min(self.capacity());
        }
    }

    /// The bytes of the rate in this time.
    fn bytes_in(&self, time: Duration) -> u64 {
        let bytes = u128::from(self.rate) * time.as_nanos() / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes sent in this time by a sender with unlimited data.
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
    fn the_long_term_rate_is_exact() {
        for rate in [700, 10_000, 512_000, 50_000_000] {
            let (total, expected) = (sent(rate, 20), 20 * rate);
            assert!(total.abs_diff(expected) <= rate / 5 + 1024, "{total} bytes in 20 s at {rate}");
        }
    }

    #[test]
    fn an_idle_connection_saves_a_short_burst_only() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(100_000, now);
        let later = now + Duration::from_secs(3600);
        assert!(bucket.allows(10_000, later) && !bucket.allows(10_001, later));
    }

    #[test]
    fn bytes_sent_above_the_limit_delay_the_next_step() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(1000, now);
        bucket.spend(2512);
        let wait = bucket.take(512, now).unwrap_err();
        assert!((2400..2600).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(bucket.take(512, now + wait), Ok(512));
    }
}
