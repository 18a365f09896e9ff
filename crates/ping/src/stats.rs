//! Statistics of round-trip times: minimum, mean, maximum, deviation, moving average, percentiles.
//!
//! Integers only: nanoseconds, sums in u128, so that no reply can cause an overflow or a division by zero.

mod quantiles;

use std::time::Duration;

use quantiles::Quantiles;

/// Sums over the round-trip times.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    count: u64,
    minimum: u64,
    maximum: u64,
    sum: u128,
    sum_of_squares: u128,
    /// Eight times the moving average (RFC 6298, section 2).
    smoothed: u64,
    quantiles: Quantiles,
}

/// The values of the summary line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Shortest time.
    pub minimum: Duration,
    /// Mean.
    pub average: Duration,
    /// Longest time.
    pub maximum: Duration,
    /// Standard deviation of the population.
    pub deviation: Duration,
    /// Exponentially weighted moving average, weight 1/8.
    pub moving_average: Duration,
}

impl Stats {
    /// Adds a round-trip time; more than 584 years are cut to that.
    pub fn add(&mut self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.minimum = if self.count == 0 { time } else { self.minimum.min(time) };
        self.maximum = self.maximum.max(time);
        self.count += 1;
        self.sum = self.sum.saturating_add(u128::from(time));
        self.sum_of_squares = self.sum_of_squares.saturating_add(u128::from(time) * u128::from(time));
        self.quantiles.add(time);
        self.smoothed = match self.smoothed {
            0 => time.saturating_mul(8),
            smoothed => (smoothed - smoothed / 8).saturating_add(time),
        };
    }

    /// The moving average; `None` without a time.
    pub fn moving_average(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_nanos(self.smoothed / 8))
    }

    /// The nearest-rank percentile; `None` without a time.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let time = self.quantiles.percentile(percent)?;
        Some(Duration::from_nanos(time.clamp(self.minimum, self.maximum)))
    }

    /// The times in `columns` groups on a logarithmic scale, as (longest time, count); empty without a time.
    pub fn groups(&self, columns: usize) -> Vec<(Duration, u64)> {
        self.quantiles.groups(columns).into_iter().map(|(edge, count)| (Duration::from_nanos(edge), count)).collect()
    }

    /// The statistics so far; `None` without a time.
    pub fn figures(&self) -> Option<Figures> {
        let count = u128::from(self.count);
        let average = self.sum.checked_div(count)?;
        // Exact before the root; sums too large for that lose little by dividing first.
        let variance = match (count.checked_mul(self.sum_of_squares), self.sum.checked_mul(self.sum)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square) / (count * count),
            _ => (self.sum_of_squares / count).saturating_sub(average.saturating_mul(average)),
        };
        let deviation = variance.isqrt();
        Some(Figures {
            minimum: Duration::from_nanos(self.minimum),
            average: nanoseconds(average),
            maximum: Duration::from_nanos(self.maximum),
            deviation: nanoseconds(deviation),
            moving_average: Duration::from_nanos(self.smoothed / 8),
        })
    }
}

fn nanoseconds(value: u128) -> Duration {
    Duration::from_nanos(u64::try_from(value).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u64]) -> Figures {
        let mut stats = Stats::default();
        for time in times {
            stats.add(Duration::from_nanos(*time));
        }
        stats.figures().unwrap()
    }

    #[test]
    fn no_times_no_figures() {
        assert_eq!(Stats::default().figures(), None);
    }

    #[test]
    fn one_time_is_all_figures_and_deviates_by_nothing() {
        let time = Duration::from_nanos(1234);
        let all =
            Figures { minimum: time, average: time, maximum: time, deviation: Duration::ZERO, moving_average: time };
        assert_eq!(of(&[1234]), all);
    }

    #[test]
    fn the_deviation_is_that_of_the_population() {
        let figures = of(&[2000, 4000, 4000, 4000, 5000, 5000, 7000, 9000]);
        assert_eq!(figures.average, Duration::from_micros(5));
        assert_eq!(figures.deviation, Duration::from_micros(2));
        assert_eq!((figures.minimum, figures.maximum), (Duration::from_micros(2), Duration::from_micros(9)));
    }

    #[test]
    fn the_moving_average_takes_an_eighth_of_what_is_new() {
        assert_eq!(of(&[800, 1600]).moving_average, Duration::from_nanos(900));
    }

    #[test]
    fn a_million_days_do_not_overflow() {
        let day = 86_400_000_000_000;
        let mut stats = Stats::default();
        for _ in 0..1000 {
            stats.add(Duration::from_nanos(day));
        }
        let figures = stats.figures().unwrap();
        assert_eq!((figures.average, figures.deviation), (Duration::from_nanos(day), Duration::ZERO));
        stats.add(Duration::MAX);
        assert!(stats.figures().is_some_and(|figures| figures.maximum == Duration::from_nanos(u64::MAX)));
    }
}
