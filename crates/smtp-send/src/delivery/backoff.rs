//! The pause before another try, and the interval between messages. `now` is an argument; no clock is read here.

use std::time::{Duration, Instant};

use common::random;

/// The pause before the first retry; it doubles with each retry.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause before a retry.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// Largest random share by which a pause is shorter or longer, so that retries spread out.
const JITTER: f64 = 0.25;

/// The pause before retry number `tries`, from 1: about 1, 2, 4 ... 300 seconds.
pub fn backoff(tries: u32) -> Duration {
    // Without random numbers the pause is the middle one.
    let share = random::bytes().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / 2f64.powi(32));
    pause(tries, share)
}

fn pause(tries: u32, share: f64) -> Duration {
    let factor = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FIRST_PAUSE.saturating_mul(factor).min(MAX_PAUSE);
    pause.mul_f64(1.0 + JITTER * (2.0 * share - 1.0))
}

/// Spaces messages by an interval; unused time is not made up for.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    interval: Duration,
    next: Option<Instant>,
}

impl Pacer {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self { interval: interval.unwrap_or_default(), next: None }
    }

    /// When the next message may be sent.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.next.map_or(now, |next| next.max(now))
    }

    /// Reserves the next time for a message, and returns it.
    pub(super) fn reserve(&mut self, now: Instant) -> Instant {
        let time = self.next(now);
        self.next = Some(time + self.interval);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ_a_little() {
        let seconds: Vec<_> = (1..=12).map(|tries| pause(tries, 0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!((pause(1, 0.0), pause(1, 1.0)), (Duration::from_millis(750), Duration::from_millis(1250)));
        assert_eq!(pause(u32::MAX, 0.5), MAX_PAUSE);
        assert!((750..=1250).contains(&backoff(1).as_millis()));
    }

    #[test]
    fn messages_are_one_interval_apart_and_lost_time_is_lost() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pacer = Pacer::new(Some(Duration::from_millis(100)));
        assert_eq!([pacer.reserve(at(0)), pacer.reserve(at(0)), pacer.reserve(at(10))], [at(0), at(100), at(200)]);
        assert_eq!([pacer.reserve(at(900)), pacer.reserve(at(900))], [at(900), at(1000)]);
        assert_eq!(Pacer::new(None).reserve(at(5)), at(5));
    }
}
