//! Parsers of single values; errors name option, value and reason.

use std::time::Duration;

use common::{Error, Kind};

/// Longest pattern, as in iputils.
const MAX_PATTERN: usize = 16;
/// Longest duration of an option: ten years, far below what an `Instant` can hold.
const MAX_TIME: f64 = 10.0 * 366.0 * 86_400.0;

/// The bytes of a pattern of hexadecimal digits.
pub(super) fn pattern_bytes(text: &str) -> Result<Vec<u8>, Error> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(Error::new(Kind::Usage, "", "patterns must be specified as hex digits", text.to_owned()));
    }
    let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    // Two digits per byte from the left; an odd last digit is a byte.
    let bytes = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Ok(bytes.take(MAX_PATTERN).collect())
}

/// An integer within bounds, decimal or hexadecimal with 0x.
pub(super) fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, Error> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match value {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        Ok(_) => Err(bad(option, text, &format!("out of range: {least} <= value <= {most}"))),
        Err(_) => Err(bad(option, text, &format!("not a number from {least} to {most}"))),
    }
}

/// A duration in seconds, with or without a fraction.
pub(super) fn seconds(option: &str, text: &str) -> Result<Duration, Error> {
    // Checked first because Rust also parses "inf", "nan" and "1e3".
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(value) if is_plain && value <= MAX_TIME => Ok(Duration::from_secs_f64(value)),
        Ok(_) if is_plain => Err(bad(option, text, "more than ten years")),
        _ => Err(bad(option, text, "not a number of seconds")),
    }
}

/// The error of a value that an option cannot have.
pub(super) fn bad(option: &str, value: &str, reason: &str) -> Error {
    Error::new(Kind::Usage, "", format_args!("invalid argument: {option} '{value}'"), reason.to_owned())
}

/// A flow label: hexadecimal, 20 bits.
pub(super) fn flow_label(text: &str) -> Result<u32, Error> {
    match u32::from_str_radix(text.trim_start_matches("0x"), 16) {
        Ok(label) if label < 1 << 20 => Ok(label),
        Ok(_) => Err(Error::new(Kind::Usage, "", "flow value is greater than 20 bits", text.to_owned())),
        Err(_) => Err(bad("-F", text, "not a hexadecimal number")),
    }
}
