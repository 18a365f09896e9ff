//! The text of ICMP errors (RFC 792, RFC 1812, RFC 4443), as iputils words it.

use std::net::Ipv4Addr;

use super::icmp4;
use super::reply::Framing;

/// The text of an error that came through a socket of this kind.
///
/// `info` is the second word of the ICMP header: MTU, pointer or gateway.
pub fn describe(framing: Framing, kind: u8, code: u8, info: u32) -> String {
    match framing {
        Framing::Icmp6 => describe_icmp6(kind, code, info),
        Framing::Ip4 | Framing::Icmp4 => describe_icmp4(kind, code, info),
    }
}

/// The text of an ICMP error; `info` is the second word of its header (MTU, pointer or gateway).
fn describe_icmp4(kind: u8, code: u8, info: u32) -> String {
    match kind {
        3 => match unreachable(code) {
            Some(words) => words.to_owned(),
            None if code == 4 => format!("Frag needed and DF set (mtu = {info})"),
            None => format!("Dest Unreachable, Bad Code: {code}"),
        },
        4 => "Source Quench".to_owned(),
        icmp4::REDIRECT => format!("{}(New nexthop: {})", redirect(code), Ipv4Addr::from(info)),
        11 => match code {
            0 => "Time to live exceeded".to_owned(),
            1 => "Frag reassembly time exceeded".to_owned(),
            _ => format!("Time exceeded, Bad Code: {code}"),
        },
        12 => format!("Parameter problem: pointer = {info}"),
        _ => format!("Bad ICMP type: {kind}"),
    }
}

fn unreachable(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "Destination Net Unreachable",
        1 => "Destination Host Unreachable",
        2 => "Destination Protocol Unreachable",
        3 => "Destination Port Unreachable",
        5 => "Source Route Failed",
        6 => "Destination Net Unknown",
        7 => "Destination Host Unknown",
        8 => "Source Host Isolated",
        9 => "Destination Net Prohibited",
        10 => "Destination Host Prohibited",
        11 => "Destination Net Unreachable for Type of Service",
        12 => "Destination Host Unreachable for Type of Service",
        13 => "Packet filtered",
        14 => "Precedence Violation",
        15 => "Precedence Cutoff",
        _ => return None,
    })
}

fn redirect(code: u8) -> String {
    match code {
        0 => "Redirect Network".to_owned(),
        1 => "Redirect Host".to_owned(),
        2 => "Redirect Type of Service and Network".to_owned(),
        3 => "Redirect Type of Service and Host".to_owned(),
        _ => format!("Redirect, Bad Code: {code}"),
    }
}

/// The text of an `ICMPv6` error; `info` is the second word of its header (MTU or pointer).
fn describe_icmp6(kind: u8, code: u8, info: u32) -> String {
    match kind {
        1 => match code {
            0 => "Destination unreachable: No route".to_owned(),
            1 => "Destination unreachable: Administratively prohibited".to_owned(),
            2 => "Destination unreachable: Beyond scope of source address".to_owned(),
            3 => "Destination unreachable: Address unreachable".to_owned(),
            4 => "Destination unreachable: Port unreachable".to_owned(),
            _ => format!("Destination unreachable: Unknown code {code}"),
        },
        2 if code == 0 => format!("Packet too big: mtu={info}"),
        2 => format!("Packet too big: mtu={info}, code={code}"),
        3 => match code {
            0 => "Time exceeded: Hop limit".to_owned(),
            1 => "Time exceeded: Defragmentation failure".to_owned(),
            _ => format!("Time exceeded: code {code}"),
        },
        4 => match code {
            0 => format!("Parameter problem: Wrong header field at {info}"),
            1 => format!("Parameter problem: Unknown header at {info}"),
            2 => format!("Parameter problem: Unknown option at {info}"),
            _ => format!("Parameter problem: code {code} at {info}"),
        },
        _ => format!("unknown icmp type: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_icmp_have_the_text_of_iputils() {
        assert_eq!(describe_icmp4(3, 1, 0), "Destination Host Unreachable");
        assert_eq!(describe_icmp4(3, 4, 1400), "Frag needed and DF set (mtu = 1400)");
        assert_eq!(describe_icmp4(3, 77, 0), "Dest Unreachable, Bad Code: 77");
        assert_eq!(describe_icmp4(5, 1, 0x0a00_0001), "Redirect Host(New nexthop: 10.0.0.1)");
        assert_eq!(describe_icmp4(11, 0, 0), "Time to live exceeded");
        assert_eq!(describe_icmp4(99, 0, 0), "Bad ICMP type: 99");
    }

    #[test]
    fn errors_of_icmpv6_have_the_text_of_iputils() {
        assert_eq!(describe_icmp6(1, 3, 0), "Destination unreachable: Address unreachable");
        assert_eq!(describe_icmp6(2, 0, 1280), "Packet too big: mtu=1280");
        assert_eq!(describe_icmp6(3, 0, 0), "Time exceeded: Hop limit");
        assert_eq!(describe_icmp6(4, 1, 40), "Parameter problem: Unknown header at 40");
    }
}
