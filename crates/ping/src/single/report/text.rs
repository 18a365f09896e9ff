//! The text of ping, equal to that of iputils in the C locale.
//!
//! Names from DNS are escaped. Colours surround whole lines.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use common::{Error, SafeText, error};

use super::ip_options::Options;
use super::numbers::{Milliseconds, SixDigits, Time};
use super::{Event, Foreign, ReplyPacket, Report, ReportContext, complain, put, refusal, wall, write};
use crate::config::{Origin, TimeStyle};
use crate::json::{iso_text, loss_percent};
use crate::probe_state::{Integrity, ReplyClass};
use crate::proto::ECHO_HEADER;
use crate::proto::extension::{Interface, Object};
use crate::proto::payload::pattern_start;
use crate::single::scheduler::{Answer, Scheduler};

/// IPv4 header without options and ICMP header, for the size in the first line.
const HEADERS: usize = 28;
/// Bytes of flood dots that are held back.
const HELD_BACK: usize = 4_096;
/// Colour of errors.
const RED: &str = "\x1b[31m";
/// Colour of warnings.
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// Writes the lines of a run.
pub(super) struct Text<'a, W> {
    context: ReportContext<'a>,
    options: Options,
    /// Flood dots not written yet.
    dots: String,
    out: W,
}

impl<'a, W: Write> Text<'a, W> {
    /// A report to `out`.
    pub(super) fn new(context: ReportContext<'a>, out: W) -> Self {
        Self { context, options: Options::default(), dots: String::new(), out }
    }

    /// The first line.
    fn headline(&mut self) -> String {
        let mut line = String::new();
        let config = self.context.config;
        let Origin { address, interface } = &config.origin;
        let source = self.context.source;
        let from = match interface {
            Some(name) => {
                let name = SafeText(name.as_bytes());
                let is_local = matches!(address, Some(IpAddr::V6(v6)) if v6.is_unicast_link_local());
                let zone = if is_local { format!("%{name}") } else { String::new() };
                format!("from {source}{zone} {name}: ")
            }
            None if address.is_some() => format!("from {source} : "),
            None => String::new(),
        };
        let size = config.payload.len();
        let name = SafeText(self.context.target.name.as_bytes());
        if self.context.address.is_ipv4() {
            let (ip, whole) = (self.context.address.ip(), size + HEADERS + self.context.options);
            put(&mut line, format_args!("PING {name} ({ip}) {from}{size}({whole}) bytes of data.\n"));
        } else {
            let shown = self.context.shown(self.context.address);
            let flow = self.context.flow_label();
            put(&mut line, format_args!("PING {name}({shown}) {from}{flow}{size} data bytes\n"));
        }
        line
    }

    fn reply(&mut self, answer: &Answer, packet: &ReplyPacket<'_>) -> Result<(), Error> {
        let config = self.context.config;
        if config.flood {
            let bell = if config.audible { "\x07" } else { "" };
            let mark = if answer.integrity == Integrity::Checksum { "\x08C" } else { "\x08 \x08" };
            return self.dots(&[mark, bell]);
        }
        let mut line = self.opening(packet)?;
        if packet.length < config.payload.len() + ECHO_HEADER {
            line.push_str(" (truncated)\n");
            return self.write(YELLOW, &line);
        }
        if config.is_timed() {
            put(&mut line, format_args!(" time={} ms", Time(answer.time, config.precise)));
        }
        let is_duplicate = answer.class == ReplyClass::Duplicate;
        if is_duplicate && (!self.context.is_group || config.verbose > 0) {
            line.push_str(" (DUP!)");
        }
        if answer.integrity == Integrity::Checksum {
            line.push_str(" (BAD CHECKSUM!)");
        }
        if answer.integrity != Integrity::Whole {
            difference(&mut line, &config.payload, packet.payload);
        }
        if config.audible {
            line.push('\x07');
        }
        self.options.put(&mut line, packet.options, &mut self.context);
        line.push('\n');
        let is_odd = answer.class != ReplyClass::Reply || answer.integrity != Integrity::Whole || answer.is_reordered;
        self.write(if is_odd { YELLOW } else { "" }, &line)
    }

