//! What is still to be done in a run, for all its connections: messages that were not tried, those that came back, those that
//! wait for another try.
//!
//! It holds numbers, never messages. Whoever takes one either brings it back or says that it is done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::journal::Journal;

use super::backoff::Pace;
use super::queue_item::QueueItem;
use super::worker::End;

/// What a run has left.
pub(super) struct Scheduler<'a> {
    state: Mutex<State>,
    changed: Condvar,
    journal: Option<&'a Journal>,
    count: usize,
}

#[derive(Debug)]
struct State {
    /// The first message that nobody has taken yet.
    fresh: usize,
    /// Messages that were not sent because a connection ended.
    back: Vec<QueueItem>,
    /// Messages that wait for their time.
    again: Vec<QueueItem>,
    /// Messages that somebody has taken.
    in_hand: usize,
    pace: Pace,
    door: Door,
    last_end: End,
    /// The wait that was told last.
    told: Option<Instant>,
}

/// Whether the way to the server has been found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Untried,
    Open,
    Shut,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(count: usize, interval: Option<Duration>, journal: Option<&'a Journal>) -> Self {
        let state = State {
            fresh: 0,
            back: Vec::new(),
            again: Vec::new(),
            in_hand: 0,
            pace: Pace::new(interval),
            door: Door::Untried,
            last_end: End::default(),
            told: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), journal, count }
    }

    /// How many messages are to be sent.
    pub(super) fn open(&self) -> usize {
        self.journal.map_or(self.count, |journal| (0..self.count).filter(|number| journal.is_open(*number)).count())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message for now.
    pub(super) fn take(&self) -> Option<QueueItem> {
        let mut state = self.state();
        if state.door == Door::Untried {
            state.door = Door::Open;
            self.changed.notify_all();
        }
        let task = state.back.pop().or_else(|| state.due(Instant::now())).or_else(|| self.fresh(&mut state))?;
        state.in_hand += 1;
        Some(task)
    }

    /// A message, whether or not its time has come.
    pub(super) fn take_any(&self) -> Option<QueueItem> {
        let mut state = self.state();
        let task = state.back.pop().or_else(|| state.again.pop()).or_else(|| self.fresh(&mut state))?;
        state.in_hand += 1;
        Some(task)
    }

    fn fresh(&self, state: &mut State) -> Option<QueueItem> {
        while state.fresh < self.count {
            let number = state.fresh;
            state.fresh += 1;
            if self.journal.is_none_or(|journal| journal.is_open(number)) {
                return Some(QueueItem::new(number));
            }
        }
        None
    }

    /// Brings back a message that was not sent.
    pub(super) fn bring_back(&self, task: QueueItem) {
        let mut state = self.state();
        state.in_hand -= 1;
        state.back.push(task);
        self.changed.notify_all();
    }

    /// Brings back a message that has a time for another try.
    pub(super) fn postpone(&self, task: QueueItem) {
        let mut state = self.state();
        state.in_hand -= 1;
        state.again.push(task);
        self.changed.notify_all();
    }

    /// A message has come to its end.
    pub(super) fn done(&self) {
        let mut state = self.state();
        state.in_hand -= 1;
        if state.in_hand == 0 {
            self.changed.notify_all();
        }
    }

    /// When the next message may leave.
    pub(super) fn next_departure(&self) -> Instant {
        self.state().pace.next(Instant::now())
    }

    /// A message leaves at the time that is given.
    pub(super) fn depart(&self) -> Instant {
        self.state().pace.leave(Instant::now())
    }

    /// Waits until a message may leave; `false` when there will be none before `end`.
    pub(super) fn wait_for_work(&self, end: Option<Instant>) -> bool {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return false;
            }
            let due = state.again.iter().filter_map(|task| task.due).min();
            let begun = !state.back.is_empty() || self.has_fresh(&mut state) || due.is_some_and(|due| due <= now);
            let until = match due {
                _ if begun && state.pace.next(now) <= now => return true,
                _ if begun => Some(state.pace.next(now)),
                Some(due) => {
                    state.tell_wait(due, now, self.count);
                    Some(due)
                }
                None if state.in_hand == 0 => return false,
                None => None,
            };
            let until = until.into_iter().chain(end).min();
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = self.changed.wait_timeout(state, until.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn has_fresh(&self, state: &mut State) -> bool {
        while state.fresh < self.count && self.journal.is_some_and(|journal| !journal.is_open(state.fresh)) {
            state.fresh += 1;
        }
        state.fresh < self.count
    }

    /// Waits, but not longer than there is something to wait for.
    pub(super) fn wait_for(&self, pause: Duration) {
        let end = Instant::now() + pause;
        let mut state = self.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let over =
                state.in_hand == 0 && state.back.is_empty() && state.again.is_empty() && !self.has_fresh(&mut state);
            if left.is_zero() || over {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a connection has got as far as its first message; `false` when none ever will.
    pub(super) fn wait_for_opening(&self) -> bool {
        let mut state = self.state();
        while state.door == Door::Untried {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.door == Door::Open
    }

    /// One who worked here has come to an end.
    pub(super) fn retire(&self, end: End) {
        let mut state = self.state();
        if state.door == Door::Untried {
            state.door = Door::Shut;
        }
        state.last_end = end;
        self.changed.notify_all();
    }

    /// The end of the one who was the last here.
    pub(super) fn last_end(&self) -> End {
        std::mem::take(&mut self.state().last_end)
    }
}

impl State {
    /// The message whose time came first, if one has come.
    fn due(&mut self, now: Instant) -> Option<QueueItem> {
        let due = |task: &QueueItem| task.due.is_none_or(|due| due <= now);
        let (at, _) = self.again.iter().enumerate().filter(|(_, task)| due(task)).min_by_key(|(_, task)| task.due)?;
        Some(self.again.swap_remove(at))
    }

    /// Says once that nothing but waiting is left for the moment; of a single message more is said elsewhere.
    fn tell_wait(&mut self, due: Instant, now: Instant, count: usize) {
        if self.in_hand == 0 && self.told != Some(due) && count > 1 {
            self.told = Some(due);
            let (waiting, time) = (self.again.len(), due.saturating_duration_since(now).as_secs_f64());
            log::warn!("{waiting} messages were refused for now; trying again in {time:.1} s");
        }
    }
}
