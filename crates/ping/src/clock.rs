//! The two clocks of ping, read together.
//!
//! The monotonic clock decides when to act and bounds each round-trip time; the wall clock is the one that the kernel
//! stamps packets with. Nobody else in this program reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Failure, Kind};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::pinger::Moment;

/// This moment on both clocks.
pub(crate) fn now() -> Result<Moment, Failure> {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|cause| Failure::new(Kind::System, "read", "the clock", cause))?;
    Ok(Moment { steady: Instant::now(), wall: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX) })
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
