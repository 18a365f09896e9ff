//! The IPv4 header (RFC 791, section 3.1), of a packet and of the packet quoted in an ICMP error.
//!
//! The header length is checked against 20 bytes and against the packet, for both.

use std::net::Ipv4Addr;

use super::{Malformed, be32, byte};

/// Shortest IPv4 header, in bytes.
pub const MIN_HEADER: usize = 20;
/// Protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;

/// The parts of an IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Packet<'a> {
    /// Time to live.
    pub ttl: u8,
    /// Protocol number.
    pub protocol: u8,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// The options, 40 bytes at most.
    pub options: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Ipv4Packet<'a> {
    /// Parses a packet. The total length field is not used: the kernel has cut the packet already.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let first = byte(bytes, 0)?;
        let header = usize::from(first & 0x0f).saturating_mul(4);
        if first.wrapping_shr(4) != 4 || header < MIN_HEADER {
            return Err(Malformed::Header);
        }
        let (head, payload) = bytes.split_at_checked(header).ok_or(Malformed::Header)?;
        Ok(Self {
            ttl: byte(bytes, 8)?,
            protocol: byte(bytes, 9)?,
            source: Ipv4Addr::from(be32(bytes, 12)?),
            destination: Ipv4Addr::from(be32(bytes, 16)?),
            options: head.get(MIN_HEADER..).unwrap_or_default(),
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn packet(words: u8, total: usize) -> Vec<u8> {
        let mut bytes = vec![0; total];
        bytes[0] = 0x40 | words;
        if total >= MIN_HEADER {
            bytes[8] = 63;
            bytes[9] = PROTOCOL_ICMP;
            bytes[16..20].copy_from_slice(&[192, 0, 2, 7]);
        }
        bytes
    }

    #[test]
    fn options_are_stepped_over() {
        let bytes = packet(15, 68);
        let parsed = Ipv4Packet::parse(&bytes).unwrap();
        assert_eq!((parsed.ttl, parsed.options.len(), parsed.payload.len()), (63, 40, 8));
    }

    #[test]
    fn a_header_shorter_than_five_words_or_longer_than_the_packet_is_refused() {
        assert_eq!(Ipv4Packet::parse(&packet(4, 40)), Err(Malformed::Header));
        assert_eq!(Ipv4Packet::parse(&packet(0, 40)), Err(Malformed::Header));
        assert_eq!(Ipv4Packet::parse(&packet(15, 59)), Err(Malformed::Header));
        assert_eq!(Ipv4Packet::parse(&[0x65; 40]), Err(Malformed::Header));
        assert_eq!(Ipv4Packet::parse(&[]), Err(Malformed::Truncated));
    }
}
