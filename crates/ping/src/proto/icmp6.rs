//! `ICMPv6` (RFC 4443): the echo request and the words for the errors.
//!
//! The kernel computes and checks the `ICMPv6` checksum, because only it knows the pseudo-header; here it stays zero. The
//! words are those that people and scripts know from iputils.

use super::{Echo, Malformed, byte};

/// Type of the echo request.
pub const ECHO_REQUEST: u8 = 128;
/// Type of the echo reply.
pub const ECHO_REPLY: u8 = 129;

/// Reads an echo reply; `None` for any other message.
pub fn parse_reply(bytes: &[u8]) -> Result<Option<Echo<'_>>, Malformed> {
    match byte(bytes, 0)? {
        ECHO_REPLY => Echo::parse(bytes).map(Some),
        _ => Ok(None),
    }
}

/// An echo request, the checksum left to the kernel.
pub fn write_request(echo: &Echo<'_>) -> Vec<u8> {
    echo.write(ECHO_REQUEST)
}

/// What an `ICMPv6` error says, in words; `info` is the second word of its header (MTU or pointer).
pub fn describe(kind: u8, code: u8, info: u32) -> String {
    match kind {
        1 => match code {
            0 => "Destination unreachable: No route".to_owned(),
            1 => "Destination unreachable: Administratively prohibited".to_owned(),
            2 => "Destination unreachable: Beyond scope of source address".to_owned(),
            3 => "Destination unreachable: Address unreachable".to_owned(),
            4 => "Destination unreachable: Port unreachable".to_owned(),
            _ => format!("Destination unreachable: Unknown code {code}"),
        },
        2 if code == 0 => format!("Packet too big: mtu={info}"),
        2 => format!("Packet too big: mtu={info}, code={code}"),
        3 => match code {
            0 => "Time exceeded: Hop limit".to_owned(),
            1 => "Time exceeded: Defragmentation failure".to_owned(),
            _ => format!("Time exceeded: code {code}"),
        },
        4 => match code {
            0 => format!("Parameter problem: Wrong header field at {info}"),
            1 => format!("Parameter problem: Unknown header at {info}"),
            2 => format!("Parameter problem: Unknown option at {info}"),
            _ => format!("Parameter problem: code {code} at {info}"),
        },
        _ => format!("unknown icmp type: {kind}"),
    }
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

    #[test]
    fn errors_are_described_in_the_words_people_know() {
        assert_eq!(describe(1, 3, 0), "Destination unreachable: Address unreachable");
        assert_eq!(describe(2, 0, 1280), "Packet too big: mtu=1280");
        assert_eq!(describe(3, 0, 0), "Time exceeded: Hop limit");
        assert_eq!(describe(4, 1, 40), "Parameter problem: Unknown header at 40");
    }
}
