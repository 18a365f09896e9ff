//! The time limit of a delivery (DELIVERBY, RFC 2852).

use std::fmt;

/// The maximum by-time in seconds: nine digits.
const LONGEST: u32 = 999_999_999;

/// The parameter BY of MAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    seconds: u32,
    gives_up: bool,
    trace: bool,
}

impl DeliverBy {
    /// Reads `SECONDS`, followed by `,notify` (a report when it is late, the default) or `,return` (it is returned when
    /// it is late), and by `,trace` (a report of every server that supports the extension).
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(',').map(str::trim);
        let seconds = words.next()?.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds))?;
        let (mut gives_up, mut trace) = (None, false);
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "notify" if gives_up.is_none() => gives_up = Some(false),
                "return" if gives_up.is_none() => gives_up = Some(true),
                "trace" if !trace => trace = true,
                _ => return None,
            }
        }
        Some(Self { seconds, gives_up: gives_up.unwrap_or(false), trace })
    }

    /// Whether a server with this minimum by-time accepts the value; the minimum applies to returned messages (section
    /// 2).
    pub fn is_under(self, least: u32) -> bool {
        self.gives_up && self.seconds < least
    }

    /// The by-time in seconds.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

/// The value of BY (section 4).
impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.gives_up { "R" } else { "N" };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn time_mode_and_trace_become_one_value() {
        let value = |text: &str| DeliverBy::parse(text).unwrap().to_string();
        assert_eq!(value("3600"), "3600;N");
        assert_eq!(value("120,return"), "120;R");
        assert_eq!(value("60, notify ,trace"), "60;NT");
        assert!(DeliverBy::parse("59,return").unwrap().is_under(60));
        assert!(!DeliverBy::parse("59").unwrap().is_under(60));
    }

    #[test]
    fn an_invalid_by_time_is_rejected() {
        for wrong in ["", "0", "-1", "1.5", "1000000000", "60;R", "60,now", "60,return,notify", "60,trace,trace", "60,"]
        {
            assert_eq!(DeliverBy::parse(wrong), None, "{wrong}");
        }
    }
}
