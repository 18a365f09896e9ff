//! Telling what happened: one set of events, and one way of printing them for each form of output.
//!
//! `text` has the words of iputils, `json` and `csv` are for programs, `graph` is for people who watch. Results go to the
//! writer given (standard output); what this host itself refuses goes to standard error. Nothing is counted here.

mod csv;
mod graph;
mod histogram;
mod ip_options;
mod json;
mod numbers;
mod text;

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use common::{Error, SafeText, error};
use nix::libc;

use self::numbers::Milliseconds;
use crate::clock;
use crate::config::{Config, Format};
use crate::proto::extension::Object;
use crate::resolve::{Names, Target};
use crate::single::scheduler::{Answer, Scheduler};
use crate::socket::Socket;

/// An echo reply as it came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyPacket<'a> {
    /// Sequence as it was on the wire.
    pub(crate) wire: u16,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// Hops left, where known.
    pub(crate) hops: Option<u8>,
    /// Length of the ICMP message in bytes.
    pub(crate) length: usize,
    /// What came back.
    pub(crate) payload: &'a [u8],
    /// The options of its IPv4 header.
    pub(crate) options: &'a [u8],
}

/// Why a reply is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// It comes from another address than the target.
    Address,
    /// Its payload lacks the code of the probe.
    Code,
    /// No probe with its sequence is remembered.
    Sequence,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A probe is about to leave.
    Sent,
    /// An answer to a probe.
    Reply(&'a Answer, ReplyPacket<'a>),
    /// What looks like an answer but is none.
    Foreign(Foreign, ReplyPacket<'a>),
    /// An ICMP error about a probe.
    Error { sequence: u64, from: Option<SocketAddr>, kind: u8, code: u8, words: &'a str, objects: Vec<Object> },
    /// A router named a better next hop for a probe.
    Redirect { wire: u16, from: SocketAddr, code: u8, words: &'a str },
    /// The time for a reply is over.
    NoAnswer(u64),
    /// This host refused a probe through the error queue; `mtu` says why when it was too long.
    Refused { sequence: u64, errno: i32, mtu: u32 },
    /// This host could not send a probe.
    NotSent { sequence: u64, cause: &'a io::Error },
    /// Datagrams found no room in the receive buffer.
    Overflowed(u64),
    /// The name of the target means another address now, which probes go to from here on.
    Resolved { address: SocketAddr, source: IpAddr },
}

/// A form of output.
pub(crate) trait Report {
    /// The run begins.
    fn start(&mut self) -> Result<(), Error>;
    /// Something happened.
    fn event(&mut self, event: &Event<'_>) -> Result<(), Error>;
    /// Nothing is to be done for a while: what is held back is to be shown.
    fn rest(&mut self, scheduler: &Scheduler) -> Result<(), Error>;
    /// The run is over.
    fn summary(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Error>;
}

/// The report that the configuration asks for; a graph needs a terminal and is text without one.
pub(crate) fn new<'a, W: Write + 'a>(context: ReportContext<'a>, out: W) -> Box<dyn Report + 'a> {
    match context.config.format {
        Format::Json => Box::new(json::Json::new(context, out)),
        Format::Csv => Box::new(csv::Csv::new(context, out)),
        Format::Graph if io::stdout().is_terminal() => Box::new(graph::Graph::new(context, out)),
        Format::Graph | Format::Text => Box::new(text::Text::new(context, out)),
    }
}

/// What every form of output knows about the run.
pub(crate) struct ReportContext<'a> {
    config: &'a Config,
    target: &'a Target,
    /// Address the probes go to; not the typed one when that was unspecified.
    address: SocketAddr,
    source: IpAddr,
    identifier: u16,
    is_group: bool,
    /// Bytes of options in each IPv4 header that is sent.
    options: usize,
    flow_label: u32,
    names: Names,
    is_colored: bool,
}

impl<'a> ReportContext<'a> {
    /// Pinging `target` through `socket`.
    pub(crate) fn new(config: &'a Config, target: &'a Target, socket: &Socket, names: Names) -> Self {
        let mut address = target.address;
        address.set_ip(socket.expected.target);
        Self {
            config,
            target,
            address,
            source: socket.source,
            identifier: socket.expected.identifier,
            is_group: socket.expected.source.is_none(),
            options: socket.options,
            flow_label: socket.flow_label(),
            names,
            is_colored: config.color.applies_to(&io::stdout()),
        }
    }

    /// The flow label for the first line, empty without one.
    fn flow_label(&self) -> String {
        match self.flow_label {
            0 => String::new(),
            label => format!(", flow 0x{label:05x}, "),
        }
    }

    /// `name (address)`, or the address alone.
    fn shown(&mut self, address: SocketAddr) -> String {
        let number = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => match nix::net::if_::if_indextoname(v6.scope_id()) {
                Ok(zone) => format!("{}%{}", v6.ip(), SafeText(zone.as_bytes())),
                Err(_) => format!("{}%{}", v6.ip(), v6.scope_id()),
            },
            _ => address.ip().to_string(),
        };
        match self.names.name(address.ip()) {
            Some(name) => format!("{} ({number})", SafeText(name.as_bytes())),
            None => number,
        }
    }
}

/// The words for a probe that this host refused.
fn refusal(errno: i32, mtu: u32) -> String {
    if errno == libc::EMSGSIZE {
        format!("message too long, mtu={mtu}")
    } else {
        error::reason(&io::Error::from_raw_os_error(errno))
    }
}

/// How it stands, on standard error.
pub(crate) fn status(scheduler: &Scheduler, is_timed: bool) {
    let counts = scheduler.counts();
    let missing = counts.transmitted.saturating_sub(counts.received);
    let loss = (missing * 100).checked_div(counts.transmitted).unwrap_or(0);
    let mut line = format!("\r{}/{} packets, {loss}% loss", counts.received, counts.transmitted);
    if let Some(figures) = scheduler.stats().figures().filter(|_| is_timed) {
        let [minimum, average, moving, maximum] =
            [figures.minimum, figures.average, figures.moving_average, figures.maximum].map(Milliseconds);
        put(&mut line, format_args!(", min/avg/ewma/max = {minimum}/{average}/{moving}/{maximum} ms"));
    }
    line.push('\n');
    // Whoever closed standard error does not want to know.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// A message for people about this host.
fn complain(what: fmt::Arguments<'_>) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr().lock(), "ping: {what}");
}

/// Appends to a string, which cannot fail.
fn put(line: &mut String, what: fmt::Arguments<'_>) {
    let _ = line.write_fmt(what);
}

/// Writes and flushes, so that whoever reads a pipe sees each line at once.
fn write(out: &mut impl Write, text: &[u8]) -> Result<(), Error> {
    out.write_all(text).and_then(|()| out.flush()).map_err(Error::output)
}

/// The wall clock, in nanoseconds since 1970.
fn wall() -> Result<u64, Error> {
    Ok(clock::now()?.wall)
}
