//! What a session is told before it begins: for all of it (RFC 5321, section 4.1.1.1), and for one transaction
//! (section 3.3). Plain data, checked elsewhere.

use crate::proto::address::Address;
use crate::proto::auth::Login;
use crate::proto::command::HeloName;
use crate::proto::deliver_by::DeliverBy;
use crate::proto::dsn::Dsn;

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

impl StopAfter {
    /// All steps, in their order.
    pub const ALL: [Self; 6] = [Self::Connect, Self::Ehlo, Self::Tls, Self::Auth, Self::Mail, Self::Rcpt];

    /// The name on the command line and in reports.
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

/// What holds for the whole session.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name given in EHLO and HELO.
    pub helo: HeloName,
    /// Whether TLS is started.
    pub starttls: StartTls,
    /// Whether it is LMTP (RFC 2033): another greeting, and an answer for each recipient behind the message.
    pub lmtp: bool,
    /// Who logs in, if anybody.
    pub login: Option<Login>,
    /// Whether CHUNKING is used when it is offered.
    pub chunking: bool,
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
    /// Size of its form with files as they are, for BINARYMIME, when it has one.
    pub binary_size: Option<u64>,
    /// Whether the header of the message holds UTF-8 (RFC 6532).
    pub utf8_header: bool,
    /// What is asked of delivery reports.
    pub dsn: Dsn,
    /// When it has to be delivered (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// Whether the message may go on over checked TLS only (RFC 8689).
    pub require_tls: bool,
}

impl Envelope {
    /// Whether MAIL must say SMTPUTF8 (RFC 6531, section 3.4).
    pub(super) fn is_international(&self) -> bool {
        self.utf8_header || self.reverse_path.iter().chain(&self.recipients).any(Address::needs_smtputf8)
    }
}
