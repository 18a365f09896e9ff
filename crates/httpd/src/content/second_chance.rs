//! A bounded cache with second-chance eviction: entries leave in the order they came unless they were used since the
//! last round.

use std::collections::{HashMap, VecDeque};

/// One cached value.
#[derive(Debug)]
pub(super) struct Slot<V> {
    pub(super) value: V,
    /// Whether the entry was used since the last round.
    pub(super) is_used: bool,
    weight: usize,
}

/// Entries by path, in several shards under one limit, so that a look-up needs no composed key.
#[derive(Debug)]
pub(super) struct SecondChanceCache<V> {
    shards: Vec<HashMap<Vec<u8>, Slot<V>>>,
    /// Every entry once, in the order of insertion.
    order: VecDeque<(usize, Vec<u8>)>,
    weight: usize,
    limit: usize,
}

impl<V> SecondChanceCache<V> {
    /// A cache of this many shards that holds at most `limit` bytes.
    pub(super) fn new(shards: usize, limit: usize) -> Self {
        let shards = std::iter::repeat_with(HashMap::new).take(shards).collect();
        Self { shards, order: VecDeque::new(), weight: 0, limit }
    }

    /// The entry of a path, without marking it as used.
    pub(super) fn get_mut(&mut self, shard: usize, path: &[u8]) -> Option<&mut Slot<V>> {
        self.shards.get_mut(shard)?.get_mut(path)
    }

    /// Inserts or replaces an entry of `weight` bytes and evicts others; an entry above the limit is not kept.
    pub(super) fn insert(&mut self, shard: usize, path: &[u8], value: V, weight: usize) {
        if weight > self.limit || shard >= self.shards.len() {
            return;
        }
        self.make_room(weight);
        self.weight += weight;
        match self.shards[shard].insert(path.to_vec(), Slot { value, is_used: false, weight }) {
            Some(replaced) => self.weight -= replaced.weight,
            None => self.order.push_back((shard, path.to_vec())),
        }
    }

    /// Bytes of all entries.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    fn make_room(&mut self, wanted: usize) {
        while self.weight + wanted > self.limit {
            let Some((shard, path)) = self.order.pop_front() else { return };
            match self.shards[shard].get_mut(&path) {
                Some(entry) if entry.is_used => {
                    entry.is_used = false;
                    self.order.push_back((shard, path));
                }
                _ => {
                    if let Some(evicted) = self.shards[shard].remove(&path) {
                        self.weight -= evicted.weight;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_stays_below_the_limit_and_used_entries_survive() {
        let mut cache = SecondChanceCache::new(2, 1000);
        for number in 0..100 {
            cache.insert(number % 2, number.to_string().as_bytes(), number, 90);
            cache.get_mut(0, b"0").unwrap().is_used = true;
            let entries: usize = cache.shards.iter().map(HashMap::len).sum();
            assert!(cache.weight() == entries * 90 && cache.weight() <= 1000 && cache.order.len() == entries);
        }
        assert!(cache.get_mut(1, b"1").is_none() && cache.get_mut(1, b"99").is_some());
    }

    #[test]
    fn an_entry_is_replaced_and_one_above_the_limit_is_not_kept() {
        let mut cache = SecondChanceCache::new(1, 100);
        cache.insert(0, b"a", 1, 60);
        cache.insert(0, b"a", 2, 30);
        assert_eq!((cache.get_mut(0, b"a").map(|entry| entry.value), cache.weight()), (Some(2), 30));
        cache.insert(0, b"b", 3, 101);
        assert!(cache.get_mut(0, b"b").is_none());
    }
}
