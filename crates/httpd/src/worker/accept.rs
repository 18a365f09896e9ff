//! Letting clients in, turning them away, and no longer doing either.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::EpollEvent;
use socket2::Socket;

use super::{FIRST_LISTENER, Worker};
use crate::net::listener::Role;
use crate::net::peer::Peer;
use crate::net::stream::ClientStream;
use crate::tls::session::Session;
use crate::worker::connection::{Connection, Phase};

/// Most connections accepted in one go, so that a flood of them does not keep those that are there waiting.
const ACCEPTS: usize = 64;
/// How long accepting pauses when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Seconds between two complaints about that, so that a lack that lasts does not fill the log.
const COMPLAINT_PAUSE: u32 = 60;

impl Worker {
    /// Closes the listeners and every connection that waits for a request that has not begun. What has arrived by now is
    /// served before.
    pub(super) fn stop_accepting(&mut self) {
        self.handler.clock.tick();
        for number in (FIRST_LISTENER..).take(self.listeners.len()) {
            while self.accept(number) && !self.stop.is_overdue() {}
        }
        self.listeners.clear();
        for slot in 0..self.connections.len() {
            self.handler.clock.new_batch();
            self.serve(slot);
            if self.connections[slot]
                .as_ref()
                .is_some_and(|connection| connection.is_idle() || connection.is_streaming())
            {
                self.close(slot);
            }
        }
    }

    pub(super) fn watch_listeners(&self) -> io::Result<()> {
        for (number, listener) in (FIRST_LISTENER..).zip(&self.listeners) {
            self.epoll.add(listener, EpollEvent::new(listener.interest(), number))?;
        }
        Ok(())
    }

    /// Accepts and serves what waits at a listener; whether there may be more.
    pub(super) fn accept(&mut self, number: u64) -> bool {
        let slot = usize::try_from(number - FIRST_LISTENER).unwrap_or(usize::MAX);
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(slot) else { return false };
            match listener.accept() {
                Ok((socket, peer)) => {
                    let role = listener.role;
                    let Some(has_preface) = self.handler.expects_header(peer) else {
                        log::info!("{peer}: is no trusted proxy");
                        continue;
                    };
                    let Some(permit) = self.limiter.admit(self.handler.counted(peer)) else {
                        self.reject_over_limit(socket, peer, role);
                        continue;
                    };
                    let Some(stream) = self.stream(socket, role) else { continue };
                    let deadline = self.deadline(self.limits.head);
                    let mut connection =
                        Connection::new(stream, peer, role, Some(permit), deadline).limited_to(self.limits.rate);
                    if has_preface {
                        connection.phase = Phase::ProxyHeader;
                    }
                    // The request has often come with the connection, so it is looked for before waiting. It may have
                    // come after this worker woke up.
                    self.handler.clock.new_batch();
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

    /// What carries the bytes of a connection that came in at a listener of this role.
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

    /// Says that there is no slot. Over TLS it is only logged: a handshake is the dearest answer there is.
    fn reject_over_limit(&mut self, socket: Socket, peer: Peer, role: Role) {
        let mut stream = ClientStream::new(socket);
        // What the client has sent by now is read, so that closing does not reset the answer away.
        let arrived = stream.receive_now(&mut self.input).unwrap_or(0);
        if role == Role::Tls {
            self.output.clear();
            return self.handler.reject_over_limit(&[], peer, &mut self.output);
        }
        self.output.clear();
        self.handler.reject_over_limit(&self.input[..arrived], peer, &mut self.output);
        let _ = stream.send_now(&[&self.output]);
        stream.finish_sending();
    }

    fn pause_accepting(&mut self, error: &io::Error) {
        if self.handler.clock.uptime() >= self.next_accept_warning {
            self.next_accept_warning = self.handler.clock.uptime() + COMPLAINT_PAUSE;
            log::warn!("accept: {}; pausing until some are free", common::error::reason(error));
        }
        for listener in &self.listeners {
            let _ = self.epoll.delete(listener);
        }
        self.accept_again_at = Some(Instant::now() + ACCEPT_PAUSE);
    }
}
