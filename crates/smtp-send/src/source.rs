//! Where the messages of a run come from: each can be asked for by its number, as often as it is needed.
//!
//! All of them are looked at before anything is sent, and only what is on its way is held. Ten thousand need hardly more
//! memory than ten.

pub mod compose;
pub mod csv_table;
mod digest;
mod dkim_signed;
mod eml;
pub mod merge;

use std::sync::{Mutex, PoisonError};

use common::{Failure, Kind};

use crate::delivery::OutgoingMessage;

pub(crate) use digest::Digest;
pub use dkim_signed::DkimSignedSource;
pub use eml::EmlFiles;

/// The messages of a run.
pub trait MessageSource: Sync {
    /// How many there are. Their numbers begin at 0.
    fn len(&self) -> usize;

    /// What to call a message in a report; a single message needs no name.
    fn name(&self, number: usize) -> Option<String>;

    /// A message with its envelope.
    ///
    /// # Errors
    /// It cannot be read any more, or is another one than when it was first looked at.
    fn job(&self, number: usize) -> Result<OutgoingMessage, Failure>;

    /// A digest of all messages and their envelopes, in hexadecimal digits: the same another time only when they are.
    ///
    /// # Errors
    /// Something cannot be read any more.
    fn digest(&self) -> Result<String, Failure> {
        Err(Failure::new(Kind::Usage, "", "--journal", "no use with a single message"))
    }

    /// How many messages were left out because something is wrong with them.
    fn left_out(&self) -> usize {
        0
    }

    /// The messages are part of this run, whose name no other one has.
    fn belongs_to(&mut self, run: &str) {
        let _ = run;
    }

    /// How many messages are worth a look before they are sent.
    fn shown(&self) -> usize {
        self.len()
    }

    /// Takes back a message that may be asked for again.
    fn give_back(&self, number: usize, job: OutgoingMessage) {
        let _ = (number, job);
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A single message, which exists only once.
#[derive(Debug)]
pub struct SingleMessage(Mutex<Option<OutgoingMessage>>);

impl SingleMessage {
    /// The supply of this message.
    pub fn new(job: OutgoingMessage) -> Self {
        Self(Mutex::new(Some(job)))
    }
}

impl MessageSource for SingleMessage {
    fn len(&self) -> usize {
        1
    }

    fn name(&self, _: usize) -> Option<String> {
        None
    }

    fn job(&self, _: usize) -> Result<OutgoingMessage, Failure> {
        let job = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        job.ok_or_else(|| Failure::new(Kind::System, "read", "the message", "it is on its way"))
    }

    fn give_back(&self, _: usize, job: OutgoingMessage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
    }
}
