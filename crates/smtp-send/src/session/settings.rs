//! Settings of a session (RFC 5321, section 4.1.1.1) and the envelope of a transaction (section 3.3). Plain data.

use crate::proto::address::Address;
use crate::proto::auth::Login;
use crate::proto::command::HeloName;
use crate::proto::deliver_by::DeliverBy;
use crate::proto::dsn::Dsn;

/// Whether the session uses STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Never: without TLS, or with implicit TLS.
    Never,
    /// If the server offers it.
    Offered,
    /// Always; a server without it ends the session.
    Required,
}

/// The last step of a probe.
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

impl StopAfter {
    /// All steps, in their order.
    pub const ALL: [Self; 6] = [Self::Connect, Self::Ehlo, Self::Tls, Self::Auth, Self::Mail, Self::Rcpt];

    /// The name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Ehlo => "ehlo",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
        }
    }

    /// The step with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// Settings of a session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name given in EHLO and HELO.
    pub helo: HeloName,
    /// Whether STARTTLS is used.
    pub starttls: StartTls,
    /// Whether the protocol is LMTP (RFC 2033): LHLO, and one reply per recipient to the message.
    pub lmtp: bool,
    /// The login, if any.
    pub login: Option<Login>,
    /// Whether CHUNKING is used if it is offered.
    pub chunking: bool,
    /// The last step of a probe.
    pub stop_after: Option<StopAfter>,
}

/// The envelope of a message, and properties of the message that MAIL declares.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The reverse path, which receives bounces; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// The recipients.
    pub recipients: Vec<Address>,
    /// Size in bytes of the 7-bit form.
    pub seven_bit_size: u64,
    /// Size in bytes of the 8-bit form, if it differs.
    pub eight_bit_size: Option<u64>,
    /// Size in bytes of the binary form, if the message has one.
    pub binary_size: Option<u64>,
    /// Whether the header has UTF-8 (RFC 6532).
    pub utf8_header: bool,
    /// The DSN parameters.
    pub dsn: Dsn,
    /// The time limit of the delivery (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// Whether every hop must use verified TLS (RFC 8689).
    pub require_tls: bool,
}

impl Envelope {
    /// Whether MAIL needs SMTPUTF8 (RFC 6531, section 3.4).
    pub(super) fn is_international(&self) -> bool {
        self.utf8_header || self.reverse_path.iter().chain(&self.recipients).any(Address::needs_smtputf8)
    }
}
