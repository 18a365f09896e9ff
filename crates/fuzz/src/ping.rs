//! The parsers of `ping`: RFC 791 headers and options, RFC 792 and RFC 4443 messages, RFC 4884 extensions.
//!
//! The second implementation is the crate etherparse for headers, a slow reference for the rest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, Ipv4HeaderSlice};
use ping::family::Family;
use ping::multi::target_spec::{self, MAX_TARGETS, TargetSpec};
use ping::proto::checksum::checksum;
use ping::proto::extension::{self, LengthUnit, Object};
use ping::proto::icmp_error::describe;
use ping::proto::ip4::Ipv4Packet;
use ping::proto::options::{self, Ip4Option, MAX_OPTIONS};
use ping::proto::payload::{self, Comparison};
use ping::proto::reply::{Expected, Framing, MatchedMessage, read};
use ping::proto::{Echo, icmp4, icmp6};

/// The parser and etherparse accept the same IPv4 headers and read the same values.
pub fn ip4_header(data: &[u8]) {
    let ours = Ipv4Packet::parse(data);
    match Ipv4HeaderSlice::from_slice(data) {
        Ok(theirs) => {
            let ours = ours.expect("a header that etherparse reads");
            assert_eq!((ours.ttl, ours.protocol), (theirs.ttl(), theirs.protocol().0));
            assert_eq!((ours.source, ours.destination), (theirs.source_addr(), theirs.destination_addr()));
            assert_eq!(ours.options, theirs.options());
            assert_eq!(ours.payload, &data[theirs.slice().len()..]);
        }
        Err(_) => assert!(ours.is_err(), "{ours:?}"),
    }
    options(data);
}

/// Options are read from the first `MAX_OPTIONS` bytes only and need no more bytes than there are.
fn options(data: &[u8]) {
    let bytes = &data[..data.len().min(MAX_OPTIONS)];
    let found = options::parse(data);
    assert_eq!(found, options::parse(bytes));
    let least: usize = found.iter().map(size).sum();
    assert!(least <= bytes.len(), "{found:?} in {} bytes", bytes.len());
}

/// The minimum length of this option in bytes.
fn size(option: &Ip4Option) -> usize {
    match option {
        Ip4Option::NoOperation => 1,
        Ip4Option::RecordRoute(route) | Ip4Option::SourceRoute(_, route) => 2 + 4 * route.len(),
        Ip4Option::TimeStamps { stamps, .. } => 2 + 4 * stamps.len(),
        Ip4Option::Unknown(_) => 2,
    }
}

fn expected(framing: Framing) -> Expected {
    let target: IpAddr = match framing {
        Framing::Icmp6 => Ipv6Addr::LOCALHOST.into(),
        Framing::Ip4 | Framing::Icmp4 => Ipv4Addr::LOCALHOST.into(),
    };
    Expected { framing, identifier: 0x1234, source: Some(target), target }
}

/// etherparse reads the same echo reply; written as a request it has a correct checksum and the same fields.
pub fn icmp4(data: &[u8]) {
    let matched = read(&expected(Framing::Ip4), Ipv4Addr::LOCALHOST.into(), data);
    if let Some(MatchedMessage::Reply { length, payload, .. }) = matched {
        assert_eq!(length, payload.len() + 8);
        assert!(payload.len() < data.len());
    }
    let Ok(message) = icmp4::parse(data) else { return assert!(data.len() < 8) };
    if let icmp4::Message::EchoReply(echo) = message {
        round_trip(&echo, &icmp4::write_request(&echo));
        assert!(icmp4::is_intact(&icmp4::write_request(&echo)));
        if let Ok(Icmpv4Type::EchoReply(theirs)) = Icmpv4Slice::from_slice(data).map(|slice| slice.icmp_type()) {
            assert_eq!((echo.identifier, echo.sequence), (theirs.id, theirs.seq));
        }
    }
    if let [kind, code, ..] = *data {
        assert!(!describe(Framing::Icmp4, kind, code, u32::MAX).is_empty());
    }
    assert_eq!(checksum(data), slow_checksum(data));
}

