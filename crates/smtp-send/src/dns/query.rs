//! One question to one name server: a datagram and its answer, or the same over TCP when the answer is too long.
//!
//! Each question has a random number and leaves from a port of its own that the kernel picks at random, so that nobody who
//! cannot see it can answer it (RFC 5452). What does not belong to it is passed over until the time is up.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::proto::dns::{self, DnsReply, DnsReplyError, RecordType};

/// More than a datagram that was asked for with [`dns::UDP_SIZE`]; some servers send more than they were allowed to.
const BUFFER: usize = 4096;
/// Somebody who sends this many wrong answers is guessing.
const MAX_STRAYS: usize = 50;

/// Why one server has not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// Nothing came in time.
    #[error("has not answered in time")]
    TimedOut,
    /// The system could not reach it.
    #[error("cannot be asked: {0}")]
    Io(io::Error),
    /// It said something else.
    #[error("gives {0}")]
    DnsReply(DnsReplyError),
    /// Many answers to questions that nobody asked.
    #[error("is drowned in forged answers")]
    Forged,
}

impl From<io::Error> for QueryError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// Asks `server` and waits until `end` at most.
pub(super) fn ask(
    server: SocketAddr,
    name: &str,
    wanted: RecordType,
    end: Instant,
    tcp_only: bool,
) -> Result<DnsReply, QueryError> {
    let query = Query::new(name, wanted)?;
    if tcp_only {
        return query.over_tcp(server, end);
    }
    match query.over_udp(server, end, true)? {
        DnsReply::Truncated => query.over_tcp(server, end),
        // What a server from before EDNS says to it (RFC 6891, section 7).
        DnsReply::Failed("FORMERR" | "NOTIMP" | "BADVERS") => match query.over_udp(server, end, false)? {
            DnsReply::Truncated => query.over_tcp(server, end),
            reply => Ok(reply),
        },
        reply => Ok(reply),
    }
}

struct Query<'a> {
    id: u16,
    name: &'a str,
    wanted: RecordType,
}

impl<'a> Query<'a> {
    fn new(name: &'a str, wanted: RecordType) -> Result<Self, QueryError> {
        let mut id = [0; 2];
        getrandom::fill(&mut id).map_err(|error| QueryError::Io(io::Error::other(error)))?;
        Ok(Self { id: u16::from_be_bytes(id), name, wanted })
    }

    fn bytes(&self, edns: bool) -> Result<Vec<u8>, QueryError> {
        dns::question(self.id, self.name, self.wanted, edns).map_err(QueryError::DnsReply)
    }

    fn over_udp(&self, server: SocketAddr, end: Instant, edns: bool) -> Result<DnsReply, QueryError> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        // From now on the kernel lets nothing in that comes from elsewhere.
        socket.connect(server)?;
        socket.send(&self.bytes(edns)?)?;
        let mut buffer = [0; BUFFER];
        for _ in 0..MAX_STRAYS {
            socket.set_read_timeout(Some(left(end)?))?;
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            match dns::reply(&buffer[..length], self.id, self.name, self.wanted) {
                Ok(reply) => return Ok(reply),
                Err(DnsReplyError::Malformed | DnsReplyError::Foreign) => {}
                Err(error) => return Err(QueryError::DnsReply(error)),
            }
        }
        Err(QueryError::Forged)
    }

    /// Two bytes with the length stand before each message (RFC 7766, section 8).
    fn over_tcp(&self, server: SocketAddr, end: Instant) -> Result<DnsReply, QueryError> {
        let mut stream = TcpStream::connect_timeout(&server, left(end)?)?;
        let question = self.bytes(true)?;
        let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
        stream.set_write_timeout(Some(left(end)?))?;
        stream.write_all(&[&length.to_be_bytes(), &question[..]].concat())?;
        let mut length = [0; 2];
        read_exact(&mut stream, &mut length, end)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        read_exact(&mut stream, &mut message, end)?;
        match dns::reply(&message, self.id, self.name, self.wanted).map_err(QueryError::DnsReply)? {
            // There is no room left to ask for.
            DnsReply::Truncated => Err(QueryError::DnsReply(DnsReplyError::Malformed)),
            reply => Ok(reply),
        }
    }
}

/// Fills `buffer` by `end`, however slowly it comes.
fn read_exact(stream: &mut TcpStream, mut buffer: &mut [u8], end: Instant) -> Result<(), QueryError> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(end)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(QueryError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => buffer = &mut buffer[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The time that is left; no time at all is an error.
fn left(end: Instant) -> Result<Duration, QueryError> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(QueryError::TimedOut) } else { Ok(left) }
}
