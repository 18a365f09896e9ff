//! What a session leads to: the fate of each recipient, and what stopped the session as a whole.
//!
//! The words here are facts. What they mean for people and for an exit code is the business of `report`.

use super::State;
use crate::proto::reply::Reply;

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Not decided when the session ended: nothing was delivered.
    Unsent,
    /// The server takes this recipient, and nothing has been delivered yet. The end of a probe.
    Valid(Reply),
    /// The message was accepted for this recipient; the reply is the one to the final dot.
    Accepted(Reply),
    /// Refused in this state with this reply.
    Refused(State, Reply),
    /// The connection was lost after the final dot: the message may have been delivered.
    Unknown,
}

/// Why the session as a whole could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The server refused something that concerns all recipients.
    #[error("refused {}: {reply}", state.name())]
    Refused {
        /// When.
        state: State,
        /// With which words.
        reply: Reply,
    },
    /// The server closes the session with 421.
    #[error("the server ends the session at {}: {reply}", state.name())]
    Closing {
        /// When.
        state: State,
        /// With which words.
        reply: Reply,
    },
    /// A reply whose class makes no sense in this state.
    #[error("unexpected reply to {}: {reply}", state.name())]
    Unexpected {
        /// When.
        state: State,
        /// With which words.
        reply: Reply,
    },
    /// TLS is demanded and not offered.
    #[error(
        "the server does not offer STARTTLS: use --tls implicit if it expects TLS at once, --tls off to send in clear"
    )]
    TlsNotOffered,
    /// The message is larger than the server takes. Found before anything was sent.
    #[error("the message has {size} bytes, the server takes at most {limit}")]
    TooLarge {
        /// Size of the message in bytes.
        size: u64,
        /// What the server announced.
        limit: u64,
    },
}
