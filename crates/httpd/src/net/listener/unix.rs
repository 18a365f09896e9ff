//! Unix sockets: created with the configured permissions, and removed at the end (unix(7)).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{Error, Kind};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{BACKLOG, Bind, bind_error};

/// The file of a unix socket; removed on drop, unless another file replaced it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        // Absolute, in case the working folder changes.
        Ok(Self { path: std::path::absolute(path)?, id: file_id(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if file_id(&self.path).is_ok_and(|now| now == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            // The current user may have no permission; the next start removes the file.
            log::info!("remove {}: {}", self.path.display(), common::error::reason(&error));
        }
    }
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Binds a listening socket at `path` with these permissions. Replaces the socket of a server that has ended.
pub(super) fn bind(path: &Path, mode: u32) -> Result<(Socket, SocketFile), Error> {
    let fail = |error| bind_error(&Bind::Unix(path.to_owned()), error);
    let address = SockAddr::unix(path).map_err(|_| {
        let why = "the path of a unix socket has at most 107 bytes";
        Error::new(Kind::Config, "listen on", Bind::Unix(path.to_owned()), why)
    })?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale_socket(path, &address)?;
            socket.bind(&address).map_err(fail)?;
        }
        result => result.map_err(fail)?,
    }
    let file = SocketFile::new(path).map_err(fail)?;
    // Before `listen`, so that no client connects with other permissions.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(fail)?;
    socket.listen(BACKLOG).map_err(fail)?;
    Ok((socket, file))
}

/// Removes a socket without a listener; refuses any other file.
fn remove_stale_socket(path: &Path, address: &SockAddr) -> Result<(), Error> {
    let fail = |error| bind_error(&Bind::Unix(path.to_owned()), error);
    let refuse = |why: &str| Err(Error::new(Kind::Config, "listen on", Bind::Unix(path.to_owned()), why.to_owned()));
    if !fs::symlink_metadata(path).map_err(fail)?.file_type().is_socket() {
        return refuse("the file exists and is not a socket");
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    // Does not wait for a full backlog, which also means that another server listens.
    probe.set_nonblocking(true).map_err(fail)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            log::info!("{}: no server listens on this socket; replacing it", path.display());
            fs::remove_file(path).map_err(fail)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(fail(error)),
        _ => refuse("another server listens on this socket"),
    }
}
