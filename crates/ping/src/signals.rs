//! Signals as something to read: SIGINT and SIGTERM end the run with a summary, SIGQUIT asks for a status line.
//!
//! They are blocked and delivered through a signalfd, so that no code runs behind the back of the loop.

use std::os::fd::{AsFd, BorrowedFd};

use common::Failure;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Stop, with a summary.
    Stop,
    /// Say how it stands.
    Status,
}

/// The signals of this program, from the moment it exists.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals and opens their descriptor.
    pub(crate) fn take_over() -> Result<Self, Failure> {
        let mask: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT].into_iter().collect();
        mask.thread_block()
            .and_then(|()| SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC))
            .map(Self)
            .map_err(|cause| Failure::io("receive", "signals", cause.into()))
    }

    /// The next request; `None` when there is none.
    pub(crate) fn next(&self) -> Result<Option<Request>, Failure> {
        let signal = self.0.read_signal().map_err(|cause| Failure::io("receive", "signals", cause.into()))?;
        Ok(signal.map(|signal| match i32::try_from(signal.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) {
            Some(Signal::SIGQUIT) => Request::Status,
            _ => Request::Stop,
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
