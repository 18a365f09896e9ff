//! The address of a client.

use std::fmt;
use std::net::IpAddr;

/// The peer of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// An IP address; IPv4-mapped addresses are stored as IPv4.
    Ip(IpAddr),
    /// A local process, by a unix socket: it has no address.
    Local,
}

/// The text for a peer without an address, as in nginx.
const LOCAL: &str = "unix:";

impl Peer {
    /// The address, if there is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Local => None,
        }
    }
}

impl From<IpAddr> for Peer {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Local => f.write_str(LOCAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_of_a_dual_stack_socket_is_shown_as_ipv4() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Peer::from(mapped).to_string(), "192.0.2.1");
        assert_eq!(Peer::Local.to_string(), "unix:");
    }
}
