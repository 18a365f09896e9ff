//! Replaces the certificate when its files change.
//!
//! The next handshake uses the new certificate; connections keep theirs. Files that are incomplete or do not match each other
//! change nothing until they are usable.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use common::Error;
use common::sync::{Mutex, RwLock};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{CertificateFiles, Identity, Validity, ValidityStatus};
use crate::file_version::FileVersion;

/// Holds the current certificate and reloads it from its files.
#[derive(Debug)]
pub struct CertificateReloader {
    current: RwLock<Arc<CertifiedKey>>,
    watched: Option<CertificateFiles>,
    state: Mutex<ReloadState>,
}

/// Certificate and key; `None` for a file that is missing.
type FileVersions = [Option<FileVersion>; 2];

#[derive(Debug)]
struct ReloadState {
    validity: Validity,
    /// The status that was logged last.
    status: ValidityStatus,
    /// The versions that were read last, usable or not.
    read: FileVersions,
    /// The versions at the last check.
    checked: FileVersions,
}

impl CertificateReloader {
    /// A certificate that never changes.
    pub fn fixed(identity: Identity) -> Self {
        Self::new(identity, None, [None; 2])
    }

    /// Reads the certificate from files.
    pub fn of_files(files: CertificateFiles) -> Result<Self, Error> {
        // Before the files are read, so that a change in between is detected.
        let versions = versions(&files);
        Ok(Self::new(files.load()?, Some(files), versions))
    }

    fn new(identity: Identity, watched: Option<CertificateFiles>, versions: FileVersions) -> Self {
        let state = ReloadState {
            validity: identity.validity,
            status: ValidityStatus::Valid,
            read: versions,
            checked: versions,
        };
        Self { current: RwLock::new(Arc::new(identity.certified)), watched, state: Mutex::new(state) }
    }

    /// Reads the files, changed or not.
    pub fn reload(&self) {
        let Some(files) = &self.watched else { return };
        let mut state = self.state.lock();
        self.read(files, &mut state);
    }

    /// Reads files that have changed since they were read but not since the last check; logs once when the certificate
    /// expires. To be called about once a second.
    pub fn check(&self) {
        let mut state = self.state.lock();
        if let Some(files) = &self.watched {
            let now = versions(files);
            let is_stable = now == state.checked;
            state.checked = now;
            if is_stable && now != state.read {
                self.read(files, &mut state);
            }
        }
        log_status(&mut state);
    }

    fn read(&self, files: &CertificateFiles, state: &mut ReloadState) {
        state.read = versions(files);
        match files.load() {
            Ok(identity) => {
                log::info!("the certificate was reloaded");
                state.validity = identity.validity;
                state.status = ValidityStatus::Valid;
                *self.current.write() = Arc::new(identity.certified);
                log_status(state);
            }
            Err(error) => log::error!("{error}; the previous certificate stays"),
        }
    }
}

fn log_status(state: &mut ReloadState) {
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
        Some(Arc::clone(&self.current.read()))
    }
}

fn versions(files: &CertificateFiles) -> FileVersions {
    [FileVersion::at(&files.certificate), FileVersion::at(&files.key)]
}
