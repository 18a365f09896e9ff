//! Output of a run with many targets: names (`--alive`, `--unreachable`), a table, or JSON records.
//!
//! Results go to the given writer; errors of this host go to standard error, once per reason. Names are escaped.

pub(crate) mod prometheus;
mod table;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use common::Error;
use serde::Serialize;

use super::sender;
use super::target_set::TargetSet;
use super::target_stats::TargetStats;
use super::tracker::{EventKind, ProbeEvent, ProbeTracker};
use crate::config::multi::{MultiConfig, Style};

use crate::clock;
use crate::config::TimeStyle;
use crate::json::{self, Kind, Record, Stamp, loss_percent};
use crate::probe_state::{Integrity, ReplyClass};
use crate::proto::icmp_error;
use crate::proto::reply::Framing;

/// Maximum number of different errors that are printed: more than there are error numbers to expect.
const MAX_REASONS: usize = 32;

/// Writes the events of one run.
pub(crate) struct MultiReport<'a, W> {
    settings: &'a MultiConfig,
    targets: &'a TargetSet,
    out: W,
    /// Error numbers that were printed already.
    reasons: BTreeSet<i32>,
    table: Option<table::Live>,
    /// Number of names that did not resolve.
    unresolved: u64,
}

impl<'a, W: Write> MultiReport<'a, W> {
    /// A report to `out`; `on_terminal` keeps a table up to date.
    pub(crate) fn new(
        settings: &'a MultiConfig,
        targets: &'a TargetSet,
        unresolved: u64,
        on_terminal: bool,
        out: W,
    ) -> Self {
        let is_live = on_terminal && settings.style == Style::Table && !settings.config.quiet;
        let table = is_live.then(table::Live::default);
        Self { settings, targets, out, reasons: BTreeSet::new(), table, unresolved }
    }

