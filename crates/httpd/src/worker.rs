//! The event loop of a worker (epoll(7)): wait for ready sockets, serve them, wait again.
//!
//! A worker has its own listeners and connections and shares no lock with other workers while it serves. It never waits
//! for a client: what cannot be sent at once goes to the blocking pool, and the connection returns afterwards. `accept`
//! admits connections, `http1` processes requests, `server_sent_events` sends events.

mod accept;
mod handover;
mod http1;
mod proxy_protocol;
mod server_sent_events;
mod slots;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::EpollEvent;
use rustls::ServerConfig;

use crate::blocking::completions::Completions;
use crate::blocking::job::{CompletedJob, Job, run_job};
use crate::blocking::pool::BlockingPool;
use crate::connection::{Connection, ConnectionLimits, Phase};
use crate::handler::Handler;
use crate::net::connection_limit::ConnectionLimiter;
use crate::net::listener::Listener;
use crate::proto::response::{Framing, Response};
use crate::shutdown::Shutdown;
use crate::waker::Waker;
use accept::Acceptor;
use http1::{Buffers, Http1};
use server_sent_events::EventBroadcast;
use slots::{FIRST_LISTENER, Slots, WAKER};

pub use handover::{Handover, HandoverQueue};

/// Events taken in one wake-up: enough for full load, few enough that the time read for them stays accurate.
const MAX_EVENTS: usize = 256;
/// Time for a client to read the last response and close, in seconds.
const LINGER_TIMEOUT: u32 = 2;

/// One worker.
pub struct Worker {
    slots: Slots,
    acceptor: Acceptor,
    handler: Handler,
    buffers: Buffers,
    events: EventBroadcast,
    limiter: Arc<ConnectionLimiter>,
    handover: Handover,
    /// The slot at which the search for an idle connection ended.
    next_idle: usize,
    limits: ConnectionLimits,
    tls: Option<Arc<ServerConfig>>,
    /// `None` with `--workers 1`.
    pool: Option<Arc<BlockingPool>>,
    completions: Arc<Completions>,
    /// Connections whose jobs are not completed.
    offloaded: usize,
    shutdown: Arc<Shutdown>,
    /// Uptime at the last check of the deadlines.
    checked_at: u32,
}

/// The parts of a [`Worker`].
pub struct WorkerParts {
    /// Non-blocking listeners.
    pub listeners: Vec<Listener>,
    /// Answers requests.
    pub handler: Handler,
    /// The connection limit.
    pub limiter: Arc<ConnectionLimiter>,
    /// Hands connections to other workers.
    pub handover: Handover,
    /// Time limits and rates.
    pub limits: ConnectionLimits,
    /// Wakes this worker.
    pub waker: Arc<Waker>,
    /// Runs jobs; `None` runs them in this worker.
    pub pool: Option<Arc<BlockingPool>>,
    /// Whether to stop.
    pub shutdown: Arc<Shutdown>,
    /// The TLS configuration, if there is TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Worker {
    /// A worker that is ready to run.
    pub fn new(parts: WorkerParts) -> io::Result<Self> {
        let WorkerParts { listeners, handler, limiter, handover, limits, waker, pool, shutdown, tls } = parts;
        let slots = Slots::new(&waker)?;
        let acceptor = Acceptor::new(listeners);
        acceptor.watch(&slots)?;
        Ok(Self {
            slots,
            acceptor,
            handler,
            buffers: Buffers::default(),
            events: EventBroadcast::default(),
            limiter,
            handover,
            next_idle: 0,
            limits,
            tls,
            pool,
            completions: Completions::new(waker),
            offloaded: 0,
            shutdown,
            checked_at: 0,
        })
    }

