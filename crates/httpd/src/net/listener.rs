//! The sockets at which clients come in: bound here, or taken over from whoever started this process (systemd).
//!
//! A TCP address has one listener per worker, all on the same port (`SO_REUSEPORT`). A unix socket and a socket that was
//! taken over exist once; all workers wait at it, and the kernel wakes one of them (`EPOLLEXCLUSIVE`).

mod inherited;
mod unix;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use common::{Failure, Kind, SafeText};
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::peer::Peer;
use inherited::Inherited;
pub use inherited::notify;
pub use unix::SocketFile;

/// Connections the kernel completes and keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// What to listen at.
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

/// Everything there is to listen at, as the command line has it.
#[derive(Debug)]
pub struct ListenConfig {
    /// The addresses; without any, all addresses of the host at `port`.
    pub addresses: Vec<Bind>,
    /// The port of those.
    pub port: u16,
    /// The permissions of unix sockets.
    pub socket_mode: u32,
    /// For how many workers.
    pub workers: usize,
    /// Whether clients speak TLS, except at unix sockets, where nobody stands between.
    pub tls: bool,
    /// The port at which those who speak HTTP are sent to HTTPS.
    pub redirect: Option<u16>,
}

/// What clients find at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The site, in clear.
    Plain,
    /// The site, over TLS.
    Tls,
    /// The way to the https port, which is this.
    Redirect(u16),
}

/// A socket at which clients come in, as one worker has it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// What clients find here.
    pub role: Role,
    /// Whether other workers wait at the same socket.
    shared: bool,
}

impl Listener {
    /// Accepts a client, without waiting for one.
    pub fn accept(&self) -> io::Result<(Socket, Peer)> {
        let (socket, address) = self.socket.accept()?;
        Ok((socket, address.as_socket().map_or(Peer::Local, |address| Peer::from(address.ip()))))
    }

    /// What an epoll set waits for at it.
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
    /// What is bound, with real ports.
    pub bound: Vec<(Bind, Role)>,
    /// For each worker its listeners, not blocking.
    pub by_worker: Vec<Vec<Listener>>,
    /// The files of unix sockets, gone when this is dropped.
    pub files: Vec<SocketFile>,
    /// Whether `::` takes IPv4 as well.
    dual_stack: bool,
}

/// Takes over the sockets this process was started with; without any, binds what is wanted.
pub fn open(wanted: &ListenConfig) -> Result<Listeners, Failure> {
    let by_worker = (0..wanted.workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners { bound: Vec::new(), by_worker, files: Vec::new(), dual_stack: true };
    let inherited = inherited::take_over()?;
    if inherited.is_empty() {
        listeners.bind_all(wanted)?;
    } else if let Some(address) = wanted.addresses.first() {
        let why = "this process was started with sockets of its own (LISTEN_FDS), and takes no others";
        return Err(Failure::new(Kind::Usage, "--bind", address, why));
    } else {
        listeners.take_over(inherited, wanted)?;
    }
    if let Some(port) = wanted.redirect {
        listeners.bind_redirect(wanted, port)?;
    }
    Ok(listeners)
}

impl Listeners {
    fn take_over(&mut self, inherited: Vec<Inherited>, wanted: &ListenConfig) -> Result<(), Failure> {
        let role = if wanted.tls { Role::Tls } else { Role::Plain };
        // Those that serve come first: the others have to know where they send to.
        let (redirecting, serving): (Vec<_>, Vec<_>) =
            inherited.into_iter().partition(|socket| wanted.tls && socket.redirects);
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

    fn bind_all(&mut self, wanted: &ListenConfig) -> Result<(), Failure> {
        let role = if wanted.tls { Role::Tls } else { Role::Plain };
        if wanted.addresses.is_empty() {
            return self.bind_everywhere(wanted.port, role);
        }
        for (place, bind) in wanted.addresses.iter().enumerate() {
            let has_own_port = !matches!(bind, Bind::Tcp(address) if address.port() == 0);
            if has_own_port && wanted.addresses[..place].contains(bind) {
                continue;
            }
            match bind {
                Bind::Tcp(address) => {
                    // Beside an IPv4 address of the same port `::` is IPv6 alone; as dual stack it would claim that as well.
                    let shares = |other: &Bind| matches!(other, Bind::Tcp(other) if other.is_ipv4() && other.port() == address.port());
                    self.dual_stack = address.port() == 0 || !wanted.addresses.iter().any(shares);
                    self.bind(*address, role).map_err(|error| explain(bind, error))?;
                }
                Bind::Unix(path) => {
                    let (socket, file) = unix::bind(path, wanted.socket_mode)?;
                    self.files.push(file);
                    self.share(&socket, bind.clone(), Role::Plain)?;
                }
            }
        }
        Ok(())
    }

    /// The port of HTTP beside every address at which TLS is spoken.
    fn bind_redirect(&mut self, wanted: &ListenConfig, port: u16) -> Result<(), Failure> {
        let role = Role::Redirect(self.https_port());
        let mut addresses: Vec<_> = wanted
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
            self.bind(address, role).map_err(|error| explain(&Bind::Tcp(address), error))?;
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

    fn bind_everywhere(&mut self, port: u16, role: Role) -> Result<(), Failure> {
        self.dual_stack = true;
        let mut address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let mut outcome = self.bind(address, role);
        // A host without IPv6 has no such address or no such family.
        if outcome.as_ref().is_err_and(is_unsupported) {
            address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            outcome = self.bind(address, role);
        }
        outcome.map_err(|error| explain(&Bind::Tcp(address), error))
    }

    fn bind(&mut self, wanted: SocketAddr, role: Role) -> io::Result<()> {
        // Sockets with SO_REUSEPORT share a port with each other. One without tells whether somebody else has it.
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

    /// Gives one listening socket to all workers.
    fn share(&mut self, socket: &Socket, bind: Bind, role: Role) -> Result<(), Failure> {
        let fail = |error| explain(&bind, error);
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
    // A server that was just ended leaves connections in TIME_WAIT, which must not keep it from starting again.
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

fn explain(bind: &Bind, error: io::Error) -> Failure {
    let place = match bind {
        Bind::Tcp(address) if address.ip().is_unspecified() => format!("port {}", address.port()),
        other => other.to_string(),
    };
    Failure::io("listen on", place, error).with_kind(Kind::Config)
}
