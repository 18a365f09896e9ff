//! TLS by rustls: which certificates are trusted, and the errors of handshakes.
//!
//! A certificate is always checked, with two visible exceptions: `--insecure`, and the mode auto with a loopback
//! address. Traffic on this machine may be sent in clear anyway, and mail servers have no certificate for
//! "localhost".

mod client_certificate;
mod dane;
mod issuers;
mod pin;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::DateTime;
use common::{Error, Kind};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, InvalidMessage, ProtocolVersion, RootCertStore,
};

use crate::exit_code::PROTOCOL;
use crate::proto::auth::binding::Binding;
use crate::proto::pin::Pin;
use crate::proto::tlsa::Association;
use issuers::{TrustedIssuers, Untrusted};
use pin::{PinMismatch, Pinned};
use verifier::{AnyCertificate, RuleVerifier};

pub use client_certificate::ClientCertificate;

/// When a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// By STARTTLS, or nothing is sent.
    StartTls,
    /// From the first byte.
    Implicit,
    /// Never.
    Off,
}

/// Which certificates are trusted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// File with the certificates of trusted issuers, instead of those of the system.
    pub ca: Option<PathBuf>,
    /// The name that the certificate must carry, if it is not the host.
    pub server_name: Option<String>,
    /// When the certificate is checked.
    pub check: Check,
    /// TLSA records that replace the trusted issuers, and the domain that they protect (DANE).
    pub dane: Option<(Vec<Association>, String)>,
    /// Pinned keys, one of which the server must have. They replace the issuers, unless `ca` names some.
    pub pins: Vec<Pin>,
    /// The client certificate, for servers that ask for one.
    pub identity: Option<ClientCertificate>,
}

/// When a certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// Always.
    #[default]
    Always,
    /// Unless the server has a loopback address.
    OffLoopback,
    /// Never.
    Never,
}

/// The client side of a connection to `host`, and whether the certificate will be checked.
pub fn client(trust: &Trust, host: &str, loopback: bool) -> Result<(ClientConnection, bool), Error> {
    let checked = match trust.check {
        Check::Always => true,
        Check::OffLoopback => !loopback,
        Check::Never => false,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::of(Kind::System, "TLS", error))?;
    let builder = if !trust.pins.is_empty() {
        builder.dangerous().with_custom_certificate_verifier(RuleVerifier::new(pinned(trust, &provider)?, provider))
    } else if let Some((records, domain)) = &trust.dane {
        let check = dane::Dane::new(records, Some(domain), Arc::clone(&provider));
        builder.dangerous().with_custom_certificate_verifier(RuleVerifier::new(check, provider))
    } else if checked {
        builder.dangerous().with_custom_certificate_verifier(RuleVerifier::new(issuers(trust, &provider)?, provider))
    } else {
        builder.dangerous().with_custom_certificate_verifier(RuleVerifier::new(AnyCertificate, provider))
    };
    let config = match &trust.identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::clone(&identity.0) as _),
        None => builder.with_no_client_auth(),
    };
    let name = trust.server_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_| Error::value("--tls-server-name", name, "not a name that certificates can have"))?;
    let connection = ClientConnection::new(Arc::new(config), server_name)
        .map_err(|error| Error::new(Kind::System, "start TLS with", host, error))?;
    Ok((connection, checked))
}

/// The pin of the server's key.
pub fn pin_of(connection: &ClientConnection) -> Option<Pin> {
    verifier::pin_of(connection.peer_certificates()?.first()?)
}

/// The channel binding for a login: a secret of TLS 1.3, before that the certificate of the server.
pub fn binding(connection: &ClientConnection) -> Option<Binding> {
    if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        let secret = connection.export_keying_material([0; 32], Binding::EXPORTER_LABEL, Some(&[]));
        return secret.ok().map(Binding::exporter);
    }
    Binding::end_point(connection.peer_certificates()?.first()?)
}

