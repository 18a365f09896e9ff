//! A connection to a server: bytes and replies, each step with a deadline, in clear or under TLS.
//!
//! A deadline covers the complete reply or block however many reads it takes (RFC 5321, section 4.5.3.2).

mod connect;
mod deadline_stream;
mod error;
mod proxy;

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use common::{Error, Kind};
use rustls::{ClientConnection, StreamOwned};

use crate::exit_code::PROTOCOL;
use crate::net::address::{HostPort, Peer};
use crate::net::tls::{self, Trust};
use crate::proto::auth::binding::Binding;
use crate::proto::pin::Pin;
use crate::proto::reply::{Reply, ReplyParser};
use deadline_stream::DeadlineStream;

pub use connect::{ConnectOptions, Family, KnownAddresses, ProxyHeader};
pub use error::{ConnectionError, FailedStep};

/// Time limit of the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit for sending `close_notify`.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// Wait for the greeting before a hint is logged: a server that expects TLS at once never greets.
const GREETING_HINT: Duration = Duration::from_secs(10);
/// Bytes read at once; a reply is much shorter.
const READ_BLOCK: usize = 4096;
/// The name of the first step.
const GREETING: &str = "the greeting";

/// Time limits of the user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Replaces the time limit of every step.
    pub timeout: Option<Duration>,
    /// When the whole run must be over.
    pub end: Option<Instant>,
}

impl Limits {
    fn until(self, timeout: Duration) -> Instant {
        let until = Instant::now() + self.timeout.unwrap_or(timeout);
        self.end.map_or(until, |end| end.min(until))
    }
}

#[derive(Debug)]
enum Stream {
    Clear(DeadlineStream),
    Tls(Box<StreamOwned<ClientConnection, DeadlineStream>>),
}

impl Stream {
    fn stream(&mut self) -> &mut DeadlineStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(tls) => &mut tls.sock,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

/// How the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// The version of TLS, such as `TLSv1.3`.
    pub version: String,
    /// Whether the certificate was checked.
    pub verified: bool,
    /// The pin of the server's key.
    pub pin: Option<Pin>,
}

/// Bytes that could not all be written.
#[derive(Debug)]
pub struct WriteError {
    /// The cause.
    pub error: ConnectionError,
    /// How many bytes may have been sent.
    pub written: usize,
}

/// An open connection to a server.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    input: Vec<u8>,
    parser: ReplyParser,
    host: String,
    peer: String,
    loopback: bool,
    limits: Limits,
    encryption: Option<Encryption>,
}

impl Transport {
    /// Connects to the first address of `peer` that answers, or through a proxy.
    pub fn connect(peer: &Peer, options: &ConnectOptions, limits: Limits) -> Result<Self, ConnectionError> {
        Ok(Self::over(connect::connect(peer, None, options, limits)?, peer, limits))
    }

    /// Connects to the first of the known addresses of `server` that answers.
    pub fn connect_to(
        server: &HostPort,
        known: KnownAddresses<'_>,
        options: &ConnectOptions,
        limits: Limits,
    ) -> Result<Self, ConnectionError> {
        let peer = Peer::Tcp(server.clone());
        Ok(Self::over(connect::connect(&peer, Some(known), options, limits)?, &peer, limits))
    }

    fn over(connected: connect::Connected, peer: &Peer, limits: Limits) -> Self {
        Self {
            stream: Stream::Clear(connected.stream),
            input: connected.early,
            parser: ReplyParser::default(),
            host: peer.host().to_owned(),
            peer: peer.to_string(),
            loopback: connected.loopback,
            limits,
            encryption: None,
        }
    }

    /// The peer, as it was given.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The local address of the connection.
    pub fn local_address(&mut self) -> Option<IpAddr> {
        self.stream.stream().local_address().map(|address| address.ip())
    }

    /// Whether messages can be read on the network.
    pub fn is_exposed(&self) -> bool {
        self.encryption.is_none() && !self.loopback
    }

    /// How the connection is encrypted, if it is.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// The channel binding for a login over this connection.
    pub fn binding(&self) -> Option<Binding> {
        match &self.stream {
            Stream::Clear(_) => None,
            Stream::Tls(stream) => tls::binding(&stream.conn),
        }
    }

