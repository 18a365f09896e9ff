//! Text compressed for the response (gzip, RFC 1952): once per version of a file, kept in bounded memory.
//!
//! All workers share one [`Compressor`]. Compressed text is used only for the version of the file it was made from, which
//! the worker has just checked, so it is never stale. While one request compresses a file, others get the original;
//! only a client that refuses the original waits. Compression runs on a thread of the blocking pool.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression as Level;
use flate2::write::GzEncoder;

use crate::content::cache::{CachedFile, is_settled, read_version};
use crate::content::lookup::OpenFile;
use crate::content::representation::Representation;
use crate::content::second_chance::SecondChanceCache;
use crate::file_version::FileVersion;

/// Smallest file to compress; a smaller one fits in one or two packets.
pub const MIN_SIZE: u64 = 1024;
/// Largest file to compress: about a tenth of a second of work, and as much memory as its size.
pub const MAX_SIZE: u64 = 8 << 20;
/// Compressions at a time: each holds up to twice [`MAX_SIZE`], and more than the cores would not be faster.
const MAX_CONCURRENT: usize = 4;

/// Whether a file is worth compressing: text of a reasonable size that is not compressed.
pub fn is_worth(original: &Representation) -> bool {
    original.coding.is_none() && (MIN_SIZE..=MAX_SIZE).contains(&original.size) && is_text(&original.content_type)
}

/// Whether content of this media type shrinks.
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

/// The state of the compressed form of one version of a file.
pub(crate) enum CompressedState {
    /// It is in the cache.
    Ready(Arc<CachedFile>),
    /// The original is to be sent: the compressed form is not smaller, or another request is making it.
    Original,
    /// The caller has the permit to make it.
    Permit(CompressionPermit),
    /// Another request is making it, and the caller refuses the original.
    Wait,
}

/// The memory of one worker for small files, and the compressor that all workers share.
#[derive(Debug, Clone)]
pub struct CacheBudget {
    /// Bytes for small files.
    pub small_files: usize,
    /// The compressor, if text is compressed.
    pub compressor: Option<Arc<Compressor>>,
}

impl CacheBudget {
    /// Splits `total` bytes among the workers; compressed text gets a quarter. Without memory nothing is compressed,
    /// because every request would compress again.
    pub fn split(total: usize, workers: usize, compress: bool) -> Self {
        let for_compressed = if compress { total / 4 } else { 0 };
        let compressor = (for_compressed > 0).then(|| Compressor::new(for_compressed));
        Self { small_files: (total - for_compressed) / workers.max(1), compressor }
    }
}

/// Compresses files and keeps the results.
#[derive(Debug)]
pub struct Compressor {
    limit: usize,
    state: Mutex<CompressedCache>,
    permit_released: Condvar,
}

#[derive(Debug)]
struct CompressedCache {
    files: SecondChanceCache<CompressedFile>,
    /// Paths that are being compressed.
    busy: HashSet<Vec<u8>>,
}

#[derive(Debug)]
struct CompressedFile {
    version: FileVersion,
    /// `None`: not smaller than the original.
    file: Option<Arc<CachedFile>>,
}

impl CompressedFile {
    fn weight(&self, path: &[u8]) -> usize {
        let body = self.file.as_ref().map_or(0, |file| file.body.len() + size_of::<CachedFile>());
        body + 2 * path.len() + size_of::<Self>()
    }
}

