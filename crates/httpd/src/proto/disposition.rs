//! The value of Content-Disposition (RFC 6266): the name under which a browser saves a download.
//!
//! A name that is not plain ASCII is sent twice: as `filename*` (RFC 8187), and as `filename` with underscores for
//! clients that do not support that.

use std::fmt::Write;

/// `attachment` with this file name; invalid UTF-8 is replaced.
pub fn attachment(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let harmless = |character: char| !character.is_control() && character != '/';
    let name: String = name.chars().map(|character| if harmless(character) { character } else { '_' }).collect();
    // Some clients decode percent signs in `filename` too, so it has none.
    let is_plain = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\' | '%');
    let plain: String = name.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                value.push(char::from(byte));
            } else {
                let _ = write!(value, "%{byte:02X}");
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_sent_once() {
        assert_eq!(attachment(b"my files.tar"), "attachment; filename=\"my files.tar\"");
    }

    #[test]
    fn any_other_name_is_sent_in_both_forms() {
        assert_eq!(
            attachment("Grüße \"x\".tar".as_bytes()),
            "attachment; filename=\"Gr__e _x_.tar\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22x%22.tar"
        );
        assert_eq!(attachment(b"50%.tar"), "attachment; filename=\"50_.tar\"; filename*=UTF-8''50%25.tar");
    }

    #[test]
    fn no_byte_of_a_name_can_end_the_field_or_name_another_folder() {
        let every: Vec<u8> = (0..=255).collect();
        let value = attachment(&every);
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{value}");
        assert_eq!(value.matches('"').count(), 2);
        assert!(!value.contains('/') && !value.contains("%2F") && !value.contains("%0"));
    }
}
