//! Which proxies stand in front and are believed. No I/O.
//!
//! Whatever a proxy says about its client decides about logs, limits and logins, so it counts only from addresses that the
//! command line names.

use crate::net::peer::Peer;
use crate::proto::cidr::Network;
use crate::proto::field::Fields;
use crate::proto::forwarded;

/// The proxies that are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    /// Where they are.
    pub networks: Vec<Network>,
    /// Whether those that come by a unix socket are among them.
    pub unix_sockets: bool,
    /// Whether they begin each connection with a PROXY header.
    pub proxy_protocol: bool,
}

impl TrustedProxies {
    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix_sockets
    }

    /// Whether `peer` is one of them.
    pub fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(ip) => self.networks.iter().any(|network| network.contains(ip)),
            Peer::Local => self.unix_sockets,
        }
    }

    /// As whom a connection from `peer` counts before anything is known of its client: a trusted proxy brings the connections
    /// of many, so it counts as nobody in particular.
    pub fn counted(&self, peer: Peer) -> Peer {
        if self.trusts(peer) { Peer::Local } else { peer }
    }

    /// Who sent a request with these fields over a connection of `peer`.
    pub fn client(&self, peer: Peer, fields: &Fields) -> Peer {
        if !self.trusts(peer) {
            return peer;
        }
        forwarded::client(fields, |ip| self.trusts(Peer::Ip(ip))).map_or(peer, Peer::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::field::Name;

    fn client(proxies: &TrustedProxies, peer: Peer) -> String {
        let mut fields = Fields::default();
        fields.add(Name::XForwardedFor, b"192.0.2.1");
        proxies.client(peer, &fields).to_string()
    }

    #[test]
    fn only_those_who_are_trusted_are_believed() {
        let peer = |text: &str| Peer::Ip(text.parse().unwrap());
        let proxies = TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix_sockets: false, proxy_protocol: false };
        assert_eq!(client(&proxies, peer("10.1.1.1")), "192.0.2.1");
        assert_eq!(client(&proxies, peer("11.1.1.1")), "11.1.1.1");
        assert_eq!(client(&proxies, Peer::Local), "unix:");
        assert_eq!(client(&TrustedProxies { unix_sockets: true, ..TrustedProxies::default() }, Peer::Local), "192.0.2.1");
        assert_eq!(client(&TrustedProxies::default(), peer("10.1.1.1")), "10.1.1.1");
        assert_eq!((proxies.counted(peer("10.1.1.1")), proxies.counted(peer("::1"))), (Peer::Local, peer("::1")));
    }
}
