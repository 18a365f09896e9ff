//! Asking name servers: several of them, a few times each, over UDP and where it must be over TCP, never for long.
//!
//! What a question and an answer are stands in `proto::dns`, which servers there are in `servers`, how bytes get there in
//! `exchange`. Names are taken as complete: no search list, no /etc/hosts; mail is routed by DNS alone (RFC 5321, section 5).
//!
//! The word of a resolver that an answer is validated (the bit AD) is trusted only when nobody can change it on the way:
//! every server is on this machine, or the system or the user says that the way is safe (`options trust-ad` of resolv.conf,
//! `--dns-trust-ad`).

mod name_servers;
mod query;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Error, Kind};

use crate::proto::dns::{Answer, DnsReply, MAX_ALIASES, Record, RecordType};

pub use name_servers::{NAME_SERVER_PORT, NameServerError, NameServers, parse};

/// For one name, all servers and tries together.
const MAX_LOOKUP: Duration = Duration::from_secs(30);

/// Asks for records.
#[derive(Debug)]
pub struct Resolver {
    servers: NameServers,
    /// Which of the servers answered last: it is asked first.
    first: AtomicUsize,
    end: Option<Instant>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist.
    #[error("no such domain{}", alias.as_ref().map(|alias| format!(" ({alias}, of which it is an alias)")).unwrap_or_default())]
    NoSuchName {
        /// The name behind an alias that does not exist.
        alias: Option<String>,
        /// Whether that is validated.
        authentic: bool,
    },
    /// No server could say; it may be known later.
    #[error("no answer for {}: {why}", wanted.name())]
    Failed {
        /// What was asked for.
        wanted: RecordType,
        /// What the last server did.
        why: String,
    },
}

impl LookupError {
    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// The failure to find something about `name`.
    pub fn into_error(self, name: &str) -> Error {
        let kind = if self.is_transient() { Kind::Temporary } else { Kind::UnknownHost };
        Error::new(kind, "look up", name, self)
    }
}

impl Resolver {
    /// A resolver over `servers` that gives up at `end`.
    pub fn new(servers: NameServers, end: Option<Instant>) -> Self {
        Self { servers, first: AtomicUsize::new(0), end }
    }

    /// The records of this type behind all aliases of `name`. A name without such records has an empty answer.
    pub fn look_up(&self, name: &str, wanted: RecordType) -> Result<Answer, LookupError> {
        if let Some(answer) = of_this_host(name, wanted) {
            return Ok(answer);
        }
        let latest = Instant::now() + MAX_LOOKUP;
        let end = self.end.map_or(latest, |end| end.min(latest));
        let (mut asked, mut aliases, mut authentic) = (name.to_owned(), 0, self.servers.trusted());
        loop {
            let alias = (aliases > 0).then(|| asked.clone());
            let mut answer = match self.ask(&asked, wanted, end)? {
                DnsReply::Found(answer) => answer,
                DnsReply::NoSuchName { authentic: valid } => {
                    return Err(LookupError::NoSuchName { alias, authentic: authentic && valid });
                }
                DnsReply::Truncated => return Err(failed(wanted, "it is too long".into())),
                DnsReply::Failed(word) => return Err(failed(wanted, word.into())),
            };
            authentic &= answer.authentic;
            aliases += answer.aliases;
            // A server that is no resolver gives an alias and leaves it to others to follow it.
            if answer.records.is_empty() && answer.unusable == 0 && answer.aliases > 0 {
                if aliases > MAX_ALIASES {
                    return Err(failed(wanted, format!("a chain of more than {MAX_ALIASES} aliases")));
                }
                asked = answer.name;
                continue;
            }
            (answer.aliases, answer.authentic) = (aliases, authentic);
            log_answer(name, wanted, &answer);
            return Ok(answer);
        }
    }

