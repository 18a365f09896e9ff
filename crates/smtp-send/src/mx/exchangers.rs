//! The mail exchangers of a domain, and the order in which they are tried (RFC 5321, section 5.1).
//!
//! They are sorted by preference, equals in random order. Every address of each is tried; a failure before any message has
//! a result leads to the next one. The domain fails when none is left.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use common::sync::Mutex;
use common::{Error, Kind, random};

use super::tls_policy::{DomainPolicy, TlsPolicy};
use crate::config::{MxSettings, Route};
use crate::delivery::{ConnectionResult, Connector, ServerConnection};
use crate::dns::{Addresses, Families, LookupError, Resolver};
use crate::exit_code::REFUSED;
use crate::net::address::{HostPort, Peer};
use crate::net::tls::TlsMode;
use crate::net::transport::{ConnectionError, FailedStep, Family, KnownAddresses, Limits, Transport};
use crate::proto::dns::{Record, RecordType};
use crate::session::{SessionError, State};

/// Most exchangers of a domain that are tried: a list of a thousand would take a day.
const MAX_MX_HOSTS: usize = 10;
/// Most addresses of an exchanger that are tried.
const MAX_ADDRESSES: usize = 8;

/// A host that takes mail for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exchanger {
    preference: u16,
    host: Host,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Named(String),
    /// An address literal.
    Address(IpAddr),
}

/// The exchangers of a domain in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MxList {
    hosts: Vec<Exchanger>,
    /// Whether the domain has no MX record and is its own exchanger.
    implicit: bool,
    /// Whether the records are validated by DNSSEC.
    secure: bool,
}

impl fmt::Display for MxList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.hosts.iter().map(|one| match &one.host {
            Host::Named(name) if self.implicit => format!("{name} itself, which has no MX"),
            Host::Named(name) => format!("{name} ({})", one.preference),
            Host::Address(address) => address.to_string(),
        });
        let names = names.collect::<Vec<_>>();
        f.write_str(&names.join(", "))?;
        if self.secure { f.write_str(", validated") } else { Ok(()) }
    }
}

/// The exchangers of a domain, and the one that is tried now.
#[derive(Debug)]
pub struct MxHosts<'a> {
    domain: String,
    port: u16,
    route: &'a Route,
    families: Families,
    resolver: Resolver,
    policy: DomainPolicy,
    search: Mutex<MxSearch>,
}

/// How far the exchangers of a list were tried.
#[derive(Debug, Default, Clone)]
struct MxSearch {
    list: Option<Arc<MxList>>,
    /// Index of the exchanger that is tried.
    current: usize,
    /// Whether it is retrying once in clear, after a failed TLS handshake.
    in_clear: bool,
    opportunistic: bool,
    name: Option<String>,
}

impl<'a> MxHosts<'a> {
    /// The exchangers of `domain`; they are looked up when they are needed, at the latest at `end`.
    pub(super) fn new(domain: &str, settings: &MxSettings, route: &'a Route, end: Option<Instant>) -> Self {
        let options = &route.connect_options;
        let bound = options.bind.map(|address| address.is_ipv4());
        let families = Families {
            four: options.family != Family::V6 && bound != Some(false),
            six: options.family != Family::V4 && bound != Some(true),
        };
        Self {
            domain: domain.to_owned(),
            port: settings.port,
            route,
            families,
            resolver: Resolver::new(settings.name_servers.clone(), end),
            policy: DomainPolicy::new(domain, &settings.policies),
            search: Mutex::default(),
        }
    }

    fn search(&self) -> MxSearch {
        self.search.lock().clone()
    }

    fn change(&self, edit: impl FnOnce(&mut MxSearch)) {
        edit(&mut self.search.lock());
    }

