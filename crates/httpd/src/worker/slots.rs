//! The connections of one worker and their epoll set.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::connection::Connection;
use crate::waker::Waker;

/// epoll data of the waker.
pub(super) const WAKER: u64 = u64::MAX;
/// epoll data of the first listener, above every slot.
pub(super) const FIRST_LISTENER: u64 = 1 << 32;

/// The slots of connections; the number of a slot is its epoll data.
pub(super) struct Slots {
    epoll: Epoll,
    connections: Vec<Option<Connection>>,
    /// Slots without a connection.
    free: Vec<usize>,
}

impl Slots {
    /// No connections; the epoll set contains the waker.
    pub(super) fn new(waker: &Waker) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(waker, EpollEvent::new(EpollFlags::EPOLLIN, WAKER))?;
        Ok(Self { epoll, connections: Vec::new(), free: Vec::new() })
    }

    /// Waits for events; `timeout` in ms.
    pub(super) fn wait(&self, events: &mut [EpollEvent], timeout: u16) -> Result<usize, Errno> {
        self.epoll.wait(events, timeout)
    }

    /// Adds a listener to the epoll set.
    pub(super) fn watch(&self, listener: impl AsFd, flags: EpollFlags, data: u64) -> io::Result<()> {
        Ok(self.epoll.add(listener, EpollEvent::new(flags, data))?)
    }

    /// Removes a listener from the epoll set.
    pub(super) fn unwatch(&self, listener: impl AsFd) {
        let _ = self.epoll.delete(listener);
    }

    /// The number of slots, free ones included.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().flatten()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Connection> {
        self.connections.get_mut(slot)?.as_mut()
    }

    /// Takes a connection out while it is served; the slot stays reserved.
    pub(super) fn take(&mut self, slot: usize) -> Option<Connection> {
        self.connections.get_mut(slot)?.take()
    }

    /// Stores a connection in its slot, or a new one in a free slot.
    pub(super) fn register(&mut self, connection: Connection, slot: Option<usize>) {
        if let Some(slot) = slot {
            self.connections[slot] = Some(connection);
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        match self.epoll.add(&connection.stream, EpollEvent::new(EpollFlags::EPOLLIN, slot as u64)) {
            Ok(()) => self.connections[slot] = Some(connection),
            Err(error) => {
                log::warn!("epoll: {}", common::error::reason(&error.into()));
                self.free.push(slot);
            }
        }
    }

    /// Removes a connection from the epoll set and frees its slot.
    pub(super) fn release(&mut self, connection: &Connection, slot: Option<usize>) {
        if slot.is_some() {
            let _ = self.epoll.delete(&connection.stream);
        }
        self.free(slot);
    }

    /// Frees the slot of a connection that was taken out.
    pub(super) fn free(&mut self, slot: Option<usize>) {
        self.free.extend(slot);
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, slot: usize) {
        if let Some(mut connection) = self.take(slot) {
            connection.stream.send_close_notify();
            self.free(Some(slot));
        }
    }

    /// Ends the TLS sessions of all connections at the end of the process.
    pub(super) fn close_all(&mut self) {
        for connection in self.connections.iter_mut().flatten() {
            connection.stream.send_close_notify();
        }
    }
}
