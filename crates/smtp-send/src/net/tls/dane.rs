//! Checks a certificate against TLSA records (RFC 7672, section 3.1), independently of the trusted issuers of the
//! system.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerified;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use super::verifier::{CertificateRule, PresentedChain};
use crate::proto::tlsa::{Association, Usage};

/// Accepts a certificate that one of the records matches.
#[derive(Debug)]
pub(super) struct Dane {
    records: Vec<Association>,
    /// The domain of the recipient; a certificate below a trust anchor may carry it instead of the host name.
    domain: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Dane {
    pub(super) fn new(records: &[Association], domain: Option<&str>, provider: Arc<CryptoProvider>) -> Self {
        let domain = domain.and_then(|domain| ServerName::try_from(domain.to_owned()).ok());
        Self { records: records.to_vec(), domain, provider }
    }

    /// Whether a record of this usage matches `certificate`.
    fn names(&self, usage: Usage, certificate: &CertificateDer<'_>) -> bool {
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
        let key = parsed.subject_public_key_info();
        self.records.iter().any(|record| record.usage == usage && record.matches(certificate, &key))
    }

    /// The trust anchors of the records, from the chain of the server and from the records themselves.
    fn anchors(&self, chain: &[CertificateDer<'_>]) -> RootCertStore {
        let mut anchors = RootCertStore::empty();
        let own = self.records.iter().filter(|record| record.usage == Usage::TrustAnchor);
        let own = own.filter_map(|record| record.certificate().map(|bytes| CertificateDer::from(bytes.to_vec())));
        let named = chain.iter().filter(|certificate| self.names(Usage::TrustAnchor, certificate));
        anchors.add_parsable_certificates(own.chain(named.map(|certificate| certificate.clone().into_owned())));
        anchors
    }
}

impl CertificateRule for Dane {
    /// DANE-EE ignores names and dates; a certificate below a trust anchor must be valid and carry the name of the
    /// host or of the domain (RFC 7672, sections 3.1.1 and 3.1.2).
    fn check(&self, presented: &PresentedChain<'_>) -> Result<ServerCertVerified, rustls::Error> {
        if self.names(Usage::EndEntity, presented.certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        let anchors = self.anchors(presented.chain);
        if anchors.is_empty() {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let check = |name: &ServerName<'_>| presented.verified_by(&*verifier, name);
        match (check(presented.host), &self.domain) {
            (Err(_), Some(domain)) => check(domain),
            (result, _) => result,
        }
    }
}
