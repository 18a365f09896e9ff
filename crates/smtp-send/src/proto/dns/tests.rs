//! Queries and responses, written by the codec and by hand.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]

use simple_dns::rdata::{A, CNAME, MX};

use super::*;

const NAME: &str = "example.com";

fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

fn record<'a>(owner: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(name(owner), CLASS::IN, 60, data)
}

fn mx(preference: u16, exchange: &str) -> RData<'_> {
    RData::MX(MX { preference, exchange: name(exchange) })
}

/// A response with the MX records of [`NAME`], changed by `edit`.
fn answered(edit: impl FnOnce(&mut Packet<'_>)) -> Result<DnsReply, DnsReplyError> {
    let question = question(7, NAME, RecordType::Mx, true).unwrap();
    let mut packet = Packet::parse(&question).unwrap().into_reply();
    edit(&mut packet);
    reply(&packet.build_bytes_vec_compressed().unwrap(), 7, NAME, RecordType::Mx)
}

fn found(edit: impl FnOnce(&mut Packet<'_>)) -> Answer {
    match answered(edit) {
        Ok(DnsReply::Found(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_requests_recursion_and_the_validation_state() {
    let bytes = question(0x1234, "mx.example.com", RecordType::Tlsa, true).unwrap();
    assert_eq!(&bytes[..12], b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01");
    assert_eq!(&bytes[12..32], b"\x02mx\x07example\x03com\x00\x00\x34\x00\x01");
    assert_eq!(&bytes[32..], b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00");
    assert_eq!(question(1, &"a".repeat(64), RecordType::A, false), Err(DnsReplyError::Name));
}

#[test]
fn records_of_other_names_and_types_are_ignored() {
    let answer = found(|packet| {
        packet.answers.push(record(NAME, mx(10, "A.Example.com")));
        packet.answers.push(record("other.example", mx(1, "evil.example")));
        packet.answers.push(record(NAME, RData::A(A { address: 1 })));
    });
    assert_eq!(answer.records, [Record::Mx { preference: 10, exchange: "a.example.com".into() }]);
    assert_eq!((answer.name.as_str(), answer.aliases, answer.authentic), (NAME, 0, false));
}

#[test]
fn aliases_are_followed_and_a_loop_is_an_error() {
    let alias = |to: &'static str| RData::CNAME(CNAME(name(to)));
    let answer = found(|packet| {
        packet.answers.push(record("b.example", alias("c.example")));
        packet.answers.push(record(NAME, alias("B.example")));
        packet.answers.push(record("c.example", mx(1, "mx.example")));
    });
    assert_eq!((answer.records.len(), answer.name.as_str(), answer.aliases), (1, "c.example", 2));
    let looped = answered(|packet| {
        packet.answers.push(record(NAME, alias("b.example")));
        packet.answers.push(record("b.example", alias(NAME)));
    });
    assert_eq!(looped, Err(DnsReplyError::Aliases));
}

#[test]
fn a_response_to_another_query_is_an_error() {
    let foreign = |edit: fn(&mut Packet<'_>)| assert_eq!(answered(edit), Err(DnsReplyError::Foreign));
    foreign(|packet| packet.set_id(8));
    foreign(|packet| packet.remove_flags(PacketFlag::RESPONSE));
    foreign(|packet| packet.questions[0].qname = name("other.example"));
    foreign(|packet| packet.questions[0].qtype = QTYPE::TYPE(TYPE::A));
    foreign(|packet| packet.questions.clear());
}

#[test]
fn response_codes_are_distinguished() {
    let coded = |code: RCODE| answered(|packet| *packet.rcode_mut() = code).unwrap();
    assert_eq!(coded(RCODE::NameError), DnsReply::NoSuchName { authentic: false });
    assert_eq!(coded(RCODE::ServerFailure), DnsReply::Failed("SERVFAIL"));
    assert_eq!(coded(RCODE::Refused), DnsReply::Failed("REFUSED"));
    let validated = answered(|packet| packet.set_flags(PacketFlag::AUTHENTIC_DATA)).unwrap();
    assert!(matches!(validated, DnsReply::Found(answer) if answer.authentic && answer.records.is_empty()));
}

#[test]
fn a_truncated_response_is_recognised_even_if_it_ends_within_a_record() {
    assert_eq!(answered(|packet| packet.set_flags(PacketFlag::TRUNCATION)), Ok(DnsReply::Truncated));
    let question = question(7, NAME, RecordType::Mx, false).unwrap();
    let mut packet = Packet::parse(&question).unwrap().into_reply();
    packet.set_flags(PacketFlag::TRUNCATION);
    packet.answers.push(record(NAME, mx(10, "mx.example.com")));
    let bytes = packet.build_bytes_vec().unwrap();
    assert_eq!(reply(&bytes[..bytes.len() - 5], 7, NAME, RecordType::Mx), Ok(DnsReply::Truncated));
    assert_eq!(reply(&bytes[..bytes.len() - 5], 8, NAME, RecordType::Mx), Err(DnsReplyError::Foreign));
}

#[test]
fn the_root_is_an_empty_name_and_invalid_records_are_counted() {
    let answer = found(|packet| {
        packet.answers.push(record(NAME, mx(0, ".")));
        packet.answers.push(record(NAME, RData::MX(MX { preference: 1, exchange: Name::new(r"a\000b").unwrap() })));
        packet.answers.push(record(NAME, RData::Empty(TYPE::MX)));
    });
    assert_eq!((answer.records, answer.unusable), (vec![Record::Mx { preference: 0, exchange: String::new() }], 2));
}

#[test]
fn a_tlsa_record_is_read_byte_by_byte() {
    let mut bytes = question(7, "_25._tcp.mx.example", RecordType::Tlsa, false).unwrap();
    (bytes[2], bytes[7]) = (0x81, 1);
    bytes.extend_from_slice(b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x3c\x00\x06\x03\x01\x01abc");
    let Ok(DnsReply::Found(answer)) = reply(&bytes, 7, "_25._TCP.mx.example", RecordType::Tlsa) else { panic!() };
    assert_eq!(answer.records, [Record::Tlsa { usage: 3, selector: 1, matching: 1, data: b"abc".to_vec() }]);
}

#[test]
fn other_bytes_are_malformed() {
    for bytes in [&b""[..], b"\x00\x07", &[0xff; 12], &[0; 12], b"HTTP/1.1 400 Bad Request\r\n"] {
        assert!(matches!(
            reply(bytes, 7, NAME, RecordType::Mx),
            Err(DnsReplyError::Malformed | DnsReplyError::Foreign)
        ));
    }
}

#[test]
fn compression_pointers_in_a_loop_are_an_error() {
    let question = question(7, NAME, RecordType::Mx, false).unwrap();
    let mut bytes = question.clone();
    (bytes[2], bytes[7]) = (0x81, 1);
    // Owner: a pointer to itself; then to one before it that points forward.
    let at = u8::try_from(bytes.len()).unwrap();
    for owner in [[0xc0, at], [0xc0, at + 1]] {
        let looped = [&bytes[..], &owner, b"\x00\x0f\x00\x01\x00\x00\x00\x00\x00\x03\x00\x00\x00"].concat();
        assert_eq!(reply(&looped, 7, NAME, RecordType::Mx), Err(DnsReplyError::Malformed));
    }
}
