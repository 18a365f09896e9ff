//! Packet filters of raw sockets: `ICMP_FILTER` by type, then classic BPF by identifier.

use std::ops::RangeInclusive;

use socket2::SockFilter;

use super::options;
use crate::proto::reply::Framing;
use crate::proto::{icmp_message, icmp4, icmp6};

/// Attaches the filters of a raw socket for one target.
pub(super) fn attach_single(socket: &socket2::Socket, framing: Framing, identifier: u16) {
    let types: &[u8] = match framing {
        Framing::Icmp6 => &[icmp6::ECHO_REPLY],
        Framing::Ip4 | Framing::Icmp4 => &[icmp4::ECHO_REPLY, icmp4::REDIRECT],
    };
    options::filter_types(socket, framing, types);
    options::optional("SO_ATTACH_FILTER", socket.attach_filter(&single(framing, identifier)));
}

/// Attaches the filters of a raw socket for many targets: replies with these identifiers, and ICMP errors.
pub(super) fn attach_multi(socket: &socket2::Socket, framing: Framing, identifiers: &RangeInclusive<u32>) {
    options::filter_types(socket, framing, icmp_message::types(framing));
    options::optional("SO_ATTACH_FILTER", socket.attach_filter(&multi(framing, identifiers)));
}

/// Instructions of classic BPF (`linux/bpf_common.h`).
mod instruction {
    /// X = length of the IPv4 header at offset k.
    pub(super) const HEADER_LENGTH_TO_X: u16 = 0xb1;
    /// A = byte at offset k.
    pub(super) const BYTE_AT: u16 = 0x30;
    /// A = two bytes at offset k.
    pub(super) const HALF_AT: u16 = 0x28;
    /// A = byte at offset X + k.
    pub(super) const BYTE_AT_X: u16 = 0x50;
    /// A = two bytes at offset X + k.
    pub(super) const HALF_AT_X: u16 = 0x48;
    /// Jump if A == k.
    pub(super) const IF_EQUAL: u16 = 0x15;
    /// Jump if A > k.
    pub(super) const IF_ABOVE: u16 = 0x25;
    /// Jump if A >= k.
    pub(super) const IF_NOT_BELOW: u16 = 0x35;
    /// Return k bytes of the packet.
    pub(super) const RETURN: u16 = 0x06;
}

use instruction::{
    BYTE_AT, BYTE_AT_X, HALF_AT, HALF_AT_X, HEADER_LENGTH_TO_X, IF_ABOVE, IF_EQUAL, IF_NOT_BELOW, RETURN,
};

/// Returns the whole packet: larger than any.
const ACCEPT: SockFilter = SockFilter::new(RETURN, 0, 0, 0x4_0000);
/// Returns nothing of the packet.
const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// Accepts replies with our identifier, and on IPv4 redirects; errors come through the error queue.
///
/// A raw IPv4 socket sees the packet from its IPv4 header, an `ICMPv6` socket from its `ICMPv6` header.
fn single(framing: Framing, identifier: u16) -> Vec<SockFilter> {
    let step = SockFilter::new;
    match framing {
        Framing::Ip4 | Framing::Icmp4 => vec![
            step(HEADER_LENGTH_TO_X, 0, 0, 0),
            step(BYTE_AT_X, 0, 0, 0),
            step(IF_EQUAL, 0, 2, icmp4::ECHO_REPLY.into()),
            step(HALF_AT_X, 0, 0, 4),
            step(IF_EQUAL, 1, 2, identifier.into()),
            step(IF_EQUAL, 0, 1, icmp4::REDIRECT.into()),
            ACCEPT,
            DROP,
        ],
        Framing::Icmp6 => vec![
            step(BYTE_AT, 0, 0, 0),
            step(IF_EQUAL, 0, 3, icmp6::ECHO_REPLY.into()),
            step(HALF_AT, 0, 0, 4),
            step(IF_EQUAL, 0, 1, identifier.into()),
            ACCEPT,
            DROP,
        ],
    }
}

/// Accepts replies with these identifiers, and errors, whose quotes are parsed later.
fn multi(framing: Framing, identifiers: &RangeInclusive<u32>) -> Vec<SockFilter> {
    let step = SockFilter::new;
    let (first, last) = (*identifiers.start(), *identifiers.end());
    match framing {
        Framing::Ip4 | Framing::Icmp4 => vec![
            step(HEADER_LENGTH_TO_X, 0, 0, 0),
            step(BYTE_AT_X, 0, 0, 0),
            step(IF_EQUAL, 0, 3, icmp4::ECHO_REPLY.into()),
            step(HALF_AT_X, 0, 0, 4),
            step(IF_NOT_BELOW, 0, 6, first),
            step(IF_ABOVE, 5, 4, last),
            step(IF_EQUAL, 3, 0, 3),
            step(IF_EQUAL, 2, 0, 4),
            step(IF_EQUAL, 1, 0, 11),
            step(IF_EQUAL, 0, 1, 12),
            ACCEPT,
            DROP,
        ],
        Framing::Icmp6 => vec![
            step(BYTE_AT, 0, 0, 0),
            step(IF_EQUAL, 0, 3, icmp6::ECHO_REPLY.into()),
            step(HALF_AT, 0, 0, 4),
            step(IF_NOT_BELOW, 0, 3, first),
            step(IF_ABOVE, 2, 1, last),
            step(IF_ABOVE, 1, 0, 4),
            ACCEPT,
            DROP,
        ],
    }
}
