//! ICMP sockets: raw with the right to it, else the unprivileged datagram socket (`net.ipv4.ping_group_range`).
//!
//! All options and packet filters are set before the first send. ICMP errors and send stamps are read from the error
//! queue.

pub(crate) mod batch_socket;
mod control;
mod filter;
pub(crate) mod flood;
mod open;
mod options;

use self::control::{Control, address_of};

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use common::{Error, Kind};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, RecvMsg, SockaddrStorage, recvmsg};
use socket2::SockAddr;

use crate::config::{Config, PathMtu};
use crate::family::Family;
use crate::proto::payload_mac::PayloadMac;
use crate::proto::reply::{Expected, Framing};
use crate::single::plan::Pace;

/// Buffer for the control messages of one datagram: about 200 bytes are needed.
const CONTROL_SPACE: usize = 512;

/// `SCM_TSTAMP_SND` (linux/errqueue.h): the driver of the device made the send stamp.
const STAMPED_BY_DEVICE: u32 = 0;
/// Maximum number of datagrams drained before the start.
const MAX_DRAINED: usize = 10_000;

/// Why a socket could not be opened.
pub(crate) struct OpenError {
    pub(crate) error: Error,
    /// Whether the address has no route; another address of the host may have one.
    pub(crate) is_unroutable: bool,
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self { error, is_unroutable: false }
    }
}

/// The socket of a run with one target.
pub(crate) struct Socket {
    descriptor: socket2::Socket,
    destination: SockAddr,
    /// Identifies datagrams of this run.
    pub(crate) expected: Expected,
    /// The source address of the probes.
    pub(crate) source: IpAddr,
    connected: bool,
    /// Computes the MAC in each payload.
    pub(crate) mac: PayloadMac,
    /// Bytes of options in the IPv4 header of each probe.
    pub(crate) options: usize,
    /// Whether the target is a broadcast address.
    pub(crate) is_broadcast: bool,
    /// Whether the kernel stamps sends.
    stamps: bool,
    /// The probe with the kernel's stamp key 0.
    first_key: u64,
}

/// A received datagram.
pub(crate) struct Datagram {
    /// Its length in the caller's buffer.
    pub(crate) length: usize,
    /// The sender.
    pub(crate) from: SocketAddr,
    /// Time to live or hop limit, where known.
    pub(crate) hops: Option<u8>,
    /// The kernel's receive time stamp, in nanoseconds since 1970.
    pub(crate) stamp: Option<u64>,
    /// Datagrams dropped because the receive buffer was full, so far.
    pub(crate) overflowed: Option<u32>,
}

/// The result of a read.
pub(crate) enum Received {
    /// A datagram.
    Datagram(Datagram),
    /// An ICMP error; details are in the error queue.
    Error,
    /// The queue is empty.
    Nothing,
}

/// An entry of the error queue.
#[derive(Debug)]
pub(crate) enum ErrorQueueEntry {
    /// The send stamp of probe `sequence`, from the driver (`has_left`) or from the queue before it, in nanoseconds
    /// since 1970.
    Sent { sequence: u64, stamp: u64, has_left: bool },
    /// An ICMP error; the quoted ICMP message is in the caller's buffer, `extensions` is the offset of the RFC 4884
    /// extensions in it.
    Icmp {
        from: Option<SocketAddr>,
        kind: u8,
        code: u8,
        info: u32,
        length: usize,
        extensions: Option<usize>,
        about: Option<IpAddr>,
    },
    /// A local error; `mtu` is set when the packet was too long.
    Refused { errno: i32, mtu: u32 },
    /// Any other entry.
    Other,
}

/// A socket that was opened and filtered while the process had all rights, before the target is known.
pub(crate) struct PreparedSocket {
    descriptor: socket2::Socket,
    framing: Framing,
    /// The identifier of a raw socket; the kernel chooses that of a datagram socket.
    identifier: Option<u16>,
    /// Finds the route to a target; bound to the interface and the mark of the run.
    route: UdpSocket,
}

