//! Upper bound of the throughput of a web server: a fixed response over epoll, without parsing, files and log.
//!
//! `bare-loop PORT BODY THREADS` sends the header fields of httpd and BODY bytes in response to any data, until it is killed.
//! tests/bench/httpd measures it beside the servers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use anyhow::{Context, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::{Domain, Socket, Type};

/// The header fields of httpd, so that client and kernel do the same work for both.
const FIELDS: &str = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/octet-stream\r\n\
    ETag: \"00000000000000000000000000000000\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Ranges: bytes\r\n\
    Cache-Control: no-cache\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse::<usize>().ok()).context("PORT BODY THREADS");
    let (port, body, threads) = (number()?, number()?, number()?);
    let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?));
    let mut response = format!("{FIELDS}Content-Length: {body}\r\n\r\n").into_bytes();
    response.resize(response.len() + body, b'x');
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let response = response.clone();
            thread::spawn(move || serve(address, &response))
        })
        .collect();
    workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
}

fn listener(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn serve(address: SocketAddr, response: &[u8]) -> Result<()> {
    let listener = listener(address)?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX))?;
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut events = [EpollEvent::empty(); 256];
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let ready = epoll.wait(&mut events, u16::MAX)?;
        for event in &events[..ready] {
            if event.data() == u64::MAX {
                while let Ok((stream, _)) = listener.accept() {
                    epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, streams.len() as u64))?;
                    streams.push(Some(stream));
                }
                continue;
            }
            let slot = &mut streams[usize::try_from(event.data())?];
            let Some(stream) = slot else { continue };
            let alive = recv(stream.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok_and(|count| count > 0)
                && send_all(stream, response);
            if !alive {
                *slot = None;
            }
        }
    }
}

/// Sends all bytes, blocking; whether the connection is still open.
fn send_all(stream: &TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match send(stream.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => return false,
        }
    }
    true
}
