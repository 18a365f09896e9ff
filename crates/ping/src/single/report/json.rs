//! `--json`: converts events to the records of [`crate::json`].

use std::io::Write;
use std::net::IpAddr;
use std::time::Instant;

use common::{Error, error};

use super::{Event, ReplyPacket, Report, ReportContext, refusal, wall};
use crate::config::TimeStyle;
use crate::json::{Kind, Record, Stamp, Summary, loss_percent, write_line};
use crate::probe_state::Integrity;
use crate::single::scheduler::{Answer, Scheduler};

/// Writes JSON lines.
pub(super) struct Json<'a, W> {
    context: ReportContext<'a>,
    out: W,
}

impl<'a, W: Write> Json<'a, W> {
    /// A report to `out`.
    pub(super) fn new(context: ReportContext<'a>, out: W) -> Self {
        Self { context, out }
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Error> {
        // One write per line.
        let mut bytes = Vec::with_capacity(256);
        write_line(&mut bytes, line).map_err(Error::output)?;
        super::write(&mut self.out, &bytes)
    }
}

impl<W: Write> Report for Json<'_, W> {
    fn start(&mut self) -> Result<(), Error> {
        let event = Record {
            from: Some(self.context.source),
            bytes: Some(self.context.config.payload.len()),
            ..blank(&self.context, Kind::Start)?
        };
        self.write(&event)
    }

    fn event(&mut self, happened: &Event<'_>) -> Result<(), Error> {
        if let Event::Resolved { address, source } = happened {
            (self.context.address, self.context.source) = (*address, *source);
        }
        if self.context.config.quiet {
            return Ok(());
        }
        let mut reason = String::new();
        if let Some(event) = record(&self.context, happened, &mut reason)? {
            let reason = (!reason.is_empty()).then_some(reason.as_str());
            self.write(&Record { reason, ..event })?;
        }
        Ok(())
    }

    fn rest(&mut self, _: &Scheduler) -> Result<(), Error> {
        Ok(())
    }

    fn summary(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Error> {
        let summary = summary(&self.context, scheduler, now)?;
        self.write(&summary)
    }
}

fn blank<'a>(context: &ReportContext<'a>, kind: Kind) -> Result<Record<'a>, Error> {
    Ok(Record::new(kind, stamp(context)?, &context.config.destination, Some(context.address.ip())))
}

fn stamp(context: &ReportContext<'_>) -> Result<Stamp, Error> {
    Ok(Stamp::new(wall()?, context.config.timestamps == Some(TimeStyle::Iso)))
}

/// The record of an event, with its reason in `reason`; `None` for events without a record.
pub(super) fn record<'a>(
    context: &ReportContext<'a>,
    happened: &Event<'_>,
    reason: &mut String,
) -> Result<Option<Record<'a>>, Error> {
    let of = |kind| blank(context, kind);
    Ok(Some(match happened {
        Event::Sent => return Ok(None),
        Event::Reply(answer, packet) => reply(
            of(Kind::of_reply(answer.integrity, answer.class))?,
            answer,
            packet,
            context.config.is_timed(),
            reason,
        ),
        Event::Foreign(why, packet) => {
            reason.push_str(why.reason());
            Record { seq: Some(packet.wire.into()), ..packet_fields(of(Kind::Foreign)?, packet) }
        }
        Event::Error { sequence, from, kind, code, words, .. } => {
            reason.push_str(words);
            let from = from.map_or(context.source, |from| from.ip());
            error_fields(of(Kind::Error)?, *sequence, from, Some((*kind, *code)))
        }
        Event::Redirect { wire, from, code, words } => {
            reason.push_str(words);
            error_fields(of(Kind::Redirect)?, u64::from(*wire), from.ip(), Some((5, *code)))
        }
        Event::NoAnswer(sequence) => Record { seq: Some(*sequence), ..of(Kind::Lost)? },
        Event::Refused { sequence, errno, mtu } => {
            *reason = refusal(*errno, *mtu);
            error_fields(of(Kind::Error)?, *sequence, context.source, None)
        }
        Event::NotSent { sequence, cause } => {
            *reason = error::reason(cause);
            Record { seq: Some(*sequence), ..of(Kind::NotSent)? }
        }
        Event::Overflowed(datagrams) => Record { count: Some(*datagrams), ..of(Kind::DroppedLocally)? },
        Event::Resolved { .. } => Record { from: Some(context.source), ..of(Kind::Resolved)? },
    }))
}

fn reply<'a>(
    blank: Record<'a>,
    answer: &Answer,
    packet: &ReplyPacket<'_>,
    is_timed: bool,
    reason: &mut String,
) -> Record<'a> {
    reason.push_str(&answer.integrity.reason().unwrap_or_default());
    Record {
        seq: Some(answer.sequence),
        rtt_ms: is_timed.then_some(answer.time),
        rtt_source: is_timed.then_some(answer.source),
        reordered: answer.is_reordered,
        truncated: answer.integrity == Integrity::Truncated,
        ..packet_fields(blank, packet)
    }
}

fn packet_fields<'a>(blank: Record<'a>, packet: &ReplyPacket<'_>) -> Record<'a> {
    Record { from: Some(packet.from.ip()), bytes: Some(packet.length), ttl: packet.hops, ..blank }
}

fn error_fields(blank: Record<'_>, sequence: u64, from: IpAddr, icmp: Option<(u8, u8)>) -> Record<'_> {
    let (icmp_type, icmp_code) = icmp.unzip();
    Record { seq: Some(sequence), from: Some(from), icmp_type, icmp_code, ..blank }
}

fn summary<'a>(context: &ReportContext<'a>, scheduler: &Scheduler, now: Instant) -> Result<Summary<'a>, Error> {
    let (counts, stats, sequence_stats) = (scheduler.counts(), scheduler.stats(), scheduler.sequence_stats(now));
    let is_timed = context.config.is_timed();
    let figures = stats.figures().filter(|_| is_timed);
    let percentile = |percent| stats.percentile(percent).filter(|_| is_timed);
    Ok(Summary {
        event: Kind::Summary,
        time: stamp(context)?,
        target: &context.config.destination,
        address: Some(context.address.ip()),
        transmitted: counts.transmitted,
        received: counts.received,
        lost: sequence_stats.lost(),
        in_flight: sequence_stats.in_flight(),
        late: counts.late,
        duplicates: counts.duplicates,
        reordered: counts.reordered,
        corrupt: counts.corrupt,
        foreign: counts.foreign,
        errors: counts.errors,
        not_sent: counts.not_sent,
        dropped_locally: sequence_stats.dropped_locally(),
        loss_percent: loss_percent(counts.transmitted, counts.received),
        min_ms: figures.map(|figures| figures.minimum),
        avg_ms: figures.map(|figures| figures.average),
        max_ms: figures.map(|figures| figures.maximum),
        mdev_ms: figures.map(|figures| figures.deviation),
        p50_ms: percentile(50),
        p90_ms: percentile(90),
        p99_ms: percentile(99),
        jitter_ms: sequence_stats.jitter().filter(|_| is_timed),
        mean_difference_ms: sequence_stats.mean_difference().filter(|_| is_timed),
        longest_outage_ms: Some(sequence_stats.longest_outage()),
        elapsed_ms: Some(scheduler.elapsed()),
    })
}
