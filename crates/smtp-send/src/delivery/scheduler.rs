//! The queues of a run, shared by its connections: messages that were not tried yet, messages that go back because a
//! connection ended, and messages deferred until their next try.
//!
//! The queues hold numbers, never messages. A worker that has taken an item requeues, defers or completes it.

use std::time::{Duration, Instant};

use common::sync::{Condvar, Mutex, MutexGuard};

use crate::journal::Journal;

use super::backoff::Pacer;
use super::connector::ConnectionResult;
use super::queue_item::QueueItem;

/// The messages that a run still has to send.
pub(super) struct Scheduler<'a> {
    queues: Mutex<Queues>,
    changed: Condvar,
    journal: Option<&'a Journal>,
    count: usize,
}

#[derive(Debug)]
struct Queues {
    /// The first message that was not taken yet.
    next_new: usize,
    /// Messages that were not sent because a connection ended.
    requeued: Vec<QueueItem>,
    /// Messages that wait for their next try.
    deferred: Vec<QueueItem>,
    in_flight: usize,
    pacer: Pacer,
    first_connection: FirstConnection,
    last_result: ConnectionResult,
    /// The end of the wait that was logged last.
    logged_wait: Option<Instant>,
}

/// State of the first connection; the other workers wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstConnection {
    Pending,
    Up,
    Failed,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(count: usize, interval: Option<Duration>, journal: Option<&'a Journal>) -> Self {
        let queues = Queues {
            next_new: 0,
            requeued: Vec::new(),
            deferred: Vec::new(),
            in_flight: 0,
            pacer: Pacer::new(interval),
            first_connection: FirstConnection::Pending,
            last_result: ConnectionResult::default(),
            logged_wait: None,
        };
        Self { queues: Mutex::new(queues), changed: Condvar::new(), journal, count }
    }

    pub(super) fn remaining(&self) -> usize {
        self.journal.map_or(self.count, |journal| (0..self.count).filter(|number| journal.is_open(*number)).count())
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock()
    }

    /// Takes a message that may be sent now.
    pub(super) fn pop(&self) -> Option<QueueItem> {
        let mut queues = self.queues();
        if queues.first_connection == FirstConnection::Pending {
            queues.first_connection = FirstConnection::Up;
            self.changed.notify_all();
        }
        let item = queues.requeued.pop().or_else(|| queues.pop_due(Instant::now()));
        let item = item.or_else(|| self.pop_new(&mut queues))?;
        queues.in_flight += 1;
        Some(item)
    }

    /// Takes a message, also one whose next try is not due.
    pub(super) fn pop_any(&self) -> Option<QueueItem> {
        let mut queues = self.queues();
        let item = queues.requeued.pop().or_else(|| queues.deferred.pop());
        let item = item.or_else(|| self.pop_new(&mut queues))?;
        queues.in_flight += 1;
        Some(item)
    }

    fn pop_new(&self, queues: &mut Queues) -> Option<QueueItem> {
        self.has_new(queues).then(|| {
            let number = queues.next_new;
            queues.next_new += 1;
            QueueItem::new(number)
        })
    }

    /// Whether a message was not taken yet; skips those that the journal has as done.
    fn has_new(&self, queues: &mut Queues) -> bool {
        while queues.next_new < self.count && self.journal.is_some_and(|journal| !journal.is_open(queues.next_new)) {
            queues.next_new += 1;
        }
        queues.next_new < self.count
    }

    /// Puts a message back that was not sent.
    pub(super) fn requeue(&self, item: QueueItem) {
        let mut queues = self.queues();
        queues.in_flight -= 1;
        queues.requeued.push(item);
        self.changed.notify_all();
    }

    /// Puts a message back that has a time for its next try.
    pub(super) fn defer(&self, item: QueueItem) {
        let mut queues = self.queues();
        queues.in_flight -= 1;
        queues.deferred.push(item);
        self.changed.notify_all();
    }

    pub(super) fn complete(&self) {
        let mut queues = self.queues();
        queues.in_flight -= 1;
        if queues.in_flight == 0 {
            self.changed.notify_all();
        }
    }

    /// When the next message may be sent.
    pub(super) fn next_send_time(&self) -> Instant {
        self.queues().pacer.next(Instant::now())
    }

    /// Reserves the next time for a message, and returns it.
    pub(super) fn reserve_send_time(&self) -> Instant {
        self.queues().pacer.reserve(Instant::now())
    }

    /// Waits until a message may be sent; `false` when none will be before `end`.
    pub(super) fn wait_for_work(&self, end: Option<Instant>) -> bool {
        let mut queues = self.queues();
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return false;
            }
            let due = queues.deferred.iter().filter_map(|item| item.due).min();
            let has_work =
                !queues.requeued.is_empty() || self.has_new(&mut queues) || due.is_some_and(|due| due <= now);
            let until = match due {
                _ if has_work && queues.pacer.next(now) <= now => return true,
                _ if has_work => Some(queues.pacer.next(now)),
                Some(due) => {
                    queues.log_wait(due, now, self.count);
                    Some(due)
                }
                None if queues.in_flight == 0 => return false,
                None => None,
            };
            let until = until.into_iter().chain(end).min();
            queues = match until {
                None => self.changed.wait(queues),
                Some(until) => self.changed.wait_timeout(queues, until.saturating_duration_since(now)).0,
            };
        }
    }

    /// Waits for `pause`, or until nothing is left to send.
    pub(super) fn wait_for(&self, pause: Duration) {
        let end = Instant::now() + pause;
        let mut queues = self.queues();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || (queues.is_idle() && !self.has_new(&mut queues)) {
                return;
            }
            queues = self.changed.wait_timeout(queues, left).0;
        }
    }

    /// Waits until the first connection is ready for a message; `false` when it failed.
    pub(super) fn wait_for_first_connection(&self) -> bool {
        let mut queues = self.queues();
        while queues.first_connection == FirstConnection::Pending {
            queues = self.changed.wait(queues);
        }
        queues.first_connection == FirstConnection::Up
    }

    /// A worker has exited; `result` is that of its last connection.
    pub(super) fn worker_exited(&self, result: ConnectionResult) {
        let mut queues = self.queues();
        if queues.first_connection == FirstConnection::Pending {
            queues.first_connection = FirstConnection::Failed;
        }
        queues.last_result = result;
        self.changed.notify_all();
    }

    /// The result of the last connection of the run.
    pub(super) fn last_result(&self) -> ConnectionResult {
        std::mem::take(&mut self.queues().last_result)
    }
}

impl Queues {
    /// Takes the deferred message whose time came first.
    fn pop_due(&mut self, now: Instant) -> Option<QueueItem> {
        let is_due = |item: &QueueItem| item.due.is_none_or(|due| due <= now);
        let due = self.deferred.iter().enumerate().filter(|(_, item)| is_due(item));
        let (at, _) = due.min_by_key(|(_, item)| item.due)?;
        Some(self.deferred.swap_remove(at))
    }

    /// Whether no message waits or is being sent.
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.requeued.is_empty() && self.deferred.is_empty()
    }

    /// Logs once that only deferred messages are left; for a single message the worker logs more.
    fn log_wait(&mut self, due: Instant, now: Instant, count: usize) {
        if self.in_flight == 0 && self.logged_wait != Some(due) && count > 1 {
            self.logged_wait = Some(due);
            let (waiting, time) = (self.deferred.len(), due.saturating_duration_since(now).as_secs_f64());
            log::warn!("{waiting} messages were refused temporarily; trying again in {time:.1} s");
        }
    }
}
