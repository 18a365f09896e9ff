//! Histogram of round-trip times, for the summary of a graph.

use std::time::Duration;

use super::numbers::Milliseconds;
use super::put;

/// Number of groups, one line each.
pub(super) const GROUPS: usize = 10;
/// Block characters of one to eight eighths of a character.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// One line per group, with a bar of at most `width` characters.
pub(super) fn lines(groups: &[(Duration, u64)], width: usize) -> String {
    let mut text = String::new();
    let most = groups.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let digits = most.to_string().len();
    for (edge, count) in groups {
        let edge = Milliseconds(*edge).to_string();
        put(&mut text, format_args!("{edge:>10} ms {count:>digits$} {}\n", bar(*count, most, width)));
    }
    text
}

/// A bar with `width` characters for `most`; the smallest count is still visible.
fn bar(count: u64, most: u64, width: usize) -> String {
    let eighths = u128::from(count) * (width as u128) * 8 / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(count > 0));
    let mut bar = EIGHTHS[7].to_string().repeat(eighths / 8);
    bar.extend(eighths.checked_rem(8).and_then(|rest| EIGHTHS.get(rest.checked_sub(1)?)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share_and_never_vanish() {
        assert_eq!(bar(4, 4, 3), "███");
        assert_eq!(bar(2, 4, 3), "█▌");
        assert_eq!(bar(1, 1_000_000, 3), "▏");
        assert_eq!(bar(0, 4, 3), "");
    }

    #[test]
    fn each_group_has_its_longest_time_and_its_count() {
        let text = lines(&[(Duration::from_micros(1_500), 12), (Duration::from_millis(22), 3)], 8);
        assert_eq!(text, "     1.500 ms 12 ████████\n    22.000 ms  3 ██\n");
    }
}
