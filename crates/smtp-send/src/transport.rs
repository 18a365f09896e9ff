//! The connection: bytes and replies with a deadline for each whole step, in clear or under TLS.
//!
//! A deadline covers the complete reply or block, however many reads it takes, so a server that drips one byte a minute
//! is ended like one that is silent (RFC 5321, section 4.5.3.2). This file knows nothing of the dialogue.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use common::{Failure, Kind};
use rustls::{ClientConnection, StreamOwned};

use crate::proto::reply::{Reply, ReplyParser};
use crate::server::HostPort;
use crate::tls::{self, Trust};

/// For one address of the server; the next one may answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// A handshake is a few packets and some arithmetic.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(60);
/// For saying goodbye; nobody needs it.
const CLOSE_PATIENCE: Duration = Duration::from_millis(200);
/// Bytes read at once: a reply is much shorter.
const READ_BLOCK: usize = 4096;

/// Which addresses of a host may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// What the user allows, besides the patience of each step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// In place of the patience of every step.
    pub timeout: Option<Duration>,
    /// When everything must be over.
    pub end: Option<Instant>,
}

impl Limits {
    fn until(self, patience: Duration) -> Instant {
        let until = Instant::now() + self.timeout.unwrap_or(patience);
        self.end.map_or(until, |end| end.min(until))
    }
}

/// A socket whose reads and writes fail at a deadline.
#[derive(Debug)]
struct Timed {
    tcp: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

/// A socket timeout is reported as "would block".
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        self.tcp.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        self.tcp.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

#[derive(Debug)]
enum Stream {
    Clear(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Stream {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Clear(timed) => timed,
            Self::Tls(tls) => &mut tls.sock,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(timed) => timed.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(timed) => timed.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }
}

/// How the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// For people: `TLSv1.3`.
    pub version: String,
    /// Whether the certificate was checked.
    pub verified: bool,
}

/// An open connection to a server.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    input: Vec<u8>,
    parser: ReplyParser,
    host: String,
    peer: String,
    address: SocketAddr,
    limits: Limits,
    encryption: Option<Encryption>,
}

