//! Options of ping, named and lettered as in iputils.
//!
//! Values stay strings here; `config` parses them and words the errors. As with getopt, an option may be repeated and
//! the last one counts; a value may begin with a hyphen.

pub mod multi;

use clap::{ArgAction, Parser, ValueHint};
use common::logger::Color;

pub use multi::MultiArgs;

const PROBES: &str = "Probes";
const NETWORK: &str = "Network";
const OUTPUT: &str = "Output";

/// Send ICMP echo requests to a host and report the replies
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ping",
    version = common::version::text(env!("CARGO_PKG_VERSION"), "options and text of iputils"),
    args_override_self = true,
    max_term_width = 100,
    styles = common::help::STYLES,
    after_help = "\
Examples:
  ping example.com                      until Ctrl-C
  ping -c 3 -q 192.0.2.1                three probes, the summary only
  ping --until-up host && ssh host      as soon as it answers
  ping --alive 192.0.2.0/24             addresses that answer
  ping --json -c 5 host | jq .rtt_ms    for scripts",
    after_long_help = "\
Examples:
  ping example.com                      until Ctrl-C
  ping -c 3 -q 192.0.2.1                three probes, the summary only
  ping --until-up host && ssh host      as soon as it answers
  ping --alive 192.0.2.0/24             addresses that answer
  ping --json -c 5 host | jq .rtt_ms    for scripts

Exit code: 0 some reply, 1 no reply (or fewer than -c before -w), 2 any other error. With many targets: 0 all of them \
answered, 1 some did not, 2 a name was not found or any other error.

A reply counts as in time for one second (-W). A later one is shown and counted as late.

