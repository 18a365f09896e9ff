//! Reads the certificate and its key from PEM files (RFC 7468) and checks them.
//!
//! An expired certificate is used with a warning, because a server that does not start is worse.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use common::{Error, Kind};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, KeyUsage};

/// Largest file that is read as certificate or key; a long chain has about 20 KiB.
const MAX_FILE: u64 = 1 << 20;

/// The files of certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those of its issuers.
    pub certificate: PathBuf,
    /// The key, possibly in the same file.
    pub key: PathBuf,
}

/// A certificate with its key, ready for use.
#[derive(Debug)]
pub struct Identity {
    /// Chain and key for the handshake.
    pub certified: CertifiedKey,
    /// The validity period of the certificate.
    pub validity: Validity,
}

/// The validity period of a certificate, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

/// The status of a certificate at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityStatus {
    /// Valid.
    Valid,
    /// Not valid yet.
    NotYetValid,
    /// Expired.
    Expired,
}

impl Validity {
    /// The status at `now`, in seconds since 1970.
    pub fn status(&self, now: i64) -> ValidityStatus {
        match now {
            now if now < self.from => ValidityStatus::NotYetValid,
            now if now > self.until => ValidityStatus::Expired,
            _ => ValidityStatus::Valid,
        }
    }

    /// The warning for a status, if there is one.
    pub fn warning(&self, status: ValidityStatus) -> Option<String> {
        match status {
            ValidityStatus::Valid => None,
            ValidityStatus::NotYetValid => Some(format!(
                "the certificate is valid from {} and clients refuse it until then; check the clock of this machine",
                day(self.from)
            )),
            ValidityStatus::Expired => {
                Some(format!("the certificate expired on {}; clients refuse it", day(self.until)))
            }
        }
    }
}

fn day(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "an unknown day".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

impl CertificateFiles {
    /// Reads and checks both files.
    pub fn load(&self) -> Result<Identity, Error> {
        let certificates = read(&self.certificate)?;
        let key = if self.key == self.certificate { certificates.clone() } else { read(&self.key)? };
        let chain = self.chain(&certificates)?;
        let key = self.private_key(&key)?;
        Identity::new(chain, key).map_err(|reason| self.explain(reason))
    }

    fn chain(&self, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            chain.push(certificate.map_err(|error| unusable("--tls-cert", &self.certificate, &pem_error(&error)))?);
        }
        if chain.is_empty() {
            let why = match private_key(text) {
                Ok(_) => "the file contains a key instead of a certificate; are --tls-cert and --tls-key swapped?",
                Err(_) => "the file contains no certificate in PEM format",
            };
            return Err(unusable("--tls-cert", &self.certificate, why));
        }
        Ok(chain)
    }

    fn private_key(&self, text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
        private_key(text).map_err(|error| match error {
            _ if is_encrypted(text) => {
                let why = "encrypted keys are not supported; decrypt it with: openssl pkey -in FILE -out NEW";
                unusable("--tls-key", &self.key, why)
            }
            pem::Error::NoItemsFound if CertificateDer::from_pem_slice(text).is_ok() => unusable(
                "--tls-key",
                &self.key,
                "the file contains a certificate but no key; name the key with --tls-key",
            ),
            pem::Error::NoItemsFound => {
                unusable("--tls-key", &self.key, "the file contains no private key in PEM format")
            }
            error => unusable("--tls-key", &self.key, &pem_error(&error)),
        })
    }

    fn explain(&self, reason: UnusableIdentity) -> Error {
        match reason {
            UnusableIdentity::Key(why) => unusable("--tls-key", &self.key, &format!("the key is not usable: {why}")),
            UnusableIdentity::Certificate(why) => {
                unusable("--tls-cert", &self.certificate, &format!("the certificate is not usable: {why}"))
            }
            UnusableIdentity::Mismatch => {
                let why = format!("the key in {} does not belong to this certificate", self.key.display());
                unusable("--tls-cert", &self.certificate, &why)
            }
            UnusableIdentity::Order(position) => {
                let why = format!(
                    "the certificate of the key is number {position} in the file and must be first, followed by its issuers"
                );
                unusable("--tls-cert", &self.certificate, &why)
            }
        }
    }
}

/// Why a chain and a key are not usable.
#[derive(Debug)]
enum UnusableIdentity {
    Key(String),
    Certificate(String),
    Mismatch,
    /// The certificate of the key is not the first one.
    Order(usize),
}

impl Identity {
    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, UnusableIdentity> {
        let key = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| UnusableIdentity::Key(rustls_error(&error)))?;
        let fits = |certificate: &CertificateDer<'static>| {
            CertifiedKey::new(vec![certificate.clone()], std::sync::Arc::clone(&key)).keys_match()
        };
        let first = chain.first().ok_or(UnusableIdentity::Mismatch)?;
        match fits(first) {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let position = chain.iter().position(|certificate| fits(certificate).is_ok());
                return Err(
                    position.map_or(UnusableIdentity::Mismatch, |position| UnusableIdentity::Order(position + 1))
                );
            }
            Err(error) => return Err(UnusableIdentity::Certificate(rustls_error(&error))),
        }
        let validity =
            validity(first).ok_or_else(|| UnusableIdentity::Certificate("it has no validity period".to_owned()))?;
        Ok(Self { certified: CertifiedKey::new(chain, key), validity })
    }

    /// An identity from one certificate and its key in DER format.
    pub fn from_der(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        Self::new(vec![certificate], key)
            .map_err(|reason| Error::new(Kind::System, "make", "a certificate", format!("{reason:?}")))
    }
}

/// The validity period, taken from the errors of a verification at a time before and a time after it.
fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    /// One second after the latest date of a certificate, 9999-12-31.
    const AFTER: u64 = 253_402_300_800;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let at = |seconds: u64| {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).ok();
    let until = match at(AFTER)? {
        webpki::Error::CertExpired { not_after, .. } => seconds(not_after)?,
        _ => i64::MAX,
    };
    let from = match at(0)? {
        webpki::Error::CertNotValidYet { not_before, .. } => seconds(not_before)?,
        _ => 0,
    };
    Some(Validity { from, until })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |error| Error::io("read", path.display(), error).with_kind(Kind::Config);
    let metadata = fs::metadata(path).map_err(fail)?;
    if metadata.len() > MAX_FILE || !metadata.is_file() {
        return Err(unusable("read", path, "the file is neither a certificate nor a key"));
    }
    let text = fs::read(path).map_err(fail)?;
    if text.trim_ascii().is_empty() { Err(unusable("read", path, "the file is empty")) } else { Ok(text) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, pem::Error> {
    PrivateKeyDer::from_pem_slice(text)
}

/// Whether the file contains an encrypted key, in PKCS #8 or the older format.
fn is_encrypted(text: &[u8]) -> bool {
    [&b"ENCRYPTED PRIVATE KEY-----"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| memchr::memmem::find(text, mark).is_some())
}

fn pem_error(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "the PEM section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "the PEM section has a malformed beginning".to_owned(),
        _ => "the content of the PEM section is not base64".to_owned(),
    }
}

fn rustls_error(error: &rustls::Error) -> String {
    error.to_string().trim_start_matches("unexpected error: ").to_owned()
}

fn unusable(operation: &'static str, path: &Path, why: &str) -> Error {
    Error::new(Kind::Config, operation, path.display(), why.to_owned())
}
