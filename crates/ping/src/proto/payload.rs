//! What a probe carries: the time of sending, the keyed code, and the pattern behind them.
//!
//! | payload | time of sending | code | pattern |
//! |---|---|---|---|
//! | below 16 bytes | | | 0.. |
//! | 16 to 23 bytes | 0..8, two 32-bit numbers | 8..16 | 16.. |
//! | 24 bytes and more | 0..16, two 64-bit numbers | 16..24 | 24.. |
//!
//! The time is a C `struct timeval` in the byte order of this machine, which packet analysers show. It is never read back.

use super::payload_mac::MAC_LENGTH;

/// Minimum payload in bytes with time and MAC; as in iputils a shorter one has no times.
pub const TIMED: usize = 16;
/// Minimum payload in bytes with a full-width time.
const FULL: usize = 24;

/// Result of comparing a received payload with the sent one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Whole,
    /// Equal, but shorter; the MAC may be cut off.
    Truncated,
    /// The MAC is right or does not fit, and byte number `.0` differs.
    Changed(usize),
    /// The MAC is wrong or missing.
    WithoutCode,
}

/// Offsets of MAC and pattern in a payload of this length; `None` when the MAC does not fit.
fn layout(length: usize) -> Option<(usize, usize)> {
    match length {
        0..TIMED => None,
        TIMED..FULL => Some((TIMED.saturating_sub(MAC_LENGTH), TIMED)),
        _ => Some((TIMED, FULL)),
    }
}

/// The first byte compared with the pattern, in a payload of this length.
pub fn pattern_start(length: usize) -> usize {
    layout(length).map_or(0, |(_, pattern)| pattern)
}

/// Writes the time (nanoseconds since 1970) and the MAC into a payload that holds the pattern.
pub fn fill(payload: &mut [u8], wall: u64, code: [u8; MAC_LENGTH]) {
    let Some((place, _)) = layout(payload.len()) else { return };
    let (seconds, microseconds) = (wall / 1_000_000_000, wall % 1_000_000_000 / 1_000);
    if let Some(bytes) = payload.first_chunk_mut::<TIMED>().filter(|_| place == TIMED) {
        let (first, second) = bytes.split_at_mut(TIMED / 2);
        first.copy_from_slice(&seconds.to_ne_bytes());
        second.copy_from_slice(&microseconds.to_ne_bytes());
    } else if let Some(bytes) = payload.first_chunk_mut::<MAC_LENGTH>() {
        // 32 bits of seconds last until 2106.
        let [seconds, microseconds] = [seconds, microseconds].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let (first, second) = bytes.split_at_mut(MAC_LENGTH / 2);
        first.copy_from_slice(&seconds.to_ne_bytes());
        second.copy_from_slice(&microseconds.to_ne_bytes());
    }
    if let Some(bytes) = payload.get_mut(place..place.saturating_add(MAC_LENGTH)) {
        bytes.copy_from_slice(&code);
    }
}

/// Compares a received payload with the pattern and the MAC of the probe.
pub fn compare(sent: &[u8], code: [u8; MAC_LENGTH], received: &[u8]) -> Comparison {
    let (place, start) = match layout(sent.len()) {
        Some((place, start)) => (Some(place), start),
        None => (None, 0),
    };
    if let Some(place) = place {
        match received.get(place..place.saturating_add(MAC_LENGTH)) {
            Some(mac) if mac == code => {}
            // The MAC itself is cut off.
            None if received.len() < sent.len() => return Comparison::Truncated,
            _ => return Comparison::WithoutCode,
        }
    }
    let end = sent.len().min(received.len());
    // Comparing slices is much faster than comparing bytes.
    if sent.get(start..end) != received.get(start..end) {
        let mut pairs = sent.iter().zip(received).enumerate().skip(start);
        if let Some((index, _)) = pairs.find(|(_, (right, wrong))| right != wrong) {
            return Comparison::Changed(index);
        }
    }
    if received.len() < sent.len() { Comparison::Truncated } else { Comparison::Whole }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    const MAC_LENGTH_OF_PROBE: [u8; MAC_LENGTH] = *b"12345678";

    fn sent(length: usize) -> (Vec<u8>, Vec<u8>) {
        let pattern = vec![0xaa; length];
        let mut payload = pattern.clone();
        fill(&mut payload, 1_795_335_927_240_001_999, MAC_LENGTH_OF_PROBE);
        (pattern, payload)
    }

    #[test]
    fn time_and_code_stand_where_the_table_says() {
        assert_eq!(sent(15).1, [0xaa; 15]);
        let (_, short) = sent(17);
        assert_eq!(short[..4], 1_795_335_927u32.to_ne_bytes());
        assert_eq!(short[4..8], 240_001u32.to_ne_bytes());
        assert_eq!(short[8..], *b"12345678\xaa");
        let (_, long) = sent(25);
        assert_eq!(long[..8], 1_795_335_927u64.to_ne_bytes());
        assert_eq!(long[8..16], 240_001u64.to_ne_bytes());
        assert_eq!(long[16..], *b"12345678\xaa");
    }

    #[test]
    fn what_comes_back_as_it_was_sent_is_whole_at_every_length() {
        for length in 0..100 {
            let (pattern, payload) = sent(length);
            assert_eq!(compare(&pattern, MAC_LENGTH_OF_PROBE, &payload), Comparison::Whole, "{length}");
        }
    }

    #[test]
    fn a_changed_byte_is_found_behind_the_time_and_a_changed_code_is_none_of_ours() {
        for length in [0, 15, 16, 20, 24, 56] {
            let (pattern, payload) = sent(length);
            let code = layout(length).map_or(0..0, |(place, _)| place..place + MAC_LENGTH);
            for index in 0..length {
                let mut changed = payload.clone();
                changed[index] ^= 1;
                let expected = match index {
                    _ if code.contains(&index) => Comparison::WithoutCode,
                    // The time is not compared.
                    _ if index < code.start => Comparison::Whole,
                    _ => Comparison::Changed(index),
                };
                assert_eq!(compare(&pattern, MAC_LENGTH_OF_PROBE, &changed), expected, "{length}, {index}");
            }
        }
    }

    #[test]
    fn a_payload_cut_anywhere_is_truncated() {
        let (pattern, payload) = sent(56);
        for length in 0..56 {
            assert_eq!(compare(&pattern, MAC_LENGTH_OF_PROBE, &payload[..length]), Comparison::Truncated, "{length}");
        }
    }
}
