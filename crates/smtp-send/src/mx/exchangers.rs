//! The mail exchangers of a domain (RFC 5321, section 5.1) and the way from one to the next.
//!
//! They are sorted by preference and shuffled among equals. Each of their addresses is tried, and what a server says before it
//! has decided about a message leads to the next one: a domain is given up when none of them is left.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use common::{Failure, Kind};

use super::Direct;
use super::tls_policy::{DomainPolicy, TlsPolicy};
use crate::cli::Tls;
use crate::config::Route;
use crate::dns::{Addresses, Families, LookupError, Resolver};
use crate::net::address::{HostPort, Peer};
use crate::net::tls::Trust;
use crate::net::transport::{ConnectOptions, Family, KnownAddresses, Limits, Transport};
use crate::proto::dns::{Record, RecordType};
use crate::session::{SessionError, State};

/// More exchangers than any domain needs: whoever names a thousand of them shall not keep us for a day.
const MAX_EXCHANGERS: usize = 10;
/// The same for the addresses of one of them.
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

/// The exchangers of a domain in the order to try them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MxList {
    list: Vec<Exchanger>,
    /// Whether there is no MX, so that the domain itself is its exchanger.
    implicit: bool,
    /// Whether it is validated.
    secure: bool,
}

impl fmt::Display for MxList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.list.iter().map(|one| match &one.host {
            Host::Named(name) if self.implicit => format!("{name} itself, which has no MX"),
            Host::Named(name) => format!("{name} ({})", one.preference),
            Host::Address(address) => address.to_string(),
        });
        let names = names.collect::<Vec<_>>();
        f.write_str(&names.join(", "))?;
        if self.secure { f.write_str(", validated") } else { Ok(()) }
    }
}

/// A domain, and how far the search for an exchanger has come.
#[derive(Debug)]
pub struct MxHosts {
    domain: String,
    port: u16,
    families: Families,
    resolver: Resolver,
    rules: DomainPolicy,
    /// Whether other domains are served in the same run.
    is_part: bool,
    state: Mutex<MxSearch>,
}

#[derive(Debug, Default, Clone)]
struct MxSearch {
    plan: Option<Arc<MxList>>,
    /// Which exchanger is tried.
    current: usize,
    /// Whether it is tried in clear, because its TLS does not work and nothing demands it.
    in_clear: bool,
    /// Whether TLS with it may be left out.
    opportunistic: bool,
    /// What it is called.
    name: Option<String>,
}

impl MxHosts {
    /// Those of `domain`, which are looked up when they are needed, at the latest at `end`.
    pub(super) fn new(
        domain: &str,
        direct: &Direct,
        way: &ConnectOptions,
        end: Option<Instant>,
        is_part: bool,
    ) -> Self {
        let bound = way.bind.map(|address| address.is_ipv4());
        let families = Families {
            four: way.family != Family::V6 && bound != Some(false),
            six: way.family != Family::V4 && bound != Some(true),
        };
        Self {
            domain: domain.to_owned(),
            port: direct.port,
            families,
            resolver: Resolver::new(direct.servers.clone(), end),
            rules: DomainPolicy::new(domain, &direct.policies),
            is_part,
            state: Mutex::default(),
        }
    }

    /// Whether other domains are served in the same run.
    pub fn is_part(&self) -> bool {
        self.is_part
    }

    /// The exchanger that was tried last, with its port; the domain as long as there is none.
    pub fn name(&self) -> String {
        let name = self.search().name;
        name.unwrap_or_else(|| HostPort { host: self.domain.clone(), port: self.port }.to_string())
    }

