//! Second implementations: the same rules, written to be obvious instead of fast.

use std::collections::HashMap;

use httpd::proto::conditional::{Outcome, Validators};
use httpd::proto::date;
use httpd::proto::field::{self, Fields, Name};
use httpd::proto::range::MAX_PARTS;

/// The segments of a path and whether it names a folder; `None` when it must be rejected.
pub(super) fn path(raw: &[u8]) -> Option<(Vec<Vec<u8>>, bool)> {
    let mut segments = Vec::new();
    let mut last = Vec::new();
    for raw_segment in raw.split(|byte| *byte == b'/') {
        last = percent_decode(raw_segment)?;
        match last.as_slice() {
            b"" | b"." => {}
            b".." => drop(segments.pop()?),
            segment if segment.iter().any(|byte| matches!(byte, 0 | b'/')) => return None,
            segment => segments.push(segment.to_vec()),
        }
    }
    let is_folder = matches!(last.as_slice(), b"" | b"." | b"..");
    Some((segments, is_folder))
}

fn percent_decode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = raw.split(|byte| *byte == b'%');
    let mut decoded = pieces.next()?.to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        decoded.extend_from_slice(&piece[2..]);
    }
    Some(decoded)
}

/// The bytes that a Range field selects.
pub(super) struct Ranges {
    pub(super) bytes: Vec<bool>,
    named: usize,
    runs: usize,
}

impl Ranges {
    /// Whether the server may answer a valid field with the whole file.
    pub(super) fn is_wasteful(&self) -> bool {
        self.named > MAX_PARTS || self.runs > MAX_PARTS
    }
}

/// Reads a Range field for a file of `size` bytes; `None` for a field that must be ignored.
pub(super) fn ranges(value: &[u8], size: u64) -> Option<Ranges> {
    let text = std::str::from_utf8(value).ok()?;
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    // The list parser does not split at a comma within quotes; quotes are invalid in a range anyway.
    let specs: Vec<&str> =
        set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty()).collect();
    let mut bytes = vec![false; usize::try_from(size).ok()?];
    for spec in &specs {
        let (first, last) = spec.split_once('-')?;
        let (start, end) = match (first, last) {
            ("", suffix) => (size.saturating_sub(number(suffix)?), size),
            (start, "") => (number(start)?, size),
            (start, end) if number(start)? <= number(end)? => (number(start)?, number(end)?.saturating_add(1)),
            _ => return None,
        };
        for byte in start..end.min(size) {
            bytes[usize::try_from(byte).ok()?] = true;
        }
    }
    let runs = bytes.chunk_by(|a, b| a == b).filter(|run| run[0]).count();
    (!specs.is_empty()).then_some(Ranges { bytes, named: specs.len(), runs })
}

/// A decimal number; one that overflows lies past the end of every file.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The weights of an Accept-Encoding field by name.
pub(super) struct Weights(HashMap<String, u32>);

impl Weights {
    pub(super) fn new(fields: &Fields) -> Self {
        let mut weights = HashMap::new();
        for member in fields.list(Name::AcceptEncoding) {
            let mut parts = member.split(|byte| *byte == b';').map(field::trim);
            let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).to_ascii_lowercase();
            let q = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
            let name = if name == "x-gzip" { "gzip".to_owned() } else { name };
            weights.insert(name, q.map_or(1000, thousandths));
        }
        Self(weights)
    }

    pub(super) fn of(&self, coding: &str) -> u32 {
        self.0.get(coding).or_else(|| self.0.get("*")).copied().unwrap_or(0)
    }

    pub(super) fn identity(&self) -> u32 {
        let refused_by_any = self.0.get("*").is_some_and(|weight| *weight == 0);
        self.0.get("identity").copied().unwrap_or(if refused_by_any { 0 } else { 1000 })
    }

    pub(super) fn named_identity(&self) -> u32 {
        self.0.get("identity").copied().unwrap_or(0)
    }
}

/// `0.75` as 750; an invalid weight as 0.
fn thousandths(text: &[u8]) -> u32 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_weight = matches!(whole, "0" | "1") && fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    let weight = format!("{whole}{fraction:0<3}").parse().unwrap_or(0);
    if is_weight && weight <= 1000 { weight } else { 0 }
}

/// Where a chunked body ends according to httparse.
pub(super) fn end_of_chunks(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(&body[at..]) else { return None };
        at += line;
        if size == 0 {
            break;
        }
        at += usize::try_from(size).ok()?;
        at += body.get(at..)?.starts_with(b"\r\n").then_some(2)?;
    }
    // Trailers end with an empty line.
    while !body.get(at..)?.starts_with(b"\r\n") {
        at += body[at..].windows(2).position(|pair| pair == b"\r\n")? + 2;
    }
    Some(at + 2)
}

/// The steps of RFC 9110, section 13.2.2, for a GET request.
pub(super) fn outcome(fields: &Fields, validators: Validators) -> Outcome {
    let date = |name| fields.only(name).and_then(date::parse);
    let any = |name, weak: bool| {
        fields
            .list(name)
            .any(|tag| tag == b"*" || tag == validators.etag || weak && tag == [b"W/", validators.etag].concat())
    };
    let has = |name| fields.first(name).is_some();
    let is_newer_than = |limit| validators.modified.is_some_and(|modified| modified > limit);
    // Steps 1 and 2.
    if has(Name::IfMatch) {
        if !any(Name::IfMatch, false) {
            return Outcome::Failed;
        }
    } else if date(Name::IfUnmodifiedSince).is_some_and(is_newer_than) {
        return Outcome::Failed;
    }
    // Steps 3 and 4.
    let is_known = if has(Name::IfNoneMatch) {
        any(Name::IfNoneMatch, true)
    } else {
        validators.modified.is_some() && date(Name::IfModifiedSince).is_some_and(|since| !is_newer_than(since))
    };
    if is_known { Outcome::NotModified } else { Outcome::Proceed }
}
