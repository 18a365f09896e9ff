//! Parser of echo requests and writer of the answers of a scenario, valid or not.
//!
//! The codec is independent of the one under test. Requests come from the kernel, so lengths are not checked twice.

use std::net::IpAddr;

use super::scenario::{Answer, IcmpError, Quote};

const ECHO_HEADER: usize = 8;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// An echo request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) source: IpAddr,
    pub(super) target: IpAddr,
    packet: Vec<u8>,
    /// Offset of the ICMP message.
    icmp: usize,
}

impl Request {
    /// Parses an echo request; `None` for other packets, such as neighbour discovery.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let (source, target, icmp, protocol, echo) = match packet.first()? >> 4 {
            4 if packet.len() >= V4_HEADER => (
                IpAddr::from(<[u8; 4]>::try_from(&packet[12..16]).ok()?),
                IpAddr::from(<[u8; 4]>::try_from(&packet[16..20]).ok()?),
                usize::from(packet[0] & 15) * 4,
                packet[9] == ICMP,
                8,
            ),
            6 if packet.len() >= V6_HEADER => (
                IpAddr::from(<[u8; 16]>::try_from(&packet[8..24]).ok()?),
                IpAddr::from(<[u8; 16]>::try_from(&packet[24..40]).ok()?),
                V6_HEADER,
                packet[6] == ICMP6,
                128,
            ),
            _ => return None,
        };
        let is_request = protocol && packet.len() >= icmp + ECHO_HEADER && packet[icmp] == echo;
        is_request.then(|| Self { source, target, packet: packet.to_vec(), icmp })
    }

    /// The packet that `answer` describes.
    pub(super) fn answer(&self, answer: &Answer) -> Vec<u8> {
        let from = answer.source.unwrap_or(self.target);
        let mut message = match &answer.error {
            Some(error) => self.error(error),
            None => self.reply(answer),
        };
        self.write_checksum(&mut message, from);
        if answer.stale_checksum {
            flip(&mut message, &answer.flip);
        }
        let mut packet = self.wrap(from, &message, &hex(&answer.options));
        packet.truncate(answer.truncate.unwrap_or(usize::MAX));
        packet
    }

    fn reply(&self, answer: &Answer) -> Vec<u8> {
        let mut message = self.packet[self.icmp..].to_vec();
        message[0] = if self.source.is_ipv4() { 0 } else { 129 };
        add(&mut message[4..6], answer.identifier);
        add(&mut message[6..8], answer.sequence);
        if let Some(byte) = answer.time {
            message.iter_mut().skip(ECHO_HEADER).take(16).for_each(|target| *target = byte);
        }
        message.resize(answer.payload.map_or(message.len(), |length| ECHO_HEADER + length), 0x5a);
        if !answer.stale_checksum {
            flip(&mut message, &answer.flip);
        }
        message
    }

    fn error(&self, error: &IcmpError) -> Vec<u8> {
        let mut message = vec![error.kind, error.code, 0, 0];
        message.extend(error.info.to_be_bytes());
        message.extend(self.quote(error.quote));
        message.extend(hex(&error.extension));
        message
    }

    fn quote(&self, quote: Quote) -> Vec<u8> {
        let mut quoted = self.packet.clone();
        match quote {
            Quote::Request => {}
            Quote::Short => quoted.truncate(self.icmp + ECHO_HEADER),
            Quote::Nops => {
                quoted.splice(self.icmp..self.icmp, [1; 40]);
                quoted[0] = 0x4f;
            }
            Quote::Padded => quoted.resize(128, 0),
            Quote::PartialHeader => quoted.truncate(12),
            Quote::HeaderPastEnd => {
                quoted.truncate(V4_HEADER);
                quoted[0] = 0x4f;
            }
            Quote::HeaderTooShort => quoted[0] = 0x42,
            Quote::OtherIdentifier => quoted[self.icmp + 4] ^= 0xff,
            // The last byte of the destination address.
            Quote::OtherDestination => quoted[if self.source.is_ipv4() { 19 } else { 39 }] ^= 0xff,
            Quote::Nothing => quoted.clear(),
        }
        quoted
    }

    /// Writes the checksum.
    fn write_checksum(&self, message: &mut [u8], from: IpAddr) {
        message[2..4].fill(0);
        let mut covered = Vec::new();
        if let (IpAddr::V6(from), IpAddr::V6(to)) = (from, self.source) {
            covered.extend(from.octets());
            covered.extend(to.octets());
            covered.extend(u32::try_from(message.len()).expect("a short message").to_be_bytes());
            covered.extend([0, 0, 0, ICMP6]);
        }
        covered.extend_from_slice(message);
        message[2..4].copy_from_slice(&checksum(&covered).to_be_bytes());
    }

    fn wrap(&self, from: IpAddr, message: &[u8], options: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u16::try_from(bytes).expect("a short packet").to_be_bytes();
        let mut packet;
        match (from, self.source) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let header = V4_HEADER + options.len();
                packet = vec![0x40 | u8::try_from(header / 4).expect("at most 15 words"), 0];
                packet.extend(length(header + message.len()));
                packet.extend([0, 0, 0, 0, 64, ICMP, 0, 0]);
                packet.extend(from.octets());
                packet.extend(to.octets());
                packet.extend_from_slice(options);
                let sum = checksum(&packet);
                packet[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                packet = vec![0x60, 0, 0, 0];
                packet.extend(length(message.len()));
                packet.extend([ICMP6, 64]);
                packet.extend(from.octets());
                packet.extend(to.octets());
            }
            _ => panic!("source and target of different families"),
        }
        packet.extend_from_slice(message);
        packet
    }
}

fn flip(message: &mut [u8], offsets: &[usize]) {
    for offset in offsets {
        message[ECHO_HEADER + offset] ^= 0xff;
    }
}

fn add(field: &mut [u8], increment: u16) {
    let value = u16::from_be_bytes([field[0], field[1]]).wrapping_add(increment);
    field.copy_from_slice(&value.to_be_bytes());
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| (*b).into())).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.chars().filter_map(|c| c.to_digit(16)?.try_into().ok()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let mut packet = vec![0x45, 0, 0, 44, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([8, 0, 0, 0, 0x12, 0x34, 0, 7]);
        packet.extend(0..16);
        Request::parse(&packet).unwrap()
    }

    #[test]
    fn a_valid_reply_has_valid_checksums() {
        let packet = request().answer(&Answer::default());
        assert_eq!(packet[12..20], [10, 0, 0, 2, 10, 0, 0, 1]);
        assert_eq!(packet[24..28], [0x12, 0x34, 0, 7]);
        assert_eq!((packet[20], checksum(&packet[..20]), checksum(&packet[20..])), (0, 0, 0));
    }

    #[test]
    fn flipped_bytes_break_only_a_stale_checksum() {
        let flipped = |stale_checksum| request().answer(&Answer { flip: vec![3], stale_checksum, ..Answer::default() });
        assert_eq!(checksum(&flipped(false)[20..]), 0);
        assert_ne!(checksum(&flipped(true)[20..]), 0);
        assert_eq!(flipped(true)[31], 3 ^ 0xff);
    }

    #[test]
    fn an_error_quotes_the_request_after_forty_bytes_of_options() {
        let error = IcmpError { kind: 3, code: 1, info: 0, quote: Quote::Nops, extension: String::new() };
        let packet = request().answer(&Answer { error: Some(error), ..Answer::default() });
        assert_eq!((packet[20], packet[28], &packet[48..52]), (3, 0x4f, [1; 4].as_slice()));
        assert_eq!(packet[88..92], [8, 0, 0, 0]);
    }
}