    fn search(&self) -> MxSearch {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, edit: impl FnOnce(&mut MxSearch)) {
        edit(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Connects to the first exchanger from the current one on that can be reached and fits the rules.
    pub(super) fn connect(&self, route: &Route, limits: Limits) -> Result<(Transport, Tls, Trust), Failure> {
        let plan = self.known_plan()?;
        let mut worth_telling: Option<Failure> = None;
        loop {
            let search = self.search();
            let Some(exchanger) = plan.list.get(search.current) else {
                self.change(|search| *search = MxSearch::default());
                let none = || Failure::new(Kind::Temporary, "deliver to", &self.domain, "no exchanger is left to try");
                return Err(worth_telling.unwrap_or_else(none));
            };
            match self.connect_to(exchanger, &plan, &search, route, limits) {
                Ok(reached) => return Ok(reached),
                Err(failure) => {
                    log::info!("{failure}");
                    // Where one may be reached later, the domain may be.
                    if worth_telling.as_ref().is_none_or(|told| failure.is_transient() && !told.is_transient()) {
                        worth_telling = Some(failure);
                    }
                    self.change(|search| *search = MxSearch { current: search.current + 1, ..MxSearch::of(&plan) });
                }
            }
        }
    }

    fn connect_to(
        &self,
        exchanger: &Exchanger,
        plan: &MxList,
        search: &MxSearch,
        route: &Route,
        limits: Limits,
    ) -> Result<(Transport, Tls, Trust), Failure> {
        let (host, addresses) = match &exchanger.host {
            Host::Address(address) => (address.to_string(), Addresses::of(*address)),
            Host::Named(name) => (name.clone(), self.addresses(name)?),
        };
        let peer = HostPort { host: host.clone(), port: self.port };
        self.change(|search| search.name = Some(peer.to_string()));
        let secure = (plan.secure && addresses.secure).then_some(&addresses);
        let TlsPolicy { tls, trust, opportunistic, why } =
            self.rules.for_host(&host, secure, self.port, route, &self.resolver)?;
        let tls = if search.in_clear && opportunistic { Tls::Off } else { tls };
        log::info!("{} for {}: {why}", peer, self.domain);
        let found: Vec<SocketAddr> = addresses.list.iter().map(|address| (*address, self.port).into()).collect();
        let wire = if route.way.proxy.is_some() {
            Transport::connect(&Peer::Tcp(peer), &route.way, limits)
        } else {
            let more = search.current + 1 < plan.list.len();
            Transport::connect_to(&peer, KnownAddresses { addresses: &found, more }, &route.way, limits)
        };
        self.change(|search| search.opportunistic = opportunistic && tls == Tls::Auto);
        Ok((wire.map_err(|failure| self.hinted(failure))?, tls, trust))
    }

    /// Networks that let nobody send mail directly are the usual reason.
    fn hinted(&self, failure: Failure) -> Failure {
        let is_usual = self.port == 25 && failure.to_string().ends_with("timed out");
        if !is_usual {
            return failure;
        }
        let why = "many networks block port 25; --server HOST hands the mail to a server of yours";
        Failure::new(failure.kind(), "", failure, why)
    }

    fn addresses(&self, name: &str) -> Result<Addresses, Failure> {
        let mut addresses = self.resolver.addresses(name, self.families).map_err(|error| error.into_failure(name))?;
        if addresses.list.is_empty() {
            return Err(Failure::new(Kind::UnknownHost, "", name, "no address of the wanted family"));
        }
        if addresses.aliases > 0 {
            log::info!(
                "{name} is an alias of {}, which no exchanger should be (RFC 5321, section 5.1)",
                addresses.name
            );
        }
        addresses.list.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Whether another way is worth trying after a connection that has decided nothing: the same exchanger in clear when TLS
    /// with it does not work and nothing demands it, else the next one. When none is left, the next try begins anew.
    pub fn has_another_way(&self, broken: Option<&Failure>, trouble: Option<&SessionError>) -> bool {
        let search = self.search();
        let Some(plan) = &search.plan else { return false };
        let words = broken.map(ToString::to_string).or_else(|| trouble.map(ToString::to_string)).unwrap_or_default();
        if search.opportunistic && !search.in_clear && is_about_tls(broken, trouble) {
            log::warn!("{words}; nothing demands TLS of {}, so it is tried in clear", self.name());
            self.change(|search| search.in_clear = true);
            return true;
        }
        if search.current + 1 >= plan.list.len() {
            self.change(|search| *search = MxSearch { name: search.name.take(), ..MxSearch::default() });
            return false;
        }
        log::info!("{words}; trying the next exchanger of {}", self.domain);
        self.change(|search| *search = MxSearch { current: search.current + 1, ..MxSearch::of(plan) });
        true
    }

    fn known_plan(&self) -> Result<Arc<MxList>, Failure> {
        if let Some(plan) = self.search().plan {
            return Ok(plan);
        }
        let plan = Arc::new(self.plan()?);
        log::info!("exchangers of {}: {plan}", self.domain);
        self.change(|search| *search = MxSearch::of(&plan));
        Ok(plan)
    }

    /// Finds out who takes mail for the domain.
    pub(super) fn plan(&self) -> Result<MxList, Failure> {
        if let Some(address) = literal(&self.domain) {
            let list = vec![Exchanger { preference: 0, host: Host::Address(address) }];
            return Ok(MxList { list, implicit: false, secure: false });
        }
        let answer = self.resolver.look_up(&self.domain, RecordType::Mx).map_err(|error| self.no_domain(error))?;
        let mut list: Vec<Exchanger> = answer.records.iter().filter_map(exchanger).collect();
        let wrong = |kind, why| Err(Failure::new(kind, "", &self.domain, why));
        if list.is_empty() && answer.unusable > 0 {
            return wrong(Kind::UnknownHost, "its MX records name no host");
        }
        if list.is_empty() {
            // The domain is its own exchanger when it has no MX (RFC 5321, section 5.1), and an alias counts as its target.
            let list = vec![Exchanger { preference: 0, host: Host::Named(answer.name) }];
            return Ok(MxList { list, implicit: true, secure: answer.authentic });
        }
        list.retain(|one| one.host != Host::Named(String::new()));
        if list.is_empty() {
            return wrong(Kind::Refused, "this domain takes no mail: 556 5.1.10 null MX (RFC 7505)");
        }
        sort(&mut list)?;
        list.truncate(MAX_EXCHANGERS);
        Ok(MxList { list, implicit: false, secure: answer.authentic })
    }

    fn no_domain(&self, error: LookupError) -> Failure {
        let is_transient = error.is_transient();
        let failure = error.into_failure(&self.domain);
        if !is_transient {
            return failure;
        }
        Failure::new(failure.kind(), "", failure, "--server HOST hands the mail to a server that needs no such answer")
    }
}

impl MxSearch {
    fn of(plan: &Arc<MxList>) -> Self {
        Self { plan: Some(Arc::clone(plan)), ..Self::default() }
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
fn sort(list: &mut [Exchanger]) -> Result<(), Failure> {
    let random = |error| Failure::new(Kind::System, "", "random numbers", error);
    for last in (1..list.len()).rev() {
        let any = getrandom::u64().map_err(random)?;
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

/// Whether the handshake failed, or was refused although it was offered.
fn is_about_tls(broken: Option<&Failure>, trouble: Option<&SessionError>) -> bool {
    let handshake = broken.is_some_and(|failure| matches!(failure.operation(), "start TLS with" | "certificate of"));
    handshake || matches!(trouble, Some(SessionError::Refused { state: State::StartTls, .. }))
}

#[cfg(test)]
mod tests;
