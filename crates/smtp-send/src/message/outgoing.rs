//! A message with its envelope (RFC 5321, section 2.3.1).

use super::Message;
use crate::proto::address::Address;

/// A message and where it goes.
#[derive(Debug)]
pub struct OutgoingMessage {
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// The recipients, each once.
    pub recipients: Vec<Address>,
    /// The message itself.
    pub message: Message,
}
