//! TLSA records (RFC 6698) for mail servers (DANE for SMTP, RFC 7672).

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use super::dns::Record;

/// The usable certificate usages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// DANE-TA: a trust anchor.
    TrustAnchor,
    /// DANE-EE: the certificate of the server; its names and dates are not checked.
    EndEntity,
}

/// A usable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// The certificate usage.
    pub usage: Usage,
    /// Whether the selector is the public key.
    key_only: bool,
    matching: Matching,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matching {
    Exact,
    Sha256,
    Sha512,
}

impl Association {
    /// Reads a record; `None` for unknown values and for usages 0 and 1, which are not usable for SMTP (RFC 7672,
    /// section 3.1.3).
    pub fn of(record: &Record) -> Option<Self> {
        let Record::Tlsa { usage, selector, matching, data } = record else { return None };
        let usage = match usage {
            2 => Usage::TrustAnchor,
            3 => Usage::EndEntity,
            _ => return None,
        };
        let key_only = match selector {
            0 => false,
            1 => true,
            _ => return None,
        };
        let (matching, length) = match matching {
            0 => (Matching::Exact, data.len().max(1)),
            1 => (Matching::Sha256, 32),
            2 => (Matching::Sha512, 64),
            _ => return None,
        };
        (data.len() == length).then(|| Self { usage, key_only, matching, data: data.clone() })
    }

    /// Whether the record matches the certificate with these bytes and this `SubjectPublicKeyInfo`.
    pub fn matches(&self, certificate: &[u8], key: &[u8]) -> bool {
        let meant = if self.key_only { key } else { certificate };
        match self.matching {
            Matching::Exact => meant == self.data,
            Matching::Sha256 => digest(&SHA256, meant).as_ref() == self.data,
            Matching::Sha512 => digest(&SHA512, meant).as_ref() == self.data,
        }
    }

    /// The whole certificate of a trust anchor, if the record has it.
    pub fn certificate(&self) -> Option<&[u8]> {
        (self.matching == Matching::Exact && !self.key_only).then_some(&self.data)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn of(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Option<Association> {
        Association::of(&Record::Tlsa { usage, selector, matching, data: data.to_vec() })
    }

    #[test]
    fn a_record_matches_a_certificate_or_key_by_bytes_or_hash() {
        let (certificate, key) = (&b"certificate"[..], &b"key"[..]);
        assert!(of(3, 0, 0, certificate).unwrap().matches(certificate, key));
        assert!(of(3, 1, 0, key).unwrap().matches(certificate, key));
        assert!(of(3, 1, 1, digest(&SHA256, key).as_ref()).unwrap().matches(certificate, key));
        assert!(of(2, 0, 2, digest(&SHA512, certificate).as_ref()).unwrap().matches(certificate, key));
        assert!(!of(3, 1, 1, digest(&SHA256, certificate).as_ref()).unwrap().matches(certificate, key));
        assert_eq!(of(2, 0, 0, certificate).unwrap().certificate(), Some(certificate));
        assert_eq!(of(2, 1, 0, key).unwrap().certificate(), None);
    }

    #[test]
    fn records_that_smtp_cannot_use_are_none() {
        for (usage, selector, matching, length) in
            [(0, 0, 1, 32), (1, 1, 1, 32), (4, 0, 1, 32), (3, 2, 1, 32), (3, 1, 3, 32), (3, 1, 1, 31), (3, 0, 0, 0)]
        {
            assert_eq!(of(usage, selector, matching, &vec![0; length]), None, "{usage} {selector} {matching} {length}");
        }
    }
}
