//! A client between two wake-ups: the socket, what has arrived of the next request, and by when something must happen.
//!
//! An idle connection is no more than this; it holds no buffer.

use std::io;
use std::time::Instant;

use crate::live_reload::EventSubscriber;
use crate::net::connection_limit::ConnectionPermit;
use crate::net::listener::Role;
use crate::net::peer::Peer;
use crate::net::stream::ClientStream;
use crate::net::token_bucket::TokenBucket;
use crate::proto::framing::Drain;

/// One client.
#[derive(Debug)]
pub struct Connection {
    /// What carries its bytes.
    pub stream: ClientStream,
    /// The client.
    pub peer: Peer,
    /// At what kind of listener it came in.
    pub role: Role,
    /// Bytes that have arrived and are no complete request yet.
    pub pending: Vec<u8>,
    /// What the connection is waiting for.
    pub phase: Phase,
    /// When it has waited long enough, in seconds of uptime.
    pub deadline: u32,
    /// What it may still be sent, where there is a limit to that.
    pub bucket: Option<TokenBucket>,
    /// Its slot behind the limiter.
    permit: Option<ConnectionPermit>,
}

/// What a connection is waiting for.
#[derive(Debug)]
pub enum Phase {
    /// The header of the PROXY protocol.
    ProxyHeader,
    /// The end of a TLS handshake.
    Handshake,
    /// The first octet of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// The check of its credentials; the request is complete and has no answer yet.
    LoggingIn,
    /// The rest of a request body that nobody wants; then the next request.
    Draining(Box<Drain>),
    /// Nothing: it is told of events, and what it sends is thrown away. The deadline is that of the next sign of life.
    Streaming(EventSubscriber),
    /// The end: everything was sent, and what still arrives is thrown away, so that the last answer is not lost to a reset.
    Lingering,
}

impl Phase {
    /// What a stream waits for on which nothing has been said.
    pub fn first(stream: &ClientStream) -> Self {
        if stream.is_plain() { Self::Idle } else { Self::Handshake }
    }
}

/// Time for a client to read the last answer and close.
pub const LINGER_SECONDS: u32 = 2;

impl Connection {
    /// A connection that was just accepted.
    pub fn new(stream: ClientStream, peer: Peer, role: Role, permit: Option<ConnectionPermit>, deadline: u32) -> Self {
        let phase = Phase::first(&stream);
        Self { stream, peer, role, pending: Vec::new(), phase, deadline, bucket: None, permit }
    }

    /// Counts as a connection of `peer` from now on; whether there was room.
    pub fn count_for(&mut self, peer: Peer) -> bool {
        self.permit.as_mut().is_none_or(|permit| permit.count_for(peer))
    }

    /// The same with a limit to what it is sent, in octets a second.
    #[must_use]
    pub fn limited_to(mut self, rate: Option<u64>) -> Self {
        self.bucket = rate.map(|rate| TokenBucket::new(rate, Instant::now()));
        self
    }

    /// Whether the client has not begun with anything, so that nobody is cut off when it is closed.
    pub fn is_idle(&self) -> bool {
        match self.phase {
            Phase::ProxyHeader | Phase::Idle => true,
            Phase::Handshake => self.stream.is_new(),
            _ => false,
        }
    }

    /// Whether it only listens for events.
    pub fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Streaming(_))
    }

    /// Sends what goes out at once of `pieces`: the number of octets, 0 when the socket is full or the limit is reached.
    pub fn send_now(&mut self, pieces: &[&[u8]]) -> io::Result<usize> {
        let octets = pieces.iter().map(|piece| piece.len()).sum();
        if self.bucket.as_mut().is_some_and(|bucket| !bucket.allows(octets, Instant::now())) {
            return Ok(0);
        }
        let sent = self.stream.send_now(pieces)?;
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(sent);
        }
        Ok(sent)
    }
}