    fn foreign(&mut self, why: Foreign, packet: &ReplyPacket<'_>) -> Result<(), Error> {
        if self.context.config.flood {
            return Ok(());
        }
        let mut line = self.opening(packet)?;
        line.push_str(match why {
            Foreign::Address => " (DIFFERENT ADDRESS!)\n",
            Foreign::Code | Foreign::Sequence => " (NOT A REPLY TO US!)\n",
        });
        self.write(YELLOW, &line)
    }

    /// The beginning of a reply line.
    fn opening(&mut self, packet: &ReplyPacket<'_>) -> Result<String, Error> {
        let mut line = self.stamp()?;
        let shown = self.context.shown(packet.from);
        put(&mut line, format_args!("{} bytes from {shown}: icmp_seq={}", packet.length, packet.wire));
        if self.context.config.verbose > 0 {
            put(&mut line, format_args!(" ident={}", self.context.identifier));
        }
        if let Some(hops) = packet.hops {
            put(&mut line, format_args!(" ttl={hops}"));
        }
        Ok(line)
    }

    fn error_line(&mut self, from: SocketAddr, middle: &str, words: &str, objects: &[Object]) -> Result<(), Error> {
        if self.context.config.flood {
            return self.dots(&["\x08E"]);
        }
        let mut line = self.stamp()?;
        let shown = self.context.shown(from);
        put(&mut line, format_args!("From {shown}{middle} {words}\n"));
        if self.context.config.verbose > 0 {
            for object in objects {
                put_object(&mut line, object);
            }
        }
        self.write(RED, &line)
    }

    fn stamp(&self) -> Result<String, Error> {
        Ok(match self.context.config.timestamps {
            None => String::new(),
            Some(TimeStyle::Unix) => {
                let microseconds = wall()? / 1_000;
                format!("[{}.{:06}] ", microseconds / 1_000_000, microseconds % 1_000_000)
            }
            Some(TimeStyle::Iso) => format!("[{}] ", iso_text(wall()?)),
        })
    }

    fn dots(&mut self, parts: &[&str]) -> Result<(), Error> {
        self.dots.extend(parts.iter().copied());
        if self.dots.len() >= HELD_BACK { self.show_dots() } else { Ok(()) }
    }

    fn show_dots(&mut self) -> Result<(), Error> {
        if self.dots.is_empty() {
            return Ok(());
        }
        write(&mut self.out, std::mem::take(&mut self.dots).as_bytes())
    }

    fn write(&mut self, color: &str, text: &str) -> Result<(), Error> {
        match text.strip_suffix('\n').filter(|_| self.context.is_colored && !color.is_empty()) {
            Some(line) => write(&mut self.out, format!("{color}{line}{PLAIN}\n").as_bytes()),
            None => write(&mut self.out, text.as_bytes()),
        }
    }
}

