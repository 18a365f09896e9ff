//! Delivery without a server of one's own: each domain's part of the recipients to its own mail exchangers.
//!
//! A message for several domains is sent once for each, one after the other, from the same files: nothing is held twice. Where
//! the exchangers of a domain are, and how they are protected, is found in `exchangers` when its turn has come.

mod exchangers;
mod tls_policy;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use crate::cli::Tls;
use crate::config::Route;
use crate::delivery::{self, DeliveryResult, OnReport, OutgoingMessage, RunOptions};
use crate::dns::NameServers;
use crate::net::tls::Trust;
use crate::net::transport::{Limits, Transport};
use crate::proto::address::Address;
use crate::proto::mta_sts::MtaStsPolicy;
use crate::report::worst;
use crate::source::MessageSource;

pub use exchangers::MxHosts;

/// What the options say about it.
#[derive(Debug, Clone)]
pub struct Direct {
    /// Whom to ask for the exchangers.
    pub servers: NameServers,
    /// The policies that are known, each for a domain in lower case; without one, for every domain.
    pub policies: Vec<(Option<String>, MtaStsPolicy)>,
    /// The port of the exchangers.
    pub port: u16,
}

/// A message's share in a domain: its number, and which of its recipients are there.
type Share = (usize, Vec<usize>);

/// Sends all messages as [`delivery::send`] does, domain by domain when the route has no server.
pub fn send(
    route: &mut Route,
    manner: RunOptions<'_>,
    supply: &dyn MessageSource,
    told: OnReport<'_>,
) -> Option<Failure> {
    let Some(direct) = route.direct.clone() else { return delivery::send(route, manner, supply, told) };
    let domains = match grouped(supply) {
        Ok(domains) => domains,
        Err(failure) => return Some(failure),
    };
    let max_time = route.max_time;
    let end = max_time.map(|time| Instant::now() + time);
    let (count, mut failures) = (domains.len(), Vec::new());
    for (domain, shares) in domains {
        // No time at all would be no limit at all.
        let left = |end: Instant| end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        route.max_time = end.map(left);
        route.exchangers = Some(MxHosts::new(&domain, &direct, &route.way, end, count > 1));
        let part = Part { supply, shares: &shares, complete: Mutex::default() };
        let mut told = |sent: DeliveryResult<'_>| told(DeliveryResult { number: shares[sent.number].0, ..sent });
        failures.extend(delivery::send(route, manner, &part, &mut told));
    }
    (route.max_time, route.exchangers) = (max_time, None);
    verdict(failures, count)
}

/// Writes into the log which way the messages would go.
pub fn explain(route: &Route, supply: &dyn MessageSource) -> Result<(), Failure> {
    let Some(direct) = &route.direct else { return Ok(()) };
    for (domain, _) in grouped(supply)? {
        match MxHosts::new(&domain, direct, &route.way, None, false).plan() {
            Ok(plan) => log::info!("{domain}: {plan}"),
            Err(failure) => log::warn!("{failure}"),
        }
    }
    Ok(())
}

/// Connects to the server of the route, or to the next exchanger worth trying. Gives with it when to encrypt and whom to
/// trust there.
pub fn reach(route: &Route, limits: Limits) -> Result<(Transport, Tls, Trust), Failure> {
    match &route.exchangers {
        None => Ok((Transport::connect(&route.peer, &route.way, limits)?, route.tls, route.trust.clone())),
        Some(exchangers) => exchangers.connect(route, limits),
    }
}

/// The domains of all recipients in the order of their first appearance, each with its share of the messages.
fn grouped(supply: &dyn MessageSource) -> Result<Vec<(String, Vec<Share>)>, Failure> {
    let (mut domains, mut places) = (Vec::<(String, Vec<Share>)>::new(), HashMap::new());
    for number in 0..supply.len() {
        let job = supply.job(number)?;
        for (index, address) in job.recipients.iter().enumerate() {
            let domain = address.domain().to_ascii_lowercase();
            let place = *places.entry(domain.clone()).or_insert_with(|| {
                domains.push((domain, Vec::new()));
                domains.len() - 1
            });
            match domains[place].1.last_mut() {
                Some((last, which)) if *last == number => which.push(index),
                _ => domains[place].1.push((number, vec![index])),
            }
        }
        supply.give_back(number, job);
    }
    Ok(domains)
}

/// The error of a run over several domains.
fn verdict(failures: Vec<Failure>, count: usize) -> Option<Failure> {
    let (failed, kind) = (failures.len(), worst(failures.iter().map(Failure::kind)));
    let first = failures.into_iter().next()?;
    if count == 1 {
        return Some(first);
    }
    Some(Failure::new(kind, "", format!("{failed} of {count} domains failed, the first"), first))
}

/// The share of one domain in the messages of a run.
struct Part<'a> {
    supply: &'a dyn MessageSource,
    shares: &'a [Share],
    /// All recipients of the messages that are on their way.
    complete: Mutex<HashMap<usize, Vec<Address>>>,
}

impl Part<'_> {
    fn number(&self, number: usize) -> Result<&Share, Failure> {
        let missing = || Failure::new(Kind::System, "", "a message", "there is none with this number");
        self.shares.get(number).ok_or_else(missing)
    }
}

impl MessageSource for Part<'_> {
    fn len(&self) -> usize {
        self.shares.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        self.supply.name(self.shares.get(number)?.0)
    }

    fn job(&self, number: usize) -> Result<OutgoingMessage, Failure> {
        let (inner, which) = self.number(number)?;
        let mut job = self.supply.job(*inner)?;
        let own = which.iter().filter_map(|index| job.recipients.get(*index).cloned()).collect();
        let all = std::mem::replace(&mut job.recipients, own);
        self.complete.lock().unwrap_or_else(PoisonError::into_inner).insert(number, all);
        Ok(job)
    }

    fn give_back(&self, number: usize, mut job: OutgoingMessage) {
        let Ok((inner, _)) = self.number(number) else { return };
        if let Some(all) = self.complete.lock().unwrap_or_else(PoisonError::into_inner).remove(&number) {
            job.recipients = all;
        }
        self.supply.give_back(*inner, job);
    }
}
