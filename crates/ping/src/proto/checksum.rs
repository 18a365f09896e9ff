//! The Internet checksum (RFC 1071).
//!
//! An odd last byte is the high half of a word.

/// The checksum of `bytes`; 0 over a message with a valid checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    // RFC 1071, section 2: the sum may be taken in any byte order and in wider words, and folded at the end.
    let mut words = bytes.chunks_exact(4);
    let mut sum = 0u64;
    for word in words.by_ref() {
        sum = sum.wrapping_add(word.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word)).into());
    }
    let mut last = [0; 4];
    last.iter_mut().zip(words.remainder()).for_each(|(place, byte)| *place = *byte);
    sum = sum.wrapping_add(u32::from_ne_bytes(last).into());
    while let carry @ 1.. = sum.wrapping_shr(16) {
        sum = (sum & 0xffff).wrapping_add(carry);
    }
    // The sum is folded to 16 bits here.
    !u16::from_be(u16::try_from(sum).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn an_odd_byte_is_the_high_half_of_a_word() {
        assert_eq!(checksum(&[0x12]), !0x1200);
        assert_eq!(checksum(&[]), 0xffff);
    }

    #[test]
    fn any_length_gives_the_sum_of_its_words() {
        let bytes: Vec<u8> = (0..=255).rev().cycle().take(999).collect();
        for length in 0..bytes.len() {
            let bytes = bytes.get(..length).unwrap_or_default();
            let mut sum = bytes.chunks(2).fold(0u32, |sum, word| {
                let low = word.get(1).copied().unwrap_or(0);
                sum.saturating_add(u16::from_be_bytes([word.first().copied().unwrap_or(0), low]).into())
            });
            while sum > 0xffff {
                sum = (sum & 0xffff).saturating_add(sum.wrapping_shr(16));
            }
            assert_eq!(u32::from(!checksum(bytes)), sum, "{length}");
        }
    }

    #[test]
    fn a_long_run_of_ones_folds_all_carries() {
        assert_eq!(checksum(&vec![0xff; 65_535]), !0xff00);
    }
}
