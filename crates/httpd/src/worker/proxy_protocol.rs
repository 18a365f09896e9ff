//! Reads the PROXY protocol header, which precedes HTTP and TLS.
//!
//! Exactly the header is taken from the socket; the bytes behind it belong to the next layer.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::connection::Connection;
use crate::proto::proxy_protocol::{self, ParsedProxyHeader};

/// The result of reading a header.
pub(super) enum ProxyHeader {
    /// The header has not arrived completely.
    Partial,
    /// The header is complete; the address of the client, if the header contains one.
    Complete(Option<IpAddr>),
    /// The header is malformed, or the connection broke.
    Failed,
}

/// Reads the header as far as it has arrived, with `input` as buffer.
pub(super) fn read_proxy_header(connection: &mut Connection, input: &mut [u8]) -> ProxyHeader {
    let kept = connection.pending.len();
    input[..kept].copy_from_slice(&connection.pending);
    let fd = connection.stream.as_fd().as_raw_fd();
    let arrived = match recv(fd, &mut input[kept..], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Err(Errno::EAGAIN | Errno::EINTR) => return ProxyHeader::Partial,
        Ok(0) | Err(_) => return ProxyHeader::Failed,
        Ok(count) => kept + count,
    };
    let parsed = proxy_protocol::parse(&input[..arrived]);
    let end = match parsed {
        Ok(ParsedProxyHeader::Partial) => arrived,
        Ok(ParsedProxyHeader::Complete(length, _)) => length,
        Err(malformed) => {
            log::info!("{}: {malformed}", connection.peer);
            return ProxyHeader::Failed;
        }
    };
    if let Err(error) = take(fd, &mut input[kept..end]) {
        log::debug!("{}: {}", connection.peer, common::error::reason(&error));
        return ProxyHeader::Failed;
    }
    if let Ok(ParsedProxyHeader::Complete(_, client)) = parsed {
        connection.pending = Vec::new();
        return ProxyHeader::Complete(client);
    }
    connection.pending = input[..end].to_vec();
    ProxyHeader::Partial
}

/// Takes bytes from the socket that were peeked before.
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
