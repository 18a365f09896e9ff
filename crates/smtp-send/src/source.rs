//! The messages of a run: each is opened by its number, as often as needed.
//!
//! All of them are checked before anything is sent, and only the open ones are held in memory.

pub mod compose;
pub mod csv_table;
mod digest;
mod eml;
pub mod merge;

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use common::Error;
use common::sync::{Mutex, MutexGuard};

use crate::message::{Message, OutgoingMessage};
use crate::proto::address::Address;

pub(crate) use digest::Digest;
pub use eml::EmlFiles;

/// The messages of a run.
pub trait MessageSource: Sync {
    /// Number of messages; their indexes begin at 0.
    fn len(&self) -> usize;

    /// The name of a message in reports; a single message has none.
    fn name(&self, number: usize) -> Option<String>;

    /// The recipients of a message, without opening it.
    fn recipients(&self, number: usize) -> Result<Cow<'_, [Address]>, Error>;

    /// Opens a message with its envelope.
    ///
    /// # Errors
    /// It cannot be read any more, or has changed since it was checked.
    fn open(&self, number: usize) -> Result<OpenMessage<'_>, Error>;

    /// A digest of all messages and envelopes in hexadecimal digits; it is equal only if they are.
    fn digest(&self) -> Result<String, Error> {
        Err(Error::usage("--journal", "requires --eml or --merge"))
    }

    /// Number of messages that were left out because they cannot be sent.
    fn skipped(&self) -> usize {
        0
    }

    /// Sets the identifier of the run that the messages belong to.
    fn set_run_id(&mut self, run: &str) {
        let _ = run;
    }

    /// Number of messages that `--dry-run` prints.
    fn preview_count(&self) -> usize {
        self.len()
    }

    /// Whether there are no messages.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An open message with its envelope.
#[derive(Debug)]
pub struct OpenMessage<'a> {
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// The recipients, each once.
    pub recipients: Vec<Address>,
    /// The message itself.
    pub message: MessageGuard<'a>,
}

impl OpenMessage<'_> {
    /// Keeps the recipients with these indexes.
    pub fn keep_recipients(&mut self, indexes: &[usize]) {
        self.recipients = indexes.iter().filter_map(|index| self.recipients.get(*index).cloned()).collect();
    }
}

impl From<OutgoingMessage> for OpenMessage<'_> {
    fn from(outgoing: OutgoingMessage) -> Self {
        let OutgoingMessage { reverse_path, recipients, message } = outgoing;
        Self { reverse_path, recipients, message: MessageGuard::Owned(Box::new(message)) }
    }
}

/// Access to a message. One that can be read only once goes back to its source when the guard is dropped.
#[derive(Debug)]
pub enum MessageGuard<'a> {
    /// Opened for this use.
    Owned(Box<Message>),
    /// Kept by the source.
    Kept(MutexGuard<'a, Message>),
}

impl Deref for MessageGuard<'_> {
    type Target = Message;

    fn deref(&self) -> &Message {
        match self {
            Self::Owned(message) => message,
            Self::Kept(message) => message,
        }
    }
}

impl DerefMut for MessageGuard<'_> {
    fn deref_mut(&mut self) -> &mut Message {
        match self {
            Self::Owned(message) => message,
            Self::Kept(message) => message,
        }
    }
}

/// A single message, kept because its text may come from a stream.
#[derive(Debug)]
pub struct SingleMessage {
    reverse_path: Option<Address>,
    recipients: Vec<Address>,
    message: Mutex<Message>,
}

impl SingleMessage {
    /// The source of this message.
    pub fn new(outgoing: OutgoingMessage) -> Self {
        let OutgoingMessage { reverse_path, recipients, message } = outgoing;
        Self { reverse_path, recipients, message: Mutex::new(message) }
    }

    fn recipients(&self) -> &[Address] {
        &self.recipients
    }

    fn open(&self) -> OpenMessage<'_> {
        OpenMessage {
            reverse_path: self.reverse_path.clone(),
            recipients: self.recipients.clone(),
            message: MessageGuard::Kept(self.message.lock()),
        }
    }
}

impl MessageSource for SingleMessage {
    fn len(&self) -> usize {
        1
    }

    fn name(&self, _: usize) -> Option<String> {
        None
    }

    fn recipients(&self, _: usize) -> Result<Cow<'_, [Address]>, Error> {
        Ok(self.recipients().into())
    }

    fn open(&self, _: usize) -> Result<OpenMessage<'_>, Error> {
        Ok(self.open())
    }
}
