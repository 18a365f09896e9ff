//! The formats of a line of the access log.
//!
//! Bytes from clients are escaped, so that they can neither end a line nor control a terminal.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use common::json::JsonString;

use super::LogEntry;
use crate::clock::Clock;
use crate::content::size::human_size;
use crate::net::peer::Peer;
use crate::proto::response::number;

/// The Common Log Format.
pub(super) fn common(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry) {
    // Without format traits, which take several times as long: this runs for every request.
    match entry.peer {
        Peer::Ip(ip) => address(out, ip),
        peer @ Peer::Local => _ = write!(out, "{peer}"),
    }
    out.extend_from_slice(b" - ");
    match &entry.user {
        // Spaces separate fields, so they are escaped.
        Some(user) if !user.is_empty() => escape_with_spaces(out, user),
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

/// The Combined Log Format.
pub(super) fn combined(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry) {
    common(out, clock, entry);
    for value in [entry.referer, entry.user_agent] {
        out.extend_from_slice(b" \"");
        escape(out, value.unwrap_or(b"-"));
        out.push(b'"');
    }
}

/// A short format for terminals.
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
        escape_with_spaces(out, user);
        out.push(b' ');
    }
    let _ = write!(out, "{})", entry.peer);
}

/// One JSON object; fields without a value are left out. `duration` is written in seconds.
pub(super) fn json(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry, duration: Duration) {
    let (time, peer, request) = (clock.rfc3339(), entry.peer, JsonString(entry.line));
    let (status, bytes) = (entry.status, entry.bytes);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{{\"time\":\"{time}\",\"remote\":\"{peer}\",\"request\":{request}");
    let _ = write!(out, ",\"status\":{status},\"bytes\":{bytes}");
    let optional = [("referer", entry.referer), ("user_agent", entry.user_agent), ("user", entry.user.as_deref())];
    for (name, value) in optional {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":{}", JsonString(value));
        }
    }
    let _ = write!(out, ",\"lane\":\"{}\"", entry.served_by.name());
    if let Some(cache) = entry.cache {
        let _ = write!(out, ",\"cache\":\"{}\"", cache.name());
    }
    let _ = write!(out, ",\"duration\":{}}}", duration.as_secs_f64());
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (index, byte) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                number(out, byte.into());
            }
        }
        IpAddr::V6(v6) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{v6}");
        }
    }
}

/// Escapes quotes, backslashes and everything except printable ASCII.
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

/// Escapes spaces as well.
fn escape_with_spaces(out: &mut Vec<u8>, bytes: &[u8]) {
    for (index, piece) in bytes.split(|byte| *byte == b' ').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escape(out, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::lookup::CacheStatus;
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
    fn the_combined_format_escapes_bytes_from_clients() {
        let (text, time) = line(combined);
        let expected =
            "127.0.0.1 - - [TIME] \"GET /a\\x22b\\x1B HTTP/1.1\" 200 12 \"-\" \"x\\x5C\\x0A\\xFF\\xC2\\x9B\"";
        assert_eq!(text, expected.replace("TIME", &time));
    }

    #[test]
    fn the_name_of_a_user_is_one_field_for_any_bytes() {
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
        assert!(!text.chars().any(char::is_control), "terminal control: {text:?}");
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
