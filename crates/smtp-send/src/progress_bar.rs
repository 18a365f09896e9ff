//! A progress bar on standard error: a bar, the amount done, the rate and the time left, drawn ten times a second.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use terminal_size::{Width, terminal_size};

/// Shortest time between two drawings.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
/// Cells of the bar on a wide terminal.
const MAX_BAR_WIDTH: usize = 40;
/// Returns to the start of the line and clears it (ECMA-48).
const CLEAR_LINE: &str = "\r\x1b[K";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown in MiB.
    Bytes,
    /// Messages.
    Messages,
}

/// A bar; dropping it clears its line.
#[derive(Debug)]
pub struct ProgressBar {
    unit: Unit,
    total: u64,
    done: u64,
    start: Instant,
    drawn: Option<Instant>,
}

impl ProgressBar {
    /// A bar for `total` units; `None` when standard error is not a terminal.
    pub fn new(unit: Unit, total: u64) -> Option<Self> {
        let bar = || Self { unit, total, done: 0, start: Instant::now(), drawn: None };
        io::stderr().is_terminal().then(bar)
    }

    /// Replaces the total.
    pub fn set_total(&mut self, total: u64) {
        self.total = total;
    }

    /// Counts `amount` more units as done.
    pub fn add(&mut self, amount: u64) {
        self.done += amount;
        let now = Instant::now();
        if self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= REDRAW_INTERVAL) {
            self.drawn = Some(now);
            let width = terminal_size().map_or(80, |(Width(width), _)| usize::from(width));
            // A terminal that cannot be written to changes nothing about what was sent.
            let _ = write!(io::stderr(), "{CLEAR_LINE}{}", self.line(now.duration_since(self.start), width));
        }
    }

    /// Clears the line, so that text can be printed in its place; the next [`Self::add`] draws the bar again.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "{CLEAR_LINE}");
        }
    }

    /// The line, at most `width` columns wide.
    fn line(&self, elapsed: Duration, width: usize) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let (done, total) = (self.done as f64, self.total.max(self.done).max(1) as f64);
        let rate = done / seconds;
        let left = if rate > 0.0 { (total - done) / rate } else { 0.0 };
        let numbers = match self.unit {
            Unit::Bytes => format!("{:.1}/{:.1} MiB {:.1} MiB/s", mib(done), mib(total), mib(rate)),
            Unit::Messages => format!("{done:.0}/{total:.0} messages {rate:.0}/s"),
        };
        let text = format!("{:3.0}% {numbers} {left:.0} s left", done / total * 100.0);
        let cells = width.saturating_sub(text.len() + 4).min(MAX_BAR_WIDTH);
        let bar: String =
            (0..cells).map(|cell| if (cell as f64) < done / total * cells as f64 { '#' } else { '-' }).collect();
        let line = format!("[{bar}] {text}");
        line.chars().take(width.saturating_sub(1)).collect()
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(unit: Unit, done: u64, total: u64) -> ProgressBar {
        ProgressBar { unit, total, done, start: Instant::now(), drawn: None }
    }

    #[test]
    fn the_line_shows_share_amount_rate_and_time_left() {
        let line = bar(Unit::Bytes, 5 << 20, 10 << 20).line(Duration::from_secs(5), 60);
        assert_eq!(line, "[##########----------]  50% 5.0/10.0 MiB 1.0 MiB/s 5 s left");
        let line = bar(Unit::Messages, 30, 40).line(Duration::from_secs(1), 48);
        assert_eq!(line, "[#########--]  75% 30/40 messages 30/s 0 s left");
    }

    #[test]
    fn the_line_fits_the_terminal_whatever_the_numbers() {
        for (done, total, width) in [(0, 0, 80), (9, 5, 80), (1, 2, 10), (1, 2, 0), (u64::MAX, u64::MAX, 40)] {
            assert!(bar(Unit::Bytes, done, total).line(Duration::ZERO, width).len() < width.max(1), "{width}");
        }
    }
}
