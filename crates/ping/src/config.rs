//! Meaning of the command line: every value is parsed and checked here.
//!
//! An invalid value is refused with option, value and reason; no option is ignored.

pub(crate) mod multi;
mod values;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use common::logger::Color;
use common::{Error, Kind};

use self::values::{bad, flow_label, number, pattern_bytes, seconds};
use crate::cli::Cli;
use crate::exit_code::UNANSWERED;
use crate::family::Family;
use crate::proto::payload::TIMED;
use crate::single::plan::{Pace, Plan, Until};

/// Maximum number of probes of a flood in flight, and per system call.
const FLOOD_PRELOAD: u64 = 16;
/// Maximum total size of these probes in bytes: larger batches leave the processor cache.
const FLOOD_BYTES: u64 = 65_536;
/// Longest payload of IPv4: a packet has 65,535 bytes, 28 of them headers.
const MAX_PAYLOAD_V4: usize = 65_507;
/// Longest payload of IPv6: the length field does not count the IPv6 header.
const MAX_PAYLOAD: u64 = 65_527;
/// Shortest interval for users other than root (flood protection).
const MIN_USER_INTERVAL: Duration = Duration::from_millis(2);
/// Shortest interval for users other than root towards a broadcast or multicast address.
const MIN_GROUP_INTERVAL: Duration = Duration::from_secs(1);
/// Most probes that users other than root may send at once.
const MAX_USER_PRELOAD: u64 = 3;
/// Shortest time between two look-ups of the target's name, to spare name servers.
const MIN_RESOLVE: Duration = Duration::from_secs(1);

/// Source of the probes; `fe80::1%eth0` gives both parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// A local address.
    pub address: Option<IpAddr>,
    /// A network interface.
    pub interface: Option<String>,
}

impl Origin {
    /// The origin with a further `-I`: the last address and the last interface count.
    fn with(self, typed: &str) -> Self {
        let Self { address, interface } = Self::parse(typed);
        Self { address: address.or(self.address), interface: interface.or(self.interface) }
    }

    fn parse(text: &str) -> Self {
        if let Ok(address) = text.parse() {
            return Self { address: Some(address), interface: None };
        }
        let zoned = text.split_once('%').and_then(|(address, zone)| Some((address.parse::<Ipv6Addr>().ok()?, zone)));
        match zoned {
            Some((address, zone)) => Self { address: Some(address.into()), interface: Some(zone.to_owned()) },
            None => Self { address: None, interface: Some(text.to_owned()) },
        }
    }
}

/// Path-MTU discovery (`IP_MTU_DISCOVER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMtu {
    /// Off: packets may be fragmented on the path.
    Dont,
    /// By this host only.
    Want,
    /// Never fragmented.
    Do,
    /// Never fragmented, and the known path MTU is ignored.
    Probe,
}

/// IPv4 header option of each probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderOption {
    /// Record route.
    RecordRoute,
    /// Time stamps.
    TimeStamps {
        /// With the addresses of the routers.
        with_addresses: bool,
    },
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text of iputils.
    Text,
    /// JSON lines.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Live graph.
    Graph,
}

/// Format of time stamps in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStyle {
    /// Seconds since 1970.
    Unix,
    /// RFC 3339, in UTC.
    Iso,
}

