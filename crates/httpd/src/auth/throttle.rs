//! Slowing those who guess: after some failures, an address has to wait before it may try again. No I/O; the time comes in.
//!
//! The wait doubles with every further failure. The table is bounded: when more addresses fail than it holds, those that
//! find no place share one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::net::peer::Peer;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
/// The longest wait, so that an address that was misused is usable again after lunch.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// An address that has not failed for so long has a clean slate.
const FORGET: Duration = Duration::from_secs(900);
/// Addresses that are remembered: about half a megabyte.
const MAX_ADDRESSES: usize = 4096;
/// Logins of one address that are looked at at the same time, so that it cannot try a thousand before the first has failed.
const AT_ONCE: u32 = 16;

/// Whom failures are counted for. A home has a whole /64 of IPv6, so all of it counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    V4(u32),
    V6Net(u64),
    Local,
    /// All for whom there is no place.
    Crowd,
}

impl From<Peer> for Origin {
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
struct Record {
    failures: u32,
    last: Instant,
    under_way: u32,
}

impl Record {
    /// How long it still has to wait.
    fn wait(&self, now: Instant) -> Duration {
        let Some(doublings) = self.failures.checked_sub(FREE) else { return Duration::ZERO };
        let seconds = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let wait = Duration::from_secs(seconds).min(MAX_WAIT);
        wait.saturating_sub(now.saturating_duration_since(self.last))
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        self.under_way == 0 && now.saturating_duration_since(self.last) >= FORGET
    }
}

/// The permission to try once; see [`LoginThrottle::end`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(super) struct AttemptPermit(Origin);

/// The failures of all addresses.
#[derive(Debug, Default)]
pub(super) struct LoginThrottle {
    records: HashMap<Origin, Record>,
}

impl LoginThrottle {
    /// Lets a client try, or says how long it has to wait. Whoever is let through must be brought to [`LoginThrottle::end`].
    pub(super) fn begin(&mut self, peer: Peer, now: Instant) -> Result<AttemptPermit, Duration> {
        let origin = self.place_of(peer, now);
        let record = self.record(origin, now);
        let wait = record.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        if record.under_way >= AT_ONCE {
            return Err(Duration::from_secs(1));
        }
        record.under_way += 1;
        Ok(AttemptPermit(origin))
    }

    /// The outcome of a try; `failed` is false also when there was none.
    pub(super) fn end(&mut self, permit: AttemptPermit, failed: bool, now: Instant) {
        let AttemptPermit(origin) = permit;
        let record = self.record(origin, now);
        record.under_way = record.under_way.saturating_sub(1);
        if failed {
            record.failures = record.failures.saturating_add(1);
            record.last = now;
        } else if record.failures == 0 && record.under_way == 0 {
            self.records.remove(&origin);
        }
    }

    /// Under whose name a client is counted.
    fn place_of(&mut self, peer: Peer, now: Instant) -> Origin {
        let origin = Origin::from(peer);
        if self.records.contains_key(&origin) || self.records.len() < MAX_ADDRESSES {
            return origin;
        }
        self.records.retain(|_, record| !record.is_forgotten(now));
        if self.records.len() < MAX_ADDRESSES { origin } else { Origin::Crowd }
    }

    /// The record of an address, with a clean slate if that is due.
    fn record(&mut self, origin: Origin, now: Instant) -> &mut Record {
        let record = self.records.entry(origin).or_insert(Record { failures: 0, last: now, under_way: 0 });
        if record.is_forgotten(now) {
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
    fn some_failures_are_free_and_then_the_wait_doubles() {
        let mut throttle = LoginThrottle::default();
        let mut now = Instant::now();
        for _ in 0..FREE {
            fail(&mut throttle, address(1), now);
        }
        for seconds in [1, 2, 4, 8] {
            assert_eq!(wait(&mut throttle, address(1), now), Some(Duration::from_secs(seconds)));
            assert_eq!(wait(&mut throttle, address(2), now), None, "nobody else waits");
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
    fn failures_are_forgotten_after_a_while() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        for _ in 0..FREE {
            fail(&mut throttle, address(1), now);
        }
        assert!(throttle.begin(address(1), now).is_err());
        let later = now + FORGET;
        for _ in 0..FREE {
            fail(&mut throttle, address(1), later);
        }
        assert!(throttle.begin(address(1), later).is_err());
    }

    #[test]
    fn only_some_tries_of_an_address_are_under_way_at_once() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        let mut permits: Vec<_> = (0..AT_ONCE).map(|_| throttle.begin(address(1), now).unwrap()).collect();
        assert_eq!(wait(&mut throttle, address(1), now), Some(Duration::from_secs(1)));
        throttle.end(permits.pop().unwrap(), false, now);
        assert_eq!(wait(&mut throttle, address(1), now), None);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        let peer = |text: &str| Peer::Ip(text.parse().unwrap());
        for last in 0..FREE {
            fail(&mut throttle, peer(&format!("2001:db8::{last}")), now);
        }
        assert!(throttle.begin(peer("2001:db8::ffff:ffff:ffff:ffff"), now).is_err());
        assert_eq!(wait(&mut throttle, peer("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn the_table_is_bounded_and_those_without_a_place_share_one() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        for number in 0..u32::try_from(2 * MAX_ADDRESSES).unwrap() {
            if let Ok(permit) = throttle.begin(address(number), now) {
                throttle.end(permit, true, now);
            }
        }
        assert!(throttle.records.len() <= MAX_ADDRESSES + 1, "{}", throttle.records.len());
        assert!(wait(&mut throttle, address(u32::MAX), now).is_some(), "the crowd waits together");
        fail(&mut throttle, address(1), now);
        assert_eq!(wait(&mut throttle, address(u32::MAX), now + FORGET), None, "and is forgotten like everybody");
    }

    #[test]
    fn who_logs_in_leaves_nothing_behind() {
        let mut throttle = LoginThrottle::default();
        let now = Instant::now();
        assert_eq!(wait(&mut throttle, address(1), now), None);
        assert!(throttle.records.is_empty());
    }
}
