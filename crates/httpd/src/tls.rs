//! TLS by rustls (RFC 8446, RFC 5246): what this server offers, and with which certificate.
//!
//! One configuration serves for the whole life of the process, so that session tickets stay good when the certificate is
//! replaced; only the certificate is exchanged, by [`CertificateReloader`]. How one connection uses it stands in `session`, how
//! certificates are read in `identity`.

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

/// The protocol that is spoken inside (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// The configuration of all connections: TLS 1.2 and 1.3 with the suites that rustls deems safe, and tickets for resumption.
pub fn config(reloader: Arc<CertificateReloader>) -> Result<Arc<ServerConfig>, Error> {
    let fail = |error| Error::new(Kind::System, "", "TLS", error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fail)?
        .with_no_client_auth()
        .with_cert_resolver(reloader);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // The client keeps the session, sealed with a key that changes every few hours: nothing is kept here for anybody.
    config.ticketer = Ticketer::new().map_err(fail)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
