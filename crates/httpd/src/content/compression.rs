//! Text compressed on the way out (gzip, RFC 1952): once for each version of a file, and kept in bounded memory.
//!
//! All workers share one [`Compressor`]. A compressed text is used only for the very version of the file it was made from, and
//! the worker has just looked at that file, so it is never stale. While one request has a text compressed, others for it
//! get the original; only a client that refuses the original waits. The work is done in the blocking lane.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use crate::blocking::response_writer::Content;
use crate::content::cache::{CachedFile, is_settled, read_version};
use crate::content::files::Identity;
use crate::content::lookup::OpenFile;
use crate::content::representation::{Representation, Selected};
use crate::proto::range::Part;
use crate::proto::response::{self, Persistence, Status};

/// A smaller file fits in a packet or two as it is.
pub const MIN_SIZE: u64 = 1024;
/// A larger file would keep its first reader waiting for more than about a tenth of a second, and needs this much memory.
pub const MAX_SIZE: u64 = 8 << 20;
/// Compressions at once: each holds up to [`MAX_SIZE`] twice, and more of them than cores would not be faster.
const AT_ONCE: usize = 4;

/// Whether a file of these facts is worth compressing: text, neither tiny nor huge, and not compressed already.
pub fn is_worth(original: &Representation) -> bool {
    original.coding.is_none() && (MIN_SIZE..=MAX_SIZE).contains(&original.size) && is_text(&original.content_type)
}

/// Media types whose content shrinks.
fn is_text(media_type: &str) -> bool {
    const OTHERS: [&str; 8] = [
        "application/javascript",
        "application/json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/bmp",
    ];
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || OTHERS.contains(&essence.as_str())
}

/// What is known about the compressed form of a version of a file.
pub(crate) enum CompressedState {
    /// Here it is.
    Ready(Arc<CachedFile>),
    /// The original is to be sent: the compressed form is not smaller, or somebody is making it just now.
    Original,
    /// Nothing, and the caller is the one to make it.
    Permit(CompressionPermit),
    /// Nothing, and the caller refuses the original, so it has to wait until somebody else has made it.
    Wait,
}

/// Where one worker keeps what it sends: small files for itself, compressed text together with the others.
#[derive(Debug, Clone)]
pub struct CacheBudget {
    /// Octets for small files.
    pub documents: usize,
    /// The compressed texts, if any are to be made.
    pub compressor: Option<Arc<Compressor>>,
}

impl CacheBudget {
    /// Splits `total` octets among the workers; compressed text gets a quarter of it. Without memory nothing is compressed,
    /// because it would be so anew for each request.
    pub fn split(total: usize, workers: usize, compress: bool) -> Self {
        let for_compressed = if compress { total / 4 } else { 0 };
        let compressor = (for_compressed > 0).then(|| Compressor::new(for_compressed));
        Self { documents: (total - for_compressed) / workers.max(1), compressor }
    }
}

/// The compressed texts.
#[derive(Debug)]
pub struct Compressor {
    limit: usize,
    kept: Mutex<CompressedCache>,
    permit_released: Condvar,
}

#[derive(Debug, Default)]
struct CompressedCache {
    slots: HashMap<Vec<u8>, Slot>,
    /// In the order they came; each path that has a slot stands here once.
    order: VecDeque<Vec<u8>>,
    weight: usize,
    busy: HashSet<Vec<u8>>,
}

#[derive(Debug)]
struct Slot {
    identity: Identity,
    /// `None`: not smaller than the original.
    document: Option<Arc<CachedFile>>,
    used: bool,
}

impl Slot {
    fn weight(&self, path: &[u8]) -> usize {
        let body = self.document.as_ref().map_or(0, |document| document.body.len() + size_of::<CachedFile>());
        body + 2 * path.len() + size_of::<Self>()
    }
}

/// The right to compress one file; given back on drop, also by a panic.
#[derive(Debug)]
pub(crate) struct CompressionPermit {
    compressor: Arc<Compressor>,
    path: Vec<u8>,
}

impl Drop for CompressionPermit {
    fn drop(&mut self) {
        self.compressor.lock().busy.remove(&self.path);
        self.compressor.permit_released.notify_all();
    }
}

