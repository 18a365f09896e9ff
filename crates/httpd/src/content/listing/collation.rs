//! The order of names for people: letters without case and accents, runs of digits by value.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

/// The base letters of U+00C0 to U+017F in order; a space keeps the character.
const BASE_LETTERS: &str = "aaaaaaaceeeeiiii nooooo ouuuuy saaaaaaaceeeeiiii nooooo ouuuuy y\
                            aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnn\
                            oooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// Compares two names; names that differ in case or accents only are ordered by their bytes.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (left, right) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (mut left, mut right) = (left.chars().peekable(), right.chars().peekable());
    loop {
        skip_marks(&mut left);
        skip_marks(&mut right);
        let order = match (left.peek().copied(), right.peek().copied()) {
            (None, None) => return a.cmp(b),
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (number(&mut left), number(&mut right));
                x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
            }
            (Some(x), Some(y)) => {
                left.next();
                right.next();
                base_letter(x).cmp(&base_letter(y))
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Skips combining marks, which are separate characters in names from macOS.
fn skip_marks(text: &mut Peekable<Chars>) {
    while text.next_if(|character| ('\u{300}'..='\u{36f}').contains(character)).is_some() {}
}

/// Takes the digits of a number, without leading zeros.
fn number(text: &mut Peekable<Chars>) -> String {
    let mut digits = String::new();
    while let Some(digit) = text.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
}

/// The letter without case and accent.
fn base_letter(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let index = u32::from(letter).checked_sub(0xc0).and_then(|index| usize::try_from(index).ok());
    let base = index.and_then(|index| BASE_LETTERS.as_bytes().get(index)).filter(|base| **base != b' ');
    base.map_or_else(|| letter.to_lowercase().next().unwrap_or(letter), |base| char::from(*base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        names
    }

    #[test]
    fn numbers_count_by_value_and_case_does_not_matter() {
        assert_eq!(sorted(&["file10", "File2", "file1", "a", "file02"]), ["a", "file1", "File2", "file02", "file10"]);
    }

    #[test]
    fn accents_stand_beside_their_letters() {
        assert_eq!(
            sorted(&["zoo", "Äpfel", "apple", "éclair", "east", "fig"]),
            ["Äpfel", "apple", "east", "éclair", "fig", "zoo"]
        );
        assert_eq!(sorted(&["b", "e\u{301}a", "eb"]), ["b", "e\u{301}a", "eb"]);
        for (accented, base) in
            [('À', 'a'), ('ÿ', 'y'), ('Ñ', 'n'), ('ø', 'o'), ('Ž', 'z'), ('ł', 'l'), ('Ÿ', 'y'), ('ő', 'o')]
        {
            assert_eq!(base_letter(accented), base, "{accented}");
        }
        assert_eq!((base_letter('×'), base_letter('Д')), ('×', 'д'));
    }

    #[test]
    fn the_order_is_antisymmetric() {
        let names: Vec<String> =
            (0..60).map(|n| format!("{}{}x{}", ["a", "Ä", "0"][n % 3], n % 7, "0".repeat(n % 2))).collect();
        for a in &names {
            for b in &names {
                assert_eq!(compare(a.as_bytes(), b.as_bytes()), compare(b.as_bytes(), a.as_bytes()).reverse());
            }
        }
    }
}
