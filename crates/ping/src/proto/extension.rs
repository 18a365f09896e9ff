//! What routers append to ICMP errors: extensions (RFC 4884), the label stack (RFC 4950) and interfaces (RFC 5837).
//!
//! The length of the quote stands in the ICMP header, in words of 32 bits for IPv4 and of 64 bits for IPv6; the extensions
//! follow it. Objects are walked with progress and a cap. It describes what it finds and decides nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum::checksum;
use super::{be16, be32, byte};

/// Offset of extensions from routers without a length field (RFC 4884, section 5.5).
const CLASSIC_QUOTE: usize = 128;
/// Maximum number of objects parsed from an error.
const MAX_OBJECTS: usize = 16;
/// Maximum number of label stack entries parsed from an object.
const MAX_LABELS: usize = 16;
/// Longest interface name (RFC 5837, section 4.3).
const MAX_NAME: usize = 63;

/// Unit of the length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthUnit {
    /// 32 bits: ICMP for IPv4, the length in the sixth byte.
    Of32,
    /// 64 bits: `ICMPv6`, the length in the fifth byte.
    Of64,
}

/// One object of an extension structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// The MPLS label stack of the packet.
    Mpls(Vec<Label>),
    /// An interface of the router.
    Interface(Interface),
    /// An unknown object, by class and type.
    Unknown(u8, u8),
}

/// One entry of a label stack (RFC 3032).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The label, 20 bits.
    pub label: u32,
    /// Traffic class, 3 bits.
    pub class: u8,
    /// Whether this is the bottom of the stack.
    pub is_bottom: bool,
    /// Time to live.
    pub ttl: u8,
}

/// Interface information (RFC 5837).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Incoming interface, sub-IP component, outgoing interface, next hop: 0 to 3.
    pub role: u8,
    /// Number.
    pub index: Option<u32>,
    /// Address.
    pub address: Option<std::net::IpAddr>,
    /// Name as sent by the router; escaped before it is displayed.
    pub name: Option<Vec<u8>>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
}

/// Splits the part behind the 8 header bytes of an ICMP error into quote and extensions; `length` is the length field.
///
/// Without a length, extensions are accepted behind 128 bytes if version and checksum are valid.
pub fn split(body: &[u8], length: u8, words: LengthUnit) -> (&[u8], &[u8]) {
    let size = match words {
        LengthUnit::Of32 => usize::from(length).saturating_mul(4),
        LengthUnit::Of64 => usize::from(length).saturating_mul(8),
    };
    match body.split_at_checked(if size == 0 { CLASSIC_QUOTE } else { size }) {
        Some((quote, extensions)) if size > 0 || is_intact(extensions) => (quote, extensions),
        _ => (body, &[]),
    }
}

/// The length field of an ICMP error message.
pub fn length_field(message: &[u8], words: LengthUnit) -> u8 {
    let place = match words {
        LengthUnit::Of32 => 5,
        LengthUnit::Of64 => 4,
    };
    byte(message, place).unwrap_or(0)
}

/// The objects of an extension structure; none if version or checksum is invalid.
pub fn objects(extensions: &[u8]) -> Vec<Object> {
    let mut found = Vec::new();
    if !is_intact(extensions) {
        return found;
    }
    let mut rest = extensions.get(4..).unwrap_or_default();
    while found.len() < MAX_OBJECTS {
        let Ok(length) = be16(rest, 0) else { break };
        // The length of an object includes its header of 4 bytes.
        let Some((object, behind)) = rest.split_at_checked(length.into()).filter(|_| length >= 4) else { break };
        found.push(read(object));
        rest = behind;
    }
    found
}

/// Version 2, and a valid checksum unless it is zero.
fn is_intact(extensions: &[u8]) -> bool {
    let is_version_2 = extensions.len() >= 4 && byte(extensions, 0).unwrap_or(0).wrapping_shr(4) == 2;
    is_version_2 && (be16(extensions, 2) == Ok(0) || checksum(extensions) == 0)
}

fn read(object: &[u8]) -> Object {
    let (class, kind) = (byte(object, 2).unwrap_or(0), byte(object, 3).unwrap_or(0));
    let body = object.get(4..).unwrap_or_default();
    match (class, kind) {
        (1, 1) => Object::Mpls(body.chunks_exact(4).take(MAX_LABELS).filter_map(label).collect()),
        (2, _) => interface(kind, body).map_or(Object::Unknown(class, kind), Object::Interface),
        _ => Object::Unknown(class, kind),
    }
}