Several destinations, a block (192.0.2.0/24, 2001:db8::/120), a range (192.0.2.1-192.0.2.9, 192.0.2.1-9) or an option \
of the section \"Many targets\" make a run with many targets. -c, -i, -I, -m, -p, -q, -Q, -s, -t, -w and -W mean the \
same there, for each target. -c defaults to 1 for a block or a range, to 3 for --alive and --unreachable, which stop \
probing a target once it has answered, and to no end otherwise."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Cli {
    /// Host names or addresses, CIDR blocks, ranges
    #[arg(value_name = "DESTINATION", value_hint = ValueHint::Hostname)]
    pub destinations: Vec<String>,
    /// Use IPv4
    #[arg(short = '4', conflicts_with = "v6", help_heading = NETWORK)]
    pub v4: bool,
    /// Use IPv6
    #[arg(short = '6', help_heading = NETWORK)]
    pub v6: bool,
    /// Show times with microseconds always
    #[arg(short = '3', help_heading = OUTPUT, hide_short_help = true)]
    pub precise: bool,
    /// Ring the bell at each reply
    #[arg(short = 'a', help_heading = OUTPUT, hide_short_help = true)]
    pub audible: bool,
    /// Send the next probe when the reply to the last is due
    #[arg(short = 'A', help_heading = PROBES, hide_short_help = true)]
    pub adaptive: bool,
    /// Allow a broadcast address
    #[arg(short = 'b', help_heading = NETWORK, hide_short_help = true)]
    pub broadcast: bool,
    /// Keep the source address of the first probe
    #[arg(short = 'B', help_heading = NETWORK, hide_short_help = true)]
    pub sticky: bool,
    /// Stop after COUNT probes (with -w: replies)
    #[arg(short, long, value_name = "COUNT", allow_hyphen_values = true, help_heading = PROBES)]
    pub count: Option<String>,
    /// Connect the socket to the destination
    #[arg(short = 'C', help_heading = NETWORK, hide_short_help = true)]
    pub connect: bool,
    /// Set the socket option `SO_DEBUG`
    #[arg(short, help_heading = NETWORK, hide_short_help = true)]
    pub debug: bool,
    /// Print the time before each line
    #[arg(short = 'D', help_heading = OUTPUT, hide_short_help = true)]
    pub timestamps: bool,
    /// Identifier of the requests [default: random]
    #[arg(short = 'e', value_name = "IDENTIFIER", allow_hyphen_values = true, help_heading = PROBES, hide_short_help = true)]
    pub identifier: Option<String>,
    /// Flood: as fast as replies come, a dot for each missing one
    #[arg(short, help_heading = PROBES)]
    pub flood: bool,
    /// IPv6 flow label, hexadecimal; 0 for a random one
    #[arg(short = 'F', value_name = "FLOWLABEL", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub flow_label: Option<String>,
    /// Look up names even for a destination given as an address
    #[arg(short = 'H', overrides_with = "numeric", help_heading = OUTPUT, hide_short_help = true)]
    pub names: bool,
    /// Seconds between two probes, 0 for as fast as replies come [default: 1]
    #[arg(short, value_name = "INTERVAL", allow_hyphen_values = true, help_heading = PROBES)]
    pub interval: Option<String>,
    /// Interface or source address; given twice: both
    #[arg(short = 'I', value_name = "INTERFACE", allow_hyphen_values = true, help_heading = NETWORK, value_hint = ValueHint::Other)]
    pub interface: Vec<String>,
    /// Send PRELOAD probes at once at the start; in a flood, keep as many in flight [default: 1, in a flood 16]
    #[arg(short = 'l', value_name = "PRELOAD", allow_hyphen_values = true, help_heading = PROBES, hide_short_help = true)]
    pub preload: Option<String>,
    /// Do not loop multicast packets back
    #[arg(short = 'L', help_heading = NETWORK, hide_short_help = true)]
    pub no_loop: bool,
    /// Mark of the packets, for routing and firewall
    #[arg(short, value_name = "MARK", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub mark: Option<String>,
    /// Path-MTU discovery: do, dont, want or probe
    #[arg(short = 'M', value_name = "PMTUDISC", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub path_mtu: Option<String>,
    /// Print addresses, never names
    #[arg(short, overrides_with = "names", help_heading = OUTPUT)]
    pub numeric: bool,
    /// Report probes without a reply (always on); with -q too
    #[arg(short = 'O', help_heading = OUTPUT, hide_short_help = true)]
    pub outstanding: bool,
    /// Fill the payload with these hexadecimal digits, up to 16 bytes
    #[arg(short, value_name = "PATTERN", allow_hyphen_values = true, help_heading = PROBES, hide_short_help = true)]
    pub pattern: Option<String>,
    /// Only the first line and the summary
    #[arg(short, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Type of service or traffic class, decimal or 0x hexadecimal
    #[arg(short = 'Q', value_name = "TCLASS", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub tclass: Option<String>,
    /// Bypass routing: reach hosts on an attached network only
    #[arg(short = 'r', help_heading = NETWORK, hide_short_help = true)]
    pub no_route: bool,
    /// Record the route in the IPv4 header
    #[arg(short = 'R', conflicts_with = "header_stamps", help_heading = NETWORK, hide_short_help = true)]
    pub record_route: bool,
    /// Bytes of payload
    #[arg(short, value_name = "SIZE", default_value = "56", allow_hyphen_values = true, help_heading = PROBES)]
    pub size: String,
    /// Size of the send buffer
    #[arg(short = 'S', value_name = "BYTES", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub send_buffer: Option<String>,
    /// Time to live, or hop limit
    #[arg(short, value_name = "TTL", allow_hyphen_values = true, help_heading = NETWORK)]
    pub ttl: Option<String>,
    /// Time stamps in the IPv4 header: tsonly or tsandaddr
    #[arg(short = 'T', value_name = "TIMESTAMP", allow_hyphen_values = true, help_heading = NETWORK, hide_short_help = true)]
    pub header_stamps: Option<String>,
    /// Measure without the kernel's time stamps
    #[arg(short = 'U', help_heading = PROBES, hide_short_help = true)]
    pub user_times: bool,
    /// More details; twice and more: a log on standard error
    #[arg(short, action = ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// Stop after DEADLINE seconds, 0 for never
    #[arg(short = 'w', value_name = "DEADLINE", allow_hyphen_values = true, help_heading = PROBES)]
    pub deadline: Option<String>,
    /// Seconds to wait for each reply, 0 for no limit
    ///
    /// A later reply is shown and counted as late.
    #[arg(short = 'W', value_name = "TIMEOUT", default_value = "1", allow_hyphen_values = true, help_heading = PROBES)]
    pub timeout: String,
    /// JSON: one object per line and event
    #[arg(long, conflicts_with_all = ["csv", "graph"], help_heading = OUTPUT)]
    pub json: bool,
    /// Comma-separated values, one line per event
    #[arg(long, conflicts_with = "graph", help_heading = OUTPUT, hide_short_help = true)]
    pub csv: bool,
    /// Live graph on a terminal
    #[arg(long, help_heading = OUTPUT)]
    pub graph: bool,
    /// Percentiles, jitter, outages and all counters in the summary
    #[arg(long, value_name = "AMOUNT", value_parser = ["full"], help_heading = OUTPUT, hide_short_help = true)]
    pub stats: Option<String>,
    /// Time stamp of each line or record: as text, or in seconds since 1970
    #[arg(long, value_name = "STYLE", value_parser = ["iso", "unix"], help_heading = OUTPUT, hide_short_help = true)]
    pub timestamp: Option<String>,
    /// Stop at the first reply
    #[arg(long, conflicts_with = "until_down", help_heading = PROBES)]
    pub until_up: bool,
    /// Stop after N consecutive probes without a reply [default: 3]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "3", help_heading = PROBES, hide_short_help = true)]
    pub until_down: Option<String>,
    /// Resolve the name again every SECONDS and follow its address
    #[arg(long, value_name = "SECONDS", help_heading = NETWORK, hide_short_help = true)]
    pub resolve_every: Option<String>,
    /// Colour of the output
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, help_heading = OUTPUT, hide_short_help = true)]
    pub color: Color,
    /// Options of a run with many targets.
    #[command(flatten)]
    pub multi: MultiArgs,
}
