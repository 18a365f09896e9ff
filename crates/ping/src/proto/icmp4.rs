//! ICMP (RFC 792, RFC 1122, RFC 1812): echo request, echo reply, redirect.

use std::net::Ipv4Addr;

use super::checksum::checksum;
use super::{Echo, Malformed, be32, byte, ip4};

/// Type of the echo reply.
pub const ECHO_REPLY: u8 = 0;
/// Type of the redirect message.
pub const REDIRECT: u8 = 5;
/// Type of the echo request.
pub const ECHO_REQUEST: u8 = 8;

/// A message of the types that the socket accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// An echo reply.
    EchoReply(Echo<'a>),
    /// A redirect that quotes an echo request.
    Redirect {
        /// Code: for a host or a network.
        code: u8,
        /// The better next hop.
        gateway: Ipv4Addr,
        /// Destination of the quoted request.
        destination: Ipv4Addr,
        /// The quoted request.
        request: Echo<'a>,
    },
    /// Any other message.
    Other,
}

/// Parses an ICMP message; the checksum is checked by [`is_intact`].
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let quote = bytes.get(super::ECHO_HEADER..).ok_or(Malformed::Truncated)?;
    match byte(bytes, 0)? {
        ECHO_REPLY => Ok(Message::EchoReply(Echo::parse(bytes)?)),
        REDIRECT => Ok(match quoted_echo(quote) {
            Some((destination, request)) => Message::Redirect {
                code: byte(bytes, 1)?,
                gateway: Ipv4Addr::from(be32(bytes, 4)?),
                destination,
                request,
            },
            None => Message::Other,
        }),
        _ => Ok(Message::Other),
    }
}

/// The echo request quoted by an ICMP error and its destination; `None` when another packet is quoted.
pub fn quoted_echo(quote: &[u8]) -> Option<(Ipv4Addr, Echo<'_>)> {
    let packet = ip4::Ipv4Packet::parse(quote).ok()?;
    let is_request = packet.protocol == ip4::PROTOCOL_ICMP && packet.payload.first() == Some(&ECHO_REQUEST);
    let echo = Echo::parse(packet.payload).ok()?;
    is_request.then_some((packet.destination, echo))
}

/// Whether the checksum is valid.
pub fn is_intact(bytes: &[u8]) -> bool {
    checksum(bytes) == 0
}

/// An echo request with its checksum.
pub fn write_request(echo: &Echo<'_>) -> Vec<u8> {
    let mut bytes = echo.write(ECHO_REQUEST);
    let sum = checksum(&bytes);
    if let Some(field) = bytes.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    const ECHO: Echo<'_> = Echo { identifier: 0x1234, sequence: 7, payload: b"abc" };

    #[test]
    fn a_written_request_is_intact_and_reads_back() {
        let bytes = write_request(&ECHO);
        assert!(is_intact(&bytes));
        assert_eq!(Echo::parse(&bytes), Ok(ECHO));
        assert_eq!(bytes[0], ECHO_REQUEST);
    }

    #[test]
    fn one_changed_bit_breaks_the_checksum() {
        let good = write_request(&ECHO);
        for position in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[position / 8] ^= 1 << (position % 8);
            assert!(!is_intact(&bad), "bit {position}");
        }
    }

    #[test]
    fn a_message_of_any_length_and_type_is_read_or_refused_without_panic() {
        for kind in 0..=255 {
            for length in 0..80 {
                let mut bytes = vec![0x45; length];
                if let Some(first) = bytes.first_mut() {
                    *first = kind;
                }
                assert_eq!(parse(&bytes).is_err(), length < 8);
            }
        }
    }

    #[test]
    fn a_quote_that_ends_inside_its_echo_header_is_no_quote() {
        let mut bytes = vec![0; 28];
        (bytes[0], bytes[8], bytes[9]) = (0x45, 63, ip4::PROTOCOL_ICMP);
        bytes[20] = ECHO_REQUEST;
        assert!(quoted_echo(&bytes).is_some());
        for length in 0..28 {
            assert_eq!(quoted_echo(&bytes[..length]), None);
        }
        bytes[9] = 17;
        assert_eq!(quoted_echo(&bytes), None);
    }
}
