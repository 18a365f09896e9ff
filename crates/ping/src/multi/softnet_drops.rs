//! Packets dropped by this host between device and socket, because the backlog of a processor was full.
//!
//! `/proc/net/softnet_stat` counts them per processor, not per socket or namespace; a drop of an unrelated packet only
//! causes one probe to be sent again.

use std::fs::File;
use std::io::{Read, Seek};

/// The counters, opened while files can be.
#[derive(Debug)]
pub(crate) struct SoftnetDrops {
    file: File,
    seen: u64,
}

impl SoftnetDrops {
    /// Opens the counters; `None` where there are none.
    pub(crate) fn open() -> Option<Self> {
        let mut softnet_drops = Self { file: File::open("/proc/net/softnet_stat").ok()?, seen: 0 };
        softnet_drops.has_dropped();
        Some(softnet_drops)
    }

    /// Whether packets were thrown away since the last call.
    pub(crate) fn has_dropped(&mut self) -> bool {
        let mut text = String::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_string(&mut text));
        let count = total(&text);
        let grown = read.is_ok() && count != self.seen;
        self.seen = count;
        grown
    }
}

/// The sum of the second columns: a line is a processor, a column a hexadecimal number.
fn total(text: &str) -> u64 {
    let column = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().filter_map(column).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_columns_are_added_up() {
        assert_eq!(total("027f8f00 0000000a 00000000\n020b871d 00000010 00000000\n"), 26);
        assert_eq!(total("nonsense\n"), 0);
    }
}