impl PreparedSocket {
    /// Opens a socket of `family` and sets all options that do not depend on the target.
    pub(crate) fn open(config: &Config, family: Family) -> Result<Self, Error> {
        let (descriptor, is_raw) = open::any(family, config)?;
        open::bind_interface(&descriptor, config)?;
        options::set_all(&descriptor, config, family)?;
        let framing = Framing::of(family == Family::V6, is_raw);
        let identifier = if is_raw { Some(open::identifier(config)?) } else { None };
        if let Some(identifier) = identifier {
            filter::attach_single(&descriptor, framing, identifier);
        }
        Ok(Self { descriptor, framing, identifier, route: open::route_socket(config, family)? })
    }

    /// Binds the socket towards `target`, whose route is known.
    fn bind(&self, config: &Config, target: SocketAddr, source: IpAddr) -> Result<u16, Error> {
        let bound = config.origin.address.or(config.sticky_source.then_some(source));
        open::bind(&self.descriptor, target, bound, self.identifier, config)
    }
}

impl Socket {
    /// Prepares `socket` for `target`; needs no rights.
    ///
    /// # Errors
    /// With `is_unroutable` set, `socket` may be used for another address of the host.
    pub(crate) fn new(
        socket: &mut Option<PreparedSocket>,
        config: &Config,
        target: SocketAddr,
    ) -> Result<Self, OpenError> {
        let target = open::with_flow_label(config, target)?;
        let Some(prepared) = socket else {
            return Err(Error::of(Kind::Usage, target.ip(), "Address family for hostname not supported").into());
        };
        let open::Route { source, is_broadcast } = open::route(&prepared.route, config, target)?;
        // The unspecified address means this host, which replies from the probed address.
        let target = if target.ip().is_unspecified() { SocketAddr::new(source, 0) } else { target };
        let identifier = prepared.bind(config, target, source)?;
        let is_group = is_broadcast || target.ip().is_multicast();
        if is_broadcast {
            prepared.descriptor.set_broadcast(true).map_err(options::failed("broadcast"))?;
        }
        // Fragments would cost every host of the group.
        let path_mtu = config.path_mtu.or(is_group.then_some(PathMtu::Do));
        options::set_for_target(&prepared.descriptor, target, path_mtu)?;
        let destination = SockAddr::from(target);
        if config.connect {
            prepared.descriptor.connect(&destination).map_err(|cause| Error::io("connect", "", cause))?;
        }
        let Some(PreparedSocket { descriptor, framing, .. }) = socket.take() else { unreachable!("checked above") };
        log::info!("identifier {identifier}, source {source}");
        let answerer = (!is_group).then_some(target.ip());
        let opened = Self {
            descriptor,
            destination,
            expected: Expected { framing, identifier, source: answerer, target: target.ip() },
            source,
            connected: config.connect,
            mac: open::mac()?,
            options: if target.is_ipv4() { options::header_options(config).len() } else { 0 },
            is_broadcast,
            stamps: config.plan.pace != Pace::Flood,
            first_key: 1,
        };
        opened.set_stamps(opened.stamps);
        opened.drain()?;
        Ok(opened)
    }

