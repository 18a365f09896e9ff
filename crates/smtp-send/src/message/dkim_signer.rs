//! A key that signs for a domain (DKIM, RFC 6376 and RFC 8463), and how a message is signed with it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::prelude::{BASE64_STANDARD, Engine};
use common::{Error, Kind};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::proto::dkim::{self, Algorithm, Tags};
use crate::proto::header::Field;

/// A key in PEM form has a tenth of it.
const MAX_KEY: u64 = 64 * 1024;
/// The permission of other users to read.
const READABLE_BY_ALL: u32 = 0o004;
/// RFC 8301, section 3.2: signers should use no shorter key.
const MIN_RSA: usize = 2048;

/// Who signs.
pub struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {})", self.domain, self.selector)
    }
}

/// The digest of a body on its way.
pub struct BodyHash(Context);

impl Default for BodyHash {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl BodyHash {
    /// Adds bytes of the body in its relaxed form.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest in base64.
    pub fn finish(self) -> String {
        BASE64_STANDARD.encode(self.0.finish())
    }
}

impl Signer {
    /// Reads the key of this domain and selector: RSA or Ed25519, in PKCS#8, or RSA in PKCS#1, as PEM.
    ///
    /// # Errors
    /// The file cannot be read, other users can read it, or it holds no such key.
    pub fn read(domain: &str, selector: &str, file: &Path) -> Result<Self, Error> {
        let option = "--dkim-key";
        let unreadable = |error| Error::io(option, file.display(), error).with_kind(Kind::NoInput);
        let wrong = |why: &str| Error::new(Kind::Config, option, file.display(), why.to_owned());
        let mut opened = File::open(file).map_err(unreadable)?;
        let facts = opened.metadata().map_err(unreadable)?;
        if !facts.is_file() || facts.len() > MAX_KEY {
            return Err(wrong("not a file with a key"));
        }
        if facts.mode() & READABLE_BY_ALL != 0 {
            return Err(wrong("other users can read it; run chmod o-r"));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0) + 1));
        opened.read_to_end(&mut text).map_err(unreadable)?;
        let key = Key::of(&text).map_err(|why| wrong(&why))?;
        Ok(Self { domain: domain.to_owned(), selector: selector.to_owned(), key })
    }

    /// The field DKIM-Signature with its line end, for a header with these fields in front of a body with this digest.
    ///
    /// Its length depends on the names of the fields alone.
    pub fn sign(&self, fields: &[Field<'_>], body_hash: &str) -> io::Result<String> {
        let (field, signed) = self.unsigned(fields, body_hash);
        let signature = self.key.sign(&signed).map_err(|_| io::Error::other("the key cannot sign"))?;
        Ok(dkim::complete(field, &BASE64_STANDARD.encode(signature)))
    }

    /// The length of what [`Signer::sign`] will give.
    pub fn length(&self, fields: &[Field<'_>]) -> usize {
        let any_digest = BASE64_STANDARD.encode([0; 32]);
        let (field, _) = self.unsigned(fields, &any_digest);
        dkim::complete(field, &BASE64_STANDARD.encode(vec![0; self.key.signature_length()])).len()
    }

    fn unsigned(&self, fields: &[Field<'_>], body_hash: &str) -> (String, Vec<u8>) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Self { domain, selector, .. } = self;
        dkim::unsigned(&Tags { algorithm: self.key.algorithm(), domain, selector, time, body_hash }, fields)
    }

    /// What the domain publishes in DNS at `SELECTOR._domainkey.DOMAIN`, as text.
    pub fn record(&self) -> (String, String) {
        let name = format!("{}._domainkey.{}", self.selector, self.domain);
        let (kind, key) = match &self.key {
            Key::Rsa(key) => {
                // Servers expect the key with its algorithm around it (erratum 3017 of RFC 6376).
                let info = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key());
                ("rsa", info.map(|info| BASE64_STANDARD.encode(info.as_ref())).unwrap_or_default())
            }
            Key::Ed25519(key) => ("ed25519", BASE64_STANDARD.encode(key.public_key())),
        };
        (name, format!("v=DKIM1; k={kind}; p={key}"))
    }
}

impl Key {
    fn of(text: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(text).map_err(|_| "no private key in PEM form in this file")?;
        let rsa = match &der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => {
                if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der()) {
                    return Ok(Self::Ed25519(key));
                }
                RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            }
            _ => return Err("DKIM knows RSA and Ed25519 only, and this is a key of another kind".into()),
        };
        // The library takes no shorter one, and does not say so in words for people.
        let short = format!("not a key of RSA with {MIN_RSA} bits or more (RFC 8301), nor one of Ed25519");
        let key = rsa.map_err(|_| short.clone())?;
        if key.public_modulus_len() * 8 < MIN_RSA { Err(short) } else { Ok(Self::Rsa(Box::new(key))) }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::RsaSha256,
            Self::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    fn signature_length(&self) -> usize {
        match self {
            Self::Rsa(key) => key.public_modulus_len(),
            Self::Ed25519(_) => 64,
        }
    }

    /// Ed25519 signs the digest of what RSA would sign (RFC 8463, section 3).
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)?;
                Ok(signature)
            }
            Self::Ed25519(key) => Ok(key.sign(digest(&SHA256, text).as_ref()).as_ref().to_vec()),
        }
    }
}
