//! What a session leads to: the status of each recipient, and what stopped a message or the session as a whole.
//!
//! The words here are facts. What they mean for people and for an exit code is the business of `report`.

use super::State;
use crate::proto::auth::{AuthError, Mechanism};
use crate::proto::reply::Reply;

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientStatus {
    /// Not decided when the session ended: nothing was delivered.
    Unsent,
    /// The server takes this recipient, and nothing has been delivered yet. The end of a probe.
    Valid(Reply),
    /// The message was accepted for this recipient; the reply is the one to the final dot.
    Accepted(Reply),
    /// Refused in this state with this reply.
    Refused(State, Reply),
    /// The server does not offer SMTPUTF8, which this address needs; it was not even named.
    NeedsSmtpUtf8,
    /// The connection was lost after the final dot: the message may have been delivered.
    Unknown,
}

/// What became of one message, after the last thing that could change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionResult {
    /// Which message: the how-maniest [`super::Event::Next`] of the session it came by, from 0.
    pub number: usize,
    /// The status of each recipient, in the order of the envelope.
    pub statuses: Vec<RecipientStatus>,
    /// What concerned all recipients of this message.
    pub error: Option<SessionError>,
}

/// Why a message, or the session as a whole, could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
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
    /// TLS is not offered, and a login is not shown to everybody on the way.
    #[error(
        "the server does not offer STARTTLS, and nobody logs in unprotected: use --tls implicit if it expects TLS at once, \
         --allow-cleartext-login if nobody else can read this connection"
    )]
    LoginNeedsTls,
    /// No login is possible, or it broke off on our side.
    #[error("log in: {0}")]
    Login(AuthError),
    /// The server did not accept the login.
    #[error("login of {user} by {mechanism} refused: {reply}{}", detail.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    LoginRefused {
        /// Who wanted to log in.
        user: String,
        /// How.
        mechanism: Mechanism,
        /// With which words it was refused.
        reply: Reply,
        /// What the server had said before, for tokens.
        detail: Option<String>,
    },
    /// An extension that this message needs is not offered.
    #[error("the server does not offer {keyword}, which {what} needs")]
    NotOffered {
        /// The keyword of the extension.
        keyword: &'static str,
        /// What needs it.
        what: &'static str,
    },
    /// The server does not let a message come back so soon.
    #[error("the server takes no --deliver-by under {least} seconds for a message that comes back; it is {seconds}")]
    TooSoon {
        /// What was asked for, in seconds.
        seconds: u32,
        /// What the server announced.
        least: u32,
    },
    /// The message is larger than the server takes. Found before anything was sent.
    #[error("the message has {size} bytes, the server takes at most {limit}")]
    TooLarge {
        /// Size of the message in bytes.
        size: u64,
        /// What the server announced.
        limit: u64,
    },
}

impl SessionError {
    /// Whether another connection to the same server would end in the same way.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Closing { .. } => false,
            Self::Refused { reply, .. } | Self::LoginRefused { reply, .. } => reply.is_permanent(),
            _ => true,
        }
    }
}
