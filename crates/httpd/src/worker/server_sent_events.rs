//! Clients that listen for events: told when there is one, reminded that they are not forgotten, and never waited for.

use super::Worker;
use crate::worker::connection::Phase;

/// Seconds between two signs of life, so that nothing on the way takes a quiet connection for a dead one.
const KEEP_ALIVE_SECONDS: u32 = 15;
/// A comment, which clients pass over.
const KEEP_ALIVE: &[u8] = b":\n\n";

impl Worker {
    /// When the next sign of life is due, in seconds of uptime.
    pub(super) fn next_keep_alive(&self) -> u32 {
        self.handler.clock.uptime().saturating_add(KEEP_ALIVE_SECONDS)
    }

    /// Tells everybody here who listens what has changed since they were told last.
    pub(super) fn broadcast_event(&mut self) {
        if self.last_generation_sent == self.handler.generation() {
            return;
        }
        self.last_generation_sent = self.handler.generation();
        for slot in 0..self.connections.len() {
            let Some(connection) = &mut self.connections[slot] else { continue };
            let Phase::Streaming(subscriber) = &mut connection.phase else { continue };
            let Some(event) = subscriber.next_event() else { continue };
            self.send_event(slot, event.as_bytes());
        }
    }

    /// A sign of life to a client that has heard nothing for a while.
    pub(super) fn send_keep_alive(&mut self, slot: usize) {
        self.send_event(slot, KEEP_ALIVE);
    }

    /// Whoever does not take a few octets is not listening any more.
    fn send_event(&mut self, slot: usize, event: &[u8]) {
        let deadline = self.next_keep_alive();
        let Some(connection) = &mut self.connections[slot] else { return };
        connection.deadline = deadline;
        if !matches!(connection.stream.send_now(&[event]), Ok(sent) if sent == event.len()) {
            self.close(slot);
        }
    }
}
