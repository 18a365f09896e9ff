//! The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
//!
//! Pure arithmetic over a slice; an odd last byte counts as the high half of a word.

/// The checksum of `bytes`; 0 over a message that carries its own right checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for word in bytes.chunks(2) {
        let high = word.first().copied().unwrap_or(0);
        let low = word.get(1).copied().unwrap_or(0);
        sum = sum.wrapping_add(u64::from(u16::from_be_bytes([high, low])));
    }
    while let carry @ 1.. = sum.wrapping_shr(16) {
        sum = (sum & 0xffff).wrapping_add(carry);
    }
    // The loop above ends with 16 bits at most.
    !u16::try_from(sum).unwrap_or(u16::MAX)
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
    fn a_long_run_of_ones_folds_all_carries() {
        assert_eq!(checksum(&vec![0xff; 65_535]), !0xff00);
    }
}
