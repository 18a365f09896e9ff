//! HTTP messages: heads, targets and bodies (RFC 9112); ranges, dates, conditions and content codings (RFC 9110).

use httpd::proto::conditional::{Outcome, Validators, evaluate, range_applies};
use httpd::proto::field::{self, Fields, Name};
use httpd::proto::framing::{self, BodyLength, Drain, Drained, MAX_DRAIN};
use httpd::proto::negotiate::{Accepted, Coding};
use httpd::proto::range::{MAX_PARTS, Part, Selection, select};
use httpd::proto::request::{Head, MAX_FIELDS, Method, Parsed, Version, parse};
use httpd::proto::{date, percent, target};

use super::reference;

/// A head reads the same in one piece and in two, and httparse reads the same values from an accepted one.
pub fn request(data: &[u8]) {
    let Some((place, bytes)) = data.split_last() else { return };
    let cut = bytes.len() * usize::from(*place) / 256;
    match (parse(bytes), parse(&bytes[..cut])) {
        (Ok(Parsed::Complete(head, taken)), prefix) => {
            assert_eq!(matches!(prefix, Ok(Parsed::Complete(_, other)) if other == taken), cut >= taken);
            assert!(cut >= taken || matches!(prefix, Ok(Parsed::Partial)), "{prefix:?}");
            assert!(matches!(parse(&bytes[..taken]), Ok(Parsed::Complete(_, other)) if other == taken));
            let _ = (framing::body_length(&head), framing::keeps_alive(&head), framing::expectation(&head));
            agrees_with_httparse(&head, &bytes[..taken]);
        }
        (Ok(Parsed::Partial), prefix) => assert!(matches!(prefix, Ok(Parsed::Partial)), "{prefix:?}"),
        (Err(_), prefix) => assert!(!matches!(prefix, Ok(Parsed::Complete(..))), "{prefix:?}"),
    }
}

