//! The text of ping, word for word as iputils prints it in the C locale, so that whoever reads it notices no change.
//!
//! Results go to the writer given (standard output), one flushed line at a time; what the host itself refuses goes to
//! standard error. Names from DNS are escaped. Nothing is counted here.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use common::{Failure, SafeText, error};
use nix::libc;

use crate::clock;
use crate::config::{Config, Origin, TIMESTAMP};
use crate::pinger::{Answer, Pinger, Verdict};
use crate::proto::ECHO_HEADER;
use crate::resolve::{Names, Target};
use crate::socket::Socket;

/// IPv4 header and ICMP header, for the size in the first line.
const HEADERS: usize = 28;

/// Writes the lines of one run.
pub(crate) struct Report<'a, W> {
    config: &'a Config,
    target: &'a Target,
    /// Address the probes go to; not the typed one when that was unspecified.
    address: SocketAddr,
    source: IpAddr,
    identifier: u16,
    is_group: bool,
    names: Names,
    out: W,
}

impl<'a, W: Write> Report<'a, W> {
    /// A report about pinging `target` through `socket`.
    pub(crate) fn new(config: &'a Config, target: &'a Target, socket: &Socket, names: Names, out: W) -> Self {
        let mut address = target.address;
        address.set_ip(socket.expected.target);
        Self {
            config,
            target,
            address,
            source: socket.source,
            identifier: socket.expected.identifier,
            is_group: socket.expected.source.is_none(),
            names,
            out,
        }
    }

    /// The first lines: the pattern, and what is pinged with how much.
    pub(crate) fn header(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        if let Some(pattern) = self.config.pattern.as_ref().filter(|_| !self.config.quiet) {
            line.push_str("PATTERN: 0x");
            for byte in pattern {
                put(&mut line, format_args!("{byte:02x}"));
            }
            line.push('\n');
        }
        let Origin { address, interface } = &self.config.origin;
        let from = match interface {
            Some(name) => {
                let name = SafeText(name.as_bytes());
                let is_local = matches!(address, Some(IpAddr::V6(v6)) if v6.is_unicast_link_local());
                let zone = if is_local { format!("%{name}") } else { String::new() };
                format!("from {}{zone} {name}: ", self.source)
            }
            None if address.is_some() => format!("from {} : ", self.source),
            None => String::new(),
        };
        let size = self.config.payload.len();
        let name = SafeText(self.target.name.as_bytes());
        if self.address.is_ipv4() {
            let ip = self.address.ip();
            put(&mut line, format_args!("PING {name} ({ip}) {from}{size}({}) bytes of data.\n", size + HEADERS));
        } else {
            let shown = self.shown(self.address);
            put(&mut line, format_args!("PING {name}({shown}) {from}{size} data bytes\n"));
        }
        self.write(&line)
    }

    /// A reply came.
    pub(crate) fn reply(
        &mut self,
        answer: &Answer,
        from: SocketAddr,
        hops: Option<u8>,
        length: usize,
        payload: &[u8],
        intact: bool,
    ) -> Result<(), Failure> {
        if self.config.quiet {
            return Ok(());
        }
        let mut line = self.stamp()?;
        let sequence = answer.sequence & 0xffff;
        let shown = self.shown(from);
        put(&mut line, format_args!("{length} bytes from {shown}: icmp_seq={sequence}"));
        if self.config.verbose > 0 {
            put(&mut line, format_args!(" ident={}", self.identifier));
        }
        if let Some(hops) = hops {
            put(&mut line, format_args!(" ttl={hops}"));
        }
        if length < self.config.payload.len() + ECHO_HEADER {
            line.push_str(" (truncated)\n");
            return self.write(&line);
        }
        if self.config.is_timed() {
            put(&mut line, format_args!(" time={} ms", Time(answer.time, self.config.precise)));
        }
        if answer.verdict == Verdict::Duplicate && (!self.is_group || self.config.verbose > 0) {
            line.push_str(" (DUP!)");
        }
        if !intact {
            line.push_str(" (BAD CHECKSUM!)");
        }
        difference(&mut line, &self.config.payload, payload);
        line.push_str(if self.config.audible { "\x07\n" } else { "\n" });
        self.write(&line)
    }

