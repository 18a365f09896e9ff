//! Channel binding: a login that is valid on one TLS connection only (RFC 5929, RFC 9266).
//!
//! With TLS 1.3 client and server derive the same secret from the connection (tls-exporter); with TLS 1.2 they use the
//! hash of the certificate of the server (tls-server-end-point).

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The tag of a SEQUENCE in DER.
const SEQUENCE: u8 = 0x30;
/// The tag of an OBJECT IDENTIFIER in DER.
const OBJECT: u8 = 0x06;
/// 1.2.840.113549.1.1: the signature algorithms of RSA.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4: the signature algorithms of ECDSA.
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// The channel binding of a TLS connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding {
    kind: &'static str,
    data: Vec<u8>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Binding {
    /// The label of the exported secret of tls-exporter (RFC 9266, section 2).
    pub const EXPORTER_LABEL: &'static [u8] = b"EXPORTER-Channel-Binding";

    /// A binding by the secret that was exported with [`Self::EXPORTER_LABEL`] and an empty context.
    pub fn exporter(secret: [u8; 32]) -> Self {
        Self { kind: "tls-exporter", data: secret.to_vec() }
    }

    /// A binding by the certificate of the server in DER; `None` if its signature has no defined hash (RFC 5929,
    /// section 4.1), such as Ed25519.
    pub fn end_point(certificate: &[u8]) -> Option<Self> {
        let data = digest(signature_hash(certificate)?, certificate).as_ref().to_vec();
        Some(Self { kind: "tls-server-end-point", data })
    }

    /// The registered name of the binding type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The binding data.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// The hash algorithm of the signature of a certificate; SHA-256 replaces MD5 and SHA-1.
fn signature_hash(certificate: &[u8]) -> Option<&'static Algorithm> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (_, behind_tbs) = element(whole, SEQUENCE)?;
    let (algorithm, _) = element(behind_tbs, SEQUENCE)?;
    let (object, _) = element(algorithm, OBJECT)?;
    match (object.strip_prefix(&RSA), object.strip_prefix(&ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Some(&SHA256),
        (Some([12]), _) | (_, Some([3, 3])) => Some(&SHA384),
        (Some([13]), _) | (_, Some([3, 4])) => Some(&SHA512),
        _ => None,
    }
}

/// The content of the element with this tag at the start of `input`, and the rest.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = input.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match usize::from(*length) {
        short @ 0..=0x7f => (short, rest),
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(long & 0x7f)?;
            let length = bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()));
            (length?, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    /// A certificate with a signature algorithm only.
    fn certificate(object: &[u8]) -> Vec<u8> {
        let object = [&[OBJECT, u8::try_from(object.len()).unwrap()], object].concat();
        let algorithm = [&[SEQUENCE, u8::try_from(object.len()).unwrap()], object.as_slice()].concat();
        // The long form of the length, as in a real certificate.
        let tbs = [&[SEQUENCE, 0x82, 0, 200][..], &[0; 200]].concat();
        let body = [tbs, algorithm, vec![3, 1, 0]].concat();
        [&[SEQUENCE, 0x81, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_never_a_weak_one() {
        let length = |object: &[u8]| Binding::end_point(&certificate(object)).map(|binding| binding.data().len());
        let rsa = |last: u8| length(&[&RSA[..], &[last]].concat());
        assert_eq!((rsa(4), rsa(5), rsa(11), rsa(12), rsa(13)), (Some(32), Some(32), Some(32), Some(48), Some(64)));
        let ecdsa = |last: &[u8]| length(&[&ECDSA[..], last].concat());
        assert_eq!(
            (ecdsa(&[3, 2]), ecdsa(&[3, 3]), ecdsa(&[3, 4]), ecdsa(&[1])),
            (Some(32), Some(48), Some(64), Some(32))
        );
        // Ed25519, and RSA with parameters.
        assert_eq!((length(&[0x2b, 0x65, 0x70]), rsa(10)), (None, None));
    }

    #[test]
    fn other_bytes_give_no_binding() {
        let good = certificate(&[&RSA[..], &[11]].concat());
        for length in 0..215 {
            let cut = good.get(..length).unwrap();
            assert_eq!(Binding::end_point(cut), None, "{length}");
        }
        assert_eq!(Binding::end_point(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(Binding::end_point(&[SEQUENCE, 0x80]), None);
    }
}
