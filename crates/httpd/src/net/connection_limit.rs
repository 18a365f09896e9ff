//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::net::peer::Peer;

/// Connections from one address unless the user says otherwise: enough for a whole office behind one router.
pub const MAX_PER_ADDRESS: usize = 1024;

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    accepted: u64,
    refused: u64,
    refused_by_address: u64,
    by_address: HashMap<IpAddr, usize>,
}

/// The doorkeeper that all workers share.
#[derive(Debug)]
pub struct ConnectionLimiter {
    total: usize,
    per_address: Option<usize>,
    counts: Mutex<Counts>,
}

/// What the doorkeeper has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Connections there are.
    pub now: u64,
    /// Connections that were let in.
    pub accepted: u64,
    /// Connections turned away because there were too many in all.
    pub refused: u64,
    /// Connections turned away because there were too many from their address.
    pub refused_by_address: u64,
}

/// The right to be connected; given back on drop.
#[derive(Debug)]
pub struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    peer: Peer,
}

impl ConnectionLimiter {
    /// A limiter of `total` connections; `per_address` defaults to [`MAX_PER_ADDRESS`] for other than loopback addresses.
    pub fn new(total: usize, per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self { total, per_address, counts: Mutex::default() })
    }

    /// Lets one more connection of `peer` in; `None` when there are too many. Whoever has no address counts only in all.
    pub fn admit(self: &Arc<Self>, peer: Peer) -> Option<ConnectionPermit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.total {
            counts.refused += 1;
            return None;
        }
        if counts.here(peer) >= self.limit(peer) {
            counts.refused_by_address += 1;
            return None;
        }
        counts.all += 1;
        counts.accepted += 1;
        counts.come(peer);
        Some(ConnectionPermit { limiter: Arc::clone(self), peer })
    }

    /// Whether there is room for one more connection of `peer`.
    pub fn has_room(&self, peer: Peer) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.here(peer) < self.limit(peer)
    }

    /// Connections that `peer` may have.
    fn limit(&self, peer: Peer) -> usize {
        match (self.per_address, peer.ip()) {
            (_, None) => usize::MAX,
            (Some(limit), _) => limit,
            (None, Some(ip)) if ip.is_loopback() => usize::MAX,
            (None, _) => MAX_PER_ADDRESS,
        }
    }

    /// How many there are, and what became of those that came.
    pub fn counts(&self) -> ConnectionCounts {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        ConnectionCounts {
            now: counts.all as u64,
            accepted: counts.accepted,
            refused: counts.refused,
            refused_by_address: counts.refused_by_address,
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        counts.go(self.peer);
    }
}

impl ConnectionPermit {
    /// Counts for `peer` from now on; whether there was room for it there. If not, it counts as before.
    pub fn count_for(&mut self, peer: Peer) -> bool {
        if self.peer == peer {
            return true;
        }
        let mut counts = self.limiter.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.here(peer) >= self.limiter.limit(peer) {
            counts.refused_by_address += 1;
            return false;
        }
        counts.go(self.peer);
        counts.come(peer);
        self.peer = peer;
        true
    }
}

impl Counts {
    fn here(&self, peer: Peer) -> usize {
        peer.ip().and_then(|ip| self.by_address.get(&ip).copied()).unwrap_or(0)
    }

    fn come(&mut self, peer: Peer) {
        if let Some(ip) = peer.ip() {
            *self.by_address.entry(ip).or_default() += 1;
        }
    }

    fn go(&mut self, peer: Peer) {
        let Some(ip) = peer.ip() else { return };
        if let Some(here) = self.by_address.get_mut(&ip) {
            *here -= 1;
            if *here == 0 {
                self.by_address.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(connections: usize, per_address: Option<usize>) -> Arc<ConnectionLimiter> {
        ConnectionLimiter::new(connections, per_address)
    }

    fn address(last: u8) -> Peer {
        Peer::Ip(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn places_are_limited_in_all_and_given_back_on_drop() {
        let limiter = limiter(2, None);
        let first = limiter.admit(address(1)).unwrap();
        let _second = limiter.admit(address(2)).unwrap();
        assert!(limiter.admit(address(3)).is_none());
        drop(first);
        assert!(limiter.admit(address(3)).is_some());
        assert_eq!(limiter.counts(), ConnectionCounts { now: 1, accepted: 3, refused: 1, refused_by_address: 0 });
        assert!(limiter.counts.lock().unwrap().by_address.len() == 1, "nothing is kept for addresses that left");
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let limiter = limiter(10, Some(1));
        let _first = limiter.admit(address(1)).unwrap();
        assert!(limiter.admit(address(1)).is_none());
        assert!(limiter.admit(address(2)).is_some());
        assert_eq!((limiter.counts().refused, limiter.counts().refused_by_address), (0, 1));
    }

    #[test]
    fn a_connection_can_be_counted_for_another_address() {
        let limiter = limiter(10, Some(1));
        let mut through_proxy = limiter.admit(Peer::Local).unwrap();
        assert!(through_proxy.count_for(address(1)) && !limiter.has_room(address(1)));
        let mut other = limiter.admit(Peer::Local).unwrap();
        assert!(!other.count_for(address(1)));
        assert!(through_proxy.count_for(address(1)), "it is counted there already");
        assert!(through_proxy.count_for(address(2)) && limiter.has_room(address(1)));
        assert!(other.count_for(address(1)));
        drop((through_proxy, other));
        assert!(limiter.counts.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn without_a_word_from_the_user_loopback_is_not_counted() {
        let limiter = limiter(usize::MAX, None);
        let permits: Vec<_> =
            (0..=MAX_PER_ADDRESS).map(|_| limiter.admit(Peer::Ip(IpAddr::from([127, 0, 0, 1])))).collect();
        assert!(permits.iter().all(Option::is_some));
        let permits: Vec<_> = (0..=MAX_PER_ADDRESS).map(|_| limiter.admit(address(1))).collect();
        assert_eq!(permits.iter().filter(|permit| permit.is_none()).count(), 1);
    }

    #[test]
    fn clients_of_a_unix_socket_count_in_all_only() {
        let limiter = limiter(2, Some(1));
        let first = limiter.admit(Peer::Local).unwrap();
        let _second = limiter.admit(Peer::Local).unwrap();
        assert!(limiter.admit(Peer::Local).is_none());
        drop(first);
        assert!(limiter.admit(Peer::Local).is_some());
    }
}
