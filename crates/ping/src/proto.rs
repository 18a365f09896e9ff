//! Packets: ICMP (RFC 792), `ICMPv6` (RFC 4443) and the IPv4 header (RFC 791).
//!
//! All offsets into slices are checked; no input causes a panic.
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod checksum;
pub mod extension;
pub mod icmp4;
pub mod icmp6;
pub mod icmp_error;
pub mod icmp_message;
pub mod ip4;
pub mod options;
pub mod payload;
pub mod payload_mac;
pub mod reply;

/// Length of the ICMP and `ICMPv6` echo header: type, code, checksum, identifier, sequence.
pub const ECHO_HEADER: usize = 8;

/// Why bytes are not a valid packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The packet ends before a required field.
    #[error("packet too short")]
    Truncated,
    /// The IPv4 version is not 4, or the header length is below 20 bytes or beyond the packet.
    #[error("impossible IPv4 header")]
    Header,
}

/// Identifier and sequence of an echo request or reply, with what follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Distinguishes the runs of ping on one host.
    pub identifier: u16,
    /// Number of the probe, modulo 65,536.
    pub sequence: u16,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Echo<'a> {
    /// Parses identifier, sequence and payload of an ICMP or `ICMPv6` message; type and code are not checked.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let payload = bytes.get(ECHO_HEADER..).ok_or(Malformed::Truncated)?;
        Ok(Self { identifier: be16(bytes, 4)?, sequence: be16(bytes, 6)?, payload })
    }

    /// Writes the message with `kind` as its type, code 0 and a zero checksum.
    pub fn write(&self, kind: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ECHO_HEADER.saturating_add(self.payload.len()));
        bytes.extend_from_slice(&[kind, 0, 0, 0]);
        bytes.extend_from_slice(&self.identifier.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }
}

pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Malformed> {
    bytes.get(at).copied().ok_or(Malformed::Truncated)
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    Ok(u16::from_be_bytes([byte(bytes, at)?, byte(bytes, at.saturating_add(1))?]))
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let (high, low) = (be16(bytes, at)?, be16(bytes, at.saturating_add(2))?);
    Ok(u32::from(high).wrapping_shl(16) | u32::from(low))
}
