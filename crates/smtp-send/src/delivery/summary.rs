//! The error of a run as a whole: how many messages failed, and the most severe kind.

use common::{Error, Kind};

use crate::report::worst;

/// Counts failures, in memory that does not grow with them.
#[derive(Debug, Default)]
pub(super) struct RunSummary {
    failed: usize,
    first: Option<Error>,
    worst: Option<Kind>,
}

impl RunSummary {
    pub(super) fn add(&mut self, failure: Option<Error>) {
        let Some(failure) = failure else { return };
        self.failed += 1;
        self.worst = Some(worst(self.worst.into_iter().chain([failure.kind()])));
        self.first.get_or_insert(failure);
    }

    /// The error of a run with `count` messages.
    pub(super) fn error(self, count: usize, server: &str) -> Option<Error> {
        let (first, kind) = (self.first?, self.worst?);
        if count == 1 {
            return Some(first);
        }
        let why = format!("{} of {count} messages failed; the first: {first}", self.failed);
        Some(Error::new(kind, "deliver to", server, why))
    }
}
