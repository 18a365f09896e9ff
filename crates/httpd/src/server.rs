//! The loop of a worker: wait until a socket is ready, serve it at once in a straight line, wait again (epoll(7)).
//!
//! A worker has its own listeners and its own connections and shares no lock with other workers while it serves. It never
//! blocks on a client: what does not go out at once goes to the blocking lane and comes back when it is done.

use std::io;
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{MsgFlags, recv};

use crate::connection::{Connection, LINGER_SECONDS, Phase};
use crate::lane::{Home, Lane, carry_out_safely};
use crate::limits::{Door, Limits};
use crate::output::send_now;
use crate::proto::framing::{DRAIN_MAX, Drained};
use crate::service::{After, Answer, Rest, Service};
use crate::stop::Stop;
use crate::transfer::{Content, Done, Job};

/// Most events taken in one wake-up: enough for full load, few enough that the time read for them is fresh.
const EVENTS: usize = 256;
/// Most connections accepted in one go, so that a flood of them does not keep those that are there waiting.
const ACCEPTS: usize = 64;
/// One receive: more than the largest head, so that a head of any allowed size fits beside what is pending.
const RECEIVE: usize = 64 * 1024;
/// Answers prepared before they are sent: a kilobyte of requests can ask for megabytes.
const OUTPUT_MAX: usize = 64 * 1024;
/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Seconds between two complaints about that, so that a lack that lasts does not fill the log.
const COMPLAINT_PAUSE: u32 = 60;

/// Tokens above every possible connection.
const BELL: u64 = u64::MAX;
const FIRST_LISTENER: u64 = 1 << 32;

/// One worker.
pub struct Worker {
    epoll: Epoll,
    listeners: Vec<TcpListener>,
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
    swept_at: u32,
    accept_again_at: Option<Instant>,
    complain_again_at: u32,
}

/// What a worker is made of.
pub struct Parts {
    /// Its listeners, not blocking.
    pub listeners: Vec<TcpListener>,
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
    Leave(Vec<u8>, Content, Option<crate::access_log::OwnedEntry>, bool),
}

