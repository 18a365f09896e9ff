//! The time as a worker sees it: read once per wake-up, formatted once per second.
//!
//! Requests are answered in batches, and a batch has a number. What was checked under that number need not be checked
//! again for the other requests of the batch, because all of them had begun to arrive before the check.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local, SecondsFormat};

use crate::proto::date;

/// The last second in which no file can be changed any more, in seconds since 1970; `now` is the time since 1970.
pub fn last_full_second(now: Duration) -> i64 {
    /// Kernels stamp files with a clock that runs up to 10 ms behind.
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
    /// A clock that counts its uptime from `started`.
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

    /// Reads the time and starts a new batch: for what was ready when the worker woke up.
    pub fn tick(&mut self) {
        self.tick_at(SystemTime::now());
    }

    /// The same at a moment that is given: the wall clock may step in any direction between two of them.
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

    /// Starts a new batch within the same wake-up: for requests that may have been sent after the last check.
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

    /// The last second that is over for every file; see [`last_full_second`].
    pub fn last_full_second(&self) -> i64 {
        last_full_second(self.now)
    }

    /// When the worker woke up for this batch, by the steady clock.
    pub fn woke(&self) -> Instant {
        self.woke
    }

    /// Time since 1970.
    pub fn since_epoch(&self) -> Duration {
        self.now
    }

    /// Seconds since the server started; deadlines are kept in this coarse unit.
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

    /// The local time with milliseconds, as RFC 3339 has it.
    pub fn rfc3339(&self) -> String {
        DateTime::<Local>::from(UNIX_EPOCH + self.now).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The time as the combined log format has it, without its brackets.
    pub fn log_time(&self) -> &str {
        &self.log_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_is_followed_at_once_and_deadlines_are_not_moved_by_it() {
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
            assert!(clock.uptime() < 60, "time that has gone is counted by the steady clock");
            assert!(clock.batch() > batch, "what was checked before a step is checked again behind it");
            batch = clock.batch();
        }
    }

    #[test]
    fn a_clock_before_1970_is_that_of_1970() {
        let mut clock = Clock::new(Instant::now());
        clock.tick_at(UNIX_EPOCH - Duration::from_secs(1000));
        assert_eq!((clock.seconds(), clock.date()), (0, &b"Thu, 01 Jan 1970 00:00:00 GMT"[..]));
        assert!(clock.last_full_second() < 0, "no file is taken for settled");
    }
}
