//! Listening sockets: bound here, or inherited (systemd socket activation).
//!
//! A TCP address has one socket per worker on the same port (`SO_REUSEPORT`). A unix socket or an inherited socket is shared
//! by all workers, and the kernel wakes one of them (`EPOLLEXCLUSIVE`).

mod inherited;
mod unix;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use common::{Error, Kind, SafeText};
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::peer::Peer;
use inherited::Inherited;
pub use inherited::notify;
pub use unix::SocketFile;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A bound address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket at this path.
    Unix(PathBuf),
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", SafeText(path.as_os_str().as_encoded_bytes())),
        }
    }
}

/// An address of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// All addresses of this host.
    All(u16),
    /// The loopback addresses of IPv4 and IPv6.
    Localhost(u16),
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket at this path.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The same address with another port; `None` for unix sockets.
    fn with_port(&self, port: u16) -> Option<Self> {
        match self {
            Self::All(_) => Some(Self::All(port)),
            Self::Localhost(_) => Some(Self::Localhost(port)),
            Self::Tcp(address) => {
                let mut address = *address;
                address.set_port(port);
                Some(Self::Tcp(address))
            }
            Self::Unix(_) => None,
        }
    }

    fn port(&self) -> Option<u16> {
        match self {
            Self::All(port) | Self::Localhost(port) => Some(*port),
            Self::Tcp(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }

    /// Whether an IPv4 address is named, so that a dual-stack `::` on the same port would conflict with it.
    fn names_ipv4(&self) -> bool {
        match self {
            Self::Localhost(_) => true,
            Self::Tcp(address) => address.is_ipv4(),
            Self::All(_) | Self::Unix(_) => false,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(port) => write!(f, ":{port}"),
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", SafeText(path.as_os_str().as_encoded_bytes())),
        }
    }
}

/// The addresses and ports to listen on.
#[derive(Debug)]
pub struct ListenConfig {
    /// The addresses.
    pub addresses: Vec<ListenAddress>,
    /// Whether the addresses are the default.
    pub is_default: bool,
    /// Whether the next free port is used if the default port is in use.
    pub may_move: bool,
    /// The permissions of unix sockets.
    pub socket_mode: u32,
    /// The number of workers.
    pub workers: usize,
    /// Whether TCP clients use TLS; unix sockets are always in clear.
    pub tls: bool,
    /// The port that redirects HTTP to HTTPS.
    pub redirect: Option<u16>,
    /// The HTTPS port in redirects; `None`: the bound one.
    pub public_port: Option<u16>,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The site, in clear.
    Plain,
    /// The site, over TLS.
    Tls,
    /// A redirect to this HTTPS port.
    Redirect(u16),
}

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// What it serves.
    pub role: Role,
    /// Whether other workers use the same socket.
    shared: bool,
}

impl Listener {
    /// Accepts a connection without waiting.
    pub fn accept(&self) -> io::Result<(Socket, Peer)> {
        let (socket, address) = self.socket.accept()?;
        Ok((socket, address.as_socket().map_or(Peer::Local, |address| Peer::from(address.ip()))))
    }

