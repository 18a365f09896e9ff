//! Number formats of iputils.

use std::fmt;
use std::time::Duration;

/// Milliseconds with three decimals, truncated.
pub(super) struct Milliseconds(pub(super) Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        write!(f, "{}.{:03}", microseconds / 1_000, microseconds % 1_000)
    }
}

/// A round-trip time in milliseconds: three to no decimals depending on its size, or always three.
pub(super) struct Time(pub(super) Duration, pub(super) bool);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.as_micros();
        match time {
            _ if self.1 => Milliseconds(self.0).fmt(f),
            99_950.. => write!(f, "{}", (time + 500) / 1_000),
            9_995.. => write!(f, "{}.{}", (time + 50) / 1_000, (time + 50) % 1_000 / 100),
            1_000.. => write!(f, "{}.{:02}", (time + 5) / 1_000, (time + 5) % 1_000 / 10),
            _ => Milliseconds(self.0).fmt(f),
        }
    }
}

/// A percentage like `%g` of C: six significant digits without trailing zeros.
pub(super) struct SixDigits(pub(super) f64);

impl fmt::Display for SixDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 {
            return f.write_str("0");
        }
        let scientific = format!("{:.5e}", self.0);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let trim = |text: &str| {
            let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
            text.to_owned()
        };
        if exponent < -4 {
            return write!(f, "{}e-{:02}", trim(mantissa), exponent.unsigned_abs());
        }
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        f.write_str(&trim(&format!("{:.decimals$}", self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_loses_decimals_as_it_grows() {
        let shown = |microseconds| Time(Duration::from_micros(microseconds), false).to_string();
        assert_eq!(shown(7), "0.007");
        assert_eq!(shown(999), "0.999");
        assert_eq!(shown(1_004), "1.00");
        assert_eq!(shown(9_994), "9.99");
        assert_eq!(shown(9_995), "10.0");
        assert_eq!(shown(99_949), "99.9");
        assert_eq!(shown(99_950), "100");
        assert_eq!(shown(1_234_567), "1235");
        assert_eq!(Time(Duration::from_micros(1_234_567), true).to_string(), "1234.567");
    }

    #[test]
    fn a_percentage_is_written_as_c_writes_it() {
        for (value, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (50.0, "50"),
            (100.0 / 3.0, "33.3333"),
            (200.0 / 3.0, "66.6667"),
            (0.5, "0.5"),
            (100.0 / 65_536.0, "0.00152588"),
            (100.0 / 10_000_000.0, "1e-05"),
        ] {
            assert_eq!(SixDigits(value).to_string(), text);
        }
    }
}
