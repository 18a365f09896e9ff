//! Event loop of one target: reads datagrams, asks the scheduler and carries out its actions.
//!
//! One thread sleeps in ppoll on the socket, the signals and an absolute deadline. States are kept in `scheduler`,
//! texts in `report`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::Error;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

use crate::clock;
use crate::config::Config;
use crate::probe_state::{Foreign, integrity_of};
use crate::proto::payload;
use crate::proto::reply::{self, Framing, MatchedMessage};
use crate::proto::{ECHO_HEADER, Echo, extension, icmp_error, icmp4, icmp6};
use crate::resolve::Reresolver;
use crate::rtt::Timestamp;
use crate::signals::{Request, Signals};
use crate::single::report::{self, Event, ReplyPacket, Report};
use crate::single::scheduler::{Action, Scheduler};
use crate::socket::flood::{BATCH, Batch};
use crate::socket::{Datagram, ErrorQueueEntry, Received, Socket};

/// Largest IP datagram.
const MAX_DATAGRAM: usize = 65_535;
/// Datagrams read before the scheduler is asked again, so that a flood of replies cannot stop the sending.
const MAX_READ: usize = 64;
/// Bytes beside the payload of a reply: the longest IPv4 header and the ICMP header.
const AROUND_PAYLOAD: usize = 60 + ECHO_HEADER;
/// Iterations of a flood between two checks of signals and error queue, each of which costs a system call.
const LEAN_TURNS: u64 = 64;

/// The parts of the loop.
pub(crate) struct EventLoop<'a> {
    config: &'a Config,
    socket: &'a mut Socket,
    signals: &'a Signals,
    watch: Option<Reresolver>,
    scheduler: Scheduler,
    report: Box<dyn Report + 'a>,
    buffer: Vec<u8>,
    /// Buffers for the system calls of a flood; `None` otherwise.
    batch: Option<Batch>,
    /// Requests of a flood waiting for a full batch.
    waiting: Vec<Vec<u8>>,
    /// The previous address after a re-resolution, and the last probe sent to it.
    former: Option<(IpAddr, u64)>,
    /// Datagrams dropped by the socket so far.
    overflowed: u32,
}

impl<'a> EventLoop<'a> {
    /// Starts the run; `watch` re-resolves the name of the target.
    pub(crate) fn new(
        config: &'a Config,
        socket: &'a mut Socket,
        signals: &'a Signals,
        watch: Option<Reresolver>,
        mut report: Box<dyn Report + 'a>,
    ) -> Result<Self, Error> {
        // Printed before the clock starts: writing may block.
        report.start()?;
        let scheduler = Scheduler::new(config.plan.clone(), clock::now()?.monotonic);
        let buffer = vec![0; MAX_DATAGRAM];
        let batch = (!socket.has_stamps()).then(|| Batch::new(AROUND_PAYLOAD + config.payload.len()));
        let waiting = Vec::new();
        Ok(Self {
            config,
            socket,
            signals,
            watch,
            scheduler,
            report,
            buffer,
            batch,
            waiting,
            former: None,
            overflowed: 0,
        })
    }

    /// Sends and receives until the scheduler finishes; returns its final state.
    pub(crate) fn run(mut self) -> Result<Scheduler, Error> {
        let mut turn = 0u64;
        let mut was_idle = true;
        loop {
            // While a flood has replies, signals and error queue are checked rarely.
            if was_idle || self.batch.is_none() || turn.is_multiple_of(LEAN_TURNS) {
                self.handle_signals()?;
                self.re_resolve()?;
                self.read_error_queue()?;
            }
            self.receive()?;
            turn += 1;
            was_idle = false;
            // Over a fast path the replies to a batch have arrived by now.
            if self.send_batch()? {
                continue;
            }
            match self.scheduler.step(clock::now()?.monotonic) {
                Action::Send(sequence) => self.send(sequence)?,
                Action::NoAnswer(sequence) => self.report.event(&Event::NoAnswer(sequence))?,
                Action::Wait(until) => {
                    self.report.rest(&self.scheduler)?;
                    self.wait(until)?;
                    was_idle = true;
                }
                Action::Finish => {
                    self.report.summary(&self.scheduler, clock::now()?.monotonic)?;
                    return Ok(self.scheduler);
                }
            }
        }
    }

    /// In a flood, collects the probes that are due and sends them together; returns whether there were any.
    fn send_batch(&mut self) -> Result<bool, Error> {
        if self.batch.is_none() {
            return Ok(false);
        }
        while self.waiting.len() < BATCH {
            match self.scheduler.step(clock::now()?.monotonic) {
                Action::Send(sequence) => {
                    let message = self.begin(sequence)?;
                    self.waiting.push(message);
                }
                Action::NoAnswer(sequence) => self.report.event(&Event::NoAnswer(sequence))?,
                Action::Wait(_) | Action::Finish => break,
            }
        }
        let was_due = !self.waiting.is_empty();
        self.send_waiting()?;
        Ok(was_due)
    }

