//! The two clocks of ping, read together.
//!
//! The monotonic clock decides when to act and bounds each round-trip time; the wall clock is the one that the kernel
//! stamps packets with. Nobody else in this program reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Error, Kind};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::rtt::Timestamp;

/// This moment on both clocks.
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
    // An absolute time: being kept from the processor between here and there does not make the sleep longer.
    let end = Duration::from(now).saturating_add(Duration::from_nanos(left));
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &end.into());
}

/// Puts the wall clock of the kernel's stamps on the steady clock of a run.
///
/// Both ends of a round trip go the same way, so an error of the offset drops out of the difference.
#[derive(Debug)]
pub(crate) struct ClockOffset {
    start: Instant,
    /// Wall clock less steady clock, in nanoseconds.
    offset: u64,
}

impl ClockOffset {
    /// Longest time between two readings of the steady clock around one of the wall clock that counts as none.
    const QUICK: u64 = 2_000;
    /// Smallest change that is followed: less is noise of reading.
    const NOISE: u64 = 20_000;
    /// Readings until one is taken that was not quick.
    const TRIES: u32 = 100;

    /// An offset for times since `start`.
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

    /// Follows a wall clock that is slewed or has stepped.
    pub(crate) fn follow(&mut self) -> Result<(), Error> {
        let (offset, is_quick) = self.reading()?;
        if is_quick && offset.abs_diff(self.offset) > Self::NOISE {
            self.offset = offset;
        }
        Ok(())
    }

    /// Nanoseconds since the start at which the wall clock showed `wall`.
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
