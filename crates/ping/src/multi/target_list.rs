//! Builds the target set from the command line, the file of `--targets` and the names in both.
//!
//! A malformed target ends the run before anything is sent; a name that does not resolve is reported and skipped. The
//! file is opened with the rights of the caller and read after privileges are dropped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use common::{Error, Kind, SafeText};
use nix::unistd::{Uid, seteuid};

use super::target_set::{Builder, TargetSet};
use super::target_spec::{self, TargetSpec};
use crate::config::multi::MultiConfig;
use crate::family::Family;
use crate::resolve;

/// Names looked up at the same time: a slow name server answers several questions as fast as one.
const LOOKUPS: usize = 16;
/// Longest line of a file; no name is that long (RFC 1035: 255 bytes).
const MAX_LINE: u64 = 64 * 1024;

/// The targets of the command line, parsed.
#[derive(Debug)]
pub(crate) struct TargetArgs {
    targets: Vec<TargetSpec>,
    /// Whether a file will bring more.
    has_file: bool,
}

impl TargetArgs {
    /// Whether there may be a target of this family.
    pub(crate) fn may_have(&self, family: Family) -> bool {
        let fits = |target: &TargetSpec| match target {
            TargetSpec::Address(first) | TargetSpec::Block { first, .. } => family.is_of(target_spec::address(*first)),
            TargetSpec::Name(_) => true,
        };
        self.has_file || self.targets.iter().any(fits)
    }
}

/// All targets, and how many names could not be looked up.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) targets: TargetSet,
    pub(crate) unresolved: u64,
}

/// Where more words come from.
pub(crate) enum TargetFile {
    /// Standard input.
    Input,
    /// A file, for messages with its name.
    File(File, String),
}

impl TargetFile {
    /// Opens the file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            return Ok(Self::Input);
        }
        // A set-user-id program must not read for its caller what only its owner may read.
        let (real, effective) = (Uid::current(), Uid::effective());
        let become_user = |user| seteuid(user).map_err(|errno| Error::io("become", "the calling user", errno.into()));
        if real != effective {
            become_user(real)?;
        }
        let file = File::open(path);
        if real != effective {
            become_user(effective)?;
        }
        let file = file.map_err(|cause| Error::io("read", path.display(), cause))?;
        Ok(Self::File(file, path.display().to_string()))
    }
}

/// The words of the command line.
pub(crate) fn parse_args(settings: &MultiConfig) -> Result<TargetArgs, Error> {
    let family = settings.config.family;
    let targets = settings.words.iter().map(|word| parse_target(word, family)).collect::<Result<_, _>>()?;
    Ok(TargetArgs { targets, has_file: settings.list.is_some() })
}

/// Reads the file, looks all names up and puts everything together.
pub(crate) fn complete(
    settings: &MultiConfig,
    words: TargetArgs,
    source: Option<TargetFile>,
) -> Result<Targets, Error> {
    let family = settings.config.family;
    let mut collector = TargetCollector { builder: Builder::default(), names: Vec::new(), unresolved: 0, family };
    for target in words.targets {
        collector.add(target)?;
    }
    match source {
        None => {}
        Some(TargetFile::Input) => read_lines(io::stdin().lock(), "standard input", &mut collector)?,
        Some(TargetFile::File(file, name)) => read_lines(BufReader::new(file), &name, &mut collector)?,
    }
    collector.look_names_up()?;
    Ok(Targets { targets: collector.builder.finish(), unresolved: collector.unresolved })
}

fn read_lines(mut input: impl BufRead, name: &str, collector: &mut TargetCollector) -> Result<(), Error> {
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let mut limited = input.by_ref().take(MAX_LINE);
        let read = limited.read_until(b'\n', &mut line).map_err(|cause| Error::io("read", name, cause))?;
        if read == 0 {
            break;
        }
        let wrong = |reason: String| Error::new(Kind::BadData, "", format_args!("{name}:{number}"), reason);
        if read as u64 == MAX_LINE {
            return Err(wrong("a line without end".to_owned()));
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("not UTF-8 text".to_owned()))?;
        // A byte order mark, which editors of Windows write.
        let text = text.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(text);
        let words = text.split('#').next().unwrap_or_default().split_whitespace();
        for word in words {
            let target = parse_target(word, collector.family).map_err(|failure| wrong(failure.to_string()))?;
            collector.add(target)?;
        }
    }
    Ok(())
}

fn parse_target(word: &str, family: Option<Family>) -> Result<TargetSpec, Error> {
    target_spec::parse(word, family).map_err(|cause| Error::new(Kind::Usage, "", word, cause))
}

/// What has been read so far.
struct TargetCollector {
    builder: Builder,
    /// Names that wait to be looked up: all at once, in the order of typing.
    names: Vec<String>,
    unresolved: u64,
    family: Option<Family>,
}

impl TargetCollector {
    fn add(&mut self, target: TargetSpec) -> Result<(), Error> {
        let added = match target {
            TargetSpec::Name(name) => {
                self.names.push(name);
                return Ok(());
            }
            TargetSpec::Address(address) => {
                self.look_names_up()?;
                self.builder.add_address(address)
            }
            TargetSpec::Block { first, count } => {
                self.look_names_up()?;
                self.builder.add_block(first, count)
            }
        };
        added.map_err(|cause| Error::new(Kind::Usage, "", "targets", cause))
    }

    fn look_names_up(&mut self) -> Result<(), Error> {
        let names = std::mem::take(&mut self.names);
        for (name, found) in names.iter().zip(look_up(&names, self.family)) {
            match found {
                Ok((address, scope)) => self
                    .builder
                    .add_name(name, address, scope)
                    .map_err(|cause| Error::new(Kind::Usage, "", "targets", cause))?,
                Err(failure) => {
                    self.unresolved += 1;
                    // With standard error closed, the exit code reports the failure.
                    eprintln!("ping: {}", SafeText(failure.to_string().as_bytes()));
                }
            }
        }
        Ok(())
    }
}

type Found = Result<(u128, u32), Error>;

/// Resolves names in parallel; results are in the order of the names.
fn look_up(names: &[String], family: Option<Family>) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<Option<Found>>> = Mutex::new(names.iter().map(|_| None).collect());
    let work = || {
        while let Some((index, name)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, names.get(i)?)))
        {
            let found = look_one_up(name, family);
            answers.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(found);
        }
    };
    thread::scope(|scope| {
        for _ in 1..names.len().min(LOOKUPS) {
            // Without a further thread this one does the work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

fn look_one_up(name: &str, family: Option<Family>) -> Found {
    let addresses = resolve::addresses(name, family)?;
    let first = addresses
        .first()
        .ok_or_else(|| Error::new(Kind::UnknownHost, "", name, "No address associated with hostname"))?;
    let scope = match first.address {
        std::net::SocketAddr::V6(v6) => v6.scope_id(),
        std::net::SocketAddr::V4(_) => 0,
    };
    Ok((target_spec::number(first.address.ip()), scope))
}
