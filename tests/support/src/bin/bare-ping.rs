//! Upper bound of the speed of a pinger: one thread sends echo requests, one counts replies, without statistics.
//!
//! `bare-ping COUNT BATCH` sends COUNT requests to the addresses from 127.0.0.1 on, BATCH per system call, and prints counts and
//! seconds. tests/bench/ping measures it beside the pingers. A raw socket is required.
//! The receiver polls every 300 microseconds: a wake-up per reply would slow the sender.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::{IoSlice, IoSliceMut};

/// ICMP identifier of the requests.
const IDENTIFIER: u16 = 0xbabe;
/// Bytes of payload, as in ping and fping.
const PAYLOAD: usize = 56;
/// Replies per recvmmsg(2).
const RECEIVE_BATCH: usize = 64;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).context("COUNT BATCH");
    let (count, batch) = (number()?, usize::try_from(number()?)?);
    let socket = open()?;
    let start = Instant::now();
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&socket, count));
        send(&socket, count, batch)?;
        receiver.join().expect("the receiver does not panic")
    })?;
    println!("{count} sent, {received} received, {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn open() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20))?;
    let instruction = SockFilter::new;
    // BPF: length of the IP header to X, then type 0 (echo reply) and the identifier at offset 4.
    socket.attach_filter(&[
        instruction(0xb1, 0, 0, 0),
        instruction(0x50, 0, 0, 0),
        instruction(0x15, 0, 3, 0),
        instruction(0x48, 0, 0, 4),
        instruction(0x15, 0, 1, IDENTIFIER.into()),
        instruction(0x06, 0, 0, 0x4_0000),
        instruction(0x06, 0, 0, 0),
    ])?;
    Ok(socket)
}

fn request(sequence: u32) -> [u8; 8 + PAYLOAD] {
    let mut message = [0; 8 + PAYLOAD];
    message[0] = 8;
    message[4..6].copy_from_slice(&IDENTIFIER.to_be_bytes());
    message[6..8].copy_from_slice(&sequence.to_be_bytes()[2..]);
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    message[2..4].copy_from_slice(&(!folded).to_be_bytes()[2..]);
    message
}

fn send(socket: &Socket, count: u32, batch: usize) -> Result<()> {
    let first = u32::from(Ipv4Addr::LOCALHOST);
    let mut next = 0;
    while next < count {
        let end = count.min(next + u32::try_from(batch)?);
        let messages: Vec<_> = (next..end).map(request).collect();
        let slices: Vec<_> = messages.iter().map(|message| [IoSlice::new(message)]).collect();
        // From 127.0.0.1 to 127.255.255.254.
        let address = |number| SocketAddrV4::new(Ipv4Addr::from(first + number % 0x00ff_fffe), 0);
        let addresses: Vec<_> = (next..end).map(|number| Some(SockaddrIn::from(address(number)))).collect();
        let mut headers = MultiHeaders::preallocate(batch, None);
        let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &addresses, [], MsgFlags::empty())?;
        next += u32::try_from(sent.count())?;
    }
    Ok(())
}

fn receive(socket: &Socket, count: u32) -> Result<u32> {
    let mut received = 0;
    let mut last = Instant::now();
    let mut space = vec![[0; 128]; RECEIVE_BATCH];
    while received < count {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(RECEIVE_BATCH, None);
        let mut slices: Vec<_> = space.iter_mut().map(|space| [IoSliceMut::new(space)]).collect();
        match recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => {
                received += u32::try_from(messages.count())?;
                last = Instant::now();
            }
            // After half a second without a reply, the rest is lost.
            Err(Errno::EAGAIN) if last.elapsed() > Duration::from_millis(500) => break,
            Err(Errno::EAGAIN) => thread::sleep(Duration::from_micros(300)),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(received)
}
