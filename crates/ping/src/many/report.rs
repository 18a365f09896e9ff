//! What a run of many targets prints: names of the living or of the dead, a table, or an object for each event.
//!
//! Results go to the writer given; what this host refuses goes to standard error, one line for each reason. Names are
//! escaped. Nothing is counted here but what the figures at the end sum up.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use common::{Failure, SafeText};
use serde::Serialize;

use super::config::{Settings, Style};
use super::hosts::Hosts;
use super::ledger::{Ledger, NotSent, Told, What};
use super::outcome::Outcome;
use super::{sender, table};
use crate::clock;
use crate::config::TimeStyle;
use crate::json::{self, Event, Kind, Stamp, loss_percent};
use crate::pinger::Verdict;
use crate::proto::{icmp4, icmp6};

/// Reasons of this host that are told, each once; more than there are error numbers to expect.
const MOST_REASONS: usize = 32;

/// Writes what happens in one run.
pub(crate) struct Report<'a, W> {
    settings: &'a Settings,
    hosts: &'a Hosts,
    out: W,
    /// Reasons that were told already.
    reasons: BTreeSet<i32>,
    table: Option<table::Live>,
    /// Names that could not be looked up.
    unresolved: u64,
}

impl<'a, W: Write> Report<'a, W> {
    /// A report to `out`; `on_terminal` keeps a table up to date there.
    pub(crate) fn new(settings: &'a Settings, hosts: &'a Hosts, unresolved: u64, on_terminal: bool, out: W) -> Self {
        let is_live = on_terminal && settings.style == Style::Table && !settings.config.quiet;
        let table = is_live.then(table::Live::default);
        Self { settings, hosts, out, reasons: BTreeSet::new(), table, unresolved }
    }

