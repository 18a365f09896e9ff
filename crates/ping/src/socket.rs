//! The ICMP socket: raw where the right is there, the unprivileged datagram socket (`net.ipv4.ping_group_range`) else.
//!
//! All options and the packet filter are set before the first send. The error queue (`IP_RECVERR`, RFC 4443 errors and
//! the kernel's send stamps alike) is read here and handed on as plain values. It must not decide what anything means.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use common::{Failure, Kind};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, SockFilter, Type};

use crate::config::Config;
use crate::proto::arrival::{Expected, Framing};
use crate::proto::{icmp4, icmp6};

/// Any port does to ask the kernel for a route; nothing is sent to it.
const ROUTE_PORT: u16 = 1025;
/// Room for the control messages of one datagram: stamps, TTL and an error with its address take about 150 bytes.
const CONTROL_SPACE: usize = 512;
/// Room for replies that come while a line is printed; the kernel may grant less.
const RECEIVE_BUFFER: usize = 1 << 18;

/// Why no socket could be opened.
pub(crate) struct OpenError {
    pub(crate) failure: Failure,
    /// There is no route to this address; another address of the same host may have one.
    pub(crate) is_unroutable: bool,
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self { failure, is_unroutable: false }
    }
}

/// The socket of one run, with what it knows about its ends.
pub(crate) struct Socket {
    descriptor: socket2::Socket,
    destination: SockAddr,
    /// What makes a datagram ours.
    pub(crate) expected: Expected,
    /// The address that probes leave from.
    pub(crate) source: IpAddr,
    connected: bool,
    /// The number of the probe that bears the kernel's stamp key 0.
    first_key: u64,
}

/// A datagram as it came in.
pub(crate) struct Datagram {
    /// Bytes of it in the caller's buffer.
    pub(crate) length: usize,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// Hops left, where the kernel tells.
    pub(crate) hops: Option<u8>,
    /// When the kernel took it from the device, in nanoseconds since 1970.
    pub(crate) stamp: Option<u64>,
}

/// An entry of the error queue.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Probe `sequence` was handed to the device at `stamp` nanoseconds since 1970.
    Sent { sequence: u64, stamp: u64 },
    /// An ICMP error about one of our packets; the quoted ICMP message lies in the caller's buffer.
    Icmp { from: Option<SocketAddr>, kind: u8, code: u8, info: u32, length: usize, about: Option<IpAddr> },
    /// This host refused a packet; `mtu` says why when it was too long.
    Local { errno: i32, mtu: u32 },
    /// Something that ping has no use for.
    Other,
}

impl Socket {
    /// Opens a socket towards `target` and sets everything the configuration asks for.
    pub(crate) fn open(config: &Config, target: SocketAddr) -> Result<Self, OpenError> {
        let (socket, is_raw) = open_any(target, config.identifier)?;
        bind_interface(&socket, config)?;
        let source = route(config, target)?;
        // The unspecified address means this host, which answers from the address it was asked at.
        let target = if target.ip().is_unspecified() { SocketAddr::new(source, 0) } else { target };
        let bound = config.origin.address.or(config.sticky_source.then_some(source));
        let identifier = bind(&socket, target, bound, is_raw, config.identifier)?;
        set_options(&socket, config, target)?;
        let framing = match (target, is_raw) {
            (SocketAddr::V6(_), _) => Framing::Icmp6,
            (SocketAddr::V4(_), true) => Framing::Ip4,
            (SocketAddr::V4(_), false) => Framing::Icmp4,
        };
        if is_raw {
            socket.attach_filter(&filter(framing, identifier)).map_err(option_failed("packet filter"))?;
        }
        let destination = SockAddr::from(target);
        if config.connect {
            socket.connect(&destination).map_err(|cause| Failure::io("connect", "", cause))?;
        }
        let is_group = target.ip().is_multicast() || config.broadcast;
        let expected =
            Expected { framing, identifier, source: (!is_group).then_some(target.ip()), target: target.ip() };
        let opened =
            Self { descriptor: socket, destination, expected, source, connected: config.connect, first_key: 1 };
        opened.set_stamps(true).map_err(option_failed("time stamps"))?;
        log::info!("{} socket, identifier {identifier}, source {source}", if is_raw { "raw" } else { "datagram" });
        Ok(opened)
    }

