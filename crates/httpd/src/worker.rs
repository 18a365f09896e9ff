//! The loop of a worker: wait until a socket is ready, serve it at once in a straight line, wait again (epoll(7)).
//!
//! A worker has its own listeners and its own connections and shares no lock with other workers while it serves. It never
//! blocks on a client: what does not go out at once goes to the blocking lane and comes back when it is done. How clients
//! come in stands in `accept`, the conversation with one of them in `converse`.

mod accept;
pub mod connection;
mod http1;
mod server_sent_events;
mod proxy_protocol;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustls::ServerConfig;

use crate::telemetry::access_log::OwnedEntry;
use crate::worker::connection::{Connection, LINGER_SECONDS, Phase};
use crate::blocking::pool::{Home, Lane, carry_out_safely};
use crate::net::connection_limit::{Door, Limits};
use crate::net::listener::Listener;
use crate::proto::framing::DRAIN_MAX;
use crate::handler::Service;
use crate::shutdown::Stop;
use crate::blocking::response_writer::{Content, Done, Job};

/// Most events taken in one wake-up: enough for full load, few enough that the time read for them is fresh.
const EVENTS: usize = 256;
/// One receive: more than the largest head, so that a head of any allowed size fits beside what is pending.
const RECEIVE: usize = 64 * 1024;

/// Tokens above every possible connection.
const BELL: u64 = u64::MAX;
const FIRST_LISTENER: u64 = 1 << 32;

/// One worker.
pub struct Worker {
    epoll: Epoll,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    /// Connections that are in the blocking lane.
    away: usize,
    input: Vec<u8>,
    output: Vec<u8>,
    service: Service,
    door: Arc<Door>,
    limits: Limits,
    home: Arc<Home>,
    /// `None` where requests are handled strictly one at a time.
    lane: Option<Arc<Lane>>,
    stop: Arc<Stop>,
    tls: Option<Arc<ServerConfig>>,
    swept_at: u32,
    /// The generation of files that listeners were told of last.
    told: u64,
    accept_again_at: Option<Instant>,
    complain_again_at: u32,
}

/// What a worker is made of.
pub struct Parts {
    /// Its listeners, not blocking.
    pub listeners: Vec<Listener>,
    /// What answers requests.
    pub service: Service,
    /// Who may connect.
    pub door: Arc<Door>,
    /// The limits in time.
    pub limits: Limits,
    /// Where finished jobs arrive.
    pub home: Arc<Home>,
    /// The blocking lane.
    pub lane: Option<Arc<Lane>>,
    /// When to end.
    pub stop: Arc<Stop>,
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
    Leave(Box<Leave>),
}

/// What a connection takes along to the blocking lane.
struct Leave {
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
        let Parts { listeners, service, door, limits, home, lane, stop, tls } = parts;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(home.bell(), EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        let worker = Self {
            epoll,
            listeners,
            connections: Vec::new(),
            vacant: Vec::new(),
            away: 0,
            input: vec![0; RECEIVE],
            output: Vec::new(),
            service,
            door,
            limits,
            home,
            lane,
            stop,
            tls,
            swept_at: 0,
            told: 0,
            accept_again_at: None,
            complain_again_at: 0,
        };
        worker.watch_listeners()?;
        Ok(worker)
    }

