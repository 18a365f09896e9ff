//! Limits connections, in total and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use common::sync::Mutex;

use crate::net::peer::Peer;

/// Default limit of connections per address: enough for an office behind one router.
pub const MAX_PER_ADDRESS: usize = 1024;

#[derive(Debug, Default)]
struct LimiterState {
    total: usize,
    accepted: u64,
    rejected: u64,
    rejected_by_address: u64,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts open connections, in total and per address; shared by all workers.
#[derive(Debug)]
pub struct ConnectionLimiter {
    total: usize,
    per_address: Option<usize>,
    counts: Mutex<LimiterState>,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// That of all connections.
    Total,
    /// That of the connections of one address.
    OfAddress,
}

/// Snapshot of the counters, for /metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open connections.
    pub open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections rejected at the total limit.
    pub rejected: u64,
    /// Connections rejected at the limit of their address.
    pub rejected_by_address: u64,
}

/// The share of one connection in the limit, released on drop.
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

    /// Admits a connection, or names the limit. Peers without an address (Unix sockets) count towards the total only.
    pub fn admit(self: &Arc<Self>, peer: Peer) -> Result<ConnectionPermit, Limit> {
        let mut counts = self.counts.lock();
        if counts.open_for(peer) >= self.limit(peer) {
            return Err(Limit::OfAddress);
        }
        if counts.total >= self.total {
            return Err(Limit::Total);
        }
        counts.total += 1;
        counts.accepted += 1;
        counts.add(peer);
        Ok(ConnectionPermit { limiter: Arc::clone(self), peer })
    }

    /// Counts a connection that was rejected at a limit.
    pub fn count_rejection(&self, limit: Limit) {
        let mut counts = self.counts.lock();
        match limit {
            Limit::Total => counts.rejected += 1,
            Limit::OfAddress => counts.rejected_by_address += 1,
        }
    }

    /// Whether `peer` is below its limit.
    pub fn has_room(&self, peer: Peer) -> bool {
        let counts = self.counts.lock();
        counts.open_for(peer) < self.limit(peer)
    }

    /// The limit of `peer`.
    fn limit(&self, peer: Peer) -> usize {
        match (self.per_address, peer.ip()) {
            (_, None) => usize::MAX,
            (Some(limit), _) => limit,
            (None, Some(ip)) if ip.is_loopback() => usize::MAX,
            (None, _) => MAX_PER_ADDRESS,
        }
    }

    /// The current counters.
    pub fn counts(&self) -> ConnectionCounts {
        let counts = self.counts.lock();
        ConnectionCounts {
            open: counts.total as u64,
            accepted: counts.accepted,
            rejected: counts.rejected,
            rejected_by_address: counts.rejected_by_address,
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts.lock();
        counts.total -= 1;
        counts.remove(self.peer);
    }
}

impl ConnectionPermit {
    /// The peer for which the connection is counted.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Counts the connection for `peer` from now on; without effect and `false` at the limit of `peer`.
    pub fn count_for(&mut self, peer: Peer) -> bool {
        if self.peer == peer {
            return true;
        }
        let mut counts = self.limiter.counts.lock();
        if counts.open_for(peer) >= self.limiter.limit(peer) {
            counts.rejected_by_address += 1;
            return false;
        }
        counts.remove(self.peer);
        counts.add(peer);
        self.peer = peer;
        true
    }
}

impl LimiterState {
    fn open_for(&self, peer: Peer) -> usize {
        peer.ip().and_then(|ip| self.by_address.get(&ip).copied()).unwrap_or(0)
    }

    fn add(&mut self, peer: Peer) {
        if let Some(ip) = peer.ip() {
            *self.by_address.entry(ip).or_default() += 1;
        }
    }

    fn remove(&mut self, peer: Peer) {
        let Some(ip) = peer.ip() else { return };
        if let Some(open) = self.by_address.get_mut(&ip) {
            *open -= 1;
            if *open == 0 {
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
    fn connections_are_limited_in_total_and_released_on_drop() {
        let limiter = limiter(2, None);
        let first = limiter.admit(address(1)).unwrap();
        let _second = limiter.admit(address(2)).unwrap();
        let limit = limiter.admit(address(3)).unwrap_err();
        limiter.count_rejection(limit);
        drop(first);
        assert!(limiter.admit(address(3)).is_ok());
        assert_eq!(limiter.counts(), ConnectionCounts { open: 1, accepted: 3, rejected: 1, rejected_by_address: 0 });
        assert!(limiter.counts.lock().by_address.len() == 1, "no entry remains for closed connections");
    }

    #[test]
    fn one_address_cannot_use_the_whole_limit() {
        let limiter = limiter(10, Some(1));
        let _first = limiter.admit(address(1)).unwrap();
        let limit = limiter.admit(address(1)).unwrap_err();
        limiter.count_rejection(limit);
        assert!(limiter.admit(address(2)).is_ok());
        assert_eq!((limiter.counts().rejected, limiter.counts().rejected_by_address), (0, 1));
    }

    #[test]
    fn a_connection_can_be_counted_for_another_address() {
        let limiter = limiter(10, Some(1));
        let mut through_proxy = limiter.admit(Peer::Local).unwrap();
        assert!(through_proxy.count_for(address(1)) && !limiter.has_room(address(1)));
        let mut other = limiter.admit(Peer::Local).unwrap();
        assert!(!other.count_for(address(1)));
        assert!(through_proxy.count_for(address(1)), "it counts for this address already");
        assert!(through_proxy.count_for(address(2)) && limiter.has_room(address(1)));
        assert!(other.count_for(address(1)));
        drop((through_proxy, other));
        assert!(limiter.counts.lock().by_address.is_empty());
    }

    #[test]
    fn by_default_loopback_has_no_limit() {
        let limiter = limiter(usize::MAX, None);
        let permits: Vec<_> =
            (0..=MAX_PER_ADDRESS).map(|_| limiter.admit(Peer::Ip(IpAddr::from([127, 0, 0, 1])))).collect();
        assert!(permits.iter().all(Result::is_ok));
        let permits: Vec<_> = (0..=MAX_PER_ADDRESS).map(|_| limiter.admit(address(1))).collect();
        assert_eq!(permits.iter().filter(|permit| permit.is_err()).count(), 1);
    }

    #[test]
    fn clients_of_a_unix_socket_count_towards_the_total_only() {
        let limiter = limiter(2, Some(1));
        let first = limiter.admit(Peer::Local).unwrap();
        let _second = limiter.admit(Peer::Local).unwrap();
        assert!(limiter.admit(Peer::Local).is_err());
        drop(first);
        assert!(limiter.admit(Peer::Local).is_ok());
    }
}
