//! Sockets inherited by systemd socket activation (`sd_listen_fds(3)`), and readiness notification (`sd_notify(3)`).

use std::env;
use std::io;
use std::path::Path;

use common::{Error, Kind};
use listenfd::ListenFd;
use socket2::Socket;

use super::Bind;

/// The name of a socket that redirects to HTTPS (`FileDescriptorName=` in systemd.socket(5)).
const REDIRECT: &str = "redirect";

/// An inherited socket.
pub(super) struct Inherited {
    pub(super) socket: Socket,
    /// Its address.
    pub(super) bind: Bind,
    /// Whether its name is that of a redirect.
    pub(super) redirects: bool,
}

/// The inherited sockets in order; none if they are for another process.
pub(super) fn take_over() -> Result<Vec<Inherited>, Error> {
    // Read before `ListenFd` clears the environment.
    let is_socket_activated = env::var_os("LISTEN_FDS").is_some();
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<_> = names.split(':').collect();
    let mut inherited = ListenFd::from_env();
    if is_socket_activated && inherited.len() == 0 {
        log::info!("LISTEN_FDS is for another process and is ignored");
    }
    (0..inherited.len())
        .map(|number| {
            let redirects = names.get(number) == Some(&REDIRECT);
            let taken = take(&mut inherited, number);
            taken.map(|(socket, bind)| Inherited { socket, bind, redirects }).map_err(|error| {
                Error::io("use", format!("socket {number} of LISTEN_FDS"), error).with_kind(Kind::Config)
            })
        })
        .collect()
}

fn take(inherited: &mut ListenFd, number: usize) -> io::Result<(Socket, Bind)> {
    let socket = match inherited.take_unix_listener(number) {
        Ok(Some(listener)) => Socket::from(listener),
        _ => match inherited.take_tcp_listener(number)? {
            Some(listener) => Socket::from(listener),
            None => return Err(io::Error::other("the socket was already used")),
        },
    };
    if !socket.is_listener()? {
        return Err(io::Error::other("not a listening socket; set Accept=no in the socket unit"));
    }
    let address = socket.local_addr()?;
    let bind = match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => Bind::Tcp(address),
        (None, path) => Bind::Unix(path.unwrap_or(Path::new("")).to_owned()),
    };
    Ok((socket, bind))
}

/// Notifies the service manager, if there is one (`sd_notify(3)`).
pub fn notify(state: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match socket.as_encoded_bytes() {
        [b'@', name @ ..] => UnixAddress::from_abstract_name(name)?,
        _ => UnixAddress::from_pathname(&socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(|_| ())
}
