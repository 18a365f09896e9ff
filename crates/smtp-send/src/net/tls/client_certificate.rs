//! The client certificate with its key, for servers that authenticate clients by certificates.
//!
//! Both are read before anything is sent, and must match. Only the owner may read the file of the key.

use std::path::Path;
use std::sync::Arc;

use common::{Error, Kind};
use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::secret;

/// The option for the certificate.
const CERTIFICATE: &str = "--tls-client-cert";
/// The option for the key.
const KEY: &str = "--tls-client-key";

/// A certificate with its issuers and its key.
#[derive(Debug, Clone)]
pub struct ClientCertificate(pub(super) Arc<SingleCertAndKey>);

impl ClientCertificate {
    /// Reads the certificate and its key, both in PEM form, from one file or two.
    ///
    /// # Errors
    /// [`Kind::NoInput`] for a file that cannot be read, [`Kind::Config`] for its content.
    pub fn load(certificate: &Path, key: Option<&Path>) -> Result<Self, Error> {
        let wrong = |why: String| Error::new(Kind::Config, CERTIFICATE, certificate.display(), why);
        let text = std::fs::read(certificate)
            .map_err(|error| Error::io(CERTIFICATE, certificate.display(), error).with_kind(Kind::NoInput))?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| wrong(error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong("no certificate in PEM form in this file".into()));
        }
        let private = private_key(key.map_or(CERTIFICATE, |_| KEY), key.unwrap_or(certificate))?;
        let pair = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
        let pair = pair.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let name = key.unwrap_or(certificate).display();
                wrong(format!("the key in {name} does not belong to this certificate"))
            }
            other => wrong(other.to_string()),
        })?;
        Ok(Self(Arc::new(pair.into())))
    }
}

fn private_key(option: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = secret::key_file(option, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let has = |words: &str| memchr::memmem::find(&text, words.as_bytes()).is_some();
        let why = match error {
            _ if has("ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") => {
                "the key has a passphrase: openssl pkey -in FILE -out OPEN, and chmod 600 OPEN".to_owned()
            }
            pem::Error::NoItemsFound if option == CERTIFICATE => {
                "no key in PEM form in this file; give it with --tls-client-key".to_owned()
            }
            pem::Error::NoItemsFound => "no key in PEM form in this file".to_owned(),
            other => other.to_string(),
        };
        Error::new(Kind::Config, option, path.display(), why)
    })
}
