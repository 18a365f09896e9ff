//! The rule for round-trip times, shared by single and multiple targets: kernel time stamps where they are plausible.
//!
//! Times are nanoseconds in u64. No I/O and no clock: every time is an argument.

use std::time::Instant;

/// One point in time, read from two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// `CLOCK_MONOTONIC`.
    pub monotonic: Instant,
    /// `CLOCK_REALTIME` in nanoseconds since 1970: the clock of the kernel's packet time stamps.
    pub wall: u64,
}

/// The clocks that a round-trip time was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampSource {
    /// The kernel stamped the request and the reply.
    Kernel,
    /// The kernel stamped the reply; the send time was read before the send.
    KernelReceive,
    /// The monotonic clock of this process.
    User,
}

/// When a probe was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendTime {
    /// On the clock that `received` of [`round_trip`] is on.
    pub stamp: u64,
    /// Whether the kernel made `stamp`.
    pub is_kernel: bool,
}

/// The round-trip time in nanoseconds, and its source.
///
/// `received` is the kernel's time stamp of the reply, `limit` the time that passed on the monotonic clock between send
/// and receive. The wall clock may step: kernel stamps count only while their difference lies within 0 and `limit`.
pub fn round_trip(sent: SendTime, received: Option<u64>, limit: u64) -> (u64, StampSource) {
    let difference = received.and_then(|received| received.checked_sub(sent.stamp));
    match difference.filter(|time| *time <= limit) {
        Some(time) if sent.is_kernel => (time, StampSource::Kernel),
        Some(time) => (time, StampSource::KernelReceive),
        None => (limit, StampSource::User),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_stamps_count_only_within_the_time_on_the_monotonic_clock() {
        for (stamp, is_kernel, received, time, source) in [
            (104, true, Some(109), 5, StampSource::Kernel),
            (100, false, Some(109), 9, StampSource::KernelReceive),
            (112, true, Some(109), 10, StampSource::User),
            (104, true, Some(90_000), 10, StampSource::User),
            (104, true, None, 10, StampSource::User),
        ] {
            assert_eq!(round_trip(SendTime { stamp, is_kernel }, received, 10), (time, source));
        }
    }
}
