//! Hands accepted connections to other workers: at a limit, one of them may have an idle connection to close.

use std::sync::Arc;

use common::sync::Mutex;
use socket2::Socket;

use crate::net::listener::Role;
use crate::net::peer::Peer;
use crate::waker::Waker;

/// Most workers that are asked for one connection.
const MAX_HANDOVERS: usize = 4;

/// An accepted connection that no limit has admitted yet.
#[derive(Debug)]
pub(super) struct AcceptedSocket {
    pub(super) socket: Socket,
    pub(super) peer: Peer,
    pub(super) role: Role,
    /// How often it was handed over.
    pub(super) handovers: usize,
}

/// The connections that other workers have handed to one worker.
#[derive(Debug)]
pub struct HandoverQueue {
    connections: Mutex<Vec<AcceptedSocket>>,
    waker: Arc<Waker>,
}

impl HandoverQueue {
    /// A queue whose worker is woken by `waker`.
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { connections: Mutex::default(), waker }
    }
}

/// The queues of all workers, as seen by one of them.
#[derive(Debug)]
pub struct Handover {
    queues: Arc<[HandoverQueue]>,
    own: usize,
}

impl Handover {
    /// The view of the worker with this number.
    pub fn new(queues: Arc<[HandoverQueue]>, own: usize) -> Self {
        Self { queues, own }
    }

    /// Takes all connections of this worker.
    pub(super) fn take(&self) -> Vec<AcceptedSocket> {
        self.queues.get(self.own).map(|queue| std::mem::take(&mut *queue.connections.lock())).unwrap_or_default()
    }

    /// Hands a connection to the next worker; returns it if every worker was asked.
    pub(super) fn pass_on(&self, mut accepted: AcceptedSocket) -> Option<AcceptedSocket> {
        accepted.handovers += 1;
        if accepted.handovers >= self.queues.len() || accepted.handovers > MAX_HANDOVERS {
            return Some(accepted);
        }
        let Some(next) = self.queues.get((self.own + 1) % self.queues.len()) else { return Some(accepted) };
        next.connections.lock().push(accepted);
        next.waker.wake();
        None
    }
}
