//! Code shared by the programs: escaping of untrusted bytes and values of options.

use common::{SafeText, values};

/// The text is one line without control characters and unambiguous: the bytes can be reconstructed from it.
pub fn safe_text(data: &[u8]) {
    let shown = SafeText(data).to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(shown.parse::<String>().map(|text| text.contains(['\u{202e}', '\u{2066}', '\u{feff}'])), Ok(false));
    if data.iter().all(|byte| (b' '..=b'~').contains(byte) && *byte != b'\\') {
        assert_eq!(shown.as_bytes(), data);
    }
    // Each byte is escaped separately, so two pieces give the same text as the whole.
    let middle = (0..=data.len() / 2).rev().find(|at| data[*at..].first().is_none_or(u8::is_ascii)).unwrap_or(0);
    let (first, second) = data.split_at(middle);
    assert_eq!(format!("{}{}", SafeText(first), SafeText(second)), shown);
}

/// A rate is its number times its unit; as a plain number of bytes it reads the same. No value parser panics.
pub fn values_of_options(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = (values::duration(text), values::interval_of_rate(text), values::port(text));
    let Ok(rate) = values::bytes_per_second(text) else { return };
    assert!(rate > 0);
    assert_eq!(values::bytes_per_second(&rate.to_string()), Ok(rate));
    let end = text.find(|byte: char| !byte.is_ascii_digit() && byte != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let first = unit.trim_start().chars().next().unwrap_or('b').to_ascii_uppercase();
    let power = "KMGT".find(first).map_or(0, |power| i32::try_from(power).unwrap() + 1);
    let exact = number.parse::<f64>().expect("a number") * 1024f64.powi(power);
    assert!((rate as f64 - exact).abs() <= 2.0 + exact * 1e-8, "{rate} for {text}");
}