    fn connect_to(
        &self,
        exchanger: &Exchanger,
        list: &MxList,
        search: &MxSearch,
        limits: Limits,
    ) -> Result<ServerConnection, ConnectionError> {
        let (host, addresses) = match &exchanger.host {
            Host::Address(address) => (address.to_string(), Addresses::of(*address)),
            Host::Named(name) => (name.clone(), self.addresses(name)?),
        };
        let peer = HostPort { host: host.clone(), port: self.port };
        self.change(|search| search.name = Some(peer.to_string()));
        let secure = (list.secure && addresses.secure).then_some(&addresses);
        let TlsPolicy { tls, trust, opportunistic, why } =
            self.policy.for_host(&host, secure, self.port, self.route, &self.resolver)?;
        let tls = if search.in_clear && opportunistic { TlsMode::Off } else { tls };
        log::info!("{} for {}: {why}", peer, self.domain);
        let known: Vec<SocketAddr> = addresses.list.iter().map(|address| (*address, self.port).into()).collect();
        let options = &self.route.connect_options;
        let transport = if options.proxy.is_some() {
            Transport::connect(&Peer::Tcp(peer), options, limits)
        } else {
            let more = search.current + 1 < list.hosts.len();
            Transport::connect_to(&peer, KnownAddresses { addresses: &known, more }, options, limits)
        };
        self.change(|search| search.opportunistic = opportunistic && tls == TlsMode::Opportunistic);
        Ok(ServerConnection { transport: transport.map_err(|error| self.with_hint(error))?, tls, trust })
    }

    /// Names the usual cause of a timeout: networks that block outgoing mail.
    fn with_hint(&self, mut error: ConnectionError) -> ConnectionError {
        if self.port == 25 && error.step == FailedStep::ConnectTimeout {
            let why = "many networks block port 25; --server HOST sends through a mail server";
            error.failure = Error::new(error.failure.kind(), "", error.failure, why);
        }
        error
    }

