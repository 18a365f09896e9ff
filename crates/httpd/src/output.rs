//! Sending without waiting (sendmsg(2) with `MSG_DONTWAIT`).

use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, send, sendmsg};

/// Sends what the socket takes at once of `pieces` in order: the number of octets, 0 when it is full.
pub fn send_now(stream: &TcpStream, pieces: &[&[u8]]) -> io::Result<usize> {
    const FLAGS: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
    let sent = match pieces {
        [only] => send(stream.as_raw_fd(), only, FLAGS),
        several => {
            let slices: Vec<IoSlice> = several.iter().map(|piece| IoSlice::new(piece)).collect();
            sendmsg::<SockaddrIn>(stream.as_raw_fd(), &slices, &[], FLAGS, None)
        }
    };
    match sent {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
