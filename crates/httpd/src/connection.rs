//! The state of one client connection between two wake-ups.
//!
//! An idle connection holds no buffer.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, recv};

use crate::live_reload::EventSubscriber;
use crate::net::connection_limit::ConnectionPermit;
use crate::net::listener::Role;
use crate::net::peer::Peer;
use crate::net::stream::ClientStream;
use crate::net::token_bucket::TokenBucket;
use crate::proto::framing::Drain;

/// Time limits and rates of every connection.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Time for the whole head of a request, from its first byte or from the accept.
    pub header_timeout: Duration,
    /// Time between two requests.
    pub idle_timeout: Duration,
    /// Lowest rate at which a client must read, in bytes per second.
    pub min_rate: u64,
    /// Highest rate at which a client is sent data, in bytes per second.
    pub max_rate: Option<u64>,
}

/// One client connection.
#[derive(Debug)]
pub struct Connection {
    /// The byte stream.
    pub stream: ClientStream,
    /// The client.
    pub peer: Peer,
    /// The role of the listener that accepted the connection.
    pub role: Role,
    /// Received bytes that are no complete request yet.
    pub pending: Vec<u8>,
    /// What the connection waits for.
    pub phase: Phase,
    /// When the wait ends, in seconds of uptime.
    pub deadline: u32,
    /// Whether a request was answered.
    pub served: bool,
    /// The batch of the last answer, or of the accept.
    pub last_used: u64,
    /// The rate limit, if there is one.
    pub bucket: Option<TokenBucket>,
    /// Its share of the connection limit, released on drop.
    permit: ConnectionPermit,
}

/// What a connection waits for.
#[derive(Debug)]
pub enum Phase {
    /// The header of the PROXY protocol.
    ProxyHeader,
    /// The end of the TLS handshake.
    Handshake,
    /// The first byte of a request.
    Idle,
    /// The rest of a request head.
    Head,
    /// The verification of credentials; the request is complete and is answered afterwards.
    Verifying,
    /// The rest of a request body that is discarded; then the next request.
    Draining(Box<Drain>),
    /// Server-sent events are sent; received bytes are discarded. The deadline is that of the next keep-alive.
    Streaming(EventSubscriber),
    /// The last response is being sent; then the connection lingers.
    Closing,
    /// Everything was sent. Received bytes are discarded until the client closes, so that no reset destroys the response.
    Lingering,
    /// Nothing: the connection is closed at once.
    Closed,
}

impl Phase {
    /// The phase of a stream on which nothing was received.
    pub fn first(stream: &ClientStream) -> Self {
        if stream.is_plain() { Self::Idle } else { Self::Handshake }
    }
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(
        stream: ClientStream,
        peer: Peer,
        role: Role,
        permit: ConnectionPermit,
        max_rate: Option<u64>,
        deadline: u32,
        batch: u64,
    ) -> Self {
        let bucket = max_rate.map(|rate| TokenBucket::new(rate, Instant::now()));
        let phase = Phase::first(&stream);
        Self {
            stream,
            peer,
            role,
            pending: Vec::new(),
            phase,
            deadline,
            served: false,
            last_used: batch,
            bucket,
            permit,
        }
    }

    /// Counts the connection for `peer` from now on; whether the limit of `peer` allows it.
    pub fn count_for(&mut self, peer: Peer) -> bool {
        self.permit.count_for(peer)
    }

    /// The peer for which the connection is counted.
    pub fn counted(&self) -> Peer {
        self.permit.peer()
    }

    /// Whether the connection is idle and no byte has arrived that is not read yet.
    pub fn is_silent(&self) -> bool {
        let mut byte = [0];
        let arrived = recv(self.stream.as_fd().as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        self.is_idle() && !matches!(arrived, Ok(1..))
    }

    /// Whether no request has begun, so that closing the connection interrupts nothing.
    pub fn is_idle(&self) -> bool {
        match self.phase {
            Phase::ProxyHeader | Phase::Idle => true,
            Phase::Handshake => self.stream.is_new(),
            _ => false,
        }
    }

    /// Whether server-sent events are sent.
    pub fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Streaming(_))
    }

    /// Sends `pieces` in order without waiting; returns the bytes sent, 0 if the socket is full or the rate limit is reached.
    pub fn send_now(&mut self, pieces: &[&[u8]]) -> io::Result<usize> {
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        if self.bucket.as_mut().is_some_and(|bucket| !bucket.allows(bytes, Instant::now())) {
            return Ok(0);
        }
        let sent = self.stream.send_now(pieces)?;
        if let Some(bucket) = &mut self.bucket {
            bucket.spend(sent);
        }
        Ok(sent)
    }
}
