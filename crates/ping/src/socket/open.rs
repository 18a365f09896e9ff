//! Opening a socket: kind, source address, identifier.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};

use common::{Error, Kind, random};
use nix::libc;
use socket2::{Domain, Protocol, SockRef, Type};

use super::{OpenError, options};
use crate::config::Config;
use crate::family::Family;
use crate::proto::payload_mac::PayloadMac;

/// Any port serves to ask the kernel for a route; nothing is sent.
const ROUTE_PORT: u16 = 1025;
/// Flow labels have 20 bits.
const MAX_FLOW_LABEL: u32 = 0xf_ffff;

/// A raw socket, else a datagram socket, else an error that names both remedies.
pub(crate) fn any(family: Family, config: &Config) -> Result<(socket2::Socket, bool), Error> {
    let (domain, protocol) = match family {
        Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let refused = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
    let failed = |cause| Error::io("open", "an ICMP socket", cause);
    match socket2::Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => return Ok((socket, true)),
        Err(cause) if !refused(&cause) => return Err(failed(cause)),
        // Identifier 0 asks for a raw socket, because a datagram socket takes it for "any".
        Err(cause) if config.identifier == Some(0) => return Err(failed(cause)),
        // The IPv4 header is visible on a raw socket only.
        Err(_) if config.header_option.is_some() && family == Family::V4 => {
            let cure = "Operation not permitted (-R and -T need 'setcap cap_net_raw+ep' on this program)";
            return Err(Error::new(Kind::Denied, "open", "a raw socket", cure));
        }
        Err(_) => {}
    }
    match socket2::Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => Ok((socket, false)),
        Err(cause) if refused(&cause) => Err(Error::new(
            Kind::Denied,
            "open",
            "an ICMP socket",
            "Operation not permitted (either 'setcap cap_net_raw+ep' on this program, \
             or your group in the sysctl net.ipv4.ping_group_range)",
        )),
        Err(cause) => Err(failed(cause)),
    }
}

/// Binds to the configured interface.
pub(crate) fn bind_interface(socket: &socket2::Socket, config: &Config) -> Result<(), Error> {
    match &config.origin.interface {
        Some(name) => socket
            .bind_device(Some(name.as_bytes()))
            .map_err(|cause| Error::io("SO_BINDTODEVICE", name, cause).with_kind(Kind::System)),
        None => Ok(()),
    }
}

/// `source` to bind to; a link-local one gets the scope of the target.
fn source_towards(target: SocketAddr, source: IpAddr) -> SocketAddr {
    match (source, target) {
        (IpAddr::V6(source), SocketAddr::V6(target)) => SocketAddrV6::new(source, 0, 0, target.scope_id()).into(),
        (source, _) => SocketAddr::new(source, 0),
    }
}

/// The route to a target.
pub(super) struct Route {
    /// The source address of the probes.
    pub(super) source: IpAddr,
    /// Whether the target is a broadcast address.
    pub(super) is_broadcast: bool,
}

/// A socket that asks for routes from the configured interface, mark and source address.
pub(super) fn route_socket(config: &Config, family: Family) -> Result<UdpSocket, Error> {
    let domain = if family == Family::V4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket =
        socket2::Socket::new(domain, Type::DGRAM, None).map_err(|cause| Error::io("open", "a socket", cause))?;
    bind_interface(&socket, config)?;
    if let Some(mark) = config.mark {
        socket.set_mark(mark).map_err(options::failed("mark"))?;
    }
    Ok(socket.into())
}

/// The route to `target` by a new socket.
pub(super) fn fresh_route(config: &Config, target: SocketAddr) -> Result<Route, OpenError> {
    let family = Family::of(target.ip());
    route(&route_socket(config, family)?, config, target)
}

