//! Finds the file at a path: in the cache of this worker, else on disk; and precompressed variants of a file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use nix::errno::Errno;

use crate::clock::Clock;
use crate::content::cache::{Cache, CachedFile, MAX_CACHED_FILE};
use crate::content::files::{Opened, Root};
use crate::content::representation::Representation;
use crate::content::routing::{PathKind, Site, with_suffix};
use crate::file_version::FileVersion;
use crate::proto::Rejection;
use crate::proto::negotiate::{Accepted, Coding};
use crate::proto::response::Status;
use crate::proto::target::Path;

/// A file to be sent: from the cache, or open.
#[derive(Debug)]
pub(crate) enum OpenFile {
    Cached(Arc<CachedFile>),
    Disk(File, FileVersion, Representation),
}

/// Whether a response came from the cache for small files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// The file was in the cache and unchanged.
    Hit,
    /// The file was read from disk.
    Miss,
}

impl CacheStatus {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// Finds files for one worker: cache first, then the disk.
pub(crate) struct Lookup {
    site: Arc<Site>,
    root: Arc<Root>,
    cache: Cache,
    /// Whether a file was read since the request began.
    has_read: bool,
}

impl Lookup {
    /// Looks up files of `site` below `root`, with a cache of `cache_size` bytes.
    pub(crate) fn new(site: Arc<Site>, root: Arc<Root>, cache_size: usize) -> Self {
        Self { site, root, cache: Cache::new(cache_size), has_read: false }
    }

    /// Starts a request: resets the cache status.
    pub(crate) fn begin_request(&mut self) {
        self.has_read = false;
    }

    /// The cache status of the request so far.
    pub(crate) fn cache_status(&self) -> CacheStatus {
        if self.has_read { CacheStatus::Miss } else { CacheStatus::Hit }
    }

    /// Bytes in the cache.
    pub(crate) fn cache_weight(&self) -> usize {
        self.cache.weight()
    }

    /// What lies at a path, or at the path plus the suffix of `coding`.
    pub(crate) fn look(
        &mut self,
        clock: &Clock,
        relative: &[u8],
        coding: Option<Coding>,
    ) -> io::Result<PathKind<OpenFile>> {
        let batch = clock.batch();
        if let Some(file) = self.cache.find(relative, coding, batch, &self.root) {
            return Ok(PathKind::File(OpenFile::Cached(file)));
        }
        let opened = match self.root.open(&with_suffix(relative, coding)) {
            // A folder without read permission can still have an index.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.root.is_folder(relative) => {
                return Ok(PathKind::Folder);
            }
            opened => opened?,
        };
        match opened {
            Opened::Folder(_) => Ok(PathKind::Folder),
            Opened::Absent => Ok(PathKind::Absent),
            Opened::File(file, version) => self.load(clock, relative, coding, file, version).map(PathKind::File),
        }
    }

    fn load(
        &mut self,
        clock: &Clock,
        path: &[u8],
        coding: Option<Coding>,
        file: File,
        version: FileVersion,
    ) -> io::Result<OpenFile> {
        self.has_read = true;
        if version.size <= MAX_CACHED_FILE {
            let read = CachedFile::read(&self.site, path, coding, &file, version, clock.last_full_second())?;
            if let Some(cached) = read.map(Arc::new) {
                self.cache.keep(path, coding, &cached, clock.batch(), clock.since_epoch());
                return Ok(OpenFile::Cached(cached));
            }
        }
        let (etag, modified) = (version.etag(), version.trusted_modified());
        Ok(OpenFile::Disk(file, version, self.site.representation(path, coding, version.size, etag, modified)))
    }

    /// The best precompressed variant of the file at `relative` that the client accepts.
    ///
    /// A variant that is older than the original is stale and not used.
    pub(crate) fn precompressed_variant(
        &mut self,
        clock: &Clock,
        relative: &[u8],
        original: &OpenFile,
        accepted: Accepted,
    ) -> Option<OpenFile> {
        accepted.codings().find_map(|coding| match self.look(clock, relative, Some(coding)) {
            Ok(PathKind::File(coded)) if coded.modified() >= original.modified() => Some(coded),
            // An unreadable variant does not prevent the original.
            _ => None,
        })
    }
}

impl OpenFile {
    /// The fields and validators.
    pub(crate) fn representation(&self) -> &Representation {
        match self {
            Self::Cached(file) => &file.representation,
            Self::Disk(_, _, representation) => representation,
        }
    }

    /// The version of the file.
    pub(crate) fn version(&self) -> FileVersion {
        match self {
            Self::Cached(file) => file.version,
            Self::Disk(_, version, _) => *version,
        }
    }

    fn modified(&self) -> Option<i64> {
        self.representation().modified
    }
}

/// The response to a request for a file that cannot be read.
pub(crate) fn rejection(path: &Path, error: &io::Error) -> Rejection {
    log::warn!("{}: {}", String::from_utf8_lossy(path.relative()), common::error::reason(error));
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Rejection { status: Status::FORBIDDEN, reason: "The server has no permission to read this file." };
    }
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE) => {
            Rejection { status: Status::SERVICE_UNAVAILABLE, reason: "Too many files are open. Try again." }
        }
        _ => Rejection { status: Status::INTERNAL_ERROR, reason: "The file cannot be read." },
    }
}
