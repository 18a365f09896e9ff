//! The states of a session and their timeouts (RFC 5321, section 4.5.3.2).

use std::time::Duration;

/// A state; most are named by the command whose reply is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for the greeting.
    Greeting,
    /// EHLO was sent, or LHLO.
    Ehlo,
    /// HELO was sent.
    Helo,
    /// STARTTLS was sent; after its 220 the TLS handshake.
    StartTls,
    /// AUTH was sent, or a response to a challenge.
    Auth,
    /// An exchange was cancelled with `*`.
    AuthCancel,
    /// RSET was sent after a failed transaction.
    Rset,
    /// MAIL was sent.
    Mail,
    /// RCPT was sent for the recipient of this index.
    Rcpt(usize),
    /// DATA was sent.
    Data,
    /// The message is being sent; its end was not sent.
    Upload,
    /// A chunk was sent by BDAT, not the last one.
    Chunk,
    /// The message was sent with its final dot, or its last chunk.
    Message,
    /// As `Message`, for LMTP: the reply for the recipient of this index.
    Delivery(usize),
    /// A dot was sent instead of a message, because no recipient was accepted.
    LoneDot,
    /// QUIT was sent.
    Quit,
    /// Nothing more is sent or awaited.
    Closed,
}

impl State {
    /// The timeout of the whole reply.
    pub fn reply_timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Data | Self::LoneDot => 120,
            // A server may deliver before it replies to the final dot; a short timeout causes duplicates.
            Self::Message | Self::Delivery(_) => 600,
            // The reply to QUIT has no effect.
            Self::Quit | Self::Closed => 10,
            // For one block of the message.
            Self::Upload | Self::Chunk => 180,
            _ => 300,
        })
    }

    /// The name of the state in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greeting => "the greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::StartTls => "STARTTLS",
            Self::Auth | Self::AuthCancel => "AUTH",
            Self::Rset => "RSET",
            Self::Mail => "MAIL",
            Self::Rcpt(_) => "RCPT",
            Self::Data => "DATA",
            Self::Upload | Self::Chunk | Self::Message | Self::Delivery(_) => "the message",
            Self::LoneDot => "the empty message",
            Self::Quit | Self::Closed => "QUIT",
        }
    }
}
