//! Who a request came from, as the proxies in front tell it: Forwarded (RFC 7239) and X-Forwarded-For.
//!
//! Each proxy appends the address that it was asked from, so only the end of the list was written by somebody who is trusted.
//! It is read from there, past trusted proxies only; the first address that is not one of them is the client, and everything
//! in front of it is what that client claims.

use std::net::IpAddr;

use super::field::{self, Fields, Name};

/// Most addresses that are read: no chain of proxies is as long, and a client may send a list of thousands.
const MAX_HOPS: usize = 32;

/// The address of the client of a request that a trusted proxy at the other end of the connection handed on; `None` when
/// nobody tells one, so that the proxy itself has to stand for it.
///
/// X-Forwarded-For counts where both fields are there: a proxy that sets only one of them sets that one, and hands on the
/// other as the client sent it.
pub fn client(fields: &Fields, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    if fields.first(Name::XForwardedFor).is_some() {
        walk(fields, Name::XForwardedFor, address, is_trusted)
    } else {
        walk(fields, Name::Forwarded, forwarded_for, is_trusted)
    }
}

/// The last address of a list that is not trusted, or the first one of all where all of them are.
fn walk<'b>(
    fields: &Fields<'b>,
    name: Name,
    read: impl Fn(&'b [u8]) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let elements: Vec<&[u8]> = fields.list(name).collect();
    let mut client = None;
    for element in elements.into_iter().rev().take(MAX_HOPS) {
        // An element without an address ("unknown", a hidden name) ends the way back: what stands before it is hearsay.
        let Some(ip) = read(element) else { break };
        client = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    client
}

/// The address in the `for` parameter of one element of Forwarded (RFC 7239 section 4).
pub fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in parameters(element) {
        let equals = memchr::memchr(b'=', pair)?;
        let (name, value) = pair.split_at_checked(equals)?;
        if field::trim(name).eq_ignore_ascii_case(b"for") {
            // A parameter stands once; which of two counts would be a guess.
            if found.is_some() {
                return None;
            }
            found = Some(field::trim(value.get(1..)?));
        }
    }
    let value = found?;
    match value {
        // Quoted because of colons and brackets. No address needs an escape.
        [b'"', inner @ .., b'"'] => address(inner),
        value => address(value),
    }
}

/// The parameters of an element; semicolons within quotes do not separate.
fn parameters(element: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    element
        .split(move |byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b';' if !quoted => return true,
                _ => {}
            }
            false
        })
        .map(field::trim)
        .filter(|pair| !pair.is_empty())
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let ip = if let Some(rest) = text.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        IpAddr::V6(inner.parse().ok()?)
    } else if let Ok(ip) = text.parse::<IpAddr>() {
        ip
    } else {
        let (ip, port) = text.split_once(':')?;
        IpAddr::V4(ip.parse().ok().filter(|_| is_port(port))?)
    };
    Some(ip.to_canonical())
}

/// A port, or the name that hides one (RFC 7239 section 6).
fn is_port(text: &str) -> bool {
    let is_hidden = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || text.strip_prefix('_').is_some_and(is_hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::cidr::Network;

    fn told(lines: &[(Name, &str)]) -> Option<String> {
        let networks: Vec<Network> =
            ["10.0.0.0/8", "2001:db8:1::/48"].iter().map(|text| text.parse().unwrap()).collect();
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.add(*name, value.as_bytes());
        }
        let is_trusted = |ip| networks.iter().any(|network| network.contains(ip));
        client(&fields, is_trusted).map(|ip| ip.to_string())
    }

    fn by_x(value: &str) -> Option<String> {
        told(&[(Name::XForwardedFor, value)])
    }

    fn by_forwarded(value: &str) -> Option<String> {
        told(&[(Name::Forwarded, value)])
    }

    #[test]
    fn the_list_is_read_from_the_right_past_trusted_proxies_only() {
        assert_eq!(by_x("192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(
            by_x("1.1.1.1, 192.0.2.1, 10.1.1.1").as_deref(),
            Some("192.0.2.1"),
            "1.1.1.1 is what the client claims"
        );
        assert_eq!(by_x("10.9.9.9, 10.1.1.1").as_deref(), Some("10.9.9.9"), "the first of those who are all trusted");
        assert_eq!(by_x("1.1.1.1, unknown, 10.1.1.1").as_deref(), Some("10.1.1.1"));
        assert_eq!(by_x("192.0.2.1, unknown"), None);
        assert_eq!(by_x(""), None);
        assert_eq!(by_x("1.1.1.1,,").as_deref(), Some("1.1.1.1"));
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [(Name::XForwardedFor, "1.1.1.1"), (Name::XForwardedFor, "192.0.2.7, 10.0.0.1")];
        assert_eq!(told(&lines).as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn forwarded_is_read_in_all_its_forms() {
        for (value, ip) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=1.1.1.1, for=198.51.100.17;by=203.0.113.60;proto=http;host=\"a;b,c\", for=10.0.0.1", "198.51.100.17"),
            ("proto=https; for = \"198.51.100.17:_hidden\"", "198.51.100.17"),
            ("for=1.1.1.1, for=\"[2001:db8:1::5]\"", "1.1.1.1"),
        ] {
            assert_eq!(by_forwarded(value).as_deref(), Some(ip), "{value}");
        }
        for value in
            ["for=_secret", "for=unknown", "proto=http", "for=1.1.1.1;for=2.2.2.2", "192.0.2.1", "for=\"1.1.1.1", "for"]
        {
            assert_eq!(by_forwarded(value), None, "{value}");
        }
    }

    #[test]
    fn what_a_client_adds_in_the_field_that_its_proxy_does_not_set_counts_for_nothing() {
        let lines = [(Name::Forwarded, "for=1.1.1.1"), (Name::XForwardedFor, "192.0.2.7")];
        assert_eq!(told(&lines).as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn addresses_come_with_and_without_port_and_brackets() {
        for (text, ip) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:8080", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:8080", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:", None),
            ("192.0.2.1:x", None),
            ("[192.0.2.1]", None),
            ("[2001:db8::1]8080", None),
            ("2001:db8::1%eth0", None),
            ("example.com", None),
        ] {
            assert_eq!(address(text.as_bytes()).map(|ip| ip.to_string()).as_deref(), ip, "{text}");
        }
    }

    #[test]
    fn of_an_endless_list_only_the_end_is_read() {
        let list = vec!["10.0.0.1"; 10_000].join(",");
        assert_eq!(by_x(&format!("1.1.1.1,{list}")).as_deref(), Some("10.0.0.1"));
    }
}
