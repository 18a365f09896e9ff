//! Networks in CIDR notation (RFC 4632).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A network: all addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CidrParseError {
    /// The part before the slash is not an IP address.
    #[error("is not an IP address or a network such as 10.0.0.0/8")]
    Address,
    /// The part behind the slash is not a valid prefix length.
    #[error("has no valid prefix length behind the slash")]
    Prefix,
    /// The address has host bits set, so either the address or the prefix length is wrong.
    #[error("has bits set behind the first {0}")]
    HostBits(u32),
}

impl Network {
    /// Whether the network contains `address`; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = CidrParseError;

    fn from_str(text: &str) -> Result<Self, CidrParseError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| CidrParseError::Address)?;
        let address = address.to_canonical();
        let network = match prefix {
            None => IpNet::from(address),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let prefix = digits.parse().map_err(|_| CidrParseError::Prefix)?;
                IpNet::new(address, prefix).map_err(|_| CidrParseError::Prefix)?
            }
            Some(_) => return Err(CidrParseError::Prefix),
        };
        if network.trunc() != network {
            return Err(CidrParseError::HostBits(network.prefix_len().into()));
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        assert!(contains("10.0.0.0/8", "10.255.1.2") && !contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("192.0.2.1", "192.0.2.1") && !contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("2001:db8::/33", "2001:db8:7fff::1") && !contains("2001:db8::/33", "2001:db8:8000::1"));
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "ffff::") && !contains("::/0", "10.0.0.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.1.1"), "IPv4 by a dual socket is IPv4");
    }

    #[test]
    fn an_invalid_network_is_reported_with_the_reason() {
        for (text, why) in [
            ("", CidrParseError::Address),
            ("proxy.example.com", CidrParseError::Address),
            ("10.0.0.0/", CidrParseError::Prefix),
            ("10.0.0.0/33", CidrParseError::Prefix),
            ("::/129", CidrParseError::Prefix),
            ("10.0.0.0/+8", CidrParseError::Prefix),
            ("10.0.0.0/8/8", CidrParseError::Prefix),
            ("10.0.0.1/8", CidrParseError::HostBits(8)),
        ] {
            assert_eq!(text.parse::<Network>(), Err(why), "{text}");
        }
        assert_eq!("2001:db8::/32".parse::<Network>().unwrap().to_string(), "2001:db8::/32");
    }
}
