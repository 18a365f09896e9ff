//! Percentiles in bounded memory: exact at first, later within half a percent.
//!
//! Up to [`EXACT`] values are kept; then they are counted in buckets, 128 per doubling, 60 KiB at most.

/// Number of values kept one by one.
const EXACT: usize = 4_096;
/// Bits of a value kept by its bucket: the error of a percentile is at most half of 1/128.
const PRECISION: u32 = 7;

/// A set of values.
#[derive(Debug, Clone, Default)]
pub(super) struct Quantiles {
    exact: Vec<u64>,
    /// Empty while all values are in `exact`.
    buckets: Vec<u64>,
    count: u64,
}

impl Quantiles {
    /// Adds a value.
    pub(super) fn add(&mut self, value: u64) {
        self.count += 1;
        if self.buckets.is_empty() && self.exact.len() < EXACT {
            self.exact.push(value);
            return;
        }
        for earlier in std::mem::take(&mut self.exact) {
            self.count_in_bucket(earlier);
        }
        self.count_in_bucket(value);
    }

    /// The smallest value that at least `percent` of 100 values do not exceed; `None` without values.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        // The nearest rank, from 1.
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        if self.buckets.is_empty() {
            let mut sorted = self.exact.clone();
            sorted.sort_unstable();
            return sorted.get(usize::try_from(rank - 1).ok()?).copied();
        }
        let mut below = 0u128;
        self.buckets
            .iter()
            .position(|count| {
                below += u128::from(*count);
                below >= rank
            })
            .map(middle)
    }

    /// The values in `columns` groups of equal width on a logarithmic scale, as (upper edge, count), in ascending
    /// order.
    pub(super) fn groups(&self, columns: usize) -> Vec<(u64, u64)> {
        let values: Vec<(u64, u64)> = if self.buckets.is_empty() {
            self.exact.iter().map(|value| (*value, 1)).collect()
        } else {
            let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
            filled.map(|(index, count)| (middle(index), *count)).collect()
        };
        let Some(least) = values.iter().map(|(value, _)| *value).min() else { return Vec::new() };
        let most = values.iter().map(|(value, _)| *value).max().unwrap_or(least);
        let (low, high) = ((least.max(1) as f64).ln(), (most.max(1) as f64).ln());
        let step = ((high - low) / columns as f64).max(f64::MIN_POSITIVE);
        let mut groups: Vec<(u64, u64)> = Vec::with_capacity(columns);
        let mut edge = low;
        for column in 0..columns {
            edge += step;
            groups.push((if column + 1 == columns { most } else { to_u64(edge.exp()) }, 0));
        }
        for (value, count) in values {
            let end = groups.len() - 1;
            let index = groups.iter().position(|(edge, _)| value <= *edge).unwrap_or(end);
            if let Some(group) = groups.get_mut(index) {
                group.1 += count;
            }
        }
        groups
    }

    fn count_in_bucket(&mut self, value: u64) {
        let index = bucket(value);
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
    }
}

/// Values below 128 have a bucket each; above, each doubling has 128.
fn bucket(value: u64) -> usize {
    let doublings = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION + 1);
    let within = value >> doublings;
    usize::try_from((u64::from(doublings) << PRECISION) + within).unwrap_or(usize::MAX)
}

/// The middle of the values in a bucket.
fn middle(index: usize) -> u64 {
    let index = index as u64;
    let doublings = (index >> PRECISION).saturating_sub(1);
    let within = index - (doublings << PRECISION);
    let low = within << doublings;
    low + ((1u64 << doublings) - 1) / 2
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from f64 saturates")]
fn to_u64(value: f64) -> u64 {
    value.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Quantiles {
        let mut quantiles = Quantiles::default();
        values.into_iter().for_each(|value| quantiles.add(value));
        quantiles
    }

    #[test]
    fn few_values_give_exact_percentiles_by_nearest_rank() {
        let quantiles = of([50, 15, 40, 20, 35]);
        assert_eq!([5, 30, 40, 50, 100].map(|p| quantiles.percentile(p)), [15, 20, 20, 35, 50].map(Some));
        assert_eq!(of([7]).percentile(99), Some(7));
        assert_eq!(of([]).percentile(50), None);
    }

    #[test]
    fn many_values_give_percentiles_within_half_a_percent() {
        let quantiles = of((1..=100_000).map(|value| value * 1_000));
        for percent in [1, 50, 90, 99, 100] {
            let (right, reported) = (percent * 1_000_000, quantiles.percentile(percent).unwrap());
            assert!(reported.abs_diff(right) * 200 <= right, "p{percent}: {reported} instead of {right}");
        }
        assert!(quantiles.exact.is_empty());
    }

    #[test]
    fn every_value_lies_in_the_bucket_whose_middle_is_near() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) + (1u64 << shift) / 3, u64::MAX >> shift] {
                let near = middle(bucket(value));
                assert!(near.abs_diff(value) <= value / 256, "{value}: {near}");
            }
        }
        assert_eq!(middle(bucket(0)), 0);
    }

    #[test]
    fn groups_hold_every_value_once() {
        for quantiles in [of([5]), of([1, 10, 100, 1_000]), of(1..10_000)] {
            let groups = quantiles.groups(8);
            assert_eq!(groups.iter().map(|(_, count)| count).sum::<u64>(), quantiles.count);
            assert!(groups.is_sorted_by_key(|(edge, _)| *edge));
        }
        assert!(of([]).groups(8).is_empty());
    }
}