    /// Writes the start record of each target.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        if self.settings.style != Style::Json {
            return Ok(());
        }
        for index in 0..self.targets.count() {
            let (address, name) = (self.targets.address(index).0, self.targets.name(index));
            let text = address.to_string();
            let mut event = Record::new(Kind::Start, self.stamp()?, name.unwrap_or(&text), Some(address));
            event.bytes = Some(self.settings.config.payload.len());
            json::write_line(&mut self.out, &event).map_err(Error::output)?;
        }
        self.flush()
    }

    /// Writes an event.
    pub(crate) fn tell(&mut self, event: &ProbeEvent, stats: &TargetStats) -> Result<(), Error> {
        if let EventKind::NotSent(errno) = event.kind {
            self.refused(event.target, errno);
        }
        match self.settings.style {
            Style::Json => self.tell_event(event),
            Style::Alive => {
                let is_first = matches!(&event.kind, EventKind::Answer(reply) if reply.class != ReplyClass::Duplicate);
                if is_first && stats.received == 1 { self.line_of(event.target) } else { Ok(()) }
            }
            Style::Table | Style::Unreachable => Ok(()),
        }
    }

    /// Flushes the output and redraws the table.
    pub(crate) fn pause(&mut self, tracker: &ProbeTracker<'_>, now: u64) -> Result<(), Error> {
        if let Some(table) = &mut self.table {
            let Some(text) = table.redraw(tracker, now) else { return Ok(()) };
            self.out.write_all(text.as_bytes()).map_err(Error::output)?;
        }
        self.flush()
    }

    /// Prints a status line on standard error.
    pub(crate) fn status(&self, tracker: &ProbeTracker<'_>) {
        let totals = Totals::of(tracker);
        // A closed standard error is not an error of the run.
        let _ = writeln!(io::stderr().lock(), "{}", self.totals_line(&totals, tracker));
    }

    /// Writes the summary.
    pub(crate) fn finish(&mut self, tracker: &ProbeTracker<'_>, elapsed: u64) -> Result<(), Error> {
        match self.settings.style {
            Style::Alive => {}
            Style::Unreachable => {
                for index in (0..self.targets.count()).filter(|index| is_unreachable(tracker.stats(*index))) {
                    self.line_of(index)?;
                }
            }
            Style::Json => {
                for index in 0..self.targets.count() {
                    self.summary(index, tracker.stats(index), elapsed)?;
                }
                self.totals_object(tracker, elapsed)?;
            }
            Style::Table => {
                let mut text = self.table.as_mut().map(table::Live::clear).unwrap_or_default();
                if !self.settings.config.quiet {
                    table::write_final(&mut text, tracker, self.settings.config.verbose > 0);
                }
                let line = self.totals_line(&Totals::of(tracker), tracker);
                let seconds = Duration::from_nanos(elapsed).as_secs_f64();
                put(&mut text, format_args!("{line}, time {seconds:.2} s\n"));
                self.out.write_all(text.as_bytes()).map_err(Error::output)?;
            }
        }
        self.flush()
    }

    fn line_of(&mut self, index: u32) -> Result<(), Error> {
        writeln!(self.out, "{}", self.targets.shown(index)).map_err(Error::output)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::output)
    }

    /// Prints an error of this host, once per error number, with the first target concerned.
    fn refused(&mut self, target: u32, errno: i32) {
        if self.settings.config.quiet || self.reasons.len() == MAX_REASONS || !self.reasons.insert(errno) {
            return;
        }
        let reason = sender::words(errno);
        // A closed standard error is not an error of the run.
        let _ = writeln!(io::stderr().lock(), "ping: {}: {reason}", self.targets.shown(target));
    }

    fn tell_event(&mut self, event: &ProbeEvent) -> Result<(), Error> {
        if self.settings.config.quiet {
            return Ok(());
        }
        let stamp = self.stamp()?;
        let (address, name) = (self.targets.address(event.target).0, self.targets.name(event.target));
        let text = address.to_string();
        let reason = reason(&event.kind);
        let mut record = Record::new(event_name(&event.kind), stamp, name.unwrap_or(&text), Some(address));
        record.seq = Some(event.sequence.into());
        record.reason = reason.as_deref();
        match event.kind {
            EventKind::Answer(reply) => {
                record.from = Some(reply.from);
                record.bytes = Some(reply.bytes);
                record.ttl = reply.hops;
                record.rtt_ms = Some(Duration::from_nanos(reply.time));
                record.rtt_source = Some(reply.source);
                record.truncated = reply.integrity == Integrity::Truncated;
            }
            EventKind::Foreign { from, .. } => record.from = Some(from),
            EventKind::Error { from, kind, code, .. } => {
                record.from = Some(from);
                (record.icmp_type, record.icmp_code) = (Some(kind), Some(code));
            }
            EventKind::Dropped => record.count = Some(1),
            EventKind::Lost | EventKind::NotSent(_) => {}
        }
        json::write_line(&mut self.out, &record).map_err(Error::output)
    }

    /// Writes the summary record of one target.
    fn summary(&mut self, index: u32, stats: &TargetStats, elapsed: u64) -> Result<(), Error> {
        let time = self.stamp()?;
        let address = self.targets.address(index).0;
        let text = address.to_string();
        let (transmitted, received) = (u64::from(stats.sent), u64::from(stats.received));
        let times = stats.times();
        let line = Line {
            event: Kind::Summary,
            time,
            target: self.targets.name(index).unwrap_or(&text),
            address,
            transmitted,
            received,
            late: stats.late.into(),
            duplicates: stats.duplicates.into(),
            lost: stats.lost.into(),
            in_flight: stats.in_flight.into(),
            corrupt: stats.corrupt.into(),
            errors: stats.errors.into(),
            not_sent: stats.not_sent.into(),
            failures: stats.failures(),
            loss_percent: loss_percent(transmitted, received),
            min_ms: times.map(|times| milliseconds(times.minimum)),
            avg_ms: times.map(|times| milliseconds(times.average)),
            max_ms: times.map(|times| milliseconds(times.maximum)),
            elapsed_ms: milliseconds(Duration::from_nanos(elapsed)),
        };
        json::write_line(&mut self.out, &line).map_err(Error::output)
    }

    /// Writes the last record, with the totals.
    fn totals_object(&mut self, tracker: &ProbeTracker<'_>, elapsed: u64) -> Result<(), Error> {
        let totals = Totals::of(tracker);
        let line = Last {
            event: "totals",
            time: self.stamp()?,
            targets: self.targets.count().into(),
            alive: totals.alive,
            unresolved: self.unresolved,
            repeated: self.targets.repeated,
            transmitted: totals.sent,
            received: totals.received,
            late: totals.late,
            duplicates: totals.duplicates,
            lost: tracker.counts.lost,
            in_flight: tracker.counts.in_flight,
            corrupt: tracker.counts.corrupt,
            foreign: tracker.counts.foreign,
            errors: tracker.counts.errors,
            not_sent: tracker.counts.not_sent,
            dropped_locally: tracker.counts.dropped_locally,
            loss_percent: loss_percent(totals.sent, totals.received),
            elapsed_ms: milliseconds(Duration::from_nanos(elapsed)),
        };
        json::write_line(&mut self.out, &line).map_err(Error::output)
    }

    /// The totals of all targets in one line.
    fn totals_line(&self, totals: &Totals, tracker: &ProbeTracker<'_>) -> String {
        let several = |count: u64, one, more| format!("{count} {}", if count == 1 { one } else { more });
        let mut line = several(self.targets.count().into(), "target", "targets");
        put(&mut line, format_args!(", {} alive, {}", totals.alive, several(totals.sent, "probe", "probes")));
        put(&mut line, format_args!(", {}", several(totals.received, "reply", "replies")));
        let counts = &tracker.counts;
        for (count, kind) in [
            (self.unresolved, "unresolved"),
            (self.targets.repeated, "repeated"),
            (totals.late, "late"),
            (totals.duplicates, "duplicates"),
            (counts.corrupt, "corrupt"),
            (counts.foreign, "foreign"),
            (counts.errors, "errors"),
            (counts.not_sent, "not sent"),
            (counts.in_flight, "in flight"),
            (counts.dropped_locally, "dropped here and sent again"),
        ] {
            if count > 0 {
                put(&mut line, format_args!(", {count} {kind}"));
            }
        }
        line
    }

    fn stamp(&self) -> Result<Stamp, Error> {
        let is_iso = self.settings.config.timestamps == Some(TimeStyle::Iso);
        Ok(Stamp::new(clock::now()?.wall, is_iso))
    }
}

