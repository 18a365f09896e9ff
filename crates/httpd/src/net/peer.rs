//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

/// A client, as far as its socket tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address; IPv4 is IPv4 also where the socket is dual.
    Ip(IpAddr),
    /// A process of this machine, by a unix socket: it has no address.
    Local,
}

/// What stands for a client without an address, in logs and elsewhere: the word that nginx uses.
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

impl Serialize for Peer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_of_a_dual_socket_is_shown_as_ipv4() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Peer::from(mapped).to_string(), "192.0.2.1");
        assert_eq!(serde_json::to_string(&Peer::Local).unwrap(), "\"unix:\"");
    }
}