fn label(entry: &[u8]) -> Option<Label> {
    let word = be32(entry, 0).ok()?;
    let [_, _, third, ttl] = word.to_be_bytes();
    let class = third.wrapping_shr(1) & 7;
    Some(Label { label: word.wrapping_shr(12), class, is_bottom: third & 1 == 1, ttl })
}

/// Bits of the type tell which parts are present; their order is fixed.
fn interface(kind: u8, body: &[u8]) -> Option<Interface> {
    let mut interface = Interface { role: kind.wrapping_shr(6), ..Interface::default() };
    let mut rest = body;
    if kind & 8 != 0 {
        interface.index = Some(be32(rest, 0).ok()?);
        rest = rest.get(4..)?;
    }
    if kind & 4 != 0 {
        let family = be16(rest, 0).ok()?;
        let address = rest.get(4..)?;
        rest = match family {
            1 => {
                interface.address = Some(Ipv4Addr::from(be32(address, 0).ok()?).into());
                address.get(4..)?
            }
            2 => {
                interface.address = Some(Ipv6Addr::from(*address.first_chunk::<16>()?).into());
                address.get(16..)?
            }
            _ => return None,
        };
    }
    if kind & 2 != 0 {
        // The length byte includes itself, the name and its padding.
        let length = usize::from(byte(rest, 0).ok()?);
        let name = rest.get(1..length)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len()).min(MAX_NAME);
        interface.name = Some(name.get(..end)?.to_vec());
        rest = rest.get(length..)?;
    }
    if kind & 1 != 0 {
        interface.mtu = Some(be32(rest, 0).ok()?);
    }
    Some(interface)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    /// An extension structure around these objects, each as (class, type, body).
    fn structure(objects: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0x20, 0, 0, 0];
        for (class, kind, body) in objects {
            bytes.extend(u16::try_from(body.len().saturating_add(4)).unwrap_or(0).to_be_bytes());
            bytes.extend([*class, *kind]);
            bytes.extend(*body);
        }
        let sum = checksum(&bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    #[test]
    fn a_label_stack_is_read_entry_by_entry() {
        let bytes = structure(&[(1, 1, &[0x00, 0x3e, 0x80, 0x01, 0x00, 0x01, 0x0f, 0x40])]);
        let stack = vec![
            Label { label: 1000, class: 0, is_bottom: false, ttl: 1 },
            Label { label: 16, class: 7, is_bottom: true, ttl: 64 },
        ];
        assert_eq!(objects(&bytes), [Object::Mpls(stack)]);
    }

    #[test]
    fn an_interface_tells_index_address_name_and_mtu() {
        let mut body = vec![0, 0, 0, 7, 0, 1, 0, 0, 192, 0, 2, 1, 8];
        body.extend(b"eth0\0\0\0");
        body.extend([0, 0, 0x05, 0xdc]);
        let interface = Interface {
            role: 0,
            index: Some(7),
            address: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
            name: Some(b"eth0".to_vec()),
            mtu: Some(1500),
        };
        assert_eq!(objects(&structure(&[(2, 0x0f, &body)])), [Object::Interface(interface)]);
    }

    #[test]
    fn the_length_counts_words_of_the_family_and_the_rest_is_the_extension() {
        let body = [7; 200];
        assert_eq!(split(&body, 2, LengthUnit::Of32).0.len(), 8);
        assert_eq!(split(&body, 2, LengthUnit::Of64).0.len(), 16);
        assert_eq!(split(&body, 255, LengthUnit::Of32), (&body[..], &[][..]));
        // Without a length only a valid structure counts.
        assert_eq!(split(&body, 0, LengthUnit::Of32), (&body[..], &[][..]));
        let mut classic = vec![0; 128];
        classic.extend(structure(&[(1, 1, &[0, 0, 1, 1])]));
        assert_eq!(split(&classic, 0, LengthUnit::Of32).0.len(), 128);
    }

    #[test]
    fn a_wrong_version_checksum_or_length_yields_nothing_and_never_stands_still() {
        let good = structure(&[(1, 1, &[0, 0, 1, 1]), (9, 9, &[])]);
        assert_eq!(objects(&good).len(), 2);
        for (place, value) in [(0, 0x10), (3, good[3] ^ 1)] {
            let mut bad = good.clone();
            bad[place] = value;
            assert!(objects(&bad).is_empty());
        }
        for length in 0..=12 {
            let mut odd = vec![0x20, 0, 0, 0, 0, length, 1, 1];
            odd.resize(4_000, 0);
            assert!(objects(&odd).len() <= MAX_OBJECTS);
        }
        for end in 0..good.len() {
            objects(&good[..end]);
        }
    }
}
