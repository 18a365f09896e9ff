//! The header of the PROXY protocol, versions 1 and 2, by which a load balancer reports the client of a connection.
//!
//! Servers behind a load balancer (Postfix with `smtpd_upstream_proxy_protocol = haproxy`) require it.

use std::net::{IpAddr, SocketAddr};

/// The first bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY: the addresses are those of a client.
const PROXIED: u8 = 0x21;
/// TCP over IPv4.
const TCP4: u8 = 0x11;
/// TCP over IPv6.
const TCP6: u8 = 0x21;

/// The version of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 1, a line of text.
    V1,
    /// Version 2, binary.
    V2,
}

/// The header for a connection of `client` to `server`.
///
/// Both addresses must be of one family; otherwise IPv4 is mapped to IPv6 (RFC 4291, section 2.5.5.2).
pub fn header(version: Version, client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let (from, to) = match (client.ip().to_canonical(), server.ip().to_canonical()) {
        (from @ IpAddr::V4(_), to @ IpAddr::V4(_)) => (from, to),
        (from, to) => (as_ipv6(from), as_ipv6(to)),
    };
    match version {
        Version::V1 => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), server.port()).into_bytes()
        }
        Version::V2 => {
            let (family, length) = if from.is_ipv4() { (TCP4, 12_u16) } else { (TCP6, 36) };
            let mut header = SIGNATURE.to_vec();
            header.extend_from_slice(&[PROXIED, family]);
            header.extend_from_slice(&length.to_be_bytes());
            for address in [from, to] {
                match address {
                    IpAddr::V4(address) => header.extend_from_slice(&address.octets()),
                    IpAddr::V6(address) => header.extend_from_slice(&address.octets()),
                }
            }
            header.extend_from_slice(&client.port().to_be_bytes());
            header.extend_from_slice(&server.port().to_be_bytes());
            header
        }
    }
}

fn as_ipv6(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn made(version: Version, client: &str, server: &str) -> Vec<u8> {
        header(version, client.parse().unwrap(), server.parse().unwrap())
    }

    #[test]
    fn version_1_is_a_line_of_text() {
        let four = made(Version::V1, "192.0.2.1:4000", "192.0.2.9:25");
        assert_eq!(four, b"PROXY TCP4 192.0.2.1 192.0.2.9 4000 25\r\n");
        let six = made(Version::V1, "[2001:db8::1]:4000", "[2001:db8::9]:25");
        assert_eq!(six, b"PROXY TCP6 2001:db8::1 2001:db8::9 4000 25\r\n");
    }

    #[test]
    fn version_2_has_the_same_fields_in_binary() {
        let four = made(Version::V2, "192.0.2.1:258", "192.0.2.9:25");
        assert_eq!(four[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
        assert_eq!(four[16..], [192, 0, 2, 1, 192, 0, 2, 9, 1, 2, 0, 25]);
        let six = made(Version::V2, "[2001:db8::1]:1", "[2001:db8::9]:25");
        assert_eq!((six.len(), six[13], six[15]), (52, 0x21, 36));
    }

    #[test]
    fn addresses_of_two_families_become_ipv6() {
        let mixed = made(Version::V1, "192.0.2.1:1", "[2001:db8::9]:25");
        assert_eq!(mixed, b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::9 1 25\r\n");
        let mapped = made(Version::V1, "[::ffff:192.0.2.1]:1", "192.0.2.9:25");
        assert_eq!(mapped, b"PROXY TCP4 192.0.2.1 192.0.2.9 1 25\r\n");
    }
}
