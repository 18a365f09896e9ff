//! What `smtp-send` reads when it finds the way to a recipient by itself: answers of name servers, policies, certificates named
//! in DNS; and what it signs.
//!
//! Each function takes arbitrary bytes and panics when the code does, or when it contradicts its second opinion.

use smtp_send::proto::dkim::{Algorithm, RelaxedBody, Tags, complete, relaxed_field, unsigned};
use smtp_send::proto::dns::{self, DnsReply, MAX_ALIASES, Record, RecordType};
use smtp_send::proto::dot::LineEnds;
use smtp_send::proto::header;
use smtp_send::proto::mta_sts::MtaStsPolicy;
use smtp_send::proto::tlsa::Association;

/// An answer has records of the wanted type only, with names that can be asked for; what the header alone says is believed
/// in no other way.
pub fn dns_answer(data: &[u8]) {
    let types = [RecordType::A, RecordType::Aaaa, RecordType::Mx, RecordType::Srv, RecordType::Tlsa];
    for wanted in types {
        let Ok(reply) = dns::reply(data, 7, "example.com", wanted) else { continue };
        assert_eq!(&data[..2], [0, 7], "the number of another question");
        assert!(data[2] & 0x80 != 0, "a question");
        let DnsReply::Found(answer) = reply else { continue };
        assert!(data[3] & 0x0f == 0 && data[2] & 0x02 == 0);
        assert_eq!(answer.authentic, data[3] & 0x20 != 0);
        assert!(answer.aliases <= MAX_ALIASES && (answer.aliases > 0 || answer.name == "example.com"));
        assert_name(&answer.name);
        for record in answer.records {
            match (wanted, record) {
                (RecordType::A, Record::A(_)) | (RecordType::Aaaa, Record::Aaaa(_)) => {}
                (RecordType::Mx, Record::Mx { exchange: name, .. })
                | (RecordType::Srv, Record::Srv { target: name, .. }) => assert_name(&name),
                (RecordType::Tlsa, Record::Tlsa { data: bytes, .. }) => assert!(bytes.len() < data.len()),
                (wanted, record) => panic!("{record:?} for {wanted:?}"),
            }
        }
    }
}

fn assert_name(name: &str) {
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{name:?}");
    assert!(dns::question(1, name, RecordType::A, true).is_ok(), "{name:?} cannot be asked for");
}

/// A policy that is read names hosts by its patterns only, whatever their case, and an asterisk is exactly one label.
pub fn mta_sts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(policy) = MtaStsPolicy::parse(&text) else { return };
    assert!(policy.max_age.as_secs() <= 31_557_600);
    for line in text.lines() {
        let Some((key, pattern)) = line.split_once(':') else { continue };
        if key.trim() != "mx" {
            continue;
        }
        match pattern.trim().strip_prefix("*.") {
            Some(parent) => {
                assert!(policy.names(&format!("mx.{parent}")) && policy.names(&format!("MX.{parent}").to_uppercase()));
            }
            None => assert!(policy.names(pattern.trim())),
        }
    }
    for host in ["", ".", "*.", "a..b"] {
        let literal = text.lines().any(|line| line.split_once(':').is_some_and(|(_, value)| value.trim() == host));
        assert!(!policy.names(host) || literal, "{host}");
    }
}

/// A record that can be used matches a certificate that has its bytes, and none that has not.
pub fn tlsa(data: &[u8]) {
    let [usage, selector, matching, rest @ ..] = data else { return };
    let record = Record::Tlsa { usage: *usage, selector: *selector, matching: *matching, data: rest.to_vec() };
    let Some(association) = Association::of(&record) else { return };
    assert!((2..=3).contains(usage) && *selector <= 1 && *matching <= 2);
    let hit = association.matches(rest, rest);
    assert_eq!(hit, *matching == 0, "a digest of itself");
    let other = [rest, b"x"].concat();
    assert!(!association.matches(&other, &other));
    assert_eq!(association.certificate().is_some(), *selector == 0 && *matching == 0);
}

/// A message in its relaxed form is its own relaxed form; where it is cut makes no difference; and the field with the signature
/// is a field in short lines.
pub fn dkim(data: &[u8]) {
    let mut lines = Vec::new();
    let mut ends = LineEnds::default();
    ends.push(data, &mut lines);
    ends.finish(&mut lines);
    let whole = relaxed(&[&lines]);
    assert!(whole.is_empty() || whole.ends_with(b"\r\n") && !whole.ends_with(b"\r\n\r\n") && whole != b"\r\n");
    assert_eq!(relaxed(&[&whole]), whole);
    let (first, second) = lines.split_at(lines.len() / 2);
    assert_eq!(relaxed(&[first, second]), whole);
    assert_eq!(whole, reference(&lines));
    let fields = header::parse(data, true).map(|header| header.fields).unwrap_or_default();
    for field in &fields {
        let once = relaxed_field(field.raw);
        assert_eq!(relaxed_field(&once), once);
        assert!(!once.contains(&b'\r') && !once.contains(&b'\n') && !once.contains(&b'\t'));
    }
    let algorithm = Algorithm::RsaSha256;
    let tags = Tags { algorithm, domain: "example.com", selector: "s", time: 1, body_hash: "aGFzaA==" };
    let (field, signed) = unsigned(&tags, &fields);
    assert!(signed.ends_with(b" b="));
    let field = complete(field, &"x".repeat(344));
    let parsed = header::parse(field.as_bytes(), true).expect("complete");
    assert!(parsed.fields.len() == 1 && parsed.length == field.len());
    assert!(field.lines().all(|line| line.len() <= 78), "{field}");
}

fn relaxed(blocks: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut out) = (RelaxedBody::default(), Vec::new());
    for block in blocks {
        body.push(block, &mut |bytes: &[u8]| out.extend_from_slice(bytes));
    }
    out
}

/// RFC 6376, section 3.4.4, line by line.
fn reference(body: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for line in &mut lines {
        let mut blank = false;
        let mut out = Vec::new();
        for byte in line.iter() {
            if matches!(byte, b' ' | b'\t') {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        *line = out;
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect()
}
