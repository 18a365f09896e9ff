//! Delivers to the mail exchangers of each recipient's domain (RFC 5321, section 5.1).
//!
//! A message for several domains is sent once to each, one domain after the other, from the same files. [`MxHosts`] finds
//! the exchangers of a domain when its messages are sent, `tls_policy` how connections to them are protected.

mod exchangers;
mod tls_policy;

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

use common::{Error, Kind};

use crate::config::{Destination, Route};
use crate::delivery::{self, DeliveryResult, FixedServer, OnReport, RunOptions};
use crate::proto::address::Address;
use crate::report::worst;
use crate::source::{MessageSource, OpenMessage};

pub use exchangers::MxHosts;

/// The index of a message, and the indexes of its recipients in one domain.
type Share = (usize, Vec<usize>);

/// Sends all messages as [`delivery::send`] does: to the server of the route, or domain by domain when it has none.
pub fn send(
    route: &Route,
    mut options: RunOptions<'_>,
    source: &dyn MessageSource,
    on_report: OnReport<'_>,
) -> Option<Error> {
    options.deadline = route.max_time.map(|time| Instant::now() + time);
    let settings = match &route.destination {
        Destination::Server(peer) => {
            return delivery::send(&FixedServer::new(peer, route), route, options, source, on_report);
        }
        Destination::MailExchangers(settings) => settings,
    };
    let domains = match by_domain(source) {
        Ok(domains) => domains,
        Err(failure) => return Some(failure),
    };
    let (count, mut failures) = (domains.len(), Vec::new());
    options.is_part = count > 1;
    for (domain, shares) in domains {
        let hosts = MxHosts::new(&domain, settings, route, options.deadline);
        let part = DomainSource { source, shares: &shares };
        let mut on_report =
            |result: DeliveryResult<'_>| on_report(DeliveryResult { number: shares[result.number].0, ..result });
        failures.extend(delivery::send(&hosts, route, options, &part, &mut on_report));
    }
    run_error(failures, count)
}

/// Logs to which servers the messages would be sent.
pub fn explain(route: &Route, source: &dyn MessageSource) -> Result<(), Error> {
    let Destination::MailExchangers(settings) = &route.destination else { return Ok(()) };
    for (domain, _) in by_domain(source)? {
        match MxHosts::new(&domain, settings, route, None).look_up() {
            Ok(list) => log::info!("{domain}: {list}"),
            Err(failure) => log::warn!("{failure}"),
        }
    }
    Ok(())
}

/// The domains of all recipients in the order of their first appearance, each with its share of the messages.
fn by_domain(source: &dyn MessageSource) -> Result<Vec<(String, Vec<Share>)>, Error> {
    let (mut domains, mut indexes) = (Vec::<(String, Vec<Share>)>::new(), HashMap::new());
    for number in 0..source.len() {
        for (index, address) in source.recipients(number)?.iter().enumerate() {
            let domain = address.domain().to_ascii_lowercase();
            let at = *indexes.entry(domain.clone()).or_insert_with(|| {
                domains.push((domain, Vec::new()));
                domains.len() - 1
            });
            match domains[at].1.last_mut() {
                Some((last, recipients)) if *last == number => recipients.push(index),
                _ => domains[at].1.push((number, vec![index])),
            }
        }
    }
    Ok(domains)
}

/// The error of a run over several domains.
fn run_error(failures: Vec<Error>, count: usize) -> Option<Error> {
    let (failed, kind) = (failures.len(), worst(failures.iter().map(Error::kind)));
    let first = failures.into_iter().next()?;
    if count == 1 {
        return Some(first);
    }
    Some(Error::of(kind, format!("{failed} of {count} domains failed, the first"), first))
}

/// The messages with recipients in one domain, and only those recipients.
struct DomainSource<'a> {
    source: &'a dyn MessageSource,
    shares: &'a [Share],
}

impl DomainSource<'_> {
    fn share(&self, number: usize) -> Result<&Share, Error> {
        self.shares.get(number).ok_or_else(|| Error::of(Kind::System, "a message", "there is none with this number"))
    }
}

impl MessageSource for DomainSource<'_> {
    fn len(&self) -> usize {
        self.shares.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        self.source.name(self.shares.get(number)?.0)
    }

    fn recipients(&self, number: usize) -> Result<Cow<'_, [Address]>, Error> {
        let (inner, indexes) = self.share(number)?;
        let all = self.source.recipients(*inner)?;
        Ok(indexes.iter().filter_map(|index| all.get(*index).cloned()).collect())
    }

    fn open(&self, number: usize) -> Result<OpenMessage<'_>, Error> {
        let (inner, indexes) = self.share(number)?;
        let mut message = self.source.open(*inner)?;
        message.keep_recipients(indexes);
        Ok(message)
    }
}
