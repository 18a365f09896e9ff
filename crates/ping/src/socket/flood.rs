//! Batches of messages per system call, for a flood: sendmmsg and recvmmsg.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;

use common::Error;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use super::{CONTROL_SPACE, Datagram, Socket, datagram, is_icmp_error};

/// Messages per system call; larger batches gain nothing measurable.
pub(crate) const BATCH: usize = 16;

/// Buffers for a batch, and the datagrams read last.
pub(crate) struct Batch {
    space: Vec<Vec<u8>>,
    arrived: Vec<Datagram>,
}

impl Batch {
    /// Buffers for datagrams of up to `length` bytes; longer ones are truncated.
    pub(crate) fn new(length: usize) -> Self {
        Self { space: vec![vec![0; length]; BATCH], arrived: Vec::with_capacity(BATCH) }
    }

    /// The datagrams read last, each with its bytes.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&Datagram, &[u8])> {
        let pairs = self.arrived.iter().zip(&self.space);
        pairs.map(|(datagram, bytes)| (datagram, bytes.get(..datagram.length).unwrap_or_default()))
    }
}

impl Socket {
    /// Sends messages until one fails; returns the number sent and the error of the next one.
    pub(crate) fn send_batch(&self, messages: &[Vec<u8>]) -> (usize, Option<io::Error>) {
        let slices: Vec<_> = messages.iter().map(|message| [IoSlice::new(message)]).collect();
        let address = if self.connected { None } else { self.destination.as_socket().map(SockaddrStorage::from) };
        let addresses = vec![address; messages.len()];
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(messages.len(), None);
        let fd = self.descriptor.as_raw_fd();
        match sendmmsg(fd, &mut headers, &slices, &addresses, [], MsgFlags::empty()) {
            Ok(sent) => (sent.count(), None),
            Err(errno) => (0, Some(errno.into())),
        }
    }

    /// Reads a batch of datagrams without waiting; returns whether an ICMP error was reported instead.
    pub(crate) fn receive_batch(&self, batch: &mut Batch) -> Result<bool, Error> {
        batch.arrived.clear();
        let control = Vec::with_capacity(CONTROL_SPACE);
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(control));
        let mut slices: Vec<_> = batch.space.iter_mut().map(|space| [IoSliceMut::new(space)]).collect();
        match recvmmsg(self.descriptor.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => batch.arrived.extend(messages.filter_map(|message| datagram(&message))),
            Err(Errno::EAGAIN) => {}
            Err(errno) if is_icmp_error(errno) => return Ok(true),
            Err(errno) => return Err(Error::io("receive", "replies", errno.into())),
        }
        Ok(false)
    }
}
