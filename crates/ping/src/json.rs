//! The events of `--json`: one object a line, the same fields for one target and for many.
//!
//! A field that an event does not have is left out, except in the summary, where every field stands in every case and a
//! time that was never measured is null. Numbers are numbers, times in `_ms` are milliseconds. Nothing is counted here.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::rtt::StampSource;

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The run begins.
    Start,
    /// The first answer to a probe, in time.
    Reply,
    /// The first answer, after the probe had been given up.
    Late,
    /// One more answer to an answered probe.
    Duplicate,
    /// An answer whose checksum or payload is wrong; `reason` says which.
    Corrupt,
    /// An answer that is none of ours: from another address, or without our code in its payload; `reason` says which.
    Foreign,
    /// A probe was given up.
    Lost,
    /// An ICMP error about a probe, `from` the router that sent it, or a refusal by this host.
    Error,
    /// A router named a better next hop for a probe.
    Redirect,
    /// A probe could not leave this host.
    NotSent,
    /// Datagrams were thrown away by this host because its buffer was full; `count` says how many.
    DroppedLocally,
    /// The name of the target means another address now.
    Resolved,
    /// The end, with all counts.
    Summary,
}

/// A time as it is written: seconds since 1970, or text in UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Stamp {
    /// Seconds since 1970, with microseconds.
    Unix(f64),
    /// RFC 3339.
    Iso(String),
}

impl Stamp {
    /// This moment, in nanoseconds since 1970, as seconds or as text.
    pub(crate) fn new(wall: u64, iso: bool) -> Self {
        if iso { Self::Iso(iso_text(wall)) } else { Self::Unix((wall / 1_000) as f64 / 1e6) }
    }
}

/// A moment in nanoseconds since 1970 as RFC 3339 writes it, with microseconds, in UTC.
pub(crate) fn iso_text(wall: u64) -> String {
    let microseconds = i64::try_from(wall / 1_000).unwrap_or(i64::MAX);
    DateTime::<Utc>::from_timestamp_micros(microseconds)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// One line about one target, but for the last one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record<'a> {
    /// What happened.
    pub(crate) event: Kind,
    /// When it was seen.
    pub(crate) time: Stamp,
    /// The target as it was typed.
    pub(crate) target: &'a str,
    /// The address that probes go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    /// Number of the probe, from 1, never wrapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    /// Who sent the packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<IpAddr>,
    /// Bytes of the ICMP message; in the first line, of the payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    /// Time to live or hop limit of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u8>,
    /// Round-trip time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub(crate) rtt_ms: Option<Duration>,
    /// Which clocks the round-trip time comes from.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "source")]
    pub(crate) rtt_source: Option<StampSource>,
    /// Whether a probe that was sent later had been answered before.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) reordered: bool,
    /// Whether less came back than was sent.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) truncated: bool,
    /// ICMP type of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_type: Option<u8>,
    /// ICMP code of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_code: Option<u8>,
    /// How many, where one line stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// In words, what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// An event without any of the optional fields.
    pub(crate) fn new(event: Kind, time: Stamp, target: &'a str, address: Option<IpAddr>) -> Self {
        Self {
            event,
            time,
            target,
            address,
            seq: None,
            from: None,
            bytes: None,
            ttl: None,
            rtt_ms: None,
            rtt_source: None,
            reordered: false,
            truncated: false,
            icmp_type: None,
            icmp_code: None,
            count: None,
            reason: None,
        }
    }
}

/// The last line about one target; every field is there in every case.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary<'a> {
    pub(crate) event: Kind,
    pub(crate) time: Stamp,
    pub(crate) target: &'a str,
    pub(crate) address: Option<IpAddr>,
    pub(crate) transmitted: u64,
    pub(crate) received: u64,
    /// Given up without an answer, an error or a reason on this host.
    pub(crate) lost: u64,
    /// Neither answered nor given up when the run ended.
    pub(crate) in_flight: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupt: u64,
    pub(crate) foreign: u64,
    pub(crate) errors: u64,
    pub(crate) not_sent: u64,
    pub(crate) dropped_locally: u64,
    /// 100 * (transmitted - received) / transmitted, as in the text; 0 when nothing was sent.
    pub(crate) loss_percent: f64,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) min_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) avg_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) max_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) mdev_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) p50_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) p90_ms: Option<Duration>,
    #[serde(serialize_with = "milliseconds")]
    pub(crate) p99_ms: Option<Duration>,
    /// RFC 3550, section 6.4.1, over the probes in the order they were sent.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) jitter_ms: Option<Duration>,
    /// Mean of the differences between the times of neighbouring probes.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) mean_difference_ms: Option<Duration>,
    /// From the send of the first probe of the longest unanswered row to that of the next answered one.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) longest_outage_ms: Option<Duration>,
    /// From the start to the last send.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) elapsed_ms: Option<Duration>,
}

/// Writes one object and the end of its line.
pub(crate) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// The share of probes without an answer; 0 when there was none.
pub(crate) fn loss_percent(transmitted: u64, received: u64) -> f64 {
    if transmitted == 0 {
        return 0.0;
    }
    transmitted.saturating_sub(received) as f64 * 100.0 / transmitted as f64
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        // Nanoseconds first: one division of two exact numbers gives the shortest text.
        Some(time) => serializer.serialize_f64(time.as_nanos() as f64 / 1e6),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn source<S: Serializer>(source: &Option<StampSource>, serializer: S) -> Result<S::Ok, S::Error> {
    match source {
        Some(StampSource::Kernel) => serializer.serialize_str("kernel"),
        Some(StampSource::KernelReceive) => serializer.serialize_str("kernel-receive"),
        Some(StampSource::User) => serializer.serialize_str("user"),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &impl Serialize) -> String {
        let mut out = Vec::new();
        write_line(&mut out, line).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_holds_only_what_it_has_and_names_are_escaped() {
        let event = Record {
            seq: Some(7),
            rtt_ms: Some(Duration::from_nanos(12_345_678)),
            rtt_source: Some(StampSource::KernelReceive),
            ..Record::new(Kind::Reply, Stamp::Unix(1_795_335_927.240_001), "a\"\u{1b}[1m", Some([192, 0, 2, 1].into()))
        };
        let line = "{\"event\":\"reply\",\"time\":1795335927.240001,\"target\":\"a\\\"\\u001b[1m\",\
                    \"address\":\"192.0.2.1\",\"seq\":7,\"rtt_ms\":12.345678,\"rtt_source\":\"kernel-receive\"}\n";
        assert_eq!(written(&event), line);
    }

    #[test]
    fn a_moment_is_seconds_or_text() {
        let wall = 1_795_335_927_240_001_999;
        assert_eq!(Stamp::new(wall, false), Stamp::Unix(1_795_335_927.240_001));
        assert_eq!(Stamp::new(wall, true), Stamp::Iso("2026-11-22T08:25:27.240001Z".to_owned()));
    }

    #[test]
    fn loss_is_a_share_even_of_nothing() {
        assert!(loss_percent(0, 0).abs() < 1e-9);
        assert!((loss_percent(3, 2) - 100.0 / 3.0).abs() < 1e-9);
        assert!((loss_percent(3, 0) - 100.0).abs() < 1e-9);
    }
}
