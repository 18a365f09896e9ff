//! The digest (SHA-256) of messages and envelopes: equal only if they are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use common::Error;

use crate::errors;

/// Bytes read at once.
const BLOCK: usize = 64 * 1024;

/// A digest of parts; their boundaries count.
pub(crate) struct Digest(Context);

impl Digest {
    /// The digest of messages of this kind.
    pub(crate) fn new(kind: &str) -> Self {
        let mut digest = Self(Context::new(&SHA256));
        digest.words(kind.as_bytes());
        digest
    }

    /// Adds bytes with their length.
    pub(crate) fn words(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn file(&mut self, path: &Path) -> Result<(), Error> {
        self.content(path).map_err(|error| errors::unreadable(path.display(), error))
    }

    fn content(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        self.words(&file.metadata()?.len().to_le_bytes());
        self.stream(file)
    }

    pub(crate) fn stream(&mut self, mut stream: impl Read) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        loop {
            match stream.read(&mut block)? {
                0 => return Ok(()),
                length => self.0.update(&block[..length]),
            }
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }
}
