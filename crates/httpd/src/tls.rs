//! TLS by rustls (RFC 8446, RFC 5246).
//!
//! One configuration lives as long as the process, so that session tickets stay valid when the certificate is replaced.
//! [`session`] is the TLS layer of one connection, [`certificate`] reads certificates, [`CertificateReloader`] replaces them.

pub mod certificate;
mod reload;
mod self_signed;
pub mod session;

use std::sync::Arc;

use common::{Error, Kind};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::NoServerSessionStorage;

pub use certificate::{CertificateFiles, Identity};
pub use reload::CertificateReloader;
pub use self_signed::self_signed;

/// The application protocol (ALPN, RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// The configuration of all connections: TLS 1.2 and 1.3 with the default suites of rustls, and resumption by tickets.
pub fn config(certificate: Arc<CertificateReloader>) -> Result<Arc<ServerConfig>, Error> {
    let fail = |error| Error::new(Kind::System, "", "TLS", error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fail)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // Sessions are stored in tickets at the client, encrypted with a key that changes every few hours.
    config.ticketer = Ticketer::new().map_err(fail)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
