//! Small files in memory, one cache per worker, never stale.
//!
//! A cached file is used only after its version was checked for the current batch of requests. All requests of a batch
//! began to arrive before that check, so every response shows the file as it was after its request was sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use crate::clock::last_full_second;
use crate::content::files::Root;
use crate::content::representation::{Representation, Selected};
use crate::content::routing::{Site, with_suffix};
use crate::content::second_chance::SecondChanceCache;
use crate::file_version::FileVersion;
use crate::proto::negotiate::Coding;
use crate::proto::response::Status;

/// Largest cached file; above it, sendfile costs less than copying.
pub const MAX_CACHED_FILE: u64 = 128 * 1024;

/// Kernels set file times by a clock with steps of up to 10 ms. A file that changed more recently than this may change
/// again without a new time, so the next batch reads it again.
const SETTLED_AFTER: Duration = Duration::from_millis(40);

/// Reads of a file that changes while it is read, before the last read is used.
const MAX_READS: usize = 4;

/// One version of a file in memory, ready to be sent.
#[derive(Debug)]
pub struct CachedFile {
    /// Its fields and validators.
    pub representation: Representation,
    /// The field lines of the plain 200 response without Date and Connection; empty if they differ by response.
    pub fields: Vec<u8>,
    /// The content.
    pub body: Vec<u8>,
    /// The file version it was read from.
    pub version: FileVersion,
}

impl CachedFile {
    /// Reads a file of at most [`MAX_CACHED_FILE`] bytes; `None` if it has grown beyond that meanwhile.
    pub fn read(
        site: &Site,
        path: &[u8],
        coding: Option<Coding>,
        file: &File,
        opened: FileVersion,
        last_full_second: i64,
    ) -> io::Result<Option<Self>> {
        let mut version = opened;
        let mut body = Vec::new();
        for _ in 0..MAX_READS {
            body = vec![0; usize::try_from(version.size).unwrap_or(0) + 1];
            let length = read_all(file, &mut body)?;
            body.truncate(length);
            let after = FileVersion::of(file)?;
            if after == version && length as u64 == version.size {
                break;
            }
            if after.size > MAX_CACHED_FILE {
                return Ok(None);
            }
            version = after;
        }
        let etag = format!("\"{:032x}\"", xxh3_128(&body)).into_bytes();
        let representation = site.representation(path, coding, body.len() as u64, etag, version.trusted_modified());
        let mut fields = Vec::new();
        representation.write_fields(&Selected::Whole(Status::OK), last_full_second, &mut fields);
        Ok(Some(Self { representation, fields, body, version }))
    }

    fn weight(&self) -> usize {
        self.body.len() + self.fields.len() + size_of::<Self>()
    }
}

/// The content of an open file; `None` if the file is not this version after the read.
pub(crate) fn read_version(file: &File, version: FileVersion) -> io::Result<Option<Vec<u8>>> {
    // One byte more shows a file that grows without another system call.
    let mut body = vec![0; usize::try_from(version.size).unwrap_or(usize::MAX).saturating_add(1)];
    let length = read_all(file, &mut body)?;
    body.truncate(length);
    let is_whole = length as u64 == version.size && FileVersion::of(file)? == version;
    Ok(is_whole.then_some(body))
}

fn read_all(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct CacheEntry {
    file: Arc<CachedFile>,
    /// The batch for which the version was last checked.
    checked: u64,
    /// Whether the file was old enough when it was read that a later change is visible in its time stamps.
    is_settled: bool,
}

/// Shards of the cache: one for the original files, one for each coding.
const SHARDS: usize = 4;

/// The cached files of one worker, by path and coding.
pub struct Cache(SecondChanceCache<CacheEntry>);

impl Cache {
    /// A cache that holds at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(SecondChanceCache::new(SHARDS, limit))
    }

    /// The cached file for a path, if the file on disk is still the same version.
    pub fn find(&mut self, path: &[u8], coding: Option<Coding>, batch: u64, root: &Root) -> Option<Arc<CachedFile>> {
        let entry = self.0.get_mut(coding_index(coding), path)?;
        let cached = &mut entry.value;
        if cached.checked != batch {
            if !cached.is_settled || root.version(&with_suffix(path, coding)) != Some(cached.file.version) {
                // A stale entry stays until it is replaced or evicted; removing it would need a search of the order.
                return None;
            }
            cached.checked = batch;
        }
        entry.is_used = true;
        Some(Arc::clone(&cached.file))
    }

    /// Keeps a file that was read for `batch` at the time `now` (since 1970).
    pub fn keep(&mut self, path: &[u8], coding: Option<Coding>, file: &Arc<CachedFile>, batch: u64, now: Duration) {
        let is_settled = is_settled(file.version, now) && !is_dated_early(&file.representation, now);
        let entry = CacheEntry { file: Arc::clone(file), checked: batch, is_settled };
        self.0.insert(coding_index(coding), path, entry, file.weight() + path.len());
    }

    /// Bytes held now.
    pub fn weight(&self) -> usize {
        self.0.weight()
    }
}