    /// Sends one ICMP message.
    pub(crate) fn send(&self, message: &[u8]) -> io::Result<()> {
        let sent = if self.connected {
            self.descriptor.send(message)
        } else {
            self.descriptor.send_to(message, &self.destination)
        };
        sent.map(|_| ())
    }

    /// Numbers the kernel's send stamps anew, probe `next` being the first; after a failed send nobody knows how the
    /// kernel counted.
    pub(crate) fn restart_stamps(&mut self, next: u64) {
        self.first_key = next;
        // Without stamps the times are those of this program, which is good enough to go on.
        let _ = self.set_stamps(false).and_then(|()| self.set_stamps(true));
    }

    /// The next datagram, without waiting; `None` when there is none.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Option<Datagram>, Failure> {
        let mut control = [0; CONTROL_SPACE];
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.descriptor.as_raw_fd();
        let message = match recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(None),
            // An ICMP error is told here once as well; its details wait in the error queue.
            Err(errno) if is_icmp_error(errno) => return Ok(None),
            Err(errno) => return Err(Failure::io("receive", "replies", errno.into())),
        };
        let Some(from) = message.address.as_ref().and_then(address_of) else { return Ok(None) };
        let (mut hops, mut stamp) = (None, None);
        for part in message.cmsgs().into_iter().flatten() {
            match part {
                ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                    hops = u8::try_from(value).ok();
                }
                ControlMessageOwned::ScmTimestampsns(stamps) => stamp = nanoseconds(stamps.system),
                _ => {}
            }
        }
        Ok(Some(Datagram { length: message.bytes, from, hops, stamp }))
    }

    /// The next entry of the error queue, without waiting; `None` when it is empty.
    pub(crate) fn notice(&self, buffer: &mut [u8]) -> Result<Option<Notice>, Failure> {
        let mut control = [0; CONTROL_SPACE];
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<SockaddrStorage>(self.descriptor.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(Failure::io("receive", "errors", errno.into())),
            };
        let (mut error, mut from, mut stamp) = (None, None, None);
        for part in message.cmsgs().into_iter().flatten() {
            match part {
                ControlMessageOwned::ScmTimestampsns(stamps) => stamp = nanoseconds(stamps.system),
                ControlMessageOwned::Ipv4RecvErr(told, offender) => {
                    error = Some(told);
                    from = offender
                        .map(|address| IpAddr::from(u32::from_be(address.sin_addr.s_addr).to_be_bytes()))
                        .map(|address| SocketAddr::new(address, 0));
                }
                ControlMessageOwned::Ipv6RecvErr(told, offender) => {
                    error = Some(told);
                    from = offender.map(|address| {
                        let ip = address.sin6_addr.s6_addr.into();
                        SocketAddrV6::new(ip, 0, 0, address.sin6_scope_id).into()
                    });
                }
                _ => {}
            }
        }
        let about = message.address.as_ref().and_then(address_of).map(|address| address.ip());
        let length = message.bytes;
        Ok(Some(match (error, stamp) {
            (Some(told), Some(stamp)) if told.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING => {
                Notice::Sent { sequence: self.first_key + u64::from(told.ee_data), stamp }
            }
            (Some(told), _) if told.ee_origin == libc::SO_EE_ORIGIN_LOCAL => {
                Notice::Local { errno: told.ee_errno.cast_signed(), mtu: told.ee_info }
            }
            (Some(told), _) if matches!(told.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6) => {
                Notice::Icmp { from, kind: told.ee_type, code: told.ee_code, info: told.ee_info, length, about }
            }
            _ => Notice::Other,
        }))
    }

    fn set_stamps(&self, on: bool) -> io::Result<()> {
        let flags = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE;
        let sending = TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_OPT_ID
            | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
        let flags = if on { flags | sending } else { flags };
        Ok(setsockopt(&self.descriptor, sockopt::Timestamping, &flags)?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A raw socket, else a datagram socket, else the words that help.
pub(crate) fn open_any(target: SocketAddr, identifier: Option<u16>) -> Result<(socket2::Socket, bool), Failure> {
    let (domain, protocol) = match target {
        SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
    let failed = |cause| Failure::io("open", "an ICMP socket", cause);
    match socket2::Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => return Ok((socket, true)),
        Err(cause) if !refused(&cause) => return Err(failed(cause)),
        // Identifier 0 asks for a raw socket, because a datagram socket takes it for "any".
        Err(cause) if identifier == Some(0) => return Err(failed(cause)),
        Err(_) => {}
    }
    match socket2::Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => Ok((socket, false)),
        Err(cause) if refused(&cause) => Err(Failure::new(
            Kind::Denied,
            "open",
            "an ICMP socket",
            "Operation not permitted (either 'setcap cap_net_raw+ep' on this program, \
             or your group in the sysctl net.ipv4.ping_group_range)",
        )),
        Err(cause) => Err(failed(cause)),
    }
}

pub(crate) fn bind_interface(socket: &socket2::Socket, config: &Config) -> Result<(), Failure> {
    match &config.origin.interface {
        Some(name) => socket
            .bind_device(Some(name.as_bytes()))
            .map_err(|cause| Failure::io("SO_BINDTODEVICE", name, cause).with_kind(Kind::System)),
        None => Ok(()),
    }
}

/// `source` to bind to; one that holds on its link only is meant on the link of the target.
fn source_towards(target: SocketAddr, source: IpAddr) -> SocketAddr {
    match (source, target) {
        (IpAddr::V6(source), SocketAddr::V6(target)) => SocketAddrV6::new(source, 0, 0, target.scope_id()).into(),
        (source, _) => SocketAddr::new(source, 0),
    }
}

/// The source address that the kernel chooses towards `target`; asking it sends nothing.
fn route(config: &Config, target: SocketAddr) -> Result<IpAddr, OpenError> {
    let probe = socket2::Socket::new(Domain::for_address(target), Type::DGRAM, None)
        .map_err(|cause| Failure::io("open", "a socket", cause))?;
    bind_interface(&probe, config)?;
    if config.broadcast {
        probe.set_broadcast(true).map_err(option_failed("broadcast"))?;
    }
    if let Some(mark) = config.mark {
        probe.set_mark(mark).map_err(option_failed("mark"))?;
    }
    if let Some(address) = config.origin.address {
        probe.bind(&source_towards(target, address).into()).map_err(|cause| Failure::io("bind", "", cause))?;
    }
    let mut there = target;
    there.set_port(ROUTE_PORT);
    let probe = UdpSocket::from(probe);
    let connected = probe.connect(there).and_then(|()| probe.local_addr());
    connected.map(|address| address.ip()).map_err(|cause| {
        if cause.kind() == io::ErrorKind::PermissionDenied && !config.broadcast {
            let hint = "Do you want to ping broadcast? Then -b. If not, check your local firewall rules";
            return OpenError::from(Failure::new(Kind::Denied, "", target.ip(), hint));
        }
        if cause.kind() == io::ErrorKind::InvalidInput && needs_zone(target) {
            let hint = format!("holds on one link only, which {}%INTERFACE or -I INTERFACE names", target.ip());
            return OpenError::from(Failure::new(Kind::Usage, "", target.ip(), hint));
        }
        let unroutable = matches!(
            cause.raw_os_error(),
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)
        );
        OpenError { failure: Failure::io("connect", "", cause), is_unroutable: unroutable }
    })
}

