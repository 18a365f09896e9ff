//! How many bytes of a message have left, counted for the report and shown as a bar while a large one is sent.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Smaller messages are gone before anybody could look.
const WORTH_A_BAR: u64 = 4 << 20;

/// The bytes of one message.
#[derive(Debug, Default)]
pub struct UploadProgress {
    bytes: u64,
    bar: Option<ProgressBar>,
}

impl UploadProgress {
    /// A meter for a message of `size` bytes; it has a bar when the message is large, that is `wanted`, and standard error
    /// is a terminal.
    pub fn new(size: u64, wanted: bool) -> Self {
        let bar = (wanted && size >= WORTH_A_BAR && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("{wide_bar} {percent}% {bytes}/{total_bytes} {bytes_per_sec} {eta}");
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        Self { bytes: 0, bar }
    }

    /// Another form of the message than was thought is sent, of this size.
    pub fn expect(&mut self, size: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(size);
        }
    }

    /// So many more bytes have left.
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(bar) = &self.bar {
            bar.inc(bytes as u64);
        }
    }

    /// All bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for UploadProgress {
    /// Leaves a clean line, whatever became of the message.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
