//! `--graph`: a live graph of the latest round-trip times, one column per probe, redrawn in place.
//!
//! Bars are times, red columns losses, yellow bars late replies. The summary adds a histogram.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Error, SafeText};

use super::histogram::{self, GROUPS};
use super::numbers::Milliseconds;
use super::text::summary;
use super::{Event, Report, ReportContext, put, write};
use crate::probe_state::{Integrity, ReplyClass};
use crate::single::scheduler::Scheduler;

/// Number of columns kept: more than the widest terminal shows.
const REMEMBERED: usize = 1_024;
/// Maximum height of the graph, without first and last line.
const MAX_HEIGHT: usize = 14;
const LOWEST: usize = 3;
/// Width of the scale on the left.
const SCALE: usize = 10;
/// Shortest time between two redraws.
const MIN_REDRAW: Duration = Duration::from_millis(50);
/// Block characters of one to eight eighths of a line.
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
/// Erases to the end of the line.
const ERASE: &str = "\x1b[K";

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Reply(Duration),
    Late(Duration),
    Lost,
}

/// Draws the graph.
pub(super) struct Graph<'a, W> {
    context: ReportContext<'a>,
    columns: VecDeque<Column>,
    /// The latest error message.
    last_message: String,
    /// Number of lines on the screen.
    drawn: usize,
    drawn_at: Option<Instant>,
    out: W,
}

impl<'a, W: Write> Graph<'a, W> {
    /// A graph on `out`, which is a terminal.
    pub(super) fn new(context: ReportContext<'a>, out: W) -> Self {
        Self { context, columns: VecDeque::new(), last_message: String::new(), drawn: 0, drawn_at: None, out }
    }

    fn push(&mut self, column: Column) {
        if self.columns.len() == REMEMBERED {
            self.columns.pop_front();
        }
        self.columns.push_back(column);
    }

    fn words(&mut self, words: &str) {
        words.clone_into(&mut self.last_message);
    }

    fn draw(&mut self, scheduler: &Scheduler) -> Result<(), Error> {
        let (width, height) = window();
        let columns: Vec<Column> = {
            let shown = width.saturating_sub(SCALE + 1).max(1);
            self.columns.iter().skip(self.columns.len().saturating_sub(shown)).copied().collect()
        };
        let mut text = String::new();
        if self.drawn > 0 {
            put(&mut text, format_args!("\x1b[{}A\r", self.drawn));
        }
        let headline = self.headline(scheduler);
        self.line(&mut text, BOLD, &cut(&headline, width));
        let lines = height.saturating_sub(4).clamp(LOWEST, MAX_HEIGHT);
        let most = columns.iter().filter_map(|column| column.time()).max().unwrap_or(Duration::from_millis(1));
        for line in (0..lines).rev() {
            let scale = match line {
                _ if line + 1 == lines => Milliseconds(most).to_string(),
                0 => "0 ms".to_owned(),
                _ => String::new(),
            };
            put(&mut text, format_args!("{scale:>SCALE$} "));
            self.row(&mut text, &columns, most, line, lines);
        }
        let foot = self.last_message.clone();
        self.line(&mut text, RED, &cut(&foot, width));
        // Erases the rest of a taller graph.
        text.push_str("\x1b[J");
        self.drawn = lines + 2;
        write(&mut self.out, text.as_bytes())
    }

    fn headline(&self, scheduler: &Scheduler) -> String {
        let counts = scheduler.counts();
        let missing = counts.transmitted.saturating_sub(counts.received);
        let loss = (missing * 100).checked_div(counts.transmitted).unwrap_or(0);
        let name = SafeText(self.context.target.name.as_bytes());
        let mut line = format!("{name} ");
        if !self.context.target.is_literal {
            put(&mut line, format_args!("({}) ", self.context.address.ip()));
        }
        match self.columns.back() {
            Some(Column::Reply(time) | Column::Late(time)) => {
                put(&mut line, format_args!(" {} ms", Milliseconds(*time)));
            }
            Some(Column::Lost) => line.push_str(" no answer"),
            None => {}
        }
        // The least important parts are cut off first.
        put(&mut line, format_args!("  {loss}% of {} lost", counts.transmitted));
        if let Some(figures) = scheduler.stats().figures() {
            let [minimum, average, maximum] = [figures.minimum, figures.average, figures.maximum].map(Milliseconds);
            put(&mut line, format_args!("  min/avg/max {minimum}/{average}/{maximum}"));
        }
        if let Some(time) = scheduler.stats().percentile(99) {
            put(&mut line, format_args!("  p99 {}", Milliseconds(time)));
        }
        line
    }