fn needs_zone(target: SocketAddr) -> bool {
    matches!(target, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0)
}

/// Binds the socket where needed and returns the identifier of our requests: a datagram socket gets its from the kernel.
fn bind(
    socket: &socket2::Socket,
    target: SocketAddr,
    source: Option<IpAddr>,
    is_raw: bool,
    wanted: Option<u16>,
) -> Result<u16, Failure> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let failed = |cause| Failure::io("bind", "", cause);
    if is_raw {
        if let Some(source) = source {
            socket.bind(&source_towards(target, source).into()).map_err(failed)?;
        }
        return match wanted {
            Some(identifier) => Ok(identifier),
            None => random_identifier(),
        };
    }
    let mut local = source_towards(target, source.unwrap_or(any));
    local.set_port(wanted.unwrap_or(0));
    socket.bind(&local.into()).map_err(failed)?;
    let local = socket.local_addr().map_err(failed)?;
    Ok(local.as_socket().map_or(0, |address| address.port()))
}

fn random_identifier() -> Result<u16, Failure> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|cause| Failure::new(Kind::System, "draw", "an identifier", cause))?;
    Ok(u16::from_ne_bytes(bytes))
}

fn set_options(socket: &socket2::Socket, config: &Config, target: SocketAddr) -> Result<(), Failure> {
    let stack = option_failed;
    if target.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true).map_err(|e| stack("IP_RECVERR")(e.into()))?;
        setsockopt(socket, sockopt::Ipv4RecvTtl, &true).map_err(|e| stack("IP_RECVTTL")(e.into()))?;
        if let Some(ttl) = config.ttl {
            socket.set_ttl_v4(ttl.into()).map_err(stack("TTL"))?;
            socket.set_multicast_ttl_v4(ttl.into()).map_err(stack("TTL"))?;
        }
        if let Some(tos) = config.tclass {
            socket.set_tos_v4(tos.into()).map_err(stack("type of service"))?;
        }
        socket.set_multicast_loop_v4(config.multicast_loop).map_err(stack("multicast loop"))?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true).map_err(|e| stack("IPV6_RECVERR")(e.into()))?;
        setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true).map_err(|e| stack("IPV6_RECVHOPLIMIT")(e.into()))?;
        if let Some(ttl) = config.ttl {
            socket.set_unicast_hops_v6(ttl.into()).map_err(stack("hop limit"))?;
            socket.set_multicast_hops_v6(ttl.into()).map_err(stack("hop limit"))?;
        }
        if let Some(class) = config.tclass {
            socket.set_tclass_v6(class.into()).map_err(stack("traffic class"))?;
        }
        socket.set_multicast_loop_v6(config.multicast_loop).map_err(stack("multicast loop"))?;
    }
    if config.broadcast {
        socket.set_broadcast(true).map_err(stack("broadcast"))?;
    }
    if let Some(mark) = config.mark {
        socket.set_mark(mark).map_err(stack("mark"))?;
    }
    if let Some(size) = config.send_buffer {
        socket.set_send_buffer_size(size).map_err(stack("send buffer"))?;
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER).map_err(stack("receive buffer"))?;
    socket.set_nonblocking(true).map_err(stack("non-blocking mode"))
}

pub(crate) fn option_failed(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |cause| Failure::io("set", what, cause)
}

/// Lets only replies with our identifier pass, and on IPv4 redirects; errors come through the error queue.
///
/// A raw IPv4 socket sees the packet from its IPv4 header, an `ICMPv6` socket from its `ICMPv6` header.
fn filter(framing: Framing, identifier: u16) -> Vec<SockFilter> {
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

pub(crate) fn is_icmp_error(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::ECONNREFUSED
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::ENOPROTOOPT
            | Errno::EMSGSIZE
            | Errno::EPROTO
            | Errno::EACCES
            | Errno::EOPNOTSUPP
            | Errno::EINTR
    )
}

pub(crate) fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(std::net::SocketAddrV4::from(*v4).into()),
        (_, Some(v6)) => Some(SocketAddrV6::from(*v6).into()),
        _ => None,
    }
}

pub(crate) fn nanoseconds(stamp: TimeSpec) -> Option<u64> {
    let (seconds, rest) = (u64::try_from(stamp.tv_sec()).ok()?, u64::try_from(stamp.tv_nsec()).ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(rest).filter(|whole| *whole > 0)
}
