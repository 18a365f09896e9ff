//! Delivers the messages of a run: several connections at once, a new connection when the server ends one, and another
//! try for what was refused temporarily.
//!
//! `session` says what happened to each recipient; this module decides which results are final. `scheduler` holds the
//! queues, `worker` runs one connection after the other, and a [`Connector`] knows where to connect.

mod backoff;
mod connector;
pub mod progress;
mod queue_item;
mod scheduler;
pub mod session_loop;
mod summary;
mod worker;

use std::thread;
use std::time::{Duration, Instant};

use common::sync::Mutex;
use common::{Error, Kind};

use crate::config::Route;
use crate::journal::Journal;
use crate::net::transport::{Encryption, Limits};
use crate::proto::address::Address;
use crate::report::{Report, ReportInput};
use crate::session::{RecipientStatus, SessionError, StopAfter};
use crate::source::MessageSource;

use queue_item::{InFlight, QueueItem};
use scheduler::Scheduler;
use summary::RunSummary;
use worker::run_connection;

pub use backoff::backoff;
pub use connector::{ConnectionResult, Connector, FixedServer, ServerConnection};

/// The final result of one message.
#[derive(Debug)]
pub struct DeliveryResult<'a> {
    /// Index of the message, from 0.
    pub number: usize,
    /// Its recipients.
    pub recipients: &'a [Address],
    /// The status of each recipient.
    pub statuses: &'a [RecipientStatus],
    /// The same for people and programs.
    pub report: Report,
}

/// Called with the result of each message; calls are serialised.
pub type OnReport<'a> = &'a mut (dyn FnMut(DeliveryResult<'_>) + Send);

/// Options of a run other than where it connects.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions<'a> {
    /// The step to end at, for a probe.
    pub stop_after: Option<StopAfter>,
    /// Whether a progress bar may be shown for a large message.
    pub progress_bar: bool,
    /// Connections at once; 0 counts as 1.
    pub connections: usize,
    /// Shortest time from one message to the next, over all connections.
    pub interval: Option<Duration>,
    /// Record of what was done, to resume the run.
    pub journal: Option<&'a Journal>,
    /// When the whole run must be over.
    pub deadline: Option<Instant>,
    /// Whether other domains are delivered to in the same run.
    pub is_part: bool,
}

/// Sends all messages, and calls `on_report` for each as soon as its result is final. Gives the error of the run: that of
/// its only message, or how many failed.
pub fn send(
    connector: &dyn Connector,
    route: &Route,
    options: RunOptions<'_>,
    source: &dyn MessageSource,
    on_report: OnReport<'_>,
) -> Option<Error> {
    let start = Instant::now();
    let count = if options.stop_after.is_some() { source.len().min(1) } else { source.len() };
    let scheduler = Scheduler::new(count, options.interval, options.journal);
    let connections = options.connections.clamp(1, scheduler.remaining().max(1));
    let run = Run {
        connector,
        route,
        options,
        source,
        limits: Limits { timeout: route.timeout, end: options.deadline },
        retry_until: route.retry_max_time.map(|time| start + time),
        count,
        scheduler,
        reporter: Mutex::new(Reporter { on_report, summary: RunSummary::default() }),
    };
    thread::scope(|scope| {
        for _ in 1..connections {
            // The others wait for the first connection: a wrong password is tried once only.
            scope.spawn(|| run.scheduler.wait_for_first_connection().then(|| run.work()));
        }
        run.work();
    });
    run.report_unsent();
    let Reporter { summary, .. } = run.reporter.into_inner();
    summary.error(count, &connector.name())
}

/// State shared by the connections of a run.
struct Run<'a> {
    connector: &'a dyn Connector,
    route: &'a Route,
    options: RunOptions<'a>,
    source: &'a dyn MessageSource,
    limits: Limits,
    retry_until: Option<Instant>,
    count: usize,
    scheduler: Scheduler<'a>,
    reporter: Mutex<Reporter<'a>>,
}

struct Reporter<'a> {
    on_report: OnReport<'a>,
    summary: RunSummary,
}

/// What a connection adds to the report of a message.
#[derive(Clone, Copy, Default)]
struct ConnectionContext<'a> {
    failure: Option<&'a Error>,
    session_error: Option<&'a SessionError>,
    encryption: Option<&'a Encryption>,
}

