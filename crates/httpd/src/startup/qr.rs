//! A QR code (ISO/IEC 18004) for a terminal, two modules a character, so that a phone need not type an address.
//!
//! It is black on white by explicit colours, also where no other colour is wanted: on a dark terminal it would else be
//! inverted, and many readers take an inverted code for none.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code, as the standard wants them.
const QUIET: usize = 4;
/// Colours of the fixed part of 256, which no theme changes: upper and lower half of a character.
const COLORS: [[&str; 2]; 2] =
    [["\x1b[38;5;231;48;5;231m", "\x1b[38;5;231;48;5;16m"], ["\x1b[38;5;16;48;5;231m", "\x1b[38;5;16;48;5;16m"]];
const OFF: &str = "\x1b[0m";

/// The code for `text`, indented like the lines of the banner; `None` when it is too long for one.
pub(crate) fn code(text: &str) -> Option<String> {
    // A terminal is clean and near: the lowest correction makes the smallest code.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (width, modules) = (code.width(), code.to_colors());
    let is_dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else { return false };
        x < width && modules.get(y * width + x) == Some(&Color::Dark)
    };
    let side = width + 2 * QUIET;
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
            // A space has no gaps to its neighbours, whatever the font.
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
    fn the_code_is_a_square_with_a_light_border_and_colours_of_its_own() {
        let drawing = code("http://192.0.2.1:6789/").unwrap();
        let [[light, _], [_, dark]] = COLORS;
        let lines: Vec<&str> = drawing.lines().collect();
        // 25 modules and 4 on either side; the last line has one row of its own.
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
    fn what_does_not_fit_has_no_code() {
        assert_eq!(code(&"x".repeat(4000)), None);
    }
}
