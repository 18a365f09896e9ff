//! Options of ping, named and lettered as in iputils.
//!
//! Values stay strings here; `config` parses them and words the errors. clap refuses unknown options.

use clap::{ArgAction, Parser};
use common::logger::Color;

/// Heading of the options that iputils does not have.
const MORE: &str = "Beyond iputils";

pub mod multi;

pub use multi::MultiArgs;

/// Send ICMP echo requests to a host and report the replies
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ping",
    version = concat!(env!("CARGO_PKG_VERSION"), " (options and text of iputils)"),
    after_help = "\
Exit code: 0 some reply, 1 no reply (or fewer than -c before -w), 2 any other error. With many targets: 0 all of them \
answered, 1 some did not, 2 a name was not found or any other error.

Several destinations, a block (10.0.0.0/24, 2001:db8::/120), a range (10.0.0.1-10.0.0.9, 10.0.0.1-9) or an option of \
the section above make a run of many targets. -c, -i, -I, -m, -p, -q, -Q, -s, -t, -w and -W mean the same there, for each \
target; -c is 1 unless given for a block or a range, 3 for --alive and --unreachable, which leave a target alone once it \
has answered, and no end for anything else."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Cli {
    /// Host name or address; several of them, a CIDR block or a range make a run of many targets
    #[arg(value_name = "DESTINATION", required_unless_present = "targets")]
    pub destinations: Vec<String>,
    /// Use IPv4
    #[arg(short = '4', conflicts_with = "v6")]
    pub v4: bool,
    /// Use IPv6
    #[arg(short = '6')]
    pub v6: bool,
    /// Show times with microseconds always
    #[arg(short = '3')]
    pub precise: bool,
    /// Ring the bell at each reply
    #[arg(short = 'a')]
    pub audible: bool,
    /// Send the next probe when the reply to the last is due
    #[arg(short = 'A')]
    pub adaptive: bool,
    /// Allow a broadcast address
    #[arg(short = 'b')]
    pub broadcast: bool,
    /// Keep the source address of the first probe
    #[arg(short = 'B')]
    pub sticky: bool,
    /// Stop after COUNT probes (with -w: replies)
    #[arg(short, long, value_name = "COUNT")]
    pub count: Option<String>,
    /// Connect the socket to the destination
    #[arg(short = 'C')]
    pub connect: bool,
    /// Set the socket option `SO_DEBUG`
    #[arg(short)]
    pub debug: bool,
    /// Print the time before each line
    #[arg(short = 'D')]
    pub timestamps: bool,
    /// Identifier of the requests [default: random]
    #[arg(short = 'e', value_name = "IDENTIFIER")]
    pub identifier: Option<String>,
    /// Flood: a dot for each probe, taken back by its reply, as fast as they come
    #[arg(short)]
    pub flood: bool,
    /// IPv6 flow label, hexadecimal; 0 for a random one
    #[arg(short = 'F', value_name = "FLOWLABEL")]
    pub flow_label: Option<String>,
    /// Look names up even for a destination given as an address
    #[arg(short = 'H')]
    pub names: bool,
    /// Seconds between two probes, 0 for as fast as replies come [default: 1]
    #[arg(short, value_name = "INTERVAL", allow_hyphen_values = true)]
    pub interval: Option<String>,
    /// Interface to send through, or source address
    #[arg(short = 'I', value_name = "INTERFACE")]
    pub interface: Option<String>,
    /// Send PRELOAD probes at once at the start; in a flood, keep as many in flight [default: 1, in a flood 16]
    #[arg(short = 'l', value_name = "PRELOAD")]
    pub preload: Option<String>,
    /// Do not loop multicast packets back
    #[arg(short = 'L')]
    pub no_loop: bool,
    /// Mark of the packets, for routing and firewall
    #[arg(short, value_name = "MARK")]
    pub mark: Option<String>,
    /// Path-MTU discovery: do, dont, want or probe
    #[arg(short = 'M', value_name = "PMTUDISC")]
    pub path_mtu: Option<String>,
    /// Print addresses, never names
    #[arg(short)]
    pub numeric: bool,
    /// Report probes without a reply (always on)
    #[arg(short = 'O')]
    pub outstanding: bool,
    /// Fill the payload with these hexadecimal digits, up to 16 bytes
    #[arg(short, value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Only the first line and the summary
    #[arg(short)]
    pub quiet: bool,
    /// Type of service or traffic class, decimal or 0x hexadecimal
    #[arg(short = 'Q', value_name = "TCLASS")]
    pub tclass: Option<String>,
    /// Bypass routing: reach hosts on an attached network only
    #[arg(short = 'r')]
    pub no_route: bool,
    /// Record the route in the IPv4 header
    #[arg(short = 'R', conflicts_with = "header_stamps")]
    pub record_route: bool,
    /// Bytes of payload
    #[arg(short, value_name = "SIZE", default_value = "56")]
    pub size: String,
    /// Size of the send buffer
    #[arg(short = 'S', value_name = "BYTES")]
    pub send_buffer: Option<String>,
    /// Time to live, or hop limit
    #[arg(short, value_name = "TTL")]
    pub ttl: Option<String>,
    /// Time stamps in the IPv4 header: tsonly or tsandaddr
    #[arg(short = 'T', value_name = "TIMESTAMP")]
    pub header_stamps: Option<String>,
    /// Measure without the kernel's time stamps
    #[arg(short = 'U')]
    pub user_times: bool,
    /// More details; twice and more: a log on standard error
    #[arg(short, action = ArgAction::Count)]
    pub verbose: u8,
    /// Stop after DEADLINE seconds
    #[arg(short = 'w', value_name = "DEADLINE")]
    pub deadline: Option<String>,
    /// Seconds to wait for each reply; a later reply is shown and counted as late
    #[arg(short = 'W', value_name = "TIMEOUT", default_value = "1")]
    pub timeout: String,
    /// JSON: one object per line and event
    #[arg(long, conflicts_with_all = ["csv", "graph"], help_heading = MORE)]
    pub json: bool,
    /// Comma-separated values, one line per event
    #[arg(long, conflicts_with = "graph", help_heading = MORE)]
    pub csv: bool,
    /// Live graph on a terminal
    #[arg(long, help_heading = MORE)]
    pub graph: bool,
    /// Percentiles, jitter, outages and all counters in the summary
    #[arg(long, value_name = "AMOUNT", value_parser = ["full"], help_heading = MORE)]
    pub stats: Option<String>,
    /// Time stamp of each line or record: as text, or in seconds since 1970
    #[arg(long, value_name = "STYLE", value_parser = ["iso", "unix"], help_heading = MORE)]
    pub timestamp: Option<String>,
    /// Stop at the first reply
    #[arg(long, conflicts_with = "until_down", help_heading = MORE)]
    pub until_up: bool,
    /// Stop after N consecutive probes without a reply [default: 3]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "3", help_heading = MORE)]
    pub until_down: Option<String>,
    /// Resolve the name again every SECONDS and follow its address
    #[arg(long, value_name = "SECONDS", help_heading = MORE)]
    pub resolve_every: Option<String>,
    /// Colour of the output
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, help_heading = MORE)]
    pub color: Color,
    /// Options of a run with many targets.
    #[command(flatten)]
    pub multi: MultiArgs,
}