fn agrees_with_httparse(head: &Head, bytes: &[u8]) {
    if !(head.line.ends_with(b"HTTP/1.0") || head.line.ends_with(b"HTTP/1.1")) {
        return; // httparse rejects higher minor versions.
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut other = httparse::Request::new(&mut headers);
    assert_eq!(other.parse(bytes), Ok(httparse::Status::Complete(bytes.len())));
    assert_eq!(other.path.map(str::as_bytes), Some(head.target));
    assert_eq!(other.version, Some(u8::from(head.version == Version::Http11)));
    assert!(head.line.starts_with(other.method.unwrap_or("-").as_bytes()));
    for header in other.headers.iter() {
        let Some(name) = Name::from_bytes(header.name.as_bytes()) else { continue };
        let alike = other.headers.iter().filter(|other| other.name.eq_ignore_ascii_case(header.name));
        assert!(head.fields.all(name).eq(alike.map(|header| field::trim(header.value))), "{}", header.name);
    }
}

/// A decoded path cannot leave its root, and encoding and decoding it gives the same path.
pub fn target(data: &[u8]) {
    if !data.iter().all(u8::is_ascii_graphic) {
        return; // The parser of the request line accepts nothing else.
    }
    for method in [Method::Get, Method::Options, Method::NotAllowed] {
        if let Ok(target::Target::Resource { path, raw_path, .. }) = target::parse(data, method) {
            assert!(raw_path.starts_with(b"/"));
            assert_eq!(target::decode_path(raw_path), Ok(path));
        }
    }
    let Ok(path) = target::decode_path(data) else {
        assert!(reference::path(data).is_none(), "the reference accepts it");
        return;
    };
    assert_eq!(Some((path.segments().map(<[u8]>::to_vec).collect(), path.is_folder)), reference::path(data));
    for segment in path.segments() {
        assert!(!matches!(segment, b"" | b"." | b"..") && !segment.iter().any(|byte| matches!(byte, 0 | b'/')));
    }
    let mut encoded = b"/".to_vec();
    percent::percent_encode(path.relative(), &mut encoded);
    assert!(encoded.iter().all(u8::is_ascii_graphic));
    let again = target::decode_path(&encoded).expect("an encoded path can be decoded");
    assert_eq!(again.relative(), path.relative());
}

/// The parts lie within the file, do not overlap, and cover exactly the bytes that a slow reference selects.
pub fn range(data: &[u8]) {
    let Some((size, value)) = data.split_first() else { return };
    let size = u64::from(*size);
    let parts = match select(value, size) {
        Selection::Whole => return assert!(reference::ranges(value, size).is_none_or(|set| set.is_wasteful())),
        Selection::Unsatisfiable => vec![],
        Selection::One(part) => vec![part],
        Selection::Several(parts) => parts,
    };
    assert!(parts.len() <= MAX_PARTS && parts.iter().map(|part| part.length).sum::<u64>() <= size);
    let mut covered = vec![false; usize::from(data[0])];
    for Part { start, length } in parts {
        assert!(length > 0);
        for byte in start..start + length {
            assert!(!std::mem::replace(&mut covered[usize::try_from(byte).unwrap()], true), "sent twice");
        }
    }
    assert_eq!(Some(covered), reference::ranges(value, size).map(|set| set.bytes));
    // Sizes near `u64::MAX` do not overflow.
    let _ = (select(value, u64::MAX), select(value, u64::MAX - size));
}

/// Formatting and parsing a date gives the same second.
pub fn date(data: &[u8]) {
    if let Some((bytes, _)) = data.split_first_chunk::<8>() {
        let seconds = i64::from_le_bytes(*bytes);
        assert_eq!(date::parse(&date::format(seconds)), Some(seconds.clamp(0, 253_402_300_799)));
    }
    if let Some(seconds) = date::parse(data) {
        assert_eq!(date::parse(&date::format(seconds)), Some(seconds));
    }
}

/// The codings are sorted by weight; they are exactly those that the client accepts and prefers to identity.
pub fn accept_encoding(data: &[u8]) {
    with_fields(
        data,
        |_| Some("Accept-Encoding"),
        |fields| {
            let accepted = Accepted::from_fields(fields);
            let weights = reference::Weights::new(fields);
            let codings: Vec<Coding> = accepted.codings().collect();
            let weight = |coding: &Coding| weights.of(coding.name());
            assert_eq!(accepted.identity(), weights.identity() > 0);
            assert!(codings.is_sorted_by_key(|coding| std::cmp::Reverse(weight(coding))), "{codings:?}");
            for coding in Coding::ALL {
                let is_wanted = weight(&coding) > 0 && weight(&coding) >= weights.named_identity();
                assert_eq!(codings.iter().filter(|other| **other == coding).count(), usize::from(is_wanted));
            }
        },
    );
}

/// A body ends at the same byte however it is split, and a chunked one where httparse finds its end.
pub fn framing(data: &[u8]) {
    let [kind, pieces, body @ ..] = data else { return };
    let length = if *kind == 0 { BodyLength::Chunked } else { BodyLength::Bytes(u64::from(kind - 1) * 250) };
    let Some(mut drain) = Drain::new(length) else { panic!("no length here is above {MAX_DRAIN}") };
    let whole = drain.clone().feed(body);
    let mut consumed = 0;
    let mut in_pieces = Drained::More;
    for piece in body.chunks(usize::from(*pieces) + 1) {
        in_pieces = drain.feed(piece);
        match in_pieces {
            Drained::More => consumed += piece.len(),
            Drained::Done(last) => {
                in_pieces = Drained::Done(consumed + last);
                break;
            }
            Drained::GiveUp => break,
        }
    }
    if !body.is_empty() {
        assert_eq!(whole, in_pieces);
    }
    match (whole, length) {
        (Drained::Done(end), BodyLength::Bytes(length)) => assert_eq!(end as u64, length),
        (Drained::Done(end), BodyLength::Chunked) => assert_eq!(reference::end_of_chunks(body), Some(end)),
        _ => {}
    }
}

/// The outcome is that of the steps of RFC 9110, section 13.2.2, one after the other.
pub fn conditional(data: &[u8]) {
    const NAMES: [&str; 5] = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"];
    let name = |first: u8| NAMES.get(usize::from(first.checked_sub(b'0')?)).copied();
    with_fields(data, name, |fields| {
        for modified in [Some(784_111_777), None] {
            let validators = Validators { etag: b"\"tag\"", modified };
            let outcome = evaluate(fields, validators);
            assert_eq!(outcome, reference::outcome(fields, validators));
            let has_condition =
                (0..4).any(|number| fields.first(Name::from_bytes(NAMES[number].as_bytes()).unwrap()).is_some());
            assert!(has_condition || outcome == Outcome::Proceed);
            let if_range = fields.first(Name::IfRange);
            let strong = if_range == Some(validators.etag);
            let exact = modified.is_some() && if_range.and_then(date::parse) == modified;
            let applies = !fields.repeats(Name::IfRange) && (if_range.is_none() || strong || exact);
            assert_eq!(range_applies(fields, validators), applies);
        }
    });
}

/// Checks a request with one field per line of `data`; `name` chooses the field name by the first byte of the line.
fn with_fields(data: &[u8], name: impl Fn(u8) -> Option<&'static str>, check: impl Fn(&Fields)) {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    for line in data.split(|byte| *byte == b'\n').take(MAX_FIELDS - 1) {
        if let Some(name) = line.first().and_then(|first| name(*first)) {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", &line[1..], b"\r\n"].concat());
        }
    }
    bytes.extend_from_slice(b"\r\n");
    if let Ok(Parsed::Complete(head, _)) = parse(&bytes) {
        check(&head.fields);
    }
}
