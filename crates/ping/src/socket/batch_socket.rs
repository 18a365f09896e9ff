//! The socket of one address family for many targets: batches of packets, ICMP errors, optional send stamps.
//!
//! On a raw socket `IP_RECVERR` stays off: the error of one target would fail the next send to any other. Errors are
//! received as packets there, and from the error queue of a datagram socket.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use common::Error;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage, getsockopt, recvmmsg, sendmmsg,
    setsockopt, sockopt,
};
use nix::{getsockopt_impl, sockopt_impl};

use super::control::{Control, address_of};
use super::options::{self, SendStamps, failed, optional};
use super::{filter, is_icmp_error, open};
use crate::config::Config;
use crate::family::Family;
use crate::proto::reply::Framing;

/// Number of send stamps the kernel's keys distinguish at a time.
const STAMP_KEYS: u64 = 1 << 16;
/// Datagrams read per system call.
const READ_BATCH: usize = 64;
/// Bytes besides the payload: IP header, options, ICMP header, or the quote of an error.
const HEADROOM: usize = 600;
/// Bytes of control messages per datagram: 120 for time stamp, TTL and drops, 100 more for an error.
const CONTROL_SPACE: usize = 256;
/// Receive buffer requested by root: replies of a quarter of a second.
const RECEIVE_BUFFER: usize = 32 << 20;
/// Receive buffer requested by other users; the kernel may grant less.
const MODEST_BUFFER: usize = 4 << 20;

/// Number of counters in `SO_MEMINFO` and index of the drops (`linux/sock_diag.h`).
const COUNTERS: usize = 9;
const DROPS: usize = 8;

sockopt_impl!(
    /// Memory and drops of a socket.
    MemoryInfo,
    GetOnly,
    libc::SOL_SOCKET,
    SO_MEMINFO,
    [u32; COUNTERS]
);
/// From `asm-generic/socket.h`.
const SO_MEMINFO: libc::c_int = 55;

/// A message to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) number: u64,
    pub(crate) to: SocketAddr,
    pub(crate) message: Vec<u8>,
}

