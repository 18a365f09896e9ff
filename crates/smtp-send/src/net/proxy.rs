//! The proxy on the command line: `socks5://[USER@]HOST[:PORT]` or `http://[USER@]HOST:PORT`.
//!
//! A password in it is refused: other users of the machine can see arguments. The proxy resolves names with `socks5`
//! too, as curl does with `socks5h`.

use std::fmt;

use crate::net::address::{HostPort, Server, ServerError};
use crate::proto::proxy::{ProxyLogin, Scheme};
use crate::secret::Secret;

/// Registered port of SOCKS.
const SOCKS: u16 = 1080;

/// A proxy and its login.
#[derive(Debug)]
pub struct Proxy {
    /// Its address.
    pub address: ProxyAddress,
    /// The password of the user.
    pub secret: Option<Secret>,
}

impl Proxy {
    /// The login, if there is one.
    pub fn identity(&self) -> Option<ProxyLogin<'_>> {
        let password = self.secret.as_ref()?.expose();
        self.address.user.as_deref().map(|user| ProxyLogin { user, password })
    }
}

/// The address of a proxy, with its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAddress {
    /// The protocol.
    pub scheme: Scheme,
    /// Host and port.
    pub at: HostPort,
    /// The user name for a login.
    pub user: Option<String>,
}

/// Why a text is not a proxy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyAddressError {
    /// An unknown scheme.
    #[error("write socks5://HOST:PORT or http://HOST:PORT")]
    Scheme,
    /// TLS to the proxy.
    #[error("TLS to the proxy is not supported (the mail inside may use TLS); write http://HOST:PORT")]
    Https,
    /// A missing port; HTTP proxies have no default port.
    #[error("the port is missing; write http://HOST:PORT")]
    NoPort,
    /// A password on the command line.
    #[error(
        "no password here, other users can read it; use SMTP_PROXY_PASSWORD, --proxy-password-file or --proxy-password-command"
    )]
    Password,
    /// A user name that is empty, badly escaped or holds control characters.
    #[error("not a user's name; write characters other than letters and digits as percent escapes such as %40")]
    User,
    /// Text behind the port.
    #[error("unexpected text behind the port")]
    Path,
    /// A bad host or port.
    #[error("{0}")]
    Server(#[from] ServerError),
}

impl ProxyAddress {
    /// Parses the address of a proxy.
    pub fn parse(text: &str) -> Result<Self, ProxyAddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyAddressError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => Scheme::Socks5,
            "http" => Scheme::Http,
            "https" => return Err(ProxyAddressError::Https),
            _ => return Err(ProxyAddressError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(ProxyAddressError::Password),
            Some((user, host)) => (Some(decoded(user).ok_or(ProxyAddressError::User)?), host),
            None => (None, rest),
        };
        if host.contains('/') {
            return Err(ProxyAddressError::Path);
        }
        let Server { host, port } = Server::parse(host)?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Socks5) => SOCKS,
            (None, Scheme::Http) => return Err(ProxyAddressError::NoPort),
        };
        Ok(Self { scheme, at: HostPort { host, port }, user })
    }
}

impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

/// Decodes percent escapes (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty() && !name.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_user_host_and_port_are_read() {
        let cases = [
            ("socks5://proxy.example.com", Scheme::Socks5, None, "proxy.example.com:1080"),
            ("SOCKS5H://joe@[::1]:9050/", Scheme::Socks5, Some("joe"), "[::1]:9050"),
            ("http://joe%40example.com@192.0.2.1:3128", Scheme::Http, Some("joe@example.com"), "192.0.2.1:3128"),
            ("http://joe@example.com@192.0.2.1:3128", Scheme::Http, Some("joe@example.com"), "192.0.2.1:3128"),
        ];
        for (text, scheme, user, at) in cases {
            let proxy = ProxyAddress::parse(text).unwrap();
            assert_eq!((proxy.scheme, proxy.user.as_deref(), proxy.to_string().as_str()), (scheme, user, at), "{text}");
        }
    }

    #[test]
    fn what_names_no_proxy_is_refused() {
        let cases = [
            ("proxy.example.com:1080", ProxyAddressError::Scheme),
            ("socks4://proxy.example.com", ProxyAddressError::Scheme),
            ("https://proxy.example.com:3128", ProxyAddressError::Https),
            ("http://proxy.example.com", ProxyAddressError::NoPort),
            ("http://joe:secret@proxy.example.com:3128", ProxyAddressError::Password),
            ("http://@proxy.example.com:3128", ProxyAddressError::User),
            ("http://a%0d@proxy.example.com:3128", ProxyAddressError::User),
            ("http://a%+1@proxy.example.com:3128", ProxyAddressError::User),
            ("http://proxy.example.com:3128/x", ProxyAddressError::Path),
            ("socks5://", ProxyAddressError::Server(ServerError::NoHost)),
            ("socks5://a:0", ProxyAddressError::Server(ServerError::Port)),
        ];
        for (text, error) in cases {
            assert_eq!(ProxyAddress::parse(text), Err(error), "{text}");
        }
    }
}
