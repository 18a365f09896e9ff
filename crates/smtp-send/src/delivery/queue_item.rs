//! One message of a run: its state while it waits, and the open message while it is sent.

use std::time::Instant;

use crate::delivery::progress::UploadProgress;
use crate::session::{RecipientStatus, SessionError};
use crate::source::OpenMessage;

/// A message to send, without its content.
#[derive(Debug)]
pub(super) struct QueueItem {
    /// Index of the message, from 0.
    pub(super) number: usize,
    /// The status of each recipient; empty before the first try.
    pub(super) statuses: Vec<RecipientStatus>,
    /// The error of its last transaction that concerns all recipients.
    pub(super) session_error: Option<SessionError>,
    /// Tries after which some recipients were refused temporarily.
    pub(super) tries: u32,
    /// Connections that ended while it was being sent.
    pub(super) lost_connections: u32,
    pub(super) due: Option<Instant>,
}

impl QueueItem {
    /// A message that was not tried yet.
    pub(super) fn new(number: usize) -> Self {
        Self { number, statuses: Vec::new(), session_error: None, tries: 0, lost_connections: 0, due: None }
    }

    /// Indexes of the recipients for whom another try may help.
    pub(super) fn open_recipients(&self) -> Vec<usize> {
        if self.session_error.as_ref().is_some_and(SessionError::is_final) {
            return Vec::new();
        }
        let is_open = |status: &RecipientStatus| match status {
            RecipientStatus::Unsent => true,
            RecipientStatus::Refused(_, reply) => !reply.is_permanent(),
            _ => false,
        };
        self.statuses.iter().enumerate().filter(|(_, status)| is_open(status)).map(|(index, _)| index).collect()
    }

    /// Whether the transaction was not begun or not completed for some recipient.
    pub(super) fn is_unsent(&self) -> bool {
        self.statuses.contains(&RecipientStatus::Unsent) && self.session_error.is_none()
    }
}

/// A message that a connection is sending.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    pub(super) item: QueueItem,
    pub(super) message: OpenMessage<'a>,
    /// Indexes of its recipients among those of the message, when an earlier run has served the others.
    pub(super) resumed_indexes: Option<Vec<usize>>,
    pub(super) session_index: usize,
    /// Indexes of the recipients of the running try.
    pub(super) recipient_indexes: Vec<usize>,
    pub(super) progress: UploadProgress,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(mut item: QueueItem, message: OpenMessage<'a>, resumed_indexes: Option<Vec<usize>>) -> Self {
        item.statuses.resize(message.recipients.len(), RecipientStatus::Unsent);
        let (recipient_indexes, progress) = (Vec::new(), UploadProgress::default());
        Self { item, message, resumed_indexes, session_index: 0, recipient_indexes, progress }
    }
}
