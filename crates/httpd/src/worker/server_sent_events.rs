//! Clients that listen for events: told when there is one, reminded that they are not forgotten, and never waited for.

use super::Worker;
use crate::worker::connection::Phase;

/// Seconds between two signs of life, so that nothing on the way takes a quiet connection for a dead one.
const HEARTBEAT: u32 = 15;
/// A comment, which clients pass over.
const SIGN_OF_LIFE: &[u8] = b":\n\n";

impl Worker {
    /// When the next sign of life is due, in seconds of uptime.
    pub(super) fn next_heartbeat(&self) -> u32 {
        self.service.clock.uptime().saturating_add(HEARTBEAT)
    }

    /// Tells everybody here who listens what has changed since they were told last.
    pub(super) fn tell_listeners(&mut self) {
        if self.told == self.service.generation() {
            return;
        }
        self.told = self.service.generation();
        for place in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[place] else { continue };
            let Phase::Listening(listener) = &mut connection.phase else { continue };
            let Some(event) = listener.next_event() else { continue };
            self.send_event(place, event.as_bytes());
        }
    }

    /// A sign of life to a client that has heard nothing for a while.
    pub(super) fn send_sign_of_life(&mut self, place: usize) {
        self.send_event(place, SIGN_OF_LIFE);
    }

    /// Whoever does not take a few octets is not listening any more.
    fn send_event(&mut self, place: usize, event: &[u8]) {
        let deadline = self.next_heartbeat();
        let Some(connection) = &mut self.connections[place] else { return };
        connection.deadline = deadline;
        if !matches!(connection.channel.send_now(&[event]), Ok(sent) if sent == event.len()) {
            self.close(place);
        }
    }
}
