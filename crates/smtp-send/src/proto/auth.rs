//! SASL for AUTH (RFC 4954): selection of a mechanism, and its responses.
//!
//! An [`Exchange`] turns the challenges of a server into responses. Mechanisms that reveal the password require TLS,
//! unless the user allows them without. Responses are erased from memory when they are dropped.

pub mod binding;
mod scram;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use binding::Binding;
use scram::{Channel, Scram};

/// A secret under construction, erased when it is dropped.
pub type Wiped = Zeroizing<Vec<u8>>;

/// The supported mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Never standardised; two prompts.
    Login,
    /// RFC 2195.
    CramMd5,
    /// RFC 7677.
    ScramSha256,
    /// The same, bound to the TLS connection.
    ScramSha256Plus,
    /// The bearer token of Google and Microsoft.
    Xoauth2,
    /// RFC 7628.
    OauthBearer,
    /// RFC 4422, appendix A.
    External,
}

/// Mechanisms for passwords by preference; those that do not reveal the password are first.
const FOR_PASSWORDS: [Mechanism; 5] =
    [Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5];
/// Mechanisms for tokens by preference; the standard one is first.
const FOR_TOKENS: [Mechanism; 2] = [Mechanism::OauthBearer, Mechanism::Xoauth2];

impl Mechanism {
    const ALL: [Self; 8] = [
        Self::Plain,
        Self::Login,
        Self::CramMd5,
        Self::ScramSha256,
        Self::ScramSha256Plus,
        Self::Xoauth2,
        Self::OauthBearer,
        Self::External,
    ];

    /// The mechanism with this SASL name, case-insensitively.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }

    /// Its SASL name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Xoauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
            Self::External => "EXTERNAL",
        }
    }

    /// Whether the responses reveal the secret.
    pub fn exposes_the_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::Xoauth2 | Self::OauthBearer)
    }

    /// Whether the secret is an access token instead of a password.
    pub fn takes_token(self) -> bool {
        FOR_TOKENS.contains(&self)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The credentials of a login and how to use them.
#[derive(Clone)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password or the token.
    pub secret: Zeroizing<String>,
    /// Whether the secret is an access token.
    pub is_token: bool,
    /// The configured mechanism; else the best offered one.
    pub mechanism: Option<Mechanism>,
    /// Whether the secret may be sent without TLS.
    pub in_clear: bool,
    /// Random printable text for SCRAM; new for each login.
    pub nonce: String,
    /// The channel binding; known once TLS is established.
    pub binding: Option<Binding>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Why no login is possible, or why the client ended it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The server does not offer AUTH.
    #[error("the server offers no login{}", if *.tls { "" } else { " without TLS (--tls starttls encrypts)" })]
    NotOffered {
        /// Whether the connection is encrypted.
        tls: bool,
    },
    /// None of the offered mechanisms can be used.
    #[error("the server offers no way to log in that can be used here, only {0}")]
    NoneUsable(String),
    /// The usable mechanisms would reveal the secret without TLS.
    #[error("{0} without TLS reveals the secret; --allow-cleartext-login permits it")]
    Exposed(Mechanism),
    /// SCRAM with channel binding was requested, and the connection has no channel binding.
    #[error("SCRAM-SHA-256-PLUS binds the login to TLS, and this connection has {}", if *.tls { "a certificate that allows none" } else { "none" })]
    Unbound {
        /// Whether the connection is encrypted.
        tls: bool,
    },
    /// A challenge that the mechanism does not allow.
    #[error("{0}: {1}")]
    Challenge(Mechanism, &'static str),
    /// The server accepted the login without proving that it knows the password.
    #[error("SCRAM: the server has not proved that it knows the password; it may be an impostor")]
    Unproved,
}

/// Picks the mechanism for `login` out of those `offered`.
pub fn choose(login: &Login, offered: Option<&[Mechanism]>, tls: bool) -> Result<Mechanism, AuthError> {
    let offered = offered.ok_or(AuthError::NotOffered { tls })?;
    let wanted = match (login.mechanism, login.is_token) {
        (Some(one), _) => &[one][..],
        (None, true) => &FOR_TOKENS,
        (None, false) => &FOR_PASSWORDS,
    };
    if login.mechanism == Some(Mechanism::ScramSha256Plus) && login.binding.is_none() {
        return Err(AuthError::Unbound { tls });
    }
    let allowed = |one: Mechanism| tls || login.in_clear || !one.exposes_the_secret();
    let bound = |one: Mechanism| one != Mechanism::ScramSha256Plus || login.binding.is_some();
    let mut usable = wanted.iter().copied().filter(|one| offered.contains(one) && bound(*one));
    let first = usable.clone().next();
    match (usable.find(|one| allowed(*one)), first) {
        (Some(mechanism), _) => Ok(mechanism),
        (None, Some(exposed)) => Err(AuthError::Exposed(exposed)),
        (None, None) => {
            let names: Vec<&str> = offered.iter().map(|one| one.name()).collect();
            Err(AuthError::NoneUsable(if names.is_empty() { "unknown ones".into() } else { names.join(", ") }))
        }
    }
}

/// One SASL exchange.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    login: Login,
    /// Whether the server offers a mechanism with channel binding.
    binds: bool,
    scram: Option<Scram>,
    /// Number of answered challenges.
    step: u8,
}

