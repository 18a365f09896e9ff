//! A QR code (ISO/IEC 18004) for a terminal, with two modules per character.
//!
//! The colours are explicit, also with `--color never`: on a dark terminal the code would be inverted, which many readers do
//! not recognise.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code (the quiet zone).
const QUIET_ZONE: usize = 4;
/// Colours of the upper and lower half of a character, from the part of the 256 colours that themes do not change.
const COLORS: [[&str; 2]; 2] =
    [["\x1b[38;5;231;48;5;231m", "\x1b[38;5;231;48;5;16m"], ["\x1b[38;5;16;48;5;231m", "\x1b[38;5;16;48;5;16m"]];
const OFF: &str = "\x1b[0m";

/// The code of `text`, indented like the banner; `None` if the text is too long.
pub(crate) fn code(text: &str) -> Option<String> {
    // The lowest error correction gives the smallest code.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let is_dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET_ZONE), y.checked_sub(QUIET_ZONE)) else { return false };
        x < width && modules.get(y * width + x) == Some(&Color::Dark)
    };
    let side = width + 2 * QUIET_ZONE;
    let mut drawing = String::new();
    for y in (0..side).step_by(2) {
        drawing.push_str("    ");
        let mut current = "";
        for x in 0..side {
            let (upper, lower) = (is_dark(x, y), is_dark(x, y + 1));
            let color = COLORS[usize::from(upper)][usize::from(lower)];
            if color != current {
                drawing.push_str(color);
                current = color;
            }
            // A space has no gaps to its neighbours in any font.
            drawing.push(if upper == lower { ' ' } else { '\u{2580}' });
        }
        drawing.push_str(OFF);
        drawing.push('\n');
    }
    Some(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_a_square_with_a_light_border_and_explicit_colours() {
        let drawing = code("http://192.0.2.1:6789/").unwrap();
        let [[light, _], [_, dark]] = COLORS;
        let lines: Vec<&str> = drawing.lines().collect();
        // 25 modules and 4 on each side; the last line has only one row.
        assert_eq!(lines.len(), (25 + 8usize).div_ceil(2));
        for line in &lines {
            let row = line.strip_prefix("    ").unwrap().strip_suffix(OFF).unwrap();
            assert!(row.starts_with(&format!("{light}    ")) && row.ends_with("    "), "{row:?}");
            let plain = COLORS.iter().flatten().fold(row.to_owned(), |row, color| row.replace(color, ""));
            assert_eq!(plain.chars().count(), 25 + 8);
        }
        assert!(lines[2].contains(dark));
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert_eq!(code(&"x".repeat(4000)), None);
    }
}
