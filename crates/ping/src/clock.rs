//! The only module that reads clocks: the monotonic clock for decisions, the wall clock of the kernel's time stamps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Error, Kind};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::rtt::Timestamp;

/// Reads both clocks.
pub(crate) fn now() -> Result<Timestamp, Error> {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|cause| Error::new(Kind::System, "read", "the clock", cause))?;
    Ok(Timestamp { monotonic: Instant::now(), wall: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX) })
}

/// Nanoseconds since `start`.
pub(crate) fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Sleeps until `until` nanoseconds after `start`, or until a signal.
pub(crate) fn sleep_until(start: Instant, until: u64) {
    let left = until.saturating_sub(since(start));
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return };
    // An absolute end: time lost to the scheduler does not lengthen the sleep.
    let end = Duration::from(now).saturating_add(Duration::from_nanos(left));
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &end.into());
}

/// Converts kernel receive time stamps (`CLOCK_REALTIME`) to the monotonic clock of the run.
///
/// A constant error of the offset cancels out in round-trip times.
#[derive(Debug)]
pub(crate) struct ClockOffset {
    start: Instant,
    /// Wall clock minus monotonic clock, in nanoseconds.
    offset: u64,
}

impl ClockOffset {
    /// Longest time between the two monotonic readings around a wall reading that makes it precise.
    const QUICK: u64 = 2_000;
    /// Smallest change that is followed; smaller ones are noise.
    const NOISE: u64 = 20_000;
    /// Number of attempts at a precise reading.
    const TRIES: u32 = 100;

    /// Measures the offset for times since `start`.
    pub(crate) fn new(start: Instant) -> Result<Self, Error> {
        let mut clock_offset = Self { start, offset: 0 };
        for try_number in 1..=Self::TRIES {
            let (offset, is_quick) = clock_offset.reading()?;
            if is_quick || try_number == Self::TRIES {
                clock_offset.offset = offset;
                break;
            }
        }
        Ok(clock_offset)
    }

    /// Measures again, in case the wall clock was slewed or stepped.
    pub(crate) fn follow(&mut self) -> Result<(), Error> {
        let (offset, is_quick) = self.reading()?;
        if is_quick && offset.abs_diff(self.offset) > Self::NOISE {
            self.offset = offset;
        }
        Ok(())
    }

    /// The time stamp `wall` in nanoseconds since the start.
    pub(crate) fn steady(&self, wall: u64) -> u64 {
        wall.saturating_sub(self.offset)
    }

    fn reading(&self) -> Result<(u64, bool), Error> {
        let before = since(self.start);
        let wall = now()?.wall;
        let after = since(self.start);
        let middle = before + (after - before) / 2;
        Ok((wall.saturating_sub(middle), after - before <= Self::QUICK))
    }
}
