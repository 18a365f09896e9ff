//! Socket options, all set before the first send.
//!
//! Options unknown to nix and socket2 are declared with the macro of nix.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::unix::ffi::OsStringExt;

use common::Error;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{self, SetOsString};
use nix::sys::socket::{TimestampingFlag, setsockopt};
use nix::{libc, setsockopt_impl, sockopt_impl};

use crate::config::{Config, HeaderOption, PathMtu};
use crate::family::Family;
use crate::proto::options;
use crate::proto::reply::Framing;

/// Minimum receive buffer in bytes; the kernel may grant less.
const MIN_ROOM: usize = 1 << 18;
/// Maximum receive buffer in bytes.
const MAX_ROOM: usize = 1 << 26;
/// Number of replies that should fit the receive buffer.
const REPLIES: u64 = 64;
/// Bytes the kernel needs per packet besides the payload.
const OVERHEAD: usize = 1_024;
/// `ICMP_FILTER` (linux/icmp.h) and `ICMPV6_FILTER` (linux/icmpv6.h).
const ICMP_FILTER: libc::c_int = 1;
/// `IPV6_FLOWLABEL_MGR`: leases a flow label (linux/in6.h).
const FLOW_LABEL_MANAGER: libc::c_int = 32;
/// `IPV6_FLOWINFO_SEND`: takes the label from the destination address.
const FLOW_INFO_SEND: libc::c_int = 33;
/// `IP_RECVERR_RFC4884`: reports where extensions begin (since Linux 5.9).
const EXTENSIONS_4: libc::c_int = 26;
/// `IPV6_RECVERR_RFC4884`: the same for IPv6.
const EXTENSIONS_6: libc::c_int = 31;

sockopt_impl!(
    /// `SO_DEBUG`; requires CAP_NET_ADMIN.
    Debug,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_DEBUG,
    bool
);
sockopt_impl!(
    /// Path-MTU discovery of IPv4 packets.
    MtuDiscover4,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// Path-MTU discovery of IPv6 packets.
    MtuDiscover6,
    SetOnly,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    libc::c_int
);
sockopt_impl!(
    /// The options in the header of each IPv4 packet, as bytes.
    HeaderOptions,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_OPTIONS,
    OsString,
    SetOsString
);
sockopt_impl!(
    /// A lease of a flow label, as the bytes of `struct in6_flowlabel_req`.
    FlowLabelLease,
    SetOnly,
    libc::IPPROTO_IPV6,
    FLOW_LABEL_MANAGER,
    OsString,
    SetOsString
);
sockopt_impl!(
    /// Whether the flow label is that of the destination address.
    FlowInfoSend,
    SetOnly,
    libc::IPPROTO_IPV6,
    FLOW_INFO_SEND,
    bool
);
sockopt_impl!(
    /// Whether errors report the offset of extensions, IPv4.
    ErrorExtensions4,
    SetOnly,
    libc::IPPROTO_IP,
    EXTENSIONS_4,
    bool
);
sockopt_impl!(
    /// Whether errors report the offset of extensions, IPv6.
    ErrorExtensions6,
    SetOnly,
    libc::IPPROTO_IPV6,
    EXTENSIONS_6,
    bool
);

sockopt_impl!(
    /// ICMP types blocked on a raw socket, one bit each.
    IcmpFilter4,
    SetOnly,
    libc::SOL_RAW,
    ICMP_FILTER,
    u32
);
sockopt_impl!(
    /// `ICMPv6` types blocked on a raw socket, one bit each.
    IcmpFilter6,
    SetOnly,
    libc::IPPROTO_ICMPV6,
    ICMP_FILTER,
    [u32; 8]
);

/// Blocks other types before the packet is copied, above all echo requests on loopback.
///
/// The filters know types below 32 only and pass all others.
pub(crate) fn filter_types(socket: &socket2::Socket, framing: Framing, wanted: &[u8]) {
    let mut blocked = [u32::MAX; 8];
    for kind in wanted {
        blocked[usize::from(kind / 32)] &= !(1 << (kind % 32));
    }
    let set = match framing {
        Framing::Icmp6 => setsockopt(socket, IcmpFilter6, &blocked),
        Framing::Ip4 | Framing::Icmp4 => setsockopt(socket, IcmpFilter4, &blocked[0]),
    };
    optional("ICMP_FILTER", set);
}

