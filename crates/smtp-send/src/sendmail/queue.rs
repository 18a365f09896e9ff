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
    let mut control_file = QueueControlFile::new(edits, job.reverse_path.as_ref(), &job.recipients, now());
    control_file.account.clone_from(&arguments.account);
    control_file.notify.clone_from(&arguments.notify);
    control_file.ret.clone_from(&arguments.ret);
    control_file.envelope_id.clone_from(&arguments.envelope_id);
    dead_letter.hand_to(|path, file| queue.take(path, file, control_file))
}

/// How the queue is run.
#[derive(Debug, Clone, Copy)]
pub struct QueueOptions {
    /// Whether messages are tried before their time.
    pub all: bool,
    /// Days after which a message becomes a dead letter.
    pub give_up_after: f64,
    /// Whether only errors are printed.
    pub quiet: bool,
}

/// Opens the queue and saves the messages of killed programs.
fn open() -> Result<(Queue, Vec<String>), Error> {
    let queue = Queue::open().map_err(|error| Error::io("open", "the queue", error).with_kind(Kind::System))?;
    dead_letter::save_left_over();
    let ids = queue.ids().map_err(|error| Error::io("read", queue.folder().display(), error))?;
    Ok((queue, ids))
}

/// Prints the messages of the queue.
///
/// # Errors
/// The queue cannot be read.
pub fn list() -> Result<(), Error> {
    let (queue, ids) = open()?;
    print(&queue, &ids)
}

fn print(queue: &Queue, ids: &[String]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    for id in ids {
        let text = match queue.control_file(id) {
            // The message was sent meanwhile.
            Err(QueueEntryError::Missing) => continue,
            Err(error) => format!("{id}  cannot be used: {error}"),
            Ok(control_file) => {
                let sender = if control_file.sender().is_empty() { "<>" } else { control_file.sender() };
                let why = control_file.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                format!(
                    "{id}  arrived {}, attempts: {}, next {}, from {sender} to {}{why}",
                    control_file::shown(control_file.arrived),
                    control_file.attempts,
                    control_file::shown(control_file.next),
                    control_file.recipients.join(", ")
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

/// Tries the messages whose time has come.
///
/// # Errors
/// The queue cannot be read, or a message was refused permanently.
pub fn run(how: QueueOptions) -> Result<(), Error> {
    if !(how.give_up_after > 0.0 && how.give_up_after <= 1000.0) {
        return Err(Error::usage("--give-up-after", "must be a number of days above 0"));
    }
    let (queue, ids) = open()?;
    let mut run = QueuePass { how, accounts: HashMap::new(), first: None, failed: 0 };
    for id in &ids {
        match queue.entry(id) {
            Ok(entry) if how.all || entry.control_file.next <= now() => run.entry(entry),
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

struct QueuePass {
    how: QueueOptions,
    /// The setup of each account and set of report options; or why there is none.
    accounts: HashMap<[Option<String>; 4], Result<Setup, Error>>,
    first: Option<Error>,
    failed: usize,
}

impl QueuePass {
    fn entry(&mut self, mut entry: QueueEntry) {
        let QueueControlFile { account, notify, ret, envelope_id, .. } = entry.control_file.clone();
        let key = [account.clone(), notify.clone(), ret.clone(), envelope_id.clone()];
        let arguments = Arguments { notify, ret, envelope_id, account, ..Arguments::default() };
        let setup = self.accounts.entry(key.clone()).or_insert_with(|| Setup::new(&arguments));
        let setup = match setup {
            Ok(setup) => setup,
            Err(failure) => {
                // Messages of an account whose server fails are not tried again in this pass.
                entry.control_file.defer(now(), failure.to_string());
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
        let result = attempt(entry, &setup.sending, self.how.give_up_after, &mut show);
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

/// Removes the messages with these identifiers, or all of them.
///
/// # Errors
/// The queue cannot be read, or it has no such message.
pub fn remove(wanted: Option<&[String]>) -> Result<(), Error> {
    let (queue, ids) = open()?;
    let wanted = wanted.unwrap_or(&ids);
    let mut first = None;
    for id in wanted {
        if let Err(error) = queue.drop_entry(id) {
            first.get_or_insert(Error::new(Kind::NoInput, "drop", id, error.to_string()));
        }
    }
    first.map_or(Ok(()), Err)
}
