//! Percent-encoding (RFC 3986, section 2.1).

use std::borrow::Cow;

/// Decodes `%XX` escapes (RFC 3986, section 2.1); `None` when one is malformed.
pub fn percent_decode(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'%', raw).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = hex_digit(*bytes.next()?)?;
                let low = hex_digit(*bytes.next()?)?;
                decoded.push((high << 4) | low);
            }
            other => decoded.push(*other),
        }
    }
    Some(Cow::Owned(decoded))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| digit.try_into().ok())
}

/// Appends `name` with all bytes escaped except slashes and unreserved characters (RFC 3986, section 2.3).
pub fn percent_encode(name: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_and_decoding_are_inverse() {
        let name: Vec<u8> = (1..=255).collect();
        let mut encoded = Vec::new();
        percent_encode(&name, &mut encoded);
        assert!(encoded.iter().all(u8::is_ascii_graphic));
        assert_eq!(percent_decode(&encoded).unwrap().as_ref(), name);
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for raw in ["%", "%2", "%zz", "a%2gb"] {
            assert_eq!(percent_decode(raw.as_bytes()), None, "{raw}");
        }
    }
}
