//! Credentials of the Basic scheme (RFC 7617) in Authorization (RFC 9110, section 11.6.2).
//!
//! Decoded credentials are erased from memory when they are dropped.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Maximum number of bytes of user name and password together; bounds the cost of hashing.
pub const MAX_CREDENTIALS: usize = 1024;

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Basic {
    decoded: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Basic {
    /// Reads the value of Authorization; `None` for another scheme and for credentials that are malformed, too long or
    /// have a control character.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let space = memchr::memchr(b' ', value)?;
        let (scheme, encoded) = value.split_at_checked(space)?;
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let encoded = super::field::trim(encoded);
        if encoded.len() > MAX_CREDENTIALS.div_ceil(3).saturating_mul(4) {
            return None;
        }
        // Of the final size: a vector that grows would leave copies in freed memory.
        let mut decoded = Zeroizing::new(vec![0; encoded.len()]);
        let length = STANDARD.decode_slice(encoded, &mut decoded).ok()?;
        decoded.truncate(length);
        let colon = memchr::memchr(b':', &decoded)?;
        let is_clean = length <= MAX_CREDENTIALS && !decoded.iter().any(u8::is_ascii_control);
        is_clean.then_some(Self { decoded, colon })
    }

    /// The user name, which has no colon.
    pub fn user(&self) -> &[u8] {
        self.decoded.get(..self.colon).unwrap_or_default()
    }

    /// The password.
    pub fn password(&self) -> &[u8] {
        self.decoded.get(self.colon.saturating_add(1)..).unwrap_or_default()
    }

    /// User name, colon and password.
    pub fn whole(&self) -> &[u8] {
        &self.decoded
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<(String, String)> {
        let basic = Basic::parse(value.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(basic.user()), text(basic.password())))
    }

    #[test]
    fn the_example_of_the_rfc_is_read_in_any_case_of_the_scheme() {
        let expected = Some(("Aladdin".to_owned(), "open sesame".to_owned()));
        for scheme in ["Basic", "basic", "BASIC", "Basic "] {
            assert_eq!(parse(&format!("{scheme} QWxhZGRpbjpvcGVuIHNlc2FtZQ==")), expected);
        }
    }

    #[test]
    fn a_password_may_hold_colons_and_either_part_may_be_empty() {
        assert_eq!(parse("Basic YTpiOmM="), Some(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(parse("Basic Og=="), Some((String::new(), String::new())));
        assert_eq!(parse("Basic dGVzdDoxMjPCow=="), Some(("test".to_owned(), "123£".to_owned())));
    }

    #[test]
    fn malformed_credentials_are_none() {
        let long = format!("Basic {}", STANDARD.encode([b':'; MAX_CREDENTIALS + 1]));
        for value in [
            "",
            "Basic",
            "Basic ",
            "Bearer YTpi",
            "Basic YTpi=",
            "Basic YTp",
            "Basic YWI=",
            "Basic YTpiCg==",
            "Basic Y Q",
            "Basic YTpi YTpi",
            &long,
        ] {
            assert_eq!(parse(value), None, "{value:?}");
        }
        assert!(parse(&format!("Basic {}", STANDARD.encode([b':'; MAX_CREDENTIALS]))).is_some());
    }

    #[test]
    fn debug_output_shows_no_credentials() {
        assert_eq!(format!("{:?}", Basic::parse(b"Basic YTpi").unwrap()), "Basic(..)");
    }
}
