//! Opens a connection: to the addresses of a host, each in turn, or to a unix socket.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Error, Kind};
use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, getaddrinfo};
use socket2::{Domain, SockAddr, Socket, Type};

use super::deadline_stream::DeadlineStream;
use super::{ConnectionError, FailedStep, Limits, proxy, seconds};
use crate::net::address::{HostPort, Peer};
use crate::net::proxy::Proxy;
use crate::proto::proxy::header::{Version, header};

/// Time limit for the last address of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit for an address with others behind it: a live host answers within three packets.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for resolving a name: resolvers give up after a few attempts of five seconds.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Which addresses of a host may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How to connect.
#[derive(Debug)]
pub struct ConnectOptions {
    /// Addresses that may be used: those of the proxy, if there is one.
    pub family: Family,
    /// Local address of the connection.
    pub bind: Option<IpAddr>,
    /// The proxy that opens the connection.
    pub proxy: Option<Proxy>,
    /// The header of the PROXY protocol to send.
    pub header: Option<ProxyHeader>,
}

/// The header of the PROXY protocol, sent before everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The version of the protocol.
    pub version: Version,
    /// The client in the header; `None` is the local address.
    pub client: Option<SocketAddr>,
}

pub(super) struct Connected {
    pub(super) stream: DeadlineStream,
    /// Whether the peer is on this machine.
    pub(super) loopback: bool,
    pub(super) early: Vec<u8>,
}

/// The addresses of a server.
#[derive(Debug, Clone, Copy)]
pub struct KnownAddresses<'a> {
    /// In the order in which they are tried.
    pub addresses: &'a [SocketAddr],
    /// Whether another server follows, so that all time limits are short.
    pub more: bool,
}

/// Connects to `peer`, at the addresses in `known` if they are given.
pub(super) fn connect(
    peer: &Peer,
    known: Option<KnownAddresses<'_>>,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<Connected, ConnectionError> {
    let server = match peer {
        Peer::Unix(path) => return connect_unix(path),
        Peer::Tcp(server) => server,
    };
    let (mut stream, address, early) = match &options.proxy {
        None => {
            let (socket, address) = match known {
                Some(known) => connect_first("", server, known, options, limits)?,
                None => connect_any("", server, options, limits)?,
            };
            (DeadlineStream::new(socket, Instant::now()), address, Vec::new())
        }
        Some(through) => {
            let (socket, _) = connect_any("proxy", &through.address.at, options, limits)?;
            log::info!("asking the proxy for a connection to {server} by {}", through.address.scheme);
            let mut stream = DeadlineStream::new(socket, Instant::now());
            let early = proxy::tunnel(&mut stream, through, server, limits)?;
            (stream, beyond(server), early)
        }
    };
    if let Some(header) = options.header {
        introduce(&mut stream, header, address, limits)
            .map_err(|error| Error::io("send to", server, error).with_kind(Kind::Temporary))?;
    }
    // A server behind a proxy counts as remote.
    let loopback = options.proxy.is_none() && address.ip().to_canonical().is_loopback();
    Ok(Connected { stream, loopback, early })
}

/// The address of a server that only the proxy resolves, as far as it is known.
fn beyond(server: &HostPort) -> SocketAddr {
    SocketAddr::new(server.host.parse().unwrap_or(Ipv4Addr::UNSPECIFIED.into()), server.port)
}

fn introduce(stream: &mut DeadlineStream, proxy: ProxyHeader, server: SocketAddr, limits: Limits) -> io::Result<()> {
    stream.until = limits.until(CONNECT_TIMEOUT);
    let own = stream.local_address().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
    let client = proxy.client.unwrap_or(own);
    log::info!("-> (PROXY header: {client} to {server})");
    stream.write_all(&header(proxy.version, client, server))
}

