//! Certificates for tests, signed by an authority that is made at run time.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

/// Number of the next authority.
static NEXT_AUTHORITY: AtomicUsize = AtomicUsize::new(1);

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// Makes an authority and writes its certificate to a temporary file.
    ///
    /// # Panics
    /// When no key can be made or the file cannot be written.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Names differ: with equal names, clients would take two authorities for one and report a bad signature.
        let number = NEXT_AUTHORITY.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("Test Authority {number}"));
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a self-signed certificate");
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("write the certificate");
        Self { issuer, folder }
    }

    /// The file with the certificate of this authority, in PEM form.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The certificate of this authority, in DER form.
    pub fn certificate(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// The TLS settings of a server with a certificate for `name`.
    pub(super) fn server_config(&self, name: &str) -> Arc<ServerConfig> {
        self.sign(&CertificateParams::new(vec![name.to_owned()]).expect("a name"))
    }

    /// The TLS settings of a server that uses the certificate of this authority itself.
    pub(super) fn own_config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.issuer.key().serialize_der()));
        server_config(self.issuer.der().clone(), key)
    }

    /// The TLS settings of a server whose certificate expired on 2020-01-01.
    pub(super) fn expired_config(&self, name: &str) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.sign(&params)
    }

    /// The TLS settings of a server that demands a client certificate by this authority.
    pub(super) fn mutual_config(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate of an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        server_config_for(Some(clients.build().expect("a verifier")), certificate.der().clone(), key)
    }

    /// Writes a client certificate and its key (mode 0600) in PEM form; returns both paths.
    ///
    /// # Panics
    /// When no key can be made or a file cannot be written.
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        let files = ["crt", "key"].map(|end| self.folder.path().join(format!("{name}.{end}")));
        std::fs::write(&files[0], certificate.pem()).expect("write the certificate");
        std::fs::write(&files[1], key.serialize_pem()).expect("write the key");
        std::fs::set_permissions(&files[1], Permissions::from_mode(0o600)).expect("set the mode of the key file");
        files.into()
    }

    fn sign(&self, params: &CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        server_config(certificate.der().clone(), key)
    }
}

/// The TLS settings of a server whose certificate is self-signed and marked as an authority, as by `openssl req -x509`.
pub(super) fn self_signed(name: &str) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a self-signed certificate");
    server_config(certificate.der().clone(), PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
}

fn server_config(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Arc<ServerConfig> {
    server_config_for(None, certificate, key)
}

fn server_config_for(
    clients: Option<Arc<dyn ClientCertVerifier>>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_client_cert_verifier(clients.unwrap_or_else(|| Arc::new(NoClientAuth)))
        .with_single_cert(vec![certificate], key)
        .expect("the key fits the certificate");
    Arc::new(config)
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
