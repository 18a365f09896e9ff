//! Signals, read in an orderly way (signalfd(2)): when to stop, and when to open the log again.

use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// How long answers that are under way may take after a stop was asked for.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long workers may take after that to write their logs and end: they look at the time once a second.
const FLUSH_GRACE: Duration = Duration::from_secs(2);

/// Whether and since when the server is to stop.
#[derive(Debug, Default)]
pub struct Shutdown {
    draining: AtomicBool,
    requested: OnceLock<Instant>,
}

impl Shutdown {
    /// Says that a stop is near: everything is served, but a balancer that asks is sent elsewhere.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether a stop is near or was asked for.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Asks for a stop.
    pub fn request(&self) {
        self.start_draining();
        let _ = self.requested.set(Instant::now());
    }

    /// Whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// Whether the time for answers under way is over.
    pub fn is_overdue(&self) -> bool {
        self.requested.get().is_some_and(|since| since.elapsed() >= GRACE)
    }

    /// Whether the workers should have ended by now.
    pub fn is_long_overdue(&self) -> bool {
        self.requested.get().is_some_and(|since| since.elapsed() >= GRACE + FLUSH_GRACE)
    }
}

/// The signals of this process; blocked for every thread that is started afterwards.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes SIGTERM, SIGINT and SIGHUP over. Must be called before threads are started.
    pub fn take_over() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC)?))
    }

    /// Waits for the next signal, at most for `timeout` (rounded down to milliseconds).
    pub fn wait(&self, timeout: Duration) -> io::Result<Option<Signal>> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(Signal::try_from(number)?))
    }
}
