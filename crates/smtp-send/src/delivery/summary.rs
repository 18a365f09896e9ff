//! What a run as a whole led to: how many messages failed, and the worst of it.

use common::{Failure, Kind};

use crate::report::worst;

/// The failures so far, in memory that does not grow with them.
#[derive(Debug, Default)]
pub(super) struct RunSummary {
    failed: usize,
    first: Option<Failure>,
    worst: Option<Kind>,
}

impl RunSummary {
    /// A message has come to its end.
    pub(super) fn add(&mut self, failure: Option<Failure>) {
        let Some(failure) = failure else { return };
        self.failed += 1;
        self.worst = Some(worst(self.worst.into_iter().chain([failure.kind()])));
        self.first.get_or_insert(failure);
    }

    /// The error of a run with so many messages.
    pub(super) fn verdict(self, all: usize, server: &str) -> Option<Failure> {
        let (first, kind) = (self.first?, self.worst?);
        if all == 1 {
            return Some(first);
        }
        let why = format!("{} of {all} messages failed; the first: {first}", self.failed);
        Some(Failure::new(kind, "deliver to", server, why))
    }
}