    /// An ICMP error about a probe came.
    pub(crate) fn error(&mut self, from: Option<SocketAddr>, sequence: u16, words: &str) -> Result<(), Failure> {
        let from = from.unwrap_or(SocketAddr::new(self.source, 0));
        self.told(from, "", sequence, words)
    }

    /// A router named a better way for a probe.
    pub(crate) fn redirect(&mut self, from: SocketAddr, sequence: u16, words: &str) -> Result<(), Failure> {
        self.told(from, ":", sequence, words)
    }

    fn told(&mut self, from: SocketAddr, colon: &str, sequence: u16, words: &str) -> Result<(), Failure> {
        if self.config.quiet {
            return Ok(());
        }
        let mut line = self.stamp()?;
        let shown = self.shown(from);
        put(&mut line, format_args!("From {shown}{colon} icmp_seq={sequence} {words}\n"));
        self.write(&line)
    }

    /// The time for a reply is over.
    pub(crate) fn no_answer(&mut self, sequence: u64) -> Result<(), Failure> {
        if self.config.quiet {
            return Ok(());
        }
        let mut line = self.stamp()?;
        put(&mut line, format_args!("no answer yet for icmp_seq={}\n", sequence & 0xffff));
        self.write(&line)
    }

    /// The kernel refused a packet through the error queue.
    pub(crate) fn local_error(&self, errno: i32, mtu: u32) {
        if errno == libc::EMSGSIZE {
            self.complain(format_args!("local error: message too long, mtu={mtu}"));
        } else {
            let reason = error::reason(&io::Error::from_raw_os_error(errno));
            self.complain(format_args!("local error: {reason}"));
        }
    }

    /// The kernel refused to send.
    pub(crate) fn send_failed(&self, cause: &io::Error) {
        self.complain(format_args!("sendmsg: {}", error::reason(cause)));
    }

    /// How it stands, on standard error.
    pub(crate) fn status(&self, pinger: &Pinger) {
        let counts = pinger.counts();
        let missing = counts.transmitted.saturating_sub(counts.received);
        let loss = (missing * 100).checked_div(counts.transmitted).unwrap_or(0);
        let mut line = format!("\r{}/{} packets, {loss}% loss", counts.received, counts.transmitted);
        if let Some(figures) = pinger.stats().figures().filter(|_| self.config.is_timed()) {
            let [minimum, average, moving, maximum] =
                [figures.minimum, figures.average, figures.moving_average, figures.maximum].map(Milliseconds);
            put(&mut line, format_args!(", min/avg/ewma/max = {minimum}/{average}/{moving}/{maximum} ms"));
        }
        line.push('\n');
        // Whoever closed standard error does not want to know.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// The last lines.
    pub(crate) fn summary(&mut self, pinger: &Pinger) -> Result<(), Failure> {
        let counts = pinger.counts();
        let name = SafeText(self.target.name.as_bytes());
        let mut text = format!("\n--- {name} ping statistics ---\n");
        put(&mut text, format_args!("{} packets transmitted, {} received", counts.transmitted, counts.received));
        for (count, what) in
            [(counts.duplicates, "duplicates"), (counts.corrupt, "corrupted"), (counts.errors, "errors")]
        {
            if count > 0 {
                put(&mut text, format_args!(", +{count} {what}"));
            }
        }
        if counts.transmitted > 0 {
            let missing = counts.transmitted.saturating_sub(counts.received);
            let loss = SixDigits(missing as f64 * 100.0 / counts.transmitted as f64);
            put(&mut text, format_args!(", {loss}% packet loss, time {}ms", pinger.elapsed().as_millis()));
        }
        text.push('\n');
        let mut comma = "";
        if let Some(figures) = pinger.stats().figures().filter(|_| self.config.is_timed()) {
            let [minimum, average, maximum, deviation] =
                [figures.minimum, figures.average, figures.maximum, figures.deviation].map(Milliseconds);
            put(&mut text, format_args!("rtt min/avg/max/mdev = {minimum}/{average}/{maximum}/{deviation} ms"));
            comma = ", ";
        }
        if counts.pipe > 1 {
            put(&mut text, format_args!("{comma}pipe {}", counts.pipe));
        }
        text.push('\n');
        self.write(&text)
    }

    fn stamp(&self) -> Result<String, Failure> {
        if !self.config.timestamps {
            return Ok(String::new());
        }
        let microseconds = clock::now()?.wall / 1_000;
        Ok(format!("[{}.{:06}] ", microseconds / 1_000_000, microseconds % 1_000_000))
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

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(Failure::output)
    }

    fn complain(&self, what: fmt::Arguments<'_>) {
        if !self.config.quiet {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(io::stderr().lock(), "ping: {what}");
        }
    }
}

/// Appends to a string, which cannot fail.
fn put(line: &mut String, what: fmt::Arguments<'_>) {
    let _ = line.write_fmt(what);
}

/// Tells the first byte behind the time that came back changed, and shows them all.
fn difference(line: &mut String, sent: &[u8], received: &[u8]) {
    let pairs = sent.iter().zip(received).enumerate().skip(TIMESTAMP);
    let Some((index, (right, wrong))) = pairs.into_iter().find(|(_, (right, wrong))| right != wrong) else { return };
    put(line, format_args!("\nwrong data byte #{index} should be 0x{right:x} but was 0x{wrong:x}"));
    for (index, byte) in received.iter().enumerate().take(sent.len()).skip(TIMESTAMP) {
        if index % 32 == TIMESTAMP {
            put(line, format_args!("\n#{index}\t"));
        }
        put(line, format_args!("{byte:x} "));
    }
}

/// Milliseconds with three decimals, cut.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        write!(f, "{}.{:03}", microseconds / 1_000, microseconds % 1_000)
    }
}

