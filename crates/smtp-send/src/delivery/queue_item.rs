//! One message of a run: what is known about it while it waits, and what is needed while it is on its way.

use std::time::Instant;

use crate::delivery::progress::UploadProgress;
use crate::session::{RecipientStatus, SessionError};

use super::{OutgoingMessage, worker};

/// A message that is to be sent, without the message itself.
#[derive(Debug)]
pub(super) struct QueueItem {
    /// Which one, counted from 0.
    pub(super) number: usize,
    /// The status of each recipient; empty before the first try.
    pub(super) statuses: Vec<RecipientStatus>,
    /// What concerned all recipients.
    pub(super) trouble: Option<SessionError>,
    /// Tries after which some recipients were refused for now.
    pub(super) tries: u32,
    /// Connections that ended while it was on its way.
    pub(super) breaks: u32,
    /// When it may be tried again.
    pub(super) due: Option<Instant>,
}

impl QueueItem {
    /// A message that was not tried yet.
    pub(super) fn new(number: usize) -> Self {
        Self { number, statuses: Vec::new(), trouble: None, tries: 0, breaks: 0, due: None }
    }

    /// The recipients for whom another try may help.
    pub(super) fn open(&self) -> Vec<usize> {
        if worker::is_final(self.trouble.as_ref()) {
            return Vec::new();
        }
        let open = |status: &RecipientStatus| match status {
            RecipientStatus::Unsent => true,
            RecipientStatus::Refused(_, reply) => !reply.is_permanent(),
            _ => false,
        };
        self.statuses.iter().enumerate().filter(|(_, status)| open(status)).map(|(index, _)| index).collect()
    }

    /// Whether it was not even begun for somebody, or not ended.
    pub(super) fn is_unsent(&self) -> bool {
        self.statuses.contains(&RecipientStatus::Unsent) && self.trouble.is_none()
    }
}

/// A message that is held.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) task: QueueItem,
    pub(super) job: OutgoingMessage,
    /// Which of its recipients are meant, when the others were served in an earlier run.
    pub(super) kept: Option<Vec<usize>>,
    /// Its number in the running session.
    pub(super) turn: usize,
    /// The recipients of the running try.
    pub(super) which: Vec<usize>,
    pub(super) meter: UploadProgress,
}

impl InFlight {
    pub(super) fn new(mut task: QueueItem, job: OutgoingMessage, kept: Option<Vec<usize>>) -> Self {
        task.statuses.resize(job.recipients.len(), RecipientStatus::Unsent);
        Self { task, job, kept, turn: 0, which: Vec::new(), meter: UploadProgress::default() }
    }
}
