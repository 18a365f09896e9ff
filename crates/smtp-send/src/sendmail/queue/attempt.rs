//! One attempt to send a queued message.
//!
//! Accepted recipients are removed from the control file at once. Recipients refused permanently get a dead letter,
//! written before the control file changes. The others wait, and get a dead letter after the last day.

use std::time::SystemTime;

use common::{Error, Kind};

use super::spool::QueueEntry;
use crate::errors;
use crate::exit_code::{REFUSED, UNKNOWN_USER};
use crate::message::OutgoingMessage;
use crate::message::{ExistingMessage, Message};
use crate::report::Report;
use crate::sendmail::Sending;
use crate::sendmail::dead_letter::{self, Note};
use crate::session::RecipientStatus;

/// Seconds in a day.
const DAY: f64 = 86_400.0;

/// The result of an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// All recipients have the message.
    Sent,
    /// Some recipients wait for the next attempt.
    Waits {
        /// The reason.
        failure: Error,
        /// Whether the server has decided about no recipient, and would not about another message.
        unreachable: bool,
    },
    /// Some recipients were refused permanently: the reason and the path of the dead letter. Others may wait.
    Saved(Error),
}

/// Tries a message; `on_report` is called with each report.
pub(crate) fn attempt(
    mut entry: QueueEntry,
    sending: &Sending,
    give_up_after: f64,
    on_report: &mut (dyn FnMut(&Report) + Send),
) -> Attempt {
    let outgoing = match outgoing(&entry) {
        Ok(outgoing) => outgoing,
        Err(failure) => return save_all(entry, &failure),
    };
    let (dispositions, failure) = send(outgoing, sending, on_report);
    let Some(failure) = failure else { return finished(entry) };
    let by_domain = sending.route.destination.server().is_none();
    let of = |wanted: Disposition| -> Vec<String> {
        let pairs = entry.control_file.recipients.iter().zip(&dispositions);
        pairs.filter(|(_, (one, _))| *one == wanted).map(|(address, _)| address.clone()).collect()
    };
    // The message, the sender or the session was refused permanently, not a recipient.
    let is_open = |(one, _): &(Disposition, bool)| *one == Disposition::Open;
    let for_all = !by_domain && failure.kind() != Kind::Temporary && dispositions.iter().all(is_open);
    let (refused, open) = if for_all && is_about_message(failure.kind()) {
        (entry.control_file.recipients.clone(), Vec::new())
    } else {
        (of(Disposition::Refused), of(Disposition::Open))
    };
    let mut saved = None;
    if !refused.is_empty() {
        match save_dead_letter(&entry, &refused, &failure) {
            Ok(error) => saved = Some(error),
            // They stay in the queue until a dead letter can be written.
            Err(error) => return waits(entry, error, false),
        }
    }
    if open.is_empty() {
        return finish_saved(entry, saved, failure);
    }
    let unreachable = !by_domain && dispositions.iter().all(|(_, unsent)| *unsent);
    entry.control_file.recipients = open;
    let given_up = now() - entry.control_file.arrived;
    if given_up as f64 >= give_up_after * DAY {
        let why = format!("given up after {:.1} days: {failure}", given_up as f64 / DAY);
        return save_all(entry, &Error::of(failure.kind(), "the message", why));
    }
    match saved {
        None => waits(entry, failure, unreachable),
        Some(error) => {
            waits(entry, failure, false);
            Attempt::Saved(error)
        }
    }
}

