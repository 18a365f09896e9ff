//! The report of `--json`: turns what happened into the lines of the module of that name.

use std::io::Write;
use std::net::IpAddr;
use std::time::Instant;

use common::{Failure, error};

use super::{Event as Happened, Foreign, Packet, Report, Scene, refusal, wall};
use crate::config::TimeStyle;
use crate::json::{Event, Kind, Stamp, Summary, loss_percent, write_line};
use crate::pinger::{Answer, Integrity, Pinger, Verdict};

/// Writes one object a line.
pub(super) struct Json<'a, W> {
    scene: Scene<'a>,
    out: W,
}

impl<'a, W: Write> Json<'a, W> {
    /// A report on `out`.
    pub(super) fn new(scene: Scene<'a>, out: W) -> Self {
        Self { scene, out }
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Failure> {
        // One write a line, however many parts it has.
        let mut bytes = Vec::with_capacity(256);
        write_line(&mut bytes, line).map_err(Failure::output)?;
        super::write(&mut self.out, &bytes)
    }
}

impl<W: Write> Report for Json<'_, W> {
    fn start(&mut self) -> Result<(), Failure> {
        let event = Event {
            from: Some(self.scene.source),
            bytes: Some(self.scene.config.payload.len()),
            ..blank(&self.scene, Kind::Start)?
        };
        self.write(&event)
    }

    fn event(&mut self, happened: &Happened<'_>) -> Result<(), Failure> {
        if let Happened::Resolved { address, source } = happened {
            (self.scene.address, self.scene.source) = (*address, *source);
        }
        if self.scene.config.quiet {
            return Ok(());
        }
        let mut reason = String::new();
        if let Some(event) = record(&self.scene, happened, &mut reason)? {
            let reason = (!reason.is_empty()).then_some(reason.as_str());
            self.write(&Event { reason, ..event })?;
        }
        Ok(())
    }

    fn rest(&mut self, _: &Pinger) -> Result<(), Failure> {
        Ok(())
    }

    fn summary(&mut self, pinger: &Pinger, now: Instant) -> Result<(), Failure> {
        let summary = summary(&self.scene, pinger, now)?;
        self.write(&summary)
    }
}

fn blank<'a>(scene: &Scene<'a>, kind: Kind) -> Result<Event<'a>, Failure> {
    Ok(Event::new(kind, stamp(scene)?, &scene.config.destination, Some(scene.address.ip())))
}

fn stamp(scene: &Scene<'_>) -> Result<Stamp, Failure> {
    Ok(Stamp::new(wall()?, scene.config.timestamps == Some(TimeStyle::Iso)))
}

/// What happened as one record, its reason in `reason`; `None` for what is not worth a line.
pub(super) fn record<'a>(
    scene: &Scene<'a>,
    happened: &Happened<'_>,
    reason: &mut String,
) -> Result<Option<Event<'a>>, Failure> {
    let of = |kind| blank(scene, kind);
    Ok(Some(match happened {
        Happened::Sent => return Ok(None),
        Happened::Reply(answer, packet) => reply(of(kind(answer))?, answer, packet, scene.config.is_timed(), reason),
        Happened::Foreign(why, packet) => {
            reason.push_str(match why {
                Foreign::Address => "another address than the target",
                Foreign::Code => "without the code of the probe",
                Foreign::Sequence => "no such probe",
            });
            Event { seq: Some(packet.wire.into()), ..packet_fields(of(Kind::Foreign)?, packet) }
        }
        Happened::Error { sequence, from, kind, code, words, .. } => {
            reason.push_str(words);
            let from = from.map_or(scene.source, |from| from.ip());
            error_fields(of(Kind::Error)?, *sequence, from, Some((*kind, *code)))
        }
        Happened::Redirect { wire, from, code, words } => {
            reason.push_str(words);
            error_fields(of(Kind::Redirect)?, u64::from(*wire), from.ip(), Some((5, *code)))
        }
        Happened::NoAnswer(sequence) => Event { seq: Some(*sequence), ..of(Kind::Lost)? },
        Happened::Refused { sequence, errno, mtu } => {
            *reason = refusal(*errno, *mtu);
            error_fields(of(Kind::Error)?, *sequence, scene.source, None)
        }
        Happened::NotSent { sequence, cause } => {
            *reason = error::reason(cause);
            Event { seq: Some(*sequence), ..of(Kind::NotSent)? }
        }
        Happened::Overflowed(datagrams) => Event { count: Some(*datagrams), ..of(Kind::DroppedLocally)? },
        Happened::Resolved { .. } => Event { from: Some(scene.source), ..of(Kind::Resolved)? },
    }))
}

