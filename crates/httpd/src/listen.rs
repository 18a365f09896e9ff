//! Binding the addresses: one listener per worker and address, all on the same port (`SO_REUSEPORT`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use common::{Failure, Kind};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes and keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// The listeners of all workers.
#[derive(Debug)]
pub struct Listeners {
    /// The addresses that are bound, with their real ports.
    pub addresses: Vec<SocketAddr>,
    /// For each worker its listeners, one per address, not blocking.
    pub by_worker: Vec<Vec<TcpListener>>,
    /// Whether `::` takes IPv4 as well.
    dual_stack: bool,
}

/// Binds every address of `wanted` once for each worker; without any, all addresses of the host at `port`.
pub fn bind_all(wanted: &[SocketAddr], port: u16, workers: usize) -> Result<Listeners, Failure> {
    let by_worker = (0..workers).map(|_| Vec::new()).collect();
    let mut listeners = Listeners { addresses: Vec::new(), by_worker, dual_stack: true };
    if wanted.is_empty() {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        match listeners.bind(everywhere) {
            // A host without IPv6 has no such address or no such family.
            Err(error) if is_unsupported(&error) => {
                listeners.bind_or_fail(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
            }
            outcome => outcome.map_err(|error| explain(everywhere, error))?,
        }
    }
    for (place, address) in wanted.iter().enumerate() {
        if address.port() != 0 && wanted[..place].contains(address) {
            continue;
        }
        // Beside an IPv4 address of the same port `::` is IPv6 alone; as dual stack it would claim that address as well.
        let shared = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port() && address.port() != 0;
        listeners.dual_stack = !wanted.iter().any(shared);
        listeners.bind_or_fail(*address)?;
    }
    Ok(listeners)
}

impl Listeners {
    fn bind_or_fail(&mut self, address: SocketAddr) -> Result<(), Failure> {
        self.bind(address).map_err(|error| explain(address, error))
    }

    fn bind(&mut self, wanted: SocketAddr) -> io::Result<()> {
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
            let listener = TcpListener::from(socket);
            bound = listener.local_addr()?;
            listeners.push(listener);
        }
        self.addresses.push(bound);
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

fn explain(address: SocketAddr, error: io::Error) -> Failure {
    let address = match address.ip() {
        ip if ip.is_unspecified() => format!("port {}", address.port()),
        _ => address.to_string(),
    };
    Failure::io("listen on", address, error).with_kind(Kind::Config)
}