/// As [`icmp4`], for `ICMPv6`.
pub fn icmp6(data: &[u8]) {
    let matched = read(&expected(Framing::Icmp6), Ipv6Addr::LOCALHOST.into(), data);
    if let Ok(Some(echo)) = icmp6::parse_reply(data) {
        assert_eq!(matched.is_some(), echo.identifier == 0x1234);
        round_trip(&echo, &icmp6::write_request(&echo));
        if let Ok(Icmpv6Type::EchoReply(theirs)) = Icmpv6Slice::from_slice(data).map(|slice| slice.icmp_type()) {
            assert_eq!((echo.identifier, echo.sequence), (theirs.id, theirs.seq));
        }
    } else {
        assert!(matched.is_none());
    }
    if let [kind, code, ..] = *data {
        assert!(!describe(Framing::Icmp6, kind, code, u32::MAX).is_empty());
    }
}

fn round_trip(echo: &Echo<'_>, written: &[u8]) {
    assert_eq!(Echo::parse(written), Ok(*echo));
}

/// RFC 1071, section 1: one addition per 16-bit word, each with its end-around carry.
fn slow_checksum(data: &[u8]) -> u16 {
    let mut sum = 0u16;
    for word in data.chunks(2) {
        let word = u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]);
        let (wrapped, carry) = sum.overflowing_add(word);
        sum = wrapped + u16::from(carry);
    }
    !sum
}

/// etherparse reads the header of the quote, and the quoted request is the rest of the quote.
pub fn quote(data: &[u8]) {
    let Some((destination, echo)) = icmp4::quoted_echo(data) else { return };
    let header = Ipv4HeaderSlice::from_slice(data).expect("a header that etherparse reads");
    assert_eq!((header.destination_addr(), header.protocol().0), (destination, 1));
    let message = &data[header.slice().len()..];
    assert_eq!((message[0], echo.payload), (8, &message[8..]));
    // The quote as part of a redirect, as a router sends it.
    let mut redirect = vec![5, 1, 0, 0, 10, 0, 0, 1];
    redirect.extend_from_slice(data);
    let parsed = icmp4::parse(&redirect);
    assert!(matches!(parsed, Ok(icmp4::Message::Redirect { request, .. }) if request == echo), "{parsed:?}");
}

/// Quote and extensions together are the body; objects fit into it and interface names are short.
pub fn extension(data: &[u8]) {
    let Some((length, body)) = data.split_first() else { return };
    for unit in [LengthUnit::Of32, LengthUnit::Of64] {
        let (quote, extensions) = extension::split(body, *length, unit);
        assert_eq!([quote, extensions].concat(), body);
        check_objects(extensions);
    }
    check_objects(body);
    let code = [0x5a; 8];
    let mut sent = body.to_vec();
    payload::fill(&mut sent, 1_795_000_000_000_000_000, code);
    let pattern = body.to_vec();
    assert_eq!(payload::compare(&pattern, code, &sent), Comparison::Whole);
}

fn check_objects(bytes: &[u8]) {
    let objects = extension::objects(bytes);
    assert!(4 * objects.len() <= bytes.len());
    for object in objects {
        match object {
            Object::Mpls(stack) => assert!(stack.iter().all(|entry| entry.label < 1 << 20 && entry.class < 8)),
            Object::Interface(interface) => {
                assert!(interface.role < 4 && interface.name.is_none_or(|name| name.len() <= 63));
            }
            Object::Unknown(class, kind) => assert!((class, kind) != (1, 1)),
        }
    }
}

/// A block has at most `MAX_TARGETS` addresses, all unicast and of one family.
pub fn target(data: &[u8]) {
    let word = String::from_utf8_lossy(data);
    let parsed = target_spec::parse(&word, None);
    let (first, count) = match parsed {
        Ok(TargetSpec::Address(first)) => (first, 1),
        Ok(TargetSpec::Block { first, count }) => {
            assert!(target_spec::is_block(&word));
            (first, count)
        }
        Ok(TargetSpec::Name(name)) => return assert_eq!(name, word),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!((1..=MAX_TARGETS).contains(&count), "{count}");
    let (one, other) = (target_spec::address(first), target_spec::address(first + u128::from(count - 1)));
    assert!(!one.is_multicast() && !other.is_multicast());
    assert_eq!(target_spec::number(one), first);
    let families = [Family::V4, Family::V6].map(|family| target_spec::parse(&word, Some(family)).is_ok());
    assert_eq!(families.iter().filter(|fits| **fits).count(), 1, "{word}: {families:?}");
}