    fn handle_signals(&mut self) -> Result<(), Error> {
        while let Some(request) = self.signals.next()? {
            match request {
                Request::Stop => self.scheduler.interrupt(),
                Request::Status => report::status(&self.scheduler, self.config.is_timed()),
            }
        }
        Ok(())
    }

    fn re_resolve(&mut self) -> Result<(), Error> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        if let Some(address) = watch.moved(Instant::now()) {
            self.former = Some((self.socket.expected.target, self.scheduler.counts().transmitted));
            self.socket.follow(self.config, address)?;
            self.report.event(&Event::Resolved { address, source: self.socket.source })?;
        }
        Ok(())
    }

    /// Reads all waiting datagrams, each after the send stamps that precede it.
    fn receive(&mut self) -> Result<(), Error> {
        if let Some(mut batch) = self.batch.take() {
            let is_error = self.socket.receive_batch(&mut batch)?;
            for (datagram, bytes) in batch.datagrams() {
                self.take(datagram, bytes, clock::now()?)?;
            }
            self.batch = Some(batch);
            if is_error {
                self.read_error_queue()?;
            }
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..MAX_READ {
            match self.socket.receive(&mut buffer)? {
                Received::Datagram(datagram) => {
                    let now = clock::now()?;
                    let (bytes, rest) = buffer.split_at_mut(datagram.length);
                    // The send stamp of a probe is in the error queue before its reply arrives.
                    self.read_error_queue_into(rest)?;
                    self.take(&datagram, bytes, now)?;
                }
                Received::Error | Received::Nothing => break,
            }
        }
        self.read_error_queue_into(&mut buffer)?;
        self.buffer = buffer;
        Ok(())
    }

    fn read_error_queue(&mut self) -> Result<QueueContent, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let content = self.read_error_queue_into(&mut buffer);
        self.buffer = buffer;
        content
    }

    /// Passes a datagram to scheduler and report if it belongs to this run.
    fn take(&mut self, datagram: &Datagram, bytes: &[u8], now: Timestamp) -> Result<(), Error> {
        if let Some(count) = datagram.overflowed.filter(|count| *count != self.overflowed) {
            let more = count.wrapping_sub(std::mem::replace(&mut self.overflowed, count)).into();
            self.scheduler.overflowed(more);
            self.report.event(&Event::Overflowed(more))?;
        }
        match reply::read(&self.socket.expected, datagram.from.ip(), bytes) {
            Some(MatchedMessage::Reply {
                sequence: wire,
                ttl,
                length,
                payload,
                options,
                is_intact,
                is_from_target,
            }) => {
                let hops = ttl.or(datagram.hops);
                let packet = ReplyPacket { wire, from: datagram.from, hops, length, payload, options };
                self.take_reply(&packet, is_intact, is_from_target, now, datagram.stamp)
            }
            Some(MatchedMessage::Redirect { sequence: wire, code, gateway }) => {
                let words = icmp_error::describe(Framing::Icmp4, icmp4::REDIRECT, code, gateway);
                self.report.event(&Event::Redirect { wire, from: datagram.from, code, words: &words })
            }
            None => Ok(()),
        }
    }

    fn take_reply(
        &mut self,
        packet: &ReplyPacket<'_>,
        is_intact: bool,
        is_from_target: bool,
        now: Timestamp,
        stamp: Option<u64>,
    ) -> Result<(), Error> {
        let Some(sequence) = self.scheduler.probe(packet.wire) else {
            return self.foreign(Foreign::Sequence, packet);
        };
        let expected = &self.socket.expected;
        let target = self.target_of(sequence);
        let is_from_target = is_from_target || (target != expected.target && packet.from.ip() == target);
        let code = self.socket.mac.mac(target, expected.identifier, sequence);
        let compared = payload::compare(&self.config.payload, code, packet.payload);
        let integrity = match integrity_of(compared, is_intact, is_from_target, target.is_ipv6()) {
            Ok(integrity) => integrity,
            Err(why) => return self.foreign(why, packet),
        };
        match self.scheduler.reply(sequence, now, stamp, integrity) {
            Some(answer) => self.report.event(&Event::Reply(&answer, *packet)),
            None => Ok(()),
        }
    }

    /// The address that a probe was sent to; it changes when the name is re-resolved.
    fn target_of(&self, sequence: u64) -> IpAddr {
        let former = self.former.filter(|(_, last)| sequence <= *last);
        former.map_or(self.socket.expected.target, |(address, _)| address)
    }

    fn foreign(&mut self, why: Foreign, packet: &ReplyPacket<'_>) -> Result<(), Error> {
        self.scheduler.foreign();
        self.report.event(&Event::Foreign(why, *packet))
    }

    /// Empties the error queue; returns what it held besides send stamps.
    fn read_error_queue_into(&mut self, buffer: &mut [u8]) -> Result<QueueContent, Error> {
        let mut content = QueueContent::Nothing;
        for _ in 0..MAX_READ {
            let Some(entry) = self.socket.next_error(buffer)? else { break };
            match entry {
                ErrorQueueEntry::Sent { sequence, stamp, has_left } => {
                    self.scheduler.stamped(sequence, stamp, has_left);
                }
                ErrorQueueEntry::Refused { errno, mtu } => {
                    content = QueueContent::Refusal;
                    let sequence = self.scheduler.counts().transmitted;
                    self.scheduler.local_error();
                    self.report.event(&Event::Refused { sequence, errno, mtu })?;
                }
                ErrorQueueEntry::Icmp { from, kind, code, info, length, extensions, about } => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    let is_ours = about == Some(self.socket.expected.target);
                    let echo = Echo::parse(bytes).ok().filter(|_| is_ours);
                    let Some(echo) = echo.filter(|echo| echo.identifier == self.socket.expected.identifier) else {
                        continue;
                    };
                    // A firewall of this host may reject the newest probe with an ICMP error.
                    let newest = self.scheduler.counts().transmitted;
                    if self.scheduler.probe(echo.sequence) == Some(newest) {
                        content = QueueContent::Refusal;
                    } else if content == QueueContent::Nothing {
                        content = QueueContent::OldError;
                    }
                    let added = extensions.and_then(|place| bytes.get(place..)).unwrap_or_default();
                    self.icmp_error(from, (kind, code, info), echo.sequence, added)?;
                }
                ErrorQueueEntry::Other => {}
            }
        }
        Ok(content)
    }

    fn icmp_error(
        &mut self,
        from: Option<SocketAddr>,
        (kind, code, info): (u8, u8, u32),
        wire: u16,
        added: &[u8],
    ) -> Result<(), Error> {
        let Some(sequence) = self.scheduler.error(wire) else { return Ok(()) };
        let words = icmp_error::describe(self.socket.expected.framing, kind, code, info);
        let objects = extension::objects(added);
        self.report.event(&Event::Error { sequence, from, kind, code, words: &words, objects })
    }

    fn send(&mut self, sequence: u64) -> Result<(), Error> {
        let message = self.begin(sequence)?;
        match self.socket.send(&message) {
            Ok(()) => Ok(()),
            Err(cause) => self.send_again(sequence, &message, cause),
        }
    }

    /// Sends the collected probes of a flood; the last one is the newest.
    fn send_waiting(&mut self) -> Result<(), Error> {
        let messages = std::mem::take(&mut self.waiting);
        let newest = self.scheduler.counts().transmitted;
        let mut rest = messages.as_slice();
        while let Some(first) = rest.first() {
            let (sent, refusal) = self.socket.send_batch(rest);
            rest = rest.get(sent..).unwrap_or_default();
            if let Some(cause) = refusal {
                self.send_again(newest + 1 - rest.len() as u64, first, cause)?;
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        self.waiting = messages;
        self.waiting.clear();
        Ok(())
    }

    /// Builds the request `sequence` and records its send time.
    fn begin(&mut self, sequence: u64) -> Result<Vec<u8>, Error> {
        self.report.event(&Event::Sent)?;
        // Recorded before the send: over loopback the reply arrives before the send returns.
        let now = clock::now()?;
        self.scheduler.sent(now);
        Ok(self.message(sequence, now.wall))
    }

    /// Handles a failed send. The error may be about an earlier probe; only then the send is repeated.
    fn send_again(&mut self, sequence: u64, message: &[u8], cause: io::Error) -> Result<(), Error> {
        let result = match self.read_error_queue()? {
            QueueContent::Refusal => Ok(()),
            QueueContent::OldError => self.socket.send(message),
            QueueContent::Nothing => Err(cause),
        };
        self.socket.restart_stamps(sequence + 1);
        self.scheduler.stamps_restarted();
        match result {
            Ok(()) => Ok(()),
            Err(cause) => self.not_sent(sequence, &cause),
        }
    }

    fn not_sent(&mut self, sequence: u64, cause: &io::Error) -> Result<(), Error> {
        self.scheduler.not_sent(sequence);
        self.report.event(&Event::NotSent { sequence, cause })
    }

    /// The request `sequence` with the time `wall` in its payload.
    fn message(&self, sequence: u64, wall: u64) -> Vec<u8> {
        let expected = &self.socket.expected;
        let mut payload = self.config.payload.clone();
        payload::fill(&mut payload, wall, self.socket.mac.mac(expected.target, expected.identifier, sequence));
        let wire = u16::try_from(sequence & 0xffff).unwrap_or_default();
        let echo = Echo { identifier: expected.identifier, sequence: wire, payload: &payload };
        match expected.framing {
            Framing::Icmp6 => icmp6::write_request(&echo),
            Framing::Ip4 | Framing::Icmp4 => icmp4::write_request(&echo),
        }
    }

    /// Sleeps until `until`, a signal or a datagram.
    fn wait(&self, until: Instant) -> Result<(), Error> {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let mut descriptors =
            [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut descriptors, Some(left.into()), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Error::io("wait for", "replies", errno.into())),
        }
    }
}

/// What the error queue held besides send stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueueContent {
    Nothing,
    /// ICMP errors about earlier probes; the kernel reports each at the next system call.
    OldError,
    /// A local error about the newest packet.
    Refusal,
}