    /// The run begins.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        if self.settings.style != Style::Json {
            return Ok(());
        }
        for index in 0..self.hosts.count() {
            let (address, name) = (self.hosts.address(index).0, self.hosts.name(index));
            let text = address.to_string();
            let mut event = Event::new(Kind::Start, self.stamp()?, name.unwrap_or(&text), Some(address));
            event.bytes = Some(self.settings.config.payload.len());
            json::write_line(&mut self.out, &event).map_err(Failure::output)?;
        }
        self.flush()
    }

    /// Something happened to a probe.
    pub(crate) fn tell(&mut self, told: &Told, outcome: &Outcome) -> Result<(), Failure> {
        if let What::NotSent(NotSent::Refused(errno)) = told.what {
            self.refused(told.target, errno);
        }
        match self.settings.style {
            Style::Json => self.tell_event(told),
            Style::Alive => {
                let is_first = matches!(told.what, What::Answer { verdict: Verdict::Reply | Verdict::Late, .. });
                if is_first && outcome.received == 1 { self.line_of(told.target) } else { Ok(()) }
            }
            Style::Table | Style::Unreachable => Ok(()),
        }
    }

    /// A pause: what was written becomes visible, and the table is brought up to date.
    pub(crate) fn pause(&mut self, ledger: &Ledger<'_>, now: u64) -> Result<(), Failure> {
        if let Some(table) = &mut self.table {
            let Some(text) = table.redraw(ledger, now) else { return Ok(()) };
            self.out.write_all(text.as_bytes()).map_err(Failure::output)?;
        }
        self.flush()
    }

    /// How it stands, on standard error.
    pub(crate) fn status(&self, ledger: &Ledger<'_>) {
        let totals = Totals::of(ledger);
        // Whoever closed standard error does not want to know.
        let _ = writeln!(io::stderr().lock(), "{}", self.totals_line(&totals, ledger));
    }

    /// The end.
    pub(crate) fn finish(&mut self, ledger: &Ledger<'_>, elapsed: u64) -> Result<(), Failure> {
        match self.settings.style {
            Style::Alive => {}
            Style::Unreachable => {
                for index in (0..self.hosts.count()).filter(|index| !ledger.outcome(*index).is_alive()) {
                    self.line_of(index)?;
                }
            }
            Style::Json => {
                for index in 0..self.hosts.count() {
                    self.summary(index, ledger.outcome(index), elapsed)?;
                }
                self.totals_object(ledger, elapsed)?;
            }
            Style::Table => {
                let mut text = self.table.as_mut().map(table::Live::clear).unwrap_or_default();
                if !self.settings.config.quiet {
                    table::write_final(&mut text, ledger, self.settings.config.verbose > 0);
                }
                let line = self.totals_line(&Totals::of(ledger), ledger);
                let seconds = Duration::from_nanos(elapsed).as_secs_f64();
                put(&mut text, format_args!("{line}, time {seconds:.2} s\n"));
                self.out.write_all(text.as_bytes()).map_err(Failure::output)?;
            }
        }
        self.flush()
    }

    fn line_of(&mut self, index: u32) -> Result<(), Failure> {
        writeln!(self.out, "{}", table::shown(self.hosts, index)).map_err(Failure::output)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }

    /// This host refused to send; each reason is told once, with the target it was met at.
    fn refused(&mut self, target: u32, errno: i32) {
        if self.settings.config.quiet || self.reasons.len() == MOST_REASONS || !self.reasons.insert(errno) {
            return;
        }
        let reason = sender::words(errno);
        // Whoever closed standard error does not want to know.
        let _ = writeln!(io::stderr().lock(), "ping: {}: {reason}", table::shown(self.hosts, target));
    }

    fn tell_event(&mut self, told: &Told) -> Result<(), Failure> {
        let stamp = self.stamp()?;
        let (address, name) = (self.hosts.address(told.target).0, self.hosts.name(told.target));
        let text = address.to_string();
        let reason = reason(&told.what);
        let mut event = Event::new(kind(&told.what), stamp, name.unwrap_or(&text), Some(address));
        event.seq = Some(told.sequence.into());
        event.reason = reason.as_deref();
        match told.what {
            What::Answer { time, source, bytes, hops, is_truncated, .. } => {
                event.from = Some(address);
                event.bytes = Some(bytes);
                event.ttl = hops;
                event.rtt_ms = Some(Duration::from_nanos(time));
                event.rtt_source = Some(source);
                event.truncated = is_truncated;
            }
            What::Foreign { from, .. } => event.from = Some(from),
            What::Error { from, kind, code, .. } => {
                event.from = Some(from);
                (event.icmp_type, event.icmp_code) = (Some(kind), Some(code));
            }
            What::Dropped => event.count = Some(1),
            What::Corrupt(_) | What::Lost | What::NotSent(_) => {}
        }
        json::write_line(&mut self.out, &event).map_err(Failure::output)
    }

    /// The figures of one target.
    fn summary(&mut self, index: u32, outcome: &Outcome, elapsed: u64) -> Result<(), Failure> {
        let time = self.stamp()?;
        let address = self.hosts.address(index).0;
        let text = address.to_string();
        let (transmitted, received) = (u64::from(outcome.sent), u64::from(outcome.received));
        let times = outcome.times();
        let line = Line {
            event: Kind::Summary,
            time,
            target: self.hosts.name(index).unwrap_or(&text),
            address,
            transmitted,
            received,
            late: outcome.late.into(),
            duplicates: outcome.duplicates.into(),
            failures: outcome.failures.into(),
            loss_percent: loss_percent(transmitted, received),
            min_ms: times.map(|times| milliseconds(times.minimum)),
            avg_ms: times.map(|times| milliseconds(times.average)),
            max_ms: times.map(|times| milliseconds(times.maximum)),
            elapsed_ms: milliseconds(Duration::from_nanos(elapsed)),
        };
        json::write_line(&mut self.out, &line).map_err(Failure::output)
    }

    /// The last object: everything together.
    fn totals_object(&mut self, ledger: &Ledger<'_>, elapsed: u64) -> Result<(), Failure> {
        let totals = Totals::of(ledger);
        let line = Last {
            event: "totals",
            time: self.stamp()?,
            targets: self.hosts.count().into(),
            alive: totals.alive,
            unresolved: self.unresolved,
            repeated: self.hosts.repeated,
            transmitted: totals.sent,
            received: totals.received,
            late: totals.late,
            duplicates: totals.duplicates,
            lost: ledger.counts.lost,
            in_flight: ledger.counts.in_flight,
            corrupt: ledger.counts.corrupt,
            foreign: ledger.counts.foreign,
            errors: ledger.counts.errors,
            not_sent: ledger.counts.not_sent,
            dropped_locally: ledger.counts.dropped_locally,
            loss_percent: loss_percent(totals.sent, totals.received),
            elapsed_ms: milliseconds(Duration::from_nanos(elapsed)),
        };
        json::write_line(&mut self.out, &line).map_err(Failure::output)
    }

    /// All targets in one line.
    fn totals_line(&self, totals: &Totals, ledger: &Ledger<'_>) -> String {
        let several = |count: u64, one, more| format!("{count} {}", if count == 1 { one } else { more });
        let mut line = several(self.hosts.count().into(), "target", "targets");
        put(&mut line, format_args!(", {} alive, {}", totals.alive, several(totals.sent, "probe", "probes")));
        put(&mut line, format_args!(", {}", several(totals.received, "reply", "replies")));
        let counts = &ledger.counts;
        for (count, what) in [
            (self.unresolved, "unresolved"),
            (self.hosts.repeated, "repeated"),
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
                put(&mut line, format_args!(", {count} {what}"));
            }
        }
        line
    }

    fn stamp(&self) -> Result<Stamp, Failure> {
        let is_iso = self.settings.config.timestamps == Some(TimeStyle::Iso);
        Ok(Stamp::new(clock::now()?.wall, is_iso))
    }
}

