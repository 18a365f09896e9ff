//! A self-signed certificate for tests, made at the start and never stored.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{Datelike, Days, Utc};
use common::{Error, Kind};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Identity;

/// Days of validity; browsers accept no longer period.
const VALID_DAYS: u64 = 365;

/// An identity for these names and addresses, and the SHA-256 fingerprint of its certificate in hexadecimal.
pub fn self_signed(names: &[String], addresses: &[IpAddr]) -> Result<(Identity, String), Error> {
    let fail = |error: rcgen::Error| Error::new(Kind::System, "make", "a certificate", error);
    let subjects: Vec<_> = names.iter().cloned().chain(addresses.iter().map(ToString::to_string)).collect();
    let mut params = CertificateParams::new(subjects).map_err(fail)?;
    params.distinguished_name.push(DnType::CommonName, "httpd, self-signed");
    // From yesterday, for clients whose clock is behind.
    let today = Utc::now().date_naive();
    let date = |day: chrono::NaiveDate| {
        let (month, day_of_month) = (u8::try_from(day.month()).unwrap_or(1), u8::try_from(day.day()).unwrap_or(1));
        rcgen::date_time_ymd(day.year(), month, day_of_month)
    };
    params.not_before = date(today - Days::new(1));
    params.not_after = date(today + Days::new(VALID_DAYS));
    let key = KeyPair::generate().map_err(fail)?;
    let certificate = params.self_signed(&key).map_err(fail)?;
    let fingerprint = digest(&SHA256, certificate.der());
    let fingerprint: Vec<_> = fingerprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((Identity::from_der(certificate.der().clone(), key)?, fingerprint.join(":")))
}
