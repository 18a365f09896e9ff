//! Values of options that several programs have: durations, sizes, rates, ports. Each function is a clap value parser.

use std::time::Duration;

/// The longest duration an option may have: far below what an `Instant` can hold.
const MAX_DURATION: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Why a text is not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueError {
    /// The text does not begin with a number.
    Number,
    /// The unit of a duration is unknown.
    DurationUnit,
    /// The unit of a size is unknown.
    SizeUnit,
    /// The unit of a rate is unknown.
    RateUnit,
    /// The value is above the limit of its type.
    TooLarge,
    /// The value is zero where a positive one is required.
    Zero,
    /// The text is not a port.
    Port,
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Number => "does not begin with a number",
            Self::DurationUnit => "has an unknown unit; write ms, s, m, h or d behind the number",
            Self::SizeUnit => "has an unknown unit; write K, M or G (powers of 1024) behind the number",
            Self::RateUnit => "has an unknown unit; write /s, /m or /h behind the number",
            Self::TooLarge => "is too large",
            Self::Zero => "must be above 0",
            Self::Port => "a port is a number from 0 to 65535",
        })
    }
}

impl std::error::Error for ValueError {}

/// A decimal number with at most nine digits behind the point, as whole part and billionths, and the rest of the text.
fn decimal(text: &str) -> Result<(u64, u64, &str), ValueError> {
    let end = text.bytes().position(|byte| !(byte.is_ascii_digit() || byte == b'.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_number(fraction) {
        return Err(ValueError::Number);
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| ValueError::TooLarge)? };
    let billionths = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let billionths = billionths.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Ok((whole, billionths, unit.trim_start()))
}

/// `whole` and `billionths` times `unit`, rounded down.
fn scaled(whole: u64, billionths: u64, unit: u64) -> Option<u64> {
    let fraction = u128::from(billionths) * u128::from(unit) / 1_000_000_000;
    whole.checked_mul(unit)?.checked_add(u64::try_from(fraction).ok()?)
}

/// A duration such as `1.5`, `500ms`, `10s`, `5m`, `2h`, `1d`; without a unit in seconds.
///
/// # Errors
/// No number, an unknown unit, or more than ten years.
pub fn duration(text: &str) -> Result<Duration, ValueError> {
    let (whole, billionths, unit) = decimal(text)?;
    let nanoseconds = match unit {
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(ValueError::DurationUnit),
    };
    let value = scaled(whole, billionths, nanoseconds).map(Duration::from_nanos).ok_or(ValueError::TooLarge)?;
    if value > MAX_DURATION { Err(ValueError::TooLarge) } else { Ok(value) }
}

/// A size in bytes such as `2000`, `500K`, `1.5M`, `2GiB`; units are powers of 1024.
///
/// # Errors
/// No number, an unknown unit, or more than 2^64 - 1 bytes.
pub fn size(text: &str) -> Result<u64, ValueError> {
    let (whole, billionths, unit) = decimal(text)?;
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let bytes = match unit.strip_suffix('i').unwrap_or(unit) {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(ValueError::SizeUnit),
    };
    scaled(whole, billionths, bytes).ok_or(ValueError::TooLarge)
}

/// A positive size, for a rate in bytes a second such as `500K` or `500K/s`.
///
/// # Errors
/// As [`size`], and zero.
pub fn bytes_per_second(text: &str) -> Result<u64, ValueError> {
    match size(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err(ValueError::Zero),
        rate => Ok(rate),
    }
}

/// A rate of events such as `10`, `2.5/s`, `100/m`, `100/min`, `3600/h`, as the time between two of them.
///
/// # Errors
/// No number, an unknown unit, zero, or less than one event in ten years.
pub fn interval_of_rate(text: &str) -> Result<Duration, ValueError> {
    let (whole, billionths, unit) = decimal(text)?;
    let period = match unit {
        "" | "/s" | "/sec" => 1,
        "/m" | "/min" => 60,
        "/h" => 3600,
        "/d" => 86_400,
        _ => return Err(ValueError::RateUnit),
    };
    let count = u128::from(whole) * 1_000_000_000 + u128::from(billionths);
    if count == 0 {
        return Err(ValueError::Zero);
    }
    let nanoseconds = period * 1_000_000_000_u128 * 1_000_000_000 / count;
    let value = u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| ValueError::TooLarge)?;
    if value > MAX_DURATION { Err(ValueError::TooLarge) } else { Ok(value) }
}

/// A port, 0 included.
///
/// # Errors
/// Any text that is not a number from 0 to 65535.
pub fn port(text: &str) -> Result<u16, ValueError> {
    text.parse().map_err(|_| ValueError::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_from_microseconds_to_days_and_seconds_by_default() {
        for (text, milliseconds) in [
            ("0", 0),
            ("1.5", 1500),
            (".5s", 500),
            ("250ms", 250),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1 min", 60_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("1y"), Err(ValueError::DurationUnit));
        assert_eq!(duration("4000d"), Err(ValueError::TooLarge));
        for text in ["", "s", "-1", "+1", "inf", "1.2.3", "."] {
            assert_eq!(duration(text), Err(ValueError::Number), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("2000", 2000), ("500K", 512_000), ("1.5M", 1_572_864), ("2GiB", 1 << 31)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("1X"), Err(ValueError::SizeUnit));
        assert_eq!(size("99999999999G"), Err(ValueError::TooLarge));
        assert_eq!(bytes_per_second("0"), Err(ValueError::Zero));
        assert_eq!(bytes_per_second("1K/s"), Ok(1024));
    }

    #[test]
    fn rates_are_the_time_between_two_events() {
        assert_eq!(interval_of_rate("10"), Ok(Duration::from_millis(100)));
        assert_eq!(interval_of_rate("0.5/s"), Ok(Duration::from_secs(2)));
        assert_eq!(interval_of_rate("120/min"), Ok(Duration::from_millis(500)));
        assert_eq!(interval_of_rate("3600/h"), Ok(Duration::from_secs(1)));
        assert_eq!(interval_of_rate("0/s"), Err(ValueError::Zero));
        assert_eq!(interval_of_rate("1/y"), Err(ValueError::RateUnit));
    }

    #[test]
    fn a_port_is_a_number_from_0_to_65535() {
        assert_eq!((port("0"), port("65535")), (Ok(0), Ok(65535)));
        assert_eq!(
            (port("65536"), port("-1"), port("http")),
            (Err(ValueError::Port), Err(ValueError::Port), Err(ValueError::Port))
        );
    }
}
