//! What a session is told before it begins: for all of it (RFC 5321, section 4.1.1.1), and for one transaction
//! (section 3.3). Plain data, checked elsewhere.

use crate::proto::address::Address;
use crate::proto::command::HeloName;

/// Whether TLS is started inside the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Not at all: unwanted, or TLS is there from the first byte.
    Never,
    /// When the server offers it.
    Offered,
    /// Always; without it the session ends.
    Required,
}

/// Where a probe of a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAfter {
    /// The greeting.
    Connect,
    /// The reply to EHLO.
    Ehlo,
    /// EHLO under TLS.
    Tls,
    /// The login.
    Auth,
    /// The reply to MAIL.
    Mail,
    /// The replies to all RCPT.
    Rcpt,
}

/// What holds for the whole session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name given in EHLO and HELO.
    pub helo: HeloName,
    /// Whether TLS is started.
    pub starttls: StartTls,
    /// The probe to end at, if it is one.
    pub stop_after: Option<StopAfter>,
}

/// Who sends what to whom.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// Everybody who shall get the message.
    pub recipients: Vec<Address>,
    /// Size in bytes of the message in its form for servers without 8BITMIME.
    pub seven_bit_size: u64,
    /// Size of its form with bytes over 127, when that form differs.
    pub eight_bit_size: Option<u64>,
}
