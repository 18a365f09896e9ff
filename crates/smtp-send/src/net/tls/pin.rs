//! A certificate checked against the pins of its key.
//!
//! A pin takes the place of issuers, names and dates, as with DANE-EE and the fingerprints of Postfix: whoever holds the key is
//! the one who was meant. Where issuers were named as well, both have to agree.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerified;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, OtherError};

use super::verifier::{CertificateRule, PresentedChain};
use crate::proto::pin::Pin;

/// The key of the server is not among the pinned ones.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}, which --tls-pin does not name: another server, or a new key")]
pub(super) struct PinMismatch(Pin);

/// The pin of a certificate's key.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> Option<Pin> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(Pin::of(&parsed.subject_public_key_info()))
}

/// Demands a certificate with a pinned key.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) pins: Vec<Pin>,
    /// Who checks the rest, if anybody.
    pub(super) issuers: Option<Arc<WebPkiServerVerifier>>,
}

impl CertificateRule for Pinned {
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        let pin = pin_of(presented.certificate).ok_or(CertificateError::BadEncoding)?;
        if !self.pins.contains(&pin) {
            return Err(CertificateError::Other(OtherError(Arc::new(PinMismatch(pin)))).into());
        }
        match &self.issuers {
            Some(issuers) => presented.verified_by(&**issuers, presented.host),
            None => Ok(ServerCertVerified::assertion()),
        }
    }
}
