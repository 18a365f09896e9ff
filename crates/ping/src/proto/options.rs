//! IPv4 options (RFC 791, section 3.1): record route, time stamps, source routes.
//!
//! Each step of the parser makes progress: an option with a length below 2 or beyond the list ends it.

use std::net::Ipv4Addr;

use super::{be32, byte};

/// End of the list.
const END: u8 = 0;
/// Padding of one byte.
const NO_OPERATION: u8 = 1;
/// Record route.
pub const RECORD_ROUTE: u8 = 7;
/// Time stamps.
pub const TIME_STAMP: u8 = 68;
/// Loose source and record route.
const LOOSE_SOURCE_ROUTE: u8 = 131;
/// Strict source and record route.
const STRICT_SOURCE_ROUTE: u8 = 137;
/// Maximum length of all options: 15 words of header minus 5.
pub const MAX_OPTIONS: usize = 40;

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ip4Option {
    /// Padding of one byte.
    NoOperation,
    /// Recorded addresses.
    RecordRoute(Vec<Ipv4Addr>),
    /// A source route, strict if `.0`.
    SourceRoute(bool, Vec<Ipv4Addr>),
    /// Time stamps of routers.
    TimeStamps {
        /// One per router that had room.
        stamps: Vec<TimeStamp>,
        /// Number of routers without room.
        overflow: u8,
    },
    /// An unknown option, by type.
    Unknown(u8),
}

/// One time stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeStamp {
    /// Address of the router, if requested.
    pub address: Option<Ipv4Addr>,
    /// Milliseconds since midnight UTC; non-standard if the top bit is set.
    pub time: u32,
}

impl TimeStamp {
    /// Whether the time is in milliseconds since midnight UTC.
    pub fn is_standard(self) -> bool {
        self.time & 0x8000_0000 == 0
    }
}

/// The well-formed options in `bytes`.
pub fn parse(bytes: &[u8]) -> Vec<Ip4Option> {
    let mut found = Vec::new();
    let mut rest = bytes.get(..MAX_OPTIONS.min(bytes.len())).unwrap_or_default();
    while let Some(kind) = rest.first().copied() {
        let length = match kind {
            END => break,
            NO_OPERATION => 1,
            _ => usize::from(rest.get(1).copied().unwrap_or(0)),
        };
        let Some((option, behind)) = rest.split_at_checked(length).filter(|_| length >= 2 || kind == NO_OPERATION)
        else {
            break;
        };
        match kind {
            NO_OPERATION => found.push(Ip4Option::NoOperation),
            RECORD_ROUTE => found.push(Ip4Option::RecordRoute(addresses(option))),
            LOOSE_SOURCE_ROUTE => found.push(Ip4Option::SourceRoute(false, addresses(option))),
            STRICT_SOURCE_ROUTE => found.push(Ip4Option::SourceRoute(true, addresses(option))),
            TIME_STAMP => found.push(stamps(option)),
            _ => found.push(Ip4Option::Unknown(kind)),
        }
        rest = behind;
    }
    found
}

/// The filled part of a route: up to the pointer, which counts from 1 over the whole option.
fn addresses(option: &[u8]) -> Vec<Ipv4Addr> {
    let filled = filled(option, 4);
    option.get(3..filled).unwrap_or_default().chunks_exact(4).filter_map(address).collect()
}

fn stamps(option: &[u8]) -> Ip4Option {
    let filled = filled(option, 5);
    let last = byte(option, 3).unwrap_or(0);
    let (overflow, flag) = (last.wrapping_shr(4), last & 0x0f);
    let width = if flag == 0 { 4 } else { 8 };
    let entries = option.get(4..filled).unwrap_or_default().chunks_exact(width);
    let stamps = entries.filter_map(|entry| match flag {
        0 => Some(TimeStamp { address: None, time: be32(entry, 0).ok()? }),
        _ => Some(TimeStamp { address: address(entry), time: be32(entry, 4).ok()? }),
    });
    Ip4Option::TimeStamps { stamps: stamps.collect(), overflow }
}

/// End of the filled part, within the option.
fn filled(option: &[u8], least: u8) -> usize {
    let pointer = byte(option, 2).unwrap_or(least);
    usize::from(pointer.saturating_sub(1)).min(option.len())
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    be32(bytes, 0).ok().map(Ipv4Addr::from)
}

/// An empty record route option for nine addresses, padded to words.
pub fn record_route() -> Vec<u8> {
    let mut bytes = vec![0; MAX_OPTIONS];
    // No operation first, so that addresses are aligned to words.
    for (place, value) in bytes.iter_mut().zip([NO_OPERATION, RECORD_ROUTE, 39, 4]) {
        *place = value;
    }
    bytes
}

/// An empty time stamp option: nine stamps, or four with addresses.
pub fn time_stamps(with_addresses: bool) -> Vec<u8> {
    let length: u8 = if with_addresses { 36 } else { 40 };
    // The unused rest is the end of the list.
    let mut bytes = vec![0; MAX_OPTIONS];
    for (place, value) in bytes.iter_mut().zip([TIME_STAMP, length, 5, u8::from(with_addresses)]) {
        *place = value;
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_record_route_holds_what_lies_before_its_pointer() {
        let mut bytes = record_route();
        bytes.splice(3..12, [12, 10, 0, 0, 1, 10, 0, 0, 2]);
        let route = vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
        assert_eq!(parse(&bytes), [Ip4Option::NoOperation, Ip4Option::RecordRoute(route)]);
        assert_eq!(parse(&record_route()), [Ip4Option::NoOperation, Ip4Option::RecordRoute(Vec::new())]);
    }

    #[test]
    fn time_stamps_come_with_or_without_addresses() {
        let bytes = [TIME_STAMP, 12, 13, 0x20, 0, 0, 0, 7, 0x80, 0, 0, 1];
        let Ip4Option::TimeStamps { stamps, overflow } = parse(&bytes).remove(0) else { panic!("no stamps") };
        assert_eq!((stamps.len(), overflow), (2, 2));
        assert!(stamps[0].is_standard() && !stamps[1].is_standard());
        let bytes = [TIME_STAMP, 12, 13, 1, 192, 0, 2, 1, 0, 0, 0, 9];
        let stamp = TimeStamp { address: Some(Ipv4Addr::new(192, 0, 2, 1)), time: 9 };
        assert_eq!(parse(&bytes), [Ip4Option::TimeStamps { stamps: vec![stamp], overflow: 0 }]);
    }

    #[test]
    fn padding_of_any_length_makes_forty_options_at_most() {
        assert_eq!(parse(&[NO_OPERATION; 40]), vec![Ip4Option::NoOperation; 40]);
        assert_eq!(parse(&[NO_OPERATION; 4_000]).len(), MAX_OPTIONS);
    }

    #[test]
    fn an_option_that_lies_about_its_length_ends_the_walk() {
        for length in [0, 1, 41, 255] {
            assert!(parse(&[RECORD_ROUTE, length, 4, 0, 0, 0, 0]).is_empty(), "{length}");
        }
        assert!(parse(&[RECORD_ROUTE]).is_empty());
    }

    #[test]
    fn a_pointer_anywhere_reads_nothing_beyond_the_option() {
        for pointer in 0..=255 {
            for kind in [RECORD_ROUTE, TIME_STAMP, LOOSE_SOURCE_ROUTE] {
                for flag in [0, 1, 3, 0xff] {
                    assert_eq!(parse(&[kind, 8, pointer, flag, 0, 0, 0, 0]).len(), 1);
                }
            }
        }
    }
}
