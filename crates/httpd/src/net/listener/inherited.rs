//! Sockets that were open when this process was started: the protocol of systemd (`sd_listen_fds(3)`).

use std::env;
use std::io;
use std::path::Path;

use common::{Failure, Kind};
use listenfd::ListenFd;
use socket2::Socket;

use super::Bind;

/// The name that makes a socket one that redirects to HTTPS (`FileDescriptorName=` of systemd.socket(5)).
const REDIRECT: &str = "redirect";

/// A socket that was open at the start.
pub(super) struct Inherited {
    pub(super) socket: Socket,
    /// Where it listens.
    pub(super) bind: Bind,
    /// Whether its name says that it redirects to HTTPS.
    pub(super) redirects: bool,
}

/// The listening sockets in their order; none when there are none or they are meant for another process.
pub(super) fn take_over() -> Result<Vec<Inherited>, Failure> {
    // Counted before, because the environment is cleared.
    let is_socket_activated = env::var_os("LISTEN_FDS").is_some();
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<_> = names.split(':').collect();
    let mut inherited = ListenFd::from_env();
    if is_socket_activated && inherited.len() == 0 {
        log::info!("LISTEN_FDS is for another process, and not used");
    }
    (0..inherited.len())
        .map(|number| {
            let redirects = names.get(number) == Some(&REDIRECT);
            let taken = take(&mut inherited, number);
            taken.map(|(socket, bind)| Inherited { socket, bind, redirects }).map_err(|error| {
                Failure::io("take over", format!("socket {number} of LISTEN_FDS"), error).with_kind(Kind::Config)
            })
        })
        .collect()
}

fn take(inherited: &mut ListenFd, number: usize) -> io::Result<(Socket, Bind)> {
    let socket = match inherited.take_unix_listener(number) {
        Ok(Some(listener)) => Socket::from(listener),
        _ => match inherited.take_tcp_listener(number)? {
            Some(listener) => Socket::from(listener),
            None => return Err(io::Error::other("it was taken already")),
        },
    };
    if !socket.is_listener()? {
        return Err(io::Error::other("it is no listening socket (a socket unit needs Accept=no)"));
    }
    let address = socket.local_addr()?;
    let bind = match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => Bind::Tcp(address),
        (None, path) => Bind::Unix(path.unwrap_or(Path::new("")).to_owned()),
    };
    Ok((socket, bind))
}

/// Says to the service manager what has come about, where it asks for that (`sd_notify(3)`).
pub fn notify(state: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
    let Some(place) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match place.as_encoded_bytes() {
        [b'@', name @ ..] => UnixAddress::from_abstract_name(name)?,
        _ => UnixAddress::from_pathname(&place)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(|_| ())
}