fn pinned(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Pinned, Error> {
    let issuers = trust.ca.is_some().then(|| issuers(trust, provider)).transpose()?;
    Ok(Pinned { pins: trust.pins.clone(), issuers })
}

fn issuers(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<TrustedIssuers, Error> {
    let mut roots = RootCertStore::empty();
    let named = match &trust.ca {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    if trust.ca.is_some() {
        roots.add_parsable_certificates(named.clone());
    } else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::debug!("trusted certificates of this system: {error}");
        }
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() {
        let why = "this system has none (package ca-certificates), and --tls-ca is not given";
        return Err(Error::config("trusted certificates", why));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::of(Kind::System, "TLS", error))?;
    Ok(TrustedIssuers { verifier, named })
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unusable = |why: String| Error::new(Kind::NoInput, "--tls-ca", file.display(), why);
    let text =
        std::fs::read(file).map_err(|error| Error::io("--tls-ca", file.display(), error).with_kind(Kind::NoInput))?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        RootCertStore::empty().add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(unusable("no certificate in PEM form in this file".into()));
    }
    Ok(certificates)
}

/// A date such as `2026-11-25`.
fn day(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "a date out of range".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

/// The error of a handshake with `peer`, with the option that helps.
pub fn explain(peer: &str, error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) if other.0.is::<PinMismatch>() => {
            Error::new(Kind::Denied, "certificate of", peer, other.0.to_string())
        }
        rustls::Error::InvalidCertificate(wrong) => {
            Error::new(Kind::Denied, "certificate of", peer, untrusted(wrong, None))
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            let why = "it answers without TLS; use --tls starttls, or --tls off to send in clear";
            Error::new(PROTOCOL, "start TLS with", peer, why)
        }
        rustls::Error::AlertReceived(alert) => match about_our_certificate(*alert) {
            Some(why) => Error::new(Kind::Denied, "start TLS with", peer, why),
            None => Error::new(PROTOCOL, "start TLS with", peer, error.to_string()),
        },
        _ => Error::new(PROTOCOL, "start TLS with", peer, error.to_string()),
    }
}

/// Why a certificate is not trusted, and the options that trust it: first the pin of its key, to copy.
fn untrusted(wrong: &CertificateError, pin: Option<Pin>) -> String {
    let cure = match pin {
        Some(pin) => format!("if this is the right server, trust its key with --tls-pin {pin}"),
        None => "if this is the right server, trust its key with --tls-pin".to_owned(),
    };
    let rest = "or its issuer with --tls-ca FILE; --insecure accepts any certificate";
    match wrong {
        CertificateError::Other(other) => {
            if let Some(Untrusted { pin, cause }) = other.0.downcast_ref() {
                return untrusted(cause, *pin);
            }
            match other.0.downcast_ref() {
                Some(webpki::Error::CaUsedAsEndEntity) => {
                    format!("signed by itself and marked as an authority (CA:TRUE); {cure}, {rest}")
                }
                _ => format!("{wrong}; {cure}, {rest}"),
            }
        }
        CertificateError::UnknownIssuer => format!("unknown certificate authority; {cure}, {rest}"),
        CertificateError::NotValidForNameContext { expected, presented } => {
            // rustls formats each as `DnsName("mail.example.com")`.
            let plain = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names = presented.iter().map(plain).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name".to_owned() } else { names };
            let expected = expected.to_str();
            format!("it is for {names}, not for {expected}; expect that name with --tls-server-name, or {cure}")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired on {}; the operator of the server must renew it; {cure}", day(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("not valid before {}; check the clock of this machine; {cure}", day(*not_before))
        }
        CertificateError::ApplicationVerificationFailure => {
            "it does not match the TLSA records of the server (DANE)".to_owned()
        }
        _ => format!("{wrong}; {cure}, {rest}"),
    }
}

/// Why a server refuses the client certificate (RFC 8446, section 6.2).
///
/// Under TLS 1.3 the alert arrives after the handshake, in place of the first reply.
fn about_our_certificate(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => {
            "the server requires a client certificate; give it with --tls-client-cert"
        }
        AlertDescription::UnknownCA => {
            "the server does not know the issuer of the client certificate (--tls-client-cert)"
        }
        AlertDescription::CertificateExpired => {
            "the server reports that the client certificate has expired (--tls-client-cert)"
        }
        AlertDescription::CertificateRevoked => {
            "the server reports that the client certificate was revoked (--tls-client-cert)"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => "the server does not accept the client certificate (--tls-client-cert)",
        _ => return None,
    })
}
