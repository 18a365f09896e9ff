//! Reports of a run with one target: one set of events, one implementation per output format.
//!
//! `text` is the text of iputils; `json`, `csv` and `graph` are the others. Results go to the given writer, errors of
//! this host to standard error.

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
use crate::probe_state::Foreign;
use crate::proto::extension::Object;
use crate::resolve::{Names, Target};
use crate::single::scheduler::{Answer, Scheduler};
use crate::socket::Socket;

/// A received echo reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyPacket<'a> {
    /// Sequence on the wire.
    pub(crate) wire: u16,
    /// Sender.
    pub(crate) from: SocketAddr,
    /// Time to live or hop limit, where known.
    pub(crate) hops: Option<u8>,
    /// Length of the ICMP message in bytes.
    pub(crate) length: usize,
    /// The payload.
    pub(crate) payload: &'a [u8],
    /// The options of its IPv4 header.
    pub(crate) options: &'a [u8],
}

/// An event of the run.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A probe is about to be sent.
    Sent,
    /// A reply to a probe.
    Reply(&'a Answer, ReplyPacket<'a>),
    /// A packet that looks like a reply but does not belong to this run.
    Foreign(Foreign, ReplyPacket<'a>),
    /// An ICMP error about a probe.
    Error { sequence: u64, from: Option<SocketAddr>, kind: u8, code: u8, words: &'a str, objects: Vec<Object> },
    /// A router named a better next hop.
    Redirect { wire: u16, from: SocketAddr, code: u8, words: &'a str },
    /// No reply within the timeout.
    NoAnswer(u64),
    /// A local error from the error queue; `mtu` is set when the packet was too long.
    Refused { sequence: u64, errno: i32, mtu: u32 },
    /// The send failed on this host.
    NotSent { sequence: u64, cause: &'a io::Error },
    /// Datagrams dropped because the receive buffer was full.
    Overflowed(u64),
    /// The name of the target resolves to another address now; probes go there from here on.
    Resolved { address: SocketAddr, source: IpAddr },
}

/// An output format.
pub(crate) trait Report {
    /// Prints the start of the run.
    fn start(&mut self) -> Result<(), Error>;
    /// Prints an event.
    fn event(&mut self, event: &Event<'_>) -> Result<(), Error>;
    /// Flushes held-back output before the loop sleeps.
    fn rest(&mut self, scheduler: &Scheduler) -> Result<(), Error>;
    /// Prints the end of the run.
    fn summary(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Error>;
}

/// The report for the configured format; `--graph` falls back to text without a terminal.
pub(crate) fn new<'a, W: Write + 'a>(context: ReportContext<'a>, out: W) -> Box<dyn Report + 'a> {
    match context.config.format {
        Format::Json => Box::new(json::Json::new(context, out)),
        Format::Csv => Box::new(csv::Csv::new(context, out)),
        Format::Graph if io::stdout().is_terminal() => Box::new(graph::Graph::new(context, out)),
        Format::Graph | Format::Text => Box::new(text::Text::new(context, out)),
    }
}

/// The facts about a run that all formats need.
pub(crate) struct ReportContext<'a> {
    config: &'a Config,
    target: &'a Target,
    /// Address of the probes; differs from the argument when that was unspecified.
    address: SocketAddr,
    source: IpAddr,
    identifier: u16,
    is_group: bool,
    /// Bytes of options in the IPv4 header of each probe.
    options: usize,
    flow_label: u32,
    names: Names,
    is_colored: bool,
}

impl<'a> ReportContext<'a> {
    /// The context of pinging `target` through `socket`.
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

    /// The flow label in the first line, empty without one.
    fn flow_label(&self) -> String {
        match self.flow_label {
            0 => String::new(),
            label => format!(", flow 0x{label:05x}, "),
        }
    }

    /// `name (address)`, or the address alone.
    ///
    /// The target has the name that was typed, from the first line on; other senders have their reverse name.
    fn shown(&mut self, address: SocketAddr) -> String {
        let number = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => match nix::net::if_::if_indextoname(v6.scope_id()) {
                Ok(zone) => format!("{}%{}", v6.ip(), SafeText(zone.as_bytes())),
                Err(_) => format!("{}%{}", v6.ip(), v6.scope_id()),
            },
            _ => address.ip().to_string(),
        };
        let is_named = !self.target.is_literal && !self.config.numeric;
        let typed = (is_named && address.ip() == self.address.ip()).then_some(self.config.destination.as_str());
        match typed.or_else(|| self.names.name(address.ip())) {
            Some(name) => format!("{} ({number})", SafeText(name.as_bytes())),
            None => number,
        }
    }
}

/// The text of a local send error.
fn refusal(errno: i32, mtu: u32) -> String {
    if errno == libc::EMSGSIZE {
        format!("message too long, mtu={mtu}")
    } else {
        error::reason(&io::Error::from_raw_os_error(errno))
    }
}

/// Prints a status line on standard error.
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
    // A closed standard error is not an error of the run.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Prints an error of this host.
fn complain(what: fmt::Arguments<'_>) {
    // A closed standard error is not an error of the run.
    let _ = writeln!(io::stderr().lock(), "ping: {what}");
}

/// Appends to a string, which cannot fail.
fn put(line: &mut String, what: fmt::Arguments<'_>) {
    let _ = line.write_fmt(what);
}

/// Writes and flushes, so that each line reaches a pipe at once.
fn write(out: &mut impl Write, text: &[u8]) -> Result<(), Error> {
    out.write_all(text).and_then(|()| out.flush()).map_err(Error::output)
}

/// The wall clock, in nanoseconds since 1970.
fn wall() -> Result<u64, Error> {
    Ok(clock::now()?.wall)
}
