//! What a proxy in front of `httpd` says about the client: the PROXY protocol, Forwarded (RFC 7239), X-Forwarded-For.

use std::net::IpAddr;

use httpd::proto::cidr::Network;
use httpd::proto::forwarded::{address, client, forwarded_for};
use httpd::proto::proxy_protocol::{ParsedProxyHeader, parse};
use httpd::proto::request::{self, Parsed as Request};

/// A header reads the same in one piece and in two, and does not depend on the bytes behind it.
pub fn proxy_protocol(data: &[u8]) {
    let Some((place, bytes)) = data.split_last() else { return };
    let cut = bytes.len() * usize::from(*place) / 256;
    match (parse(bytes), parse(&bytes[..cut])) {
        (Ok(ParsedProxyHeader::Complete(length, ip)), prefix) => {
            assert!((8..=bytes.len()).contains(&length));
            assert!(ip.is_none_or(|ip| ip == ip.to_canonical()));
            assert_eq!(parse(&bytes[..length]), Ok(ParsedProxyHeader::Complete(length, ip)));
            assert_eq!(
                prefix,
                Ok(if cut >= length { ParsedProxyHeader::Complete(length, ip) } else { ParsedProxyHeader::Partial })
            );
            assert!(request::parse(&bytes[..length]).is_err() || bytes[0] == b'\r', "also a valid request");
        }
        (Ok(ParsedProxyHeader::Partial), prefix) => assert_eq!(prefix, Ok(ParsedProxyHeader::Partial)),
        (Err(_), prefix) => assert!(!matches!(prefix, Ok(ParsedProxyHeader::Complete(..))), "{prefix:?}"),
    }
}

/// The client is an address of the field: the last one if no proxy is trusted. Elements before it change nothing.
pub fn forwarded(data: &[u8]) {
    let (kind, value) = data.split_first().unwrap_or((&0, &[]));
    let name = if kind % 2 == 0 { "X-Forwarded-For" } else { "Forwarded" };
    let network: Network = "10.0.0.0/8".parse().expect("a network");
    let ask = |value: &[u8], trusts: &dyn Fn(IpAddr) -> bool| {
        let head = [b"GET / HTTP/1.1\r\nHost: h\r\n", name.as_bytes(), b": ", value, b"\r\n\r\n"].concat();
        match request::parse(&head) {
            Ok(Request::Complete(head, taken)) if taken > value.len() => Some(client(&head.fields, trusts)),
            _ => None,
        }
    };
    if value.contains(&b'\n') {
        return; // More than one field.
    }
    let Some(found) = ask(value, &|ip| network.contains(ip)) else { return };
    let Some(untrusted) = ask(value, &|_| false) else { return };
    assert_eq!(found.is_some(), untrusted.is_some());
    let Some(found) = found else { return };
    assert_eq!(found, found.to_canonical());
    let elements = httpd::proto::field::members(value);
    let read = |element| if kind % 2 == 0 { address(element) } else { forwarded_for(element) };
    let named: Vec<Option<IpAddr>> = elements.map(read).collect();
    assert!(named.contains(&Some(found)));
    assert_eq!(named.last(), Some(&untrusted));
    if !network.contains(found) && !value.contains(&b'"') {
        let longer = [if kind % 2 == 0 { b"1.2.3.4, ".as_slice() } else { b"for=1.2.3.4, " }, value].concat();
        assert_eq!(ask(&longer, &|ip| network.contains(ip)), Some(Some(found)));
    }
}
