//! Accepts connections, and rejects them above the limit.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socket2::Socket;

use super::Worker;
use super::slots::{FIRST_LISTENER, Slots};
use crate::connection::{Connection, Phase};
use crate::net::listener::{Listener, Role};
use crate::net::peer::Peer;
use crate::net::stream::ClientStream;
use crate::proto::response::{Framing, Response};
use crate::tls::session::Session;

/// Connections accepted at a time, so that a flood of new connections does not delay the others.
const MAX_ACCEPTS: usize = 64;
/// Pause of accepting when file descriptors or memory run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
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
                    self.admit(socket, peer, role);
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

    /// Admits and serves a connection, or rejects it.
    fn admit(&mut self, socket: Socket, peer: Peer, role: Role) {
        let Some(has_proxy_header) = self.handler.expects_proxy_header(peer) else {
            return log::info!("{peer}: is no trusted proxy");
        };
        let Some(permit) = self.limiter.admit(self.handler.counted(peer)) else {
            return self.reject_over_limit(socket, peer, role);
        };
        let Some(stream) = self.stream(socket, role) else { return };
        let deadline = self.handler.clock.deadline(self.limits.header_timeout);
        let mut connection = Connection::new(stream, peer, role, permit, self.limits.max_rate, deadline);
        if has_proxy_header {
            connection.phase = Phase::ProxyHeader;
        }
        // Reads before waiting, because the request often arrives with the connection, perhaps after this wake-up.
        self.handler.clock.new_batch();
        self.serve(connection, None);
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