fn kind(answer: &Answer) -> Kind {
    match (answer.integrity, answer.verdict) {
        (Integrity::Checksum | Integrity::Changed(_), _) => Kind::Corrupt,
        (_, Verdict::Reply) => Kind::Reply,
        (_, Verdict::Late) => Kind::Late,
        (_, Verdict::Duplicate) => Kind::Duplicate,
    }
}

fn reply<'a>(blank: Event<'a>, answer: &Answer, packet: &Packet<'_>, is_timed: bool, reason: &mut String) -> Event<'a> {
    match answer.integrity {
        Integrity::Checksum => "checksum".clone_into(reason),
        Integrity::Changed(index) => *reason = format!("payload byte {index}"),
        Integrity::Whole | Integrity::Truncated => {}
    }
    Event {
        seq: Some(answer.sequence),
        rtt_ms: is_timed.then_some(answer.time),
        rtt_source: is_timed.then_some(answer.source),
        reordered: answer.is_reordered,
        truncated: answer.integrity == Integrity::Truncated,
        ..packet_fields(blank, packet)
    }
}

fn packet_fields<'a>(blank: Event<'a>, packet: &Packet<'_>) -> Event<'a> {
    Event { from: Some(packet.from.ip()), bytes: Some(packet.length), ttl: packet.hops, ..blank }
}

fn error_fields(blank: Event<'_>, sequence: u64, from: IpAddr, icmp: Option<(u8, u8)>) -> Event<'_> {
    let (icmp_type, icmp_code) = icmp.unzip();
    Event { seq: Some(sequence), from: Some(from), icmp_type, icmp_code, ..blank }
}

fn summary<'a>(scene: &Scene<'a>, pinger: &Pinger, now: Instant) -> Result<Summary<'a>, Failure> {
    let (counts, stats, tally) = (pinger.counts(), pinger.stats(), pinger.tally(now));
    let is_timed = scene.config.is_timed();
    let figures = stats.figures().filter(|_| is_timed);
    let percentile = |percent| stats.percentile(percent).filter(|_| is_timed);
    Ok(Summary {
        event: Kind::Summary,
        time: stamp(scene)?,
        target: &scene.config.destination,
        address: Some(scene.address.ip()),
        transmitted: counts.transmitted,
        received: counts.received,
        lost: tally.lost(),
        in_flight: tally.in_flight(),
        late: counts.late,
        duplicates: counts.duplicates,
        reordered: counts.reordered,
        corrupt: counts.corrupt,
        foreign: counts.foreign,
        errors: counts.errors,
        not_sent: counts.not_sent,
        dropped_locally: tally.dropped_locally(),
        loss_percent: loss_percent(counts.transmitted, counts.received),
        min_ms: figures.map(|figures| figures.minimum),
        avg_ms: figures.map(|figures| figures.average),
        max_ms: figures.map(|figures| figures.maximum),
        mdev_ms: figures.map(|figures| figures.deviation),
        p50_ms: percentile(50),
        p90_ms: percentile(90),
        p99_ms: percentile(99),
        jitter_ms: tally.jitter().filter(|_| is_timed),
        mean_difference_ms: tally.mean_difference().filter(|_| is_timed),
        longest_outage_ms: Some(tally.longest_outage()),
        elapsed_ms: Some(pinger.elapsed()),
    })
}
