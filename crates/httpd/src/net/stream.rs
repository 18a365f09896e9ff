//! The byte stream of one client: a TCP or unix socket, in clear or with TLS.
//!
//! The socket is in blocking mode. Workers use it with `MSG_DONTWAIT` and never wait; the blocking pool uses it with a send
//! timeout. The TLS handshake happens while the first request is received.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn, recv, send, sendmsg};
use socket2::Socket;

use crate::tls::session::{BURST, Records, Session};

const NO_WAIT: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);
/// Bytes of TLS records received at a time: three records of the largest size.
const RECEIVE_SIZE: usize = 64 * 1024;

/// The byte stream of one client.
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
        /// Records that are not sent yet.
        unsent: Vec<u8>,
    },
    /// The client sent HTTP in clear instead of TLS.
    PlainHttpOnTlsPort,
}

/// Buffers for the records of the connection that a thread is serving, so that idle connections hold none.
struct Scratch {
    incoming: Vec<u8>,
    outgoing: Records,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { incoming: Vec::new(), outgoing: Records::default() });
}

impl ClientStream {
    /// A stream in clear.
    pub fn new(socket: Socket) -> Self {
        Self { socket, layer: Layer::Plain }
    }

    /// A stream with TLS before the handshake.
    pub fn secure(socket: Socket, session: Session) -> Self {
        Self { socket, layer: Layer::Secure { session: Box::new(session), unsent: Vec::new() } }
    }

    /// Whether bytes are sent in clear.
    pub fn is_plain(&self) -> bool {
        !matches!(self.layer, Layer::Secure { .. })
    }

    /// Whether the TLS handshake has not begun.
    pub fn is_new(&self) -> bool {
        matches!(&self.layer, Layer::Secure { session, .. } if session.is_new())
    }

    /// Whether data can be sent: without TLS, or after the handshake.
    pub fn is_open(&self) -> bool {
        match &self.layer {
            Layer::Secure { session, .. } => session.is_established(),
            Layer::Plain | Layer::PlainHttpOnTlsPort => true,
        }
    }

    /// Whether the client sent HTTP in clear instead of TLS.
    pub fn is_plain_http_on_tls_port(&self) -> bool {
        matches!(self.layer, Layer::PlainHttpOnTlsPort)
    }

    /// Whether records of data that counts as sent are not sent yet.
    pub fn has_backlog(&self) -> bool {
        matches!(&self.layer, Layer::Secure { unsent, .. } if !unsent.is_empty())
    }

    /// Receives without waiting: the number of bytes, 0 at the end of the stream. `WouldBlock` if nothing has arrived;
    /// `InvalidData` for a TLS error, after which the alert was sent.
    pub fn receive_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return receive_no_wait(&self.socket, buffer) };
        let received =
            SCRATCH.with_borrow_mut(|scratch| receive_records(&self.socket, session, unsent, scratch, buffer))?;
        match received {
            Received::Opened(count) => Ok(count),
            Received::InClear(count) => {
                self.layer = Layer::PlainHttpOnTlsPort;
                Ok(count)
            }
        }
    }

    /// Sends `pieces` in order without waiting: the number of bytes, 0 if the socket is full. With TLS, bytes may count as
    /// sent whose records are in the [backlog](Self::has_backlog).
    pub fn send_now(&mut self, pieces: &[&[u8]]) -> io::Result<usize> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return send_no_wait(&self.socket, pieces) };
        SCRATCH.with_borrow_mut(|Scratch { outgoing, .. }| {
            outgoing.clear();
            outgoing.extend(unsent);
            *unsent = Vec::new();
            let mut sent = 0;
            for piece in pieces {
                let mut left = *piece;
                while !left.is_empty() {
                    if outgoing.bytes().len() >= BURST {
                        send_records(&self.socket, outgoing, unsent)?;
                        if !unsent.is_empty() {
                            return Ok(sent);
                        }
                    }
                    let count = session.encrypt(left, outgoing)?;
                    sent += count;
                    left = &left[count..];
                }
            }
            send_records(&self.socket, outgoing, unsent)?;
            Ok(sent)
        })
    }

    /// Ends sending: `close_notify`, then shutdown(2).
    pub fn finish_sending(&mut self) {
        self.send_close_notify();
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Sends the `close_notify` alert of TLS; errors are ignored.
    pub fn send_close_notify(&mut self) {
        let Layer::Secure { session, unsent } = &mut self.layer else { return };
        SCRATCH.with_borrow_mut(|Scratch { outgoing, .. }| {
            outgoing.clear();
            outgoing.extend(unsent);
            *unsent = Vec::new();
            let _ = session.finish(outgoing).and_then(|()| send_records(&self.socket, outgoing, unsent));
        });
    }

    /// Encrypts the beginning of `plain` into `records`, behind the backlog: the number of bytes, and the bytes to be sent.
    pub fn seal<'a>(&mut self, plain: &'a [u8], records: &'a mut Records) -> io::Result<(usize, &'a [u8])> {
        let Layer::Secure { session, unsent } = &mut self.layer else { return Ok((plain.len(), plain)) };
        records.clear();
        records.extend(unsent);
        // A new allocation, because an idle connection must not hold a large buffer.
        *unsent = Vec::new();
        let count = if plain.is_empty() { 0 } else { session.encrypt(plain, records)? };
        Ok((count, records.bytes()))
    }

    /// Sets the longest wait of one blocking send.
    pub fn set_send_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(timeout))
    }
}

