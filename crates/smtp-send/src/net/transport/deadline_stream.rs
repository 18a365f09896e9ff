//! A socket whose reads and writes fail at a deadline.
//!
//! Timeouts of the kernel hold for one call. A call waits for a second at most and checks the deadline in between, so
//! the timeout is set again near the deadline only.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Socket;

/// Longest wait of one call.
const STEP: Duration = Duration::from_secs(1);

/// A connected stream socket with the deadline of its next operation.
#[derive(Debug)]
pub(super) struct DeadlineStream {
    socket: Socket,
    /// When reads and writes fail with `TimedOut`.
    pub(super) until: Instant,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl DeadlineStream {
    pub(super) fn new(socket: Socket, until: Instant) -> Self {
        Self { socket, until, read_timeout: Duration::ZERO, write_timeout: Duration::ZERO }
    }

    /// A second handle on the same connection.
    pub(super) fn another(&self, until: Instant) -> io::Result<Self> {
        Ok(Self::new(self.socket.try_clone()?, until))
    }

    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Asks the kernel not to delay the next acknowledgements (`TCP_QUICKACK`); an error is ignored.
    pub(super) fn acknowledge_at_once(&self) {
        let _ = self.socket.set_tcp_quickack(true);
    }

    /// Whether data, or the end of the stream, has arrived.
    pub(super) fn is_readable(&self) -> bool {
        let mut waiting = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Writes all of `bytes`; gives the number of bytes that were written too.
    pub(super) fn write_counted(&mut self, bytes: &[u8]) -> (io::Result<()>, usize) {
        let mut written = 0;
        while written < bytes.len() {
            match self.write(&bytes[written..]) {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), written),
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(error), written),
            }
        }
        (Ok(()), written)
    }

    fn wait(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.min(STEP)) }
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let wait = self.wait()?;
            if wait != self.read_timeout {
                self.socket.set_read_timeout(Some(wait))?;
                self.read_timeout = wait;
            }
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let wait = self.wait()?;
            if wait != self.write_timeout {
                self.socket.set_write_timeout(Some(wait))?;
                self.write_timeout = wait;
            }
            match self.socket.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
