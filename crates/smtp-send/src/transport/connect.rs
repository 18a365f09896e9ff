//! How a connection comes about: the addresses of a host, each tried in turn, or a unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Kind};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Limits;
use crate::server::{HostPort, Peer};

/// For one address of the server; the next one may answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// For finding the addresses of a name: resolvers give up after a few tries of five seconds each.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(60);

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
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Which of its addresses may be used.
    pub family: Family,
    /// The address of this host to leave from, if not any.
    pub bind: Option<IpAddr>,
}

/// A connection that stands.
pub(super) struct Connected {
    pub(super) socket: Socket,
    /// Whether the other end is on this machine.
    pub(super) loopback: bool,
}

pub(super) fn connect(peer: &Peer, way: &Way, limits: Limits) -> Result<Connected, Failure> {
    let server = match peer {
        Peer::Unix(path) => return connect_unix(path),
        Peer::Tcp(server) => server,
    };
    let mut last = None;
    for address in addresses(server, way, limits)? {
        log::info!("connecting to {address}");
        match connect_tcp(address, way.bind, limits) {
            Ok(socket) => {
                return Ok(Connected { socket, loopback: address.ip().to_canonical().is_loopback() });
            }
            Err(error) => {
                let failure = Failure::io("connect to", shown(server, address), error).with_kind(Kind::Temporary);
                log::info!("{failure}");
                last = Some(failure);
            }
        }
    }
    Err(last.unwrap_or_else(|| Failure::new(Kind::UnknownHost, "", &server.host, "no address of the wanted family")))
}

fn connect_tcp(address: SocketAddr, bind: Option<IpAddr>, limits: Limits) -> io::Result<Socket> {
    let patience = limits.until(CONNECT_PATIENCE).saturating_duration_since(Instant::now());
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(local) = bind {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    // No time at all is an error of its own kind, not a timeout.
    socket.connect_timeout(&address.into(), patience.max(Duration::from_millis(1)))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn connect_unix(path: &Path) -> Result<Connected, Failure> {
    let open = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(socket)
    };
    log::info!("connecting to {}", path.display());
    match open() {
        Ok(socket) => Ok(Connected { socket, loopback: true }),
        Err(error) => {
            let error: io::Error = error;
            let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Denied } else { Kind::Temporary };
            Err(Failure::io("connect to", path.display(), error).with_kind(kind))
        }
    }
}

/// `host:25`, with the address behind it when the two differ.
fn shown(server: &HostPort, address: SocketAddr) -> String {
    if server.to_string() == address.to_string() { server.to_string() } else { format!("{server} ({})", address.ip()) }
}

/// The addresses that may be used. The resolver of the system knows no deadline, so it is asked on a thread of its own.
fn addresses(server: &HostPort, way: &Way, limits: Limits) -> Result<Vec<SocketAddr>, Failure> {
    let patience = limits.until(RESOLVE_PATIENCE).saturating_duration_since(Instant::now());
    let (answer, answers) = mpsc::channel();
    let wanted = (server.host.clone(), server.port);
    thread::spawn(move || {
        // Nobody is left to hear it when it comes too late.
        let _ = answer.send(wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    let found = answers.recv_timeout(patience).map_err(|_| {
        let why = format!("the resolver has not answered within {}", super::seconds(patience));
        Failure::new(Kind::Temporary, "", &server.host, why)
    })?;
    let found = found.map_err(|error| {
        // The C library's words are all that std passes on.
        let text = error.to_string();
        let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned();
        let kind = if why.contains("Temporary") { Kind::Temporary } else { Kind::UnknownHost };
        Failure::new(kind, "", &server.host, why)
    })?;
    let fits = |address: &SocketAddr| match (way.family, way.bind) {
        (Family::V4, _) | (Family::Any, Some(IpAddr::V4(_))) => address.is_ipv4(),
        (Family::V6, _) | (Family::Any, Some(IpAddr::V6(_))) => address.is_ipv6(),
        (Family::Any, None) => true,
    };
    Ok(found.into_iter().filter(fits).collect())
}