/// Sends the message. Returns the disposition of each recipient, and whether the server has not decided about it.
fn send(
    outgoing: OutgoingMessage,
    sending: &Sending,
    on_report: &mut (dyn FnMut(&Report) + Send),
) -> (Vec<(Disposition, bool)>, Option<Error>) {
    let by_domain = sending.route.destination.server().is_none();
    let all = outgoing.recipients.clone();
    let mut dispositions = vec![(Disposition::Open, true); all.len()];
    let failure = sending.send(outgoing, &mut |result| {
        // A domain that does not exist or accepts no mail concerns its own recipients only.
        let refused = by_domain && result.report.kind().is_some_and(is_about_message);
        for (address, status) in result.recipients.iter().zip(result.statuses) {
            let unsent = *status == RecipientStatus::Unsent;
            let new = if unsent && refused { Disposition::Refused } else { disposition(status) };
            let same = all.iter().zip(&mut dispositions).filter(|(one, _)| *one == address);
            same.for_each(|(_, old)| *old = (new, unsent));
        }
        on_report(&result.report);
    });
    (dispositions, failure)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disposition {
    Accepted,
    Refused,
    Open,
}

fn disposition(status: &RecipientStatus) -> Disposition {
    match status {
        RecipientStatus::Accepted(_) => Disposition::Accepted,
        RecipientStatus::NeedsSmtpUtf8 => Disposition::Refused,
        RecipientStatus::Refused(_, reply) if reply.is_permanent() => Disposition::Refused,
        // Messages that may have been delivered are sent again, as by every mail server.
        RecipientStatus::Refused(..)
        | RecipientStatus::Unsent
        | RecipientStatus::Valid(_)
        | RecipientStatus::Unknown => Disposition::Open,
    }
}

/// An error of configuration can be corrected while the message waits; one of the message cannot.
fn is_about_message(kind: Kind) -> bool {
    matches!(kind, REFUSED | Kind::BadData | UNKNOWN_USER | Kind::UnknownHost)
}

/// The message with its envelope.
fn outgoing(entry: &QueueEntry) -> Result<OutgoingMessage, Error> {
    let name = entry.path();
    let wrong = |error: super::control_file::ControlFileError| errors::malformed(name.display(), error);
    let edits = entry.control_file.edits().map_err(wrong)?;
    let recipients = entry.control_file.recipients().map_err(wrong)?;
    let reverse_path = entry.control_file.reverse_path().map_err(wrong)?;
    let ready = ExistingMessage::open(&entry.path(), &edits).map_err(|error| error.into_error(name.display()))?;
    Ok(OutgoingMessage { reverse_path, recipients, message: Message::Existing(Box::new(ready)) })
}

fn finished(entry: QueueEntry) -> Attempt {
    let id = entry.id.clone();
    if let Err(error) = entry.remove() {
        // The message would be sent again, which is the lesser damage.
        log::warn!("remove {id}: {}", common::error::reason(&error));
    }
    Attempt::Sent
}

fn finish_saved(entry: QueueEntry, saved: Option<Error>, failure: Error) -> Attempt {
    finished(entry);
    Attempt::Saved(saved.unwrap_or(failure))
}

fn waits(mut entry: QueueEntry, failure: Error, unreachable: bool) -> Attempt {
    entry.control_file.defer(now(), failure.to_string());
    if let Err(error) = entry.save() {
        // The old control file remains: some recipients may get the message again.
        log::warn!("write the control file of {}: {}", entry.id, common::error::reason(&error));
    }
    Attempt::Waits { failure, unreachable }
}

/// Writes a dead letter for all remaining recipients.
fn save_all(entry: QueueEntry, failure: &Error) -> Attempt {
    match save_dead_letter(&entry, &entry.control_file.recipients.clone(), failure) {
        Ok(error) => finish_saved(entry, Some(error.clone()), error),
        Err(error) => waits(entry, error, false),
    }
}

/// Writes a dead letter for `recipients`; returns the error with its path.
///
/// # Errors
/// It cannot be written.
fn save_dead_letter(entry: &QueueEntry, recipients: &[String], failure: &Error) -> Result<Error, Error> {
    let why = failure.to_string();
    let note = Note { sender: entry.control_file.sender(), recipients, why: &why };
    match dead_letter::save_copy(&entry.path(), &note) {
        Ok(path) => {
            let place = format!("{}; a copy is kept in {}", failure, path.display());
            Ok(Error::of(failure.kind(), entry.id.clone(), place))
        }
        Err(error) => {
            let why = format!("{failure}; no dead letter can be written: {}", common::error::reason(&error));
            Err(Error::of(Kind::Temporary, entry.id.clone(), why))
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