impl<W: Write> Report for Text<'_, W> {
    fn start(&mut self) -> Result<(), Error> {
        let mut text = String::new();
        if let Some(pattern) = self.context.config.pattern.as_ref().filter(|_| !self.context.config.quiet) {
            text.push_str("PATTERN: 0x");
            for byte in pattern {
                put(&mut text, format_args!("{byte:02x}"));
            }
            text.push('\n');
        }
        text.push_str(&self.headline());
        self.write("", &text)
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let config = self.context.config;
        let is_shown = match event {
            Event::Resolved { .. } => true,
            Event::NoAnswer(_) => !config.quiet || config.outstanding,
            _ => !config.quiet,
        };
        if !is_shown {
            return Ok(());
        }
        match event {
            Event::Sent if config.flood => self.dots(&["."]),
            Event::Sent => Ok(()),
            Event::Reply(answer, packet) => self.reply(answer, packet),
            Event::Foreign(why, packet) => self.foreign(*why, packet),
            Event::Error { sequence, from, words, objects, .. } => {
                let from = from.unwrap_or(SocketAddr::new(self.context.source, 0));
                self.error_line(from, &format!(" icmp_seq={}", sequence & 0xffff), words, objects)
            }
            Event::Redirect { wire, from, words, .. } => {
                self.error_line(*from, &format!(": icmp_seq={wire}"), words, &[])
            }
            Event::NoAnswer(_) if config.flood => Ok(()),
            Event::NoAnswer(sequence) => {
                let line = format!("{}no answer yet for icmp_seq={}\n", self.stamp()?, sequence & 0xffff);
                self.write(RED, &line)
            }
            Event::Refused { .. } | Event::NotSent { .. } if config.flood => self.dots(&["\x08E"]),
            Event::Refused { errno, mtu, .. } => {
                complain(format_args!("local error: {}", refusal(*errno, *mtu)));
                Ok(())
            }
            Event::NotSent { cause, .. } => {
                complain(format_args!("sendmsg: {}", error::reason(cause)));
                Ok(())
            }
            Event::Overflowed(datagrams) => {
                complain(format_args!("receive buffer: full, {datagrams} datagrams dropped on this host"));
                Ok(())
            }
            Event::Resolved { address, source } => {
                (self.context.address, self.context.source) = (*address, *source);
                let line = self.headline();
                self.write("", &line)
            }
        }
    }

    fn rest(&mut self, _: &Scheduler) -> Result<(), Error> {
        self.show_dots()
    }

    fn summary(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Error> {
        self.show_dots()?;
        let text = summary(&self.context, scheduler, now);
        self.write("", &text)
    }
}

/// The summary.
pub(super) fn summary(context: &ReportContext<'_>, scheduler: &Scheduler, now: Instant) -> String {
    let counts = scheduler.counts();
    let name = SafeText(context.target.name.as_bytes());
    let mut text = format!("\n--- {name} ping statistics ---\n");
    put(&mut text, format_args!("{} packets transmitted, {} received", counts.transmitted, counts.received));
    for (count, what) in [(counts.duplicates, "duplicates"), (counts.corrupt, "corrupted"), (counts.errors, "errors")] {
        if count > 0 {
            put(&mut text, format_args!(", +{count} {what}"));
        }
    }
    if counts.transmitted > 0 {
        let loss = SixDigits(loss_percent(counts.transmitted, counts.received));
        put(&mut text, format_args!(", {loss}% packet loss, time {}ms", scheduler.elapsed().as_millis()));
    }
    text.push('\n');
    let mut comma = "";
    let figures = scheduler.stats().figures().filter(|_| context.config.is_timed());
    if let Some(figures) = figures {
        let [minimum, average, maximum, deviation] =
            [figures.minimum, figures.average, figures.maximum, figures.deviation].map(Milliseconds);
        put(&mut text, format_args!("rtt min/avg/max/mdev = {minimum}/{average}/{maximum}/{deviation} ms"));
        comma = ", ";
    }
    if counts.pipe > 1 {
        put(&mut text, format_args!("{comma}pipe {}", counts.pipe));
        comma = ", ";
    }
    if let (Some(figures), Some(gap), true) = (figures, scheduler.mean_gap(), context.config.shows_gap) {
        let [gap, moving] = [gap, figures.moving_average].map(Milliseconds);
        put(&mut text, format_args!("{comma}ipg/ewma {gap}/{moving} ms"));
    }
    text.push('\n');
    if context.config.full_stats {
        put_everything(&mut text, scheduler, now, context.config.is_timed());
    }
    text
}

/// The lines of `--stats full`.
fn put_everything(text: &mut String, scheduler: &Scheduler, now: Instant, is_timed: bool) {
    let (counts, stats, sequence_stats) = (scheduler.counts(), scheduler.stats(), scheduler.sequence_stats(now));
    let percentiles = [50, 90, 99].map(|percent| stats.percentile(percent).filter(|_| is_timed));
    if let [Some(half), Some(most), Some(nearly_all)] = percentiles {
        let [half, most, nearly_all] = [half, most, nearly_all].map(Milliseconds);
        put(text, format_args!("rtt p50/p90/p99 = {half}/{most}/{nearly_all} ms\n"));
    }
    if let (Some(jitter), Some(mean), true) = (sequence_stats.jitter(), sequence_stats.mean_difference(), is_timed) {
        let [jitter, mean] = [jitter, mean].map(Milliseconds);
        put(text, format_args!("jitter = {jitter} ms, mean difference = {mean} ms\n"));
    }
    put(text, format_args!("longest outage = {} ms\n", Milliseconds(sequence_stats.longest_outage())));
    let all = [
        ("lost", sequence_stats.lost()),
        ("in flight", sequence_stats.in_flight()),
        ("late", counts.late),
        ("duplicate", counts.duplicates),
        ("reordered", counts.reordered),
        ("corrupt", counts.corrupt),
        ("foreign", counts.foreign),
        ("errors", counts.errors),
        ("not sent", counts.not_sent),
        ("dropped locally", sequence_stats.dropped_locally()),
    ];
    text.push_str(&all.map(|(what, count)| format!("{what} {count}")).join(", "));
    text.push('\n');
}

