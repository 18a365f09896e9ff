//! The table of many targets: redrawn on a terminal during the run, printed at its end.
//!
//! While it is redrawn, only the rows that fit are shown. The final table of a long run lists only targets that
//! answered.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use terminal_size::{Height, Width, terminal_size};

use super::describe;
use crate::multi::tracker::ProbeTracker;

/// Number of targets up to which the final table lists all.
const SHORT_RUN: u32 = 256;
/// Nanoseconds between two redraws.
const FRAME: u64 = 250_000_000;
/// Maximum width of the target column; longer names shift the other columns.
const MAX_WIDTH: usize = 40;
/// Terminal lines kept free: table head, the line below and the cursor.
const RESERVED: usize = 3;

/// A table on a terminal.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Number of lines on the screen.
    lines: usize,
    next: u64,
}

impl Live {
    /// The text of the next redraw; `None` when it is not due.
    pub(crate) fn redraw(&mut self, tracker: &ProbeTracker<'_>, now: u64) -> Option<String> {
        if now < self.next {
            return None;
        }
        self.next = now + FRAME;
        let (width, height) = terminal_size().map_or((80, 24), |(Width(width), Height(height))| (width, height));
        let room = usize::from(height).saturating_sub(RESERVED).max(1);
        let rows = u32::try_from(room).unwrap_or(u32::MAX).min(tracker.targets.count());
        let mut table = String::new();
        write_rows(&mut table, tracker, 0..rows);
        if rows < tracker.targets.count() {
            let _ = writeln!(table, "and {} more", tracker.targets.count() - rows);
        }
        let mut text = self.clear();
        for line in table.lines() {
            // A wrapped line would break the cursor movement.
            text.extend(line.chars().take(usize::from(width).saturating_sub(1)));
            text.push('\n');
            self.lines += 1;
        }
        Some(text)
    }

    /// The escape sequence that erases the table.
    pub(crate) fn clear(&mut self) -> String {
        let up = std::mem::take(&mut self.lines);
        // Back to the first column as well: the terminal may have echoed a key.
        if up == 0 { String::new() } else { format!("\r\x1b[{up}A\x1b[J") }
    }
}

/// Appends the final table; with `all` no target is left out.
pub(crate) fn write_final(text: &mut String, tracker: &ProbeTracker<'_>, all: bool) {
    let count = tracker.targets.count();
    if all || count <= SHORT_RUN {
        write_rows(text, tracker, 0..count);
        return;
    }
    let silent = (0..count).filter(|index| !tracker.stats(*index).is_alive()).count();
    if silent < count as usize {
        write_rows(text, tracker, (0..count).filter(|index| tracker.stats(*index).is_alive()));
    }
    if silent > 0 {
        let _ = writeln!(text, "{silent} targets without an answer are not listed (-v lists them)");
    }
}

fn write_rows(text: &mut String, tracker: &ProbeTracker<'_>, rows: impl Iterator<Item = u32> + Clone) {
    let width = rows.clone().take(SHORT_RUN as usize).map(|index| tracker.targets.shown(index).len()).max();
    let width = width.unwrap_or(0).clamp("target".len(), MAX_WIDTH);
    let head = ["sent", "recv", "loss", "min ms", "avg ms", "max ms"];
    let _ = write!(text, "{:width$}", "target");
    for (title, wide) in head.iter().zip([6, 6, 5, 9, 9, 9]) {
        let _ = write!(text, " {title:>wide$}");
    }
    text.push('\n');
    for index in rows {
        write_row(text, tracker, index, width);
    }
}

fn write_row(text: &mut String, tracker: &ProbeTracker<'_>, index: u32, width: usize) {
    let stats = tracker.stats(index);
    let missing = u64::from(stats.sent.saturating_sub(stats.received));
    let loss = (missing * 100).checked_div(stats.sent.into()).map_or("-".to_owned(), |loss| format!("{loss}%"));
    let _ = write!(text, "{:width$} {:>6} {:>6} {loss:>5}", tracker.targets.shown(index), stats.sent, stats.received);
    let times = stats.times().map(|times| [times.minimum, times.average, times.maximum]);
    for place in 0..3 {
        let time: Cow<'_, str> = times.map_or("-".into(), |times| milliseconds(times[place]).into());
        let _ = write!(text, " {time:>9}");
    }
    if stats.error != (0, 0) {
        let (kind, code) = stats.error;
        let _ = write!(text, "  {}", describe(tracker.targets.address(index).0, kind, code, 0));
    }
    text.push('\n');
}

/// Milliseconds with three decimals, truncated.
fn milliseconds(time: Duration) -> String {
    let microseconds = time.as_micros();
    format!("{}.{:03}", microseconds / 1_000, microseconds % 1_000)
}
