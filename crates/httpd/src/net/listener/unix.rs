//! Unix sockets: made with the permissions that were asked for, and taken away again (unix(7)).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{Failure, Kind};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{BACKLOG, Bind, explain};

/// The file of a unix socket; removed on drop, unless something else stands in its place by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        // Absolute, so that it is the same at the end.
        Ok(Self { path: std::path::absolute(path)?, identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            // The user that was become may not write there. The next start takes it away.
            log::info!("remove {}: {}", self.path.display(), common::error::reason(&error));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Binds a listening socket at `path` with these permissions. One that is left over from a server that has gone is replaced.
pub(super) fn bind(path: &Path, mode: u32) -> Result<(Socket, SocketFile), Failure> {
    let fail = |error| explain(&Bind::Unix(path.to_owned()), error);
    let address = SockAddr::unix(path).map_err(|_| {
        let why = "the name of a socket has at most 107 bytes";
        Failure::new(Kind::Config, "listen on", Bind::Unix(path.to_owned()), why)
    })?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_left_over(path, &address)?;
            socket.bind(&address).map_err(fail)?;
        }
        outcome => outcome.map_err(fail)?,
    }
    let file = SocketFile::new(path).map_err(fail)?;
    // Nobody can connect before `listen`, so the permissions stand before the first client.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fail)?;
    socket.listen(BACKLOG).map_err(fail)?;
    Ok((socket, file))
}

/// Takes away a socket at which nobody listens, and nothing else.
fn remove_left_over(path: &Path, address: &SockAddr) -> Result<(), Failure> {
    let fail = |error| explain(&Bind::Unix(path.to_owned()), error);
    let refuse = |why: &str| Err(Failure::new(Kind::Config, "listen on", Bind::Unix(path.to_owned()), why.to_owned()));
    if !fs::symlink_metadata(path).map_err(fail)?.file_type().is_socket() {
        return refuse("there is something that is no socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    // A full backlog must not hold up the start; it also means that somebody listens.
    probe.set_nonblocking(true).map_err(fail)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            log::info!("{}: nobody listens there any more; it is replaced", path.display());
            fs::remove_file(path).map_err(fail)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(fail(error)),
        _ => refuse("another server listens there"),
    }
}