impl Worker {
    /// A worker that is ready to run.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let Parts { listeners, service, door, limits, home, lane, stop } = parts;
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
            swept_at: 0,
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
        self.service.log.flush();
        Ok(())
    }

    /// At most a second, so that deadlines are looked at; less while accepting pauses; as long as it takes when idle.
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
        let waiting = |connection: &Connection| !matches!(connection.phase, Phase::Idle);
        let busy = self.connections.iter().flatten().any(waiting);
        (!busy && self.away == 0) || self.stop.is_overdue()
    }

    /// Closes the listeners and every connection that waits for a request that has not begun. What has arrived by now is
    /// served before.
    fn stop_accepting(&mut self) {
        self.service.clock.tick();
        for number in (FIRST_LISTENER..).take(self.listeners.len()) {
            while self.accept(number) && !self.stop.is_overdue() {}
        }
        self.listeners.clear();
        for place in 0..self.connections.len() {
            self.service.clock.new_batch();
            self.serve(place);
            if self.connections[place].as_ref().is_some_and(|connection| matches!(connection.phase, Phase::Idle)) {
                self.close(place);
            }
        }
    }

    fn watch_listeners(&self) -> io::Result<()> {
        for (number, listener) in (FIRST_LISTENER..).zip(&self.listeners) {
            self.epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        }
        Ok(())
    }

    /// Accepts and serves what waits at a listener; whether there may be more.
    fn accept(&mut self, number: u64) -> bool {
        let place = usize::try_from(number - FIRST_LISTENER).unwrap_or(usize::MAX);
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(place) else { return false };
            match listener.accept() {
                Ok((stream, peer)) => {
                    let Some(admission) = self.door.admit(peer.ip().to_canonical()) else {
                        self.turn_away(&stream, peer.ip().to_canonical());
                        continue;
                    };
                    let deadline = self.deadline(self.limits.head);
                    let connection = Connection::new(stream, peer, Some(admission), deadline);
                    // The request has often come with the connection, so it is looked for before waiting. It may have
                    // come after this worker woke up.
                    self.service.clock.new_batch();
                    self.serve_safely(connection, None);
                }
                Err(error) => {
                    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                        Errno::EAGAIN => {}
                        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => self.pause_accepting(&error),
                        // The client has gone again, or the network failed it: that is its own affair (accept(2)).
                        _ => continue,
                    }
                    return false;
                }
            }
        }
        true
    }

    fn turn_away(&mut self, stream: &TcpStream, peer: IpAddr) {
        // What the client has sent by now is read, so that closing does not reset the answer away.
        let arrived = recv(stream.as_raw_fd(), &mut self.input, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
        self.output.clear();
        self.service.turn_away(&self.input[..arrived], peer, &mut self.output);
        let _ = send_now(stream, &[&self.output]);
        let _ = stream.shutdown(Shutdown::Write);
    }

    fn pause_accepting(&mut self, error: &io::Error) {
        if self.service.clock.uptime() >= self.complain_again_at {
            self.complain_again_at = self.service.clock.uptime() + COMPLAINT_PAUSE;
            log::warn!("accept: {}; pausing until some are free", common::error::reason(error));
        }
        for listener in &self.listeners {
            let _ = self.epoll.delete(listener);
        }
        self.accept_again_at = Some(Instant::now() + ACCEPT_PAUSE);
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
            Next::Close => self.vacate(place),
            Next::Linger => {
                let _ = connection.stream.shutdown(Shutdown::Write);
                connection.phase = Phase::Lingering;
                connection.pending = Vec::new();
                connection.deadline = self.service.clock.uptime() + LINGER_SECONDS;
                self.settle(connection, place);
            }
            Next::Leave(ready, content, entry, ends) => {
                if place.is_some() {
                    let _ = self.epoll.delete(&connection.stream);
                }
                self.vacate(place);
                if ends {
                    connection.phase = Phase::Lingering;
                }
                self.leave(Job { connection, ready, content, entry, min_rate: self.limits.min_rate });
            }
        }
    }

    /// Reads what has arrived and answers every complete request in it.
    fn converse(&mut self, connection: &mut Connection) -> Next {
        let arrived = match self.receive(connection) {
            Ok(0) => return Next::Stay,
            Ok(arrived) => arrived,
            Err(()) => return Next::Close,
        };
        if matches!(connection.phase, Phase::Lingering) {
            return Next::Stay;
        }
        let mut position = 0;
        loop {
            if let Phase::Draining(drain) = &mut connection.phase {
                match drain.feed(&self.input[position..arrived]) {
                    Drained::Done(count) => position += count,
                    Drained::More => return self.keep_pending(connection, arrived, arrived),
                    Drained::GiveUp => return self.flush_and(connection, Next::Linger),
                }
                connection.phase = Phase::Idle;
                self.service.clock.new_batch();
            }
            let input = &self.input[position..arrived];
            let Some(answer) = self.service.serve(input, connection.peer, &mut self.output) else {
                return self.keep_pending(connection, position, arrived);
            };
            position += answer.taken;
            if let Some(next) = self.deliver(connection, answer, position, arrived) {
                return next;
            }
            // The first request had begun when this worker woke up. The next one may have been sent after the last check.
            self.service.clock.new_batch();
        }
    }

    /// Fills the input with what was kept and what has arrived: how much there is, 0 when there is nothing new to do.
    fn receive(&mut self, connection: &Connection) -> Result<usize, ()> {
        let kept = connection.pending.len();
        self.input[..kept].copy_from_slice(&connection.pending);
        match recv(connection.stream.as_raw_fd(), &mut self.input[kept..], MsgFlags::MSG_DONTWAIT) {
            // What was kept while an answer was sent has not been looked at yet, and may hold whole requests. The beginning
            // of a head will stay one.
            Ok(0) if kept == 0 || matches!(connection.phase, Phase::Head) => Err(()),
            Ok(count) => Ok(kept + count),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(kept),
            Err(_) => Err(()),
        }
    }

    /// Does what an answer asks for; `None` when the next request can be looked at.
    fn deliver(
        &mut self,
        connection: &mut Connection,
        answer: Answer,
        position: usize,
        arrived: usize,
    ) -> Option<Next> {
        let ends = matches!(answer.after, After::Close | After::Linger);
        // Closing while the client may still be sending would reset the last answer away.
        let lingers = matches!(answer.after, After::Linger) || position < arrived;
        connection.phase = match answer.after {
            After::Drain(drain) => {
                connection.deadline = self.deadline(self.limits.head);
                Phase::Draining(Box::new(drain))
            }
            _ => Phase::Idle,
        };
        let (content, entry) = match answer.rest {
            Rest::Nothing => (Content::Nothing, None),
            Rest::Memory(document, range) => match self.send_document(connection, &document.body[range.clone()]) {
                Ok(0) => (Content::Nothing, None),
                Ok(left) => (Content::Memory(document, range.end - left..range.end), None),
                Err(_) => return Some(Next::Close),
            },
            Rest::Blocking(content, entry) => (content, Some(entry)),
        };
        if !matches!(content, Content::Nothing) {
            connection.pending = self.input[position..arrived].to_vec();
            return Some(Next::Leave(std::mem::take(&mut self.output), content, entry, ends));
        }
        match (ends, lingers) {
            (false, _) if self.output.len() > OUTPUT_MAX => self.make_way(connection, position, arrived),
            (false, _) => None,
            (true, false) => Some(self.flush_and(connection, Next::Close)),
            (true, true) => Some(self.flush_and(connection, Next::Linger)),
        }
    }

    /// Sends what has been prepared so far. A client that does not take it gets no further answer prepared.
    fn make_way(&mut self, connection: &mut Connection, position: usize, arrived: usize) -> Option<Next> {
        match self.flush_and(connection, Next::Stay) {
            Next::Stay => {
                self.output.clear();
                None
            }
            next => {
                connection.pending = self.input[position..arrived].to_vec();
                Some(next)
            }
        }
    }

    /// Sends what is ready and keeps the beginning of a request for the next wake-up. The time for a head runs from its
    /// first octet, that for a body from its head.
    fn keep_pending(&mut self, connection: &mut Connection, position: usize, arrived: usize) -> Next {
        let rest = &self.input[position..arrived];
        // A new one each time, so that a connection that has become idle holds no buffer.
        connection.pending = rest.to_vec();
        match connection.phase {
            Phase::Idle if !rest.is_empty() => {
                connection.phase = Phase::Head;
                connection.deadline = self.deadline(self.limits.head);
            }
            Phase::Idle => connection.deadline = self.deadline(self.limits.idle),
            Phase::Head | Phase::Draining(_) | Phase::Lingering => {}
        }
        self.flush_and(connection, Next::Stay)
    }

    /// Sends the output and a body behind it in one call; returns how much of the body is left. The output is empty
    /// afterwards, or holds what did not go out.
    fn send_document(&mut self, connection: &Connection, body: &[u8]) -> io::Result<usize> {
        let sent = send_now(&connection.stream, &[&self.output, body])?;
        let from_output = sent.min(self.output.len());
        self.output.drain(..from_output);
        Ok(body.len() - (sent - from_output))
    }

    /// Sends the output; what does not go out at once leaves for the blocking lane.
    fn flush_and(&mut self, connection: &mut Connection, next: Next) -> Next {
        if self.output.is_empty() {
            return next;
        }
        match send_now(&connection.stream, &[&self.output]) {
            Ok(sent) if sent == self.output.len() => next,
            Ok(sent) => {
                let rest = self.output.split_off(sent);
                Next::Leave(rest, Content::Nothing, None, !matches!(next, Next::Stay))
            }
            Err(_) => Next::Close,
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
    }

    fn come_back(&mut self, done: Done) {
        if let Some(entry) = &done.entry {
            self.service.log.add(&self.service.clock, &entry.entry());
        }
        let Some(mut connection) = done.connection else { return };
        if matches!(connection.phase, Phase::Lingering) {
            let _ = connection.stream.shutdown(Shutdown::Write);
            connection.pending = Vec::new();
            connection.deadline = self.service.clock.uptime() + LINGER_SECONDS;
            self.settle(connection, None);
        } else if !self.stop.is_requested() {
            // Time does not run while an answer is sent, and then as long as for what the connection was waiting for.
            let time = if matches!(connection.phase, Phase::Idle) { self.limits.idle } else { self.limits.head };
            connection.deadline = self.deadline(time);
            self.service.clock.new_batch();
            self.serve_safely(connection, None);
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
        match self.epoll.add(&connection.stream, EpollEvent::new(EpollFlags::EPOLLIN, place as u64)) {
            Ok(()) => self.connections[place] = Some(connection),
            Err(error) => {
                log::warn!("epoll: {}", common::error::reason(&error.into()));
                self.vacant.push(place);
            }
        }
    }

    fn close(&mut self, place: usize) {
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
        self.service.log.end_of_batch(&self.service.clock);
    }

    /// Once a second: ends what has waited long enough.
    fn sweep(&mut self) {
        for place in 0..self.connections.len() {
            let is_late = |connection: &Connection| connection.deadline <= self.swept_at;
            if !self.connections[place].as_ref().is_some_and(is_late) {
                continue;
            }
            let Some(connection) = self.connections[place].take() else { continue };
            if matches!(connection.phase, Phase::Head) {
                self.output.clear();
                self.service.time_out(&connection.pending, connection.peer, &mut self.output);
                let _ = send_now(&connection.stream, &[&self.output]);
            }
            self.vacate(Some(place));
        }
    }
}

/// The receive buffer must hold a whole head and what may be drained behind it.
const _: () = assert!(RECEIVE > crate::proto::request::HEAD_MAX && RECEIVE as u64 >= DRAIN_MAX);
