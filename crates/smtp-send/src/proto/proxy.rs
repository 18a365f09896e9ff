//! What is said to a proxy until it has connected us to the server, and the PROXY protocol that a proxy itself would speak.
//!
//! A [`ProxyHandshake`] takes the bytes that have come and says what to write next; not one byte behind the proxy's last answer is
//! taken, as it may be the greeting of the server. The server is always named to the proxy as it was typed: names are resolved
//! there, where more may be known about them than here.

pub mod header;
mod http;
mod socks5;

use std::fmt;

use super::auth::Wiped;
use http::HttpConnect;
use socks5::Socks5;

/// What a proxy speaks.
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

/// Where a proxy shall connect us to.
#[derive(Debug, Clone, Copy)]
pub struct TunnelTarget<'a> {
    /// A name or an address, without brackets.
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

/// Who we are to a proxy.
#[derive(Clone, Copy)]
pub struct ProxyLogin<'a> {
    /// The name; for HTTP without a colon.
    pub user: &'a str,
    /// The password, for SOCKS5 at most 255 bytes like the name.
    pub password: &'a str,
}

impl fmt::Debug for ProxyLogin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a proxy has against us, or what is wrong with its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It wants to know who we are, and nothing was said about that.
    #[error("it demands a login; write its user as --proxy {}://USER@HOST:PORT", match .0 { Scheme::Socks5 => "socks5", Scheme::Http => "http" })]
    LoginWanted(Scheme),
    /// It knows no way to log in that we know.
    #[error("it takes no login by name and password")]
    NoMethod,
    /// It does not know us, or not by this password.
    #[error("it refuses the login{0}")]
    LoginRefused(String),
    /// Its rules forbid this connection.
    #[error("it does not allow a connection to {0}")]
    Forbidden(String),
    /// The server cannot be reached from there now.
    #[error("it cannot connect to {0}")]
    Unreachable(String),
    /// It cannot do what was asked for.
    #[error("it cannot do what is needed: {0}")]
    Unable(String),
    /// What it says is not of the protocol.
    #[error("it does not speak {0}: {1}")]
    Foreign(Scheme, String),
    /// Our own words do not fit into the protocol.
    #[error("{0}")]
    Unspeakable(&'static str),
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub enum ProxyStep {
    /// Read more.
    Read,
    /// Write this, then read.
    Write(Wiped),
    /// The tunnel stands.
    Done,
}

/// A conversation with a proxy, from its first byte to the tunnel.
#[derive(Debug)]
pub enum ProxyHandshake<'a> {
    /// By SOCKS5.
    Socks5(Socks5<'a>),
    /// By HTTP.
    Http(HttpConnect<'a>),
}

impl<'a> ProxyHandshake<'a> {
    /// A conversation that asks for `target`, and what is written first.
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

    /// Takes what is needed from the front of `input`; gives how many bytes that were, and what is next.
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
