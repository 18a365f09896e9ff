//! Certificate rules other than the default of rustls. The signatures of the handshake are checked in the same way
//! for all of them.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::proto::pin::Pin;

/// Decides whether a certificate belongs to the server.
pub(super) trait CertificateRule: Debug + Send + Sync {
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error>;
}

/// The certificates that a server presented, and the host name that was asked for.
pub(super) struct PresentedChain<'a> {
    pub(super) certificate: &'a CertificateDer<'a>,
    pub(super) chain: &'a [CertificateDer<'a>],
    pub(super) host: &'a ServerName<'a>,
    response: &'a [u8],
    now: UnixTime,
}

/// The pin of the key of a certificate.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> Option<Pin> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(Pin::of(&parsed.subject_public_key_info()))
}

impl PresentedChain<'_> {
    /// The decision of another verifier, also for another name.
    pub(super) fn verified_by(
        &self,
        verifier: &dyn ServerCertVerifier,
        name: &ServerName<'_>,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verifier.verify_server_cert(self.certificate, self.chain, name, self.response, self.now)
    }
}

#[derive(Debug)]
pub(super) struct AnyCertificate;

impl CertificateRule for AnyCertificate {
    fn check(&self, _: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
}

/// A rule, and the provider that checks handshake signatures.
#[derive(Debug)]
pub(super) struct RuleVerifier<J> {
    check: J,
    provider: Arc<CryptoProvider>,
}

impl<J: CertificateRule> RuleVerifier<J> {
    pub(super) fn new(check: J, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self { check, provider })
    }
}

impl<J: CertificateRule> ServerCertVerifier for RuleVerifier<J> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check.check(&PresentedChain { certificate, chain, host, response, now })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
