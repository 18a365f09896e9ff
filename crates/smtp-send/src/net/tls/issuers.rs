//! Checks a certificate against trusted issuers, and names the pin of a certificate that is not trusted.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerified;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, OtherError};

use super::verifier::{CertificateRule, PresentedChain, pin_of};
use crate::proto::pin::Pin;

/// A certificate that is not trusted, with the pin of its key.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(super) struct Untrusted {
    pub(super) pin: Option<Pin>,
    pub(super) cause: CertificateError,
}

/// Accepts a certificate of a trusted issuer, and a certificate that `--tls-ca` names itself.
#[derive(Debug)]
pub(super) struct TrustedIssuers {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    /// The certificates of `--tls-ca`. A self-signed one may be marked as an authority and lack the host name.
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl CertificateRule for TrustedIssuers {
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        if self.named.iter().any(|named| named == presented.certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        presented.verified_by(&*self.verifier, presented.host).map_err(|error| match error {
            rustls::Error::InvalidCertificate(cause) => {
                let untrusted = Untrusted { pin: pin_of(presented.certificate), cause };
                CertificateError::Other(OtherError(Arc::new(untrusted))).into()
            }
            other => other,
        })
    }
}
