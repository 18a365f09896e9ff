//! How a connection comes about: the addresses of a host, each tried in turn, or a unix socket.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Error, Kind};
use socket2::{Domain, SockAddr, Socket, Type};

use super::deadline_stream::DeadlineStream;
use super::{ConnectionError, FailedStep, Limits, proxy, seconds};
use crate::net::address::{HostPort, Peer};
use crate::net::proxy::Proxy;
use crate::proto::proxy::header::{Version, header};

/// For the last address of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For one behind which there are others: a dead one costs seconds, and who is alive answers within three packets or so.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
/// For finding the addresses of a name: resolvers give up after a few tries of five seconds each.
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

/// How to get to a server.
#[derive(Debug)]
pub struct ConnectOptions {
    /// Which of its addresses may be used; those of the proxy, where there is one.
    pub family: Family,
    /// The address of this host to leave from, if not any.
    pub bind: Option<IpAddr>,
    /// Who connects us.
    pub proxy: Option<Proxy>,
    /// Whom we say we are the proxy of.
    pub header: Option<ProxyHeader>,
}

/// The header of the PROXY protocol in front of everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Its form.
    pub version: Version,
    /// The client that it names, when it is not ourselves.
    pub client: Option<SocketAddr>,
}

/// A connection that stands.
pub(super) struct Connected {
    pub(super) stream: DeadlineStream,
    /// Whether the other end is on this machine.
    pub(super) loopback: bool,
    /// What has come already.
    pub(super) early: Vec<u8>,
}

/// The addresses of a server.
#[derive(Debug, Clone, Copy)]
pub struct KnownAddresses<'a> {
    /// In the order to try them in.
    pub addresses: &'a [SocketAddr],
    /// Whether there is another server behind this one, so that none of them is waited for long.
    pub more: bool,
}

/// Connects to `peer`, to one of the addresses in `known` when these are its addresses.
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
            log::info!("asking it for a connection to {server} by {}", through.address.scheme);
            let mut stream = DeadlineStream::new(socket, Instant::now());
            let early = proxy::tunnel(&mut stream, through, server, limits)?;
            (stream, beyond(server), early)
        }
    };
    if let Some(header) = options.header {
        introduce(&mut stream, header, address, limits)
            .map_err(|error| Error::io("send to", server, error).with_kind(Kind::Temporary))?;
    }
    // What is on the other side of a proxy is never this machine: nobody knows where the proxy is.
    let loopback = options.proxy.is_none() && address.ip().to_canonical().is_loopback();
    Ok(Connected { stream, loopback, early })
}

/// The address of a server that only a proxy knows, as far as it can be told.
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

/// Connects to the first address of `host`, which is called `role` in errors, that answers.
fn connect_any(
    role: &'static str,
    host: &HostPort,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<(Socket, SocketAddr), ConnectionError> {
    let addresses = addresses(role, host, options, limits)?;
    connect_first(role, host, KnownAddresses { addresses: &addresses, more: false }, options, limits)
}

/// Connects to the first of the addresses of `host` that answers.
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
        let patience = if known.more || number < known.addresses.len() { FIRST_TIMEOUT } else { CONNECT_TIMEOUT };
        match connect_tcp(address, options.bind, limits.until(patience)) {
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
        .unwrap_or_else(|| Error::new(Kind::UnknownHost, role, &host.host, "no address of the wanted family").into()))
}

fn connect_tcp(address: SocketAddr, bind: Option<IpAddr>, until: Instant) -> io::Result<Socket> {
    let patience = until.saturating_duration_since(Instant::now());
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(local) = bind {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    // No time at all is an error of its own kind, not a timeout.
    socket.connect_timeout(&address.into(), patience.max(Duration::from_millis(1)))?;
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

/// `host:25`, with the address behind it when the two differ.
fn shown(server: &HostPort, address: SocketAddr) -> String {
    if server.to_string() == address.to_string() { server.to_string() } else { format!("{server} ({})", address.ip()) }
}

/// The addresses that may be used. The resolver of the system knows no deadline, so it is asked on a thread of its own.
fn addresses(
    role: &'static str,
    server: &HostPort,
    options: &ConnectOptions,
    limits: Limits,
) -> Result<Vec<SocketAddr>, Error> {
    let patience = limits.until(RESOLVE_TIMEOUT).saturating_duration_since(Instant::now());
    let (answer, answers) = mpsc::channel();
    let wanted = (server.host.clone(), server.port);
    thread::spawn(move || {
        // Nobody is left to hear it when it comes too late.
        let _ = answer.send(wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    let found = answers.recv_timeout(patience).map_err(|_| {
        let why = format!("the resolver has not answered within {}", seconds(patience));
        Error::new(Kind::Temporary, role, &server.host, why)
    })?;
    let found = found.map_err(|error| {
        // The C library's words are all that std passes on.
        let text = error.to_string();
        let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned();
        let kind = if why.contains("Temporary") { Kind::Temporary } else { Kind::UnknownHost };
        Error::new(kind, role, &server.host, why)
    })?;
    let fits = |address: &SocketAddr| match (options.family, options.bind) {
        (Family::V4, _) | (Family::Any, Some(IpAddr::V4(_))) => address.is_ipv4(),
        (Family::V6, _) | (Family::Any, Some(IpAddr::V6(_))) => address.is_ipv6(),
        (Family::Any, None) => true,
    };
    Ok(found.into_iter().filter(fits).collect())
}
