//! Parses a datagram of a socket for many targets: an echo reply or an ICMP error about an echo request.

use std::net::{IpAddr, Ipv6Addr};

use crate::proto::reply::Framing;
use crate::proto::{Echo, icmp4, icmp6, ip4};

/// Length of the IPv6 header.
const IP6_HEADER: usize = 40;
/// Protocol number of `ICMPv6`.
const ICMP6: u8 = 58;

/// Accepted types: echo reply, unreachable, source quench, time exceeded, parameter problem; in `ICMPv6` also packet
/// too big.
pub(crate) fn types(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Icmp6 => &[1, 2, 3, 4, icmp6::ECHO_REPLY],
        Framing::Ip4 | Framing::Icmp4 => &[icmp4::ECHO_REPLY, 3, 4, 11, 12],
    }
}

/// A message about a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IcmpMessage<'a> {
    /// An echo reply.
    Reply {
        identifier: u16,
        sequence: u16,
        payload: &'a [u8],
        /// Time to live from the IPv4 header, where the socket shows it.
        hops: Option<u8>,
        /// Whether the checksum is valid.
        is_intact: bool,
    },
    /// An error about an echo request to `target`.
    Error { kind: u8, code: u8, info: u32, target: IpAddr, identifier: u16, sequence: u16 },
}

impl IcmpMessage<'_> {
    /// Replaces identifier `own`, which the kernel gave to a datagram socket, by `shared`.
    pub(crate) fn known_as(mut self, own: u16, shared: u16) -> Self {
        let (Self::Reply { identifier, .. } | Self::Error { identifier, .. }) = &mut self;
        if *identifier == own {
            *identifier = shared;
        }
        self
    }
}

/// Parses a datagram of a socket of this kind.
pub(crate) fn read(framing: Framing, bytes: &[u8]) -> Option<IcmpMessage<'_>> {
    match framing {
        Framing::Ip4 => {
            let packet = ip4::Ipv4Packet::parse(bytes).ok().filter(|packet| packet.protocol == ip4::PROTOCOL_ICMP)?;
            read4(packet.payload, Some(packet.ttl), icmp4::is_intact(packet.payload))
        }
        Framing::Icmp4 => read4(bytes, None, true),
        Framing::Icmp6 => read6(bytes),
    }
}

fn read4(message: &[u8], hops: Option<u8>, is_intact: bool) -> Option<IcmpMessage<'_>> {
    let kind = *message.first()?;
    let echo = Echo::parse(message).ok()?;
    if kind == icmp4::ECHO_REPLY {
        let Echo { identifier, sequence, payload } = echo;
        return Some(IcmpMessage::Reply { identifier, sequence, payload, hops, is_intact });
    }
    // The header of an error is as long as an echo header, so the payload is the quote.
    let (target, quoted) =
        icmp4::quoted_echo(echo.payload).filter(|_| is_intact && types(Framing::Ip4).contains(&kind))?;
    Some(error(message, kind, target.into(), quoted))
}

fn read6(message: &[u8]) -> Option<IcmpMessage<'_>> {
    let kind = *message.first()?;
    let echo = Echo::parse(message).ok()?;
    if kind == icmp6::ECHO_REPLY {
        let Echo { identifier, sequence, payload } = echo;
        return Some(IcmpMessage::Reply { identifier, sequence, payload, hops: None, is_intact: true });
    }
    let (target, quoted) = quoted6(echo.payload).filter(|_| types(Framing::Icmp6).contains(&kind))?;
    Some(error(message, kind, target.into(), quoted))
}

fn error<'a>(message: &[u8], kind: u8, target: IpAddr, quoted: Echo<'_>) -> IcmpMessage<'a> {
    let code = message.get(1).copied().unwrap_or_default();
    let info = message.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    IcmpMessage::Error { kind, code, info, target, identifier: quoted.identifier, sequence: quoted.sequence }
}

/// The echo request quoted by an `ICMPv6` error. Probes have no extension headers.
fn quoted6(quote: &[u8]) -> Option<(Ipv6Addr, Echo<'_>)> {
    let (header, message) = quote.split_at_checked(IP6_HEADER)?;
    let ours = header.first()? >> 4 == 6 && header.get(6) == Some(&ICMP6);
    let target: [u8; 16] = header.get(24..40)?.try_into().ok()?;
    let is_request = message.first() == Some(&icmp6::ECHO_REQUEST);
    Some((target.into(), Echo::parse(message).ok()?)).filter(|_| ours && is_request)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use crate::proto::checksum::checksum;

    const ECHO: Echo<'_> = Echo { identifier: 5, sequence: 9, payload: b"" };

    fn error6(kind: u8) -> Vec<u8> {
        let mut bytes = vec![kind, 3, 0, 0, 0, 0, 5, 0];
        let mut quote = vec![0; IP6_HEADER];
        (quote[0], quote[6], quote[39]) = (0x60, ICMP6, 1);
        bytes.extend(quote);
        bytes.extend(icmp6::write_request(&ECHO));
        bytes
    }

    #[test]
    fn an_error_of_ipv6_quotes_our_request_whole() {
        let bytes = error6(1);
        let target = IpAddr::from(Ipv6Addr::LOCALHOST);
        let expected = IcmpMessage::Error { kind: 1, code: 3, info: 0x500, target, identifier: 5, sequence: 9 };
        assert_eq!(read(Framing::Icmp6, &bytes), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(read(Framing::Icmp6, &bytes[..length]), None, "{length}");
        }
        assert_eq!(read(Framing::Icmp6, &error6(130)), None);
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_panic() {
        for kind in 0..=255 {
            for length in 0..100 {
                let mut bytes = vec![0x45; length];
                bytes.iter_mut().take(1).for_each(|first| *first = kind);
                for framing in [Framing::Ip4, Framing::Icmp4, Framing::Icmp6] {
                    let _ = read(framing, &bytes);
                }
            }
        }
    }

    #[test]
    fn an_error_with_a_broken_checksum_says_nothing() {
        let mut quote = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        quote.extend(icmp4::write_request(&ECHO));
        let mut icmp = vec![3, 1, 0, 0, 0, 0, 0, 0];
        icmp.extend(quote);
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1];
        packet.extend(&icmp);
        assert!(matches!(read(Framing::Ip4, &packet), Some(IcmpMessage::Error { kind: 3, code: 1, sequence: 9, .. })));
        packet[21] = 2;
        assert_eq!(read(Framing::Ip4, &packet), None);
    }
}
