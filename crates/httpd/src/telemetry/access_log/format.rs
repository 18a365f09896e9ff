//! The forms of a line of the access log.
//!
//! Whatever a client has sent is escaped here, so that it can neither end a line nor give orders to a terminal.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::LogEntry;
use crate::clock::Clock;
use crate::content::lookup::CacheStatus;
use crate::content::size::human_size;
use crate::net::peer::Peer;
use crate::proto::response::number;

pub(super) fn common(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry) {
    // Pushed piece by piece: this runs for every request, and formatting by traits takes several times as long.
    match entry.peer {
        Peer::Ip(ip) => address(out, ip),
        peer @ Peer::Local => _ = write!(out, "{peer}"),
    }
    out.extend_from_slice(b" - ");
    match &entry.user {
        // The name is a field between spaces, so there is none in it.
        Some(user) if !user.is_empty() => escape_spaced(out, user),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b" [");
    out.extend_from_slice(clock.log_time().as_bytes());
    out.extend_from_slice(b"] \"");
    escape(out, entry.line);
    out.extend_from_slice(b"\" ");
    number(out, entry.status.into());
    out.push(b' ');
    number(out, entry.bytes);
}

pub(super) fn combined(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry) {
    common(out, clock, entry);
    for value in [entry.referer, entry.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, value.unwrap_or(b"-"));
        out.push(b'"');
    }
}

pub(super) fn dev(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry, color: bool) {
    let (on, off) = match (color, entry.status) {
        (false, _) => ("", ""),
        (true, ..300) => ("\x1b[32m", "\x1b[0m"),
        (true, 300..400) => ("\x1b[36m", "\x1b[0m"),
        (true, 400..500) => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    let time = clock.log_time().get(12..20).unwrap_or_default();
    let _ = write!(out, "{time} {on}{}{off} ", entry.status);
    let line = entry.line.strip_suffix(b" HTTP/1.1").unwrap_or(entry.line);
    escape(out, line);
    let _ = write!(out, " {} (", human_size(entry.bytes));
    if let Some(user) = &entry.user {
        escape_spaced(out, user);
        out.push(b' ');
    }
    let _ = write!(out, "{})", entry.peer);
}

#[derive(Serialize)]
struct Line {
    time: String,
    remote: Peer,
    request: String,
    status: u16,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    lane: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
    /// In seconds.
    duration: f64,
}

pub(super) fn json(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry, duration: Duration) {
    let line = Line {
        time: clock.rfc3339(),
        remote: entry.peer,
        request: text(entry.line),
        status: entry.status,
        bytes: entry.bytes,
        referer: entry.referer.map(text),
        user_agent: entry.user_agent.map(text),
        user: entry.user.as_deref().map(text),
        lane: entry.served_by.name(),
        cache: entry.cache.map(CacheStatus::name),
        duration: duration.as_secs_f64(),
    };
    // Neither the type nor a Vec can make this fail.
    let _ = serde_json::to_writer(out, &line);
}

/// Text for JSON, where DEL and the controls above ASCII would stand as they are; a terminal takes some of them for orders.
fn text(bytes: &[u8]) -> String {
    let is_raw_control = |character: char| matches!(character, '\u{7f}'..='\u{9f}');
    String::from_utf8_lossy(bytes).replace(is_raw_control, "\u{fffd}")
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                number(out, octet.into());
            }
        }
        IpAddr::V6(v6) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{v6}");
        }
    }
}

/// Appends bytes with everything escaped that is not printable ASCII, and quotes and backslashes as well.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f | 0x7f..);
    if !bytes.iter().any(is_special) {
        out.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        if is_special(byte) {
            let _ = write!(out, "\\x{byte:02X}");
        } else {
            out.push(*byte);
        }
    }
}

/// The same with spaces escaped as well.
fn escape_spaced(out: &mut Vec<u8>, bytes: &[u8]) {
    for (place, piece) in bytes.split(|byte| *byte == b' ').enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escape(out, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    use crate::telemetry::metrics::ServedBy;

    fn entry() -> LogEntry<'static> {
        LogEntry {
            peer: Peer::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            line: b"GET /a\"b\x1b HTTP/1.1",
            status: 200,
            bytes: 12,
            referer: None,
            user_agent: Some(b"x\\\n\xff\xc2\x9b"),
            user: None,
            served_by: ServedBy::Memory,
            cache: Some(CacheStatus::Hit),
            begun: Instant::now(),
        }
    }

    fn line(write: fn(&mut Vec<u8>, &Clock, &LogEntry)) -> (String, String) {
        let clock = Clock::new(Instant::now());
        let mut out = Vec::new();
        write(&mut out, &clock, &entry());
        (String::from_utf8(out).unwrap(), clock.log_time().to_owned())
    }

    #[test]
    fn the_combined_format_escapes_what_a_client_can_put_into_it() {
        let (text, time) = line(combined);
        let expected =
            "127.0.0.1 - - [TIME] \"GET /a\\x22b\\x1B HTTP/1.1\" 200 12 \"-\" \"x\\x5C\\x0A\\xFF\\xC2\\x9B\"";
        assert_eq!(text, expected.replace("TIME", &time));
    }

    #[test]
    fn the_name_of_a_user_is_one_field_whatever_is_in_it() {
        let clock = Clock::new(Instant::now());
        for (user, field) in [(&b"ann"[..], "ann"), (b"a b\"\xc3", "a\\x20b\\x22\\xC3"), (b"", "-")] {
            let mut out = Vec::new();
            common(&mut out, &clock, &LogEntry { user: Some(user.into()), ..entry() });
            assert!(String::from_utf8(out).unwrap().starts_with(&format!("127.0.0.1 - {field} [")), "{field}");
        }
    }

    #[test]
    fn the_json_format_is_one_valid_object() {
        let (text, _) = line(|out, clock, entry| json(out, clock, entry, Duration::from_micros(1500)));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value["status"].as_u64(), value["bytes"].as_u64()), (Some(200), Some(12)));
        assert_eq!(value["request"], "GET /a\"b\u{1b} HTTP/1.1");
        assert_eq!((value["lane"].as_str(), value["cache"].as_str()), (Some("memory"), Some("hit")));
        assert_eq!(value["duration"].as_f64(), Some(0.0015));
        assert!(value.get("referer").is_none());
        assert!(!text.chars().any(char::is_control), "no order to a terminal: {text:?}");
    }

    #[test]
    fn the_dev_format_is_short() {
        let (text, time) = line(|out, clock, entry| dev(out, clock, entry, false));
        assert_eq!(text, format!("{} 200 GET /a\\x22b\\x1B 12 B (127.0.0.1)", &time[12..20]));
        let (text, _) = line(|out, clock, entry| {
            dev(out, clock, &LogEntry { user: Some(b"ann\n".as_slice().into()), ..entry.clone() }, false);
        });
        assert!(text.ends_with(" 12 B (ann\\x0A 127.0.0.1)"), "{text}");
    }
}
