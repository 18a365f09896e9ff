//! The address family of a run or a target.

use std::net::IpAddr;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and ICMP.
    V4,
    /// IPv6 and `ICMPv6`.
    V6,
}

impl Family {
    /// The family that the name of the program chooses.
    pub fn of_program(name: &str) -> Option<Self> {
        match name {
            "ping4" => Some(Self::V4),
            "ping6" => Some(Self::V6),
            _ => None,
        }
    }

    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Whether `address` belongs to this family.
    pub fn is_of(self, address: IpAddr) -> bool {
        Self::of(address) == self
    }
}