    /// Runs until all connections are finished after a shutdown request, or the grace period ends.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        while !self.is_finished() {
            let ready = match self.slots.wait(&mut events, self.poll_timeout()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.handler.clock.tick();
            for event in &events[..ready] {
                match event.data() {
                    WAKER => self.handle_wake_up(),
                    listener if listener >= FIRST_LISTENER => _ = self.accept(listener),
                    slot => self.serve_slot(usize::try_from(slot).unwrap_or(usize::MAX)),
                }
            }
            self.end_of_batch();
        }
        self.slots.close_all();
        self.handler.recorder.flush();
        Ok(())
    }

    /// epoll timeout in ms: at most 1 s, so that deadlines are checked; shorter while accepting is paused.
    fn poll_timeout(&self) -> u16 {
        let second = Duration::from_secs(1);
        let timeout = self.acceptor.pause_left().map_or(second, |left| left.min(second));
        u16::try_from(timeout.as_millis()).unwrap_or(1000)
    }

    fn is_finished(&mut self) -> bool {
        if !self.shutdown.is_requested() {
            return false;
        }
        if !self.acceptor.is_empty() {
            self.stop_accepting();
        }
        if self.shutdown.is_overdue() {
            return self.offloaded == 0 || self.shutdown.is_cut_overdue();
        }
        let is_busy = self.slots.iter().any(|connection| !connection.is_idle());
        !is_busy && self.offloaded == 0
    }

    /// Serves the connection in a slot.
    fn serve_slot(&mut self, slot: usize) {
        if let Some(connection) = self.slots.take(slot) {
            self.serve(connection, Some(slot));
        }
    }

    /// Processes what a connection has received, then stores, closes or offloads it. A panic closes this connection only.
    fn serve(&mut self, mut connection: Connection, slot: Option<usize>) {
        let mut http1 = Http1 { handler: &mut self.handler, buffers: &mut self.buffers, limits: &self.limits };
        let job = catch_unwind(AssertUnwindSafe(|| http1.process_requests(&mut connection))).unwrap_or_else(|_| {
            connection.phase = Phase::Closed;
            None
        });
        match (job, &connection.phase) {
            (Some(job), _) => {
                self.slots.release(&connection, slot);
                self.offload(connection, job);
            }
            (None, Phase::Closed) => {
                connection.stream.send_close_notify();
                self.slots.free(slot);
            }
            (None, Phase::Closing) => self.linger(connection, slot),
            (None, _) => self.slots.register(connection, slot),
        }
    }

    /// Ends sending; the client has [`LINGER_TIMEOUT`] to read and close.
    fn linger(&mut self, mut connection: Connection, slot: Option<usize>) {
        connection.stream.finish_sending();
        connection.phase = Phase::Lingering;
        connection.pending = Vec::new();
        connection.deadline = self.handler.clock.uptime() + LINGER_TIMEOUT;
        self.slots.register(connection, slot);
    }

    fn offload(&mut self, connection: Connection, job: Job) {
        self.offloaded += 1;
        self.shutdown.response_started();
        if let Some(pool) = &self.pool {
            pool.submit(connection, job, &self.completions);
        } else {
            // Completed through the queue like any job: resuming here would recurse for every further request.
            self.completions.push(run_job(connection, job, self.limits.min_rate, &self.shutdown));
            // The job may have taken long, and the rest of this wake-up sets deadlines.
            self.handler.clock.tick();
        }
    }

    /// Takes what other threads have queued for this worker.
    fn handle_wake_up(&mut self) {
        self.drain_completions();
        for accepted in self.handover.take() {
            self.admit(accepted);
        }
    }

    fn drain_completions(&mut self) {
        for completed in self.completions.take() {
            self.offloaded -= 1;
            self.shutdown.response_ended(completed.is_cut);
            self.resume(completed);
        }
        self.events.send(&mut self.slots, &self.handler);
    }

    /// Continues with a connection after its job.
    fn resume(&mut self, completed: CompletedJob) {
        if let Some(entry) = &completed.log_entry {
            self.handler.recorder.record(&self.handler.clock, &entry.as_entry());
        }
        let Some(mut connection) = completed.connection else { return };
        connection.count_for(self.handler.counted(connection.peer));
        match connection.phase {
            Phase::Closing | Phase::Lingering => return self.linger(connection, None),
            Phase::Verifying => {}
            _ if self.shutdown.is_requested() => return connection.stream.send_close_notify(),
            Phase::Streaming(_) => {
                connection.deadline = server_sent_events::next_keep_alive(&self.handler.clock);
                return self.slots.register(connection, None);
            }
            _ => {}
        }
        // Deadlines do not run while a response is sent.
        let is_idle = matches!(connection.phase, Phase::Idle);
        let timeout = if is_idle { self.limits.idle_timeout } else { self.limits.header_timeout };
        connection.deadline = self.handler.clock.deadline(timeout);
        self.handler.clock.new_batch();
        self.serve(connection, None);
    }

    fn end_of_batch(&mut self) {
        if let Err(error) = self.acceptor.resume(&self.slots) {
            log::error!("epoll: {}", common::error::reason(&error));
        }
        if self.handler.clock.uptime() != self.checked_at {
            self.checked_at = self.handler.clock.uptime();
            self.check_deadlines();
        }
        self.handler.end_of_batch();
    }

    /// Once a second: closes connections whose deadline has passed, sends keep-alives to event streams.
    fn check_deadlines(&mut self) {
        for slot in 0..self.slots.len() {
            let Some(connection) = self.slots.get_mut(slot).filter(|late| late.deadline <= self.checked_at) else {
                continue;
            };
            if connection.is_streaming() {
                server_sent_events::send_keep_alive(&mut self.slots, slot, &self.handler.clock);
                continue;
            }
            if matches!(connection.phase, Phase::Head) {
                self.buffers.output.clear();
                let mut response = Response::new(&mut self.buffers.output, Framing::LAST);
                self.handler.time_out(&connection.pending, connection.peer, &mut response);
                let _ = connection.send_now(&[&self.buffers.output]);
            }
            self.slots.close(slot);
        }
    }
}