/// Connects to the first address of `host` that answers; `role` names the host in errors.
fn connect_any(
    role: &'static str,
    host: &HostPort,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<(Socket, SocketAddr), ConnectionError> {
    let addresses = addresses(role, host, options, limits)?;
    connect_first(role, host, KnownAddresses { addresses: &addresses, more: false }, options, limits)
}

/// Connects to the first of the known addresses that answers.
fn connect_first(
    role: &'static str,
    host: &HostPort,
    known: KnownAddresses<'_>,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<(Socket, SocketAddr), ConnectionError> {
    let operation = if role.is_empty() { "connect to" } else { "connect to proxy" };
    let mut last = None;
    for (number, address) in (1..).zip(known.addresses.iter().copied()) {
        log::info!("connecting to {role}{}{address}", if role.is_empty() { "" } else { " " });
        let timeout = if known.more || number < known.addresses.len() { FIRST_TIMEOUT } else { CONNECT_TIMEOUT };
        match connect_tcp(address, options.bind, limits.until(timeout)) {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => {
                let timed_out = error.kind() == io::ErrorKind::TimedOut;
                let step = if timed_out { FailedStep::ConnectTimeout } else { FailedStep::Other };
                let failure = Error::io(operation, shown(host, address), error).with_kind(Kind::Temporary);
                log::info!("{failure}");
                last = Some(ConnectionError { failure, step });
            }
        }
    }
    Err(last
        .unwrap_or_else(|| Error::new(Kind::UnknownHost, role, &host.host, "no address of the selected family").into()))
}

fn connect_tcp(address: SocketAddr, bind: Option<IpAddr>, until: Instant) -> io::Result<Socket> {
    let timeout = until.saturating_duration_since(Instant::now());
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(local) = bind {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    // A timeout of zero is an error, not a timeout.
    socket.connect_timeout(&address.into(), timeout.max(Duration::from_millis(1)))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn connect_unix(path: &Path) -> Result<Connected, ConnectionError> {
    let open = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(socket)
    };
    log::info!("connecting to {}", path.display());
    match open() {
        Ok(socket) => {
            Ok(Connected { stream: DeadlineStream::new(socket, Instant::now()), loopback: true, early: Vec::new() })
        }
        Err(error) => {
            let error: io::Error = error;
            let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Denied } else { Kind::Temporary };
            Err(Error::io("connect to", path.display(), error).with_kind(kind).into())
        }
    }
}

/// `host:25`, with the address behind it if it differs.
fn shown(server: &HostPort, address: SocketAddr) -> String {
    if server.to_string() == address.to_string() { server.to_string() } else { format!("{server} ({})", address.ip()) }
}

/// The usable addresses of a host. getaddrinfo(3) has no deadline, so it runs on its own thread.
fn addresses(
    role: &'static str,
    server: &HostPort,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<Vec<SocketAddr>, Error> {
    let timeout = limits.until(RESOLVE_TIMEOUT).saturating_duration_since(Instant::now());
    let (sender, results) = mpsc::channel();
    let host = server.host.clone();
    thread::spawn(move || {
        // The receiver may have exceeded its deadline.
        let _ = sender.send(look_up(&host));
    });
    let found = results.recv_timeout(timeout).map_err(|_| {
        let why = format!("the resolver did not answer within {}", seconds(timeout));
        Error::new(Kind::Temporary, role, &server.host, why)
    })?;
    let found = found.map_err(|(kind, why)| Error::new(kind, role, &server.host, why))?;
    let fits = |address: &SocketAddr| match (options.family, options.bind) {
        (Family::V4, _) | (Family::Any, Some(IpAddr::V4(_))) => address.is_ipv4(),
        (Family::V6, _) | (Family::Any, Some(IpAddr::V6(_))) => address.is_ipv6(),
        (Family::Any, None) => true,
    };
    let with_port = |mut address: SocketAddr| {
        address.set_port(server.port);
        address
    };
    Ok(found.into_iter().filter(fits).map(with_port).collect())
}

/// The addresses of a host by getaddrinfo(3); or the kind and the text of its error.
fn look_up(host: &str) -> Result<Vec<SocketAddr>, (Kind, String)> {
    let hints = AddrInfoHints { socktype: nix::libc::SOCK_STREAM, ..AddrInfoHints::default() };
    let failed = |error: LookupError| {
        let is_temporary = matches!(error.kind(), LookupErrorKind::Again);
        let kind = if is_temporary { Kind::Temporary } else { Kind::UnknownHost };
        let text = io::Error::from(error).to_string();
        (kind, text.rsplit(": ").next().unwrap_or_default().to_owned())
    };
    let found = getaddrinfo(Some(host), None, Some(hints)).map_err(failed)?;
    let found: io::Result<Vec<SocketAddr>> = found.map(|info| info.map(|info| info.sockaddr)).collect();
    found.map_err(|error| (Kind::UnknownHost, common::error::reason(&error)))
}
