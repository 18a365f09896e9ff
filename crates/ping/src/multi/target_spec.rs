//! Target arguments: a name, an address, a CIDR block (RFC 4632, RFC 4291) or a range `FIRST-LAST`. No look-ups.
//!
//! Addresses are numbers of 128 bits, IPv4 mapped to `::ffff:0:0/96`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::family::Family;

/// Maximum number of addresses of a run: an IPv4 /8.
pub const MAX_TARGETS: u32 = 1 << 24;
/// The first IPv4-mapped IPv6 address.
const MAPPED: u128 = 0xffff_0000_0000;

/// A parsed argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetSpec {
    /// A single address.
    Address(u128),
    /// A block or range of addresses.
    Block {
        /// The first address.
        first: u128,
        /// Number of addresses, at least 1.
        count: u32,
    },
    /// A name.
    Name(String),
}

/// Why an argument is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// The number behind the slash.
    #[error("no prefix length from 0 to {0} behind the slash")]
    Prefix(u8),
    /// The part before the slash.
    #[error("no address before the slash")]
    Block,
    /// The last address is below the first.
    #[error("the range ends before it begins")]
    Range,
    /// The addresses are of two families.
    #[error("a range from one address family to the other")]
    MixedRange,
    /// A short range past the last byte.
    #[error("the last byte of the range is not a number from 0 to 255")]
    LastByte,
    /// A URL.
    #[error("a URL; ping its host name")]
    Url,
    /// A host and a port.
    #[error("a host with a port; ICMP has no ports")]
    Port,
    /// More addresses than a run supports.
    #[error("{0} addresses, more than the {MAX_TARGETS} that one run takes")]
    TooMany(String),
    /// Multicast or broadcast.
    #[error("a multicast address; ping it alone")]
    Group,
    /// `-4` with an IPv6 address or `-6` with an IPv4 address.
    #[error("Address family for hostname not supported")]
    Family,
}

/// Parses an argument; `family` is the requested address family.
pub fn parse(word: &str, family: Option<Family>) -> Result<TargetSpec, BadTarget> {
    let target = match word.split_once('/') {
        _ if word.contains("://") => return Err(BadTarget::Url),
        Some((address, prefix)) => block(address, prefix)?,
        None => match (word.parse::<IpAddr>(), range(word)?) {
            (Ok(address), _) => TargetSpec::Address(number(this_host(address))),
            (_, Some(range)) => range,
            _ if has_port(word) => return Err(BadTarget::Port),
            _ => return Ok(TargetSpec::Name(word.to_owned())),
        },
    };
    let (first, count) = match target {
        TargetSpec::Block { first, count } => (first, count),
        TargetSpec::Address(first) => (first, 1),
        TargetSpec::Name(_) => return Ok(target),
    };
    let last = address(first + u128::from(count - 1));
    if family.is_some_and(|family| !family.is_of(last)) {
        return Err(BadTarget::Family);
    }
    if is_group(address(first)) || is_group(last) {
        return Err(BadTarget::Group);
    }
    Ok(target)
}

/// Whether an argument means more than one address.
pub fn is_block(word: &str) -> bool {
    word.contains('/') || range(word).is_ok_and(|range| range.is_some())
}

/// The number of an address.
pub fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => MAPPED | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number.
pub fn address(number: u128) -> IpAddr {
    Ipv6Addr::from_bits(number).to_canonical()
}

