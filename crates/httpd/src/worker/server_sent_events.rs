//! Server-sent events: every change and a keep-alive; a subscriber whose socket is full is closed.

use super::slots::Slots;
use crate::clock::Clock;
use crate::connection::Phase;
use crate::handler::Handler;

/// Seconds between two keep-alives, so that no proxy closes a quiet connection.
const KEEP_ALIVE_INTERVAL: u32 = 15;
/// A comment, which clients ignore.
const KEEP_ALIVE: &[u8] = b":\n\n";

/// Sends changes of the files to all subscribers of one worker.
#[derive(Debug, Default)]
pub(super) struct EventBroadcast {
    last_generation_sent: u64,
}

impl EventBroadcast {
    /// Sends the changes since the last call.
    pub(super) fn send(&mut self, slots: &mut Slots, handler: &Handler) {
        if self.last_generation_sent == handler.generation() {
            return;
        }
        self.last_generation_sent = handler.generation();
        for slot in 0..slots.len() {
            let Some(connection) = slots.get_mut(slot) else { continue };
            let Phase::Streaming(subscriber) = &mut connection.phase else { continue };
            let Some(event) = subscriber.next_event() else { continue };
            send_event(slots, slot, event.as_bytes(), &handler.clock);
        }
    }
}

/// When the next keep-alive is due, in seconds of uptime.
pub(super) fn next_keep_alive(clock: &Clock) -> u32 {
    clock.uptime().saturating_add(KEEP_ALIVE_INTERVAL)
}

/// Sends a keep-alive to one subscriber.
pub(super) fn send_keep_alive(slots: &mut Slots, slot: usize, clock: &Clock) {
    send_event(slots, slot, KEEP_ALIVE, clock);
}

/// Closes the connection if the event does not fit its send buffer.
fn send_event(slots: &mut Slots, slot: usize, event: &[u8], clock: &Clock) {
    let Some(connection) = slots.get_mut(slot) else { return };
    connection.deadline = next_keep_alive(clock);
    if !matches!(connection.stream.send_now(&[event]), Ok(sent) if sent == event.len()) {
        slots.close(slot);
    }
}
