//! Small files in memory, each worker for itself, and never a stale byte.
//!
//! A document is used only after the file it came from was looked at for the same batch of requests and found unchanged.
//! All requests of a batch had begun to arrive before, so every answer shows the file as it was after its request was sent.
//! The total is bounded; what was not used lately makes room.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use crate::clock::last_full_second;
use crate::content::files::{Identity, Root};
use crate::content::representation::{Representation, Selected};
use crate::content::routing::{Site, with_suffix};
use crate::proto::negotiate::Coding;
use crate::proto::response::Status;

/// Largest file that is kept: beyond it, sendfile costs less than keeping and copying.
pub const MAX_CACHED_FILE: u64 = 128 * 1024;

/// Kernels stamp files with a clock that moves in steps of up to 10 ms. A file that changed less than this ago may change
/// again without a new stamp, so it is read anew for the next batch.
const SETTLED: Duration = Duration::from_millis(40);

/// How often a file that changes while it is read is read again before what was read is taken.
const READ_TRIES: usize = 4;

/// One version of a file in memory, ready to be sent.
#[derive(Debug)]
pub struct CachedFile {
    /// The facts about it.
    pub representation: Representation,
    /// The fields of the plain 200 answer, from Content-Type to the last one; Date and Connection are not part of it.
    /// Empty where they are made for each answer.
    pub fields: Vec<u8>,
    /// The content.
    pub body: Vec<u8>,
    /// The file version it was read from.
    pub identity: Identity,
}

impl CachedFile {
    /// Reads a file that is no larger than [`MAX_CACHED_FILE`].
    ///
    /// `None` when it has grown beyond that in the meantime.
    pub fn read(
        site: &Site,
        path: &[u8],
        coding: Option<Coding>,
        file: &File,
        opened: Identity,
        last_full_second: i64,
    ) -> io::Result<Option<Self>> {
        let mut identity = opened;
        let mut body = Vec::new();
        for _ in 0..READ_TRIES {
            body = vec![0; usize::try_from(identity.size).unwrap_or(0) + 1];
            let length = read_all(file, &mut body)?;
            body.truncate(length);
            let after = Identity::of(file)?;
            if after == identity && length as u64 == identity.size {
                break;
            }
            if after.size > MAX_CACHED_FILE {
                return Ok(None);
            }
            identity = after;
        }
        let etag = format!("\"{:032x}\"", xxh3_128(&body)).into_bytes();
        let representation = site.representation(path, coding, body.len() as u64, etag, identity.trusted_modified());
        let mut fields = Vec::new();
        representation.write_fields(&Selected::Whole(Status::OK), last_full_second, &mut fields);
        Ok(Some(Self { representation, fields, body, identity }))
    }

    fn weight(&self) -> usize {
        self.body.len() + self.fields.len() + size_of::<Self>()
    }
}

