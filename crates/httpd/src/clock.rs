//! The clock of a worker: read once per wake-up, formatted once per second.
//!
//! Requests are answered in numbered batches. A file that was checked for a batch is not checked again for other requests of
//! the batch, because all of them began to arrive before the check.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local, SecondsFormat};

use crate::proto::date;

/// The last second in which no file can change any more, in seconds since 1970; `now` is the time since 1970.
pub fn last_full_second(now: Duration) -> i64 {
    /// Kernels set file times by a clock that is up to 10 ms behind.
    const STAMP_LAG: Duration = Duration::from_millis(20);
    i64::try_from(now.saturating_sub(STAMP_LAG).as_secs()).unwrap_or(i64::MAX).saturating_sub(1)
}

/// The wall clock and the number of the current batch.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    woke: Instant,
    batch: u64,
    now: Duration,
    date: [u8; date::LENGTH],
    log_time: String,
    uptime: u32,
}

impl Clock {
    /// A clock whose uptime starts at `started`.
    pub fn new(started: Instant) -> Self {
        let mut clock = Self {
            started,
            woke: started,
            batch: 0,
            now: Duration::MAX,
            date: date::format(0),
            log_time: String::new(),
            uptime: 0,
        };
        clock.tick();
        clock
    }

    /// Reads the time after a wake-up and starts a new batch.
    pub fn tick(&mut self) {
        self.tick_at(SystemTime::now());
    }

    /// Sets the time, which may step in any direction.
    fn tick_at(&mut self, now: SystemTime) {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since_epoch.as_secs() != self.now.as_secs() {
            self.date = date::format(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX));
            self.log_time = DateTime::<Local>::from(now).format("%d/%b/%Y:%H:%M:%S %z").to_string();
        }
        self.now = since_epoch;
        self.woke = Instant::now();
        self.uptime = u32::try_from((self.woke - self.started).as_secs()).unwrap_or(u32::MAX);
        self.new_batch();
    }

    /// Starts a new batch within the same wake-up, for requests that may have been sent after the last check.
    pub fn new_batch(&mut self) {
        self.batch += 1;
    }

    /// The number of this batch; never 0.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX)
    }

    /// See [`last_full_second()`].
    pub fn last_full_second(&self) -> i64 {
        last_full_second(self.now)
    }

    /// The wake-up of this batch, by the monotonic clock.
    pub fn woke(&self) -> Instant {
        self.woke
    }

    /// Time since 1970.
    pub fn since_epoch(&self) -> Duration {
        self.now
    }

    /// Seconds since the start, the unit of deadlines.
    pub fn uptime(&self) -> u32 {
        self.uptime
    }

    /// The uptime at which `timeout` from now has surely passed: one second more, because the current one is partly over.
    pub fn deadline(&self, timeout: Duration) -> u32 {
        self.uptime.saturating_add(u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX)).saturating_add(1)
    }

    /// The value of the Date field.
    pub fn date(&self) -> &[u8] {
        &self.date
    }

    /// The local time in the format of RFC 3339, with milliseconds.
    pub fn rfc3339(&self) -> String {
        DateTime::<Local>::from(UNIX_EPOCH + self.now).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The local time in the combined log format, without brackets.
    pub fn log_time(&self) -> &str {
        &self.log_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_does_not_move_deadlines() {
        let mut clock = Clock::new(Instant::now());
        let mut batch = clock.batch();
        for (seconds, text) in [
            (1_795_000_000, "Wed, 18 Nov 2026 11:06:40 GMT"),
            (1_795_086_400, "Thu, 19 Nov 2026 11:06:40 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_795_000_000, "Wed, 18 Nov 2026 11:06:40 GMT"),
        ] {
            clock.tick_at(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(clock.date(), text.as_bytes());
            assert_eq!(clock.seconds().unsigned_abs(), seconds);
            let day =
                DateTime::<Local>::from(UNIX_EPOCH + Duration::from_secs(seconds)).format("%d/%b/%Y:").to_string();
            assert!(clock.log_time().starts_with(&day), "{}", clock.log_time());
            assert!(clock.uptime() < 60, "uptime follows the monotonic clock");
            assert!(clock.batch() > batch, "a step starts a new batch");
            batch = clock.batch();
        }
    }

    #[test]
    fn a_clock_before_1970_is_clamped() {
        let mut clock = Clock::new(Instant::now());
        clock.tick_at(UNIX_EPOCH - Duration::from_secs(1000));
        assert_eq!((clock.seconds(), clock.date()), (0, &b"Thu, 01 Jan 1970 00:00:00 GMT"[..]));
        assert!(clock.last_full_second() < 0, "no file is settled");
    }
}
