//! The IPv4 header (RFC 791, section 3.1), as it stands before an ICMP message and inside a quoting one.
//!
//! Only the fields that ping uses are read. The header length is checked against 20 bytes and against the packet, for
//! the outer and for the quoted header alike; options are handed on as they are, see `options`.

use std::net::Ipv4Addr;

use super::{Echo, Malformed, be32, byte, icmp4};

/// Shortest IPv4 header, in bytes.
pub const MINIMUM_HEADER: usize = 20;
/// Protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;

/// What ping reads of an IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Hops that are left.
    pub ttl: u8,
    /// Number of the protocol in the payload.
    pub protocol: u8,
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
    /// The options, 40 bytes at most.
    pub options: &'a [u8],
    /// Everything behind header and options.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads header and payload; the total length field is not used, the kernel has cut the packet already.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let first = byte(bytes, 0)?;
        let header = usize::from(first & 0x0f).saturating_mul(4);
        if first.wrapping_shr(4) != 4 || header < MINIMUM_HEADER {
            return Err(Malformed::Header);
        }
        let (head, payload) = bytes.split_at_checked(header).ok_or(Malformed::Header)?;
        Ok(Self {
            ttl: byte(bytes, 8)?,
            protocol: byte(bytes, 9)?,
            source: Ipv4Addr::from(be32(bytes, 12)?),
            destination: Ipv4Addr::from(be32(bytes, 16)?),
            options: head.get(MINIMUM_HEADER..).unwrap_or_default(),
            payload,
        })
    }
}

/// The echo request quoted in an ICMP error, with the address it was sent to; `None` when something else is quoted.
pub fn quoted_echo(quote: &[u8]) -> Option<(Ipv4Addr, Echo<'_>)> {
    let packet = Packet::parse(quote).ok()?;
    let is_request = packet.protocol == PROTOCOL_ICMP && packet.payload.first() == Some(&icmp4::ECHO_REQUEST);
    let echo = Echo::parse(packet.payload).ok()?;
    is_request.then_some((packet.destination, echo))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn packet(words: u8, total: usize) -> Vec<u8> {
        let mut bytes = vec![0; total];
        bytes[0] = 0x40 | words;
        if total >= MINIMUM_HEADER {
            bytes[8] = 63;
            bytes[9] = PROTOCOL_ICMP;
            bytes[16..20].copy_from_slice(&[192, 0, 2, 7]);
        }
        bytes
    }

    #[test]
    fn options_are_stepped_over() {
        let mut bytes = packet(15, 68);
        bytes[60] = icmp4::ECHO_REQUEST;
        let parsed = Packet::parse(&bytes).unwrap();
        assert_eq!((parsed.ttl, parsed.options.len(), parsed.payload.len()), (63, 40, 8));
        assert_eq!(quoted_echo(&bytes).unwrap().0, Ipv4Addr::new(192, 0, 2, 7));
    }

    #[test]
    fn a_header_shorter_than_five_words_or_longer_than_the_packet_is_refused() {
        assert_eq!(Packet::parse(&packet(4, 40)), Err(Malformed::Header));
        assert_eq!(Packet::parse(&packet(0, 40)), Err(Malformed::Header));
        assert_eq!(Packet::parse(&packet(15, 59)), Err(Malformed::Header));
        assert_eq!(Packet::parse(&[0x65; 40]), Err(Malformed::Header));
        assert_eq!(Packet::parse(&[]), Err(Malformed::Truncated));
    }

    #[test]
    fn a_quote_that_ends_inside_its_echo_header_is_no_quote() {
        let mut bytes = packet(5, 28);
        bytes[20] = icmp4::ECHO_REQUEST;
        assert!(quoted_echo(&bytes).is_some());
        for length in 0..28 {
            assert_eq!(quoted_echo(&bytes[..length]), None);
        }
        bytes[9] = 17;
        assert_eq!(quoted_echo(&bytes), None);
    }
}