/// Sets all configured options that do not depend on the target.
pub(super) fn set_all(socket: &socket2::Socket, config: &Config, family: Family) -> Result<(), Error> {
    match family {
        Family::V4 => set_ipv4(socket, config)?,
        Family::V6 => set_ipv6(socket, config)?,
    }
    optional("SO_RXQ_OVFL", setsockopt(socket, sockopt::RxqOvfl, &1));
    if config.debug {
        // It has no effect on the packets; iputils ignores a failure too.
        optional("SO_DEBUG", setsockopt(socket, Debug, &true));
    }
    if config.no_route {
        setsockopt(socket, sockopt::DontRoute, &true).map_err(named("SO_DONTROUTE"))?;
    }
    if let Some(mark) = config.mark {
        socket.set_mark(mark).map_err(failed("mark"))?;
    }
    if let Some(size) = config.send_buffer {
        socket.set_send_buffer_size(size).map_err(failed("send buffer"))?;
    }
    let room = usize::try_from(config.plan.preload.max(REPLIES)).unwrap_or(usize::MAX);
    let room = room.saturating_mul(kept(config)).clamp(MIN_ROOM, MAX_ROOM);
    // Only root may exceed the limit of the system.
    if setsockopt(socket, sockopt::RcvBufForce, &room).is_err() {
        socket.set_recv_buffer_size(room).map_err(failed("receive buffer"))?;
    }
    socket.set_nonblocking(true).map_err(failed("non-blocking mode"))
}

fn set_ipv4(socket: &socket2::Socket, config: &Config) -> Result<(), Error> {
    optional("IP_RECVERR", setsockopt(socket, sockopt::Ipv4RecvErr, &true));
    optional("IP_RECVTTL", setsockopt(socket, sockopt::Ipv4RecvTtl, &true));
    if let Some(ttl) = config.ttl {
        socket.set_ttl_v4(ttl.into()).map_err(failed("TTL"))?;
        socket.set_multicast_ttl_v4(ttl.into()).map_err(failed("TTL"))?;
    }
    if let Some(tos) = config.tclass {
        socket.set_tos_v4(tos.into()).map_err(failed("type of service"))?;
    }
    socket.set_multicast_loop_v4(config.multicast_loop).map_err(failed("multicast loop"))?;
    let bytes = header_options(config);
    if !bytes.is_empty() {
        setsockopt(socket, HeaderOptions, &OsString::from_vec(bytes)).map_err(named("IP_OPTIONS"))?;
    }
    // Kernels before 5.9 do not support it.
    let _ = setsockopt(socket, ErrorExtensions4, &true);
    Ok(())
}

fn set_ipv6(socket: &socket2::Socket, config: &Config) -> Result<(), Error> {
    optional("IPV6_RECVERR", setsockopt(socket, sockopt::Ipv6RecvErr, &true));
    optional("IPV6_RECVHOPLIMIT", setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true));
    if let Some(ttl) = config.ttl {
        socket.set_unicast_hops_v6(ttl.into()).map_err(failed("hop limit"))?;
        socket.set_multicast_hops_v6(ttl.into()).map_err(failed("hop limit"))?;
    }
    if let Some(class) = config.tclass {
        socket.set_tclass_v6(class.into()).map_err(failed("traffic class"))?;
    }
    socket.set_multicast_loop_v6(config.multicast_loop).map_err(failed("multicast loop"))?;
    let _ = setsockopt(socket, ErrorExtensions6, &true);
    Ok(())
}

