//! The formats of a line of the access log.
//!
//! Bytes from clients are escaped, so that they can neither end a line nor control a terminal, and cut, so that a line has at
//! most 8 KiB.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use common::SafeText;
use common::json::JsonString;

use super::LogEntry;
use crate::clock::Clock;
use crate::content::size::human_size;
use crate::net::peer::Peer;
use crate::proto::percent::percent_decode;
use crate::proto::response::number;

/// Most bytes of an escaped request line.
const MAX_REQUEST: usize = 4096;
/// Most bytes of an escaped Referer or User-Agent.
const MAX_FIELD: usize = 1536;
/// Most bytes of the escaped name of a user.
const MAX_USER: usize = 256;
/// Marks text that was cut.
const CUT: &[u8] = b"...";

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
    escape(out, entry.line, MAX_REQUEST);
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
        escape(out, value.unwrap_or(b"-"), MAX_FIELD);
        out.push(b'"');
    }
}

/// A short format for terminals, with readable names.
pub(super) fn dev(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry, duration: Duration, color: bool) {
    let (on, off) = match (color, entry.status) {
        (false, _) => ("", ""),
        (true, ..300) => ("\x1b[32m", "\x1b[0m"),
        (true, 300..400) => ("\x1b[36m", "\x1b[0m"),
        (true, 400..500) => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    let time = clock.log_time().get(12..20).unwrap_or_default();
    let line = entry.line.strip_suffix(b" HTTP/1.1").unwrap_or(entry.line);
    let line = percent_decode(line).unwrap_or(Cow::Borrowed(line));
    let (line, cut) = clip(&line, |_| 4, MAX_REQUEST);
    let (line, bytes) = (SafeText(line), human_size(entry.bytes));
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{time} {on}{}{off} {line}{} {bytes} {} (", entry.status, text(cut), human_duration(duration));
    if let Some(user) = &entry.user {
        let (user, cut) = clip(user, |_| 4, MAX_USER);
        let _ = write!(out, "{}{} ", SafeText(user), text(cut));
    }
    let _ = write!(out, "{})", entry.peer);
}

/// A duration for people: `0.3 ms`, `12 ms`, `1.5 s`.
fn human_duration(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    match milliseconds {
        ..9.95 => format!("{milliseconds:.1} ms"),
        ..999.5 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// One JSON object; fields without a value are left out. `duration` is written in seconds.
pub(super) fn json(out: &mut Vec<u8>, clock: &Clock, entry: &LogEntry, duration: Duration) {
    let (time, peer, request) = (clock.rfc3339(), entry.peer, clipped_json(entry.line, MAX_REQUEST));
    let (status, bytes) = (entry.status, entry.bytes);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{{\"time\":\"{time}\",\"remote\":\"{peer}\",\"request\":{request}");
    let _ = write!(out, ",\"status\":{status},\"bytes\":{bytes}");
    let optional = [
        ("referer", entry.referer, MAX_FIELD),
        ("user_agent", entry.user_agent, MAX_FIELD),
        ("user", entry.user.as_deref(), MAX_USER),
    ];
    for (name, value, most) in optional {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":{}", clipped_json(value, most));
        }
    }
    let _ = write!(out, ",\"lane\":\"{}\"", entry.served_by.name());
    if let Some(cache) = entry.cache {
        let _ = write!(out, ",\"cache\":\"{}\"", cache.name());
    }
    let _ = write!(out, ",\"duration\":{}}}", duration.as_secs_f64());
}

/// A JSON string of at most `most` bytes without its quotes.
fn clipped_json(bytes: &[u8], most: usize) -> String {
    let cost = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        ..=0x1f | 0x7f => 6,
        // Two bytes of a control character become six, and an invalid byte becomes three.
        0x80.. => 3,
        _ => 1,
    };
    let (clipped, cut) = clip(bytes, cost, most);
    if cut.is_empty() { JsonString(clipped).to_string() } else { JsonString(&[clipped, cut].concat()).to_string() }
}

/// The start of `bytes` whose escaped form has at most `most` bytes, and the mark behind it if it is not all.
fn clip(bytes: &[u8], cost: impl Fn(u8) -> usize, most: usize) -> (&[u8], &'static [u8]) {
    /// The greatest cost of a byte.
    const MAX_COST: usize = 6;
    if bytes.len() * MAX_COST <= most {
        return (bytes, b"");
    }
    let mut length = 0;
    let end = bytes.iter().position(|byte| {
        length += cost(*byte);
        length > most.saturating_sub(CUT.len())
    });
    match end {
        Some(end) if bytes.len() - end > CUT.len() => (bytes.get(..end).unwrap_or(bytes), CUT),
        _ => (bytes, b""),
    }
}

fn text(mark: &[u8]) -> &str {
    std::str::from_utf8(mark).unwrap_or_default()
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

/// Escapes quotes, backslashes and everything except printable ASCII; writes at most `most` bytes.
fn escape(out: &mut Vec<u8>, bytes: &[u8], most: usize) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..=0x1f | 0x7f..);
    let (bytes, cut) = clip(bytes, |byte| if is_special(&byte) { 4 } else { 1 }, most);
    if bytes.iter().any(is_special) {
        for byte in bytes {
            if is_special(byte) {
                let _ = write!(out, "\\x{byte:02X}");
            } else {
                out.push(*byte);
            }
        }
    } else {
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(cut);
}

/// Escapes the name of a user, spaces as well.
fn escape_with_spaces(out: &mut Vec<u8>, bytes: &[u8]) {
    let (bytes, cut) = clip(bytes, |_| 4, MAX_USER);
    for (index, piece) in bytes.split(|byte| *byte == b' ').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\x20");
        }
        escape(out, piece, usize::MAX);
    }
    out.extend_from_slice(cut);
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
    fn the_dev_format_is_short_and_readable() {
        const DURATION: Duration = Duration::from_micros(340);
        let (text, time) = line(|out, clock, entry| dev(out, clock, entry, DURATION, false));
        assert_eq!(text, format!("{} 200 GET /a\"b\\x1b 12 B 0.3 ms (127.0.0.1)", &time[12..20]));
        let (text, _) = line(|out, clock, entry| {
            let line = b"GET /%D7%A9%20x%0a HTTP/1.1";
            let entry = LogEntry { line, user: Some(b"ann\n".as_slice().into()), ..entry.clone() };
            dev(out, clock, &entry, DURATION, false);
        });
        assert!(text.ends_with(" GET /\u{5e9} x\\n 12 B 0.3 ms (ann\\n 127.0.0.1)"), "{text}");
        let durations = [(9_949, "9.9 ms"), (12_400, "12 ms"), (999_499, "999 ms"), (1_500_000, "1.5 s")];
        for (microseconds, text) in durations {
            assert_eq!(human_duration(Duration::from_micros(microseconds)), text);
        }
    }

    #[test]
    fn no_line_is_longer_than_8_kib_in_any_format() {
        let clock = Clock::new(Instant::now());
        for byte in [b'a', b'"', b'\x1b', b'\xff', b'\xc2', b'%'] {
            let long = vec![byte; 16_000];
            let entry = LogEntry {
                line: &long,
                referer: Some(&long),
                user_agent: Some(&long),
                user: Some(long.as_slice().into()),
                ..entry()
            };
            let mut lines: [Vec<u8>; 4] = Default::default();
            combined(&mut lines[0], &clock, &entry);
            common(&mut lines[1], &clock, &entry);
            dev(&mut lines[2], &clock, &entry, Duration::ZERO, false);
            json(&mut lines[3], &clock, &entry, Duration::ZERO);
            for (number, line) in lines.iter().enumerate() {
                assert!(line.len() < 8192, "format {number}, byte {byte}: {} bytes", line.len());
                assert!(memchr::memmem::find(line, CUT).is_some());
            }
            let value: serde_json::Value = serde_json::from_slice(&lines[3]).unwrap();
            assert!(value["request"].as_str().unwrap().ends_with("..."));
        }
    }

    #[test]
    fn text_within_the_limit_is_not_cut() {
        let mut out = Vec::new();
        escape(&mut out, &[b'a'; MAX_REQUEST], MAX_REQUEST);
        assert_eq!(out, [b'a'; MAX_REQUEST]);
    }
}