/// Everything a run needs.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Config {
    /// Host name or address as given.
    pub destination: String,
    /// The requested address family.
    pub family: Option<Family>,
    /// Source address or interface, or neither.
    pub origin: Origin,
    /// When to send and when to stop.
    pub plan: Plan,
    /// Payload of each probe; its first bytes are replaced by the time.
    pub payload: Vec<u8>,
    /// The pattern as given, in bytes.
    pub pattern: Option<Vec<u8>>,
    /// Identifier of the requests, random when `None`.
    pub identifier: Option<u16>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// Type of service or traffic class.
    pub tclass: Option<u8>,
    /// Path-MTU discovery; what the system does when `None`.
    pub path_mtu: Option<PathMtu>,
    /// Option in the IPv4 header.
    pub header_option: Option<HeaderOption>,
    /// IPv6 flow label; 0 for a random one.
    pub flow_label: Option<u32>,
    /// `SO_DEBUG`.
    pub debug: bool,
    /// `SO_DONTROUTE`.
    pub no_route: bool,
    /// `SO_MARK`.
    pub mark: Option<u32>,
    /// Size of the send buffer.
    pub send_buffer: Option<usize>,
    /// Whether multicast packets are looped back.
    pub multicast_loop: bool,
    /// Whether a broadcast address is allowed.
    pub broadcast: bool,
    /// Whether the socket is bound to the first source address.
    pub sticky_source: bool,
    /// Whether the socket is connected.
    pub connect: bool,
    /// Bell at each reply.
    pub audible: bool,
    /// No lines for replies.
    pub quiet: bool,
    /// Lines for probes without a reply, also with `quiet`.
    pub outstanding: bool,
    /// Addresses instead of names.
    pub numeric: bool,
    /// Names even for a literal address.
    pub always_names: bool,
    /// Form of the output.
    pub format: Format,
    /// Print a dot per probe and erase it with the reply.
    pub flood: bool,
    /// Print the mean time between two sends.
    pub shows_gap: bool,
    /// All counters and statistics in the summary.
    pub full_stats: bool,
    /// Time stamp of each line or record.
    pub timestamps: Option<TimeStyle>,
    /// Whether output is coloured.
    pub color: Color,
    /// Period of re-resolution.
    pub resolve_every: Option<Duration>,
    /// Microseconds in each time.
    pub precise: bool,
    /// Whether root started the program; privileges are dropped later.
    pub is_root: bool,
    /// Count of `-v`.
    pub verbose: u8,
}

impl Config {
    /// Checks the command line; `called_as` is the family that the program name chooses.
    pub fn new(cli: Cli, called_as: Option<Family>) -> Result<Self, Error> {
        if cli.multi.targets.is_none() && cli.destinations.is_empty() {
            return Err(Error::of(Kind::Exit(UNANSWERED), "usage error", "Destination address required"));
        }
        let (family, origin) = family_and_origin(&cli, called_as)?;
        let pattern = cli.pattern.as_deref().map(pattern_bytes).transpose()?;
        let size = number("-s", &cli.size, 0, MAX_PAYLOAD)?;
        let plan = plan(&cli, size)?;
        let optional = |option, value: &Option<String>, least, most| {
            value.as_deref().map(|value| number(option, value, least, most)).transpose()
        };
        Ok(Self {
            plan: plan.clone(),
            payload: payload(usize::try_from(size).unwrap_or_default(), pattern.as_deref()),
            pattern,
            identifier: optional("-e", &cli.identifier, 0, 0xffff)?.and_then(|value| u16::try_from(value).ok()),
            ttl: optional("-t", &cli.ttl, 1, 255)?.and_then(|value| u8::try_from(value).ok()),
            tclass: cli.tclass.as_deref().map(tclass).transpose()?,
            path_mtu: cli.path_mtu.as_deref().map(path_mtu).transpose()?,
            header_option: header_option(&cli)?,
            flow_label: cli.flow_label.as_deref().map(flow_label).transpose()?,
            debug: cli.debug,
            no_route: cli.no_route,
            mark: optional("-m", &cli.mark, 0, u32::MAX.into())?.and_then(|value| u32::try_from(value).ok()),
            send_buffer: optional("-S", &cli.send_buffer, 1, i32::MAX as u64)?
                .and_then(|value| usize::try_from(value).ok()),
            origin,
            destination: cli.destinations.into_iter().next().unwrap_or_default(),
            family,
            multicast_loop: !cli.no_loop,
            broadcast: cli.broadcast,
            sticky_source: cli.sticky,
            connect: cli.connect,
            audible: cli.audible,
            quiet: cli.quiet,
            outstanding: cli.outstanding,
            numeric: cli.numeric,
            always_names: cli.names,
            format: match (cli.json, cli.csv, cli.graph) {
                (true, _, _) => Format::Json,
                (_, true, _) => Format::Csv,
                (_, _, true) => Format::Graph,
                _ => Format::Text,
            },
            flood: cli.flood,
            shows_gap: cli.flood || cli.adaptive || matches!(plan.pace, Pace::Flood),
            full_stats: cli.stats.is_some(),
            timestamps: match cli.timestamp.as_deref() {
                Some("iso") => Some(TimeStyle::Iso),
                Some(_) => Some(TimeStyle::Unix),
                None => cli.timestamps.then_some(TimeStyle::Unix),
            },
            color: cli.color,
            resolve_every: cli.resolve_every.as_deref().map(resolve_every).transpose()?,
            precise: cli.precise,
            is_root: nix::unistd::Uid::current().is_root(),
            verbose: cli.verbose,
        })
    }