/// The summary record of a target; times are null without a reply.
#[derive(Serialize)]
struct Line<'a> {
    event: Kind,
    time: Stamp,
    target: &'a str,
    address: IpAddr,
    transmitted: u64,
    received: u64,
    late: u64,
    duplicates: u64,
    lost: u64,
    in_flight: u64,
    corrupt: u64,
    errors: u64,
    not_sent: u64,
    /// ICMP errors, local send errors and corrupt replies.
    failures: u64,
    loss_percent: f64,
    min_ms: Option<f64>,
    avg_ms: Option<f64>,
    max_ms: Option<f64>,
    elapsed_ms: f64,
}

/// The record with the totals.
#[derive(Serialize)]
struct Last {
    event: &'static str,
    time: Stamp,
    targets: u64,
    alive: u64,
    unresolved: u64,
    repeated: u64,
    transmitted: u64,
    received: u64,
    late: u64,
    duplicates: u64,
    lost: u64,
    in_flight: u64,
    corrupt: u64,
    foreign: u64,
    errors: u64,
    not_sent: u64,
    dropped_locally: u64,
    loss_percent: f64,
    elapsed_ms: f64,
}

/// Sums over all targets.
#[derive(Debug, Default)]
struct Totals {
    alive: u64,
    sent: u64,
    received: u64,
    late: u64,
    duplicates: u64,
}

impl Totals {
    fn of(tracker: &ProbeTracker<'_>) -> Self {
        let mut totals = Self::default();
        for index in 0..tracker.targets.count() {
            let stats = tracker.stats(index);
            totals.alive += u64::from(stats.is_alive());
            totals.sent += u64::from(stats.sent);
            totals.received += u64::from(stats.received);
            totals.late += u64::from(stats.late);
            totals.duplicates += u64::from(stats.duplicates);
        }
        totals
    }
}

/// Whether a target was probed and did not answer; the run may have ended before its first probe.
fn is_unreachable(stats: &TargetStats) -> bool {
    stats.is_probed() && !stats.is_alive()
}

fn event_name(kind: &EventKind) -> Kind {
    match kind {
        EventKind::Answer(reply) => Kind::of_reply(reply.integrity, reply.class),
        EventKind::Foreign { .. } => Kind::Foreign,
        EventKind::Error { .. } => Kind::Error,
        EventKind::Lost => Kind::Lost,
        EventKind::NotSent(_) => Kind::NotSent,
        EventKind::Dropped => Kind::DroppedLocally,
    }
}

fn reason(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Answer(reply) => reply.integrity.reason(),
        EventKind::Foreign { why, .. } => Some(why.reason().to_owned()),
        EventKind::Error { from, kind, code, info } => Some(describe(*from, *kind, *code, *info)),
        EventKind::NotSent(errno) => Some(sender::words(*errno)),
        EventKind::Lost | EventKind::Dropped => None,
    }
}

/// The text of an ICMP error; its sender has the address family of the target.
fn describe(from: IpAddr, kind: u8, code: u8, info: u32) -> String {
    icmp_error::describe(if from.is_ipv4() { Framing::Icmp4 } else { Framing::Icmp6 }, kind, code, info)
}

fn milliseconds(time: Duration) -> f64 {
    // Nanoseconds first: one division of two exact numbers gives the shortest text.
    time.as_nanos() as f64 / 1e6
}

fn put(line: &mut String, kind: std::fmt::Arguments<'_>) {
    // Appending to a string cannot fail.
    let _ = line.write_fmt(kind);
}
