//! What the command line means: every value checked here, once, so that the rest of the program takes it as it is.
//!
//! A value that cannot be used is refused with the option, the value and the reason; nothing is ignored silently.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use common::{Failure, Kind};

use crate::cli::Cli;
use crate::pinger::Plan;

/// Longest payload: an IPv4 packet holds 65,535 bytes, of which 28 are headers.
const LONGEST_PAYLOAD: u64 = 65_507;
/// Longest pattern, as in iputils.
const LONGEST_PATTERN: usize = 16;
/// Shortest interval; below it a flood mode would be another program.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
/// Shortest interval of an ordinary user, who shall not flood a network.
const SHORTEST_USER_INTERVAL: Duration = Duration::from_millis(2);
/// Probes that an ordinary user may send at once.
const LARGEST_USER_PRELOAD: u64 = 3;
/// Longest time an option may name: ten years, far from what an `Instant` can hold.
const LONGEST_TIME: f64 = 10.0 * 366.0 * 86_400.0;
/// Payload bytes that carry the time of sending; a shorter payload shows no times, as with iputils.
pub const TIMESTAMP: usize = 16;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and ICMP.
    V4,
    /// IPv6 and `ICMPv6`.
    V6,
}

impl Family {
    /// The family that the name of the program asks for.
    pub fn of_program(name: &str) -> Option<Self> {
        match name {
            "ping4" => Some(Self::V4),
            "ping6" => Some(Self::V6),
            _ => None,
        }
    }

    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Whether `address` belongs to this family.
    pub fn is_of(self, address: IpAddr) -> bool {
        Self::of(address) == self
    }
}

/// Where probes shall leave from; `fe80::1%eth0` names both parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// This address of this host.
    pub address: Option<IpAddr>,
    /// This interface.
    pub interface: Option<String>,
}

impl Origin {
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

/// Everything a run needs to know.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Config {
    /// Host name or address as typed.
    pub destination: String,
    /// The family that was asked for.
    pub family: Option<Family>,
    /// Source address or interface, or neither.
    pub origin: Origin,
    /// When to send and when to stop.
    pub plan: Plan,
    /// What each probe carries; its first bytes are replaced by the time.
    pub payload: Vec<u8>,
    /// The pattern as typed, in bytes.
    pub pattern: Option<Vec<u8>>,
    /// Identifier of the requests, random when `None`.
    pub identifier: Option<u16>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// Type of service or traffic class.
    pub tclass: Option<u8>,
    /// Mark of the packets.
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
    /// Addresses instead of names.
    pub numeric: bool,
    /// Names even for a literal address.
    pub always_names: bool,
    /// Time before each line.
    pub timestamps: bool,
    /// Microseconds in each time.
    pub precise: bool,
    /// Count of `-v`.
    pub verbose: u8,
}

impl Config {
    /// Checks what was typed; `called_as` is the family that the name of the program asks for.
    pub fn new(cli: Cli, called_as: Option<Family>) -> Result<Self, Failure> {
        let destination = cli.destinations.first().cloned().unwrap_or_default();
        if destination.is_empty() && cli.many.targets.is_none() {
            return Err(Failure::new(Kind::Usage, "", "usage error", "Destination address required"));
        }
        let family = match (cli.v4, cli.v6) {
            (true, _) => Some(Family::V4),
            (_, true) => Some(Family::V6),
            _ => called_as,
        };
        let origin = cli.interface.as_deref().map(Origin::parse).unwrap_or_default();
        let family = match (family, origin.address) {
            (Some(family), Some(address)) if !family.is_of(address) => {
                return Err(bad("-I", &address.to_string(), "an address of the other family"));
            }
            // A name with addresses of both families is pinged from where the user stands.
            (None, Some(address)) => Some(Family::of(address)),
            (family, _) => family,
        };
        let pattern = cli.pattern.as_deref().map(pattern_bytes).transpose()?;
        let size = number("-s", &cli.size, 0, LONGEST_PAYLOAD)?;
        let optional = |option, value: &Option<String>, least, most| {
            value.as_deref().map(|value| number(option, value, least, most)).transpose()
        };
        Ok(Self {
            plan: plan(&cli)?,
            payload: payload(usize::try_from(size).unwrap_or_default(), pattern.as_deref()),
            pattern,
            identifier: optional("-e", &cli.identifier, 0, 0xffff)?.and_then(|value| u16::try_from(value).ok()),
            ttl: optional("-t", &cli.ttl, 1, 255)?.and_then(|value| u8::try_from(value).ok()),
            tclass: optional("-Q", &cli.tclass, 0, 255)?.and_then(|value| u8::try_from(value).ok()),
            mark: optional("-m", &cli.mark, 0, u32::MAX.into())?.and_then(|value| u32::try_from(value).ok()),
            send_buffer: optional("-S", &cli.send_buffer, 1, i32::MAX as u64)?
                .and_then(|value| usize::try_from(value).ok()),
            origin,
            destination,
            family,
            multicast_loop: !cli.no_loop,
            broadcast: cli.broadcast,
            sticky_source: cli.sticky,
            connect: cli.connect,
            audible: cli.audible,
            quiet: cli.quiet,
            numeric: cli.numeric,
            always_names: cli.names,
            timestamps: cli.timestamps,
            precise: cli.precise,
            verbose: cli.verbose,
        })
    }

