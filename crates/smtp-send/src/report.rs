//! The result of a message: for people, for programs, and as an exit code.

mod csv;
pub mod output;

use std::io::{self, Write};

use common::{Error, Kind, SafeText};
use serde::Serialize;

use crate::exit_code::{self, PROTOCOL, REFUSED, UNKNOWN_USER};
use crate::net::transport::Encryption;
use crate::proto::address::Address;
use crate::proto::reply::Reply;
use crate::session::{RecipientStatus, SessionError, StopAfter};

pub use self::csv::CsvReport;

/// The input of a report: the final state of a message.
#[derive(Debug)]
pub struct ReportInput<'a> {
    /// The server, as it was given.
    pub server: &'a str,
    /// Its Message-ID.
    pub message_id: &'a str,
    /// Its name, if the run has several messages.
    pub source: Option<&'a str>,
    /// Its recipients.
    pub recipients: &'a [Address],
    /// Their statuses.
    pub statuses: &'a [RecipientStatus],
    /// The error of the transaction or the session.
    pub session_error: Option<&'a SessionError>,
    /// The error of the connection.
    pub failure: Option<Error>,
    /// How the connection was protected.
    pub encryption: Option<&'a Encryption>,
    /// Bytes that were sent.
    pub bytes: u64,
    /// The last step of a probe.
    pub stop_after: Option<StopAfter>,
    /// Whether the other recipients of the message have other servers.
    pub is_part: bool,
}

/// The report on a message.
#[derive(Debug, Serialize)]
pub struct Report {
    server: String,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    tls: Option<TlsReport>,
    bytes: u64,
    stopped_after: Option<&'static str>,
    recipients: Vec<Recipient>,
    error: Option<String>,
    exit_code: u8,
    #[serde(skip)]
    kind: Option<Kind>,
    /// Whether the run has other servers too: the error is printed with the recipients then.
    #[serde(skip)]
    is_part: bool,
}

#[derive(Debug, Serialize)]
struct TlsReport {
    version: String,
    certificate_checked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Debug, Serialize)]
struct Recipient {
    address: String,
    status: Status,
    queue_id: Option<String>,
    code: Option<u16>,
    enhanced: Option<String>,
    text: Option<String>,
    refused_at: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Accepted,
    Valid,
    Refused,
    Deferred,
    Unknown,
    Unsent,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Valid => "valid",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Unknown => "unknown",
            Self::Unsent => "unsent",
        }
    }
}

impl Report {
    /// Builds the report and the error of a message.
    pub fn new(facts: ReportInput) -> (Self, Option<Error>) {
        let recipients = facts.recipients.iter().zip(facts.statuses);
        let recipients = recipients.map(|(address, status)| recipient(address, status)).collect();
        let tls = facts.encryption.map(|tls| TlsReport {
            version: tls.version.clone(),
            certificate_checked: tls.verified,
            key: tls.pin.map(|pin| pin.to_string()),
        });
        let (server, message_id) = (facts.server.to_owned(), facts.message_id.to_owned());
        let (source, bytes) = (facts.source.map(str::to_owned), facts.bytes);
        let (stopped_after, is_part) = (facts.stop_after.map(StopAfter::name), facts.is_part);
        let failure = verdict(facts);
        let error = failure.as_ref().map(ToString::to_string);
        let kind = failure.as_ref().map(Error::kind);
        let exit_code = failure.as_ref().map_or(0, |failure| exit_code::of(failure.kind()));
        (
            Self { server, message_id, source, tls, bytes, stopped_after, recipients, error, exit_code, kind, is_part },
            failure,
        )
    }

