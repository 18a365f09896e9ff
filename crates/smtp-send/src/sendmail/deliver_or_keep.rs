//! What becomes of a message that was read: sent, or kept with the names of those who are still to get it.
//!
//! The sending runs in a thread of its own, so that a signal can be answered while it waits for a server: the message is kept,
//! one line says where, and the program ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use common::{Error, Kind};
use nix::sys::signal::{SigSet, Signal};

use super::Sending;
use super::dead_letter::{DeadLetter, Note};
use super::queue::{self, Attempt, QueueEntry};
use crate::message::OutgoingMessage;
use crate::session::RecipientStatus;

/// The signals that end a program and can be answered.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// How many recipients an error names; the dead letter itself names all of them.
const NAMED: usize = 5;

/// What happened first.
enum SendEnd {
    Done(Vec<RecipientStatus>, Option<Error>),
    Signal(Signal),
}

/// Sends `job` and discards its dead letter, or buries it when somebody has not got the message. `place` puts the line of the
/// configuration in front of an error where it belongs.
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

/// Tries a message that is in the queue. Unless it is refused for good there is nothing to say: it is in good hands.
pub(super) fn queued(mut sending: Sending, entry: QueueEntry, place: impl FnOnce(Error) -> Error) -> Result<(), Error> {
    let id = entry.id.clone();
    let attempt = until_signal(
        move || AttemptEnd::Tried(queue::attempt(entry, &mut sending, queue::GIVE_UP_AFTER, &mut |_| {})),
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

/// What happened first to a message in the queue.
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

/// Does `work` until it is done or a signal comes; `ended` is what it comes to when it breaks off.
fn until_signal<T: From<Signal> + Send + 'static>(work: impl FnOnce() -> T + Send + 'static, ended: fn() -> T) -> T {
    let (tell, told) = mpsc::channel();
    let awaited = awaited();
    // Before the threads are there, so that they have it from their start.
    if awaited.thread_block().is_ok() {
        let tell = tell.clone();
        thread::spawn(move || {
            if let Ok(signal) = awaited.wait() {
                // When nobody listens any more the program has ended in another way.
                let _ = tell.send(signal.into());
            }
        });
    }
    thread::spawn(move || {
        let sent = catch_unwind(AssertUnwindSafe(work));
        let _ = tell.send(sent.unwrap_or_else(|_| ended()));
    });
    told.recv().unwrap_or_else(|_| ended())
}

fn send(sending: &Sending, job: OutgoingMessage) -> SendEnd {
    let (statuses, failure) = sending.deliver(job);
    SendEnd::Done(statuses, failure)
}

fn ended() -> SendEnd {
    SendEnd::Done(Vec::new(), Some(Error::of(Kind::System, "the sending", "ended without a result")))
}

/// The signals to wait for: those that this program was not told to ignore when it was started, as nohup does.
fn awaited() -> SigSet {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ENDING.into_iter().filter(|signal| ignored >> (*signal as u32 - 1) & 1 == 0).collect()
}

/// `failure` with the place where the message is kept now, and for whom; or why it is not kept.
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
        Err(why) => format!("the message{whom} is lost, for it could not be kept: {why}"),
        Ok(dead_letter) => match dead_letter.save_dead_letter(&Note { sender, recipients, why: &why }) {
            Ok(path) => format!("the message{whom} is kept in {}", path.display()),
            Err((path, cause)) => {
                let cause = common::error::reason(&cause);
                format!("the message{whom} is kept in {} (without a note: {cause})", path.display())
            }
        },
    };
    Error::of(failure.kind(), why, end)
}
