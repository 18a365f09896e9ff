//! ICMP for IPv4 (RFC 792, codes also from RFC 1122 and RFC 1812): the echo request and the words for the errors.
//!
//! The words are those that people and scripts know from iputils. No I/O; the address of a redirect is taken from the
//! message, never looked up.

use std::net::Ipv4Addr;

use super::checksum::checksum;
use super::{Echo, Malformed, be32, byte, ip4};

/// Type of the echo reply.
pub const ECHO_REPLY: u8 = 0;
/// Type of the redirect message.
pub const REDIRECT: u8 = 5;
/// Type of the echo request.
pub const ECHO_REQUEST: u8 = 8;

/// A message of the two types that the receiving socket lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// An answer to some echo request.
    EchoReply(Echo<'a>),
    /// A router knows a shorter way for the quoted echo request.
    Redirect {
        /// For a host or a network.
        code: u8,
        /// The better next hop.
        gateway: Ipv4Addr,
        /// Where the quoted request was going.
        destination: Ipv4Addr,
        /// The quoted request.
        request: Echo<'a>,
    },
    /// Anything else.
    Other,
}

/// Reads an ICMP message; the checksum is another question, see [`is_intact`].
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let quote = bytes.get(super::ECHO_HEADER..).ok_or(Malformed::Truncated)?;
    match byte(bytes, 0)? {
        ECHO_REPLY => Ok(Message::EchoReply(Echo::parse(bytes)?)),
        REDIRECT => Ok(match ip4::quoted_echo(quote) {
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

/// Whether the checksum over the whole message is right.
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

/// What an ICMP error says, in words; `info` is the second word of its header (MTU, pointer or gateway).
pub fn describe(kind: u8, code: u8, info: u32) -> String {
    match kind {
        3 => match unreachable(code) {
            Some(words) => words.to_owned(),
            None if code == 4 => format!("Frag needed and DF set (mtu = {info})"),
            None => format!("Dest Unreachable, Bad Code: {code}"),
        },
        4 => "Source Quench".to_owned(),
        REDIRECT => format!("{}(New nexthop: {})", redirect(code), Ipv4Addr::from(info)),
        11 => match code {
            0 => "Time to live exceeded".to_owned(),
            1 => "Frag reassembly time exceeded".to_owned(),
            _ => format!("Time exceeded, Bad Code: {code}"),
        },
        12 => format!("Parameter problem: pointer = {info}"),
        _ => format!("Bad ICMP type: {kind}"),
    }
}

fn unreachable(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "Destination Net Unreachable",
        1 => "Destination Host Unreachable",
        2 => "Destination Protocol Unreachable",
        3 => "Destination Port Unreachable",
        5 => "Source Route Failed",
        6 => "Destination Net Unknown",
        7 => "Destination Host Unknown",
        8 => "Source Host Isolated",
        9 => "Destination Net Prohibited",
        10 => "Destination Host Prohibited",
        11 => "Destination Net Unreachable for Type of Service",
        12 => "Destination Host Unreachable for Type of Service",
        13 => "Packet filtered",
        14 => "Precedence Violation",
        15 => "Precedence Cutoff",
        _ => return None,
    })
}

fn redirect(code: u8) -> String {
    match code {
        0 => "Redirect Network".to_owned(),
        1 => "Redirect Host".to_owned(),
        2 => "Redirect Type of Service and Network".to_owned(),
        3 => "Redirect Type of Service and Host".to_owned(),
        _ => format!("Redirect, Bad Code: {code}"),
    }
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
    fn errors_are_described_in_the_words_people_know() {
        assert_eq!(describe(3, 1, 0), "Destination Host Unreachable");
        assert_eq!(describe(3, 4, 1400), "Frag needed and DF set (mtu = 1400)");
        assert_eq!(describe(3, 77, 0), "Dest Unreachable, Bad Code: 77");
        assert_eq!(describe(5, 1, 0x0a00_0001), "Redirect Host(New nexthop: 10.0.0.1)");
        assert_eq!(describe(11, 0, 0), "Time to live exceeded");
        assert_eq!(describe(99, 0, 0), "Bad ICMP type: 99");
    }
}
