//! The https URL of the resource of an http request (RFC 9110, section 4.2.2).

use super::authority::is_authority;
use super::field::Name;
use super::request::Head;

/// The default port of https.
const HTTPS: u16 = 443;

/// The https URL of the requested resource, with `port` or else the port of the request; `None` when the request names
/// no host.
///
/// Target and host are visible ASCII, as `request::parse` guarantees.
pub fn https_url(head: &Head, port: Option<u16>) -> Option<Vec<u8>> {
    let (authority, origin) = match split_absolute(head.target) {
        Some(parts) => parts,
        None => (head.fields.first(Name::Host)?, head.target),
    };
    let origin = if origin.first().is_some_and(|first| matches!(first, b'/' | b'?')) { origin } else { b"/" };
    let mut url = b"https://".to_vec();
    match port {
        None => url.extend_from_slice(authority),
        Some(HTTPS) => url.extend_from_slice(host(authority)),
        Some(port) => {
            url.extend_from_slice(host(authority));
            url.extend_from_slice(format!(":{port}").as_bytes());
        }
    }
    if origin.first() == Some(&b'?') {
        url.push(b'/');
    }
    url.extend_from_slice(origin);
    Some(url)
}

/// Authority and the rest of a target in absolute form.
fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let scheme = memchr::memmem::find(target, b"://").filter(|_| target.first() != Some(&b'/'))?;
    let rest = target.get(scheme.saturating_add(3)..)?;
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    rest.split_at_checked(end).filter(|(authority, _)| is_authority(authority))
}

/// An authority without its port. Colons inside brackets belong to an IPv6 address.
fn host(authority: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', authority) {
        Some(colon) if !authority.get(colon..).unwrap_or_default().contains(&b']') => {
            authority.get(..colon).unwrap_or_default()
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::request::{self, Parsed};

    fn url(head: &str, port: Option<u16>) -> Option<String> {
        let Parsed::Complete(head, _) = request::parse(head.as_bytes()).unwrap() else { panic!("incomplete") };
        https_url(&head, port).map(|url| String::from_utf8(url).unwrap())
    }

    #[test]
    fn path_and_query_stay_and_the_port_is_replaced() {
        for (target, host, port, expected) in [
            ("/a%20b?c=d", "example.com", Some(443), "https://example.com/a%20b?c=d"),
            ("/", "example.com:8080", Some(8443), "https://example.com:8443/"),
            ("/", "[::1]:80", Some(443), "https://[::1]/"),
            ("/", "[::1]", Some(8443), "https://[::1]:8443/"),
            ("/x", "example.com:8443", None, "https://example.com:8443/x"),
            ("//evil.example/", "example.com", Some(443), "https://example.com//evil.example/"),
            ("http://other.example:80?q", "example.com", Some(443), "https://other.example/?q"),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(url(&head, port).as_deref(), Some(expected));
        }
        assert_eq!(url("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", Some(443)).unwrap(), "https://h/");
        assert_eq!(url("GET /a HTTP/1.0\r\n\r\n", Some(443)), None, "a request without a host");
    }
}
