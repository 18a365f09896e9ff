//! The header of the PROXY protocol, versions 1 and 2: the address of the client at the start of a connection.
//!
//! The definition is `doc/proxy-protocol.txt` of `HAProxy`. A header is valid, incomplete or an error. Records behind
//! the addresses are ignored, except for the checksum.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Maximum number of bytes of a header of version 1, with its line end.
const MAX_LINE: usize = 107;
/// Maximum number of bytes of a header of version 2; its records may include the certificate of the client.
const MAX_HEADER: usize = 8 * 1024;

/// The result of [`parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParsedProxyHeader {
    /// More has to arrive.
    Partial,
    /// Length of the header and address of the client; `None` for a connection of the proxy itself (a health check) and
    /// for an unknown client.
    Complete(usize, Option<IpAddr>),
}

/// Why the bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The connection begins with something else.
    #[error("there is no PROXY header")]
    Missing,
    /// It has a valid beginning only.
    #[error("the PROXY header is malformed")]
    Syntax,
    /// It is longer than the maximum.
    #[error("the PROXY header is too long")]
    TooLong,
    /// Its checksum is wrong.
    #[error("the checksum of the PROXY header is wrong")]
    Checksum,
}

/// Reads the header at the start of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<ParsedProxyHeader, Malformed> {
    const LINE_START: &[u8] = b"PROXY ";
    let is_start_of = |whole: &[u8]| whole.iter().zip(bytes).all(|(one, other)| one == other);
    if is_start_of(&SIGNATURE) {
        if bytes.len() < FIXED { Ok(ParsedProxyHeader::Partial) } else { version_2(bytes) }
    } else if is_start_of(LINE_START) {
        version_1(bytes)
    } else {
        Err(Malformed::Missing)
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`, CRLF.
fn version_1(bytes: &[u8]) -> Result<ParsedProxyHeader, Malformed> {
    let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if bytes.len() >= MAX_LINE { Err(Malformed::TooLong) } else { Ok(ParsedProxyHeader::Partial) };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Malformed::Syntax)?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed::Syntax)?;
    let length = end.saturating_add(1);
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or(Malformed::Syntax)?;
    if family == "UNKNOWN" {
        return Ok(ParsedProxyHeader::Complete(length, None));
    }
    let (Some(source), Some(destination), Some(source_port), Some(destination_port), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Malformed::Syntax);
    };
    if !is_port(source_port) || !is_port(destination_port) {
        return Err(Malformed::Syntax);
    }
    let read = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| Malformed::Syntax),
        "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| Malformed::Syntax),
        _ => Err(Malformed::Syntax),
    };
    read(destination)?;
    Ok(ParsedProxyHeader::Complete(length, Some(read(source)?.to_canonical())))
}

/// Digits without leading zeros.
fn is_port(text: &str) -> bool {
    let is_plain = text == "0" || !text.starts_with('0');
    is_plain && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn version_2(bytes: &[u8]) -> Result<ParsedProxyHeader, Malformed> {
    let Some([command, family, high, low]) = bytes.get(SIGNATURE.len()..).and_then(|rest| rest.first_chunk::<4>())
    else {
        return Ok(ParsedProxyHeader::Partial);
    };
    if command >> 4 != 2 {
        return Err(Malformed::Syntax);
    }
    let length = FIXED.saturating_add(u16::from_be_bytes([*high, *low]).into());
    if length > MAX_HEADER {
        return Err(Malformed::TooLong);
    }
    let Some(header) = bytes.get(..length) else { return Ok(ParsedProxyHeader::Partial) };
    let rest = header.get(FIXED..).unwrap_or_default();
    // Family byte: the upper half is AF_INET (1), AF_INET6 (2) or AF_UNIX (3), the lower one stream or datagram.
    let (source, addresses) = match (command & 0x0f, family >> 4) {
        // LOCAL: a connection of the proxy itself; the addresses are ignored.
        (0, _) => return Ok(ParsedProxyHeader::Complete(length, None)),
        (1, 1) => (v4(rest), 12),
        (1, 2) => (v6(rest), 36),
        (1, 3) => (None, 216),
        (1, 0) => (None, 0),
        _ => return Err(Malformed::Syntax),
    };
    let records = rest.get(addresses..).ok_or(Malformed::Syntax)?;
    check(header, records)?;
    Ok(ParsedProxyHeader::Complete(length, source))
}

fn v4(addresses: &[u8]) -> Option<IpAddr> {
    addresses.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes))
}

fn v6(addresses: &[u8]) -> Option<IpAddr> {
    addresses.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes).to_canonical())
}

/// Checks the records (type, two bytes of length, value); a CRC-32C record must match the header.
fn check(header: &[u8], mut records: &[u8]) -> Result<(), Malformed> {
    const CRC32C: u8 = 0x03;
    while !records.is_empty() {
        let Some([kind, high, low]) = records.first_chunk::<3>() else { return Err(Malformed::Syntax) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = records.get(3..).and_then(|rest| rest.split_at_checked(length)).ok_or(Malformed::Syntax)?;
        if *kind == CRC32C {
            let sum = value.try_into().map(u32::from_be_bytes).map_err(|_| Malformed::Syntax)?;
            // It covers the whole header, with the checksum as zero.
            let place = header.len().saturating_sub(rest.len()).saturating_sub(4);
            let (before, behind) = header.split_at_checked(place).unwrap_or_default();
            let behind = behind.get(4..).unwrap_or_default();
            if crc32c(before.iter().chain(&[0; 4]).chain(behind)) != sum {
                return Err(Malformed::Checksum);
            }
        }
        records = rest;
    }
    Ok(())
}

/// The Castagnoli CRC (RFC 3720, appendix B.4), bit by bit: there is one header per connection.
fn crc32c<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
    !bytes.fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(bytes: &[u8]) -> Option<String> {
        match parse(bytes) {
            Ok(ParsedProxyHeader::Complete(length, ip)) if length == bytes.len() => ip.map(|ip| ip.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE, &[command, family][..], &length, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 127, 0, 0, 1, 0, 80, 0, 81];

    #[test]
    fn version_1_names_the_client() {
        assert_eq!(complete(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n").as_deref(), Some("192.0.2.7"));
        assert_eq!(complete(b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n").as_deref(), Some("2001:db8::7"));
        assert_eq!(complete(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(complete(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), None);
        let followed = b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\n";
        assert_eq!(parse(followed), Ok(ParsedProxyHeader::Complete(39, Some([192, 0, 2, 7].into()))));
    }

    #[test]
    fn version_1_is_taken_strictly() {
        for line in [
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
            "PROXY  \r\n",
            "PROXY \r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Malformed::Syntax), "{line:?}");
        }
        assert_eq!(parse(&[b"PROXY ", &[b'x'; 200][..]].concat()), Err(Malformed::TooLong));
        assert_eq!(parse(b"GET / HTTP/1.1\r\n"), Err(Malformed::Missing));
        assert_eq!(parse(b"\x16\x03\x01"), Err(Malformed::Missing));
    }

    #[test]
    fn version_2_names_the_client() {
        assert_eq!(complete(&header(0x21, 0x11, &V4)).as_deref(), Some("192.0.2.7"));
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(complete(&header(0x21, 0x21, &v6)).as_deref(), Some("2001:db8::7"));
        assert_eq!(complete(&header(0x20, 0x11, &V4)), None, "LOCAL: a health check of the proxy itself");
        assert_eq!(complete(&header(0x20, 0x00, &[])), None);
        assert_eq!(complete(&header(0x21, 0x00, &[])), None);
        assert_eq!(complete(&header(0x21, 0x31, &[0; 216])), None, "a unix socket in front of the proxy");
    }

    #[test]
    fn the_records_of_version_2_are_passed_over() {
        let records = [&V4[..], &[0x01, 0, 2, b'h', b'2'], &[0xe0, 0, 0], &[0x04, 0, 3, 0, 0, 0]].concat();
        assert_eq!(complete(&header(0x21, 0x11, &records)).as_deref(), Some("192.0.2.7"));
        for broken in [&[0x01][..], &[0x01, 0], &[0x01, 0, 2, b'h']] {
            let records = [&V4[..], broken].concat();
            assert_eq!(parse(&header(0x21, 0x11, &records)), Err(Malformed::Syntax), "{broken:?}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283);
        let mut bytes = header(0x21, 0x11, &[&V4[..], &[0x03, 0, 4, 0, 0, 0, 0], &[0x01, 0, 1, b'x']].concat());
        let sum = crc32c(bytes.iter()).to_be_bytes();
        bytes[FIXED + 12 + 3..][..4].copy_from_slice(&sum);
        assert_eq!(complete(&bytes).as_deref(), Some("192.0.2.7"));
        bytes[FIXED] ^= 1;
        assert_eq!(parse(&bytes), Err(Malformed::Checksum));
    }

    #[test]
    fn version_2_is_taken_strictly() {
        assert_eq!(parse(&header(0x11, 0x11, &V4)), Err(Malformed::Syntax), "version 1 of it does not exist");
        assert_eq!(parse(&header(0x22, 0x11, &V4)), Err(Malformed::Syntax), "an unknown command");
        assert_eq!(parse(&header(0x21, 0x41, &V4)), Err(Malformed::Syntax), "an unknown family");
        assert_eq!(parse(&header(0x21, 0x11, &V4[..11])), Err(Malformed::Syntax), "half an address");
        assert_eq!(parse(&header(0x21, 0x11, &vec![0; MAX_HEADER])), Err(Malformed::TooLong));
    }

    #[test]
    fn every_prefix_of_a_header_is_incomplete() {
        for whole in [header(0x21, 0x11, &V4), b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec()] {
            for end in 0..whole.len() {
                assert_eq!(parse(&whole[..end]), Ok(ParsedProxyHeader::Partial), "{end}");
            }
        }
    }
}
