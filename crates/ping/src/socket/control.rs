//! Control messages (cmsg(3)) of a received datagram: the only place that reads them.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use nix::libc;
use nix::sys::socket::{ControlMessageOwned, SockaddrStorage};
use nix::sys::time::TimeSpec;

/// What the kernel adds to a datagram or to an entry of the error queue.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Time to live or hop limit.
    pub(crate) hops: Option<u8>,
    /// When the kernel stamped the packet, in nanoseconds since 1970.
    pub(crate) stamp: Option<u64>,
    /// `SO_RXQ_OVFL`: datagrams dropped by this socket since it was opened.
    pub(crate) dropped: Option<u32>,
    /// The entry of the error queue.
    pub(crate) error: Option<libc::sock_extended_err>,
    /// The node that sent the ICMP error.
    pub(crate) offender: Option<SocketAddr>,
}

impl Control {
    /// Reads all control messages of one datagram.
    pub(crate) fn read(messages: impl Iterator<Item = ControlMessageOwned>) -> Self {
        let mut control = Self::default();
        for message in messages {
            match message {
                ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                    control.hops = u8::try_from(value).ok();
                }
                ControlMessageOwned::ScmTimestampsns(stamps) => control.stamp = nanoseconds(stamps.system),
                ControlMessageOwned::RxqOvfl(dropped) => control.dropped = Some(dropped),
                ControlMessageOwned::Ipv4RecvErr(error, offender) => {
                    control.error = Some(error);
                    control.offender = offender
                        .map(|address| IpAddr::from(u32::from_be(address.sin_addr.s_addr).to_be_bytes()))
                        .map(|address| SocketAddr::new(address, 0));
                }
                ControlMessageOwned::Ipv6RecvErr(error, offender) => {
                    control.error = Some(error);
                    control.offender = offender.map(|address| {
                        SocketAddrV6::new(address.sin6_addr.s6_addr.into(), 0, 0, address.sin6_scope_id).into()
                    });
                }
                _ => {}
            }
        }
        control
    }
}

/// A socket address of the kernel as one of the standard library.
pub(super) fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddrV4::from(*v4).into()),
        (_, Some(v6)) => Some(SocketAddrV6::from(*v6).into()),
        _ => None,
    }
}

/// A time stamp in nanoseconds since 1970; `None` for the zero of a stamp that was not made.
fn nanoseconds(stamp: TimeSpec) -> Option<u64> {
    let (seconds, rest) = (u64::try_from(stamp.tv_sec()).ok()?, u64::try_from(stamp.tv_nsec()).ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(rest).filter(|whole| *whole > 0)
}