fn this_host(address: IpAddr) -> IpAddr {
    match address {
        // The unspecified address means this host.
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Whether the argument is `HOST:PORT` or `[ADDRESS]:PORT`.
fn has_port(word: &str) -> bool {
    let Some((host, port)) = word.rsplit_once(':') else { return false };
    let is_host = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    is_host && !host.is_empty() && port.parse::<u16>().is_ok()
}

fn is_group(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Parses a CIDR block; host bits are ignored. As in fping, IPv4 network and broadcast addresses are left out if the
/// block has others.
fn block(text: &str, prefix: &str) -> Result<TargetSpec, BadTarget> {
    let base = text.parse::<IpAddr>().map_err(|_| BadTarget::Block)?;
    let bits = if base.is_ipv4() { 32 } else { 128 };
    let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix =
        prefix.parse::<u8>().ok().filter(|length| is_number && *length <= bits).ok_or(BadTarget::Prefix(bits))?;
    let free = u32::from(bits - prefix);
    let Some(size) = 1u128.checked_shl(free).filter(|size| *size <= MAX_TARGETS.into()) else {
        // 2^128 does not fit into 128 bits.
        let size = 1u128.checked_shl(free).map_or("2^128".to_owned(), |size| size.to_string());
        return Err(BadTarget::TooMany(size));
    };
    let base = match base {
        IpAddr::V4(v4) => MAPPED | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let first = base & !(size - 1);
    let (first, size) = if bits == 32 && size > 2 { (first + 1, size - 2) } else { (first, size) };
    Ok(TargetSpec::Block { first, count: u32::try_from(size).unwrap_or(MAX_TARGETS) })
}

/// Parses `FIRST-LAST`, where LAST is an address or, in IPv4, a last byte; `None` when the argument is no range.
fn range(word: &str) -> Result<Option<TargetSpec>, BadTarget> {
    let Some((first, last)) = word.split_once('-') else { return Ok(None) };
    let Ok(first) = first.parse::<IpAddr>() else { return Ok(None) };
    let last = match (first, last.parse::<IpAddr>(), last.parse::<u8>()) {
        (_, Ok(last), _) => last,
        (IpAddr::V4(v4), _, Ok(last)) => {
            let [a, b, c, _] = v4.octets();
            Ipv4Addr::new(a, b, c, last).into()
        }
        (IpAddr::V4(_), ..) if last.bytes().all(|byte| byte.is_ascii_digit()) => return Err(BadTarget::LastByte),
        _ => return Ok(None),
    };
    if first.is_ipv4() != last.is_ipv4() {
        return Err(BadTarget::MixedRange);
    }
    let (first, last) = (number(first), number(last));
    let steps = last.checked_sub(first).ok_or(BadTarget::Range)?;
    match u32::try_from(steps) {
        Ok(steps) if steps < MAX_TARGETS => Ok(Some(TargetSpec::Block { first, count: steps + 1 })),
        _ => Err(BadTarget::TooMany(steps.saturating_add(1).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(word: &str) -> (String, u32) {
        match parse(word, None).unwrap() {
            TargetSpec::Block { first, count } => (address(first).to_string(), count),
            other => panic!("{word}: {other:?}"),
        }
    }

    fn refused(word: &str) -> String {
        parse(word, None).unwrap_err().to_string()
    }

    #[test]
    fn a_block_leaves_out_the_addresses_that_are_no_hosts_in_ipv4_only() {
        assert_eq!(ends("10.0.0.0/24"), ("10.0.0.1".to_owned(), 254));
        assert_eq!(ends("10.0.0.77/30"), ("10.0.0.77".to_owned(), 2));
        assert_eq!(ends("10.0.0.7/31"), ("10.0.0.6".to_owned(), 2));
        assert_eq!(ends("10.0.0.7/32"), ("10.0.0.7".to_owned(), 1));
        assert_eq!(ends("127.0.0.0/8"), ("127.0.0.1".to_owned(), MAX_TARGETS - 2));
        assert_eq!(ends("2001:db8::5/120"), ("2001:db8::".to_owned(), 256));
    }

    #[test]
    fn a_range_names_both_ends_or_the_last_number() {
        assert_eq!(ends("10.0.0.250-10.0.1.5"), ("10.0.0.250".to_owned(), 12));
        assert_eq!(ends("10.0.0.5-5"), ("10.0.0.5".to_owned(), 1));
        assert_eq!(ends("2001:db8::1-2001:db8::ff"), ("2001:db8::1".to_owned(), 255));
        assert_eq!(parse("web-1.example.com", None), Ok(TargetSpec::Name("web-1.example.com".to_owned())));
    }

    #[test]
    fn what_is_too_much_or_wrong_is_refused_with_its_reason() {
        let most = "more than the 16777216 that one run takes";
        assert_eq!(refused("2001:db8::/64"), format!("18446744073709551616 addresses, {most}"));
        assert_eq!(refused("::/0"), format!("2^128 addresses, {most}"));
        assert_eq!(refused("0.0.0.0/0"), format!("4294967296 addresses, {most}"));
        assert_eq!(refused("10.0.0.0-11.0.0.0"), format!("16777217 addresses, {most}"));
        assert_eq!(refused("::-ffff::"), format!("{} addresses, {most}", 0xffffu128 << 112 | 1));
        assert_eq!(refused("10.0.0.9-10.0.0.1"), "the range ends before it begins");
        assert_eq!(refused("10.0.0.9-::1"), "a range from one address family to the other");
        assert_eq!(refused("10.0.0.1-300"), "the last byte of the range is not a number from 0 to 255");
        assert_eq!(refused("http://localhost/"), "a URL; ping its host name");
        assert_eq!(refused("localhost:80"), "a host with a port; ICMP has no ports");
        assert_eq!(refused("[::1]:80"), "a host with a port; ICMP has no ports");
        assert_eq!(refused("10.0.0.0/33"), "no prefix length from 0 to 32 behind the slash");
        assert_eq!(refused("10.0.0.0/+8"), "no prefix length from 0 to 32 behind the slash");
        assert_eq!(refused("::1/x"), "no prefix length from 0 to 128 behind the slash");
        assert_eq!(refused("host/24"), "no address before the slash");
        assert_eq!(refused("ff02::1"), "a multicast address; ping it alone");
        assert_eq!(refused("224.0.0.0/24"), "a multicast address; ping it alone");
        assert!(parse("::1", Some(Family::V4)).is_err());
        assert!(parse("127.0.0.0/24", Some(Family::V6)).is_err());
    }

    #[test]
    fn a_number_and_its_address_are_the_same() {
        for text in ["0.0.0.0", "10.1.2.3", "255.255.255.254", "::1", "2001:db8::1"] {
            let parsed: IpAddr = text.parse().unwrap();
            assert_eq!(address(number(parsed)), parsed);
        }
        assert_eq!(parse("::ffff:10.0.0.1", None), parse("10.0.0.1", None));
        assert_eq!(parse("0.0.0.0", None), parse("127.0.0.1", None));
    }
}