    /// The kind of the error, if there is one.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Writes one JSON object on one line, in ASCII: replies may hold characters that control a terminal.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let json = serde_json::to_string(self)?;
        let mut units = [0; 2];
        for character in json.chars() {
            if matches!(character, ' '..='~') {
                write!(out, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        writeln!(out)
    }

    /// Writes a line for each recipient. If none was reached, only a run of several messages writes lines: the error
    /// of the run says why.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(step) = self.stopped_after
            && self.error.is_none()
        {
            writeln!(out, "{}: answered up to {step}", SafeText(self.server.as_bytes()))?;
        }
        let source = self.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
        if self.recipients.iter().all(|one| one.status == Status::Unsent) {
            let Some(error) = &self.error else { return Ok(()) };
            let addresses = self.recipients.iter().map(|one| format!("{}: ", one.address));
            let addresses = if self.is_part { addresses.collect() } else { vec![String::new()] };
            for address in addresses.iter().filter(|_| self.is_part || !source.is_empty()) {
                writeln!(out, "{}", SafeText(format!("{source}{address}not sent: {error}").as_bytes()))?;
            }
            return Ok(());
        }
        for one in &self.recipients {
            writeln!(out, "{}", SafeText(format!("{source}{}", one.line()).as_bytes()))?;
        }
        Ok(())
    }
}

impl Recipient {
    fn line(&self) -> String {
        let reply = [self.code.map(|code| code.to_string()), self.enhanced.clone(), self.text.clone()];
        let reply = reply.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let (address, at) = (&self.address, self.refused_at.unwrap_or_default());
        match (self.status, &self.queue_id) {
            (Status::Accepted, Some(id)) => format!("{address}: accepted, queued as {id} ({reply})"),
            (Status::Accepted, None) => format!("{address}: accepted ({reply})"),
            (Status::Valid, _) => format!("{address}: would be accepted ({reply})"),
            (Status::Refused, _) if at.is_empty() => format!("{address}: not sent: {reply}"),
            (Status::Refused, _) => format!("{address}: refused at {at}: {reply}"),
            (Status::Deferred, _) => format!("{address}: refused temporarily at {at}: {reply}"),
            (Status::Unknown, _) => format!("{address}: unknown, may have been delivered"),
            (Status::Unsent, _) => format!("{address}: not sent"),
        }
    }
}

/// The text for an address that needs SMTPUTF8.
const NEEDS_SMTPUTF8: &str = "the server does not offer SMTPUTF8, which this address needs";

fn recipient(address: &Address, result: &RecipientStatus) -> Recipient {
    let (status, reply, refused_at) = match result {
        RecipientStatus::Unsent => (Status::Unsent, None, None),
        RecipientStatus::Valid(reply) => (Status::Valid, Some(reply), None),
        RecipientStatus::Accepted(reply) => (Status::Accepted, Some(reply), None),
        RecipientStatus::Refused(state, reply) if reply.is_permanent() => {
            (Status::Refused, Some(reply), Some(state.name()))
        }
        RecipientStatus::Refused(state, reply) => (Status::Deferred, Some(reply), Some(state.name())),
        RecipientStatus::NeedsSmtpUtf8 => (Status::Refused, None, None),
        RecipientStatus::Unknown => (Status::Unknown, None, None),
    };
    let own_words = (*result == RecipientStatus::NeedsSmtpUtf8).then(|| NEEDS_SMTPUTF8.to_owned());
    Recipient {
        address: address.to_string(),
        status,
        queue_id: reply.filter(|_| status == Status::Accepted).and_then(Reply::queue_id),
        code: reply.map(Reply::code),
        enhanced: reply.and_then(Reply::enhanced).map(|enhanced| enhanced.to_string()),
        text: reply.map(Reply::text).or(own_words),
        refused_at,
    }
}

/// The error of a message: the most severe of its recipients.
fn verdict(facts: ReportInput) -> Option<Error> {
    let ReportInput { server, recipients, statuses, session_error, failure, .. } = facts;
    if statuses.contains(&RecipientStatus::Unknown) {
        let cause = failure.map(|failure| failure.to_string()).or(session_error.map(ToString::to_string));
        let cause = cause.unwrap_or_default();
        let why = format!("the message may have been delivered; sending it again may deliver it twice ({cause})");
        return Some(Error::new(Kind::Temporary, "no answer after the final dot from", server, why));
    }
    let open = statuses.contains(&RecipientStatus::Unsent) || statuses.is_empty();
    if failure.is_some() && open {
        return failure;
    }
    if let Some(session_error) = session_error {
        // A server may close the session after it has accepted the message for all recipients.
        let done = statuses.iter().all(|status| matches!(status, RecipientStatus::Accepted(_)));
        if !done || statuses.is_empty() {
            return Some(troubled(server, session_error, facts.encryption.is_some()));
        }
    }
    let refused = statuses.iter().zip(recipients).filter_map(|(status, address)| match status {
        RecipientStatus::Refused(_, reply) => Some((address, reply.to_string(), kind_of(reply))),
        RecipientStatus::NeedsSmtpUtf8 => Some((address, NEEDS_SMTPUTF8.to_owned(), REFUSED)),
        _ => None,
    });
    let refused: Vec<_> = refused.collect();
    let (address, words, _) = refused.iter().find(|(.., kind)| *kind != Kind::Temporary).or(refused.first())?;
    let why = if statuses.len() == 1 {
        format!("{address} refused with {words}")
    } else {
        format!("{} of {} recipients refused, {address} with {words}", refused.len(), statuses.len())
    };
    Some(Error::new(worst(refused.iter().map(|(.., kind)| *kind)), "deliver to", server, why))
}

fn troubled(server: &str, session_error: &SessionError, encrypted: bool) -> Error {
    let kind = match session_error {
        SessionError::Refused { reply, .. } => kind_of(reply),
        SessionError::Closing { .. } => Kind::Temporary,
        SessionError::Unexpected { .. } => PROTOCOL,
        SessionError::LoginRefused { reply, .. } if reply.is_transient() => Kind::Temporary,
        SessionError::TlsNotOffered
        | SessionError::LoginNeedsTls
        | SessionError::Login(_)
        | SessionError::LoginRefused { .. } => Kind::Denied,
        SessionError::NotOffered { .. } | SessionError::TooLarge { .. } | SessionError::TooSoon { .. } => REFUSED,
    };
    let cure = match session_error {
        SessionError::Refused { reply, .. } if reply.code() == 530 && !encrypted => {
            " (--tls starttls encrypts, --user NAME logs in)"
        }
        SessionError::Refused { reply, .. } if reply.code() == 530 => " (--user NAME logs in)",
        _ => "",
    };
    Error::new(kind, "deliver to", server, format!("{session_error}{cure}"))
}

fn kind_of(reply: &Reply) -> Kind {
    if !reply.is_permanent() {
        return Kind::Temporary;
    }
    match reply.enhanced().map(|status| (status.subject, status.detail)) {
        Some((1, 1)) => UNKNOWN_USER,
        Some((1, 2)) => Kind::UnknownHost,
        _ => REFUSED,
    }
}

/// The most severe of several kinds: permanent before temporary, and a specific kind only if all agree.
pub fn worst(kinds: impl Iterator<Item = Kind>) -> Kind {
    let mut worst = None;
    for kind in kinds.filter(|kind| *kind != Kind::Temporary) {
        worst = match worst {
            None => Some(kind),
            Some(other) if other == kind => Some(kind),
            Some(_) => Some(REFUSED),
        };
    }
    worst.unwrap_or(Kind::Temporary)
}
