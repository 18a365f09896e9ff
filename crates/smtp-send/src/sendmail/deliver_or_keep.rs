//! Sends a message that was read, or keeps it with its remaining recipients.
//!
//! The message is sent on another thread, so that a signal ends the wait for a server: the message is kept, and one
//! line names the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::signals::{Signal, Signals};
use common::{Error, Kind};

use super::Sending;
use super::dead_letter::{DeadLetter, Note};
use super::queue::{self, Attempt, QueueEntry};
use crate::message::OutgoingMessage;
use crate::session::RecipientStatus;

/// Signals that end the program and can be handled.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Most recipients that an error names; the dead letter names all of them.
const NAMED: usize = 5;

enum SendEnd {
    Done(Vec<RecipientStatus>, Option<Error>),
    Signal(Signal),
}

/// Sends a message and removes its dead letter, or saves it if a recipient has not got the message. `place` adds the
/// location in the configuration to an error.
pub(super) fn of(
    sending: Sending,
    job: OutgoingMessage,
    dead_letter: Result<DeadLetter, String>,
    place: impl FnOnce(Error) -> Error,
) -> Result<(), Error> {
    let recipients: Vec<String> = job.recipients.iter().map(ToString::to_string).collect();
    let sender = job.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    if let Ok(dead_letter) = &dead_letter {
        dead_letter.note(&sender, &recipients);
    }
    let failure = match until_signal(move || send(&sending, job), ended) {
        SendEnd::Done(_, None) => {
            if let Ok(dead_letter) = dead_letter {
                dead_letter.discard();
            }
            return Ok(());
        }
        SendEnd::Done(statuses, Some(failure)) => {
            let has_it = |at: usize| matches!(statuses.get(at), Some(RecipientStatus::Accepted(_)));
            let left = recipients.into_iter().enumerate().filter(|(at, _)| !has_it(*at)).map(|(_, one)| one);
            return Err(saved(dead_letter, &place(failure), &sender, &left.collect::<Vec<_>>()));
        }
        SendEnd::Signal(signal) => {
            let why = "the message may or may not have been delivered";
            Error::of(Kind::Temporary, format!("ended by {}", signal.as_str()), why)
        }
    };
    Err(saved(dead_letter, &failure, &sender, &recipients))
}

/// Tries a queued message. Only a permanent failure is an error.
pub(super) fn queued(sending: Sending, entry: QueueEntry, place: impl FnOnce(Error) -> Error) -> Result<(), Error> {
    let id = entry.id.clone();
    let attempt = until_signal(
        move || AttemptEnd::Tried(queue::attempt(entry, &sending, queue::GIVE_UP_AFTER, &mut |_| {})),
        || AttemptEnd::Ended,
    );
    match attempt {
        AttemptEnd::Tried(Attempt::Saved(failure)) => Err(place(failure)),
        AttemptEnd::Tried(Attempt::Waits { failure, .. }) => {
            log::info!("queued as {id}: {}", place(failure));
            Ok(())
        }
        AttemptEnd::Tried(Attempt::Sent) | AttemptEnd::Ended => Ok(()),
    }
}

/// How the attempt on a queued message has ended.
enum AttemptEnd {
    Tried(Attempt),
    Ended,
}

impl From<Signal> for AttemptEnd {
    fn from(_: Signal) -> Self {
        Self::Ended
    }
}

impl From<Signal> for SendEnd {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal)
    }
}

/// Runs `work` until it is done or a signal arrives; `ended` is the result if it panics.
fn until_signal<T: From<Signal> + Send + 'static>(work: impl FnOnce() -> T + Send + 'static, ended: fn() -> T) -> T {
    let (sender, results) = mpsc::channel();
    // The threads inherit the signal mask.
    if let Ok(signals) = Signals::block(&awaited_signals()) {
        let sender = sender.clone();
        thread::spawn(move || {
            while let Ok(signal) = signals.wait(Duration::MAX) {
                // The receiver is gone if the program has ended in another way.
                let _ = signal.map(|signal| sender.send(signal.into()));
            }
        });
    }
    thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        let _ = sender.send(result.unwrap_or_else(|_| ended()));
    });
    results.recv().unwrap_or_else(|_| ended())
}

fn send(sending: &Sending, job: OutgoingMessage) -> SendEnd {
    let (statuses, failure) = sending.deliver(job);
    SendEnd::Done(statuses, failure)
}

fn ended() -> SendEnd {
    SendEnd::Done(Vec::new(), Some(Error::of(Kind::System, "the sending", "ended without a result")))
}

/// The signals to handle, except those that were ignored when the program was started, as by nohup.
fn awaited_signals() -> Vec<Signal> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ENDING.into_iter().filter(|signal| ignored >> (*signal as u32 - 1) & 1 == 0).collect()
}

/// `failure` with the file that keeps the message and its recipients; or why it is lost.
pub(super) fn saved(
    dead_letter: Result<DeadLetter, String>,
    failure: &Error,
    sender: &str,
    recipients: &[String],
) -> Error {
    let whom = match recipients {
        [] => String::new(),
        few if few.len() <= NAMED => format!(" for {}", few.join(", ")),
        many => format!(" for {} recipients", many.len()),
    };
    let why = failure.to_string();
    let end = match dead_letter {
        Err(why) => format!("the message{whom} is lost, it could not be kept: {why}"),
        Ok(dead_letter) => match dead_letter.save_dead_letter(&Note { sender, recipients, why: &why }) {
            Ok(path) => format!("the message{whom} is kept in {}", path.display()),
            Err((path, cause)) => {
                let cause = common::error::reason(&cause);
                format!("the message{whom} is kept in {} (without its first line: {cause})", path.display())
            }
        },
    };
    Error::of(failure.kind(), why, end)
}
