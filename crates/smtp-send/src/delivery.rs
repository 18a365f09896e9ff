//! From the messages of a run to their statuses: some connections at once, another one when the server ends one, another try
//! for what failed for now.
//!
//! What a recipient's status is stands in `session`; here is decided which statuses are final. `board` knows what is still to be
//! done, `connection` does it, and this file says how often and for how long.

mod backoff;
pub mod progress;
mod queue_item;
mod scheduler;
pub mod session_loop;
mod summary;
mod worker;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use crate::config::Route;
use crate::journal::Journal;
use crate::message::Message;
use crate::net::transport::{Encryption, Limits};
use crate::proto::address::Address;
use crate::report::{Report, ReportInput};
use crate::session::{RecipientStatus, SessionError, StopAfter};
use crate::source::MessageSource;

use queue_item::{InFlight, QueueItem};
use scheduler::Scheduler;
use summary::RunSummary;
use worker::{Connection, End};

pub use backoff::backoff;

/// A message with its envelope.
#[derive(Debug)]
pub struct OutgoingMessage {
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// Everybody who shall get it.
    pub recipients: Vec<Address>,
    /// What is sent.
    pub message: Message,
}

/// What became of a message.
#[derive(Debug)]
pub struct DeliveryResult<'a> {
    /// Which one, counted from 0.
    pub number: usize,
    /// Its recipients.
    pub recipients: &'a [Address],
    /// The status of each of them.
    pub statuses: &'a [RecipientStatus],
    /// All of it in words.
    pub report: Report,
}

/// Who is told what became of each message, from any of the connections, one at a time.
pub type OnReport<'a> = &'a mut (dyn FnMut(DeliveryResult<'_>) + Send);

/// How a run goes, besides its route.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions<'a> {
    /// The probe to end at, if it is one.
    pub stop_after: Option<StopAfter>,
    /// Whether a progress bar may be shown for a large message.
    pub bar: bool,
    /// How many connections at once; 0 counts as 1.
    pub connections: usize,
    /// The least time from one message to the next, over all connections.
    pub interval: Option<Duration>,
    /// Where is written down what was done, to go on from there another time.
    pub journal: Option<&'a Journal>,
}

/// Sends all messages and tells `told` of each as soon as nothing about it can change any more. Gives the error of the run:
/// that of its only message, or how many failed.
pub fn send(route: &Route, manner: RunOptions<'_>, supply: &dyn MessageSource, told: OnReport<'_>) -> Option<Failure> {
    let start = Instant::now();
    let count = if manner.stop_after.is_some() { supply.len().min(1) } else { supply.len() };
    let board = Scheduler::new(count, manner.interval, manner.journal);
    let connections = manner.connections.clamp(1, board.open().max(1));
    let run = Run {
        route,
        manner,
        supply,
        limits: Limits { timeout: route.timeout, end: route.max_time.map(|time| start + time) },
        retry_until: route.retry_max_time.map(|time| start + time),
        count,
        board,
        teller: Mutex::new(Reporter { told, tally: RunSummary::default() }),
    };
    thread::scope(|scope| {
        for _ in 1..connections {
            // One connection shows that the way is open before the others take it: a wrong password is tried once.
            scope.spawn(|| run.board.wait_for_opening().then(|| run.work()));
        }
        run.work();
    });
    run.give_up();
    let Reporter { tally, .. } = run.teller.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.verdict(count, &route.server())
}

/// What all connections of a run share.
struct Run<'a> {
    route: &'a Route,
    manner: RunOptions<'a>,
    supply: &'a dyn MessageSource,
    limits: Limits,
    /// No further try begins later.
    retry_until: Option<Instant>,
    count: usize,
    board: Scheduler<'a>,
    teller: Mutex<Reporter<'a>>,
}

struct Reporter<'a> {
    told: OnReport<'a>,
    tally: RunSummary,
}

/// What a connection has to say about a message.
#[derive(Clone, Copy, Default)]
struct ConnectionContext<'a> {
    broken: Option<&'a Failure>,
    trouble: Option<&'a SessionError>,
    encryption: Option<&'a Encryption>,
}