/// The permit to compress one file; released on drop.
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
    /// A compressor that keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        let state = CompressedCache { files: SecondChanceCache::new(1, limit), busy: HashSet::new() };
        Arc::new(Self { limit, state: Mutex::new(state), permit_released: Condvar::new() })
    }

    /// Looks up the compressed form of this version of the file at `path`; never waits.
    pub(crate) fn look(self: &Arc<Self>, path: &[u8], version: FileVersion, may_be_original: bool) -> CompressedState {
        let mut state = self.lock();
        match state.files.get_mut(0, path) {
            Some(slot) if slot.value.version == version && (slot.value.file.is_some() || may_be_original) => {
                slot.is_used = true;
                let file = slot.value.file.as_ref();
                file.map_or(CompressedState::Original, |file| CompressedState::Ready(Arc::clone(file)))
            }
            _ => match self.take_permit(&mut state, path) {
                Some(permit) => CompressedState::Permit(permit),
                None if may_be_original => CompressedState::Original,
                None => CompressedState::Wait,
            },
        }
    }

    /// Waits for the result of another request, or for a permit.
    fn wait(self: &Arc<Self>, path: &[u8], version: FileVersion) -> Result<Arc<CachedFile>, CompressionPermit> {
        let mut state = self.lock();
        loop {
            let slot = state.files.get_mut(0, path).filter(|slot| slot.value.version == version);
            if let Some(file) = slot.and_then(|slot| slot.value.file.as_ref()) {
                return Ok(Arc::clone(file));
            }
            if let Some(permit) = self.take_permit(&mut state, path) {
                return Err(permit);
            }
            state = self.permit_released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take_permit(self: &Arc<Self>, state: &mut CompressedCache, path: &[u8]) -> Option<CompressionPermit> {
        if state.busy.len() >= MAX_CONCURRENT || !state.busy.insert(path.to_vec()) {
            return None;
        }
        Some(CompressionPermit { compressor: Arc::clone(self), path: path.to_vec() })
    }

    fn keep(&self, path: &[u8], version: FileVersion, file: Option<Arc<CachedFile>>) {
        let mut compressed = CompressedFile { version, file };
        if compressed.weight(path) > self.limit {
            // Kept as not worth compressing; otherwise every request would compress it.
            compressed.file = None;
        }
        let weight = compressed.weight(path);
        self.lock().files.insert(0, path, compressed, weight);
    }

    fn lock(&self) -> MutexGuard<'_, CompressedCache> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file to be compressed on a thread of the blocking pool.
#[derive(Debug)]
pub struct Compression {
    pub(crate) compressor: Arc<Compressor>,
    /// The permit to compress; without it, the result of another request is awaited.
    pub(crate) permit: Option<CompressionPermit>,
    /// Whether the client accepts the original.
    pub(crate) may_be_original: bool,
    pub(crate) path: Vec<u8>,
    pub(crate) original: OpenFile,
}

impl Compression {
    /// Compresses. Returns the original if it is not larger and acceptable, or if it changed meanwhile.
    pub(crate) fn run(mut self) -> OpenFile {
        let compressed = match self.permit.take() {
            Some(permit) => self.compress(permit),
            None => match self.compressor.wait(&self.path, self.original.version()) {
                Ok(file) => Some(file),
                Err(permit) => self.compress(permit),
            },
        };
        compressed.map_or(self.original, OpenFile::Cached)
    }

    /// The compressed file; `None` if it is not smaller and the original is acceptable. The permit ends after the result
    /// is in the cache.
    fn compress(&self, _permit: CompressionPermit) -> Option<Arc<CachedFile>> {
        let version = self.original.version();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let body = match &self.original {
            OpenFile::Cached(file) => gzip(&file.body),
            OpenFile::Disk(file, ..) => read_version(file, version).and_then(|text| match text {
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
        log::debug!("compressed {}: {before} to {after} bytes", common::SafeText(&self.path));
        let representation = Representation { size: after, ..original.compressed() };
        let file = Arc::new(CachedFile { representation, fields: Vec::new(), body, version });
        let is_smaller = after < before;
        // A file that changed a moment ago may change again without a new time stamp; its result is not kept.
        if is_settled(version, now) {
            self.compressor.keep(&self.path, version, is_smaller.then(|| Arc::clone(&file)));
        }
        (is_smaller || !self.may_be_original).then_some(file)
    }
}

/// Compresses reproducibly: without time and name in the header.
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

    fn version(size: u64) -> FileVersion {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        FileVersion::of(&file).unwrap()
    }

    fn cached_file(length: usize, version: FileVersion) -> Arc<CachedFile> {
        let representation = Site::default().representation(b"a.txt", None, length as u64, b"\"x\"".to_vec(), None);
        Arc::new(CachedFile { representation, fields: Vec::new(), body: vec![0; length], version })
    }

    fn is_ready(compressor: &Arc<Compressor>, path: &str, version: FileVersion) -> bool {
        matches!(compressor.look(path.as_bytes(), version, true), CompressedState::Ready(_))
    }

    #[test]
    fn only_text_of_a_reasonable_size_is_compressed() {
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
    fn the_same_text_is_compressed_to_the_same_bytes() {
        let text = b"some text, some text, some text ".repeat(100);
        let (first, second) = (gzip(&text).unwrap(), gzip(&text).unwrap());
        assert_eq!(first, second);
        assert_eq!(first[4..8], [0; 4], "no time");
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(first.as_slice()).read_to_end(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn one_request_compresses_and_others_get_the_original_or_wait() {
        let (compressor, version) = (Compressor::new(1 << 20), version(0));
        let CompressedState::Permit(permit) = compressor.look(b"a", version, true) else {
            panic!("no other request compresses it")
        };
        assert!(matches!(compressor.look(b"a", version, true), CompressedState::Original));
        assert!(matches!(compressor.look(b"a", version, false), CompressedState::Wait));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| compressor.wait(b"a", version));
            compressor.keep(b"a", version, Some(cached_file(10, version)));
            drop(permit);
            assert!(waiting.join().unwrap().is_ok());
        });
    }

    #[test]
    fn only_a_few_files_are_compressed_at_a_time() {
        let (compressor, version) = (Compressor::new(1 << 20), version(0));
        let look = |number: usize| compressor.look(number.to_string().as_bytes(), version, true);
        let turns: Vec<CompressedState> = (0..MAX_CONCURRENT).map(look).collect();
        assert!(turns.iter().all(|known| matches!(known, CompressedState::Permit(_))));
        assert!(matches!(look(MAX_CONCURRENT), CompressedState::Original));
        drop(turns);
        assert!(matches!(look(MAX_CONCURRENT), CompressedState::Permit(_)));
    }

    #[test]
    fn a_compressed_file_is_used_for_its_version_only() {
        let compressor = Compressor::new(1 << 20);
        let (old, new) = (version(1), version(2));
        compressor.keep(b"a", old, Some(cached_file(10, old)));
        assert!(is_ready(&compressor, "a", old));
        assert!(!is_ready(&compressor, "a", new));
    }

    #[test]
    fn memory_is_bounded_and_a_file_that_does_not_fit_is_kept_as_not_worth_compressing() {
        let (compressor, version) = (Compressor::new(40_000), version(0));
        for number in 0..100 {
            compressor.keep(number.to_string().as_bytes(), version, Some(cached_file(9_000, version)));
            assert!(compressor.lock().files.weight() <= 40_000);
        }
        assert!(is_ready(&compressor, "99", version) && !is_ready(&compressor, "0", version));
        compressor.keep(b"huge", version, Some(cached_file(50_000, version)));
        assert!(matches!(compressor.look(b"huge", version, true), CompressedState::Original));
        compressor.keep(b"huge", version, Some(cached_file(20_000, version)));
        assert!(is_ready(&compressor, "huge", version), "a slot is replaced by the next version");
    }
}
