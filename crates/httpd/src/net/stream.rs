//! What carries bytes between the server and one client: a TCP or a unix socket, in clear or with TLS around it.
//!
//! The socket is blocking. Workers use it with `MSG_DONTWAIT` and never wait; the blocking lane uses the same socket with a
//! send timeout. Everything above this file is the same for every kind of connection. A handshake needs no code of its own
//! there: it happens while the first request is received, and its records are the first that are sent.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, recv, send, sendmsg};
use socket2::Socket;

use crate::tls::session::{BURST, Records, Session};

const AT_ONCE: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
/// Records received in one go: three of the largest.
const RECEIVE: usize = 64 * 1024;

/// A connection to a client.
#[derive(Debug)]
pub struct ClientStream {
    socket: Socket,
    layer: Layer,
}

#[derive(Debug)]
enum Layer {
    Plain,
    Secure {
        session: Box<Session>,
        /// Records that have not been sent.
        unsent: Vec<u8>,
    },
    /// TLS was expected, and the client began to speak HTTP.
    PlainHttpOnTlsPort,
}

/// Space for the records of whichever connection a thread is serving, so that none has to hold its own.
struct Scratch {
    incoming: Vec<u8>,
    outgoing: Records,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { incoming: Vec::new(), outgoing: Records::default() });
}

impl ClientStream {
    /// A stream in clear over a socket that was just accepted.
    pub fn new(socket: Socket) -> Self {
        Self { socket, layer: Layer::Plain }
    }

    /// A stream with TLS around it; the client has to begin.
    pub fn secure(socket: Socket, session: Session) -> Self {
        Self { socket, layer: Layer::Secure { session: Box::new(session), unsent: Vec::new() } }
    }

    /// Whether what is sent goes out as it is.
    pub fn is_plain(&self) -> bool {
        !matches!(self.layer, Layer::Secure { .. })
    }

    /// Whether a handshake is awaited that has not begun.
    pub fn is_new(&self) -> bool {
        matches!(&self.layer, Layer::Secure { session, .. } if session.is_new())
    }

    /// Whether data can be sent: no handshake is under way.
    pub fn is_open(&self) -> bool {
        match &self.layer {
            Layer::Secure { session, .. } => session.is_established(),
            Layer::Plain | Layer::PlainHttpOnTlsPort => true,
        }
    }

    /// Whether the client speaks HTTP where TLS was expected.
    pub fn is_plain_http_on_tls_port(&self) -> bool {
        matches!(self.layer, Layer::PlainHttpOnTlsPort)
    }

    /// Whether something that counts as sent has not gone out.
    pub fn has_backlog(&self) -> bool {
        matches!(&self.layer, Layer::Secure { unsent, .. } if !unsent.is_empty())
    }

    /// Receives what has arrived: the number of octets, 0 at the end, `WouldBlock` when there is nothing, `InvalidData` when
    /// it is not what TLS demands; the client was told so then.
    pub fn receive_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return receive_at_once(&self.socket, buffer) };
        let received =
            SCRATCH.with_borrow_mut(|space| receive_records(&self.socket, session, unsent, space, buffer))?;
        match received {
            Received::Opened(count) => Ok(count),
            Received::InClear(count) => {
                self.layer = Layer::PlainHttpOnTlsPort;
                Ok(count)
            }
        }
    }

    /// Sends what goes out at once of `pieces` in order: the number of octets, 0 when the socket is full. With TLS more may
    /// count as sent than has gone out; then there is a [backlog](Self::has_backlog).
    pub fn send_now(&mut self, pieces: &[&[u8]]) -> io::Result<usize> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return send_at_once(&self.socket, pieces) };
        SCRATCH.with_borrow_mut(|Scratch { outgoing, .. }| {
            outgoing.clear();
            outgoing.extend(unsent);
            *unsent = Vec::new();
            let mut sent = 0;
            for piece in pieces {
                let mut left = *piece;
                while !left.is_empty() {
                    if outgoing.bytes().len() >= BURST {
                        dispatch(&self.socket, outgoing, unsent)?;
                        if !unsent.is_empty() {
                            return Ok(sent);
                        }
                    }
                    let count = session.seal(left, outgoing)?;
                    sent += count;
                    left = &left[count..];
                }
            }
            dispatch(&self.socket, outgoing, unsent)?;
            Ok(sent)
        })
    }

    /// Says that nothing more will be sent, and that nothing was cut off.
    pub fn finish_sending(&mut self) {
        self.send_close_notify();
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Says what TLS has to say before a connection is closed; whoever has gone already does not hear it.
    pub fn send_close_notify(&mut self) {
        let Layer::Secure { session, unsent } = &mut self.layer else { return };
        SCRATCH.with_borrow_mut(|Scratch { outgoing, .. }| {
            outgoing.clear();
            outgoing.extend(unsent);
            *unsent = Vec::new();
            let _ = session.finish(outgoing).and_then(|()| dispatch(&self.socket, outgoing, unsent));
        });
    }

    /// What has to be sent for `plain`: how much of it, and as which octets. Records go into `records`, which is used anew;
    /// a backlog comes first.
    pub fn seal<'a>(&mut self, plain: &'a [u8], records: &'a mut Records) -> io::Result<(usize, &'a [u8])> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return Ok((plain.len(), plain)) };
        records.clear();
        records.extend(unsent);
        // A new one: a burst is much for an idle connection to hold.
        *unsent = Vec::new();
        let count = if plain.is_empty() { 0 } else { session.seal(plain, records)? };
        Ok((count, records.bytes()))
    }

    /// How long one send of the blocking lane may wait.
    pub fn set_send_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(timeout))
    }
}

