//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677).
//!
//! Client and server prove to each other that they know the password; it is never sent.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::binding::Binding;

/// The minimum iteration count (RFC 7677, section 4).
const MIN_ROUNDS: u32 = 4096;
/// The maximum iteration count: one or two seconds of work.
const MAX_ROUNDS: u32 = 5_000_000;
/// A SHA-256 hash or HMAC.
type ScramHash = Zeroizing<[u8; 32]>;

/// The channel binding flag of the GS2 header.
pub(super) enum Channel<'a> {
    /// `n`: the client does not support channel binding.
    Unbound,
    /// `y`: the client supports it, and the server does not offer it.
    NotOffered,
    /// `p`: the login is bound to this channel.
    Bound(&'a Binding),
}

impl Channel<'_> {
    /// The GS2 header, without an authorisation identity.
    fn header(&self) -> String {
        match self {
            Self::Unbound => "n,,".to_owned(),
            Self::NotOffered => "y,,".to_owned(),
            Self::Bound(binding) => format!("p={},,", binding.kind()),
        }
    }

    /// GS2 header and binding data, which the server compares with its own.
    fn seen(&self) -> Vec<u8> {
        let mut seen = self.header().into_bytes();
        if let Self::Bound(binding) = self {
            seen.extend_from_slice(binding.data());
        }
        seen
    }
}

/// One SCRAM exchange.
pub(super) struct Scram {
    header: String,
    /// The channel binding in base64.
    seen: String,
    client_first_bare: String,
    nonce: String,
    server_signature: Option<ScramHash>,
    verified: bool,
}

impl std::fmt::Debug for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scram").field("verified", &self.verified).finish_non_exhaustive()
    }
}

impl Scram {
    /// `nonce` is printable ASCII without a comma, never used before.
    pub(super) fn new(user: &str, nonce: &str, channel: &Channel<'_>) -> Self {
        let prepared = stringprep::saslprep(user).map_or_else(|_| user.to_owned(), Into::into);
        let client_first_bare = format!("n={},r={nonce}", saslname(&prepared));
        let (header, seen) = (channel.header(), STANDARD.encode(channel.seen()));
        Self { header, seen, client_first_bare, nonce: nonce.to_owned(), server_signature: None, verified: false }
    }

    /// The first message of the client (RFC 5802, section 7).
    pub(super) fn client_first(&self) -> String {
        format!("{}{}", self.header, self.client_first_bare)
    }

    /// The final message of the client, in response to the first message of the server.
    pub(super) fn client_final(
        &mut self,
        server_first: &str,
        password: &str,
    ) -> Result<Zeroizing<String>, &'static str> {
        not_an_error(server_first)?;
        let mut parts = server_first.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let nonce = part("r=").ok_or("a first message without a nonce")?;
        let salt = part("s=").and_then(|salt| STANDARD.decode(salt).ok()).ok_or("a first message without a salt")?;
        let rounds = part("i=").and_then(|rounds| rounds.parse::<NonZeroU32>().ok());
        let rounds = rounds.ok_or("a first message without rounds")?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err("a nonce that does not continue ours");
        }
        if !(MIN_ROUNDS..=MAX_ROUNDS).contains(&rounds.get()) {
            return Err("the number of rounds is not within 4096 and 5000000");
        }
        let prepared = stringprep::saslprep(password).map_or_else(|_| password.to_owned(), Into::into);
        let prepared = Zeroizing::new(prepared);
        let mut salted = ScramHash::default();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, prepared.as_bytes(), salted.as_mut_slice());
        let client_key = hmac_sha256(salted.as_slice(), b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_slice());
        let without_proof = format!("c={},r={nonce}", self.seen);
        let auth_message = format!("{},{server_first},{without_proof}", self.client_first_bare);
        let client_signature = hmac_sha256(stored_key.as_ref(), auth_message.as_bytes());
        let mut proof = client_key;
        proof.iter_mut().zip(client_signature.iter()).for_each(|(byte, other)| *byte ^= other);
        let server_key = hmac_sha256(salted.as_slice(), b"Server Key");
        self.server_signature = Some(hmac_sha256(server_key.as_slice(), auth_message.as_bytes()));
        Ok(Zeroizing::new(format!("{without_proof},p={}", STANDARD.encode(proof.as_slice()))))
    }

    /// Checks the final message of the server.
    pub(super) fn verify(&mut self, server_final: &[u8]) -> Result<(), &'static str> {
        let text = std::str::from_utf8(server_final).map_err(|_| "a final message that is not text")?;
        not_an_error(text)?;
        let first = text.split(',').next().and_then(|part| part.strip_prefix("v="));
        let signature =
            first.and_then(|text| STANDARD.decode(text).ok()).ok_or("a final message without a signature")?;
        let expected = self.server_signature.as_ref().ok_or("a final message too early")?;
        // The comparison need not be constant-time: there is one attempt per exchange.
        if signature != expected.as_slice() {
            return Err("the server does not know the password; it may be an impostor");
        }
        self.verified = true;
        Ok(())
    }

    /// Whether the server has proved that it knows the password.
    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }
}

/// A name with comma and equals sign escaped, for SCRAM and OAUTHBEARER (RFC 5801, section 4).
pub(super) fn saslname(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The text for an error message of the server, which ends the exchange (RFC 5802, section 7).
fn not_an_error(message: &str) -> Result<(), &'static str> {
    let Some(error) = message.strip_prefix("e=") else { return Ok(()) };
    Err(match error.split(',').next().unwrap_or_default() {
        "channel-bindings-dont-match" => "the server sees another TLS connection; the connection may be intercepted",
        "server-does-support-channel-binding" => {
            "the server offers SCRAM-SHA-256-PLUS, and the offer did not arrive; the connection may be intercepted"
        }
        "unsupported-channel-binding-type" => {
            "the server does not support this channel binding; use --auth scram-sha-256"
        }
        _ => "the server refuses the exchange",
    })
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> ScramHash {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let mut hash = ScramHash::default();
    hash.iter_mut().zip(tag.as_ref()).for_each(|(byte, other)| *byte = *other);
    hash
}
