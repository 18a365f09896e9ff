//! Pins: SHA-256 hashes of public keys (RFC 7469, section 2.4).
//!
//! The hash is of the key (`SubjectPublicKeyInfo`), which may stay the same when a certificate is renewed.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The hash of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// The pin of a `SubjectPublicKeyInfo` in DER (RFC 5280, section 4.1.2.7).
    pub fn of(key: &[u8]) -> Self {
        let mut pin = [0; 32];
        pin.iter_mut().zip(digest(&SHA256, key).as_ref()).for_each(|(byte, other)| *byte = *other);
        Self(pin)
    }

    /// Reads `sha256//BASE64`, the form of curl, or `sha256:HEX` with or without colons between the bytes.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(encoded) = text.strip_prefix("sha256//") {
            return STANDARD.decode(encoded).ok()?.try_into().ok().map(Self);
        }
        let digits = text.strip_prefix("sha256:")?.replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let start = at.checked_mul(2)?;
            *byte = u8::from_str_radix(digits.get(start..start.checked_add(2)?)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Reads one or more pins separated by `;`.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        text.split(';').map(|one| Self::parse(one.trim())).collect()
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_pin_are_the_same() {
        let pin = Pin::of(b"a key");
        let written = pin.to_string();
        assert_eq!(Pin::parse(&written), Some(pin));
        let hex = pin.0.map(|byte| format!("{byte:02X}"));
        assert_eq!(Pin::parse(&format!("sha256:{}", hex.concat())), Some(pin));
        assert_eq!(Pin::parse(&format!("sha256:{}", hex.join(":"))), Some(pin));
        let list = format!("{written}; {}", Pin::of(b"another"));
        assert_eq!(Pin::parse_list(&list).unwrap(), [pin, Pin::of(b"another")]);
    }

    #[test]
    fn an_invalid_pin_is_rejected() {
        for wrong in ["", "sha256//", "sha256//AAAA", "sha1//AAAA", "sha256:00", "sha256:zz", "AAAA", "sha256:é"] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Pin::parse_list(&format!("{};", Pin::of(b"x"))), None);
        assert_eq!(Pin::parse(&format!("sha256:{}é", "a".repeat(62))), None);
    }
}