impl AsFd for ClientStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What came in where records were expected, as octets for the server.
enum Received {
    Opened(usize),
    InClear(usize),
}

fn receive_records(
    socket: &Socket,
    session: &mut Session,
    unsent: &mut Vec<u8>,
    Scratch { incoming, outgoing }: &mut Scratch,
    buffer: &mut [u8],
) -> io::Result<Received> {
    incoming.resize(RECEIVE, 0);
    // All that is received has to fit into the buffer once it is opened.
    let kept = session.partial().len();
    let room = incoming.get_mut(kept..buffer.len().min(RECEIVE)).filter(|room| !room.is_empty());
    let count = receive_at_once(socket, room.ok_or(io::ErrorKind::WouldBlock)?)?;
    if count == 0 {
        return Ok(Received::Opened(0));
    }
    if session.is_new() && begins_in_clear(&incoming[..count]) {
        buffer[..count].copy_from_slice(&incoming[..count]);
        return Ok(Received::InClear(count));
    }
    if session.has_failed() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    incoming[..kept].copy_from_slice(session.partial());
    outgoing.clear();
    outgoing.extend(unsent);
    let opened = session.open(&mut incoming[..kept + count], buffer, outgoing);
    if let Ok(opened) = &opened
        && opened.length > 0
    {
        // An answer follows, and takes the records along that end the handshake.
        *unsent = outgoing.bytes().to_vec();
        return Ok(Received::Opened(opened.length));
    }
    dispatch(socket, outgoing, unsent)?;
    match opened {
        Ok(opened) if opened.is_end => Ok(Received::Opened(0)),
        Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// Whether these first octets of a connection are text: a record of a handshake begins with 22 (RFC 8446 section 5.1), a
/// method with a letter.
fn begins_in_clear(arrived: &[u8]) -> bool {
    arrived.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Sends what the socket takes of the records and keeps the rest.
fn dispatch(socket: &Socket, outgoing: &mut Records, unsent: &mut Vec<u8>) -> io::Result<()> {
    let records = outgoing.bytes();
    let sent = if records.is_empty() { 0 } else { send_at_once(socket, &[records])? };
    // A new one, because what is kept here is kept for a slow client, and what is not kept need not be held.
    *unsent = records[sent..].to_vec();
    outgoing.clear();
    Ok(())
}

fn receive_at_once(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

fn send_at_once(socket: &Socket, pieces: &[&[u8]]) -> io::Result<usize> {
    let sent = match pieces {
        [only] => send(socket.as_raw_fd(), only, AT_ONCE),
        several => {
            let slices: Vec<IoSlice> = several.iter().map(|piece| IoSlice::new(piece)).collect();
            sendmsg::<SockaddrIn>(socket.as_raw_fd(), &slices, &[], AT_ONCE, None)
        }
    };
    match sent {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