fn coding_index(coding: Option<Coding>) -> usize {
    coding.map_or(0, |coding| coding as usize + 1)
}

/// Whether a file changed so long before `now` (since 1970) that a later change is visible in its time stamps.
pub(crate) fn is_settled(version: FileVersion, now: Duration) -> bool {
    let (seconds, nanoseconds) = version.changed;
    let changed = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanoseconds).unwrap_or(0));
    now.checked_sub(changed).is_some_and(|age| age >= SETTLED_AFTER)
}

/// Whether the file was read within the second of its last change, so that its Last-Modified changes soon.
fn is_dated_early(representation: &Representation, now: Duration) -> bool {
    let ahead = representation.modified.map(|modified| modified - last_full_second(now));
    // Files with a time further in the future are kept.
    matches!(ahead, Some(1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::files::{Opened, SymlinkPolicy};
    use std::time::SystemTime;

    struct Fixture {
        folder: tempfile::TempDir,
        root: Root,
        site: Site,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open_root(folder.path(), SymlinkPolicy::Inside).unwrap();
            Self { folder, root, site: Site::default() }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn read(&self, name: &str) -> Arc<CachedFile> {
            match self.root.open(name.as_bytes()).unwrap() {
                Opened::File(file, version) => {
                    let read = CachedFile::read(&self.site, name.as_bytes(), None, &file, version, 0);
                    Arc::new(read.unwrap().unwrap())
                }
                other => panic!("{other:?}"),
            }
        }

        fn find(&self, cache: &mut Cache, name: &str, batch: u64) -> Option<Vec<u8>> {
            cache.find(name.as_bytes(), None, batch, &self.root).map(|file| file.body.clone())
        }
    }

    /// Late enough that a file of now was not changed within its last full second.
    fn later() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(2)
    }

    #[test]
    fn a_cached_file_is_found_while_the_file_is_unchanged() {
        let fixture = Fixture::new();
        let mut cache = Cache::new(1 << 20);
        fixture.write("a", "one");
        cache.keep(b"a", None, &fixture.read("a"), 1, later());
        assert_eq!(fixture.find(&mut cache, "a", 1).as_deref(), Some(&b"one"[..]));
        assert_eq!(fixture.find(&mut cache, "a", 2).as_deref(), Some(&b"one"[..]));
        assert_eq!(cache.find(b"a", Some(Coding::Gzip), 2, &fixture.root).map(|_| ()), None);
    }

    #[test]
    fn a_changed_or_deleted_file_is_noticed_by_the_next_batch() {
        let fixture = Fixture::new();
        let mut cache = Cache::new(1 << 20);
        fixture.write("a", "one");
        cache.keep(b"a", None, &fixture.read("a"), 1, later());
        fixture.write("a", "two!");
        assert_eq!(fixture.find(&mut cache, "a", 2), None);
        cache.keep(b"a", None, &fixture.read("a"), 2, later());
        assert_eq!(fixture.find(&mut cache, "a", 3).as_deref(), Some(&b"two!"[..]));
        std::fs::remove_file(fixture.folder.path().join("a")).unwrap();
        assert_eq!(fixture.find(&mut cache, "a", 4), None);
    }

    #[test]
    fn a_file_that_changed_a_moment_ago_is_used_for_one_batch_only() {
        let fixture = Fixture::new();
        let mut cache = Cache::new(1 << 20);
        fixture.write("a", "one");
        let file = fixture.read("a");
        let (seconds, nanoseconds) = file.version.changed;
        let changed = Duration::new(seconds.try_into().unwrap(), nanoseconds.try_into().unwrap());
        cache.keep(b"a", None, &file, 1, changed + SETTLED_AFTER / 2);
        assert!(fixture.find(&mut cache, "a", 1).is_some());
        assert!(fixture.find(&mut cache, "a", 2).is_none());
    }

    #[test]
    fn the_total_stays_below_the_limit_and_what_is_used_survives() {
        let fixture = Fixture::new();
        let mut cache = Cache::new(40_000);
        for number in 0..100 {
            let name = format!("f{number}");
            fixture.write(&name, &"x".repeat(1000));
            cache.keep(name.as_bytes(), None, &fixture.read(&name), 1, later());
            assert!(cache.weight() <= 40_000);
            assert!(fixture.find(&mut cache, "f0", 1).is_some(), "f0 is used all the time");
        }
        assert!(fixture.find(&mut cache, "f1", 1).is_none());
    }

    #[test]
    fn equal_contents_have_equal_tags_wherever_they_lie() {
        let fixture = Fixture::new();
        fixture.write("a", "same");
        fixture.write("b", "same");
        fixture.write("c", "other");
        let tag = |name| fixture.read(name).representation.etag.clone();
        assert_eq!(tag("a"), tag("b"));
        assert_ne!(tag("a"), tag("c"));
    }
}
