//! Signals that control a run: SIGINT, SIGTERM and SIGALRM end it with a summary, SIGQUIT prints a status line.

use std::os::fd::{AsFd, BorrowedFd};

use common::Error;
use common::signals::{self, Signal};

/// What a signal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The end, with a summary.
    Stop,
    /// A status line.
    Status,
}

/// The blocked signals of this process.
#[derive(Debug)]
pub(crate) struct Signals(signals::Signals);

impl Signals {
    /// Blocks the signals and opens their descriptor.
    pub(crate) fn block() -> Result<Self, Error> {
        signals::Signals::block(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGALRM, Signal::SIGQUIT])
            .map(Self)
            .map_err(|cause| Error::io("receive", "signals", cause))
    }

    /// The next request; `None` when no signal is pending.
    pub(crate) fn next(&self) -> Result<Option<Request>, Error> {
        let signal = self.0.next().map_err(|cause| Error::io("receive", "signals", cause))?;
        Ok(signal.map(|signal| if signal == Signal::SIGQUIT { Request::Status } else { Request::Stop }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
