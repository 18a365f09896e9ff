//! Standard output that never blocks signals.
//!
//! Signals are blocked and read from a descriptor, so a write into a full pipe waits for both.

use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::signals::{Request, Signals};

/// `PIPE_BUF` of Linux (limits.h).
const PIPE_BUF: usize = 4096;

/// Standard output, abandoned when a signal requests the end while the pipe is full.
pub(crate) struct Output<'a> {
    signals: &'a Signals,
    /// Never cleared: the signal is consumed, and buffered output may follow.
    is_given_up: Cell<bool>,
}

impl<'a> Output<'a> {
    /// Standard output beside these signals.
    pub(crate) fn new(signals: &'a Signals) -> Self {
        Self { signals, is_given_up: Cell::new(false) }
    }

    fn wait_for_room(&self) -> io::Result<()> {
        let stdout = io::stdout();
        while !self.is_given_up.get() {
            let mut waiting =
                [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            let [room, _] = match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) => waiting.map(|one| one.any().unwrap_or(true)),
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if room {
                return Ok(());
            }
            // stdout is blocked: honour SIGINT at once.
            if let Ok(Some(Request::Stop)) = self.signals.next() {
                self.is_given_up.set(true);
            }
        }
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A pipe that is ready for writing takes this much without blocking; a larger write could not be interrupted.
        let piece = &bytes[..bytes.len().min(PIPE_BUF)];
        loop {
            self.wait_for_room()?;
            match io::stdout().lock().write(piece) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().lock().flush()
    }
}
