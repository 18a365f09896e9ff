//! The limit that no pinger can pass: one thread sends echo requests, one counts replies, and nobody keeps books.
//!
//! `bare-ping COUNT BATCH` sends COUNT requests to the addresses from 127.0.0.1 on, BATCH in one system call, and prints
//! what it sent, what came back and the seconds it took. The receiver looks for replies every 300 microseconds, because
//! being woken by each would cost the sending side more than the reply itself. The benchmark of ping prints its figures beside those of real
//! programs. It needs the right to open a raw socket.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::{IoSlice, IoSliceMut};

/// Marks our requests among those of others.
const IDENTIFIER: u16 = 0xbabe;
/// As in the programs that it is compared with.
const PAYLOAD: usize = 56;
/// Replies read in one system call.
const READ: usize = 64;

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
    let step = SockFilter::new;
    // Length of the header to X, then: type 0, and our identifier at 4.
    socket.attach_filter(&[
        step(0xb1, 0, 0, 0),
        step(0x50, 0, 0, 0),
        step(0x15, 0, 3, 0),
        step(0x48, 0, 0, 4),
        step(0x15, 0, 1, IDENTIFIER.into()),
        step(0x06, 0, 0, 0x4_0000),
        step(0x06, 0, 0, 0),
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
        // Not to 127.0.0.0, and no further than 127.255.255.254.
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
    let mut space = vec![[0; 128]; READ];
    while received < count {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(READ, None);
        let mut slices: Vec<_> = space.iter_mut().map(|space| [IoSliceMut::new(space)]).collect();
        match recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => {
                received += u32::try_from(messages.count())?;
                last = Instant::now();
            }
            // Nothing for half a second: what is missing was lost.
            Err(Errno::EAGAIN) if last.elapsed() > Duration::from_millis(500) => break,
            Err(Errno::EAGAIN) => thread::sleep(Duration::from_micros(300)),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(received)
}