    /// The epoll events of the socket.
    pub fn interest(&self) -> EpollFlags {
        if self.shared { EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE } else { EpollFlags::EPOLLIN }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The listeners of all workers.
#[derive(Debug)]
pub struct Listeners {
    /// The bound addresses with their actual ports.
    pub bound: Vec<(Bind, Role)>,
    /// The non-blocking listeners of each worker.
    pub by_worker: Vec<Vec<Listener>>,
    /// The files of unix sockets, removed on drop.
    pub files: Vec<SocketFile>,
    /// The default port, if it was in use and another one is bound.
    pub moved_from: Option<u16>,
}

/// Uses the inherited sockets; without any, binds the configured addresses.
pub fn open(config: &ListenConfig) -> Result<Listeners, Error> {
    let by_worker = (0..config.workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners { bound: Vec::new(), by_worker, files: Vec::new(), moved_from: None };
    let inherited = inherited::take_over()?;
    if inherited.is_empty() {
        listeners.bind_all(config)?;
    } else if config.is_default {
        listeners.use_inherited(inherited, config)?;
    } else {
        let why = "cannot be combined with inherited sockets (LISTEN_FDS)";
        let address = config.addresses.first().map(ToString::to_string).unwrap_or_default();
        return Err(Error::new(Kind::Usage, "--bind", address, why));
    }
    if let Some(port) = config.redirect {
        listeners.bind_redirect(config, port)?;
    }
    Ok(listeners)
}

/// Ports that are tried behind a default port that is in use.
const MAX_MOVES: u16 = 20;

/// The addresses with the first port that is free on all of them, and the default port if that is another one.
fn move_to_free_port(addresses: &[ListenAddress]) -> (Vec<ListenAddress>, Option<u16>) {
    let Some(default) = addresses.iter().find_map(ListenAddress::port) else { return (addresses.to_vec(), None) };
    for port in default..=default.saturating_add(MAX_MOVES) {
        let moved: Vec<_> =
            addresses.iter().map(|address| address.with_port(port).unwrap_or_else(|| address.clone())).collect();
        if !moved.iter().any(is_in_use) {
            return (moved, (port != default).then_some(default));
        }
    }
    (addresses.to_vec(), None)
}

fn is_in_use(address: &ListenAddress) -> bool {
    let is_in_use = |address: SocketAddr| {
        let bound = socket(address, true).and_then(|socket| socket.bind(&address.into()));
        bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    match address {
        ListenAddress::All(port) => {
            is_in_use((Ipv6Addr::UNSPECIFIED, *port).into()) || is_in_use((Ipv4Addr::UNSPECIFIED, *port).into())
        }
        ListenAddress::Localhost(port) => {
            is_in_use((Ipv4Addr::LOCALHOST, *port).into()) || is_in_use((Ipv6Addr::LOCALHOST, *port).into())
        }
        ListenAddress::Tcp(address) => is_in_use(*address),
        ListenAddress::Unix(_) => false,
    }
}

impl Listeners {
    fn use_inherited(&mut self, inherited: Vec<Inherited>, config: &ListenConfig) -> Result<(), Error> {
        let role = if config.tls { Role::Tls } else { Role::Plain };
        // Serving sockets first: a redirect needs the HTTPS port.
        let (redirecting, serving): (Vec<_>, Vec<_>) =
            inherited.into_iter().partition(|socket| config.tls && socket.redirects);
        for Inherited { socket, bind, .. } in serving {
            let role = if matches!(bind, Bind::Tcp(_)) { role } else { Role::Plain };
            self.share(&socket, bind, role)?;
        }
        for Inherited { socket, bind, .. } in redirecting {
            let role = Role::Redirect(self.https_port(config));
            self.share(&socket, bind, role)?;
        }
        Ok(())
    }

    fn bind_all(&mut self, config: &ListenConfig) -> Result<(), Error> {
        let role = if config.tls { Role::Tls } else { Role::Plain };
        if config.may_move {
            let (addresses, moved_from) = move_to_free_port(&config.addresses);
            self.moved_from = moved_from;
            self.bind_each(&addresses, role, config.socket_mode)
        } else {
            self.bind_each(&config.addresses, role, config.socket_mode)
        }
    }

    fn bind_each(&mut self, addresses: &[ListenAddress], role: Role, socket_mode: u32) -> Result<(), Error> {
        for (index, address) in addresses.iter().enumerate() {
            if address.port() != Some(0) && addresses[..index].contains(address) {
                continue;
            }
            let conflicts = |other: &ListenAddress| other.names_ipv4() && other.port() == address.port();
            let dual_stack = address.port() == Some(0) || !addresses.iter().any(conflicts);
            match address {
                ListenAddress::All(port) => self.bind_everywhere(*port, role, dual_stack)?,
                ListenAddress::Localhost(port) => self.bind_localhost(*port, role)?,
                ListenAddress::Tcp(tcp) => {
                    self.bind(*tcp, role, dual_stack).map_err(|error| bind_error(&Bind::Tcp(*tcp), error))?;
                }
                ListenAddress::Unix(path) => {
                    let (socket, file) = unix::bind(path, socket_mode)?;
                    self.files.push(file);
                    self.share(&socket, Bind::Unix(path.clone()), Role::Plain)?;
                }
            }
        }
        Ok(())
    }

    /// Binds the redirect port on every address that serves HTTPS.
    fn bind_redirect(&mut self, config: &ListenConfig, port: u16) -> Result<(), Error> {
        let role = Role::Redirect(self.https_port(config));
        let mut addresses: Vec<_> = config.addresses.iter().filter_map(|address| address.with_port(port)).collect();
        let mut seen: Vec<ListenAddress> = Vec::new();
        addresses.retain(|address| !seen.contains(address) && (seen.push(address.clone()), true).1);
        if addresses.is_empty() {
            addresses.push(ListenAddress::All(port));
        }
        self.bind_each(&addresses, role, config.socket_mode)
    }

    fn https_port(&self, config: &ListenConfig) -> u16 {
        let port = |(bind, role): &(Bind, Role)| match (bind, role) {
            (Bind::Tcp(address), Role::Tls) => Some(address.port()),
            _ => None,
        };
        config.public_port.or_else(|| self.bound.iter().find_map(port)).unwrap_or(443)
    }

    fn bind_everywhere(&mut self, port: u16, role: Role, dual_stack: bool) -> Result<(), Error> {
        let mut address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let mut result = self.bind(address, role, dual_stack);
        // The host has no IPv6.
        if result.as_ref().is_err_and(is_unsupported) {
            address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            result = self.bind(address, role, dual_stack);
        }
        result.map_err(|error| bind_error(&Bind::Tcp(address), error))
    }

    fn bind_localhost(&mut self, port: u16, role: Role) -> Result<(), Error> {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.bind(v4, role, false).map_err(|error| bind_error(&Bind::Tcp(v4), error))?;
        let port = match self.bound.last() {
            Some((Bind::Tcp(bound), _)) => bound.port(),
            _ => port,
        };
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        match self.bind(v6, role, false) {
            Err(error) if !is_unsupported(&error) => Err(bind_error(&Bind::Tcp(v6), error)),
            _ => Ok(()),
        }
    }

    fn bind(&mut self, wanted: SocketAddr, role: Role, dual_stack: bool) -> io::Result<()> {
        // A socket without SO_REUSEPORT detects another process on the port.
        if wanted.port() != 0 {
            socket(wanted, dual_stack)?.bind(&wanted.into())?;
        }
        let mut bound = wanted;
        for listeners in &mut self.by_worker {
            let socket = socket(bound, dual_stack)?;
            socket.set_reuse_port(true)?;
            socket.set_tcp_nodelay(true)?;
            socket.bind(&bound.into())?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            bound = socket.local_addr()?.as_socket().unwrap_or(bound);
            listeners.push(Listener { socket, role, shared: false });
        }
        self.bound.push((Bind::Tcp(bound), role));
        Ok(())
    }

    /// Shares one socket among all workers.
    fn share(&mut self, socket: &Socket, bind: Bind, role: Role) -> Result<(), Error> {
        let fail = |error| bind_error(&bind, error);
        socket.set_nonblocking(true).map_err(fail)?;
        if matches!(bind, Bind::Tcp(_)) {
            socket.set_tcp_nodelay(true).map_err(fail)?;
        }
        for listeners in &mut self.by_worker {
            listeners.push(Listener { socket: socket.try_clone().map_err(fail)?, role, shared: true });
        }
        self.bound.push((bind, role));
        Ok(())
    }
}

fn socket(address: SocketAddr, dual_stack: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections in TIME_WAIT of an earlier process must not prevent the start.
    socket.set_reuse_address(true)?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!(ip.is_unspecified() && dual_stack))?;
    }
    Ok(socket)
}

fn is_unsupported(error: &io::Error) -> bool {
    use nix::errno::Errno;
    matches!(
        Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL | Errno::EPROTONOSUPPORT
    )
}

fn bind_error(bind: &Bind, error: io::Error) -> Error {
    let address = match bind {
        Bind::Tcp(address) if address.ip().is_unspecified() => format!("port {}", address.port()),
        other => other.to_string(),
    };
    let hint = match (error.kind(), bind) {
        (io::ErrorKind::AddrInUse, Bind::Tcp(_)) => "choose another port with --port",
        (io::ErrorKind::PermissionDenied, Bind::Tcp(address)) if address.port() < 1024 => {
            "choose a port above 1023, or start as root with --user"
        }
        _ if is_out_of_descriptors(&error) => "use fewer --workers, or raise the limit of open files with ulimit -n",
        _ => return Error::io("listen on", address, error).with_kind(Kind::Config),
    };
    Error::new(Kind::Config, "listen on", address, format!("{}; {hint}", common::error::reason(&error)))
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    use nix::errno::Errno;
    matches!(Errno::from_raw(error.raw_os_error().unwrap_or(0)), Errno::EMFILE | Errno::ENFILE)
}
