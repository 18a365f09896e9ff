//! A client between two wake-ups: the socket, what has arrived of the next request, and by when something must happen.
//!
//! An idle connection is no more than this; it holds no buffer.

use crate::channel::Channel;
use crate::limits::Admission;
use crate::peer::Peer;
use crate::proto::framing::Drain;

/// One client.
#[derive(Debug)]
pub struct Connection {
    /// What carries its bytes.
    pub channel: Channel,
    /// The client.
    pub peer: Peer,
    /// Bytes that have arrived and are no complete request yet.
    pub pending: Vec<u8>,
    /// What the connection is waiting for.
    pub phase: Phase,
    /// When it has waited long enough, in seconds of uptime.
    pub deadline: u32,
    /// Its place behind the door.
    _admission: Option<Admission>,
}

/// What a connection is waiting for.
#[derive(Debug)]
pub enum Phase {
    /// The first octet of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// The check of its credentials; the request is complete and has no answer yet.
    LoggingIn,
    /// The rest of a request body that nobody wants; then the next request.
    Draining(Box<Drain>),
    /// The end: everything was sent, and what still arrives is thrown away, so that the last answer is not lost to a reset.
    Lingering,
}

/// Time for a client to read the last answer and close.
pub const LINGER_SECONDS: u32 = 2;

impl Connection {
    /// A connection that was just accepted.
    pub fn new(channel: Channel, peer: Peer, admission: Option<Admission>, deadline: u32) -> Self {
        Self { channel, peer, pending: Vec::new(), phase: Phase::Idle, deadline, _admission: admission }
    }
}
