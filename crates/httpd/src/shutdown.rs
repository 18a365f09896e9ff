//! The shutdown of the server: draining, the grace period, and the signals that request it.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::Error;
use common::signals::{Signal, Signals};
use common::sync::Mutex;

/// Further time for responses to be cut and logged.
const CUT_TIMEOUT: Duration = Duration::from_secs(2);
/// Further time for workers to write their logs and end; they look at the clock once a second.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether and since when the server is shutting down.
#[derive(Debug)]
pub struct Shutdown {
    draining: AtomicBool,
    requested: OnceLock<Instant>,
    /// Whether responses are cut before the end of the grace period.
    at_once: AtomicBool,
    /// Time that responses may take after the stop is requested.
    grace: Duration,
    /// Responses that are not sent completely.
    sending: AtomicUsize,
    /// The sockets on which threads are sending.
    sockets: Mutex<HashSet<RawFd>>,
    /// Responses that were cut.
    cut: AtomicUsize,
}

impl Shutdown {
    /// No shutdown yet; `grace` is the time that responses may take after it is requested.
    pub fn new(grace: Duration) -> Self {
        Self {
            draining: AtomicBool::new(false),
            requested: OnceLock::new(),
            at_once: AtomicBool::new(false),
            grace,
            sending: AtomicUsize::new(0),
            sockets: Mutex::default(),
            cut: AtomicUsize::new(0),
        }
    }

    /// Starts draining: requests are served, but the health check fails.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server drains or stops.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.start_draining();
        let _ = self.requested.set(Instant::now());
    }

    /// Ends the grace period.
    pub fn end_grace(&self) {
        self.request();
        self.at_once.store(true, Ordering::Relaxed);
    }

    /// Time that responses may take after the stop is requested.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Whether the stop is requested.
    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// Whether the grace period for responses has ended, so that they are cut.
    pub fn is_overdue(&self) -> bool {
        self.has_passed(Duration::ZERO)
    }

    /// Whether all responses should have been cut.
    pub fn is_cut_overdue(&self) -> bool {
        self.has_passed(CUT_TIMEOUT)
    }

    /// Whether the workers should have ended.
    pub fn is_end_overdue(&self) -> bool {
        self.has_passed(CUT_TIMEOUT + FLUSH_TIMEOUT)
    }

    fn has_passed(&self, after_grace: Duration) -> bool {
        let grace = if self.at_once.load(Ordering::Relaxed) { Duration::ZERO } else { self.grace };
        self.requested.get().is_some_and(|since| since.elapsed() >= grace + after_grace)
    }

    /// Registers a socket on which this thread sends, until the result is dropped.
    pub fn register_socket(&self, socket: impl AsFd) -> SendingSocket<'_> {
        let socket = socket.as_fd().as_raw_fd();
        self.sockets.lock().insert(socket);
        SendingSocket { shutdown: self, socket }
    }

    /// Ends sending on all registered sockets: a thread that blocks in a send returns at once.
    pub fn cut_sockets(&self) {
        // A socket is closed by its owner only after it is removed here, so no number can belong to another file.
        for socket in self.sockets.lock().iter() {
            let _ = nix::sys::socket::shutdown(*socket, nix::sys::socket::Shutdown::Write);
        }
    }

    /// Counts a response that is handed to a thread.
    pub fn response_started(&self) {
        self.sending.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the end of such a response.
    pub fn response_ended(&self, is_cut: bool) {
        self.sending.fetch_sub(1, Ordering::Relaxed);
        self.cut.fetch_add(usize::from(is_cut), Ordering::Relaxed);
    }

    /// Responses that were cut, including those that are still being sent.
    pub fn cut_responses(&self) -> usize {
        self.cut.load(Ordering::Relaxed) + self.sending.load(Ordering::Relaxed)
    }
}

/// A socket on which a thread is sending.
#[derive(Debug)]
pub struct SendingSocket<'a> {
    shutdown: &'a Shutdown,
    socket: RawFd,
}

impl Drop for SendingSocket<'_> {
    fn drop(&mut self) {
        self.shutdown.sockets.lock().remove(&self.socket);
    }
}

/// Blocks SIGTERM, SIGINT and SIGHUP and opens their descriptor. Must run before threads are started.
pub fn block_signals() -> Result<Signals, Error> {
    Signals::block(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
        .map_err(|error| Error::io("block", "signals", error))
}
