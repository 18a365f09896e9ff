//! Classifies a datagram of a run with one target: a reply, a redirect, or unrelated.
//!
//! Checks identifier, length, source address and checksum. The payload is checked in `payload`.

use std::net::IpAddr;

use super::{ECHO_HEADER, Echo, icmp4, icmp6, ip4};

/// What precedes the ICMP message in received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A raw IPv4 socket: the IPv4 header.
    Ip4,
    /// An ICMP datagram socket: ICMP at once, checked by the kernel.
    Icmp4,
    /// An `ICMPv6` socket: nothing; the kernel checks the checksum.
    Icmp6,
}

impl Framing {
    /// The framing of a socket of this kind; `is_raw` is false for a datagram socket.
    pub fn of(is_v6: bool, is_raw: bool) -> Self {
        match (is_v6, is_raw) {
            (true, _) => Self::Icmp6,
            (false, true) => Self::Ip4,
            (false, false) => Self::Icmp4,
        }
    }
}

/// Identifies datagrams of this run.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// What precedes the ICMP message.
    pub framing: Framing,
    /// The identifier of the requests.
    pub identifier: u16,
    /// The expected source address; `None` for a group, where any host may reply.
    pub source: Option<IpAddr>,
    /// Destination of the requests.
    pub target: IpAddr,
}

/// A datagram of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedMessage<'a> {
    /// An echo reply to one of our requests.
    Reply {
        /// Sequence on the wire.
        sequence: u16,
        /// Time to live from the IPv4 header, where the socket shows it.
        ttl: Option<u8>,
        /// Length of the ICMP message in bytes.
        length: usize,
        /// The payload.
        payload: &'a [u8],
        /// The IPv4 options, where the socket shows them.
        options: &'a [u8],
        /// Whether the ICMP checksum is valid.
        is_intact: bool,
        /// Whether the source address is the expected one.
        is_from_target: bool,
    },
    /// A router forwarded the request and names a better next hop.
    Redirect {
        /// Sequence of the quoted request.
        sequence: u16,
        /// Code: for a host or a network.
        code: u8,
        /// The better next hop, as 32 bits.
        gateway: u32,
    },
}

/// Classifies bytes received from `from`; `None` when malformed or unrelated.
pub fn read<'a>(expected: &Expected, from: IpAddr, bytes: &'a [u8]) -> Option<MatchedMessage<'a>> {
    match expected.framing {
        Framing::Ip4 => {
            let packet = ip4::Ipv4Packet::parse(bytes).ok()?;
            let around = Around { from, ttl: Some(packet.ttl), options: packet.options };
            let is_intact = icmp4::is_intact(packet.payload);
            (packet.protocol == ip4::PROTOCOL_ICMP)
                .then(|| icmp4_message(expected, &around, packet.payload, is_intact))?
        }
        Framing::Icmp4 => icmp4_message(expected, &Around { from, ttl: None, options: &[] }, bytes, true),
        Framing::Icmp6 => {
            let echo = icmp6::parse_reply(bytes).ok()??;
            reply(expected, &Around { from, ttl: None, options: &[] }, echo, true)
        }
    }
}

/// The packet around a message.
struct Around<'a> {
    from: IpAddr,
    ttl: Option<u8>,
    options: &'a [u8],
}

fn icmp4_message<'a>(
    expected: &Expected,
    around: &Around<'a>,
    bytes: &'a [u8],
    is_intact: bool,
) -> Option<MatchedMessage<'a>> {
    match icmp4::parse(bytes).ok()? {
        icmp4::Message::EchoReply(echo) => reply(expected, around, echo, is_intact),
        icmp4::Message::Redirect { code, gateway, destination, request } => {
            let ours =
                is_intact && request.identifier == expected.identifier && IpAddr::V4(destination) == expected.target;
            ours.then_some(MatchedMessage::Redirect { sequence: request.sequence, code, gateway: gateway.to_bits() })
        }
        icmp4::Message::Other => None,
    }
}

