//! The server on the command line: `HOST[:PORT]` with a name, an IPv4 or IPv6 address; or `lmtp:/path`, a unix
//! socket.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

/// A host with an optional port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port, if it was given.
    pub port: Option<u16>,
}

/// Why a text is not a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Nothing in front of the colon.
    #[error("no host; write HOST or HOST:PORT")]
    NoHost,
    /// A character that host names do not have.
    #[error("not a host name; write HOST, HOST:PORT or [IPV6]:PORT")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the port is a number from 1 to 65535")]
    Port,
}

impl Server {
    /// Parses `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT` or a bare IPv6 address.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: None });
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(ServerError::Host)?;
            // A zone, as in fe80::1%eth0, is left to the resolver.
            let (address, zone) = host.split_once('%').unwrap_or((host, "lo"));
            let is_zone = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic());
            address.parse::<Ipv6Addr>().ok().filter(|_| is_zone).ok_or(ServerError::Host)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if rest.is_empty() => None,
                None => return Err(ServerError::Host),
            };
            return Ok(Self { host: host.to_owned(), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        if host.is_empty() {
            return Err(ServerError::NoHost);
        }
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !host.bytes().all(valid) || host.starts_with('-') {
            return Err(ServerError::Host);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

fn parse_port(text: &str) -> Result<u16, ServerError> {
    text.parse().ok().filter(|port| *port > 0).ok_or(ServerError::Port)
}

/// The peer of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp(HostPort),
    /// A unix socket.
    Unix(PathBuf),
}

impl Peer {
    /// The host name that a certificate must match.
    pub fn host(&self) -> &str {
        match self {
            Self::Tcp(server) => &server.host,
            Self::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(server) => server.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A host with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_and_without_port_are_read() {
        let cases = [
            ("mail.example.com", "mail.example.com", None),
            ("mail.example.com:587", "mail.example.com", Some(587)),
            ("192.0.2.1:25", "192.0.2.1", Some(25)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:2525", "::1", Some(2525)),
            ("[fe80::1%eth0]:25", "fe80::1%eth0", Some(25)),
        ];
        for (text, host, port) in cases {
            assert_eq!(Server::parse(text), Ok(Server { host: host.into(), port }), "{text}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        let cases = [
            ("", ServerError::NoHost),
            (":25", ServerError::NoHost),
            ("a:b", ServerError::Port),
            ("a:0", ServerError::Port),
            ("a:65536", ServerError::Port),
            ("a b", ServerError::Host),
            ("-v", ServerError::Host),
            ("[::1", ServerError::Host),
            ("[::1]25", ServerError::Host),
            ("[fe80::1%]", ServerError::Host),
            ("[fe80::1%a\x19]", ServerError::Host),
            ("a\r\nb", ServerError::Host),
        ];
        for (text, error) in cases {
            assert_eq!(Server::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        assert_eq!(HostPort { host: "::1".into(), port: 25 }.to_string(), "[::1]:25");
    }
}