/// Prints the first changed byte behind time and MAC, and all bytes.
fn difference(line: &mut String, sent: &[u8], received: &[u8]) {
    let start = pattern_start(sent.len());
    let pairs = sent.iter().zip(received).enumerate().skip(start);
    let Some((index, (right, wrong))) = pairs.into_iter().find(|(_, (right, wrong))| right != wrong) else { return };
    put(line, format_args!("\nwrong data byte #{index} should be 0x{right:x} but was 0x{wrong:x}"));
    for (index, byte) in received.iter().enumerate().take(sent.len()).skip(start) {
        if (index - start).is_multiple_of(32) {
            put(line, format_args!("\n#{index}\t"));
        }
        put(line, format_args!("{byte:x} "));
    }
}

/// Prints an extension object of an ICMP error on a line.
fn put_object(line: &mut String, object: &Object) {
    match object {
        Object::Mpls(stack) => {
            line.push_str("   MPLS:");
            for (index, entry) in stack.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let (label, class, bottom, ttl) = (entry.label, entry.class, u8::from(entry.is_bottom), entry.ttl);
                put(line, format_args!("{comma} label={label} tc={class} s={bottom} ttl={ttl}"));
            }
            line.push('\n');
        }
        Object::Interface(interface) => put_interface(line, interface),
        Object::Unknown(class, kind) => put(line, format_args!("   extension: class={class} type={kind}\n")),
    }
}

fn put_interface(line: &mut String, interface: &Interface) {
    let role = match interface.role {
        0 => "incoming interface",
        1 => "sub-IP component of the incoming interface",
        2 => "outgoing interface",
        _ => "next hop",
    };
    put(line, format_args!("   {role}:"));
    if let Some(name) = &interface.name {
        put(line, format_args!(" {}", SafeText(name)));
    }
    if let Some(index) = interface.index {
        put(line, format_args!(" index={index}"));
    }
    if let Some(address) = interface.address {
        put(line, format_args!(" {address}"));
    }
    if let Some(mtu) = interface.mtu {
        put(line, format_args!(" mtu={mtu}"));
    }
    line.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::extension::Label;

    #[test]
    fn changed_bytes_are_shown_but_the_time_may_change() {
        let sent: Vec<u8> = (0..28).collect();
        let (mut line, mut received) = (String::new(), sent.clone());
        received[3] = 99;
        difference(&mut line, &sent, &received);
        assert_eq!(line, "");
        received[25] = 0xff;
        difference(&mut line, &sent, &received);
        assert_eq!(line, "\nwrong data byte #25 should be 0x19 but was 0xff\n#24\t18 ff 1a 1b ");
    }

    #[test]
    fn each_extension_is_a_line_with_its_name_escaped() {
        let mut line = String::new();
        put_object(&mut line, &Object::Mpls(vec![Label { label: 16, class: 1, is_bottom: true, ttl: 2 }; 2]));
        let interface =
            Interface { role: 2, name: Some(b"eth\x1b[1m".to_vec()), mtu: Some(1500), ..Interface::default() };
        put_object(&mut line, &Object::Interface(interface));
        let label = "label=16 tc=1 s=1 ttl=2";
        assert_eq!(line, format!("   MPLS: {label}, {label}\n   outgoing interface: eth\\x1b[1m mtu=1500\n"));
    }
}
