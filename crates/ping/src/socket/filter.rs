//! The packet filter (classic BPF) of a raw socket: what is not ours never wakes the program.

use std::net::SocketAddr;

use common::Failure;
use socket2::SockFilter;

use super::options;
use crate::proto::arrival::Framing;
use crate::proto::{icmp4, icmp6};

/// Attaches both filters to a raw socket, a datagram socket needs none; how datagrams will begin.
pub(super) fn attach(
    socket: &socket2::Socket,
    target: SocketAddr,
    is_raw: bool,
    identifier: u16,
) -> Result<Framing, Failure> {
    let framing = match (target, is_raw) {
        (SocketAddr::V6(_), _) => Framing::Icmp6,
        (SocketAddr::V4(_), true) => Framing::Ip4,
        (SocketAddr::V4(_), false) => Framing::Icmp4,
    };
    if is_raw {
        options::filter_types(socket, framing, wanted(framing))?;
        socket.attach_filter(&program(framing, identifier)).map_err(options::failed("packet filter"))?;
    }
    Ok(framing)
}

/// The ICMP types that the program below lets through.
fn wanted(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Icmp6 => &[icmp6::ECHO_REPLY],
        Framing::Ip4 | Framing::Icmp4 => &[icmp4::ECHO_REPLY, icmp4::REDIRECT],
    }
}

/// The instructions of classic BPF that packet filters here are made of (`linux/bpf_common.h`).
pub(crate) mod instruction {
    /// X becomes the length of the IPv4 header at this place.
    pub(crate) const HEADER_LENGTH_TO_X: u16 = 0xb1;
    /// Loads the byte at this place.
    pub(crate) const BYTE_AT: u16 = 0x30;
    /// Loads two bytes from this place.
    pub(crate) const HALF_AT: u16 = 0x28;
    /// Loads the byte at X and this.
    pub(crate) const BYTE_AT_X: u16 = 0x50;
    /// Loads two bytes from X and this.
    pub(crate) const HALF_AT_X: u16 = 0x48;
    /// Jumps when what was loaded equals this.
    pub(crate) const IF_EQUAL: u16 = 0x15;
    /// Jumps when it is above this.
    pub(crate) const IF_ABOVE: u16 = 0x25;
    /// Jumps when it is this or above.
    pub(crate) const IF_NOT_BELOW: u16 = 0x35;
    /// Ends with this many bytes of the packet.
    pub(crate) const RETURN: u16 = 0x06;
    /// More than any packet has.
    pub(crate) const WHOLE_PACKET: u32 = 0x4_0000;
}

/// Lets only replies with our identifier pass, and on IPv4 redirects; errors come through the error queue.
///
/// A raw IPv4 socket sees the packet from its IPv4 header, an `ICMPv6` socket from its `ICMPv6` header.
fn program(framing: Framing, identifier: u16) -> Vec<SockFilter> {
    use instruction::{BYTE_AT, BYTE_AT_X, HALF_AT, HALF_AT_X, HEADER_LENGTH_TO_X, IF_EQUAL, RETURN, WHOLE_PACKET};
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