    /// Reads and ignores datagrams that arrived before the packet filter was set.
    fn drain(&self) -> Result<(), Error> {
        let mut buffer = [0; 1];
        // Bounded: without a filter a raw socket receives every ICMP packet.
        for _ in 0..MAX_DRAINED {
            if let Received::Nothing = self.receive(&mut buffer)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends to another address of the same family from now on.
    pub(crate) fn follow(&mut self, config: &Config, target: SocketAddr) -> Result<(), Error> {
        let destination = SockAddr::from(target);
        if self.connected {
            self.descriptor.connect(&destination).map_err(|cause| Error::io("connect", "", cause))?;
        }
        self.destination = destination;
        self.expected.target = target.ip();
        self.expected.source = self.expected.source.map(|_| target.ip());
        // For display only; with a mark the route may differ, and setting one needs a right dropped before.
        if let Ok(route) = open::fresh_route(config, target) {
            self.source = route.source;
        }
        Ok(())
    }

    /// Number of replies that fit the receive buffer.
    pub(crate) fn room(&self, config: &Config) -> u64 {
        options::room(&self.descriptor, config)
    }

    /// The flow label of each probe; 0 without one.
    pub(crate) fn flow_label(&self) -> u32 {
        let address = self.destination.as_socket_ipv6();
        address.map_or(0, |address| u32::from_be(address.flowinfo()))
    }

    /// Sends one ICMP message.
    pub(crate) fn send(&self, message: &[u8]) -> io::Result<()> {
        let sent = if self.connected {
            self.descriptor.send(message)
        } else {
            self.descriptor.send_to(message, &self.destination)
        };
        sent.map(|_| ())
    }

    /// Restarts the numbering of send stamps at probe `next`; after a failed send the kernel's count is unknown.
    pub(crate) fn restart_stamps(&mut self, next: u64) {
        self.first_key = next;
        self.set_stamps(false);
        self.set_stamps(self.stamps);
    }

    /// Whether the kernel stamps what is sent.
    pub(crate) fn has_stamps(&self) -> bool {
        self.stamps
    }

    /// The next datagram, without waiting.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Error> {
        let mut control = [0; CONTROL_SPACE];
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.descriptor.as_raw_fd();
        let message = match recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(Received::Nothing),
            Err(errno) if is_icmp_error(errno) => return Ok(Received::Error),
            Err(errno) => return Err(Error::io("receive", "replies", errno.into())),
        };
        Ok(datagram(&message).map_or(Received::Nothing, Received::Datagram))
    }

    /// The next entry of the error queue, without waiting; `None` when it is empty.
    pub(crate) fn next_error(&self, buffer: &mut [u8]) -> Result<Option<ErrorQueueEntry>, Error> {
        let mut control = [0; CONTROL_SPACE];
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<SockaddrStorage>(self.descriptor.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(Error::io("receive", "errors", errno.into())),
            };
        Ok(Some(self.meaning(&message)))
    }

    /// What an entry of the error queue says.
    fn meaning(&self, message: &RecvMsg<'_, '_, SockaddrStorage>) -> ErrorQueueEntry {
        let Control { error, offender: from, stamp, .. } = Control::read(message.cmsgs().into_iter().flatten());
        let about = message.address.as_ref().and_then(address_of).map(|address| address.ip());
        let length = message.bytes;
        match (error, stamp) {
            (Some(error), Some(stamp)) if error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING => {
                let has_left = error.ee_info == STAMPED_BY_DEVICE;
                ErrorQueueEntry::Sent { sequence: self.first_key + u64::from(error.ee_data), stamp, has_left }
            }
            (Some(error), _) if error.ee_origin == libc::SO_EE_ORIGIN_LOCAL => {
                ErrorQueueEntry::Refused { errno: error.ee_errno.cast_signed(), mtu: error.ee_info }
            }
            (Some(error), _) if matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6) => {
                // The first half of the data word, struct sock_ee_data_rfc4884; 0 without extensions.
                let [first, second, _, _] = error.ee_data.to_ne_bytes();
                let place = usize::from(u16::from_ne_bytes([first, second]));
                let extensions = (place > 0 && place < length).then_some(place);
                let (kind, code, info) = (error.ee_type, error.ee_code, error.ee_info);
                ErrorQueueEntry::Icmp { from, kind, code, info, length, extensions, about }
            }
            _ => ErrorQueueEntry::Other,
        }
    }

    fn set_stamps(&self, on_sends: bool) {
        let sends = if on_sends { options::SendStamps::DriverOrQueue } else { options::SendStamps::Off };
        options::set_stamps(&self.descriptor, sends);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A message as a datagram; one without a sender's address is none.
fn datagram(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Datagram> {
    let from = message.address.as_ref().and_then(address_of)?;
    let control = Control::read(message.cmsgs().into_iter().flatten());
    let Control { hops, stamp, dropped: overflowed, .. } = control;
    Some(Datagram { length: message.bytes, from, hops, stamp, overflowed })
}

/// Whether a system call on a socket with `IP_RECVERR` tells of an ICMP error about an earlier packet.
pub(crate) fn is_icmp_error(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::ECONNREFUSED
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::ENOPROTOOPT
            | Errno::EMSGSIZE
            | Errno::EPROTO
            | Errno::EACCES
            | Errno::EOPNOTSUPP
            | Errno::EINTR
    )
}
