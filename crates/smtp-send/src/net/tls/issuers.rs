//! Checks a certificate against trusted issuers, and names the pin of a certificate that is not trusted.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerified;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
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
    /// The certificates of `--tls-ca`. A self-signed one may be marked as an authority and lack alternative names.
    pub(super) named: Vec<CertificateDer<'static>>,
}

impl CertificateRule for TrustedIssuers {
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        let result = if self.named.iter().any(|named| named == presented.certificate) {
            check_name(presented).map(|()| ServerCertVerified::assertion())
        } else {
            presented.verified_by(&*self.verifier, presented.host)
        };
        result.map_err(|error| match error {
            rustls::Error::InvalidCertificate(cause) => {
                let untrusted = Untrusted { pin: pin_of(presented.certificate), cause };
                CertificateError::Other(OtherError(Arc::new(untrusted))).into()
            }
            other => other,
        })
    }
}

/// Compares the host with the alternative names of the certificate; one without any is valid for every host.
fn check_name(presented: &PresentedChain<'_>) -> Result<(), rustls::Error> {
    let certificate = ParsedCertificate::try_from(presented.certificate)?;
    match verify_server_name(&certificate, presented.host) {
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
            if presented.is_empty() =>
        {
            Ok(())
        }
        other => other,
    }
}
