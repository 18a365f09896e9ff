//! One query to one name server, over UDP, or over TCP if the answer does not fit a datagram.
//!
//! A random identifier and a random port chosen by the kernel protect against forged answers (RFC 5452). Datagrams
//! that do not match are ignored until the time limit.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use common::random;

use crate::proto::dns::{self, DnsReply, DnsReplyError, RecordType};

/// Buffer for a datagram; some servers exceed the [`dns::UDP_SIZE`] that the query announces.
const BUFFER: usize = 4096;
/// Datagrams that do not match before the answers count as forged.
const MAX_STRAYS: usize = 50;

#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// Time limit exceeded.
    #[error("did not answer in time")]
    TimedOut,
    /// The system could not reach the server.
    #[error("cannot be reached: {0}")]
    Io(io::Error),
    /// An answer with an error, or one that cannot be read.
    #[error("gives {0}")]
    DnsReply(DnsReplyError),
    /// Too many datagrams that do not match.
    #[error("sends answers that do not match")]
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

/// Asks `server`, and waits until `end` at most.
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
        // The answer of a server without EDNS (RFC 6891, section 7).
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
        let id = random::bytes().map_err(|error| QueryError::Io(io::Error::other(error)))?;
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
        // A connected socket receives from this server only.
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

    /// Over TCP two bytes with the length precede each message (RFC 7766, section 8).
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
            // TCP has no larger size to fall back to.
            DnsReply::Truncated => Err(QueryError::DnsReply(DnsReplyError::Malformed)),
            reply => Ok(reply),
        }
    }
}

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

/// The remaining time; none is an error.
fn left(end: Instant) -> Result<Duration, QueryError> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(QueryError::TimedOut) } else { Ok(left) }
}