/// A received datagram or event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Incoming<'a> {
    /// A datagram.
    Datagram { bytes: &'a [u8], from: IpAddr, hops: Option<u8>, stamp: Option<u64> },
    /// The kernel's send stamp of probe `number`.
    Sent { number: u64, stamp: u64 },
    /// An ICMP error from the error queue about the quoted message to `target`.
    Error { from: Option<IpAddr>, kind: u8, code: u8, info: u32, target: IpAddr, quoted: &'a [u8] },
    /// Number of datagrams dropped because the receive buffer was full, since the socket was opened.
    Dropped(u32),
}

/// A socket of one address family.
#[derive(Debug)]
pub(crate) struct BatchSocket {
    socket: socket2::Socket,
    pub(crate) framing: Framing,
    /// The identifier of a datagram socket, chosen by the kernel.
    pub(crate) identifier: Option<u16>,
    /// Probe numbers by send stamp key; empty without send stamps.
    keys: Box<[AtomicU64]>,
    next_key: AtomicU64,
}

impl BatchSocket {
    /// Opens the socket with all options except packet filter and send stamps.
    pub(crate) fn open(config: &Config, family: Family) -> Result<Self, Error> {
        let any: SocketAddr = match family {
            Family::V4 => ([0; 4], 0).into(),
            Family::V6 => ([0; 16], 0).into(),
        };
        let (socket, is_raw) = open::any(family, config)?;
        open::bind_interface(&socket, config)?;
        let source = config.origin.address.filter(|address| family.is_of(*address));
        if !is_raw || source.is_some() {
            let local =
                SocketAddr::new(source.unwrap_or(any.ip()), if is_raw { 0 } else { config.identifier.unwrap_or(0) });
            socket.bind(&local.into()).map_err(|cause| Error::io("bind", "", cause))?;
        }
        set_options(&socket, config, family, is_raw)?;
        let local = socket.local_addr().ok().and_then(|address| address.as_socket());
        let framing = Framing::of(family == Family::V6, is_raw);
        let identifier = local.filter(|_| !is_raw).map(|address| address.port());
        Ok(Self { socket, framing, identifier, keys: Box::default(), next_key: AtomicU64::new(0) })
    }

    /// Sets the packet filter for these identifiers; a datagram socket needs none.
    pub(crate) fn expect(&self, first: u16, count: u64) {
        if self.identifier.is_some() {
            return;
        }
        let last = u32::from(first) + u32::try_from(count.saturating_sub(1)).unwrap_or(0);
        filter::attach_multi(&self.socket, self.framing, &(first.into()..=last));
    }

    /// Requests kernel stamps of all sends from now on.
    pub(crate) fn stamp_sends(&mut self) {
        self.keys = (0..STAMP_KEYS).map(|_| AtomicU64::new(0)).collect();
        self.set_stamps(true);
    }

    /// Sends as many messages as the kernel accepts; an error concerns the first.
    pub(crate) fn send(&self, batch: &[Outgoing]) -> nix::Result<usize> {
        let key = self.next_key.load(Ordering::Relaxed);
        for (key, outgoing) in (key..).zip(batch) {
            if let Some(place) = self.keys.get(place(key)) {
                place.store(outgoing.number, Ordering::Relaxed);
            }
        }
        let sent = match self.framing {
            Framing::Ip4 | Framing::Icmp4 => self.send_to(batch, |to| match to {
                SocketAddr::V4(v4) => SockaddrIn::from(v4),
                SocketAddr::V6(_) => SockaddrIn::from(SocketAddrV4::new([0; 4].into(), 0)),
            }),
            Framing::Icmp6 => self.send_to(batch, |to| match to {
                SocketAddr::V6(v6) => SockaddrIn6::from(v6),
                SocketAddr::V4(_) => SockaddrIn6::from(SocketAddrV6::new([0; 16].into(), 0, 0, 0)),
            }),
        };
        match sent {
            Ok(count) => self.next_key.store(key + count as u64, Ordering::Relaxed),
            Err(_) => self.restart_stamps(),
        }
        sent
    }

    fn send_to<S: SockaddrLike + Copy>(&self, batch: &[Outgoing], of: impl Fn(SocketAddr) -> S) -> nix::Result<usize> {
        let slices: Vec<_> = batch.iter().map(|outgoing| [IoSlice::new(&outgoing.message)]).collect();
        let addresses: Vec<_> = batch.iter().map(|outgoing| Some(of(outgoing.to))).collect();
        let mut headers = MultiHeaders::preallocate(batch.len(), None);
        let sent = sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, addresses, [], MsgFlags::MSG_DONTWAIT)?;
        Ok(sent.count())
    }

    /// Passes one batch of received datagrams to `take`, without waiting; returns whether there may be more.
    pub(crate) fn receive(&self, buffer: &mut Buffer, take: &mut dyn FnMut(Incoming<'_>)) -> Result<bool, Error> {
        let stamps = if self.reads_errors() { self.read(buffer, MsgFlags::MSG_ERRQUEUE, take)? } else { false };
        Ok(self.read(buffer, MsgFlags::empty(), take)? || stamps)
    }

    /// Whether the error queue is read: for send stamps, and for ICMP errors of a datagram socket.
    fn reads_errors(&self) -> bool {
        !self.keys.is_empty() || self.identifier.is_some()
    }

    fn read(&self, buffer: &mut Buffer, queue: MsgFlags, take: &mut dyn FnMut(Incoming<'_>)) -> Result<bool, Error> {
        // The kernel reduces the control message space to what it used, so that each call needs fresh headers.
        let mut headers =
            MultiHeaders::<SockaddrStorage>::preallocate(READ_BATCH, Some(Vec::with_capacity(CONTROL_SPACE)));
        let mut slices: Vec<_> =
            buffer.bytes.chunks_exact_mut(buffer.each).map(|space| [IoSliceMut::new(space)]).collect();
        let flags = queue | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_WAITFORONE;
        let messages = match recvmmsg(self.socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
            Ok(messages) => messages,
            // A datagram socket reports each error here once; details are in the error queue.
            Err(errno) if errno == Errno::EAGAIN || self.identifier.is_some() => return Ok(false),
            Err(errno) if is_icmp_error(errno) => return Ok(false),
            Err(errno) => return Err(Error::io("receive", "replies", errno.into())),
        };
        let mut count = 0;
        for message in messages {
            count += 1;
            let from = message.address.as_ref().and_then(address_of).map(|address| address.ip());
            let bytes = message.iovs().next().unwrap_or_default();
            let control = Control::read(message.cmsgs().into_iter().flatten());
            if let Some(dropped) = control.dropped {
                take(Incoming::Dropped(dropped));
            }
            if queue.is_empty() {
                if let Some(from) = from {
                    take(Incoming::Datagram { bytes, from, hops: control.hops, stamp: control.stamp });
                }
            } else if let (Some(error), Some(stamp)) = (&control.error, control.stamp)
                && error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING
            {
                if let Some(number) = self.keys.get(place(error.ee_data.into())) {
                    take(Incoming::Sent { number: number.load(Ordering::Relaxed), stamp });
                }
            } else if let (Some(error), Some(target)) = (control.error, from)
                && matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6)
            {
                let (kind, code, info) = (error.ee_type, error.ee_code, error.ee_info);
                take(Incoming::Error {
                    from: control.offender.map(|address| address.ip()),
                    kind,
                    code,
                    info,
                    target,
                    quoted: bytes,
                });
            }
        }
        Ok(count == READ_BATCH)
    }

    /// Number of datagrams dropped because the receive buffer was full, since the socket was opened.
    ///
    /// The control message for this arrives with the next datagram only, which may never come.
    pub(crate) fn dropped(&self) -> u32 {
        getsockopt(&self.socket, MemoryInfo).map_or(0, |counters| counters[DROPS])
    }

    /// Restarts the numbering of send stamps, because after a failed send the kernel's count is unknown.
    fn restart_stamps(&self) {
        if !self.keys.is_empty() {
            self.next_key.store(0, Ordering::Relaxed);
            self.set_stamps(false);
            self.set_stamps(true);
        }
    }

    fn set_stamps(&self, on_sends: bool) {
        options::set_stamps(&self.socket, if on_sends { SendStamps::Driver } else { SendStamps::Off });
    }
}

impl AsFd for BatchSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Index of a stamp key.
fn place(key: u64) -> usize {
    usize::try_from(key % STAMP_KEYS).unwrap_or_default()
}

/// Buffers for one batch of datagrams.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    each: usize,
}

