//! Proxies whose information about clients is used for logs, limits and logins. No I/O.

use crate::net::peer::Peer;
use crate::proto::cidr::Network;
use crate::proto::field::Fields;
use crate::proto::forwarded;

/// The trusted proxies.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    /// Their addresses.
    pub networks: Vec<Network>,
    /// Whether clients of unix sockets are trusted proxies.
    pub unix_sockets: bool,
    /// Whether each connection begins with a PROXY header.
    pub proxy_protocol: bool,
}

impl TrustedProxies {
    /// Whether there are no trusted proxies.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix_sockets
    }

    /// Whether `peer` is a trusted proxy.
    pub fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(ip) => self.networks.iter().any(|network| network.contains(ip)),
            Peer::Local => self.unix_sockets,
        }
    }

    /// The peer for which a connection is counted before its client is known: a trusted proxy has no limit,
    /// because it forwards many clients.
    pub fn counted(&self, peer: Peer) -> Peer {
        if self.trusts(peer) { Peer::Local } else { peer }
    }

    /// The client that sent a request with these fields over a connection of `peer`.
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
    fn fields_of_trusted_proxies_only_are_used() {
        let peer = |text: &str| Peer::Ip(text.parse().unwrap());
        let proxies = TrustedProxies {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            unix_sockets: false,
            proxy_protocol: false,
        };
        assert_eq!(client(&proxies, peer("10.1.1.1")), "192.0.2.1");
        assert_eq!(client(&proxies, peer("11.1.1.1")), "11.1.1.1");
        assert_eq!(client(&proxies, Peer::Local), "unix:");
        assert_eq!(
            client(&TrustedProxies { unix_sockets: true, ..TrustedProxies::default() }, Peer::Local),
            "192.0.2.1"
        );
        assert_eq!(client(&TrustedProxies::default(), peer("10.1.1.1")), "10.1.1.1");
        assert_eq!((proxies.counted(peer("10.1.1.1")), proxies.counted(peer("::1"))), (Peer::Local, peer("::1")));
    }
}
