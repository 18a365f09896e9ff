//! The certificate that is in use, exchanged while the server runs when its files change.
//!
//! Handshakes under way and connections keep what they began with; the next handshake takes the new one. CertificateFiles that are
//! half written, or of which one is still the old one, change nothing until they fit.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use common::Error;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{CertificateFiles, Identity, Validity, ValidityStatus};
use crate::file_version::FileVersion;

/// Holds the certificate, and knows where it came from.
#[derive(Debug)]
pub struct CertificateReloader {
    current: RwLock<Arc<CertifiedKey>>,
    watched: Option<CertificateFiles>,
    state: Mutex<State>,
}

/// Certificate and key; `None` for a file that is missing.
type FileVersions = [Option<FileVersion>; 2];

#[derive(Debug)]
struct State {
    validity: Validity,
    /// What was said about the dates last.
    status: ValidityStatus,
    /// The files as they were when they were read last, well or not.
    read: FileVersions,
    /// The files as they were a moment ago.
    seen: FileVersions,
}

impl CertificateReloader {
    /// A reloader of an identity that never changes.
    pub fn fixed(identity: Identity) -> Self {
        Self::new(identity, None, [None; 2])
    }

    /// A reloader of what lies in these files, now and later.
    pub fn of_files(files: CertificateFiles) -> Result<Self, Error> {
        // Looked at before they are read, so that a change in between is seen as one.
        let versions = versions(&files);
        Ok(Self::new(files.load()?, Some(files), versions))
    }

    fn new(identity: Identity, watched: Option<CertificateFiles>, versions: FileVersions) -> Self {
        let state =
            State { validity: identity.validity, status: ValidityStatus::Valid, read: versions, seen: versions };
        Self { current: RwLock::new(Arc::new(identity.certified)), watched, state: Mutex::new(state) }
    }

    /// Reads the files again, whether they have changed or not.
    pub fn reload(&self) {
        let Some(files) = &self.watched else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(files, &mut state);
    }

    /// To be called about once a second: reads files that have changed and then stayed the same from one call to the next,
    /// and says once when the certificate has come to its end.
    pub fn check(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &self.watched {
            let now = versions(files);
            let is_quiet = now == state.seen;
            state.seen = now;
            if is_quiet && now != state.read {
                self.read(files, &mut state);
            }
        }
        warn_of_dates(&mut state);
    }

    fn read(&self, files: &CertificateFiles, state: &mut State) {
        state.read = versions(files);
        match files.load() {
            Ok(identity) => {
                log::info!("the certificate was read again");
                state.validity = identity.validity;
                state.status = ValidityStatus::Valid;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identity.certified);
                warn_of_dates(state);
            }
            Err(error) => log::error!("{error}; the certificate that is in use stays"),
        }
    }
}

fn warn_of_dates(state: &mut State) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let status = state.validity.status(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX));
    if status != state.status {
        state.status = status;
        if let Some(text) = state.validity.warning(status) {
            log::warn!("{text}");
        }
    }
}

impl ResolvesServerCert for CertificateReloader {
    fn resolve(&self, _: ClientHello) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn versions(files: &CertificateFiles) -> FileVersions {
    [FileVersion::at(&files.certificate), FileVersion::at(&files.key)]
}
