//! Who decides about a server's certificate where rustls' own rules are not the ones; that its holder has the key is always
//! checked, and the same for all of them.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// Decides whether a certificate is that of the server that was meant.
pub(super) trait Judge: Debug + Send + Sync {
    fn judge(&self, shown: &Shown<'_>) -> Result<ServerCertVerified, rustls::Error>;
}

/// What a server has shown, and as whom it was addressed.
pub(super) struct Shown<'a> {
    pub(super) certificate: &'a CertificateDer<'a>,
    pub(super) chain: &'a [CertificateDer<'a>],
    pub(super) host: &'a ServerName<'a>,
    /// What was stapled about revocation.
    response: &'a [u8],
    now: UnixTime,
}

impl Shown<'_> {
    /// The opinion of another verifier, also for another name.
    pub(super) fn verified_by(
        &self,
        verifier: &dyn ServerCertVerifier,
        name: &ServerName<'_>,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verifier.verify_server_cert(self.certificate, self.chain, name, self.response, self.now)
    }
}

/// Accepts every certificate.
#[derive(Debug)]
pub(super) struct Anybody;

impl Judge for Anybody {
    fn judge(&self, _: &Shown<'_>) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
}

/// A judge, and who checks the signatures of the handshake.
#[derive(Debug)]
pub(super) struct Bench<J> {
    judge: J,
    provider: Arc<CryptoProvider>,
}

impl<J: Judge> Bench<J> {
    pub(super) fn new(judge: J, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self { judge, provider })
    }
}

impl<J: Judge> ServerCertVerifier for Bench<J> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge.judge(&Shown { certificate, chain, host, response, now })
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