impl AsFd for ClientStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Bytes received on a stream with TLS.
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
    incoming.resize(RECEIVE_SIZE, 0);
    // The decrypted data must fit into the buffer.
    let kept = session.partial().len();
    let room = incoming.get_mut(kept..buffer.len().min(RECEIVE_SIZE)).filter(|room| !room.is_empty());
    let count = receive_no_wait(socket, room.ok_or(io::ErrorKind::WouldBlock)?)?;
    if count == 0 {
        return Ok(Received::Opened(0));
    }
    if session.is_new() && is_plain_http(&incoming[..count]) {
        buffer[..count].copy_from_slice(&incoming[..count]);
        return Ok(Received::InClear(count));
    }
    if session.has_failed() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    incoming[..kept].copy_from_slice(session.partial());
    outgoing.clear();
    outgoing.extend(unsent);
    let opened = session.decrypt(&mut incoming[..kept + count], buffer, outgoing);
    if let Ok(opened) = &opened
        && opened.length > 0
    {
        // The records that end the handshake are sent with the response.
        *unsent = outgoing.bytes().to_vec();
        return Ok(Received::Opened(opened.length));
    }
    send_records(socket, outgoing, unsent)?;
    match opened {
        Ok(opened) if opened.is_end => Ok(Received::Opened(0)),
        Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// Whether a connection begins with text instead of a handshake record, whose first byte is 22 (RFC 8446, section 5.1).
fn is_plain_http(received: &[u8]) -> bool {
    received.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Sends records without waiting and keeps the rest in `unsent`.
fn send_records(socket: &Socket, outgoing: &mut Records, unsent: &mut Vec<u8>) -> io::Result<()> {
    let records = outgoing.bytes();
    let sent = if records.is_empty() { 0 } else { send_no_wait(socket, &[records])? };
    // A new allocation, so that the buffer is as small as the rest.
    *unsent = records[sent..].to_vec();
    outgoing.clear();
    Ok(())
}

fn receive_no_wait(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    match recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

fn send_no_wait(socket: &Socket, pieces: &[&[u8]]) -> io::Result<usize> {
    let sent = match pieces {
        [only] => send(socket.as_raw_fd(), only, NO_WAIT),
        several => {
            let slices: Vec<IoSlice> = several.iter().map(|piece| IoSlice::new(piece)).collect();
            sendmsg::<SockaddrIn>(socket.as_raw_fd(), &slices, &[], NO_WAIT, None)
        }
    };
    match sent {
        Ok(count) => Ok(count),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