fn reply<'a>(expected: &Expected, around: &Around<'a>, echo: Echo<'a>, is_intact: bool) -> Option<MatchedMessage<'a>> {
    (echo.identifier == expected.identifier).then_some(MatchedMessage::Reply {
        sequence: echo.sequence,
        ttl: around.ttl,
        length: ECHO_HEADER.saturating_add(echo.payload.len()),
        payload: echo.payload,
        options: around.options,
        is_intact,
        is_from_target: expected.source.is_none_or(|source| source == around.from),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use std::net::Ipv4Addr;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    fn expected(framing: Framing) -> Expected {
        Expected { framing, identifier: 5, source: Some(PEER), target: PEER }
    }

    fn raw_reply() -> Vec<u8> {
        let mut bytes = vec![0; 20];
        bytes[0] = 0x45;
        bytes[8] = 61;
        bytes[9] = 1;
        let mut icmp = icmp4::write_request(&Echo { identifier: 5, sequence: 9, payload: b"payload!" });
        icmp[0] = icmp4::ECHO_REPLY;
        icmp[2..4].fill(0);
        let sum = crate::proto::checksum::checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(icmp);
        bytes
    }

    #[test]
    fn a_reply_on_a_raw_socket_is_read_with_its_ttl() {
        let bytes = raw_reply();
        let message = read(&expected(Framing::Ip4), PEER, &bytes);
        let payload = b"payload!".as_slice();
        let (ttl, options) = (Some(61), [].as_slice());
        let reply = MatchedMessage::Reply {
            sequence: 9,
            ttl,
            length: 16,
            payload,
            options,
            is_intact: true,
            is_from_target: true,
        };
        assert_eq!(message, Some(reply));
    }

    #[test]
    fn a_reply_of_another_run_is_not_ours_and_one_of_another_host_is_distinguished() {
        let bytes = raw_reply();
        let other_host = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
        let is_from_target = |expected: &Expected, from| match read(expected, from, &bytes) {
            Some(MatchedMessage::Reply { is_from_target, .. }) => Some(is_from_target),
            _ => None,
        };
        assert_eq!(is_from_target(&expected(Framing::Ip4), PEER), Some(true));
        assert_eq!(is_from_target(&expected(Framing::Ip4), other_host), Some(false));
        let other = Expected { identifier: 6, ..expected(Framing::Ip4) };
        assert_eq!(read(&other, PEER, &bytes), None);
        let group = Expected { source: None, ..expected(Framing::Ip4) };
        assert_eq!(is_from_target(&group, other_host), Some(true));
    }

    #[test]
    fn a_broken_checksum_is_reported() {
        let mut bytes = raw_reply();
        bytes[30] ^= 1;
        let message = read(&expected(Framing::Ip4), PEER, &bytes);
        assert!(matches!(message, Some(MatchedMessage::Reply { is_intact: false, .. })));
    }

    #[test]
    fn a_packet_cut_anywhere_in_its_headers_is_dropped_without_panic() {
        let bytes = raw_reply();
        for length in 0..28 {
            assert_eq!(read(&expected(Framing::Ip4), PEER, &bytes[..length]), None);
        }
        for words in 0..=15 {
            let mut odd = bytes.clone();
            odd[0] = 0x40 | words;
            assert_eq!(read(&expected(Framing::Ip4), PEER, &odd).is_some(), words == 5);
        }
    }

    #[test]
    fn a_redirect_counts_only_when_it_quotes_our_request_to_our_target() {
        let mut bytes = raw_reply()[..20].to_vec();
        let mut quote = bytes.clone();
        quote[16..20].copy_from_slice(&[192, 0, 2, 7]);
        quote.extend(icmp4::write_request(&Echo { identifier: 5, sequence: 3, payload: b"" }));
        let mut icmp = vec![icmp4::REDIRECT, 1, 0, 0, 10, 0, 0, 9];
        icmp.extend(&quote);
        let sum = crate::proto::checksum::checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(&icmp);
        let message = read(&expected(Framing::Ip4), PEER, &bytes);
        assert_eq!(message, Some(MatchedMessage::Redirect { sequence: 3, code: 1, gateway: 0x0a00_0009 }));
        let elsewhere = Expected { target: IpAddr::V4(Ipv4Addr::LOCALHOST), ..expected(Framing::Ip4) };
        assert_eq!(read(&elsewhere, PEER, &bytes), None);
    }
}