impl Exchange {
    /// A login by `mechanism` at a server that offers `offered`.
    pub fn new(mechanism: Mechanism, login: Login, offered: &[Mechanism]) -> Self {
        Self { mechanism, login, binds: offered.contains(&Mechanism::ScramSha256Plus), scram: None, step: 0 }
    }

    /// The channel binding flag (RFC 5802, section 6). It reveals to a server with channel binding that an attacker has
    /// removed its offer.
    fn channel(&self) -> Channel<'_> {
        match &self.login.binding {
            Some(binding) if self.mechanism == Mechanism::ScramSha256Plus => Channel::Bound(binding),
            Some(_) if !self.binds => Channel::NotOffered,
            _ => Channel::Unbound,
        }
    }

    /// The mechanism in use.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The initial response in base64 (RFC 4954, section 4); `None` if the server sends a challenge first.
    pub fn initial(&mut self) -> Option<Wiped> {
        let Login { user, secret, .. } = &self.login;
        let response = match self.mechanism {
            Mechanism::Login | Mechanism::CramMd5 => return None,
            Mechanism::Plain => joined(&[b"\0", user.as_bytes(), b"\0", secret.as_bytes()]),
            // The identity is that of the client certificate; a name would request another one.
            Mechanism::External => joined(&[user.as_bytes()]),
            Mechanism::Xoauth2 => {
                joined(&[b"user=", user.as_bytes(), b"\x01auth=Bearer ", secret.as_bytes(), b"\x01\x01"])
            }
            Mechanism::OauthBearer => {
                let name = scram::saslname(user);
                joined(&[b"n,a=", name.as_bytes(), b",\x01auth=Bearer ", secret.as_bytes(), b"\x01\x01"])
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let scram = Scram::new(user, &self.login.nonce, &self.channel());
                let first = joined(&[scram.client_first().as_bytes()]);
                self.scram = Some(scram);
                first
            }
        };
        // An empty response is an equals sign (RFC 4954, section 4).
        Some(if response.is_empty() { Zeroizing::new(b"=".to_vec()) } else { encoded(&response) })
    }

    /// The response to a challenge, both in base64. After an error the caller sends `*`.
    pub fn respond(&mut self, challenge: &str) -> Result<Wiped, AuthError> {
        let wrong = |why| AuthError::Challenge(self.mechanism, why);
        let challenge = STANDARD.decode(challenge.trim()).map_err(|_| wrong("a challenge that is not base64"))?;
        let step = self.step;
        self.step = step.saturating_add(1);
        let Login { user, secret, .. } = &self.login;
        match (self.mechanism, step) {
            (Mechanism::Login, 0) => Ok(encoded(user.as_bytes())),
            (Mechanism::Login, 1) => Ok(encoded(secret.as_bytes())),
            (Mechanism::CramMd5, 0) => {
                let digest = hmac_md5(secret.as_bytes(), &challenge).map(|byte| format!("{byte:02x}")).concat();
                Ok(encoded(format!("{user} {digest}").as_bytes()))
            }
            (Mechanism::ScramSha256 | Mechanism::ScramSha256Plus, 0) => {
                let scram = self.scram.as_mut().ok_or_else(|| wrong("a challenge too early"))?;
                let text = std::str::from_utf8(&challenge).map_err(|_| wrong("a challenge that is not text"))?;
                scram.client_final(text, secret).map(|response| encoded(response.as_bytes())).map_err(wrong)
            }
            (Mechanism::ScramSha256 | Mechanism::ScramSha256Plus, 1) => {
                let scram = self.scram.as_mut().ok_or_else(|| wrong("a challenge too early"))?;
                scram.verify(&challenge).map_err(wrong)?;
                Ok(encoded(b""))
            }
            // The challenge has the details of a failure; an empty response, or ^A, lets the server refuse.
            (Mechanism::Xoauth2, 0) => Ok(encoded(b"")),
            (Mechanism::OauthBearer, 0) => Ok(encoded(b"\x01")),
            _ => Err(wrong("one challenge too many")),
        }
    }

    /// Checks the exchange after the server has accepted the login.
    pub fn finish(&self) -> Result<(), AuthError> {
        match &self.scram {
            Some(scram) if !scram.is_verified() => Err(AuthError::Unproved),
            _ => Ok(()),
        }
    }
}

/// The text of a challenge, at most `longest` characters.
pub fn readable(challenge: &str, longest: usize) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(challenge.trim()).ok()?).ok()?;
    Some(text.chars().take(longest).collect()).filter(|text: &String| !text.is_empty())
}

fn joined(parts: &[&[u8]]) -> Wiped {
    Zeroizing::new(parts.concat())
}

fn encoded(bytes: &[u8]) -> Wiped {
    Zeroizing::new(STANDARD.encode(bytes).into_bytes())
}

/// HMAC with MD5 (RFC 2104), for CRAM-MD5.
fn hmac_md5(key: &[u8], text: &[u8]) -> [u8; 16] {
    let digest = Md5::digest(key);
    let mut block = Zeroizing::new([0; 64]);
    let key = if key.len() > block.len() { digest.as_slice() } else { key };
    block.iter_mut().zip(key).for_each(|(byte, key)| *byte = *key);
    let padded = |pad: u8| Zeroizing::new((*block).map(|byte| byte ^ pad));
    let inner = Md5::new().chain_update(*padded(0x36)).chain_update(text).finalize();
    Md5::new().chain_update(*padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
