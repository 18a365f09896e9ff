//! What became of each recipient: for people, for programs, and as an exit code.

use std::io::{self, Write};

use common::{Failure, Kind, SafeText};
use serde::Serialize;

use crate::deliver::Progress;
use crate::proto::address::Address;
use crate::proto::reply::Reply;
use crate::session::{Fate, Session, StopAfter, Trouble};

/// What there is to say after a session.
#[derive(Debug, Serialize)]
pub struct Report {
    server: String,
    message_id: String,
    tls: Option<Tls>,
    bytes: u64,
    stopped_after: Option<&'static str>,
    recipients: Vec<Recipient>,
    error: Option<String>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct Tls {
    version: String,
    certificate_checked: bool,
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

impl Report {
    /// A report on `session`, which has come as far as `done` and was perhaps `broken` off; and the error of the whole run, if it is one.
    pub fn new(
        server: &str,
        message_id: &str,
        session: &Session,
        stop_after: Option<StopAfter>,
        done: &Progress,
        broken: Option<Failure>,
    ) -> (Self, Option<Failure>) {
        let failure = verdict(server, session, broken, done.encryption.is_some());
        let tls = done.encryption.as_ref();
        let report = Self {
            server: server.to_owned(),
            message_id: message_id.to_owned(),
            bytes: done.bytes,
            tls: tls.map(|tls| Tls { version: tls.version.clone(), certificate_checked: tls.verified }),
            stopped_after: stop_after.map(step_name),
            recipients: session.fates().map(|(address, fate)| recipient(address, fate)).collect(),
            error: failure.as_ref().map(ToString::to_string),
            exit_code: failure.as_ref().map_or(0, |failure| crate::code_of(failure.kind())),
        };
        (report, failure)
    }

    /// A report on a session that never began.
    pub fn unsent(server: &str, message_id: &str, recipients: &[Address], failure: &Failure) -> Self {
        Self {
            server: server.to_owned(),
            message_id: message_id.to_owned(),
            tls: None,
            bytes: 0,
            stopped_after: None,
            recipients: recipients.iter().map(|address| recipient(address, &Fate::Unsent)).collect(),
            error: Some(failure.to_string()),
            exit_code: crate::code_of(failure.kind()),
        }
    }

    /// Writes one JSON object on one line.
    ///
    /// All of it is ASCII: what a server said may hold characters that JSON allows and a terminal obeys.
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
        writeln!(out)?;
        out.flush()
    }

    /// Writes a line for each recipient. When none was reached there is none: the error says why.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(step) = self.stopped_after
            && self.error.is_none()
        {
            writeln!(out, "{}: answered up to {step}", SafeText(self.server.as_bytes()))?;
        }
        if self.recipients.iter().all(|one| one.status == Status::Unsent) {
            return out.flush();
        }
        for one in &self.recipients {
            writeln!(out, "{}", SafeText(one.line().as_bytes()))?;
        }
        out.flush()
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
            (Status::Refused, _) => format!("{address}: refused at {at}: {reply}"),
            (Status::Deferred, _) => format!("{address}: refused for now at {at}: {reply}"),
            (Status::Unknown, _) => format!("{address}: unknown, may have been delivered"),
            (Status::Unsent, _) => format!("{address}: not sent"),
        }
    }
}

fn recipient(address: &Address, fate: &Fate) -> Recipient {
    let (status, reply, refused_at) = match fate {
        Fate::Unsent => (Status::Unsent, None, None),
        Fate::Valid(reply) => (Status::Valid, Some(reply), None),
        Fate::Accepted(reply) => (Status::Accepted, Some(reply), None),
        Fate::Refused(state, reply) if reply.is_permanent() => (Status::Refused, Some(reply), Some(state.name())),
        Fate::Refused(state, reply) => (Status::Deferred, Some(reply), Some(state.name())),
        Fate::Unknown => (Status::Unknown, None, None),
    };
    Recipient {
        address: address.to_string(),
        status,
        queue_id: reply.filter(|_| status == Status::Accepted).and_then(Reply::queue_id),
        code: reply.map(Reply::code),
        enhanced: reply.and_then(Reply::enhanced).map(|enhanced| enhanced.to_string()),
        text: reply.map(Reply::text),
        refused_at,
    }
}

