//! Delays logins after failures, per address. No I/O; `now` is an argument.
//!
//! The delay doubles with every failure. The table is bounded: further addresses share one record.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::net::peer::Peer;

/// Failures without a delay, for typing errors.
const MAX_FREE_FAILURES: u32 = 5;
/// Longest delay after repeated failures.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Time without failures after which a record is reset.
const RESET_AFTER: Duration = Duration::from_secs(900);
/// Addresses in the table; about half a megabyte.
const MAX_ADDRESSES: usize = 4096;
/// Concurrent attempts of one address, which limits the attempts before the first failure is known.
const MAX_CONCURRENT: u32 = 16;

/// The key of a record. A /64 network of IPv6 counts as one address, because one customer usually has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ThrottleKey {
    V4(u32),
    V6Net(u64),
    Local,
    /// Shared record once [`MAX_ADDRESSES`] is reached.
    Overflow,
}

impl From<Peer> for ThrottleKey {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Ip(IpAddr::V4(ip)) => Self::V4(ip.to_bits()),
            Peer::Ip(IpAddr::V6(ip)) => Self::V6Net(network(ip)),
            Peer::Local => Self::Local,
        }
    }
}

fn network(ip: Ipv6Addr) -> u64 {
    let [a, b, c, d, ..] = ip.segments();
    u64::from(a) << 48 | u64::from(b) << 32 | u64::from(c) << 16 | u64::from(d)
}

#[derive(Debug)]
struct FailureRecord {
    failures: u32,
    last: Instant,
    concurrent: u32,
}

impl FailureRecord {
    /// The remaining delay.
    fn wait(&self, now: Instant) -> Duration {
        let Some(doublings) = self.failures.checked_sub(MAX_FREE_FAILURES) else { return Duration::ZERO };
        let seconds = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let wait = Duration::from_secs(seconds).min(MAX_WAIT);
        wait.saturating_sub(now.saturating_duration_since(self.last))
    }

    fn is_outdated(&self, now: Instant) -> bool {
        self.concurrent == 0 && now.saturating_duration_since(self.last) >= RESET_AFTER
    }
}

/// The permit for one attempt, to be passed to [`LoginThrottle::end`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct AttemptPermit(ThrottleKey);

/// Failed logins by address.
#[derive(Debug, Default)]
pub(super) struct LoginThrottle {
    records: HashMap<ThrottleKey, FailureRecord>,
}

impl LoginThrottle {
    /// Begins an attempt, or returns the remaining delay. Every attempt must be passed to [`LoginThrottle::end`].
    pub(super) fn begin(&mut self, peer: Peer, now: Instant) -> Result<AttemptPermit, Duration> {
        let key = self.key(peer, now);
        let record = self.record(key, now);
        let wait = record.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        if record.concurrent >= MAX_CONCURRENT {
            return Err(Duration::from_secs(1));
        }
        record.concurrent += 1;
        Ok(AttemptPermit(key))
    }

    /// Ends an attempt; `failed` is false for an attempt without a result.
    pub(super) fn end(&mut self, permit: AttemptPermit, failed: bool, now: Instant) {
        let AttemptPermit(key) = permit;
        let record = self.record(key, now);
        record.concurrent = record.concurrent.saturating_sub(1);
        if failed {
            record.failures = record.failures.saturating_add(1);
            record.last = now;
        } else if record.failures == 0 && record.concurrent == 0 {
            self.records.remove(&key);
        }
    }

    /// The key of the record of a client.
    fn key(&mut self, peer: Peer, now: Instant) -> ThrottleKey {
        let key = ThrottleKey::from(peer);
        if self.records.contains_key(&key) || self.records.len() < MAX_ADDRESSES {
            return key;
        }
        self.records.retain(|_, record| !record.is_outdated(now));
        if self.records.len() < MAX_ADDRESSES { key } else { ThrottleKey::Overflow }
    }

    /// The record of an address, reset if that is due.
    fn record(&mut self, key: ThrottleKey, now: Instant) -> &mut FailureRecord {
        let record = self.records.entry(key).or_insert(FailureRecord { failures: 0, last: now, concurrent: 0 });
        if record.is_outdated(now) {
            record.failures = 0;
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> Peer {
        Peer::Ip(IpAddr::V4(last.into()))
    }

    fn fail(throttle: &mut LoginThrottle, peer: Peer, now: Instant) {
        let permit = throttle.begin(peer, now).unwrap();
        throttle.end(permit, true, now);
    }

    fn wait(throttle: &mut LoginThrottle, peer: Peer, now: Instant) -> Option<Duration> {
        throttle.begin(peer, now).map(|permit| throttle.end(permit, false, now)).err()
    }

    #[test]
    fn some_failures_are_free_and_then_the_delay_doubles() {
        let mut throttle = LoginThrottle::default();
        let mut now = Instant::now();
        for _ in 0..MAX_FREE_FAILURES {
            fail(&mut throttle, address(1), now);
        }
        for seconds in [1, 2, 4, 8] {
            assert_eq!(wait(&mut throttle, address(1), now), Some(Duration::from_secs(seconds)));
            assert_eq!(wait(&mut throttle, address(2), now), None, "other addresses have no delay");
            now += Duration::from_secs(seconds);
            fail(&mut throttle, address(1), now);
        }
        for _ in 0..100 {
            let wait = wait(&mut throttle, address(1), now).unwrap();
            assert!(wait <= MAX_WAIT);
            now += wait;
            fail(&mut throttle, address(1), now);
        }
    }

    #[test]
    fn a_record_is_reset_after_some_time_without_failures() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        for _ in 0..MAX_FREE_FAILURES {
            fail(&mut throttle, address(1), now);
        }
        assert!(throttle.begin(address(1), now).is_err());
        let later = now + RESET_AFTER;
        for _ in 0..MAX_FREE_FAILURES {
            fail(&mut throttle, address(1), later);
        }
        assert!(throttle.begin(address(1), later).is_err());
    }

    #[test]
    fn the_concurrent_attempts_of_an_address_are_limited() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        let mut permits: Vec<_> = (0..MAX_CONCURRENT).map(|_| throttle.begin(address(1), now).unwrap()).collect();
        assert_eq!(wait(&mut throttle, address(1), now), Some(Duration::from_secs(1)));
        throttle.end(permits.pop().unwrap(), false, now);
        assert_eq!(wait(&mut throttle, address(1), now), None);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        let peer = |text: &str| Peer::Ip(text.parse().unwrap());
        for last in 0..MAX_FREE_FAILURES {
            fail(&mut throttle, peer(&format!("2001:db8::{last}")), now);
        }
        assert!(throttle.begin(peer("2001:db8::ffff:ffff:ffff:ffff"), now).is_err());
        assert_eq!(wait(&mut throttle, peer("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn the_table_is_bounded_and_further_addresses_share_a_record() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        for number in 0..u32::try_from(2 * MAX_ADDRESSES).unwrap() {
            if let Ok(permit) = throttle.begin(address(number), now) {
                throttle.end(permit, true, now);
            }
        }
        assert!(throttle.records.len() <= MAX_ADDRESSES + 1, "{}", throttle.records.len());
        assert!(wait(&mut throttle, address(u32::MAX), now).is_some(), "further addresses share a record");
        fail(&mut throttle, address(1), now);
        assert_eq!(wait(&mut throttle, address(u32::MAX), now + RESET_AFTER), None, "which is reset like any other");
    }

    #[test]
    fn a_successful_login_leaves_no_record() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        assert_eq!(wait(&mut throttle, address(1), now), None);
        assert!(throttle.records.is_empty());
    }
}
