//! `ICMPv6` (RFC 4443): echo request and echo reply.
//!
//! The kernel computes and checks the checksum, which covers a pseudo-header.

use super::{Echo, Malformed, byte};

/// Type of the echo request.
pub const ECHO_REQUEST: u8 = 128;
/// Type of the echo reply.
pub const ECHO_REPLY: u8 = 129;

/// Parses an echo reply; `None` for any other message.
pub fn parse_reply(bytes: &[u8]) -> Result<Option<Echo<'_>>, Malformed> {
    match byte(bytes, 0)? {
        ECHO_REPLY => Echo::parse(bytes).map(Some),
        _ => Ok(None),
    }
}

/// An echo request without a checksum.
pub fn write_request(echo: &Echo<'_>) -> Vec<u8> {
    echo.write(ECHO_REQUEST)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    #[test]
    fn only_a_whole_echo_reply_is_a_reply() {
        let mut bytes = write_request(&Echo { identifier: 1, sequence: 2, payload: b"" });
        assert_eq!(parse_reply(&bytes), Ok(None));
        bytes[0] = ECHO_REPLY;
        assert_eq!(parse_reply(&bytes), Ok(Some(Echo { identifier: 1, sequence: 2, payload: b"" })));
        for length in 0..8 {
            assert_eq!(parse_reply(&bytes[..length]), Err(Malformed::Truncated));
        }
    }
}