    fn addresses(&self, name: &str) -> Result<Addresses, Error> {
        let mut addresses = self.resolver.addresses(name, self.families).map_err(|error| error.into_error(name))?;
        if addresses.list.is_empty() {
            return Err(Error::resolve(name, "no address of the selected family"));
        }
        if addresses.aliases > 0 {
            log::info!(
                "{name} is an alias of {}, which exchangers must not be (RFC 5321, section 5.1)",
                addresses.name
            );
        }
        addresses.list.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    fn list(&self) -> Result<Arc<MxList>, Error> {
        if let Some(list) = self.search().list {
            return Ok(list);
        }
        let list = Arc::new(self.look_up()?);
        log::info!("exchangers of {}: {list}", self.domain);
        self.change(|search| *search = MxSearch::of(&list));
        Ok(list)
    }

    /// Looks up the exchangers of the domain.
    pub(super) fn look_up(&self) -> Result<MxList, Error> {
        if let Some(address) = literal(&self.domain) {
            let hosts = vec![Exchanger { preference: 0, host: Host::Address(address) }];
            return Ok(MxList { hosts, implicit: false, secure: false });
        }
        let answer = self.resolver.look_up(&self.domain, RecordType::Mx).map_err(|error| self.no_domain(error))?;
        let mut hosts: Vec<Exchanger> = answer.records.iter().filter_map(exchanger).collect();
        let wrong = |kind, why| Err(Error::of(kind, &self.domain, why));
        if hosts.is_empty() && answer.unusable > 0 {
            return wrong(Kind::UnknownHost, "its MX records name no host");
        }
        if hosts.is_empty() {
            // The domain is its own exchanger when it has no MX (RFC 5321, section 5.1), and an alias counts as its target.
            let hosts = vec![Exchanger { preference: 0, host: Host::Named(answer.name) }];
            return Ok(MxList { hosts, implicit: true, secure: answer.authentic });
        }
        hosts.retain(|one| one.host != Host::Named(String::new()));
        if hosts.is_empty() {
            return wrong(REFUSED, "this domain accepts no mail: 556 5.1.10 null MX (RFC 7505)");
        }
        sort(&mut hosts)?;
        hosts.truncate(MAX_MX_HOSTS);
        Ok(MxList { hosts, implicit: false, secure: answer.authentic })
    }

    fn no_domain(&self, error: LookupError) -> Error {
        let is_transient = error.is_transient();
        let failure = error.into_error(&self.domain);
        if !is_transient {
            return failure;
        }
        Error::of(failure.kind(), failure, "--server HOST sends through a mail server instead")
    }
}

impl Connector for MxHosts<'_> {
    /// Connects to the first exchanger, from the current one on, that is reachable and fits the TLS policy.
    fn connect(&self, limits: Limits) -> Result<ServerConnection, ConnectionError> {
        let list = self.list()?;
        let mut reported: Option<ConnectionError> = None;
        loop {
            let search = self.search();
            let Some(exchanger) = list.hosts.get(search.current) else {
                self.change(|search| *search = MxSearch::default());
                let none = || Error::new(Kind::Temporary, "deliver to", &self.domain, "no exchanger is left to try");
                return Err(reported.unwrap_or_else(|| none().into()));
            };
            match self.connect_to(exchanger, &list, &search, limits) {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    log::info!("{error}");
                    // The domain can be retried if one of its exchangers can.
                    let is_better = |old: &ConnectionError| error.failure.is_transient() && !old.failure.is_transient();
                    if reported.as_ref().is_none_or(is_better) {
                        reported = Some(error);
                    }
                    self.change(|search| *search = MxSearch { current: search.current + 1, ..MxSearch::of(&list) });
                }
            }
        }
    }

    /// The exchanger that was tried last, with its port; the domain before the first.
    fn name(&self) -> String {
        let name = self.search().name;
        name.unwrap_or_else(|| HostPort { host: self.domain.clone(), port: self.port }.to_string())
    }

    /// The same exchanger in clear after a failed TLS handshake if its TLS is opportunistic, else the next one. After the
    /// last one the next connection starts again at the first.
    fn next_target(&self, result: &ConnectionResult) -> bool {
        let search = self.search();
        let Some(list) = &search.list else { return false };
        if search.opportunistic && !search.in_clear && handshake_failed(result) {
            log::warn!("{}; {} does not have to use TLS, retrying once in clear", result.reason(), self.name());
            self.change(|search| search.in_clear = true);
            return true;
        }
        if search.current + 1 >= list.hosts.len() {
            self.change(|search| *search = MxSearch { name: search.name.take(), ..MxSearch::default() });
            return false;
        }
        log::info!("{}; trying the next exchanger of {}", result.reason(), self.domain);
        self.change(|search| *search = MxSearch { current: search.current + 1, ..MxSearch::of(list) });
        true
    }
}

/// Whether TLS could not be started: the handshake failed, or the server refused the STARTTLS that it offers. Clear text
/// injected in front of the handshake is an attack, never a reason to send in clear.
fn handshake_failed(result: &ConnectionResult) -> bool {
    match (&result.error, &result.session_error) {
        (Some(error), _) => error.step == FailedStep::Handshake,
        (None, Some(SessionError::Refused { state, .. })) => *state == State::StartTls,
        _ => false,
    }
}

impl MxSearch {
    fn of(list: &Arc<MxList>) -> Self {
        Self { list: Some(Arc::clone(list)), ..Self::default() }
    }
}

fn exchanger(record: &Record) -> Option<Exchanger> {
    match record {
        Record::Mx { preference, exchange } => {
            Some(Exchanger { preference: *preference, host: Host::Named(exchange.clone()) })
        }
        _ => None,
    }
}

/// The lowest preference first, equals in random order (RFC 5321, section 5.1).
fn sort(list: &mut [Exchanger]) -> Result<(), Error> {
    for last in (1..list.len()).rev() {
        let any = u64::from_le_bytes(random::bytes()?);
        let any = usize::try_from(any % (last as u64 + 1)).unwrap_or(last);
        list.swap(last, any);
    }
    list.sort_by_key(|one| one.preference);
    Ok(())
}

/// The address in `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
fn literal(domain: &str) -> Option<IpAddr> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    let tag = inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    inner[tag.map_or(0, str::len)..].parse().ok()
}

#[cfg(test)]
mod tests;