    /// Whether this user may ping a broadcast or multicast address with this interval and without fragments.
    pub fn allow_group(&self, is_broadcast: bool, target: IpAddr) -> Result<(), Error> {
        if self.is_root || !(is_broadcast || target.is_multicast()) {
            return Ok(());
        }
        let refused = |what: &'static str, why: &str| Err(Error::new(Kind::Denied, what, "", why.to_owned()));
        match self.plan.pace {
            Pace::Every(interval) if interval >= MIN_GROUP_INTERVAL => {}
            _ => return refused("broadcast ping with too short interval", "an ordinary user waits a second"),
        }
        match self.path_mtu {
            None | Some(PathMtu::Do) => Ok(()),
            Some(_) => refused("broadcast ping does not fragment", "-M do"),
        }
    }

    /// Refuses a payload that does not fit a packet of this address family.
    pub fn check_size(&self, family: Family) -> Result<(), Error> {
        if family == Family::V4 && self.payload.len() > MAX_PAYLOAD_V4 {
            let size = self.payload.len();
            return Err(Error::usage(
                format_args!("packet size {size} is too large"),
                format!("IPv4 takes {MAX_PAYLOAD_V4} bytes"),
            ));
        }
        Ok(())
    }

    /// Whether the payload has room for the time, so that times are shown.
    pub fn is_timed(&self) -> bool {
        self.payload.len() >= TIMED
    }
}

/// The requested address family, also by option, program name or source address, and the source of the probes.
fn family_and_origin(cli: &Cli, called_as: Option<Family>) -> Result<(Option<Family>, Origin), Error> {
    let family = match (cli.v4, cli.v6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => called_as,
    };
    let family = implied_family(cli, family)?;
    let origin = cli.interface.iter().fold(Origin::default(), |origin, typed| origin.with(typed));
    match (family, origin.address) {
        (Some(family), Some(address)) if !family.is_of(address) => {
            Err(bad("-I", &address.to_string(), "an address of the other family"))
        }
        // A source address decides the family of a name that has both.
        (None, Some(address)) => Ok((Some(Family::of(address)), origin)),
        (family, _) => Ok((family, origin)),
    }
}

/// The address family that other options require; they are refused with the other family.
fn implied_family(cli: &Cli, family: Option<Family>) -> Result<Option<Family>, Error> {
    let (option, implied) = match (cli.record_route, &cli.header_stamps, &cli.flow_label) {
        (true, _, _) => ("-R", Family::V4),
        (_, Some(_), _) => ("-T", Family::V4),
        (_, _, Some(_)) => ("-F", Family::V6),
        _ => return Ok(family),
    };
    let is_other =
        family.is_some_and(|family| family != implied) || (cli.flow_label.is_some() && implied == Family::V4);
    if is_other {
        let reason = if implied == Family::V4 { "an option of IPv4" } else { "an option of IPv6" };
        return Err(Error::new(Kind::Usage, "", option, reason));
    }
    Ok(Some(implied))
}