impl<'a> From<&'a ConnectionResult> for ConnectionContext<'a> {
    fn from(result: &'a ConnectionResult) -> Self {
        Self {
            failure: result.error.as_ref().map(|error| &error.failure),
            session_error: result.session_error.as_ref(),
            encryption: result.encryption.as_ref(),
        }
    }
}

impl Run<'_> {
    /// Runs one connection after the other while there are messages and another connection may help.
    fn work(&self) {
        let mut failures = 0;
        let mut last = ConnectionResult::default();
        while self.scheduler.wait_for_work(self.limits.end) {
            last = run_connection(self);
            if last.decided == 0 && !last.is_success() && self.connector.next_target(&last) {
                continue;
            }
            if self.options.stop_after.is_some() || last.is_final() {
                break;
            }
            // Servers limit the messages of a connection; as long as some are decided, its end is no failure.
            if last.decided > 0 || last.is_success() {
                failures = 0;
                continue;
            }
            failures += 1;
            let Some(pause) = self.pause_before(failures) else { break };
            let left = self.route.retry.saturating_sub(failures);
            log::warn!("{}; trying again in {:.1} s, {left} more", last.reason(), pause.as_secs_f64());
            self.scheduler.wait_for(pause);
        }
        self.scheduler.worker_exited(last);
    }

    /// The pause before try number `tries`; `None` when there may be no further try.
    fn pause_before(&self, tries: u32) -> Option<Duration> {
        let pause = backoff(tries);
        let time_is_left = |end: Option<Instant>| end.is_none_or(|end| Instant::now() + pause < end);
        (tries <= self.route.retry && time_is_left(self.limits.end) && time_is_left(self.retry_until)).then_some(pause)
    }

    /// Reports everything still queued as not sent.
    fn report_unsent(&self) {
        let last = self.scheduler.last_result();
        let over = || Error::new(Kind::Temporary, "deliver to", self.connector.name(), "--max-time exceeded");
        let is_probe = self.options.stop_after.is_some();
        let over = (last.is_success() && !is_probe).then(over);
        let mut context = ConnectionContext::from(&last);
        context.failure = context.failure.or(over.as_ref());
        while let Some(item) = self.scheduler.pop_any() {
            if let Some(in_flight) = self.open(item) {
                self.finish(in_flight, context);
            }
        }
    }

    /// Opens the message of an item; one that cannot be read any more is reported.
    fn open(&self, item: QueueItem) -> Option<InFlight<'_>> {
        let number = item.number;
        match self.source.open(number) {
            Ok(mut message) => {
                let resumed =
                    self.options.journal.and_then(|journal| journal.open_recipients(number, message.recipients.len()));
                if let Some(indexes) = &resumed {
                    message.keep_recipients(indexes);
                }
                Some(InFlight::new(item, message, resumed))
            }
            Err(failure) => {
                let context = ConnectionContext { failure: Some(&failure), ..ConnectionContext::default() };
                self.report("", &[], &item, 0, context);
                self.scheduler.complete();
                None
            }
        }
    }

    /// Reports the final result of a message.
    fn finish(&self, in_flight: InFlight<'_>, context: ConnectionContext<'_>) {
        let InFlight { item, message, progress, .. } = in_flight;
        let bytes = progress.bytes();
        drop(progress);
        self.report(message.message.message_id(), &message.recipients, &item, bytes, context);
        drop(message);
        self.scheduler.complete();
    }

    fn report(&self, id: &str, to: &[Address], item: &QueueItem, bytes: u64, context: ConnectionContext<'_>) {
        let (report, failure) = Report::new(ReportInput {
            server: &self.connector.name(),
            message_id: id,
            source: self.source.name(item.number).as_deref(),
            recipients: to,
            statuses: &item.statuses,
            session_error: item.session_error.as_ref().or(context.session_error),
            failure: context.failure.cloned(),
            encryption: context.encryption,
            bytes,
            stop_after: self.options.stop_after,
            is_part: self.options.is_part,
        });
        let result = DeliveryResult { number: item.number, recipients: to, statuses: &item.statuses, report };
        let mut reporter = self.reporter.lock();
        (reporter.on_report)(result);
        reporter.summary.add(failure);
    }
}
