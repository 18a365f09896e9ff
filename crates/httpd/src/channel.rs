//! What carries bytes between the server and one client: a TCP or a unix socket.
//!
//! The socket is blocking. Workers use it with `MSG_DONTWAIT` and never wait; the blocking lane uses the same socket with a
//! send timeout. Everything above this file is the same for every kind of connection.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, recv, send, sendmsg};
use socket2::Socket;

const AT_ONCE: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);

/// A connection to a client.
#[derive(Debug)]
pub struct Channel {
    socket: Socket,
}

impl Channel {
    /// A channel over a socket that was just accepted.
    pub fn new(socket: Socket) -> Self {
        Self { socket }
    }

    /// Receives what has arrived: the number of octets, 0 at the end, `WouldBlock` when there is nothing.
    pub fn receive_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN | Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what goes out at once of `pieces` in order: the number of octets, 0 when the socket is full.
    pub fn send_now(&mut self, pieces: &[&[u8]]) -> io::Result<usize> {
        let sent = match pieces {
            [only] => send(self.socket.as_raw_fd(), only, AT_ONCE),
            several => {
                let slices: Vec<IoSlice> = several.iter().map(|piece| IoSlice::new(piece)).collect();
                sendmsg::<SockaddrIn>(self.socket.as_raw_fd(), &slices, &[], AT_ONCE, None)
            }
        };
        match sent {
            Ok(count) => Ok(count),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// How long one send of the blocking lane may wait.
    pub fn set_send_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(timeout))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