fn plan(cli: &Cli, size: u64) -> Result<Plan, Error> {
    let is_root = nix::unistd::Uid::current().is_root();
    let pace = pace(cli, is_root)?;
    let usual = if pace == Pace::Flood { (FLOOD_BYTES / size.max(1)).clamp(1, FLOOD_PRELOAD) } else { 1 };
    let preload = cli.preload.as_deref().map_or(Ok(usual), |value| number("-l", value, 1, 65_536))?;
    if !is_root && preload > MAX_USER_PRELOAD {
        let reason = format!("{preload}");
        return Err(Error::new(Kind::Denied, "", "cannot set preload to value greater than 3", reason));
    }
    // Zero means no limit, for both.
    let timeout = Some(seconds("-W", &cli.timeout)?).filter(|timeout| !timeout.is_zero());
    let deadline = cli.deadline.as_deref().map(|value| seconds("-w", value)).transpose()?;
    let deadline = deadline.filter(|deadline| !deadline.is_zero());
    let down = cli.until_down.as_deref().map(|row| number("--until-down", row, 1, 65_536)).transpose()?;
    Ok(Plan {
        pace,
        preload,
        count: cli.count.as_deref().map(|value| number("-c", value, 1, i64::MAX as u64)).transpose()?,
        timeout,
        deadline,
        until: if cli.until_up { Some(Until::Up) } else { down.map(Until::Down) },
        user_times: cli.user_times,
    })
}

fn pace(cli: &Cli, is_root: bool) -> Result<Pace, Error> {
    let interval = match &cli.interval {
        Some(typed) => seconds("-i", typed)?,
        None if cli.flood => Duration::ZERO,
        None => Duration::from_secs(1),
    };
    if !is_root && interval < MIN_USER_INTERVAL {
        return Err(Error::new(Kind::Denied, "", "cannot flood", "minimal interval allowed for user is 2ms"));
    }
    Ok(match interval {
        _ if cli.adaptive => Pace::Adaptive(if is_root { Duration::ZERO } else { MIN_USER_INTERVAL }),
        Duration::ZERO => Pace::Flood,
        interval => Pace::Every(interval),
    })
}

fn path_mtu(text: &str) -> Result<PathMtu, Error> {
    match text {
        "do" => Ok(PathMtu::Do),
        "dont" => Ok(PathMtu::Dont),
        "want" => Ok(PathMtu::Want),
        "probe" => Ok(PathMtu::Probe),
        _ => Err(invalid("invalid -M argument", text)),
    }
}

fn header_option(cli: &Cli) -> Result<Option<HeaderOption>, Error> {
    Ok(match cli.header_stamps.as_deref() {
        _ if cli.record_route => Some(HeaderOption::RecordRoute),
        None => None,
        Some("tsonly") => Some(HeaderOption::TimeStamps { with_addresses: false }),
        Some("tsandaddr") => Some(HeaderOption::TimeStamps { with_addresses: true }),
        Some(other) => return Err(invalid("invalid timestamp type", other)),
    })
}

/// The error of iputils for an unknown keyword.
fn invalid(what: &'static str, value: &str) -> Error {
    Error::new(Kind::Usage, what, "", value.to_owned())
}

/// A type of service or traffic class; iputils exits with 2 for a wrong one.
fn tclass(text: &str) -> Result<u8, Error> {
    let value = number("-Q", text, 0, 255).map_err(|error| error.with_kind(Kind::Usage))?;
    u8::try_from(value).map_err(|_| bad("-Q", text, "out of range"))
}

fn resolve_every(text: &str) -> Result<Duration, Error> {
    let period = seconds("--resolve-every", text)?;
    if period < MIN_RESOLVE {
        return Err(bad("--resolve-every", text, "once a second at most"));
    }
    Ok(period)
}

