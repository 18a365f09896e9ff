//! Wakes a thread that waits in epoll (eventfd(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// An eventfd in the epoll set of one worker.
#[derive(Debug)]
pub struct Waker(EventFd);

impl Waker {
    /// A new waker.
    pub fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)))
    }

    /// Wakes the worker.
    pub fn wake(&self) {
        // The write fails only if the counter is full, and then the worker is awake.
        let _ = self.0.write(1);
    }

    /// Resets the waker; the worker calls it after it was woken.
    pub fn clear(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
