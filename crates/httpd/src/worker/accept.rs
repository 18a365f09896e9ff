//! Accepts connections, and rejects them above the limit.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socket2::Socket;

use super::Worker;
use super::handover::AcceptedSocket;
use super::slots::{FIRST_LISTENER, Slots};
use crate::connection::{Connection, Phase};
use crate::net::connection_limit::Limit;
use crate::net::listener::{Listener, Role};
use crate::net::peer::Peer;
use crate::net::stream::ClientStream;
use crate::proto::response::{Framing, Response};
use crate::tls::session::Session;

/// Connections accepted at a time, so that a flood of new connections does not delay the others.
const MAX_ACCEPTS: usize = 64;
/// Pause of accepting when file descriptors or memory run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections among which an idle one is looked for, so that a flood of new connections costs little.
const MAX_IDLE_SCAN: usize = 256;
/// Seconds for which a new connection may be silent before it counts as idle.
const MIN_SILENCE: u32 = 2;
/// Seconds between two warnings about such a pause.
const WARNING_INTERVAL: u32 = 60;

/// The listeners of one worker.
pub(super) struct Acceptor {
    listeners: Vec<Listener>,
    /// When accepting continues after a pause.
    paused_until: Option<Instant>,
    /// Uptime from which a pause is logged again.
    next_accept_warning: u32,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<Listener>) -> Self {
        Self { listeners, paused_until: None, next_accept_warning: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Adds the listeners to the epoll set.
    pub(super) fn watch(&self, slots: &Slots) -> io::Result<()> {
        for (data, listener) in (FIRST_LISTENER..).zip(&self.listeners) {
            slots.watch(listener, listener.interest(), data)?;
        }
        Ok(())
    }

    /// The rest of the current pause.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        self.paused_until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Continues accepting if a pause has ended.
    pub(super) fn resume(&mut self, slots: &Slots) -> io::Result<()> {
        if self.paused_until.is_none_or(|until| until > Instant::now()) {
            return Ok(());
        }
        self.paused_until = None;
        self.watch(slots)
    }

    fn pause(&mut self, slots: &Slots, uptime: u32, error: &io::Error) {
        if uptime >= self.next_accept_warning {
            self.next_accept_warning = uptime + WARNING_INTERVAL;
            log::warn!("accept: {}; accepting pauses until resources are free", common::error::reason(error));
        }
        for listener in &self.listeners {
            slots.unwatch(listener);
        }
        self.paused_until = Some(Instant::now() + ACCEPT_PAUSE);
    }
}

impl Worker {
    /// Serves all requests that have arrived, then closes the listeners and all idle connections and event streams.
    pub(super) fn stop_accepting(&mut self) {
        self.handler.clock.tick();
        for data in (FIRST_LISTENER..).take(self.acceptor.listeners.len()) {
            while self.accept(data) && !self.shutdown.is_overdue() {}
        }
        self.acceptor.listeners.clear();
        for slot in 0..self.slots.len() {
            self.handler.clock.new_batch();
            self.serve_slot(slot);
            let connection = self.slots.get_mut(slot);
            if connection.is_some_and(|connection| connection.is_idle() || connection.is_streaming()) {
                self.slots.close(slot);
            }
        }
    }

    /// Accepts and serves waiting connections; whether there may be more. `data` is the epoll data of the listener.
    pub(super) fn accept(&mut self, data: u64) -> bool {
        let number = usize::try_from(data - FIRST_LISTENER).unwrap_or(usize::MAX);
        for _ in 0..MAX_ACCEPTS {
            let Some(listener) = self.acceptor.listeners.get(number) else { return false };
            match listener.accept() {
                Ok((socket, peer)) => {
                    let role = listener.role;
                    self.admit(AcceptedSocket { socket, peer, role, handovers: 0 });
                }
                Err(error) => {
                    match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                        Errno::EAGAIN => {}
                        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                            self.acceptor.pause(&self.slots, self.handler.clock.uptime(), &error);
                        }
                        // The connection was aborted, or a network error is pending on it (accept(2)).
                        _ => continue,
                    }
                    return false;
                }
            }
        }
        true
    }

    /// Admits and serves a connection. At a limit, it closes an idle connection, else asks another worker to do so, else
    /// rejects the new one.
    pub(super) fn admit(&mut self, accepted: AcceptedSocket) {
        let (peer, role) = (accepted.peer, accepted.role);
        let Some(has_proxy_header) = self.handler.expects_proxy_header(peer) else {
            return log::info!("{peer}: is no trusted proxy");
        };
        let counted = self.handler.counted(peer);
        let permit = self.limiter.admit(counted).or_else(|limit| {
            let closed = self.close_idle((limit == Limit::OfAddress).then_some(counted));
            if closed { self.limiter.admit(counted) } else { Err(limit) }
        });
        let permit = match permit {
            Ok(permit) => permit,
            Err(limit) => {
                if let Some(accepted) = self.handover.pass_on(accepted) {
                    self.limiter.count_rejection(limit);
                    self.reject_over_limit(accepted.socket, peer, role);
                }
                return;
            }
        };
        let Some(stream) = self.stream(accepted.socket, role) else { return };
        let deadline = self.handler.clock.deadline(self.limits.header_timeout);
        let mut connection =
            Connection::new(stream, peer, role, permit, self.limits.max_rate, deadline, self.handler.clock.batch());
        if has_proxy_header {
            connection.phase = Phase::ProxyHeader;
        }
        // Reads before waiting, because the request often arrives with the connection, perhaps after this wake-up.
        self.handler.clock.new_batch();
        self.serve(connection, None);
    }

    /// Closes the idle connection that was used longest ago among some of them, of `peer` if there is one; whether it found
    /// one.
    fn close_idle(&mut self, peer: Option<Peer>) -> bool {
        let new_deadline = self.handler.clock.deadline(self.limits.header_timeout);
        // A client that just connected is about to send a request.
        let is_new = |connection: &Connection| !connection.served && connection.deadline + MIN_SILENCE > new_deadline;
        let count = self.slots.len();
        let mut oldest: Option<(u64, usize)> = None;
        for _ in 0..count.min(MAX_IDLE_SCAN) {
            self.next_idle = (self.next_idle + 1) % count;
            let Some(connection) = self.slots.get_mut(self.next_idle) else { continue };
            if connection.is_idle()
                && !is_new(connection)
                && peer.is_none_or(|peer| connection.counted() == peer)
                && oldest.is_none_or(|(last_used, _)| connection.last_used < last_used)
                && connection.is_silent()
            {
                oldest = Some((connection.last_used, self.next_idle));
            }
        }
        let Some((_, slot)) = oldest else { return false };
        self.slots.close(slot);
        true
    }

    fn stream(&self, socket: Socket, role: Role) -> Option<ClientStream> {
        match (role, &self.tls) {
            (Role::Tls, Some(config)) => match Session::new(Arc::clone(config)) {
                Ok(session) => Some(ClientStream::secure(socket, session)),
                Err(error) => {
                    log::error!("TLS: {error}");
                    None
                }
            },
            _ => Some(ClientStream::new(socket)),
        }
    }

    /// Sends 503. Over TLS the rejection is only logged, because a handshake costs more than any response.
    fn reject_over_limit(&mut self, socket: Socket, peer: Peer, role: Role) {
        let mut stream = ClientStream::new(socket);
        // Reads what has arrived, so that closing the socket does not reset the connection.
        let arrived = stream.receive_now(&mut self.buffers.input).unwrap_or(0);
        self.buffers.output.clear();
        let input = if role == Role::Tls { &[][..] } else { &self.buffers.input[..arrived] };
        let mut response = Response::new(&mut self.buffers.output, Framing::LAST);
        self.handler.reject_over_limit(input, peer, &mut response);
        if role != Role::Tls {
            let _ = stream.send_now(&[&self.buffers.output]);
            stream.finish_sending();
        }
    }
}