/// The kernel's route to `target`; nothing is sent.
///
/// After a success `socket` keeps its source address, so it is not used for another target.
pub(super) fn route(socket: &UdpSocket, config: &Config, target: SocketAddr) -> Result<Route, OpenError> {
    if let Some(address) = config.origin.address
        && socket.local_addr().is_ok_and(|local| local.port() == 0)
    {
        let local = source_towards(target, address).into();
        SockRef::from(socket).bind(&local).map_err(|cause| Error::io("bind", "", cause))?;
    }
    let mut there = target;
    there.set_port(ROUTE_PORT);
    if let SocketAddr::V6(v6) = &mut there {
        // This socket has no lease of the flow label.
        v6.set_flowinfo(0);
    }
    let mut connected = socket.connect(there);
    // Permission is denied for broadcast addresses and by firewalls.
    let is_refused = connected.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied);
    if is_refused && config.broadcast {
        socket.set_broadcast(true).map_err(options::failed("broadcast"))?;
        connected = socket.connect(there);
    }
    match connected.and_then(|()| socket.local_addr()) {
        Ok(address) => Ok(Route { source: address.ip(), is_broadcast: is_refused }),
        Err(cause) => Err(unreachable(config, target, cause)),
    }
}

/// The error of a target without a route.
fn unreachable(config: &Config, target: SocketAddr, cause: io::Error) -> OpenError {
    // IPv6 has no broadcast: permission is denied by a route or firewall.
    if cause.kind() == io::ErrorKind::PermissionDenied && !config.broadcast && target.is_ipv4() {
        let hint = "Do you want to ping broadcast? Then -b. If not, check your local firewall rules";
        return OpenError::from(Error::new(Kind::Denied, "", "", hint));
    }
    if cause.kind() == io::ErrorKind::InvalidInput && needs_zone(target) {
        let hint = format!("a link-local address; add the interface: {}%INTERFACE or -I INTERFACE", target.ip());
        return OpenError::from(Error::new(Kind::Usage, "", target.ip(), hint));
    }
    let is_unroutable = matches!(
        cause.raw_os_error(),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)
    );
    OpenError { error: Error::io("connect", "", cause), is_unroutable }
}

fn needs_zone(target: SocketAddr) -> bool {
    let SocketAddr::V6(v6) = target else { return false };
    // ff01::/16 and ff02::/16 have interface-local and link-local scope (RFC 4291, section 2.7).
    let is_local_group = v6.ip().is_multicast() && matches!(v6.ip().segments()[0] & 0xf, 1 | 2);
    (v6.ip().is_unicast_link_local() || is_local_group) && v6.scope_id() == 0
}

/// Binds the socket where needed; returns the identifier: that of a raw socket, or the one the kernel chooses.
pub(super) fn bind(
    socket: &socket2::Socket,
    target: SocketAddr,
    source: Option<IpAddr>,
    raw_identifier: Option<u16>,
    config: &Config,
) -> Result<u16, Error> {
    let failed = |cause| Error::io("bind", "", cause);
    if let Some(identifier) = raw_identifier {
        if let Some(source) = source {
            socket.bind(&source_towards(target, source).into()).map_err(failed)?;
        }
        return Ok(identifier);
    }
    let any: IpAddr = if target.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let mut local = source_towards(target, source.unwrap_or(any));
    local.set_port(config.identifier.unwrap_or(0));
    socket.bind(&local.into()).map_err(failed)?;
    let local = socket.local_addr().map_err(failed)?;
    Ok(local.as_socket().map_or(0, |address| address.port()))
}

/// The configured identifier, or a random one.
pub(super) fn identifier(config: &Config) -> Result<u16, Error> {
    config.identifier.map_or_else(|| Ok(u16::from_ne_bytes(random::bytes()?)), Ok)
}

/// A MAC with a random key.
pub(super) fn mac() -> Result<PayloadMac, Error> {
    Ok(PayloadMac::new(random::bytes()?))
}

/// `target` with the configured flow label.
pub(super) fn with_flow_label(config: &Config, target: SocketAddr) -> Result<SocketAddr, Error> {
    let (SocketAddr::V6(mut v6), Some(wanted)) = (target, config.flow_label) else { return Ok(target) };
    let label = match wanted {
        // 0 means no label.
        0 => (u32::from_ne_bytes(random::bytes()?) & MAX_FLOW_LABEL).max(1),
        label => label,
    };
    v6.set_flowinfo(label.to_be());
    Ok(v6.into())
}