/// Sets the options that depend on the target.
pub(super) fn set_for_target(
    socket: &socket2::Socket,
    target: SocketAddr,
    path_mtu: Option<PathMtu>,
) -> Result<(), Error> {
    match (target, path_mtu.map(discovery)) {
        (SocketAddr::V4(_), Some(mode)) => {
            setsockopt(socket, MtuDiscover4, &mode).map_err(named("IP_MTU_DISCOVER"))?;
        }
        (SocketAddr::V6(_), Some(mode)) => {
            setsockopt(socket, MtuDiscover6, &mode).map_err(named("IPV6_MTU_DISCOVER"))?;
        }
        (_, None) => {}
    }
    match target {
        SocketAddr::V6(target) if target.flowinfo() != 0 => lease_flow_label(socket, target),
        _ => Ok(()),
    }
}

/// Leases the flow label of `target`; the kernel refuses to send a label without a lease.
fn lease_flow_label(socket: &socket2::Socket, target: SocketAddrV6) -> Result<(), Error> {
    /// Create the label when it does not exist.
    const CREATE: u16 = 1;
    /// For this process alone.
    const EXCLUSIVE: u8 = 1;
    let mut request = Vec::with_capacity(32);
    request.extend(target.ip().octets());
    request.extend(target.flowinfo().to_ne_bytes());
    request.extend([0, EXCLUSIVE]);
    request.extend(CREATE.to_ne_bytes());
    // Default times and padding.
    request.resize(32, 0);
    setsockopt(socket, FlowLabelLease, &OsString::from_vec(request)).map_err(named("flow label"))?;
    setsockopt(socket, FlowInfoSend, &true).map_err(named("flow label"))
}

/// The bytes of the configured IPv4 header option.
pub(super) fn header_options(config: &Config) -> Vec<u8> {
    match config.header_option {
        None => Vec::new(),
        Some(HeaderOption::RecordRoute) => options::record_route(),
        Some(HeaderOption::TimeStamps { with_addresses }) => options::time_stamps(with_addresses),
    }
}

/// Number of replies that fit the granted receive buffer, at least one.
pub(super) fn room(socket: &socket2::Socket, config: &Config) -> u64 {
    let bytes = socket.recv_buffer_size().unwrap_or(MIN_ROOM);
    (bytes / kept(config)).max(1) as u64
}

/// Bytes the kernel needs to keep one reply.
fn kept(config: &Config) -> usize {
    2 * (config.payload.len() + OVERHEAD)
}

fn discovery(mode: PathMtu) -> libc::c_int {
    match mode {
        PathMtu::Dont => libc::IP_PMTUDISC_DONT,
        PathMtu::Want => libc::IP_PMTUDISC_WANT,
        PathMtu::Do => libc::IP_PMTUDISC_DO,
        PathMtu::Probe => libc::IP_PMTUDISC_PROBE,
    }
}

/// Which sends the kernel stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendStamps {
    /// None; received packets are stamped in any case.
    Off,
    /// When the driver hands the packet to the device.
    Driver,
    /// The same, and when the packet enters the queue of the device, for drivers that do not stamp.
    DriverOrQueue,
}

/// Requests time stamps of received packets and of `sends` (`SO_TIMESTAMPING`).
pub(super) fn set_stamps(socket: &socket2::Socket, sends: SendStamps) {
    let received = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE;
    let driver = TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_ID
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
    let flags = received
        | match sends {
            SendStamps::Off => TimestampingFlag::empty(),
            SendStamps::Driver => driver,
            SendStamps::DriverOrQueue => driver | TimestampingFlag::from_bits_retain(libc::SOF_TIMESTAMPING_TX_SCHED),
        };
    optional("SO_TIMESTAMPING", setsockopt(socket, sockopt::Timestamping, &flags));
}

/// Logs a refusal of an option without which ping works: WSL, gVisor and old kernels lack some of them.
pub(super) fn optional<E: std::fmt::Display>(what: &str, result: Result<(), E>) {
    if let Err(cause) = result {
        log::info!("{what} is not available: {cause}");
    }
}

/// The error for an option that the kernel refused.
pub(crate) fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |cause| Error::io("set", what, cause)
}

pub(super) fn named(what: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| failed(what)(errno.into())
}
