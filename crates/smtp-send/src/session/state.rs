//! Where a session stands, and for how long the other side may think there (RFC 5321, section 4.5.3.2).

use std::time::Duration;

/// Where the session stands; for most states the reply that is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The server speaks first.
    Greeting,
    /// EHLO was sent, or LHLO.
    Ehlo,
    /// HELO was sent.
    Helo,
    /// STARTTLS was sent; after its 220 the TLS handshake.
    StartTls,
    /// AUTH was sent, or an answer to a challenge.
    Auth,
    /// A broken login was given up with `*`.
    AuthCancel,
    /// RSET was sent, to end a transaction that came to nothing.
    Rset,
    /// MAIL was sent.
    Mail,
    /// RCPT was sent for the recipient of this index.
    Rcpt(usize),
    /// DATA was sent.
    Data,
    /// The message is being sent; its end has not left.
    Upload,
    /// A chunk of the message was sent by BDAT, not the last one.
    Chunk,
    /// The message was sent with its final dot, or its last chunk.
    Message,
    /// The same under LMTP: the reply for the recipient of this index.
    Delivery(usize),
    /// A dot was sent in place of a message that nobody would get.
    LoneDot,
    /// QUIT was sent.
    Quit,
    /// Nothing more is sent or awaited.
    Closed,
}

impl State {
    /// How long the reply may take as a whole.
    pub fn reply_timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::Data | Self::LoneDot => 120,
            // A server may deliver before it answers the final dot; giving up early makes duplicates.
            Self::Message | Self::Delivery(_) => 600,
            // Nothing is lost when this reply is.
            Self::Quit | Self::Closed => 10,
            // For one block of the message.
            Self::Upload | Self::Chunk => 180,
            _ => 300,
        })
    }

    /// What was going on, as a noun for messages.
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