impl Run<'_> {
    /// One connection after the other, as long as there is something to do and another one may help.
    fn work(&self) {
        let mut failures = 0;
        let mut last = End::default();
        while self.board.wait_for_work(self.limits.end) {
            last = Connection::hold(self);
            if last.decided == 0
                && !last.is_good()
                && self.route.has_another_way(last.broken.as_ref(), last.trouble.as_ref())
            {
                continue;
            }
            if self.manner.stop_after.is_some() || last.is_final() {
                break;
            }
            // A server may take only so many messages over one connection; as long as some get through, that is no failure.
            if last.decided > 0 || last.is_good() {
                failures = 0;
                continue;
            }
            failures += 1;
            let Some(pause) = self.pause_before(failures) else { break };
            let left = self.route.retry.saturating_sub(failures);
            log::warn!("{}; trying again in {:.1} s, {left} more", last.why(), pause.as_secs_f64());
            self.board.wait_for(pause);
        }
        self.board.retire(last);
    }

    /// The pause before the next try, when there may be one after so many.
    fn pause_before(&self, tries: u32) -> Option<Duration> {
        let pause = backoff(tries);
        let time_is_left = |end: Option<Instant>| end.is_none_or(|end| Instant::now() + pause < end);
        (tries <= self.route.retry && time_is_left(self.limits.end) && time_is_left(self.retry_until)).then_some(pause)
    }

    /// Nothing that is still open will change.
    fn give_up(&self) {
        let end = self.board.last_end();
        let over =
            || Failure::new(Kind::Temporary, "deliver to", self.route.server(), "the time that was given is over");
        let is_probe = self.manner.stop_after.is_some();
        let broken = end.broken.or_else(|| (end.trouble.is_none() && !is_probe).then(over));
        let circumstances = ConnectionContext {
            broken: broken.as_ref(),
            trouble: end.trouble.as_ref(),
            encryption: end.encryption.as_ref(),
        };
        while let Some(task) = self.board.take_any() {
            if let Some(parcel) = self.loaded(task) {
                self.tell(parcel, circumstances);
            }
        }
    }

    /// The message of a task; one that is not there any more has found its end with that.
    fn loaded(&self, task: QueueItem) -> Option<InFlight> {
        let number = task.number;
        match self.supply.job(number) {
            Ok(mut job) => {
                let kept = self.manner.journal.and_then(|journal| journal.still_open(number, job.recipients.len()));
                if let Some(kept) = &kept {
                    job.recipients = kept.iter().filter_map(|index| job.recipients.get(*index).cloned()).collect();
                }
                Some(InFlight::new(task, job, kept))
            }
            Err(failure) => {
                let circumstances = ConnectionContext { broken: Some(&failure), ..ConnectionContext::default() };
                self.report(number, "", &[], &task, 0, circumstances);
                self.board.done();
                None
            }
        }
    }

    /// A message has come to its end.
    fn tell(&self, parcel: InFlight, circumstances: ConnectionContext<'_>) {
        let InFlight { task, job, meter, .. } = parcel;
        let bytes = meter.bytes();
        drop(meter);
        self.report(task.number, job.message.message_id(), &job.recipients, &task, bytes, circumstances);
        self.supply.give_back(task.number, job);
        self.board.done();
    }

    fn report(
        &self,
        number: usize,
        id: &str,
        to: &[Address],
        task: &QueueItem,
        bytes: u64,
        seen: ConnectionContext<'_>,
    ) {
        let (report, failure) = Report::new(ReportInput {
            server: &self.route.server(),
            message_id: id,
            source: self.supply.name(number).as_deref(),
            recipients: to,
            statuses: &task.statuses,
            trouble: task.trouble.as_ref().or(seen.trouble),
            broken: seen.broken.cloned(),
            encryption: seen.encryption,
            bytes,
            stop_after: self.manner.stop_after,
            is_part: self.route.is_part(),
        });
        let mut teller = self.teller.lock().unwrap_or_else(PoisonError::into_inner);
        (teller.told)(DeliveryResult { number, recipients: to, statuses: &task.statuses, report });
        teller.tally.add(failure);
    }
}
