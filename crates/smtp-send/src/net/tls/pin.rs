//! Checks a certificate against pinned keys.
//!
//! A pin replaces issuers, names and dates, as DANE-EE does. With `--tls-ca` both must match.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerified;
use rustls::{CertificateError, OtherError};

use super::issuers::TrustedIssuers;
use super::verifier::{CertificateRule, PresentedChain, pin_of};
use crate::proto::pin::Pin;

/// The key of the server is not pinned.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}, which --tls-pin does not list: another server, or a new key")]
pub(super) struct PinMismatch(Pin);

/// Accepts a certificate with a pinned key.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) pins: Vec<Pin>,
    /// Checks the issuers too, with `--tls-ca`.
    pub(super) issuers: Option<TrustedIssuers>,
}

impl CertificateRule for Pinned {
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        let pin = pin_of(presented.certificate).ok_or(CertificateError::BadEncoding)?;
        if !self.pins.contains(&pin) {
            return Err(CertificateError::Other(OtherError(Arc::new(PinMismatch(pin)))).into());
        }
        match &self.issuers {
            Some(issuers) => issuers.check(presented),
            None => Ok(ServerCertVerified::assertion()),
        }
    }
}
