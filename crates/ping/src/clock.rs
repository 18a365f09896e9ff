//! The two clocks of ping, read together.
//!
//! The monotonic clock decides when to act and bounds each round-trip time; the wall clock is the one that the kernel
//! stamps packets with. Nobody else in this program reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::{Failure, Kind};

use crate::pinger::Moment;

/// This moment on both clocks.
pub(crate) fn now() -> Result<Moment, Failure> {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|cause| Failure::new(Kind::System, "read", "the clock", cause))?;
    Ok(Moment { steady: Instant::now(), wall: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX) })
}