/// The content of an open file, if it is still this version before and after it is read.
pub(crate) fn read_version(file: &File, identity: Identity) -> io::Result<Option<Vec<u8>>> {
    // One octet more, so that a file that grows is noticed without another call.
    let mut body = vec![0; usize::try_from(identity.size).unwrap_or(usize::MAX).saturating_add(1)];
    let length = read_all(file, &mut body)?;
    body.truncate(length);
    let is_whole = length as u64 == identity.size && Identity::of(file)? == identity;
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

struct Slot {
    document: Arc<CachedFile>,
    /// The batch for which the file was last seen to be this version.
    checked: u64,
    /// Whether the file was old enough when it was read that a later change must show in its stamps.
    settled: bool,
    /// Whether it was used since the last search for room.
    used: bool,
}

/// The documents of one worker, by path and coding.
pub struct Cache {
    slots: [HashMap<Vec<u8>, Slot>; 4],
    order: VecDeque<(usize, Vec<u8>)>,
    weight: usize,
    limit: usize,
}

impl Cache {
    /// A cache that holds at most `limit` octets.
    pub fn new(limit: usize) -> Self {
        Self { slots: Default::default(), order: VecDeque::new(), weight: 0, limit }
    }

    /// The document for a path, if it is here and the file is still that version.
    pub fn find(&mut self, path: &[u8], coding: Option<Coding>, batch: u64, root: &Root) -> Option<Arc<CachedFile>> {
        let slot = self.slots[coding_index(coding)].get_mut(path)?;
        if slot.checked != batch {
            if !slot.settled || root.identify(&with_suffix(path, coding)) != Some(slot.document.identity) {
                // It stays until it is replaced or makes room, so that the order need not be searched for it.
                return None;
            }
            slot.checked = batch;
        }
        slot.used = true;
        Some(Arc::clone(&slot.document))
    }

    /// Keeps a document that was read for `batch` at the time `now` (since 1970).
    pub fn keep(&mut self, path: &[u8], coding: Option<Coding>, document: &Arc<CachedFile>, batch: u64, now: Duration) {
        let weight = document.weight() + path.len();
        if weight > self.limit {
            return;
        }
        self.make_room(weight);
        let settled = is_settled(document.identity, now) && !is_dated_early(&document.representation, now);
        let slot = Slot { document: Arc::clone(document), checked: batch, settled, used: false };
        self.weight += weight;
        match self.slots[coding_index(coding)].insert(path.to_vec(), slot) {
            Some(old) => self.weight -= old.document.weight() + path.len(),
            None => self.order.push_back((coding_index(coding), path.to_vec())),
        }
    }

    /// The octets that are held now.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Goes round the documents in the order they came: each gets a second chance if it was used since the last round.
    fn make_room(&mut self, wanted: usize) {
        while self.weight + wanted > self.limit {
            let Some((place, path)) = self.order.pop_front() else { return };
            match self.slots[place].get_mut(&path) {
                Some(slot) if slot.used => {
                    slot.used = false;
                    self.order.push_back((place, path));
                }
                Some(_) => {
                    if let Some(slot) = self.slots[place].remove(&path) {
                        self.weight -= slot.document.weight() + path.len();
                    }
                }
                None => {}
            }
        }
    }
}

fn coding_index(coding: Option<Coding>) -> usize {
    coding.map_or(0, |coding| coding as usize + 1)
}

/// Whether the last change of a file lies so far before `now` (since 1970) that a later one must show in its stamps.
pub(crate) fn is_settled(identity: Identity, now: Duration) -> bool {
    let (seconds, nanoseconds) = identity.changed;
    let changed = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanoseconds).unwrap_or(0));
    now.checked_sub(changed).is_some_and(|age| age >= SETTLED)
}

/// Whether the document was read within the second of its last change, so that its Last-Modified will be another one soon.
fn is_dated_early(representation: &Representation, now: Duration) -> bool {
    let ahead = representation.modified.map(|modified| modified - last_full_second(now));
    // Files that come from the future altogether are another matter, and are kept.
    matches!(ahead, Some(1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::files::{Opened, Symlinks};
    use std::time::SystemTime;

    struct Fixture {
        folder: tempfile::TempDir,
        root: Root,
        site: Site,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open_root(folder.path(), Symlinks::Inside).unwrap();
            Self { folder, root, site: Site::default() }
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn read(&self, name: &str) -> Arc<CachedFile> {
            match self.root.open(name.as_bytes()).unwrap() {
                Opened::File(file, identity) => {
                    let read = CachedFile::read(&self.site, name.as_bytes(), None, &file, identity, 0);
                    Arc::new(read.unwrap().unwrap())
                }
                other => panic!("{other:?}"),
            }
        }

        fn find(&self, cache: &mut Cache, name: &str, batch: u64) -> Option<Vec<u8>> {
            cache.find(name.as_bytes(), None, batch, &self.root).map(|document| document.body.clone())
        }
    }

    /// Late enough that a file of now was not changed within its last full second.
    fn later() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(2)
    }

    #[test]
    fn a_document_is_found_while_its_file_is_unchanged() {
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
        let document = fixture.read("a");
        let (seconds, nanoseconds) = document.identity.changed;
        let changed = Duration::new(seconds.try_into().unwrap(), nanoseconds.try_into().unwrap());
        cache.keep(b"a", None, &document, 1, changed + SETTLED / 2);
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
            assert!(cache.weight <= 40_000);
            assert!(fixture.find(&mut cache, "f0", 1).is_some(), "f0 is used all the time");
        }
        assert!(cache.order.len() < 40, "{}", cache.order.len());
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
