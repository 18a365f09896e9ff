//! Opens the journal of a run, and reports what an earlier run has left.

use std::path::Path;

use common::{Error, Kind};

use crate::config::{Bulk, Route};
use crate::journal::Journal;
use crate::source::MessageSource;

/// Most messages that are named; the others are counted.
const NAMED: usize = 5;

/// Opens the journal and logs where the run continues.
pub(crate) fn open(path: &Path, bulk: &Bulk, supply: &dyn MessageSource, route: &Route) -> Result<Journal, Error> {
    let server = route.destination.server().map(ToString::to_string).unwrap_or_default();
    let journal = Journal::open(path, supply.len(), &supply.digest()?, &server, bulk.resend_unknown)?;
    if journal.done() > 0 {
        log::warn!("resumed: {} of {} messages are done", journal.done(), supply.len());
    }
    let unknown = journal.unknown();
    if !unknown.is_empty() {
        let names = unknown.iter().take(NAMED).map(|number| match supply.name(*number) {
            Some(name) => name,
            None => "the message".into(),
        });
        let more = if unknown.len() > NAMED { ", ..." } else { "" };
        log::warn!(
            "possible duplicates, not sent again without --resend-unknown: {} ({}{more})",
            unknown.len(),
            names.collect::<Vec<_>>().join(", ")
        );
    }
    Ok(journal)
}

/// The error of a successful run that has skipped messages or left some as unknown.
pub(crate) fn remainder(journal: Option<&Journal>, skipped: usize) -> Option<Error> {
    if skipped > 0 {
        let why = "they cannot be sent; see the warnings above";
        return Some(Error::bad_data(format!("{skipped} messages were left out"), why));
    }
    let unknown = journal.map_or(0, |journal| journal.unknown().len());
    (unknown > 0).then(|| {
        let why = "the last run was stopped before their reply; --resend-unknown sends them again";
        Error::of(Kind::Temporary, format!("{unknown} messages may or may not have been delivered"), why)
    })
}
