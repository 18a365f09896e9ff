//! Direct delivery: DNS answers, MTA-STS policies (RFC 8461), TLSA records (RFC 6698).

use smtp_send::proto::dns::{self, DnsReply, MAX_ALIASES, Record, RecordType};
use smtp_send::proto::mta_sts::MtaStsPolicy;
use smtp_send::proto::tlsa::Association;

/// An answer has only records of the requested type, with valid names; its flags are those of the header.
pub fn dns_answer(data: &[u8]) {
    let types = [RecordType::A, RecordType::Aaaa, RecordType::Mx, RecordType::Srv, RecordType::Tlsa];
    for wanted in types {
        let Ok(reply) = dns::reply(data, 7, "example.com", wanted) else { continue };
        assert_eq!(&data[..2], [0, 7], "the id of another query");
        assert!(data[2] & 0x80 != 0, "a question");
        let DnsReply::Found(answer) = reply else { continue };
        let (response_code, truncated) = (data[3] & 0x0f, data[2] & 0x02);
        assert_eq!((response_code, truncated), (0, 0));
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
    assert!(dns::question(1, name, RecordType::A, true).is_ok(), "{name:?} cannot be queried");
}

/// A policy matches hosts by its patterns only, case-insensitively; an asterisk matches exactly one label.
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

/// A usable record matches a certificate with its bytes and no other.
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
