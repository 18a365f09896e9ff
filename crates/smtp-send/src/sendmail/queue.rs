//! The retry queue of sendmail mode: messages that failed temporarily are kept and tried again by `smtp-send queue
//! run`.
//!
//! It is for the mail of one machine: a timer runs it, and each message is tried alone. Larger volumes need a mail
//! server.

mod attempt;
pub mod control_file;
mod spool;

use std::collections::HashMap;
use std::io::{self, Write};

use common::{Error, Kind, SafeText};

use super::arguments::Arguments;
use super::dead_letter::{self, DeadLetter};
use super::{Setup, with_config_location};
use crate::cli::{QueueAction, QueueDrop, QueueRun};
use crate::errors;
use crate::message::Edits;
use crate::message::OutgoingMessage;
use crate::report::Report;
use attempt::now;
use control_file::QueueControlFile;
pub(super) use spool::QueueEntry;
use spool::{Queue, QueueEntryError};

pub(super) use attempt::{Attempt, attempt};

/// Days until a message is given up (RFC 5321, section 4.5.4.1).
pub(super) const GIVE_UP_AFTER: f64 = 5.0;

/// Adds a message to the queue, or returns it if the queue has no room.
pub(super) fn enqueue(
    dead_letter: DeadLetter,
    job: &OutgoingMessage,
    edits: &Edits,
    arguments: &Arguments,
) -> Result<QueueEntry, DeadLetter> {
    let queue = match Queue::open() {
        Ok(queue) => queue,
        Err(error) => {
            log::warn!("no queue: {}", common::error::reason(&error));
            return Err(dead_letter);
        }
    };
    let mut ticket = QueueControlFile::new(edits, job.reverse_path.as_ref(), &job.recipients, now());
    ticket.account.clone_from(&arguments.account);
    ticket.notify.clone_from(&arguments.notify);
    ticket.ret.clone_from(&arguments.ret);
    ticket.envelope_id.clone_from(&arguments.envelope_id);
    dead_letter.hand_to(|path, file| queue.take(path, file, ticket))
}

/// Does what was asked for.
///
/// # Errors
/// The queue cannot be read, or something could not be sent for good or removed.
pub fn run(action: &QueueAction) -> Result<(), Error> {
    let queue = Queue::open().map_err(|error| Error::io("open", "the queue", error).with_kind(Kind::System))?;
    dead_letter::save_left_over();
    let ids = queue.ids().map_err(|error| Error::io("read", queue.folder().display(), error))?;
    match action {
        QueueAction::List => list(&queue, &ids),
        QueueAction::Run(how) => try_all(&queue, &ids, how),
        QueueAction::Drop(what) => remove(&queue, &ids, what),
    }
}

fn list(queue: &Queue, ids: &[String]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    for id in ids {
        let text = match queue.ticket(id) {
            // The message was sent meanwhile.
            Err(QueueEntryError::Missing) => continue,
            Err(error) => format!("{id}  cannot be used: {error}"),
            Ok(ticket) => {
                let sender = if ticket.sender().is_empty() { "<>" } else { ticket.sender() };
                let why = ticket.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!(
                    "{id}  arrived {}, attempts: {}, next {}, from {sender} to {}{why}",
                    control_file::shown(ticket.arrived),
                    ticket.attempts,
                    control_file::shown(ticket.next),
                    ticket.recipients.join(", ")
                )
            }
        };
        writeln!(out, "{}", SafeText(text.as_bytes())).map_err(Error::output)?;
    }
    if ids.is_empty() {
        writeln!(out, "the queue is empty").map_err(Error::output)?;
    }
    Ok(())
}

fn try_all(queue: &Queue, ids: &[String], how: &QueueRun) -> Result<(), Error> {
    if !(how.give_up_after > 0.0 && how.give_up_after <= 1000.0) {
        return Err(Error::usage("--give-up-after", "must be a number of days above 0"));
    }
    let mut run = QueuePass { how, accounts: HashMap::new(), first: None, failed: 0 };
    for id in ids {
        match queue.entry(id) {
            Ok(entry) if how.all || entry.ticket.next <= now() => run.entry(entry),
            Ok(_) | Err(QueueEntryError::Busy | QueueEntryError::Missing) => {}
            Err(error) => run.failed(errors::malformed(id, error.to_string())),
        }
    }
    match (run.first, run.failed) {
        (None, _) => Ok(()),
        (Some(first), 1) => Err(first),
        (Some(first), failed) => {
            Err(Error::of(first.kind(), format!("{failed} messages failed; the first"), first.to_string()))
        }
    }
}

/// One pass over the queue.
struct QueuePass<'a> {
    how: &'a QueueRun,
    /// The setup of each account and set of report options; or why there is none.
    accounts: HashMap<[Option<String>; 4], Result<Setup, Error>>,
    first: Option<Error>,
    failed: usize,
}

impl QueuePass<'_> {
    fn entry(&mut self, mut entry: QueueEntry) {
        let QueueControlFile { account, notify, ret, envelope_id, .. } = entry.ticket.clone();
        let key = [account.clone(), notify.clone(), ret.clone(), envelope_id.clone()];
        let arguments = Arguments { notify, ret, envelope_id, account, ..Arguments::default() };
        let setup = self.accounts.entry(key.clone()).or_insert_with(|| Setup::new(&arguments));
        let setup = match setup {
            Ok(setup) => setup,
            Err(failure) => {
                // Messages of an account whose server fails are not tried again in this pass.
                entry.ticket.defer(now(), failure.to_string());
                let saved = entry.save();
                let why = failure.clone();
                self.waiting(&entry.id, &why);
                if let Err(error) = saved {
                    self.failed(Error::io("write the control file of", &entry.id, error));
                }
                return;
            }
        };
        let id = entry.id.clone();
        let quiet = self.how.quiet;
        let mut show = |report: &Report| {
            let mut out = io::stdout().lock();
            // A failed write does not change the result.
            if !quiet {
                let _ = report.write_lines(&mut out);
            }
        };
        let result = attempt(entry, &mut setup.sending, self.how.give_up_after, &mut show);
        let account = setup.account.as_ref();
        match result {
            Attempt::Sent => {}
            Attempt::Waits { failure, unreachable } => {
                let failure = with_config_location(failure, account);
                self.waiting(&id, &failure);
                if unreachable {
                    self.accounts.insert(key, Err(failure));
                }
            }
            Attempt::Saved(failure) => {
                let failure = with_config_location(failure, account);
                self.failed(failure);
            }
        }
    }

    fn waiting(&self, id: &str, failure: &Error) {
        if !self.how.quiet {
            log::warn!("{id} waits: {failure}");
        }
    }

    fn failed(&mut self, failure: Error) {
        self.failed += 1;
        if self.first.is_some() {
            log::warn!("{failure}");
        } else {
            // The end of the pass reports it.
            self.first = Some(failure);
        }
    }
}

fn remove(queue: &Queue, ids: &[String], what: &QueueDrop) -> Result<(), Error> {
    let wanted = if what.all { ids } else { &what.ids };
    let mut first = None;
    for id in wanted {
        if let Err(error) = queue.drop_entry(id) {
            first.get_or_insert(Error::new(Kind::NoInput, "drop", id, error.to_string()));
        }
    }
    first.map_or(Ok(()), Err)
}
