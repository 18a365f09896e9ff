//! Results of a session: the status of each recipient, and errors of a message or the session.
//!
//! `report` maps them to texts and exit codes.

use super::State;
use crate::proto::auth::{AuthError, Mechanism};
use crate::proto::reply::Reply;

/// The status of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientStatus {
    /// Not decided when the session ended: nothing was delivered.
    Unsent,
    /// The server accepts this recipient; the final status of a probe.
    Valid(Reply),
    /// The message was accepted for this recipient; the reply is the one to the final dot.
    Accepted(Reply),
    /// Refused in this state with this reply.
    Refused(State, Reply),
    /// The address requires SMTPUTF8, which the server does not offer; RCPT was not sent.
    NeedsSmtpUtf8,
    /// The connection was lost after the final dot: the message may have been delivered.
    Unknown,
}

/// The final result of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionResult {
    /// Zero-based index of the [`super::Event::Next`] of the message.
    pub number: usize,
    /// The status of each recipient, in the order of the envelope.
    pub statuses: Vec<RecipientStatus>,
    /// An error that concerns all recipients.
    pub error: Option<SessionError>,
}

/// An error of a message or of the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The server refused something that concerns all recipients.
    #[error("refused {}: {reply}", state.name())]
    Refused {
        /// The state.
        state: State,
        /// The reply.
        reply: Reply,
    },
    /// The server closes the session with 421.
    #[error("the server ends the session at {}: {reply}", state.name())]
    Closing {
        /// The state.
        state: State,
        /// The reply.
        reply: Reply,
    },
    /// A reply of a class that is not expected in this state.
    #[error("unexpected reply to {}: {reply}", state.name())]
    Unexpected {
        /// The state.
        state: State,
        /// The reply.
        reply: Reply,
    },
    /// TLS is required and not offered.
    #[error(
        "the server does not offer STARTTLS: use --tls implicit if it expects TLS at once, --tls off to send in clear"
    )]
    TlsNotOffered,
    /// TLS is not offered, and a login requires it.
    #[error(
        "the server does not offer STARTTLS, which a login requires: use --tls implicit if it expects TLS at once, \
         --allow-cleartext-login if the connection is secure in another way"
    )]
    LoginNeedsTls,
    /// No login is possible, or the client ended it.
    #[error("log in: {0}")]
    Login(AuthError),
    /// The server did not accept the login.
    #[error("login of {user} by {mechanism} refused: {reply}{}", detail.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    LoginRefused {
        /// The user.
        user: String,
        /// The mechanism.
        mechanism: Mechanism,
        /// The reply.
        reply: Reply,
        /// The error details of the server, for tokens.
        detail: Option<String>,
    },
    /// An extension that this message needs is not offered.
    #[error("the server does not offer {keyword}, which {what} needs")]
    NotOffered {
        /// The keyword of the extension.
        keyword: &'static str,
        /// The option or property that needs it.
        what: &'static str,
    },
    /// The by-time is below the minimum of the server.
    #[error("the server takes no --deliver-by under {least} seconds for a message that comes back; it is {seconds}")]
    TooSoon {
        /// The requested by-time in seconds.
        seconds: u32,
        /// What the server announced.
        least: u32,
    },
    /// The message exceeds the size limit of the server, as found before it is sent.
    #[error("the message has {size} bytes, the server takes at most {limit}")]
    TooLarge {
        /// Size of the message in bytes.
        size: u64,
        /// What the server announced.
        limit: u64,
    },
}

impl SessionError {
    /// Whether a retry at the same server would fail in the same way.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Closing { .. } => false,
            Self::Refused { reply, .. } | Self::LoginRefused { reply, .. } => reply.is_permanent(),
            _ => true,
        }
    }
}