    /// The addresses of a host in the order in which they are worth trying: IPv6 and IPv4 in turn (RFC 8305, section 4).
    ///
    /// An error is one that keeps all of them from being known.
    pub fn addresses(&self, host: &str, families: Families) -> Result<Addresses, LookupError> {
        let six = families.six.then(|| self.look_up(host, RecordType::Aaaa));
        let four = families.four.then(|| self.look_up(host, RecordType::A));
        let asked = [&six, &four].into_iter().flatten().count();
        let answers: Vec<&Answer> = [&six, &four].into_iter().flatten().flatten().collect();
        let secure = answers.len() == asked && answers.iter().all(|answer| answer.authentic);
        let name = answers.first().map_or_else(|| host.to_owned(), |answer| answer.name.clone());
        let aliases = answers.iter().map(|answer| answer.aliases).max().unwrap_or(0);
        let of = |answer: Option<&Result<Answer, LookupError>>| -> Vec<IpAddr> {
            let records = answer.and_then(|answer| answer.as_ref().ok()).map_or(&[][..], |answer| &answer.records);
            records.iter().filter_map(address).collect()
        };
        let list = in_turn(&of(six.as_ref()), &of(four.as_ref()));
        if list.is_empty() {
            // A failure may hide addresses, so it outweighs a missing name.
            let errors = [six, four].into_iter().flatten().filter_map(Result::err);
            if let Some(error) = errors.max_by_key(LookupError::is_transient) {
                return Err(error);
            }
        }
        Ok(Addresses { list, name, aliases, secure })
    }

    /// One question to each server in turn, as often as the servers allow, until one of them knows.
    fn ask(&self, name: &str, wanted: RecordType, end: Instant) -> Result<DnsReply, LookupError> {
        let list = self.servers.list();
        let mut why = "there is no name server".to_owned();
        let mut timeout = self.servers.timeout();
        for _ in 0..self.servers.attempts() {
            let first = self.first.load(Ordering::Relaxed);
            for turn in 0..list.len() {
                let index = (first + turn) % list.len();
                let now = Instant::now();
                if now >= end {
                    return Err(failed(wanted, format!("{why} (no time left for more)")));
                }
                let server = list[index];
                log::debug!("asking {server} for {} of {name}", wanted.name());
                match query::ask(server, name, wanted, (now + timeout).min(end), self.servers.tcp_only()) {
                    Ok(DnsReply::Failed(word)) => why = format!("the name server {server} answers {word}"),
                    Ok(reply) => {
                        self.first.store(index, Ordering::Relaxed);
                        return Ok(reply);
                    }
                    Err(error) => why = format!("the name server {server} {error}"),
                }
                log::info!("{} of {name}: {why}", wanted.name());
            }
            timeout *= 2;
        }
        Err(failed(wanted, why))
    }
}

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// In the order to try them in.
    pub list: Vec<IpAddr>,
    /// The name that they belong to, behind all aliases.
    pub name: String,
    /// How many aliases led there.
    pub aliases: usize,
    /// Whether all of it is validated.
    pub secure: bool,
}

impl Addresses {
    /// This address alone, which nobody had to look up.
    pub fn of(address: IpAddr) -> Self {
        Self { list: vec![address], name: address.to_string(), aliases: 0, secure: false }
    }
}

/// Which addresses are of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    /// Those of IPv4.
    pub four: bool,
    /// Those of IPv6.
    pub six: bool,
}

/// One of each in turn, the first list first.
fn in_turn(one: &[IpAddr], other: &[IpAddr]) -> Vec<IpAddr> {
    let longest = one.len().max(other.len());
    (0..longest).flat_map(|index| [one.get(index), other.get(index)]).flatten().copied().collect()
}

fn address(record: &Record) -> Option<IpAddr> {
    match record {
        Record::A(address) => Some((*address).into()),
        Record::Aaaa(address) => Some((*address).into()),
        _ => None,
    }
}

/// Nobody is asked about localhost: its addresses are known, and no other may be trusted (RFC 6761, section 6.3).
fn of_this_host(name: &str, wanted: RecordType) -> Option<Answer> {
    let name = name.to_ascii_lowercase();
    if name != "localhost" && !name.ends_with(".localhost") {
        return None;
    }
    let records = match wanted {
        RecordType::A => vec![Record::A(Ipv4Addr::LOCALHOST)],
        RecordType::Aaaa => vec![Record::Aaaa(Ipv6Addr::LOCALHOST)],
        _ => Vec::new(),
    };
    Some(Answer { records, name, aliases: 0, unusable: 0, authentic: false })
}

fn failed(wanted: RecordType, why: String) -> LookupError {
    LookupError::Failed { wanted, why }
}

fn log_answer(name: &str, wanted: RecordType, answer: &Answer) {
    let alias = if answer.aliases > 0 { format!(", which is an alias of {}", answer.name) } else { String::new() };
    let validated = if answer.authentic { ", validated" } else { "" };
    let count = answer.records.len();
    log::debug!("{count} {} of {name}{alias}{validated}", wanted.name());
    if answer.unusable > 0 {
        log::warn!("{} {} of {name} that make no sense are passed over", answer.unusable, wanted.name());
    }
}

/// Whether a server is on this machine.
fn is_local(server: &SocketAddr) -> bool {
    server.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
