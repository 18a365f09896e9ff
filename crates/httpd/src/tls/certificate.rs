//! The certificate of this server and its key, read from PEM files (RFC 7468) and checked before they are used.
//!
//! What does not fit is refused with the reason a person can act on. A certificate whose time is over is used all the same,
//! with a warning: a server that does not start helps nobody, least of all those who do not look at the date.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use common::{Error, Kind};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, KeyUsage};

/// The largest file that is read as a certificate or key; a long chain takes some 20 KiB.
const MAX_FILE: u64 = 1 << 20;

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those of its issuers, in this order.
    pub certificate: PathBuf,
    /// The key; it may be the same file.
    pub key: PathBuf,
}

/// A certificate with its key, ready for use.
#[derive(Debug)]
pub struct Identity {
    /// What the handshake needs.
    pub certified: CertifiedKey,
    /// When the certificate is valid.
    pub validity: Validity,
}

/// The time in which a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

/// What is to be said about a certificate at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityStatus {
    /// Nothing.
    Valid,
    /// It is not valid yet.
    NotYet,
    /// It is valid no more.
    Over,
}

impl Validity {
    /// How the certificate stands at `now`, in seconds since 1970.
    pub fn status(&self, now: i64) -> ValidityStatus {
        match now {
            now if now < self.from => ValidityStatus::NotYet,
            now if now > self.until => ValidityStatus::Over,
            _ => ValidityStatus::Valid,
        }
    }

    /// The warning for a status; `None` when there is nothing to say.
    pub fn warning(&self, status: ValidityStatus) -> Option<String> {
        match status {
            ValidityStatus::Valid => None,
            ValidityStatus::NotYet => Some(format!(
                "the certificate is valid from {} on, and clients refuse it until then; is the clock of this machine right?",
                day(self.from)
            )),
            ValidityStatus::Over => {
                Some(format!("the certificate was valid until {}, and clients refuse it now", day(self.until)))
            }
        }
    }
}

fn day(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "a day far away".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

impl CertificateFiles {
    /// Reads and checks both.
    pub fn load(&self) -> Result<Identity, Error> {
        let certificates = read(&self.certificate)?;
        let key = if self.key == self.certificate { certificates.clone() } else { read(&self.key)? };
        let chain = self.chain(&certificates)?;
        let key = self.private_key(&key)?;
        Identity::new(chain, key).map_err(|unfit| self.explain(unfit))
    }

    fn chain(&self, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text) {
            chain.push(certificate.map_err(|error| unusable("--tls-cert", &self.certificate, &damage(&error)))?);
        }
        if chain.is_empty() {
            let why = match private_key(text) {
                Ok(_) => "no certificate in this file, but a key; are --tls-cert and --tls-key the wrong way round?",
                Err(_) => "no certificate in PEM form in this file",
            };
            return Err(unusable("--tls-cert", &self.certificate, why));
        }
        Ok(chain)
    }

    fn private_key(&self, text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
        private_key(text).map_err(|error| match error {
            _ if is_encrypted(text) => {
                let why = "the key is encrypted, and this server asks for no passphrase; \
                           \"openssl pkey -in FILE -out NEW\" writes it without one";
                unusable("--tls-key", &self.key, why)
            }
            pem::Error::NoItemsFound if CertificateDer::from_pem_slice(text).is_ok() => {
                unusable("--tls-key", &self.key, "no key in this file, only a certificate; --tls-key names the other")
            }
            pem::Error::NoItemsFound => unusable("--tls-key", &self.key, "no private key in PEM form in this file"),
            error => unusable("--tls-key", &self.key, &damage(&error)),
        })
    }

    fn explain(&self, unfit: Unfit) -> Error {
        match unfit {
            Unfit::Key(why) => unusable("--tls-key", &self.key, &format!("this key cannot be used: {why}")),
            Unfit::Certificate(why) => {
                unusable("--tls-cert", &self.certificate, &format!("this certificate cannot be used: {why}"))
            }
            Unfit::Mismatch => {
                let why = format!("the key in {} is not that of this certificate", self.key.display());
                unusable("--tls-cert", &self.certificate, &why)
            }
            Unfit::Order(place) => {
                let why = format!(
                    "the certificate of the key stands at place {place} and must be the first, its issuers behind it"
                );
                unusable("--tls-cert", &self.certificate, &why)
            }
        }
    }
}

/// Why a chain and a key do not make an identity.
#[derive(Debug)]
enum Unfit {
    Key(String),
    Certificate(String),
    Mismatch,
    /// The certificate of the key is not the first one.
    Order(usize),
}

impl Identity {
    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Unfit> {
        let key = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| Unfit::Key(plain(&error)))?;
        let fits = |certificate: &CertificateDer<'static>| {
            CertifiedKey::new(vec![certificate.clone()], std::sync::Arc::clone(&key)).keys_match()
        };
        let first = chain.first().ok_or(Unfit::Mismatch)?;
        match fits(first) {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let place = chain.iter().position(|certificate| fits(certificate).is_ok());
                return Err(place.map_or(Unfit::Mismatch, |place| Unfit::Order(place + 1)));
            }
            Err(error) => return Err(Unfit::Certificate(plain(&error))),
        }
        let validity = validity(first).ok_or_else(|| Unfit::Certificate("it has no dates".to_owned()))?;
        Ok(Self { certified: CertifiedKey::new(chain, key), validity })
    }

    /// The same from the DER form of one certificate and its key.
    pub fn from_der(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        Self::new(vec![certificate], key)
            .map_err(|unfit| Error::new(Kind::System, "make", "a certificate", format!("{unfit:?}")))
    }
}

/// The dates of a certificate. The verifier tells them when it is asked about a time before and one behind them.
fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    /// The last day that a certificate can name: 9999-12-31, one second later.
    const BEHIND: u64 = 253_402_300_800;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let at = |seconds: u64| {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).ok();
    let until = match at(BEHIND)? {
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
        return Err(unusable("read", path, "this is no certificate and no key"));
    }
    let text = fs::read(path).map_err(fail)?;
    if text.trim_ascii().is_empty() { Err(unusable("read", path, "the file is empty")) } else { Ok(text) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, pem::Error> {
    PrivateKeyDer::from_pem_slice(text)
}

/// Whether there is a key that is encrypted, in the old or the new form.
fn is_encrypted(text: &[u8]) -> bool {
    [&b"ENCRYPTED PRIVATE KEY-----"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| memchr::memmem::find(text, mark).is_some())
}

fn damage(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "damaged: a section has no end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "damaged: a section does not begin as it should".to_owned(),
        _ => "damaged: it is not in the base64 form of PEM".to_owned(),
    }
}

fn plain(error: &rustls::Error) -> String {
    error.to_string().trim_start_matches("unexpected error: ").to_owned()
}

fn unusable(operation: &'static str, path: &Path, why: &str) -> Error {
    Error::new(Kind::Config, operation, path.display(), why.to_owned())
}