    /// Whether the payload has room for the time, and times are shown.
    pub fn is_timed(&self) -> bool {
        self.payload.len() >= TIMESTAMP
    }
}

fn plan(cli: &Cli) -> Result<Plan, Failure> {
    let is_root = nix::unistd::Uid::current().is_root();
    let interval = seconds("-i", &cli.interval)?;
    if interval < SHORTEST_INTERVAL {
        return Err(bad("-i", &cli.interval, "the shortest interval is 0.001 seconds"));
    }
    if !is_root && interval < SHORTEST_USER_INTERVAL {
        return Err(Failure::new(Kind::Denied, "", "cannot flood", "minimal interval allowed for user is 2ms"));
    }
    let preload = cli.preload.as_deref().map_or(Ok(1), |value| number("-l", value, 1, 65_536))?;
    if !is_root && preload > LARGEST_USER_PRELOAD {
        let reason = format!("{preload}");
        return Err(Failure::new(Kind::Denied, "", "cannot set preload to value greater than 3", reason));
    }
    let timeout = seconds("-W", &cli.timeout)?;
    if timeout.is_zero() {
        return Err(bad("-W", &cli.timeout, "a reply needs some time"));
    }
    let deadline = cli.deadline.as_deref().map(|value| seconds("-w", value)).transpose()?;
    if deadline.is_some_and(|deadline| deadline.is_zero()) {
        return Err(bad("-w", "0", "a run needs some time"));
    }
    Ok(Plan {
        interval,
        preload,
        count: cli.count.as_deref().map(|value| number("-c", value, 1, i64::MAX as u64)).transpose()?,
        timeout,
        deadline,
        user_times: cli.user_times,
    })
}

/// The bytes i, i+1, ... as iputils fills them, or the pattern again and again.
fn payload(size: usize, pattern: Option<&[u8]>) -> Vec<u8> {
    match pattern {
        Some(pattern) => pattern.iter().copied().cycle().take(size).collect(),
        None => (0..=255).cycle().take(size).collect(),
    }
}

fn pattern_bytes(text: &str) -> Result<Vec<u8>, Failure> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(Failure::new(Kind::Usage, "", "patterns must be specified as hex digits", text.to_owned()));
    }
    let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    // Two digits a byte from the left, an odd last one alone.
    let bytes = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
    Ok(bytes.take(LONGEST_PATTERN).collect())
}

fn number(option: &str, text: &str, least: u64, most: u64) -> Result<u64, Failure> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match value {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        Ok(_) => Err(bad(option, text, &format!("out of range: {least} <= value <= {most}"))),
        Err(_) => Err(bad(option, text, &format!("not a number from {least} to {most}"))),
    }
}

fn seconds(option: &str, text: &str) -> Result<Duration, Failure> {
    // The digits are checked first because Rust also reads "inf", "nan" and "1e3".
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse::<f64>() {
        Ok(value) if is_plain && value <= LONGEST_TIME => Ok(Duration::from_secs_f64(value)),
        Ok(_) if is_plain => Err(bad(option, text, "more than ten years")),
        _ => Err(bad(option, text, "not a number of seconds")),
    }
}

fn bad(option: &str, value: &str, reason: &str) -> Failure {
    Failure::new(Kind::Usage, "", format_args!("invalid argument: {option} '{value}'"), reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn config(arguments: &[&str]) -> Result<Config, String> {
        let all = ["ping"].iter().chain(arguments).chain(&["example.com"]);
        Config::new(Cli::try_parse_from(all).unwrap(), None).map_err(|failure| failure.to_string())
    }

    #[test]
    fn without_options_one_echo_a_second_and_one_second_for_each_reply() {
        let config = config(&[]).unwrap();
        assert_eq!(config.plan.interval, Duration::from_secs(1));
        assert_eq!(config.plan.timeout, Duration::from_secs(1));
        assert_eq!((config.payload.len(), config.payload[55]), (56, 55));
    }

    #[test]
    fn values_out_of_range_are_refused_with_option_and_reason() {
        let refused = |arguments: &[&str]| config(arguments).unwrap_err();
        assert_eq!(refused(&["-c", "0"]), "invalid argument: -c '0': out of range: 1 <= value <= 9223372036854775807");
        assert_eq!(refused(&["-t", "300"]), "invalid argument: -t '300': out of range: 1 <= value <= 255");
        assert_eq!(refused(&["-s", "65508"]), "invalid argument: -s '65508': out of range: 0 <= value <= 65507");
        for interval in ["x", "nan", "inf", "1e3", "-1", ""] {
            let told = refused(&["-i", interval]);
            assert!(told.ends_with(": not a number of seconds"), "{told}");
        }
        assert!(refused(&["-i", "0"]).contains("shortest interval"));
        assert!(refused(&["-W", "0"]).contains("-W '0'"));
        assert!(refused(&["-w", "99999999999"]).contains("more than ten years"));
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
