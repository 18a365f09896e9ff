//! The bytes of a message that were sent, for its report, and a progress bar for a large one.

use crate::progress_bar::{ProgressBar, Unit};

/// Smallest message in bytes with a progress bar; smaller ones are sent at once.
const MIN_BAR_SIZE: u64 = 4 << 20;

/// Counts the bytes of one message.
#[derive(Debug, Default)]
pub struct UploadProgress {
    bytes: u64,
    bar: Option<ProgressBar>,
}

impl UploadProgress {
    /// A counter for a message of `size` bytes; with `has_bar` and a large message it shows a bar on a terminal.
    pub fn new(size: u64, has_bar: bool) -> Self {
        let bar = (has_bar && size >= MIN_BAR_SIZE).then(|| ProgressBar::new(Unit::Bytes, size));
        Self { bytes: 0, bar: bar.flatten() }
    }

    /// Sets the size of the form that is sent.
    pub fn set_size(&mut self, size: u64) {
        if let Some(bar) = &mut self.bar {
            bar.set_total(size);
        }
    }

    /// Counts `bytes` more bytes as sent.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(bar) = &mut self.bar {
            bar.add(bytes as u64);
        }
    }

    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