    fn row(&self, text: &mut String, columns: &[Column], most: Duration, line: usize, lines: usize) {
        let mut color = "";
        for column in columns {
            let (wanted, character) = match column {
                Column::Lost => (RED, '│'),
                Column::Reply(time) => (GREEN, part(*time, most, line, lines)),
                Column::Late(time) => (YELLOW, part(*time, most, line, lines)),
            };
            if self.context.is_colored && wanted != color {
                text.push_str(wanted);
                color = wanted;
            }
            text.push(character);
        }
        Self::end(text, !color.is_empty());
    }

    fn line(&self, text: &mut String, color: &str, words: &str) {
        if self.context.is_colored {
            text.push_str(color);
        }
        text.push_str(words);
        Self::end(text, self.context.is_colored);
    }

    fn end(text: &mut String, is_colored: bool) {
        if is_colored {
            text.push_str(PLAIN);
        }
        text.push_str(ERASE);
        text.push('\n');
    }
}

impl Column {
    fn time(self) -> Option<Duration> {
        match self {
            Self::Reply(time) | Self::Late(time) => Some(time),
            Self::Lost => None,
        }
    }
}

/// The character for `time` in `line` (from below) of `lines`, where `most` reaches the top.
fn part(time: Duration, most: Duration, line: usize, lines: usize) -> char {
    let whole = most.as_nanos().max(1);
    let eighths = time.as_nanos() * (lines as u128) * 8 / whole;
    // The shortest time is still visible.
    let eighths = usize::try_from(eighths).unwrap_or(usize::MAX).max(1);
    match eighths.saturating_sub(line * 8) {
        0 => ' ',
        filled => EIGHTHS[filled.min(8) - 1],
    }
}

/// The beginning of a message, as much as fits one line.
fn cut(words: &str, width: usize) -> String {
    words.chars().take(width.saturating_sub(1)).collect()
}

/// Columns and lines of the terminal.
fn window() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
}

impl<W: Write> Report for Graph<'_, W> {
    fn start(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Error> {
        match event {
            Event::Reply(answer, _) if answer.integrity == Integrity::Checksum => self.words("BAD CHECKSUM"),
            Event::Reply(answer, _) => match answer.class {
                ReplyClass::Reply => self.push(Column::Reply(answer.time)),
                ReplyClass::Late => {
                    self.push(Column::Late(answer.time));
                    self.words(&format!("late: icmp_seq={}", answer.sequence));
                }
                ReplyClass::Duplicate => self.words(&format!("duplicate: icmp_seq={}", answer.sequence)),
            },
            Event::Foreign(_, packet) => {
                let from = self.context.shown(packet.from);
                self.words(&format!("not a reply to us, from {from}"));
            }
            Event::Error { sequence, from, words, .. } => {
                let source = SocketAddr::new(self.context.source, 0);
                let from = self.context.shown(from.unwrap_or(source));
                self.push(Column::Lost);
                self.words(&format!("icmp_seq={sequence}: {words}, from {from}"));
            }
            Event::NoAnswer(sequence) => {
                self.push(Column::Lost);
                self.words(&format!("no answer for icmp_seq={sequence}"));
            }
            Event::Refused { errno, mtu, .. } => {
                self.push(Column::Lost);
                self.words(&format!("local error: {}", super::refusal(*errno, *mtu)));
            }
            Event::NotSent { cause, .. } => {
                self.push(Column::Lost);
                self.words(&format!("not sent: {}", common::error::reason(cause)));
            }
            Event::Overflowed(datagrams) => self.words(&format!("{datagrams} datagrams dropped on this host")),
            Event::Redirect { words, .. } => self.words(words),
            Event::Resolved { address, source } => {
                (self.context.address, self.context.source) = (*address, *source);
                self.words(&format!("now {}", address.ip()));
            }
            Event::Sent => {}
        }
        Ok(())
    }

    fn rest(&mut self, scheduler: &Scheduler) -> Result<(), Error> {
        let now = Instant::now();
        if self.drawn_at.is_some_and(|before| now.saturating_duration_since(before) < MIN_REDRAW) {
            return Ok(());
        }
        self.drawn_at = Some(now);
        self.draw(scheduler)
    }

    fn summary(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Error> {
        self.draw(scheduler)?;
        let mut text = summary(&self.context, scheduler, now);
        let groups = scheduler.stats().groups(GROUPS);
        if groups.len() > 1 && groups.first().map(|(edge, _)| edge) != groups.last().map(|(edge, _)| edge) {
            text.push_str(&histogram::lines(&groups, window().0.saturating_sub(24).clamp(10, 60)));
        }
        write(&mut self.out, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(time: u64, most: u64) -> String {
        let [time, most] = [time, most].map(Duration::from_millis);
        (0..4).map(|line| part(time, most, line, 4)).collect()
    }

    #[test]
    fn a_bar_is_as_high_as_its_share_of_the_longest_time() {
        assert_eq!(bar(100, 100), "████");
        assert_eq!(bar(50, 100), "██  ");
        assert_eq!(bar(30, 100), "█▁  ");
        assert_eq!(bar(0, 100), "▁   ");
    }
}
