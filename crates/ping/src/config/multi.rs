//! Meaning of the command line of a run with many targets; options without effect there are refused.

use std::path::PathBuf;

use common::{Error, Kind};

use super::Config;
use crate::cli::Cli;
use crate::family::Family;
use crate::multi::target_set::TargetSet;
use crate::multi::target_spec;
use crate::single::plan::Pace;

/// Default packets per second: a /16 in seven seconds.
const USUAL_RATE: u64 = 10_000;
/// Maximum packets per second for users other than root.
const MAX_USER_RATE: u64 = 1_000;
/// Probes to each target with `--alive` and `--unreachable`.
const USUAL_TRIES: u64 = 3;
/// Number of targets that take a tenth of a second at the default rate.
const FEW_TARGETS: u32 = 1_000;
/// Maximum of `--rate`: one packet per nanosecond.
const MAX_RATE: u64 = 1_000_000_000;

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A table, redrawn on a terminal.
    Table,
    /// Targets that answer.
    Alive,
    /// Targets that do not answer.
    Unreachable,
    /// JSON lines.
    Json,
}

/// How fast to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Without a limit.
    Unlimited,
    /// Packets per second.
    PerSecond(u64),
    /// The default, which depends on the targets.
    Usual,
}

/// Everything a run with many targets needs.
#[derive(Debug, Clone)]
pub(crate) struct MultiConfig {
    /// Options shared with a run of one target.
    pub(crate) config: Config,
    /// Targets from the command line.
    pub(crate) words: Vec<String>,
    /// File with further targets, `-` for standard input.
    pub(crate) list: Option<PathBuf>,
    /// Probes to each target; `None` for no end.
    pub(crate) count: Option<u64>,
    pub(crate) rate: Rate,
    /// Whether root started the program; privileges are dropped later.
    is_root: bool,
    pub(crate) style: Style,
    pub(crate) prometheus: Option<PathBuf>,
}

/// Whether this command line describes a run with many targets.
pub(crate) fn is_multi(cli: &Cli) -> bool {
    let multi = &cli.multi;
    multi.targets.is_some()
        || multi.alive
        || multi.unreachable
        || multi.rate.is_some()
        || multi.prometheus.is_some()
        || match cli.destinations.as_slice() {
            [one] => target_spec::is_block(one),
            several => several.len() > 1,
        }
}

impl MultiConfig {
    /// Checks the command line; `called_as` is the family that the program name chooses.
    pub(crate) fn new(cli: Cli, called_as: Option<Family>) -> Result<Self, Error> {
        refuse_what_is_for_one(&cli)?;
        let is_root = nix::unistd::Uid::current().is_root();
        let words = cli.destinations.clone();
        let multi = cli.multi.clone();
        let is_json = cli.json;
        let config = Config::new(cli, called_as)?;
        if config.plan.timeout.is_none() {
            return Err(Error::usage("-W 0", "requires a single target; many targets need a time limit"));
        }
        if !matches!(config.plan.pace, Pace::Every(_)) {
            return Err(Error::new(Kind::Usage, "", "-i 0", "only for a single target; --rate 0 knows no limit"));
        }
        let style = match (multi.alive, multi.unreachable, is_json) {
            (true, _, _) => Style::Alive,
            (_, true, _) => Style::Unreachable,
            (_, _, true) => Style::Json,
            _ => Style::Table,
        };
        let only_alive = matches!(style, Style::Alive | Style::Unreachable);
        let is_sweep = only_alive || words.iter().any(|word| target_spec::is_block(word));
        let usual = if only_alive { Some(USUAL_TRIES) } else { is_sweep.then_some(1) };
        // Metrics describe a continuous run.
        let usual = usual.filter(|_| multi.prometheus.is_none() || only_alive);
        Ok(Self {
            count: config.plan.count.or(usual),
            rate: rate(multi.rate.as_deref(), is_root)?,
            is_root,
            words,
            list: multi.targets,
            style,
            prometheus: multi.prometheus,
            config,
        })
    }

    /// Whether a target gets no further probes after its reply.
    pub(crate) fn stops_at_answer(&self) -> bool {
        matches!(self.style, Style::Alive | Style::Unreachable)
    }

    /// Nanoseconds between two packets.
    ///
    /// Few targets get the default rate even on this host, for exact times.
    pub(crate) fn gap(&self, targets: &TargetSet) -> u64 {
        let rate = match self.rate {
            Rate::Unlimited => return 0,
            Rate::PerSecond(rate) => rate,
            Rate::Usual if !self.is_root => MAX_USER_RATE,
            Rate::Usual if targets.count() > FEW_TARGETS && targets.are_all_loopback() => return 0,
            Rate::Usual => USUAL_RATE,
        };
        1_000_000_000 / rate.max(1)
    }
}

fn rate(text: Option<&str>, is_root: bool) -> Result<Rate, Error> {
    let Some(text) = text else { return Ok(Rate::Usual) };
    let wrong = |reason: String| Error::new(Kind::Usage, "", format_args!("invalid argument: --rate '{text}'"), reason);
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rate = match text.parse::<u64>() {
        Ok(rate) if is_plain && rate <= MAX_RATE => rate,
        _ => return Err(wrong(format!("not a number from 0 to {MAX_RATE}"))),
    };
    if !is_root && !(1..=MAX_USER_RATE).contains(&rate) {
        return Err(Error::new(Kind::Denied, "", "cannot flood", "an ordinary user may send 1000 packets a second"));
    }
    Ok(if rate == 0 { Rate::Unlimited } else { Rate::PerSecond(rate) })
}

/// Refuses options that have no effect on many targets.
fn refuse_what_is_for_one(cli: &Cli) -> Result<(), Error> {
    let given = [
        ("-3", cli.precise),
        ("-a", cli.audible),
        ("-A", cli.adaptive),
        ("-b", cli.broadcast),
        ("-B", cli.sticky),
        ("-C", cli.connect),
        ("-d", cli.debug),
        ("-D", cli.timestamps),
        ("-f", cli.flood),
        ("-F", cli.flow_label.is_some()),
        ("-H", cli.names),
        ("-l", cli.preload.is_some()),
        ("-L", cli.no_loop),
        ("-M", cli.path_mtu.is_some()),
        ("-r", cli.no_route),
        ("-R", cli.record_route),
        ("-T", cli.header_stamps.is_some()),
        ("-U", cli.user_times),
        ("--csv", cli.csv),
        ("--graph", cli.graph),
        ("--stats", cli.stats.is_some()),
        ("--timestamp", cli.timestamp.is_some() && !cli.json),
        ("--until-up", cli.until_up),
        ("--until-down", cli.until_down.is_some()),
        ("--resolve-every", cli.resolve_every.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Error::new(Kind::Usage, "", *option, "only for a single target")),
        None => Ok(()),
    }
}
