//! What a proxy says at the start of a connection, before HTTP or TLS begins: whose connection it is (PROXY protocol).
//!
//! The header is taken off the socket to the byte: what follows it belongs to whoever reads next.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::{Next, Worker};
use crate::net::peer::Peer;
use crate::proto::proxy_protocol::{self, Parsed};
use crate::worker::connection::{Connection, Phase};

impl Worker {
    /// Reads the header as far as it has arrived; `None` when the connection can go on as that of its client.
    pub(super) fn read_proxy_header(&mut self, connection: &mut Connection) -> Option<Next> {
        let kept = connection.pending.len();
        self.input[..kept].copy_from_slice(&connection.pending);
        let fd = connection.stream.as_fd().as_raw_fd();
        let arrived = match recv(fd, &mut self.input[kept..], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Some(Next::Close),
            Ok(count) => kept + count,
            Err(Errno::EAGAIN | Errno::EINTR) => return Some(Next::Stay),
            Err(_) => return Some(Next::Close),
        };
        let parsed = proxy_protocol::parse(&self.input[..arrived]);
        let end = match parsed {
            Ok(Parsed::Partial) => arrived,
            Ok(Parsed::Complete(length, _)) => length,
            Err(malformed) => {
                log::info!("{}: {malformed}", connection.peer);
                return Some(Next::Close);
            }
        };
        if let Err(error) = take(fd, &mut self.input[kept..end]) {
            log::debug!("{}: {}", connection.peer, common::error::reason(&error));
            return Some(Next::Close);
        }
        let Ok(Parsed::Complete(_, client)) = parsed else {
            connection.pending = self.input[..end].to_vec();
            return Some(Next::Stay);
        };
        connection.pending = Vec::new();
        connection.phase = Phase::first(&connection.stream);
        self.name_client(connection, client.map(Peer::Ip))
    }

    /// From now on the connection is that of `client`, if the proxy knows it, and counts as one of its.
    fn name_client(&mut self, connection: &mut Connection, client: Option<Peer>) -> Option<Next> {
        let client = client?;
        connection.peer = client;
        if connection.count_for(self.handler.counted(client)) {
            return None;
        }
        self.handler.reject_over_limit(&[], client, &mut self.output);
        if !connection.stream.is_open() {
            // A handshake is the dearest answer there is.
            return Some(Next::Close);
        }
        Some(self.flush_and(connection, Next::Linger))
    }
}

/// Takes bytes off the socket that were seen there.
fn take(fd: i32, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = recv(fd, bytes, MsgFlags::MSG_DONTWAIT)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[count..];
    }
    Ok(())
}