impl Buffer {
    /// Buffers for replies to requests with this payload length.
    pub(crate) fn new(payload: usize) -> Self {
        let each = payload + HEADROOM;
        Self { bytes: vec![0; each * READ_BATCH], each }
    }
}

fn set_options(socket: &socket2::Socket, config: &Config, family: Family, is_raw: bool) -> Result<(), Error> {
    match family {
        Family::V4 => {
            if !is_raw {
                optional("IP_RECVERR", setsockopt(socket, sockopt::Ipv4RecvErr, &true));
                optional("IP_RECVTTL", setsockopt(socket, sockopt::Ipv4RecvTtl, &true));
            }
            if let Some(ttl) = config.ttl {
                socket.set_ttl_v4(ttl.into()).map_err(failed("TTL"))?;
            }
            if let Some(tos) = config.tclass {
                socket.set_tos_v4(tos.into()).map_err(failed("type of service"))?;
            }
        }
        Family::V6 => {
            if !is_raw {
                optional("IPV6_RECVERR", setsockopt(socket, sockopt::Ipv6RecvErr, &true));
            }
            optional("IPV6_RECVHOPLIMIT", setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true));
            if let Some(ttl) = config.ttl {
                socket.set_unicast_hops_v6(ttl.into()).map_err(failed("hop limit"))?;
            }
            if let Some(class) = config.tclass {
                socket.set_tclass_v6(class.into()).map_err(failed("traffic class"))?;
            }
        }
    }
    if let Some(mark) = config.mark {
        socket.set_mark(mark).map_err(failed("mark"))?;
    }
    if let Some(size) = config.send_buffer {
        socket.set_send_buffer_size(size).map_err(failed("send buffer"))?;
    }
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(MODEST_BUFFER).map_err(failed("receive buffer"))?;
    }
    optional("SO_RXQ_OVFL", setsockopt(socket, sockopt::RxqOvfl, &1));
    options::set_stamps(socket, SendStamps::Off);
    socket.set_nonblocking(true).map_err(failed("non-blocking mode"))
}
