//! A name server on a loopback port, over UDP and TCP, that knows what a test has told it and misbehaves on request.
//!
//! It writes and reads its bytes itself (RFC 1035, section 4), so it is a second opinion on whoever asks it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::PATIENCE;

const A: u16 = 1;
const CNAME: u16 = 5;
const MX: u16 = 15;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const TLSA: u16 = 52;
/// How often the threads look whether they shall end.
const TICK: Duration = Duration::from_millis(20);

/// What the server knows, and how it behaves.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a misbehaviour of its own")]
pub struct Zone {
    records: Vec<(String, u16, Vec<u8>)>,
    codes: Vec<(String, u8)>,
    authentic: bool,
    truncated: bool,
    silent: bool,
    forged: usize,
    no_edns: bool,
}

impl Zone {
    /// A mail exchanger; `.` is the null MX.
    #[must_use]
    pub fn mx(self, name: &str, preference: u16, exchange: &str) -> Self {
        self.record(name, MX, &[&preference.to_be_bytes()[..], &wire(exchange)].concat())
    }

    /// An address of either family.
    ///
    /// # Panics
    /// When `address` is none.
    #[must_use]
    pub fn address(self, name: &str, address: &str) -> Self {
        match address.parse().expect("an IP address") {
            IpAddr::V4(address) => self.record(name, A, &address.octets()),
            IpAddr::V6(address) => self.record(name, AAAA, &address.octets()),
        }
    }

    /// Another name for a name.
    #[must_use]
    pub fn alias(self, name: &str, target: &str) -> Self {
        self.record(name, CNAME, &wire(target))
    }

    /// A host of a service.
    #[must_use]
    pub fn srv(self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        let numbers = [priority, weight, port].map(u16::to_be_bytes).concat();
        self.record(name, SRV, &[numbers, wire(target)].concat())
    }

    /// A certificate of a service: usage, selector, matching type, bytes.
    #[must_use]
    pub fn tlsa(self, name: &str, parameters: [u8; 3], data: &[u8]) -> Self {
        self.record(name, TLSA, &[&parameters[..], data].concat())
    }

    fn record(mut self, name: &str, kind: u16, data: &[u8]) -> Self {
        self.records.push((name.to_ascii_lowercase(), kind, data.to_vec()));
        self
    }

    /// Questions about this name get only a code: 2 is SERVFAIL, 5 REFUSED.
    #[must_use]
    pub fn fails(mut self, name: &str, code: u8) -> Self {
        self.codes.push((name.to_ascii_lowercase(), code));
        self
    }

    /// Every answer claims to be validated.
    #[must_use]
    pub fn authentic(mut self) -> Self {
        self.authentic = true;
        self
    }

    /// Answers over UDP are cut.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    /// No answer at all.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// So many answers with a wrong number come before the right one.
    #[must_use]
    pub fn forged(mut self, count: usize) -> Self {
        self.forged = count;
        self
    }

    /// Questions with EDNS are not understood.
    #[must_use]
    pub fn without_edns(mut self) -> Self {
        self.no_edns = true;
        self
    }

    /// The answer to a message; `None` for what is no question.
    fn answer(&self, message: &[u8]) -> Option<(String, Vec<u8>)> {
        let (name, end) = read_name(message)?;
        let kind = u16::from_be_bytes([*message.get(end)?, *message.get(end + 1)?]);
        let question = message.get(12..end + 4)?;
        let code = self.codes.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
        let code = if self.no_edns && message.get(11) == Some(&1) { Some(1) } else { code };
        let (records, code) = match code {
            Some(code) => (Vec::new(), code),
            None => self.records_of(&name, kind),
        };
        let count = u16::try_from(records.len()).ok()?;
        let flags = 0x8180 | if self.authentic { 0x20 } else { 0 } | u16::from(code);
        let mut answer =
            [&message[..2], &flags.to_be_bytes(), &[0, 1], &count.to_be_bytes(), &[0; 4], question].concat();
        answer.extend(records.concat());
        Some((format!("{kind} {name}"), answer))
    }

    /// The records in answer to a question, aliases included, and the code.
    fn records_of(&self, name: &str, kind: u16) -> (Vec<Vec<u8>>, u8) {
        let (mut owner, mut found) = (name.to_owned(), Vec::new());
        for _ in 0..20 {
            let own: Vec<_> = self.records.iter().filter(|(known, ..)| *known == owner).collect();
            found.extend(
                own.iter().filter(|(_, known, _)| *known == kind).map(|(_, _, data)| record(&owner, kind, data)),
            );
            let Some((_, _, target)) = own.iter().find(|(_, known, _)| *known == CNAME) else {
                let exists =
                    !own.is_empty() || self.records.iter().any(|(known, ..)| known.ends_with(&format!(".{owner}")));
                return (found, if exists { 0 } else { 3 });
            };
            found.push(record(&owner, CNAME, target));
            owner = read_name(&[&[0; 12], &target[..]].concat()).map(|(name, _)| name).unwrap_or_default();
        }
        (found, 0)
    }
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short record");
    [&wire(owner)[..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

/// A name as it stands in a message.
fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The name behind the header of a message, in lower case, and where it ends.
fn read_name(message: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

struct Shared {
    zone: Zone,
    asked: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl Shared {
    fn answer(&self, message: &[u8], over: &str) -> Option<Vec<u8>> {
        let (asked, answer) = self.zone.answer(message)?;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{over} {asked}"));
        (!self.zone.silent).then_some(answer)
    }
}

/// The server; gone when dropped.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// A server for `zone` on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(zone: Zone) -> Self {
        // The same port must be free for both.
        let (udp, tcp) = (0..50)
            .find_map(|_| {
                let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
                Some((UdpSocket::bind(tcp.local_addr().ok()?).ok()?, tcp))
            })
            .expect("a port that is free for UDP and TCP");
        let address = tcp.local_addr().expect("an address");
        let shared = Arc::new(Shared { zone, asked: Mutex::default(), stopping: AtomicBool::new(false) });
        udp.set_read_timeout(Some(TICK)).expect("a timeout");
        tcp.set_nonblocking(true).expect("no waiting");
        let (one, other) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || serve_udp(&udp, &one)), thread::spawn(move || serve_tcp(&tcp, &other))];
        Self { address, shared, threads }
    }

    /// Where it listens, as `--dns-server` takes it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked, in order: `udp 15 example.com` for an MX.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve_udp(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 1500];
    while !shared.stopping.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some(mut answer) = shared.answer(&buffer[..length], "udp") else { continue };
        for number in 0..shared.zone.forged {
            let mut forged = answer.clone();
            forged[1] = forged[1].wrapping_add(u8::try_from(number % 200).unwrap_or(0) + 1);
            let _ = socket.send_to(&forged, from);
        }
        if shared.zone.truncated {
            answer[2] |= 0x02;
            answer.truncate(length.min(answer.len()));
        }
        let _ = socket.send_to(&answer, from);
    }
}

fn serve_tcp(listener: &TcpListener, shared: &Shared) {
    while !shared.stopping.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let _ = serve_stream(stream, shared);
            }
            Err(_) => thread::sleep(TICK),
        }
    }
}

fn serve_stream(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    if let Some(answer) = shared.answer(&message, "tcp") {
        let length = u16::try_from(answer.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat())?;
    }
    Ok(())
}