    /// Starts TLS. Bytes that arrived behind the reply to STARTTLS were injected, or the server is broken: they end the
    /// connection (RFC 3207, section 6).
    pub fn start_tls(&mut self, trust: &Trust) -> Result<(), ConnectionError> {
        let failed = |why: &'static str| Error::new(PROTOCOL, "start TLS with", &self.peer, why);
        if !self.input.is_empty() {
            let failure = failed("it sent clear text behind its reply to STARTTLS; nothing was sent");
            return Err(ConnectionError { failure, step: FailedStep::InjectedBytes });
        }
        let Stream::Clear(clear) = &self.stream else { return Err(failed("TLS is active already").into()) };
        let (mut connection, verified) = tls::client(trust, &self.host, self.loopback)?;
        let mut stream = clear
            .another(self.limits.until(HANDSHAKE_TIMEOUT))
            .map_err(|error| Error::io("start TLS with", &self.peer, error).with_kind(Kind::System))?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut stream) {
                return Err(ConnectionError::handshake(&self.peer, error));
            }
        }
        let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
        let pin = tls::pin_of(&connection);
        let encryption = Encryption { version: version.replace("TLSv1_", "TLSv1."), verified, pin };
        let known = if verified { "certificate checked" } else { "certificate not checked" };
        let key = pin.map(|pin| format!(", its key is {pin}")).unwrap_or_default();
        log::info!("{} with {}, {known}{key}", encryption.version, self.peer);
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, stream)));
        self.encryption = Some(encryption);
        Ok(())
    }

    /// Writes all of `bytes` within `timeout`.
    pub fn send(&mut self, bytes: &[u8], timeout: Duration) -> Result<(), WriteError> {
        self.stream.stream().until = self.limits.until(timeout);
        let (result, written) = match &mut self.stream {
            Stream::Clear(stream) => stream.write_counted(bytes),
            // All of a record may have been sent; TLS does not tell.
            Stream::Tls(tls) => (tls.write_all(bytes).and_then(|()| tls.flush()), bytes.len()),
        };
        result.map_err(|error| {
            let failure = Error::io("send to", &self.peer, error).with_kind(Kind::Temporary);
            WriteError { error: failure.into(), written }
        })
    }

    /// Reads one complete reply within `timeout`.
    pub fn reply(&mut self, timeout: Duration, awaited: &str) -> Result<Reply, ConnectionError> {
        let until = self.limits.until(timeout);
        let allowed = until.saturating_duration_since(Instant::now());
        let hint = self.encryption.is_none() && awaited == GREETING && allowed > GREETING_HINT;
        self.stream.stream().until = if hint { Instant::now() + GREETING_HINT } else { until };
        if self.encryption.is_some() {
            // Session tickets behind the handshake are answered by nothing. Until they are acknowledged, many servers
            // hold back the next reply (RFC 896), which costs the 40 ms of a delayed acknowledgement.
            self.stream.stream().acknowledge_at_once();
        }
        loop {
            if let Some(reply) = self.parsed()? {
                return Ok(reply);
            }
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut && Instant::now() < until => {
                    log::warn!(
                        "{} has not greeted for {}; a server that expects TLS from the first byte never does \
                         (--tls implicit)",
                        self.peer,
                        seconds(GREETING_HINT)
                    );
                    self.stream.stream().until = until;
                }
                Err(error) => return Err(self.no_reply(error, awaited, allowed)),
            }
        }
    }

    /// A reply that was received already; reads nothing.
    pub fn buffered_reply(&mut self) -> Result<Option<Reply>, ConnectionError> {
        self.take_decrypted();
        self.parsed()
    }

    /// A reply that is not awaited; does not wait for one.
    pub fn early_reply(&mut self) -> Result<Option<Reply>, ConnectionError> {
        if let Some(reply) = self.buffered_reply()? {
            return Ok(Some(reply));
        }
        if !self.stream.stream().is_readable() {
            return Ok(None);
        }
        self.stream.stream().until = Instant::now() + Duration::from_millis(1);
        match self.fill() {
            // Under TLS the bytes may be a session ticket, without data.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(self.no_reply(error, "the message", Duration::ZERO)),
            Ok(()) => {}
        }
        self.parsed()
    }

    /// Closes the connection, with `close_notify` under TLS.
    pub fn close(mut self) {
        self.stream.stream().until = Instant::now() + CLOSE_TIMEOUT;
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    }

    /// Data that TLS has decrypted already does not make the socket readable.
    fn take_decrypted(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream {
            let mut block = [0; READ_BLOCK];
            while let Ok(length @ 1..) = tls.conn.reader().read(&mut block) {
                self.input.extend_from_slice(&block[..length]);
            }
        }
    }

    fn parsed(&mut self) -> Result<Option<Reply>, ConnectionError> {
        let (taken, reply) =
            self.parser.push(&self.input).map_err(|error| Error::new(PROTOCOL, "read reply of", &self.peer, error))?;
        self.input.drain(..taken);
        Ok(reply)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut block = [0; READ_BLOCK];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.input.extend_from_slice(&block[..length]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn no_reply(&self, error: io::Error, awaited: &str, allowed: Duration) -> ConnectionError {
        // TLS 1.3 servers report an error of the handshake in place of their next reply.
        if let Some(refused @ rustls::Error::AlertReceived(_)) = error::tls_error(&error) {
            return ConnectionError { failure: tls::explain(&self.peer, refused), step: FailedStep::Handshake };
        }
        let why = match error.kind() {
            io::ErrorKind::TimedOut if awaited == GREETING && self.encryption.is_none() => format!(
                "no complete greeting within {}; a server that expects TLS from the first byte does not greet either (--tls implicit)",
                seconds(allowed)
            ),
            io::ErrorKind::TimedOut => format!("no complete reply to {awaited} within {}", seconds(allowed)),
            io::ErrorKind::UnexpectedEof if awaited == GREETING => {
                "it closed the connection without a greeting".to_owned()
            }
            io::ErrorKind::UnexpectedEof => format!("it closed the connection instead of answering {awaited}"),
            _ => return Error::io("read reply of", &self.peer, error).with_kind(Kind::Temporary).into(),
        };
        Error::new(Kind::Temporary, "read reply of", &self.peer, why).into()
    }
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}