/// Bytes i, i+1, ... as in iputils, or the repeated pattern.
fn payload(size: usize, pattern: Option<&[u8]>) -> Vec<u8> {
    match pattern {
        Some(pattern) => pattern.iter().copied().cycle().take(size).collect(),
        None => (0..=255).cycle().take(size).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn config(arguments: &[&str]) -> Result<Config, String> {
        let all = ["ping"].iter().chain(arguments).chain(&["example.com"]);
        Config::new(Cli::try_parse_from(all).unwrap(), None).map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_one_echo_a_second_and_one_second_for_each_reply() {
        let config = config(&[]).unwrap();
        assert_eq!(config.plan.pace, Pace::Every(Duration::from_secs(1)));
        assert_eq!(config.plan.timeout, Some(Duration::from_secs(1)));
        assert_eq!((config.payload.len(), config.payload[55]), (56, 55));
    }

    #[test]
    fn values_out_of_range_are_refused_with_option_and_reason() {
        let refused = |arguments: &[&str]| config(arguments).unwrap_err();
        assert_eq!(refused(&["-c", "0"]), "invalid argument: -c '0': out of range: 1 <= value <= 9223372036854775807");
        assert_eq!(refused(&["-t", "300"]), "invalid argument: -t '300': out of range: 1 <= value <= 255");
        assert_eq!(refused(&["-s", "65528"]), "invalid argument: -s '65528': out of range: 0 <= value <= 65527");
        for interval in ["x", "nan", "inf", "-1", ""] {
            let reported = refused(&["-i", interval]);
            assert!(reported.ends_with(": not a number of seconds"), "{reported}");
        }
        assert_eq!(refused(&["-M", "yes"]), "invalid -M argument: yes");
        assert_eq!(refused(&["-T", "tsprespec"]), "invalid timestamp type: tsprespec");
        assert_eq!(refused(&["-F", "100000"]), "flow value is greater than 20 bits: 100000");
        assert!(refused(&["--resolve-every", "0.5"]).contains("once a second"));
        assert!(refused(&["-w", "99999999999"]).contains("more than ten years"));
    }

    #[test]
    fn the_last_of_repeated_options_counts_and_zero_means_no_limit() {
        let repeated = config(&["-c", "5", "-c", "2", "-s", "1", "-s", "2", "-n", "-H", "-q", "-q"]).unwrap();
        assert_eq!((repeated.plan.count, repeated.payload.len()), (Some(2), 2));
        assert_eq!((repeated.numeric, repeated.always_names, repeated.quiet), (false, true, true));
        let both = config(&["-I", "lo", "-I", "::1", "-I", "127.0.0.1"]).unwrap().origin;
        assert_eq!(both, Origin { address: Some([127, 0, 0, 1].into()), interface: Some("lo".to_owned()) });
        let plan = config(&["-W", "0", "-w", "0"]).unwrap().plan;
        assert_eq!((plan.timeout, plan.deadline), (None, None));
    }

    #[test]
    fn numbers_are_read_as_strtol_and_strtod_read_them() {
        let plan = |arguments: &[&str]| config(arguments).unwrap().plan;
        assert_eq!(plan(&["-c", " 1"]).count, Some(1));
        assert_eq!(plan(&["-c", "+7"]).count, Some(7));
        for (typed, milliseconds) in
            [(" 1", 1000), ("+1.5", 1500), ("1e0", 1000), ("2E-1", 200), ("0x1", 1000), (".2", 200), ("1.", 1000)]
        {
            assert_eq!(plan(&["-W", typed]).timeout, Some(Duration::from_millis(milliseconds)), "{typed}");
        }
        assert_eq!(config(&["-Q", "0X1f"]).unwrap().tclass, Some(31));
        assert_eq!(config(&["-s", "65527"]).unwrap().payload.len(), 65_527);
    }

    #[test]
    fn a_pattern_is_hex_and_fills_the_payload() {
        let config = config(&["-p", "ff01a", "-s", "7"]).unwrap();
        assert_eq!(config.payload, [0xff, 0x01, 0x0a, 0xff, 0x01, 0x0a, 0xff]);
        assert!(self::config(&["-p", "xyz"]).unwrap_err().contains("hex digits: xyz"));
    }

    #[test]
    fn an_origin_is_an_address_or_else_an_interface() {
        let origin = |typed: &str| {
            let Origin { address, interface } = config(&["-I", typed]).unwrap().origin;
            (address.map(|address| address.to_string()), interface)
        };
        assert_eq!(origin("::1"), (Some("::1".to_owned()), None));
        assert_eq!(origin("fe80::1%eth0"), (Some("fe80::1".to_owned()), Some("eth0".to_owned())));
        assert_eq!(origin("lo"), (None, Some("lo".to_owned())));
    }

    #[test]
    fn the_name_of_the_program_chooses_a_family_and_an_option_overrules_it() {
        assert_eq!(Family::of_program("ping6"), Some(Family::V6));
        let cli = Cli::try_parse_from(["ping6", "-4", "x"]).unwrap();
        assert_eq!(Config::new(cli, Some(Family::V6)).unwrap().family, Some(Family::V4));
    }
}