/// A round-trip time in milliseconds: three to no decimals by its size, or always three.
struct Time(Duration, bool);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.as_micros();
        match time {
            _ if self.1 => Milliseconds(self.0).fmt(f),
            99_950.. => write!(f, "{}", (time + 500) / 1_000),
            9_995.. => write!(f, "{}.{}", (time + 50) / 1_000, (time + 50) % 1_000 / 100),
            1_000.. => write!(f, "{}.{:02}", (time + 5) / 1_000, (time + 5) % 1_000 / 10),
            _ => Milliseconds(self.0).fmt(f),
        }
    }
}

/// A percentage as C's `%g` writes it: six significant digits, no zeros at the end.
struct SixDigits(f64);

impl fmt::Display for SixDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 {
            return f.write_str("0");
        }
        let scientific = format!("{:.5e}", self.0);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let trim = |text: &str| {
            let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
            text.to_owned()
        };
        if exponent < -4 {
            return write!(f, "{}e-{:02}", trim(mantissa), exponent.unsigned_abs());
        }
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        f.write_str(&trim(&format!("{:.decimals$}", self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_loses_decimals_as_it_grows() {
        let shown = |microseconds| Time(Duration::from_micros(microseconds), false).to_string();
        assert_eq!(shown(7), "0.007");
        assert_eq!(shown(999), "0.999");
        assert_eq!(shown(1_004), "1.00");
        assert_eq!(shown(9_994), "9.99");
        assert_eq!(shown(9_995), "10.0");
        assert_eq!(shown(99_949), "99.9");
        assert_eq!(shown(99_950), "100");
        assert_eq!(shown(1_234_567), "1235");
        assert_eq!(Time(Duration::from_micros(1_234_567), true).to_string(), "1234.567");
    }

    #[test]
    fn a_percentage_is_written_as_c_writes_it() {
        for (value, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (50.0, "50"),
            (100.0 / 3.0, "33.3333"),
            (200.0 / 3.0, "66.6667"),
            (0.5, "0.5"),
            (100.0 / 65_536.0, "0.00152588"),
            (100.0 / 10_000_000.0, "1e-05"),
        ] {
            assert_eq!(SixDigits(value).to_string(), text);
        }
    }

    #[test]
    fn changed_bytes_are_shown_but_the_time_may_change() {
        let sent: Vec<u8> = (0..20).collect();
        let (mut line, mut received) = (String::new(), sent.clone());
        received[3] = 99;
        difference(&mut line, &sent, &received);
        assert_eq!(line, "");
        received[17] = 0xff;
        difference(&mut line, &sent, &received);
        assert_eq!(line, "\nwrong data byte #17 should be 0x11 but was 0xff\n#16\t10 ff 12 13 ");
    }
}
