//! IPv4 options of a reply, in the text of iputils.

use std::net::{Ipv4Addr, SocketAddr};

use super::{ReportContext, put};
use crate::proto::options::{Ip4Option, TimeStamp, parse};

/// Writes the options of replies; an unchanged route is printed once.
#[derive(Debug, Default)]
pub(super) struct Options {
    route: Vec<Ipv4Addr>,
}

impl Options {
    /// Appends the lines of these options.
    pub(super) fn put(&mut self, line: &mut String, bytes: &[u8], context: &mut ReportContext<'_>) {
        for option in parse(bytes) {
            match option {
                Ip4Option::NoOperation => line.push_str("\nNOP"),
                Ip4Option::RecordRoute(route) if route.is_empty() => {}
                Ip4Option::RecordRoute(route) if route == self.route => line.push_str("\t(same route)"),
                Ip4Option::RecordRoute(route) => {
                    line.push_str("\nRR: ");
                    addresses(line, &route, context);
                    self.route = route;
                }
                Ip4Option::SourceRoute(strict, route) => {
                    line.push_str(if strict { "\nSSRR: " } else { "\nLSRR: " });
                    addresses(line, &route, context);
                }
                Ip4Option::TimeStamps { stamps, overflow } if !stamps.is_empty() => {
                    line.push_str("\nTS: ");
                    times(line, &stamps, context);
                    if overflow > 0 {
                        put(line, format_args!("Unrecorded hops: {overflow}\n"));
                    }
                }
                Ip4Option::TimeStamps { .. } => {}
                Ip4Option::Unknown(kind) => put(line, format_args!("\nunknown option {kind:x}")),
            }
        }
    }
}

fn addresses(line: &mut String, route: &[Ipv4Addr], context: &mut ReportContext<'_>) {
    for address in route {
        put(line, format_args!("\t{}\n", shown(*address, context)));
    }
}

fn shown(address: Ipv4Addr, context: &mut ReportContext<'_>) -> String {
    if address.is_unspecified() { address.to_string() } else { context.shown(SocketAddr::new(address.into(), 0)) }
}

/// The first time of each kind is absolute, the others are relative to the previous one.
fn times(line: &mut String, stamps: &[TimeStamp], context: &mut ReportContext<'_>) {
    let mut before = [0u32; 2];
    for stamp in stamps {
        if let Some(address) = stamp.address {
            put(line, format_args!("\t{}", shown(address, context)));
        }
        let time = stamp.time & 0x7fff_ffff;
        let previous = &mut before[usize::from(stamp.is_standard())];
        match *previous {
            0 => put(line, format_args!("\t{time} absolute")),
            earlier => put(line, format_args!("\t{}", i64::from(time) - i64::from(earlier))),
        }
        *previous = time;
        line.push_str(if stamp.is_standard() { "\n" } else { " not-standard\n" });
    }
}