impl Compressor {
    /// Keeps at most `limit` octets.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, kept: Mutex::default(), permit_released: Condvar::new() })
    }

    /// Looks for the compressed form of this version of the file at `path`. Never waits.
    pub(crate) fn look(self: &Arc<Self>, path: &[u8], identity: Identity, may_be_original: bool) -> CompressedState {
        let mut kept = self.lock();
        match kept.slots.get_mut(path) {
            Some(slot) if slot.identity == identity && (slot.document.is_some() || may_be_original) => {
                slot.used = true;
                slot.document
                    .as_ref()
                    .map_or(CompressedState::Original, |document| CompressedState::Ready(Arc::clone(document)))
            }
            _ => match self.take_permit(&mut kept, path) {
                Some(permit) => CompressedState::Permit(permit),
                None if may_be_original => CompressedState::Original,
                None => CompressedState::Wait,
            },
        }
    }

    /// Waits for a permit, or for somebody else's result.
    fn wait(self: &Arc<Self>, path: &[u8], identity: Identity) -> Result<Arc<CachedFile>, CompressionPermit> {
        let mut kept = self.lock();
        loop {
            let slot = kept.slots.get(path).filter(|slot| slot.identity == identity);
            if let Some(document) = slot.and_then(|slot| slot.document.as_ref()) {
                return Ok(Arc::clone(document));
            }
            if let Some(permit) = self.take_permit(&mut kept, path) {
                return Err(permit);
            }
            kept = self.permit_released.wait(kept).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take_permit(self: &Arc<Self>, kept: &mut CompressedCache, path: &[u8]) -> Option<CompressionPermit> {
        if kept.busy.len() >= AT_ONCE || !kept.busy.insert(path.to_vec()) {
            return None;
        }
        Some(CompressionPermit { compressor: Arc::clone(self), path: path.to_vec() })
    }

    fn keep(&self, path: &[u8], identity: Identity, document: Option<Arc<CachedFile>>) {
        let mut slot = Slot { identity, document, used: false };
        if slot.weight(path) > self.limit {
            // That it does not fit is worth remembering: it would be compressed for every request otherwise.
            slot.document = None;
        }
        let weight = slot.weight(path);
        let mut kept = self.lock();
        kept.make_room(weight, self.limit);
        if kept.weight + weight > self.limit {
            return;
        }
        kept.weight += weight;
        match kept.slots.insert(path.to_vec(), slot) {
            Some(old) => kept.weight -= old.weight(path),
            None => kept.order.push_back(path.to_vec()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, CompressedCache> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CompressedCache {
    /// Goes round in the order they came: each gets a second chance if it was used since the last round.
    fn make_room(&mut self, wanted: usize, limit: usize) {
        while self.weight + wanted > limit {
            let Some(path) = self.order.pop_front() else { return };
            match self.slots.get_mut(&path) {
                Some(slot) if slot.used => {
                    slot.used = false;
                    self.order.push_back(path);
                }
                _ => {
                    if let Some(slot) = self.slots.remove(&path) {
                        self.weight -= slot.weight(&path);
                    }
                }
            }
        }
    }
}

/// An answer whose content is still to be compressed.
#[derive(Debug)]
pub struct Compression {
    pub(crate) compressor: Arc<Compressor>,
    /// The right to do so; without it, it is waited for.
    pub(crate) permit: Option<CompressionPermit>,
    /// Whether the client takes the original as well.
    pub(crate) may_be_original: bool,
    pub(crate) path: Vec<u8>,
    pub(crate) original: OpenFile,
    /// Status line and Date.
    pub(crate) start: Vec<u8>,
    /// What the last fields depend on; see [`Representation::write_fields`].
    pub(crate) last_full_second: i64,
    pub(crate) persistence: Persistence,
    pub(crate) is_head: bool,
}

impl Compression {
    /// Compresses, and gives the head of the answer and what follows it: the original where that is not larger, or where it
    /// changed meanwhile.
    pub(crate) fn answer(mut self) -> (Vec<u8>, Content) {
        let compressed = match self.permit.take() {
            Some(permit) => self.compress(permit),
            None => match self.compressor.wait(&self.path, self.original.identity()) {
                Ok(document) => Some(document),
                Err(permit) => self.compress(permit),
            },
        };
        let source = compressed.map_or(self.original, OpenFile::Memory);
        let mut head = self.start;
        let whole = Selected::Whole(Status::OK);
        source.representation().write_fields(&whole, self.last_full_second, &mut head);
        response::finish(&mut head, self.persistence);
        let content = match source {
            _ if self.is_head => Content::Nothing,
            OpenFile::Memory(document) => {
                let length = document.body.len();
                Content::Memory(document, 0..length)
            }
            OpenFile::Disk(file, _, representation) => {
                let whole = Part { start: 0, length: representation.size };
                Content::File { file, pieces: vec![(Vec::new(), whole)], tail: Vec::new() }
            }
        };
        (head, content)
    }

    /// The compressed document, if it is smaller or the client takes nothing else; `_turn` ends when the result can be found.
    fn compress(&self, _turn: CompressionPermit) -> Option<Arc<CachedFile>> {
        let identity = self.original.identity();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let body = match &self.original {
            OpenFile::Memory(document) => gzip(&document.body),
            OpenFile::Disk(file, ..) => read_version(file, identity).and_then(|text| match text {
                Some(text) => gzip(&text),
                None => Err(io::Error::other("the file has changed")),
            }),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                log::debug!("compress: {}", common::error::reason(&error));
                return None;
            }
        };
        let original = self.original.representation();
        let (before, after) = (original.size, body.len() as u64);
        log::debug!("compressed {}: {before} to {after} octets", common::SafeText(&self.path));
        let representation = Representation { size: after, ..original.compressed() };
        let document = Arc::new(CachedFile { representation, fields: Vec::new(), body, identity });
        let is_smaller = after < before;
        // One that changed a moment ago may change again without a trace, so this result is for this request alone.
        if is_settled(identity, now) {
            self.compressor.keep(&self.path, identity, is_smaller.then(|| Arc::clone(&document)));
        }
        (is_smaller || !self.may_be_original).then_some(document)
    }
}

/// The same octets for the same text, whenever and wherever: no time and no name in it.
fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 3), Level::default());
    encoder.write_all(text)?;
    let mut body = encoder.finish()?;
    body.shrink_to_fit();
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::routing::Site;
    use std::io::Read;

    fn identity() -> Identity {
        version(0)
    }

    fn version(size: u64) -> Identity {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        Identity::of(&file).unwrap()
    }

    fn document(length: usize, identity: Identity) -> Arc<CachedFile> {
        let representation = Site::default().representation(b"a.txt", None, length as u64, b"\"x\"".to_vec(), None);
        Arc::new(CachedFile { representation, fields: Vec::new(), body: vec![0; length], identity })
    }

    fn is_ready(compressor: &Arc<Compressor>, path: &str, identity: Identity) -> bool {
        matches!(compressor.look(path.as_bytes(), identity, true), CompressedState::Ready(_))
    }

    #[test]
    fn what_is_compressed_is_text_of_a_reasonable_size() {
        let is_worth = |path: &str, size| {
            is_worth(&Site::default().representation(path.as_bytes(), None, size, b"\"x\"".to_vec(), None))
        };
        for name in ["a.html", "a.css", "a.js", "a.mjs", "a.json", "a.svg", "a.wasm", "a.txt", "a.xml", "a.webmanifest"]
        {
            assert!(is_worth(name, 5000), "{name}");
        }
        for name in ["a.png", "a.jpg", "a.woff2", "a.zip", "a.gz", "a.mp4", "a", "a.pdf"] {
            assert!(!is_worth(name, 5000), "{name}");
        }
        assert!(!is_worth("a.txt", MIN_SIZE - 1) && is_worth("a.txt", MIN_SIZE));
        assert!(is_worth("a.txt", MAX_SIZE) && !is_worth("a.txt", MAX_SIZE + 1));
    }

    #[test]
    fn the_same_text_becomes_the_same_octets() {
        let text = b"some text, some text, some text ".repeat(100);
        let (first, second) = (gzip(&text).unwrap(), gzip(&text).unwrap());
        assert_eq!(first, second);
        assert_eq!(first[4..8], [0; 4], "no time");
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(first.as_slice()).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn one_makes_it_and_others_get_the_original_or_wait() {
        let (compressor, identity) = (Compressor::new(1 << 20), identity());
        let CompressedState::Permit(permit) = compressor.look(b"a", identity, true) else {
            panic!("nobody else is at it")
        };
        assert!(matches!(compressor.look(b"a", identity, true), CompressedState::Original));
        assert!(matches!(compressor.look(b"a", identity, false), CompressedState::Wait));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| compressor.wait(b"a", identity));
            compressor.keep(b"a", identity, Some(document(10, identity)));
            drop(permit);
            assert!(waiting.join().unwrap().is_ok());
        });
    }

    #[test]
    fn not_more_than_a_few_are_compressed_at_once() {
        let (compressor, identity) = (Compressor::new(1 << 20), identity());
        let look = |number: usize| compressor.look(number.to_string().as_bytes(), identity, true);
        let turns: Vec<CompressedState> = (0..AT_ONCE).map(look).collect();
        assert!(turns.iter().all(|known| matches!(known, CompressedState::Permit(_))));
        assert!(matches!(look(AT_ONCE), CompressedState::Original));
        drop(turns);
        assert!(matches!(look(AT_ONCE), CompressedState::Permit(_)));
    }

    #[test]
    fn another_version_is_not_what_was_compressed() {
        let compressor = Compressor::new(1 << 20);
        let (old, new) = (version(1), version(2));
        compressor.keep(b"a", old, Some(document(10, old)));
        assert!(is_ready(&compressor, "a", old));
        assert!(!is_ready(&compressor, "a", new));
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_remembered_as_not_worth_it() {
        let (compressor, identity) = (Compressor::new(40_000), identity());
        for number in 0..100 {
            compressor.keep(number.to_string().as_bytes(), identity, Some(document(9_000, identity)));
            let kept = compressor.lock();
            let weight: usize = kept.slots.iter().map(|(path, slot)| slot.weight(path)).sum();
            assert!(kept.weight == weight && weight <= 40_000 && kept.order.len() == kept.slots.len());
        }
        assert!(is_ready(&compressor, "99", identity) && !is_ready(&compressor, "0", identity));
        compressor.keep(b"huge", identity, Some(document(50_000, identity)));
        assert!(matches!(compressor.look(b"huge", identity, true), CompressedState::Original));
        compressor.keep(b"huge", identity, Some(document(20_000, identity)));
        assert!(is_ready(&compressor, "huge", identity), "a slot is replaced by the next version");
    }
}
