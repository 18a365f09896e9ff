//! A stub resolver: asks name servers over UDP, and over TCP where necessary, within a time limit.
//!
//! [`crate::proto::dns`] encodes and decodes messages, [`NameServers`] says which servers to ask, `query` performs
//! one exchange. Names are complete: no search list, no /etc/hosts (RFC 5321, section 5).
//!
//! The AD bit of an answer counts only if the path to the server is trusted: every server is on this machine, or
//! `options trust-ad` of resolv.conf or `--dns-trust-ad` says so.

mod name_servers;
mod query;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Error, Kind};

use crate::proto::dns::{Answer, DnsReply, MAX_ALIASES, Record, RecordType};

pub use name_servers::{NAME_SERVER_PORT, NameServerError, NameServers, parse};

/// Longest time for one name, all servers and attempts together.
const MAX_LOOKUP: Duration = Duration::from_secs(30);

/// Looks up records.
#[derive(Debug)]
pub struct Resolver {
    servers: NameServers,
    /// Index of the server that answered last; it is asked first.
    first: AtomicUsize,
    end: Option<Instant>,
}

/// Why a look-up gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist.
    #[error("no such domain{}", alias.as_ref().map(|alias| format!(" ({alias}, the target of its alias)")).unwrap_or_default())]
    NoSuchName {
        /// The target of an alias that does not exist.
        alias: Option<String>,
        /// Whether the answer is validated.
        authentic: bool,
    },
    /// No server gave an answer; a later look-up may succeed.
    #[error("no answer for {}: {why}", wanted.name())]
    Failed {
        /// The type that was asked for.
        wanted: RecordType,
        /// The result of the last server.
        why: String,
    },
}

impl LookupError {
    /// Whether a later look-up may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// The error of an operation that needs `name`.
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

    /// The records of this type, behind all aliases of `name`; empty if the name has none.
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
                DnsReply::Truncated => return Err(failed(wanted, "the answer is too long".into())),
                DnsReply::Failed(word) => return Err(failed(wanted, word.into())),
            };
            authentic &= answer.authentic;
            aliases += answer.aliases;
            // A server without recursion returns an alias and does not follow it.
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

    /// The addresses of a host, IPv6 and IPv4 alternating (RFC 8305, section 4).
    ///
    /// # Errors
    /// No address could be looked up.
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
            // A failure may hide addresses, so it takes precedence over a missing name.
            let errors = [six, four].into_iter().flatten().filter_map(Result::err);
            if let Some(error) = errors.max_by_key(LookupError::is_transient) {
                return Err(error);
            }
        }
        Ok(Addresses { list, name, aliases, secure })
    }

    /// Asks each server in turn, up to the attempts of the configuration, until one answers.
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
                    return Err(failed(wanted, format!("{why} (time limit exceeded)")));
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
    /// In the order in which they are tried.
    pub list: Vec<IpAddr>,
    /// The canonical name that they belong to.
    pub name: String,
    /// Number of aliases that were followed.
    pub aliases: usize,
    /// Whether all records are validated.
    pub secure: bool,
}

impl Addresses {
    /// An address literal.
    pub fn of(address: IpAddr) -> Self {
        Self { list: vec![address], name: address.to_string(), aliases: 0, secure: false }
    }
}

/// The address families to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub four: bool,
    /// IPv6.
    pub six: bool,
}

/// The elements of both lists alternating, the first list first.
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

/// localhost is never looked up: its addresses are fixed (RFC 6761, section 6.3).
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
        log::warn!("{} {} of {name} are invalid and ignored", answer.unusable, wanted.name());
    }
}

/// Whether a server is on this machine.
fn is_local(server: &SocketAddr) -> bool {
    server.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
