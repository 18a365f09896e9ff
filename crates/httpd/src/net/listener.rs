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

/// An address to listen on.
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

/// The addresses and ports to listen on.
#[derive(Debug)]
pub struct ListenConfig {
    /// The addresses; without any, all addresses of the host on `port`.
    pub addresses: Vec<Bind>,
    /// The default port.
    pub port: u16,
    /// The permissions of unix sockets.
    pub socket_mode: u32,
    /// The number of workers.
    pub workers: usize,
    /// Whether TCP clients use TLS; unix sockets are always in clear.
    pub tls: bool,
    /// The port that redirects HTTP to HTTPS.
    pub redirect: Option<u16>,
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
    /// Whether `::` includes IPv4.
    dual_stack: bool,
}

/// Uses the inherited sockets; without any, binds the configured addresses.
pub fn open(config: &ListenConfig) -> Result<Listeners, Error> {
    let by_worker = (0..config.workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners { bound: Vec::new(), by_worker, files: Vec::new(), dual_stack: true };
    let inherited = inherited::take_over()?;
    if inherited.is_empty() {
        listeners.bind_all(config)?;
    } else if let Some(address) = config.addresses.first() {
        let why = "cannot be combined with inherited sockets (LISTEN_FDS)";
        return Err(Error::new(Kind::Usage, "--bind", address, why));
    } else {
        listeners.use_inherited(inherited, config)?;
    }
    if let Some(port) = config.redirect {
        listeners.bind_redirect(config, port)?;
    }
    Ok(listeners)
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
            let role = Role::Redirect(self.https_port());
            self.share(&socket, bind, role)?;
        }
        Ok(())
    }

    fn bind_all(&mut self, config: &ListenConfig) -> Result<(), Error> {
        let role = if config.tls { Role::Tls } else { Role::Plain };
        if config.addresses.is_empty() {
            return self.bind_everywhere(config.port, role);
        }
        for (index, bind) in config.addresses.iter().enumerate() {
            let has_own_port = !matches!(bind, Bind::Tcp(address) if address.port() == 0);
            if has_own_port && config.addresses[..index].contains(bind) {
                continue;
            }
            match bind {
                Bind::Tcp(address) => {
                    // A dual-stack `::` would conflict with an IPv4 address on the same port.
                    let shares = |other: &Bind| matches!(other, Bind::Tcp(other) if other.is_ipv4() && other.port() == address.port());
                    self.dual_stack = address.port() == 0 || !config.addresses.iter().any(shares);
                    self.bind(*address, role).map_err(|error| bind_error(bind, error))?;
                }
                Bind::Unix(path) => {
                    let (socket, file) = unix::bind(path, config.socket_mode)?;
                    self.files.push(file);
                    self.share(&socket, bind.clone(), Role::Plain)?;
                }
            }
        }
        Ok(())
    }

    /// Binds the redirect port on every address that serves HTTPS.
    fn bind_redirect(&mut self, config: &ListenConfig, port: u16) -> Result<(), Error> {
        let role = Role::Redirect(self.https_port());
        let mut addresses: Vec<_> = config
            .addresses
            .iter()
            .filter_map(|bind| if let Bind::Tcp(address) = bind { Some(address.ip()) } else { None })
            .collect();
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            return self.bind_everywhere(port, role);
        }
        self.dual_stack = !addresses.iter().any(IpAddr::is_ipv4);
        for ip in addresses {
            let address = SocketAddr::new(ip, port);
            self.bind(address, role).map_err(|error| bind_error(&Bind::Tcp(address), error))?;
        }
        Ok(())
    }

    fn https_port(&self) -> u16 {
        let port = |(bind, role): &(Bind, Role)| match (bind, role) {
            (Bind::Tcp(address), Role::Tls) => Some(address.port()),
            _ => None,
        };
        self.bound.iter().find_map(port).unwrap_or(443)
    }

    fn bind_everywhere(&mut self, port: u16, role: Role) -> Result<(), Error> {
        self.dual_stack = true;
        let mut address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let mut result = self.bind(address, role);
        // The host has no IPv6.
        if result.as_ref().is_err_and(is_unsupported) {
            address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            result = self.bind(address, role);
        }
        result.map_err(|error| bind_error(&Bind::Tcp(address), error))
    }

    fn bind(&mut self, wanted: SocketAddr, role: Role) -> io::Result<()> {
        // A socket without SO_REUSEPORT detects another process on the port.
        if wanted.port() != 0 {
            socket(wanted, self.dual_stack)?.bind(&wanted.into())?;
        }
        let mut bound = wanted;
        for listeners in &mut self.by_worker {
            let socket = socket(bound, self.dual_stack)?;
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
    Error::io("listen on", address, error).with_kind(Kind::Config)
}
