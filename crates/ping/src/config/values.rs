//! Parsers of single values; errors name option, value and reason.

use std::time::Duration;

use common::{Error, Kind, SafeText};

use crate::exit_code::BAD_INTEGER;

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

/// An integer within bounds: as strtol reads it, with leading blanks and a sign, or hexadecimal with 0x.
pub(super) fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, Error> {
    let digits = text.trim_ascii_start();
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(bad_integer(option, text, &format!("not a number from {least} to {most}")));
    }
    match u64::from_str_radix(digits, radix) {
        Ok(value) if !is_negative && (least..=most).contains(&value) => Ok(value),
        Ok(0) if least == 0 => Ok(0),
        _ => Err(bad_integer(option, text, &format!("out of range: {least} <= value <= {most}"))),
    }
}

/// A duration in seconds, as strtod reads it: with leading blanks, a sign, a fraction, an exponent, or hexadecimal.
///
/// Text behind the number is ignored with a warning, as in iputils.
pub(super) fn seconds(option: &str, text: &str) -> Result<Duration, Error> {
    let typed = text.trim_ascii_start();
    let typed = typed.strip_prefix('+').unwrap_or(typed);
    let wrong = || bad(option, text, "not a number of seconds");
    if let Some(digits) = typed.strip_prefix("0x").or_else(|| typed.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16)
            .ok()
            .map(Duration::from_secs)
            .filter(|value| value.as_secs_f64() <= MAX_TIME)
            .ok_or_else(wrong);
    }
    let (number, garbage) = typed.split_at(decimal_length(typed));
    let value: f64 = number.parse().map_err(|_| wrong())?;
    if value > MAX_TIME {
        return Err(bad(option, text, "more than ten years"));
    }
    if !garbage.is_empty() {
        eprintln!("ping: {option} '{}': ignored: {}", SafeText(text.as_bytes()), SafeText(garbage.as_bytes()));
    }
    Ok(Duration::from_secs_f64(value))
}

/// Length of the decimal number at the start of `text`: digits, a point, digits, an exponent.
fn decimal_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    let mantissa = &text[..end];
    if !mantissa.bytes().any(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// The error of a value that an option cannot have.
pub(super) fn bad(option: &str, value: &str, reason: &str) -> Error {
    Error::new(Kind::Usage, "", format_args!("invalid argument: {option} '{value}'"), reason.to_owned())
}

fn bad_integer(option: &str, value: &str, reason: &str) -> Error {
    bad(option, value, reason).with_kind(Kind::Exit(BAD_INTEGER))
}

/// A flow label: hexadecimal, 20 bits.
pub(super) fn flow_label(text: &str) -> Result<u32, Error> {
    match u32::from_str_radix(text.trim_start_matches("0x"), 16) {
        Ok(label) if label < 1 << 20 => Ok(label),
        Ok(_) => Err(Error::new(Kind::Usage, "", "flow value is greater than 20 bits", text.to_owned())),
        Err(_) => Err(bad("-F", text, "not a hexadecimal number")),
    }
}