    /// The loop; returns when everything is finished after a stop, or the time for that is over.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.is_finished() {
            let ready = match self.epoll.wait(&mut events, self.patience()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            self.service.clock.tick();
            for event in &events[..ready] {
                match event.data() {
                    BELL => self.take_back(),
                    listener if listener >= FIRST_LISTENER => _ = self.accept(listener),
                    connection => self.serve(usize::try_from(connection).unwrap_or(usize::MAX)),
                }
            }
            self.housekeeping();
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.channel.say_goodbye();
        }
        self.service.log.flush();
        Ok(())
    }

    /// How long to wait, in milliseconds: a second, so that deadlines are looked at; less while accepting pauses.
    fn patience(&self) -> u16 {
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
        (!busy && self.away == 0) || self.stop.is_overdue()
    }

    /// Takes a connection out of its place, serves it, and puts it where it belongs then.
    fn serve(&mut self, place: usize) {
        if let Some(connection) = self.connections.get_mut(place).and_then(Option::take) {
            self.serve_safely(connection, Some(place));
        }
    }

    /// Serves; a panic ends this connection and nothing else.
    fn serve_safely(&mut self, mut connection: Connection, place: Option<usize>) {
        self.output.clear();
        let next = catch_unwind(AssertUnwindSafe(|| self.converse(&mut connection))).unwrap_or(Next::Close);
        match next {
            Next::Stay => self.settle(connection, place),
            Next::Close => {
                connection.channel.say_goodbye();
                self.vacate(place);
            }
            Next::Linger => {
                connection.channel.finish_sending();
                connection.phase = Phase::Lingering;
                connection.pending = Vec::new();
                connection.deadline = self.service.clock.uptime() + LINGER_SECONDS;
                self.settle(connection, place);
            }
            Next::Leave(leave) => {
                let Leave { ready, content, entry, ends } = *leave;
                if place.is_some() {
                    let _ = self.epoll.delete(&connection.channel);
                }
                self.vacate(place);
                if ends {
                    connection.phase = Phase::Lingering;
                }
                self.leave(Job { connection, ready, content, entry, min_rate: self.limits.min_rate });
            }
        }
    }

    fn leave(&mut self, job: Job) {
        self.away += 1;
        if let Some(lane) = &self.lane {
            lane.submit(job, &self.home);
        } else {
            // It comes back through the loop like any other job. Going on with this connection from here would nest one
            // call in the other for as long as the client has a further request ready.
            self.home.bring(carry_out_safely(job));
            // The job may have taken long, and the rest of this wake-up counts deadlines from now.
            self.service.clock.tick();
        }
    }

    fn take_back(&mut self) {
        for done in self.home.take() {
            self.away -= 1;
            self.come_back(done);
        }
        self.tell_listeners();
    }

    fn come_back(&mut self, done: Done) {
        if let Some(entry) = &done.entry {
            self.service.record(&entry.entry());
        }
        let Some(mut connection) = done.connection else { return };
        connection.count_for(self.service.counted(connection.peer));
        if matches!(connection.phase, Phase::Lingering) {
            connection.channel.finish_sending();
            connection.pending = Vec::new();
            connection.deadline = self.service.clock.uptime() + LINGER_SECONDS;
            self.settle(connection, None);
        } else if !self.stop.is_requested() || matches!(connection.phase, Phase::LoggingIn) {
            if matches!(connection.phase, Phase::Listening(_)) {
                connection.deadline = self.next_heartbeat();
                return self.settle(connection, None);
            }
            // Time does not run while an answer is sent, and then as long as for what the connection was waiting for.
            let time = if matches!(connection.phase, Phase::Idle) { self.limits.idle } else { self.limits.head };
            connection.deadline = self.deadline(time);
            self.service.clock.new_batch();
            self.serve_safely(connection, None);
        } else {
            connection.channel.say_goodbye();
        }
    }

    /// Puts a connection back into its place, or gives a new one its place.
    fn settle(&mut self, connection: Connection, place: Option<usize>) {
        if let Some(place) = place {
            self.connections[place] = Some(connection);
            return;
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        match self.epoll.add(&connection.channel, EpollEvent::new(EpollFlags::EPOLLIN, place as u64)) {
            Ok(()) => self.connections[place] = Some(connection),
            Err(error) => {
                log::warn!("epoll: {}", common::error::reason(&error.into()));
                self.vacant.push(place);
            }
        }
    }

    fn close(&mut self, place: usize) {
        if let Some(connection) = &mut self.connections[place] {
            connection.channel.say_goodbye();
        }
        self.connections[place] = None;
        self.vacate(Some(place));
    }

    fn vacate(&mut self, place: Option<usize>) {
        self.vacant.extend(place);
    }

    fn deadline(&self, time: Duration) -> u32 {
        // Whole seconds, and one more because the current second is partly over.
        self.service.clock.uptime().saturating_add(u32::try_from(time.as_secs()).unwrap_or(u32::MAX)).saturating_add(1)
    }

    fn housekeeping(&mut self) {
        if self.accept_again_at.is_some_and(|at| at <= Instant::now()) {
            self.accept_again_at = None;
            if let Err(error) = self.watch_listeners() {
                log::error!("epoll: {}", common::error::reason(&error));
            }
        }
        if self.service.clock.uptime() != self.swept_at {
            self.swept_at = self.service.clock.uptime();
            self.sweep();
        }
        self.service.end_of_batch();
    }

    /// Once a second: ends what has waited long enough.
    fn sweep(&mut self) {
        for place in 0..self.connections.len() {
            let is_late = |connection: &Connection| connection.deadline <= self.swept_at;
            if !self.connections[place].as_ref().is_some_and(is_late) {
                continue;
            }
            if self.connections[place].as_ref().is_some_and(|late| matches!(late.phase, Phase::Listening(_))) {
                self.send_sign_of_life(place);
                continue;
            }
            let Some(mut connection) = self.connections[place].take() else { continue };
            if matches!(connection.phase, Phase::Head) {
                self.output.clear();
                self.service.time_out(&connection.pending, connection.peer, &mut self.output);
                let _ = connection.channel.send_now(&[&self.output]);
            }
            connection.channel.say_goodbye();
            self.vacate(Some(place));
        }
    }
}

/// The receive buffer must hold a whole head and what may be drained behind it.
const _: () = assert!(RECEIVE > crate::proto::request::HEAD_MAX && RECEIVE as u64 >= DRAIN_MAX);
