//! SOCKS version 5 (RFC 1928) with a login by name and password (RFC 1929): three short binary answers.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::{ProxyError, ProxyLogin, ProxyStep, Scheme, TunnelTarget};
use crate::proto::auth::Wiped;

/// The version in the first byte of every message, except for the login.
const VERSION: u8 = 5;
/// The version of the login.
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const BY_PASSWORD: u8 = 2;
const NONE_OF_THESE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socks5State {
    Method,
    Login,
    Reply,
}

/// A SOCKS5 handshake.
#[derive(Debug)]
pub struct Socks5<'a> {
    target: TunnelTarget<'a>,
    identity: Option<ProxyLogin<'a>>,
    state: Socks5State,
}

impl<'a> Socks5<'a> {
    pub(super) fn begin(
        target: TunnelTarget<'a>,
        identity: Option<ProxyLogin<'a>>,
    ) -> Result<(Self, Wiped), ProxyError> {
        let fits = |text: &str| (1..=255).contains(&text.len());
        if identity.is_some_and(|one| !fits(one.user) || !fits(one.password)) {
            return Err(ProxyError::Unspeakable("SOCKS5 takes a name and a password of 1 to 255 bytes"));
        }
        if !fits(target.host) {
            return Err(ProxyError::Unspeakable("SOCKS5 takes a host of 1 to 255 bytes"));
        }
        let methods: &[u8] = if identity.is_some() { &[NO_LOGIN, BY_PASSWORD] } else { &[NO_LOGIN] };
        let mut hello = vec![VERSION, short(methods.len())];
        hello.extend_from_slice(methods);
        Ok((Self { target, identity, state: Socks5State::Method }, Zeroizing::new(hello)))
    }

    pub(super) fn take(&mut self, input: &[u8]) -> Result<(usize, ProxyStep), ProxyError> {
        match (self.state, input) {
            (Socks5State::Method, [VERSION, method, ..]) => Ok((2, self.method_chosen(*method)?)),
            (Socks5State::Login, [_, 0, ..]) => {
                self.state = Socks5State::Reply;
                Ok((2, ProxyStep::Write(self.request())))
            }
            (Socks5State::Login, [_, status, ..]) => Err(ProxyError::LoginRefused(format!(" (status {status})"))),
            (Socks5State::Reply, [VERSION, 0, _, kind, rest @ ..]) => match address_length(*kind, rest)? {
                // The bound address of the proxy is skipped.
                Some(length) if rest.len() >= length => Ok((length.saturating_add(4), ProxyStep::Done)),
                _ => Ok((0, ProxyStep::Read)),
            },
            (Socks5State::Reply, [VERSION, code, ..]) if *code > 0 => Err(self.refusal(*code)),
            (Socks5State::Method | Socks5State::Reply, [other, ..]) if *other != VERSION => {
                let what =
                    if other.is_ascii_graphic() { format!("'{}'", char::from(*other)) } else { other.to_string() };
                Err(ProxyError::Foreign(Scheme::Socks5, format!("its answer begins with {what} instead of 5")))
            }
            _ => Ok((0, ProxyStep::Read)),
        }
    }

    fn method_chosen(&mut self, method: u8) -> Result<ProxyStep, ProxyError> {
        match (method, self.identity) {
            (NO_LOGIN, _) => {
                self.state = Socks5State::Reply;
                Ok(ProxyStep::Write(self.request()))
            }
            (BY_PASSWORD, Some(ProxyLogin { user, password })) => {
                self.state = Socks5State::Login;
                let (user, password) = (user.as_bytes(), password.as_bytes());
                let lengths = [short(user.len()), short(password.len())];
                let login = [&[LOGIN_VERSION, lengths[0]], user, &[lengths[1]], password].concat();
                Ok(ProxyStep::Write(Zeroizing::new(login)))
            }
            (NONE_OF_THESE, None) => Err(ProxyError::LoginWanted(Scheme::Socks5)),
            (NONE_OF_THESE, Some(_)) => Err(ProxyError::NoMethod),
            _ => {
                let what = format!("it chose the login method {method}, which was not offered");
                Err(ProxyError::Foreign(Scheme::Socks5, what))
            }
        }
    }

    fn request(&self) -> Wiped {
        let host = self.target.host;
        let mut request = vec![VERSION, CONNECT, 0];
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                request.extend_from_slice(&[NAME, short(host.len())]);
                request.extend_from_slice(host.as_bytes());
            }
        }
        request.extend_from_slice(&self.target.port.to_be_bytes());
        Zeroizing::new(request)
    }

    /// The meaning of a reply other than 0 (RFC 1928, section 6).
    fn refusal(&self, code: u8) -> ProxyError {
        let because = |why: &str| format!("{}: {why} (SOCKS reply {code})", self.target);
        match code {
            1 => ProxyError::Unreachable(because("no reason given")),
            2 => ProxyError::Forbidden(because("against its rules")),
            3 => ProxyError::Unreachable(because("network unreachable")),
            4 => ProxyError::Unreachable(because("host unknown or unreachable")),
            5 => ProxyError::Unreachable(because("connection refused")),
            6 => ProxyError::Unreachable(because("packets lived too short")),
            7 => ProxyError::Unable("it connects to no host (SOCKS reply 7)".into()),
            8 => ProxyError::Unable(format!("it does not take {} as an address (SOCKS reply 8)", self.target.host)),
            _ => ProxyError::Unreachable(because("no reason known")),
        }
    }
}

/// Number of bytes of address and port; `None` while it is unknown.
fn address_length(kind: u8, rest: &[u8]) -> Result<Option<usize>, ProxyError> {
    match (kind, rest.first()) {
        (IPV4, _) => Ok(Some(6)),
        (IPV6, _) => Ok(Some(18)),
        (NAME, length) => Ok(length.map(|length| usize::from(*length).saturating_add(3))),
        _ => Err(ProxyError::Foreign(Scheme::Socks5, format!("its answer holds an address of kind {kind}"))),
    }
}

/// A length that was checked to fit into a byte.
fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}