/// The error of the whole run: the worst that happened to anybody.
fn verdict(server: &str, session: &Session, broken: Option<Failure>, encrypted: bool) -> Option<Failure> {
    let fates: Vec<_> = session.fates().collect();
    if fates.iter().any(|(_, fate)| matches!(fate, Fate::Unknown)) {
        let cause = broken.map(|failure| failure.to_string()).or(session.trouble().map(ToString::to_string));
        let cause = cause.unwrap_or_default();
        let why = format!("the message may have been delivered, sending it again may deliver it twice ({cause})");
        return Some(Failure::new(Kind::Temporary, "no answer after the final dot from", server, why));
    }
    if broken.is_some() {
        return broken;
    }
    if let Some(trouble) = session.trouble() {
        // A server that closes after it took the message for everybody has done its work.
        let done = fates.iter().all(|(_, fate)| matches!(fate, Fate::Accepted(_)));
        if !done || fates.is_empty() {
            return Some(troubled(server, trouble, encrypted));
        }
    }
    let refused: Vec<_> = fates
        .iter()
        .filter_map(|(address, fate)| match fate {
            Fate::Refused(_, reply) => Some((*address, reply)),
            _ => None,
        })
        .collect();
    let (address, reply) = refused.iter().find(|(_, reply)| reply.is_permanent()).or(refused.first())?;
    let why = format!("{} of {} recipients refused, {address} with {reply}", refused.len(), fates.len());
    let why = if fates.len() == 1 { format!("{address} refused with {reply}") } else { why };
    Some(Failure::new(kind_of(refused.iter().map(|(_, reply)| *reply)), "deliver to", server, why))
}

fn troubled(server: &str, trouble: &Trouble, encrypted: bool) -> Failure {
    let kind = match trouble {
        Trouble::Refused { reply, .. } => kind_of(std::iter::once(reply)),
        Trouble::Closing { .. } => Kind::Temporary,
        Trouble::Unexpected { .. } => Kind::Protocol,
        Trouble::TlsNotOffered => Kind::Denied,
        Trouble::TooLarge { .. } => Kind::Refused,
    };
    let cure = match trouble {
        Trouble::Refused { reply, .. } if reply.code() == 530 && !encrypted => " (--tls starttls encrypts)",
        _ => "",
    };
    Failure::new(kind, "deliver to", server, format!("{trouble}{cure}"))
}

/// Refused for good outweighs refused for now. When nobody is known there, that is the more exact word.
fn kind_of<'a>(replies: impl Iterator<Item = &'a Reply>) -> Kind {
    let (mut permanent, mut exact) = (false, None);
    for reply in replies.filter(|reply| reply.is_permanent()) {
        let kind = match reply.enhanced().map(|status| (status.subject, status.detail)) {
            Some((1, 1)) => Kind::UnknownUser,
            Some((1, 2)) => Kind::UnknownHost,
            _ => Kind::Refused,
        };
        exact = match exact {
            None => Some(kind),
            Some(other) if other == kind => Some(kind),
            Some(_) => Some(Kind::Refused),
        };
        permanent = true;
    }
    if permanent { exact.unwrap_or(Kind::Refused) } else { Kind::Temporary }
}

fn step_name(step: StopAfter) -> &'static str {
    match step {
        StopAfter::Connect => "connect",
        StopAfter::Ehlo => "ehlo",
        StopAfter::Tls => "tls",
        StopAfter::Auth => "auth",
        StopAfter::Mail => "mail",
        StopAfter::Rcpt => "rcpt",
    }
}