/// The last object about one target; a time that was never measured is null.
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
    /// ICMP errors, refusals of this host and broken answers.
    failures: u64,
    loss_percent: f64,
    min_ms: Option<f64>,
    avg_ms: Option<f64>,
    max_ms: Option<f64>,
    elapsed_ms: f64,
}

/// The last object of a run.
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
    fn of(ledger: &Ledger<'_>) -> Self {
        let mut totals = Self::default();
        for index in 0..ledger.hosts.count() {
            let outcome = ledger.outcome(index);
            totals.alive += u64::from(outcome.is_alive());
            totals.sent += u64::from(outcome.sent);
            totals.received += u64::from(outcome.received);
            totals.late += u64::from(outcome.late);
            totals.duplicates += u64::from(outcome.duplicates);
        }
        totals
    }
}

fn kind(what: &What) -> Kind {
    match what {
        What::Answer { verdict: Verdict::Reply, .. } => Kind::Reply,
        What::Answer { verdict: Verdict::Late, .. } => Kind::Late,
        What::Answer { verdict: Verdict::Duplicate, .. } => Kind::Duplicate,
        What::Corrupt(_) => Kind::Corrupt,
        What::Foreign { .. } => Kind::Foreign,
        What::Error { .. } => Kind::Error,
        What::Lost => Kind::Lost,
        What::NotSent(_) => Kind::NotSent,
        What::Dropped => Kind::DroppedLocally,
    }
}

fn reason(what: &What) -> Option<Cow<'static, str>> {
    match what {
        What::Corrupt(reason) | What::Foreign { reason, .. } => Some(Cow::Borrowed(*reason)),
        What::Error { from, kind, code, info } => Some(describe(*from, *kind, *code, *info).into()),
        What::NotSent(NotSent::Refused(errno)) => Some(sender::words(*errno).into()),
        What::NotSent(NotSent::Vanished) => Some("it never left this host".into()),
        What::Answer { .. } | What::Lost | What::Dropped => None,
    }
}

/// An ICMP error in words; the family is that of who sent it.
pub(crate) fn describe(from: IpAddr, kind: u8, code: u8, info: u32) -> String {
    if from.is_ipv4() { icmp4::describe(kind, code, info) } else { icmp6::describe(kind, code, info) }
}

fn milliseconds(time: Duration) -> f64 {
    // Nanoseconds first: one division of two exact numbers gives the shortest text.
    time.as_nanos() as f64 / 1e6
}

fn put(line: &mut String, what: std::fmt::Arguments<'_>) {
    // Appending to a string cannot fail.
    let _ = line.write_fmt(what);
}

/// A name from the outside for a terminal.
pub(crate) fn safe(text: &str) -> SafeText<'_> {
    SafeText(text.as_bytes())
}
