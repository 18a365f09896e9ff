//! The authority of a URL or a Host field (RFC 3986, section 3.2).

use std::net::Ipv6Addr;

use super::field::decimal;
use super::percent::percent_decode;

/// Whether `bytes` is `uri-host [":" port]` (RFC 3986, section 3.2.2) with a host that is not empty and a valid port.
pub fn is_authority(bytes: &[u8]) -> bool {
    let (is_host, port) = if let [b'[', rest @ ..] = bytes {
        let Some(close) = memchr::memchr(b']', rest) else { return false };
        let (literal, tail) = rest.split_at_checked(close).unwrap_or_default();
        let address = std::str::from_utf8(literal).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        (address.is_some(), tail.get(1..).unwrap_or_default())
    } else {
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let (name, port) = bytes.split_at_checked(colon).unwrap_or_default();
        (is_registered_name(name), port)
    };
    let is_port = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => decimal(digits).is_some_and(|port| u16::try_from(port).is_ok()),
        _ => false,
    };
    is_host && is_port
}

fn is_registered_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    !name.is_empty() && name.iter().all(is_allowed) && percent_decode(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_with_an_optional_port() {
        for text in ["a", "a.example:8080", "127.0.0.1", "[::1]:80", "[::1]", "a:", "a%2Eb:65535"] {
            assert!(is_authority(text.as_bytes()), "{text}");
        }
        for text in ["", ":80", "a b", "a/b", "a:x", "a:65536", "a%zz", "[::1", "[::::]", "[::1]a", "a@b"] {
            assert!(!is_authority(text.as_bytes()), "{text}");
        }
    }
}
