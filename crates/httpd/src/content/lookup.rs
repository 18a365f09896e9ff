//! Finding what lies at a path: in the memory of this worker, else on the disk; and what lies compressed beside it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::clock::Clock;
use crate::content::cache::{Cache, CachedFile, MAX_CACHED_FILE};
use crate::content::files::{Identity, Opened, Root};
use crate::content::representation::Representation;
use crate::content::routing::{PathKind, Site, with_suffix};
use crate::proto::Rejection;
use crate::proto::negotiate::{Accepted, Coding};
use crate::proto::response::Status;
use crate::proto::target::Path;
use crate::telemetry::metrics::Cached;

/// A file that was found, in memory or open.
#[derive(Debug)]
pub(crate) enum OpenFile {
    Memory(Arc<CachedFile>),
    Disk(File, Identity, Representation),
}

/// The eyes of one worker.
pub(crate) struct Lookup {
    site: Arc<Site>,
    root: Arc<Root>,
    cache: Cache,
    /// Whether a file was read since the request began.
    has_read: bool,
}

impl Lookup {
    /// Looks beneath `root` by the rules of `site`, and keeps small files in `cache_memory` octets.
    pub(crate) fn new(site: Arc<Site>, root: Arc<Root>, cache_memory: usize) -> Self {
        Self { site, root, cache: Cache::new(cache_memory), has_read: false }
    }

    /// A new request: nothing was read for it so far.
    pub(crate) fn begin_request(&mut self) {
        self.has_read = false;
    }

    /// What memory did for the request up to now.
    pub(crate) fn cached(&self) -> Cached {
        if self.has_read { Cached::Miss } else { Cached::Hit }
    }

    /// Octets that documents take in memory.
    pub(crate) fn memory(&self) -> usize {
        self.cache.weight()
    }

    /// What lies at a path: from memory if the file is unchanged, else from the disk.
    pub(crate) fn look(
        &mut self,
        clock: &Clock,
        relative: &[u8],
        coding: Option<Coding>,
    ) -> io::Result<PathKind<OpenFile>> {
        let batch = clock.batch();
        if let Some(document) = self.cache.find(relative, coding, batch, &self.root) {
            return Ok(PathKind::File(OpenFile::Memory(document)));
        }
        let opened = match self.root.open(&with_suffix(relative, coding)) {
            // A folder that may be entered but not listed can have an index all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.root.is_folder(relative) => {
                return Ok(PathKind::Folder);
            }
            opened => opened?,
        };
        match opened {
            Opened::Folder(_) => Ok(PathKind::Folder),
            Opened::Absent => Ok(PathKind::Absent),
            Opened::File(file, identity) => self.load(clock, relative, coding, file, identity).map(PathKind::File),
        }
    }

    fn load(
        &mut self,
        clock: &Clock,
        path: &[u8],
        coding: Option<Coding>,
        file: File,
        identity: Identity,
    ) -> io::Result<OpenFile> {
        self.has_read = true;
        if identity.size <= MAX_CACHED_FILE {
            let read = CachedFile::read(&self.site, path, coding, &file, identity, clock.last_full_second())?;
            if let Some(document) = read.map(Arc::new) {
                self.cache.keep(path, coding, &document, clock.batch(), clock.since_epoch());
                return Ok(OpenFile::Memory(document));
            }
        }
        let (etag, modified) = (identity.etag(), identity.trusted_modified());
        Ok(OpenFile::Disk(file, identity, self.site.representation(path, coding, identity.size, etag, modified)))
    }

    /// The best compressed file beside the one at `relative` that the client accepts.
    ///
    /// One that is older than the original is stale and not used.
    pub(crate) fn precompressed_variant(
        &mut self,
        clock: &Clock,
        relative: &[u8],
        original: &OpenFile,
        accepted: Accepted,
    ) -> Option<OpenFile> {
        accepted.codings().find_map(|coding| match self.look(clock, relative, Some(coding)) {
            Ok(PathKind::File(coded)) if coded.modified() >= original.modified() => Some(coded),
            // One that cannot be read is no reason to withhold the original.
            _ => None,
        })
    }
}

impl OpenFile {
    /// The facts about it.
    pub(crate) fn representation(&self) -> &Representation {
        match self {
            Self::Memory(document) => &document.representation,
            Self::Disk(_, _, representation) => representation,
        }
    }

    /// The version of the file.
    pub(crate) fn identity(&self) -> Identity {
        match self {
            Self::Memory(document) => document.identity,
            Self::Disk(_, identity, _) => *identity,
        }
    }

    fn modified(&self) -> Option<i64> {
        self.representation().modified
    }
}

/// What a client is told when a file is there but cannot be read.
pub(crate) fn failure(path: &Path, error: &io::Error) -> Rejection {
    log::warn!("{}: {}", String::from_utf8_lossy(path.relative()), common::error::reason(error));
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) => {
            Rejection { status: Status::FORBIDDEN, reason: "This file may not be read." }
        }
        (_, Some(libc_errno::EMFILE | libc_errno::ENFILE)) => {
            Rejection { status: Status::SERVICE_UNAVAILABLE, reason: "Too many files are open. Try again." }
        }
        _ => Rejection { status: Status::INTERNAL_ERROR, reason: "The file cannot be read." },
    }
}

/// The two error numbers for which the standard library has no kind.
mod libc_errno {
    use nix::errno::Errno;
    pub(super) const EMFILE: i32 = Errno::EMFILE as i32;
    pub(super) const ENFILE: i32 = Errno::ENFILE as i32;
}
