//! The loop of a worker: wait until a socket is ready, serve it at once in a straight line, wait again (epoll(7)).
//!
//! A worker has its own listeners and its own connections and shares no lock with other workers while it serves. It never
//! blocks on a client: what does not go out at once goes to the blocking lane and comes back when it is done. How clients
//! come in stands in `accept`, the conversation with one of them in `process_requests`.

mod accept;
pub mod connection;
mod http1;
mod proxy_protocol;
mod server_sent_events;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustls::ServerConfig;

use crate::blocking::pool::{BlockingPool, Completions, run_job};
use crate::blocking::response_writer::{CompletedJob, Content, Job};
use crate::handler::Handler;
use crate::net::connection_limit::{ConnectionLimiter, Limits};
use crate::net::listener::Listener;
use crate::proto::framing::MAX_DRAIN;
use crate::shutdown::Shutdown;
use crate::telemetry::access_log::OwnedEntry;
use crate::worker::connection::{Connection, LINGER_SECONDS, Phase};

/// Most events taken in one wake-up: enough for full load, few enough that the time read for them is fresh.
const EVENTS: usize = 256;
/// One receive: more than the largest head, so that a head of any allowed size fits beside what is pending.
const RECEIVE: usize = 64 * 1024;

/// Tokens above every possible connection.
const WAKER: u64 = u64::MAX;
const FIRST_LISTENER: u64 = 1 << 32;

/// One worker.
pub struct Worker {
    epoll: Epoll,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    free_slots: Vec<usize>,
    /// Connections that are in the blocking lane.
    offloaded: usize,
    input: Vec<u8>,
    output: Vec<u8>,
    handler: Handler,
    limiter: Arc<ConnectionLimiter>,
    limits: Limits,
    completions: Arc<Completions>,
    /// `None` where requests are handled strictly one at a time.
    lane: Option<Arc<BlockingPool>>,
    stop: Arc<Shutdown>,
    tls: Option<Arc<ServerConfig>>,
    swept_at: u32,
    /// The generation of files that listeners were told of last.
    last_generation_sent: u64,
    accept_again_at: Option<Instant>,
    next_accept_warning: u32,
}

/// What a worker is made of.
pub struct Parts {
    /// Its listeners, not blocking.
    pub listeners: Vec<Listener>,
    /// What answers requests.
    pub handler: Handler,
    /// Who may connect.
    pub limiter: Arc<ConnectionLimiter>,
    /// The limits in time.
    pub limits: Limits,
    /// Where finished jobs arrive.
    pub completions: Arc<Completions>,
    /// The blocking lane.
    pub lane: Option<Arc<BlockingPool>>,
    /// When to end.
    pub stop: Arc<Shutdown>,
    /// What TLS offers, where there is TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

/// What becomes of a connection that was served.
enum Next {
    /// It stays and waits.
    Stay,
    /// It is closed.
    Close,
    /// It is closed as soon as the client has read everything.
    Linger,
    /// It goes to the blocking lane.
    Offload(Box<Offload>),
}

/// What a connection takes along to the blocking lane.
struct Offload {
    /// Bytes that are ready to be sent.
    ready: Vec<u8>,
    /// What is sent behind them.
    content: Content,
    /// The line for the access log, unless it is written already.
    entry: Option<OwnedEntry>,
    /// Whether the connection ends with this answer.
    ends: bool,
}

impl Worker {
    /// A worker that is ready to run.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let Parts { listeners, handler, limiter, limits, completions, lane, stop, tls } = parts;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(completions.waker(), EpollEvent::new(EpollFlags::EPOLLIN, WAKER))?;
        let worker = Self {
            epoll,
            listeners,
            connections: Vec::new(),
            free_slots: Vec::new(),
            offloaded: 0,
            input: vec![0; RECEIVE],
            output: Vec::new(),
            handler,
            limiter,
            limits,
            completions,
            lane,
            stop,
            tls,
            swept_at: 0,
            last_generation_sent: 0,
            accept_again_at: None,
            next_accept_warning: 0,
        };
        worker.watch_listeners()?;
        Ok(worker)
    }