impl Transport {
    /// Connects to the first address of `server` that answers.
    pub fn connect(server: &HostPort, family: Family, limits: Limits) -> Result<Self, Failure> {
        let mut last = None;
        for address in resolve(server, family)? {
            let until = limits.until(CONNECT_PATIENCE);
            let patience = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            log::info!("connecting to {address}");
            match TcpStream::connect_timeout(&address, patience).and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp)) {
                Ok(tcp) => {
                    return Ok(Self {
                        stream: Stream::Clear(Timed { tcp, until }),
                        input: Vec::new(),
                        parser: ReplyParser::default(),
                        host: server.host.clone(),
                        peer: server.to_string(),
                        address,
                        limits,
                        encryption: None,
                    });
                }
                Err(error) => {
                    let failure = Failure::io("connect to", shown(server, address), error);
                    last = Some(failure.with_kind(Kind::Temporary));
                }
            }
        }
        Err(last
            .unwrap_or_else(|| Failure::new(Kind::UnknownHost, "", &server.host, "no address of the wanted family")))
    }

    /// Host and port as they were typed.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Our own address on this connection.
    pub fn local_address(&mut self) -> Option<IpAddr> {
        self.stream.timed().tcp.local_addr().ok().map(|address| address.ip())
    }

    /// Whether the peer is this machine.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Whether others on the way can read what is sent.
    pub fn is_exposed(&self) -> bool {
        self.encryption.is_none() && !self.is_loopback()
    }

    /// How the connection is encrypted, if it is.
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// Starts TLS. Bytes that came before it and were not asked for are an attack or a broken server.
    pub fn start_tls(self, trust: &Trust) -> Result<Self, Failure> {
        if !self.input.is_empty() {
            let why = "it sent bytes in clear behind its answer to STARTTLS; nothing was sent";
            return Err(Failure::new(Kind::Protocol, "start TLS with", &self.peer, why));
        }
        let loopback = self.is_loopback();
        let (mut connection, verified) = tls::client(trust, &self.host, loopback)?;
        let Stream::Clear(mut timed) = self.stream else {
            return Err(Failure::new(Kind::Protocol, "start TLS with", &self.peer, "TLS is there already"));
        };
        timed.until = self.limits.until(HANDSHAKE_PATIENCE);
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut timed) {
                return Err(handshake_failed(&self.peer, error));
            }
        }
        let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
        let encryption = Encryption { version: version.replace("TLSv1_", "TLSv1."), verified };
        let known = if verified { "certificate checked" } else { "certificate not checked" };
        log::info!("{} with {}, {known}", encryption.version, self.peer);
        let stream = Stream::Tls(Box::new(StreamOwned::new(connection, timed)));
        Ok(Self { stream, encryption: Some(encryption), ..self })
    }

    /// Writes all of `bytes` within `patience`.
    pub fn send(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Failure> {
        self.stream.timed().until = self.limits.until(patience);
        self.stream
            .write_all(bytes)
            .map_err(|error| Failure::io("send to", &self.peer, error).with_kind(Kind::Temporary))
    }

    /// Reads one reply within `patience`, all its lines together.
    pub fn reply(&mut self, patience: Duration, awaited: &str) -> Result<Reply, Failure> {
        let until = self.limits.until(patience);
        let allowed = until.saturating_duration_since(Instant::now());
        self.stream.timed().until = until;
        loop {
            if let Some(reply) = self.parsed()? {
                return Ok(reply);
            }
            if let Err(error) = self.fill() {
                return Err(self.no_reply(error, awaited, allowed));
            }
        }
    }

    /// A reply that is there although none is awaited; does not wait for one.
    pub fn early_reply(&mut self) -> Result<Option<Reply>, Failure> {
        // It may have come together with the last one.
        if let Some(reply) = self.parsed()? {
            return Ok(Some(reply));
        }
        if !self.is_readable() {
            return Ok(None);
        }
        self.stream.timed().until = Instant::now() + Duration::from_millis(1);
        match self.fill() {
            // Under TLS what has arrived may be no data at all, such as a session ticket.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(self.no_reply(error, "the message", Duration::ZERO)),
            Ok(()) => {}
        }
        self.parsed()
    }

    /// Says goodbye to TLS and closes.
    pub fn close(mut self) {
        self.stream.timed().until = Instant::now() + CLOSE_PATIENCE;
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    }

    fn is_readable(&mut self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        let timed = self.stream.timed();
        let mut waiting = [PollFd::new(timed.tcp.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    fn parsed(&mut self) -> Result<Option<Reply>, Failure> {
        let wrong = |error| Failure::new(Kind::Protocol, "read reply of", &self.peer, error);
        let (taken, reply) = self.parser.push(&self.input).map_err(wrong)?;
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

    fn no_reply(&self, error: io::Error, awaited: &str, allowed: Duration) -> Failure {
        let why = match error.kind() {
            io::ErrorKind::TimedOut if awaited == "the greeting" && self.encryption.is_none() => format!(
                "no complete greeting within {}; a server that expects TLS from the first byte is silent too (--tls implicit)",
                seconds(allowed)
            ),
            io::ErrorKind::TimedOut => format!("no complete reply to {awaited} within {}", seconds(allowed)),
            io::ErrorKind::UnexpectedEof if awaited == "the greeting" => "it closed the connection at once".to_owned(),
            io::ErrorKind::UnexpectedEof => format!("it closed the connection instead of answering {awaited}"),
            _ => return Failure::io("read reply of", &self.peer, error).with_kind(Kind::Temporary),
        };
        Failure::new(Kind::Temporary, "read reply of", &self.peer, why)
    }
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

fn handshake_failed(peer: &str, error: io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => tls::explain(peer, inner),
        None => Failure::io("start TLS with", peer, error).with_kind(Kind::Temporary),
    }
}

/// `host:25`, with the address behind it when the two differ.
fn shown(server: &HostPort, address: SocketAddr) -> String {
    if server.to_string() == address.to_string() { server.to_string() } else { format!("{server} ({})", address.ip()) }
}

fn resolve(server: &HostPort, family: Family) -> Result<Vec<SocketAddr>, Failure> {
    let found = (server.host.as_str(), server.port).to_socket_addrs().map_err(|error| {
        // The C library's words are all that std passes on.
        let text = error.to_string();
        let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned();
        let kind = if why.contains("Temporary") { Kind::Temporary } else { Kind::UnknownHost };
        Failure::new(kind, "", &server.host, why)
    })?;
    Ok(found
        .filter(|address| match family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        })
        .collect())
}
