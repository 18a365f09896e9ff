//! Records of `--json`: one object per line, the same fields for one and for many targets.
//!
//! Optional fields are left out, except in the summary, where a time without a value is null. Times in `_ms` are
//! milliseconds.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::probe_state::{Integrity, ReplyClass};
use crate::rtt::StampSource;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Start of the run.
    Start,
    /// The first reply to a probe, within the timeout.
    Reply,
    /// The first reply to a probe, after the timeout.
    Late,
    /// A further reply to a probe.
    Duplicate,
    /// A reply with a wrong checksum or a changed payload; see `reason`.
    Corrupt,
    /// A reply from another address or without a valid MAC; see `reason`.
    Foreign,
    /// No reply within the timeout.
    Lost,
    /// An ICMP error about a probe, sent by `from`, or a local error.
    Error,
    /// A router named a better next hop.
    Redirect,
    /// The send of a probe failed.
    NotSent,
    /// `count` datagrams were dropped because the receive buffer was full.
    DroppedLocally,
    /// The name of the target resolves to another address now.
    Resolved,
    /// The end of the run, with all counters.
    Summary,
}

impl Kind {
    /// The kind of a record about a reply.
    pub(crate) fn of_reply(integrity: Integrity, class: ReplyClass) -> Self {
        match class {
            _ if integrity.is_corrupt() => Self::Corrupt,
            ReplyClass::Reply => Self::Reply,
            ReplyClass::Late => Self::Late,
            ReplyClass::Duplicate => Self::Duplicate,
        }
    }
}

/// A time stamp: seconds since 1970, or RFC 3339 text in UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Stamp {
    /// Seconds since 1970, with microseconds.
    Unix(f64),
    /// RFC 3339.
    Iso(String),
}

impl Stamp {
    /// The time stamp `wall`, in nanoseconds since 1970.
    pub(crate) fn new(wall: u64, iso: bool) -> Self {
        if iso { Self::Iso(iso_text(wall)) } else { Self::Unix((wall / 1_000) as f64 / 1e6) }
    }
}

/// RFC 3339 text of nanoseconds since 1970, in UTC with microseconds.
pub(crate) fn iso_text(wall: u64) -> String {
    let microseconds = i64::try_from(wall / 1_000).unwrap_or(i64::MAX);
    DateTime::<Utc>::from_timestamp_micros(microseconds)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A record about one target.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record<'a> {
    /// What happened.
    pub(crate) event: Kind,
    /// When it happened.
    pub(crate) time: Stamp,
    /// The target as given.
    pub(crate) target: &'a str,
    /// The address of the probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    /// Number of the probe, from 1, never wrapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    /// The sender of the packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<IpAddr>,
    /// Bytes of the ICMP message; in the start record, of the payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    /// Time to live or hop limit of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<u8>,
    /// Round-trip time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub(crate) rtt_ms: Option<Duration>,
    /// The clocks of the round-trip time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "source")]
    pub(crate) rtt_source: Option<StampSource>,
    /// Whether the reply to a later probe arrived before.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) reordered: bool,
    /// Whether the payload is shorter than that of the request.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) truncated: bool,
    /// ICMP type of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_type: Option<u8>,
    /// ICMP code of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icmp_code: Option<u8>,
    /// Number of datagrams, in a record about several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// The reason as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// A record without optional fields.
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

/// The summary record of one target; every field is always present.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary<'a> {
    pub(crate) event: Kind,
    pub(crate) time: Stamp,
    pub(crate) target: &'a str,
    pub(crate) address: Option<IpAddr>,
    pub(crate) transmitted: u64,
    pub(crate) received: u64,
    /// Probes without a reply, an error or a sign of a local drop.
    pub(crate) lost: u64,
    /// Probes in flight at the end.
    pub(crate) in_flight: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupt: u64,
    pub(crate) foreign: u64,
    pub(crate) errors: u64,
    pub(crate) not_sent: u64,
    pub(crate) dropped_locally: u64,
    /// 100 * (transmitted - received) / transmitted; 0 when nothing was sent.
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
    /// RFC 3550, section 6.4.1, over the probes in sending order.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) jitter_ms: Option<Duration>,
    /// Mean difference of successive round-trip times.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) mean_difference_ms: Option<Duration>,
    /// From the first probe of the longest outage to the next answered one.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) longest_outage_ms: Option<Duration>,
    /// From the start to the last send.
    #[serde(serialize_with = "milliseconds")]
    pub(crate) elapsed_ms: Option<Duration>,
}

/// Writes a record and a line feed.
pub(crate) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// The percentage of probes without a reply; 0 when nothing was sent.
pub(crate) fn loss_percent(transmitted: u64, received: u64) -> f64 {
    if transmitted == 0 {
        return 0.0;
    }
    transmitted.saturating_sub(received) as f64 * 100.0 / transmitted as f64
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        // Dividing exact nanoseconds gives the shortest decimal text.
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
