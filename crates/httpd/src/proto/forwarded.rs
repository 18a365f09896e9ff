//! The client of a request as reported by proxies: Forwarded (RFC 7239) and X-Forwarded-For.
//!
//! Each proxy appends the address of its client, so only the end of the list comes from a trusted proxy. The list is
//! read backwards past trusted proxies. The first other address is the client; everything before it is unverified.

use std::net::IpAddr;

use super::field::{self, Fields, Name};

/// Maximum number of addresses that are read: more than any chain of proxies has.
const MAX_HOPS: usize = 32;

/// The client of a request that arrived from a trusted proxy; `None` when the fields name no address.
///
/// X-Forwarded-For wins over Forwarded: a proxy that sets only one of them usually sets X-Forwarded-For, and passes on
/// the other as sent by the client.
pub fn client(fields: &Fields, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    if fields.first(Name::XForwardedFor).is_some() {
        walk(fields, Name::XForwardedFor, address, is_trusted)
    } else {
        walk(fields, Name::Forwarded, forwarded_for, is_trusted)
    }
}

/// The last untrusted address of a list, or the first address if all are trusted.
fn walk<'b>(
    fields: &Fields<'b>,
    name: Name,
    read: impl Fn(&'b [u8]) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let elements: Vec<&[u8]> = fields.list(name).collect();
    let mut client = None;
    for element in elements.into_iter().rev().take(MAX_HOPS) {
        // Elements before one without an address ("unknown", an obfuscated name) are unverified.
        let Some(ip) = read(element) else { break };
        client = Some(ip);
        if !is_trusted(ip) {
            break;
        }
    }
    client
}

/// The address in the `for` parameter of one element of Forwarded (RFC 7239, section 4).
pub fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in parameters(element) {
        let equals = memchr::memchr(b'=', pair)?;
        let (name, value) = pair.split_at_checked(equals)?;
        if field::trim(name).eq_ignore_ascii_case(b"for") {
            // A repeated parameter is ambiguous.
            if found.is_some() {
                return None;
            }
            found = Some(field::trim(value.get(1..)?));
        }
    }
    let value = found?;
    match value {
        // Colons and brackets require quotes; no address needs an escape.
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

/// An address in the forms that proxies write: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or
/// `[2001:db8::1]:80`.
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

/// A port, or an obfuscated port (RFC 7239, section 6).
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

    fn client_of(lines: &[(Name, &str)]) -> Option<String> {
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
        client_of(&[(Name::XForwardedFor, value)])
    }

    fn by_forwarded(value: &str) -> Option<String> {
        client_of(&[(Name::Forwarded, value)])
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
        assert_eq!(client_of(&lines).as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn all_forms_of_forwarded_are_read() {
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
    fn the_field_that_the_proxy_does_not_set_is_ignored() {
        let lines = [(Name::Forwarded, "for=1.1.1.1"), (Name::XForwardedFor, "192.0.2.7")];
        assert_eq!(client_of(&lines).as_deref(), Some("192.0.2.7"));
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
    fn only_the_end_of_a_long_list_is_read() {
        let list = vec!["10.0.0.1"; 10_000].join(",");
        assert_eq!(by_x(&format!("1.1.1.1,{list}")).as_deref(), Some("10.0.0.1"));
    }
}
