//! The packet filter (classic BPF) of a raw socket: what is not ours never wakes the program.

use socket2::SockFilter;

use crate::proto::arrival::Framing;
use crate::proto::{icmp4, icmp6};

/// The ICMP types that the program below lets through.
pub(super) fn wanted(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Icmp6 => &[icmp6::ECHO_REPLY],
        Framing::Ip4 | Framing::Icmp4 => &[icmp4::ECHO_REPLY, icmp4::REDIRECT],
    }
}

/// Lets only replies with our identifier pass, and on IPv4 redirects; errors come through the error queue.
///
/// A raw IPv4 socket sees the packet from its IPv4 header, an `ICMPv6` socket from its `ICMPv6` header.
pub(super) fn program(framing: Framing, identifier: u16) -> Vec<SockFilter> {
    const HEADER_LENGTH_TO_X: u16 = 0xb1;
    const BYTE_AT: u16 = 0x30;
    const HALF_AT: u16 = 0x28;
    const BYTE_AT_X: u16 = 0x50;
    const HALF_AT_X: u16 = 0x48;
    const IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const WHOLE_PACKET: u32 = 0x4_0000;
    let step = SockFilter::new;
    let (accept, drop) = (step(RETURN, 0, 0, WHOLE_PACKET), step(RETURN, 0, 0, 0));
    match framing {
        Framing::Ip4 | Framing::Icmp4 => vec![
            step(HEADER_LENGTH_TO_X, 0, 0, 0),
            step(BYTE_AT_X, 0, 0, 0),
            step(IF_EQUAL, 0, 2, icmp4::ECHO_REPLY.into()),
            step(HALF_AT_X, 0, 0, 4),
            step(IF_EQUAL, 1, 2, identifier.into()),
            step(IF_EQUAL, 0, 1, icmp4::REDIRECT.into()),
            accept,
            drop,
        ],
        Framing::Icmp6 => vec![
            step(BYTE_AT, 0, 0, 0),
            step(IF_EQUAL, 0, 3, icmp6::ECHO_REPLY.into()),
            step(HALF_AT, 0, 0, 4),
            step(IF_EQUAL, 0, 1, identifier.into()),
            accept,
            drop,
        ],
    }
}
