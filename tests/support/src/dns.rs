//! A scripted name server on a loopback port, over UDP and TCP.
//!
//! It has its own codec (RFC 1035, section 4), independent of the resolver under test.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::WAIT_TIMEOUT;

const A: u16 = 1;
const CNAME: u16 = 5;
const MX: u16 = 15;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const TLSA: u16 = 52;
/// Interval at which the threads check for the end of the server.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The records of a name server and its misbehaviour.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent kinds of misbehaviour")]
pub struct Zone {
    records: Vec<(String, u16, Vec<u8>)>,
    rcodes: Vec<(String, u8)>,
    authentic: bool,
    truncated: bool,
    silent: bool,
    forged: usize,
    no_edns: bool,
}

impl Zone {
    /// Adds an MX record; `.` is the null MX (RFC 7505).
    #[must_use]
    pub fn mx(self, name: &str, preference: u16, exchange: &str) -> Self {
        self.record(name, MX, &[&preference.to_be_bytes()[..], &wire_name(exchange)].concat())
    }

    /// Adds an A or AAAA record.
    ///
    /// # Panics
    /// When `address` is no IP address.
    #[must_use]
    pub fn address(self, name: &str, address: &str) -> Self {
        match address.parse().expect("an IP address") {
            IpAddr::V4(address) => self.record(name, A, &address.octets()),
            IpAddr::V6(address) => self.record(name, AAAA, &address.octets()),
        }
    }

    /// Adds a CNAME record.
    #[must_use]
    pub fn cname(self, name: &str, target: &str) -> Self {
        self.record(name, CNAME, &wire_name(target))
    }

    /// Adds an SRV record.
    #[must_use]
    pub fn srv(self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Self {
        let numbers = [priority, weight, port].map(u16::to_be_bytes).concat();
        self.record(name, SRV, &[numbers, wire_name(target)].concat())
    }

    /// Adds a TLSA record; `parameters` are usage, selector and matching type.
    #[must_use]
    pub fn tlsa(self, name: &str, parameters: [u8; 3], data: &[u8]) -> Self {
        self.record(name, TLSA, &[&parameters[..], data].concat())
    }

    fn record(mut self, name: &str, kind: u16, data: &[u8]) -> Self {
        self.records.push((name.to_ascii_lowercase(), kind, data.to_vec()));
        self
    }

    /// Answers queries for this name with a response code only: 2 is SERVFAIL, 5 REFUSED.
    #[must_use]
    pub fn rcode(mut self, name: &str, code: u8) -> Self {
        self.rcodes.push((name.to_ascii_lowercase(), code));
        self
    }

    /// Sets the AD bit (authentic data) in every answer.
    #[must_use]
    pub fn authentic(mut self) -> Self {
        self.authentic = true;
        self
    }

    /// Truncates answers over UDP.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.truncated = true;
        self
    }

    /// Sends no answers.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Sends `count` answers with a wrong id before the right one.
    #[must_use]
    pub fn forged(mut self, count: usize) -> Self {
        self.forged = count;
        self
    }

    /// Answers queries that use EDNS with FORMERR.
    #[must_use]
    pub fn without_edns(mut self) -> Self {
        self.no_edns = true;
        self
    }

    /// The query in text form and the answer to it; `None` for a message that is no query.
    fn answer(&self, message: &[u8]) -> Option<(String, Vec<u8>)> {
        let (name, end) = read_name(message)?;
        let kind = u16::from_be_bytes([*message.get(end)?, *message.get(end + 1)?]);
        let question = message.get(12..end + 4)?;
        let code = self.rcodes.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
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

    /// The records for a query, with the CNAME records on the way, and the response code.
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
    [&wire_name(owner)[..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

/// A name in wire format, without compression.
fn wire_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The name after the header of a message, in lower case, and its end.
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
    queries: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl Shared {
    fn answer(&self, message: &[u8], transport: &str) -> Option<Vec<u8>> {
        let (query, answer) = self.zone.answer(message)?;
        self.queries.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{transport} {query}"));
        (!self.zone.silent).then_some(answer)
    }
}

/// A name server; stopped on drop.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl NameServer {
    /// Starts a server for `zone` on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start(zone: Zone) -> Self {
        // UDP and TCP use the same port.
        let (udp, tcp) = (0..50)
            .find_map(|_| {
                let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
                Some((UdpSocket::bind(tcp.local_addr().ok()?).ok()?, tcp))
            })
            .expect("a port that is free for UDP and TCP");
        let address = tcp.local_addr().expect("an address");
        let shared = Arc::new(Shared { zone, queries: Mutex::default(), stopping: AtomicBool::new(false) });
        udp.set_read_timeout(Some(POLL_INTERVAL)).expect("a timeout");
        tcp.set_nonblocking(true).expect("no waiting");
        let (one, other) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || serve_udp(&udp, &one)), thread::spawn(move || serve_tcp(&tcp, &other))];
        Self { address, shared, threads }
    }

    /// The address of the server, in the form of `--dns-server`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// All queries in order, such as `udp 15 example.com` for an MX record.
    pub fn queries(&self) -> Vec<String> {
        self.shared.queries.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            Err(_) => thread::sleep(POLL_INTERVAL),
        }
    }
}

fn serve_stream(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(WAIT_TIMEOUT))?;
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
