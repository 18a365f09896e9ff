//! The loop of ping: read what came, ask the scheduler, do what it says.
//!
//! One thread sleeps in ppoll on the socket, the signals and an absolute deadline. Nothing is parsed here and nothing is
//! decided; the fates live in `pinger`, the words in `report`.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::Failure;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

use crate::clock;
use crate::config::TIMESTAMP;
use crate::pinger::{Action, Pinger};
use crate::proto::arrival::{self, Arrival, Framing};
use crate::proto::{Echo, icmp4, icmp6};
use crate::report::Report;
use crate::signals::{Request, Signals};
use crate::socket::{Datagram, Notice, Socket};

/// Largest datagram that IP can carry.
const LARGEST_DATAGRAM: usize = 65_535;
/// Datagrams read before the schedule is looked at again, so that a flood of replies cannot stop the sending.
const BATCH: usize = 64;

/// Sends and receives until the scheduler says that it is over.
pub(crate) fn run<W: Write>(
    socket: &mut Socket,
    signals: &Signals,
    payload: &[u8],
    pinger: &mut Pinger,
    report: &mut Report<W>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        while let Some(request) = signals.next()? {
            match request {
                Request::Stop => pinger.interrupt(),
                Request::Status => report.status(pinger),
            }
        }
        for _ in 0..BATCH {
            let Some(datagram) = socket.receive(&mut buffer)? else { break };
            let now = clock::now()?;
            // The send stamp of a probe stands in the error queue before its reply is here.
            let (bytes, rest) = buffer.split_at_mut(datagram.length);
            read_notices(socket, rest, pinger, report)?;
            take(socket, &datagram, bytes, now, pinger, report)?;
        }
        read_notices(socket, &mut buffer, pinger, report)?;
        match pinger.step(clock::now()?.steady) {
            Action::Send(sequence) => send(socket, sequence, payload, &mut buffer, pinger, report)?,
            Action::NoAnswer(sequence) => report.no_answer(sequence)?,
            Action::Wait(until) => wait(socket, signals, until)?,
            Action::Finish => return Ok(()),
        }
    }
}

/// Tells scheduler and report what a datagram means, if it is ours.
fn take<W: Write>(
    socket: &Socket,
    datagram: &Datagram,
    bytes: &[u8],
    now: crate::pinger::Moment,
    pinger: &mut Pinger,
    report: &mut Report<W>,
) -> Result<(), Failure> {
    match arrival::read(&socket.expected, datagram.from.ip(), bytes) {
        Some(Arrival::Reply { sequence, ttl, length, payload, intact }) => {
            match pinger.reply(sequence, now, datagram.stamp, intact) {
                Some(answer) => {
                    let hops = ttl.or(datagram.hops);
                    report.reply(&answer, datagram.from, hops, length, payload, intact)
                }
                None => Ok(()),
            }
        }
        Some(Arrival::Redirect { sequence, code, gateway }) => {
            report.redirect(datagram.from, sequence, &icmp4::describe(icmp4::REDIRECT, code, gateway))
        }
        None => Ok(()),
    }
}

/// Empties the error queue; whether anything but send stamps was in it.
fn read_notices<W: Write>(
    socket: &Socket,
    buffer: &mut [u8],
    pinger: &mut Pinger,
    report: &mut Report<W>,
) -> Result<Noticed, Failure> {
    let mut noticed = Noticed::Nothing;
    for _ in 0..BATCH {
        match socket.notice(buffer)? {
            None => break,
            Some(Notice::Sent { sequence, stamp }) => pinger.stamped(sequence, stamp),
            Some(Notice::Local { errno, mtu }) => {
                noticed = Noticed::Refusal;
                pinger.local_error();
                report.local_error(errno, mtu);
            }
            Some(Notice::Icmp { from, kind, code, info, length, about }) => {
                let quoted = buffer.get(..length).and_then(|bytes| Echo::parse(bytes).ok());
                let ours = about == Some(socket.expected.target);
                let Some(echo) = quoted.filter(|echo| ours && echo.identifier == socket.expected.identifier) else {
                    continue;
                };
                if noticed == Noticed::Nothing {
                    noticed = Noticed::OldError;
                }
                let words = match socket.expected.framing {
                    Framing::Icmp6 => icmp6::describe(kind, code, info),
                    Framing::Ip4 | Framing::Icmp4 => icmp4::describe(kind, code, info),
                };
                if pinger.error(echo.sequence).is_some() {
                    report.error(from, echo.sequence, &words)?;
                }
            }
            Some(Notice::Other) => {}
        }
    }
    Ok(noticed)
}

/// What stood in the error queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noticed {
    Nothing,
    /// ICMP errors about earlier probes; the kernel tells each to the next system call, whichever that is.
    OldError,
    /// This host's refusal of the newest packet.
    Refusal,
}

fn send<W: Write>(
    socket: &mut Socket,
    sequence: u64,
    payload: &[u8],
    buffer: &mut [u8],
    pinger: &mut Pinger,
    report: &mut Report<W>,
) -> Result<(), Failure> {
    // The slot and the clock come first: a reply over loopback is there before the send returns.
    let now = clock::now()?;
    pinger.sent(now);
    let mut payload = payload.to_vec();
    if let Some(stamp) = payload.first_chunk_mut::<TIMESTAMP>() {
        let (seconds, rest) = (now.wall / 1_000_000_000, now.wall % 1_000_000_000 / 1_000);
        // As iputils lays out its struct timeval, which packet analysers show as the time of sending.
        let (first, second) = stamp.split_at_mut(TIMESTAMP / 2);
        first.copy_from_slice(&seconds.to_ne_bytes());
        second.copy_from_slice(&rest.to_ne_bytes());
    }
    let echo = Echo {
        identifier: socket.expected.identifier,
        sequence: u16::try_from(sequence & 0xffff).unwrap_or_default(),
        payload: &payload,
    };
    let message = match socket.expected.framing {
        Framing::Icmp6 => icmp6::write_request(&echo),
        Framing::Ip4 | Framing::Icmp4 => icmp4::write_request(&echo),
    };
    let Err(cause) = socket.send(&message) else { return Ok(()) };
    let result = match read_notices(socket, buffer, pinger, report)? {
        Noticed::Refusal => Ok(()),
        Noticed::OldError => socket.send(&message),
        Noticed::Nothing => Err(cause),
    };
    socket.restart_stamps(sequence + 1);
    if let Err(cause) = result {
        pinger.not_sent();
        report.send_failed(&cause);
    }
    Ok(())
}

/// Sleeps until `until`, a signal or something on the socket.
fn wait(socket: &Socket, signals: &Signals, until: Instant) -> Result<(), Failure> {
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
    let mut descriptors =
        [PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut descriptors, Some(left.into()), None) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(Failure::io("wait for", "replies", errno.into())),
    }
}
