//! How far a run with many messages is: a line on a terminal, with the rate and the time that is left.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Fewer messages are gone before anybody could look.
const WORTH_A_LINE: usize = 20;

/// The line on standard error.
#[derive(Debug)]
pub(super) struct RunProgress {
    bar: ProgressBar,
    /// Whether what is printed goes to the same terminal.
    shared: bool,
}

impl RunProgress {
    /// For so many messages; `None` when they are few or nobody looks.
    pub(super) fn new(messages: usize) -> Option<Self> {
        if messages < WORTH_A_LINE || !io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(Some(messages as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} messages {rate} {eta} left");
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // Nowhere to write it to is no trouble.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style.with_key("rate", rate)));
        Some(Self { bar, shared: io::stdout().is_terminal() })
    }

    /// Lets something be printed without damage to the line.
    pub(super) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        if self.shared { self.bar.suspend(print) } else { print() }
    }

    /// One more message has come to its end.
    pub(super) fn step(&self) {
        self.bar.inc(1);
    }
}

impl Drop for RunProgress {
    /// Leaves a clean line.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