    /// The loop; returns when everything is finished after a stop, or the time for that is over.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.is_finished() {
            let ready = match self.epoll.wait(&mut events, self.poll_timeout()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.handler.clock.tick();
            for event in &events[..ready] {
                match event.data() {
                    WAKER => self.drain_completions(),
                    listener if listener >= FIRST_LISTENER => _ = self.accept(listener),
                    connection => self.serve(usize::try_from(connection).unwrap_or(usize::MAX)),
                }
            }
            self.housekeeping();
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.stream.send_close_notify();
        }
        self.handler.log.flush();
        Ok(())
    }

    /// How long to wait, in milliseconds: a second, so that deadlines are looked at; less while accepting pauses.
    fn poll_timeout(&self) -> u16 {
        let second = Duration::from_secs(1);
        let patience = match self.accept_again_at {
            Some(at) => at.saturating_duration_since(Instant::now()).min(second),
            None => second,
        };
        u16::try_from(patience.as_millis()).unwrap_or(1000)
    }

    fn is_finished(&mut self) -> bool {
        if !self.stop.is_requested() {
            return false;
        }
        if !self.listeners.is_empty() {
            self.stop_accepting();
        }
        let busy = self.connections.iter().flatten().any(|connection| !connection.is_idle());
        (!busy && self.offloaded == 0) || self.stop.is_overdue()
    }

    /// Takes a connection out of its slot, serves it, and puts it where it belongs then.
    fn serve(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot).and_then(Option::take) {
            self.serve_safely(connection, Some(slot));
        }
    }

    /// Serves; a panic ends this connection and nothing else.
    fn serve_safely(&mut self, mut connection: Connection, slot: Option<usize>) {
        self.output.clear();
        let next = catch_unwind(AssertUnwindSafe(|| self.process_requests(&mut connection))).unwrap_or(Next::Close);
        match next {
            Next::Stay => self.register(connection, slot),
            Next::Close => {
                connection.stream.send_close_notify();
                self.release_slot(slot);
            }
            Next::Linger => {
                connection.stream.finish_sending();
                connection.phase = Phase::Lingering;
                connection.pending = Vec::new();
                connection.deadline = self.handler.clock.uptime() + LINGER_SECONDS;
                self.register(connection, slot);
            }
            Next::Offload(offload) => {
                let Offload { ready, content, entry, ends } = *offload;
                if slot.is_some() {
                    let _ = self.epoll.delete(&connection.stream);
                }
                self.release_slot(slot);
                if ends {
                    connection.phase = Phase::Lingering;
                }
                self.offload(Job { connection, ready, content, entry, min_rate: self.limits.min_rate });
            }
        }
    }

    fn offload(&mut self, job: Job) {
        self.offloaded += 1;
        if let Some(lane) = &self.lane {
            lane.submit(job, &self.completions);
        } else {
            // It comes back through the loop like any other job. Going on with this connection from here would nest one
            // call in the other for as long as the client has a further request ready.
            self.completions.push(run_job(job));
            // The job may have taken long, and the rest of this wake-up counts deadlines from now.
            self.handler.clock.tick();
        }
    }

    fn drain_completions(&mut self) {
        for done in self.completions.take() {
            self.offloaded -= 1;
            self.resume(done);
        }
        self.broadcast_event();
    }

    fn resume(&mut self, done: CompletedJob) {
        if let Some(entry) = &done.entry {
            self.handler.record(&entry.entry());
        }
        let Some(mut connection) = done.connection else { return };
        connection.count_for(self.handler.counted(connection.peer));
        if matches!(connection.phase, Phase::Lingering) {
            connection.stream.finish_sending();
            connection.pending = Vec::new();
            connection.deadline = self.handler.clock.uptime() + LINGER_SECONDS;
            self.register(connection, None);
        } else if !self.stop.is_requested() || matches!(connection.phase, Phase::LoggingIn) {
            if matches!(connection.phase, Phase::Streaming(_)) {
                connection.deadline = self.next_keep_alive();
                return self.register(connection, None);
            }
            // Time does not run while an answer is sent, and then as long as for what the connection was waiting for.
            let time = if matches!(connection.phase, Phase::Idle) { self.limits.idle } else { self.limits.head };
            connection.deadline = self.deadline(time);
            self.handler.clock.new_batch();
            self.serve_safely(connection, None);
        } else {
            connection.stream.send_close_notify();
        }
    }

    /// Puts a connection back into its slot, or gives a new one its slot.
    fn register(&mut self, connection: Connection, slot: Option<usize>) {
        if let Some(slot) = slot {
            self.connections[slot] = Some(connection);
            return;
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        match self.epoll.add(&connection.stream, EpollEvent::new(EpollFlags::EPOLLIN, slot as u64)) {
            Ok(()) => self.connections[slot] = Some(connection),
            Err(error) => {
                log::warn!("epoll: {}", common::error::reason(&error.into()));
                self.free_slots.push(slot);
            }
        }
    }

    fn close(&mut self, slot: usize) {
        if let Some(connection) = &mut self.connections[slot] {
            connection.stream.send_close_notify();
        }
        self.connections[slot] = None;
        self.release_slot(Some(slot));
    }

    fn release_slot(&mut self, slot: Option<usize>) {
        self.free_slots.extend(slot);
    }

    fn deadline(&self, time: Duration) -> u32 {
        // Whole seconds, and one more because the current second is partly over.
        self.handler.clock.uptime().saturating_add(u32::try_from(time.as_secs()).unwrap_or(u32::MAX)).saturating_add(1)
    }

    fn housekeeping(&mut self) {
        if self.accept_again_at.is_some_and(|at| at <= Instant::now()) {
            self.accept_again_at = None;
            if let Err(error) = self.watch_listeners() {
                log::error!("epoll: {}", common::error::reason(&error));
            }
        }
        if self.handler.clock.uptime() != self.swept_at {
            self.swept_at = self.handler.clock.uptime();
            self.sweep();
        }
        self.handler.end_of_batch();
    }

    /// Once a second: ends what has waited long enough.
    fn sweep(&mut self) {
        for slot in 0..self.connections.len() {
            let is_late = |connection: &Connection| connection.deadline <= self.swept_at;
            if !self.connections[slot].as_ref().is_some_and(is_late) {
                continue;
            }
            if self.connections[slot].as_ref().is_some_and(|late| matches!(late.phase, Phase::Streaming(_))) {
                self.send_keep_alive(slot);
                continue;
            }
            let Some(mut connection) = self.connections[slot].take() else { continue };
            if matches!(connection.phase, Phase::Head) {
                self.output.clear();
                self.handler.time_out(&connection.pending, connection.peer, &mut self.output);
                let _ = connection.stream.send_now(&[&self.output]);
            }
            connection.stream.send_close_notify();
            self.release_slot(Some(slot));
        }
    }
}

/// The receive buffer must hold a whole head and what may be drained behind it.
const _: () = assert!(RECEIVE > crate::proto::request::MAX_HEAD && RECEIVE as u64 >= MAX_DRAIN);
