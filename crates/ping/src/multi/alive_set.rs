//! The set of targets that have answered, one bit each; written by the receiver, read by the sender.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// One bit per target.
#[derive(Debug)]
pub(crate) struct AliveSet {
    words: Box<[AtomicU64]>,
    count: AtomicU32,
}

impl AliveSet {
    /// An empty set for `targets` targets.
    pub(crate) fn new(targets: u32) -> Self {
        let words = (0..targets.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { words, count: AtomicU32::new(0) }
    }

    /// Adds target `index`.
    pub(crate) fn insert(&self, index: u32) {
        let bit = 1 << (index % 64);
        if self.words[(index / 64) as usize].fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether target `index` has answered.
    pub(crate) fn contains(&self, index: u32) -> bool {
        self.words[(index / 64) as usize].load(Ordering::Relaxed) >> (index % 64) & 1 == 1
    }

    /// Number of targets that have answered.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_counted_once() {
        let alive = AliveSet::new(130);
        for index in [0, 63, 64, 129, 64] {
            alive.insert(index);
        }
        assert_eq!(alive.count(), 4);
        assert!(alive.contains(129) && !alive.contains(128));
    }
}
