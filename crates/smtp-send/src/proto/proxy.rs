//! Handshakes with SOCKS5 and HTTP proxies, and the PROXY protocol.
//!
//! A [`ProxyHandshake`] reads received bytes and returns the next bytes to write. Bytes behind the last answer of the
//! proxy are not consumed: they may be the greeting of the server. The proxy resolves the name of the server.

pub mod header;
mod http;
mod socks5;

use std::fmt;

use super::auth::Wiped;
use http::HttpConnect;
use socks5::Socks5;

/// The protocol of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// SOCKS version 5 (RFC 1928).
    Socks5,
    /// HTTP with the method CONNECT (RFC 9110, section 9.3.6).
    Http,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socks5 => "SOCKS5",
            Self::Http => "HTTP",
        })
    }
}

/// The destination of a tunnel.
#[derive(Debug, Clone, Copy)]
pub struct TunnelTarget<'a> {
    /// A name, or an address without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl fmt::Display for TunnelTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The credentials for a proxy.
#[derive(Clone, Copy)]
pub struct ProxyLogin<'a> {
    /// The user name; without a colon for HTTP.
    pub user: &'a str,
    /// The password; for SOCKS5 both have at most 255 bytes.
    pub password: &'a str,
}

impl fmt::Debug for ProxyLogin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A refusal or an invalid answer of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The proxy requires a login, and no user was given.
    #[error("it demands a login; write its user as --proxy {}://USER@HOST:PORT", match .0 { Scheme::Socks5 => "socks5", Scheme::Http => "http" })]
    LoginWanted(Scheme),
    /// The proxy has no supported login method.
    #[error("it takes no login by name and password")]
    NoMethod,
    /// The proxy refuses the login.
    #[error("it refuses the login{0}")]
    LoginRefused(String),
    /// The rules of the proxy forbid this connection.
    #[error("it does not allow a connection to {0}")]
    Forbidden(String),
    /// The proxy cannot reach the server.
    #[error("it cannot connect to {0}")]
    Unreachable(String),
    /// The proxy does not support the request.
    #[error("it cannot do what is needed: {0}")]
    Unable(String),
    /// The proxy violates the protocol.
    #[error("it does not speak {0}: {1}")]
    Foreign(Scheme, String),
    /// The protocol cannot carry the target or the credentials.
    #[error("{0}")]
    Unspeakable(&'static str),
}

/// The next step of a handshake.
#[derive(Debug, PartialEq, Eq)]
pub enum ProxyStep {
    /// Read more.
    Read,
    /// Write this, then read.
    Write(Wiped),
    /// The tunnel is established.
    Done,
}

/// A handshake with a proxy, up to the tunnel.
#[derive(Debug)]
pub enum ProxyHandshake<'a> {
    /// By SOCKS5.
    Socks5(Socks5<'a>),
    /// By HTTP.
    Http(HttpConnect<'a>),
}

impl<'a> ProxyHandshake<'a> {
    /// A handshake for `target`, and the first bytes to write.
    pub fn begin(
        scheme: Scheme,
        target: TunnelTarget<'a>,
        identity: Option<ProxyLogin<'a>>,
    ) -> Result<(Self, Wiped), ProxyError> {
        Ok(match scheme {
            Scheme::Socks5 => {
                let (socks, first) = Socks5::begin(target, identity)?;
                (Self::Socks5(socks), first)
            }
            Scheme::Http => {
                let (http, first) = HttpConnect::begin(target, identity)?;
                (Self::Http(http), first)
            }
        })
    }

    /// Consumes bytes from the start of `input`; returns their number and the next step.
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, ProxyStep), ProxyError> {
        match self {
            Self::Socks5(socks) => socks.take(input),
            Self::Http(http) => http.take(input),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
mod tests;
