//! `--live-reload`: pages in a browser reload when files change.
//!
//! A script in every HTML page receives server-sent events (WHATWG HTML, "Server-sent events") from a reserved path. `watch`
//! sees changes and increments the generation of the files; the workers send it to all subscribers. A page knows its
//! generation, so a change between the response and the subscription is not lost.

pub mod page;
pub(crate) mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use common::sync::Mutex;

use crate::waker::Waker;

/// The path of the event stream, relative to the root; a file of that name is not served without `--hidden`.
pub const EVENTS_PATH: &[u8] = b".httpd/live-reload";
/// Subscribers at a time; each is a connection.
const MAX_SUBSCRIBERS: usize = 256;

/// The generation of the files, and the workers to be woken by changes.
#[derive(Debug)]
pub struct LiveReload {
    generation: AtomicU64,
    /// The last generation in which other files than style sheets changed.
    last_reload: AtomicU64,
    subscribers: AtomicUsize,
    wakers: Mutex<Vec<Arc<Waker>>>,
}

/// A client that receives events; counted until it is dropped.
#[derive(Debug)]
pub struct EventSubscriber {
    live_reload: Arc<LiveReload>,
    last_generation_sent: u64,
}

impl LiveReload {
    /// The generation at the start.
    pub fn new() -> Arc<Self> {
        // The time, so that pages of an earlier run have another generation.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(now.as_millis()).unwrap_or(0);
        let (generation, last_reload) = (AtomicU64::new(start), AtomicU64::new(start));
        Arc::new(Self { generation, last_reload, subscribers: AtomicUsize::new(0), wakers: Mutex::default() })
    }

    /// Adds a worker to be woken by every change.
    pub(crate) fn add_waker(&self, waker: &Arc<Waker>) {
        self.wakers.lock().push(Arc::clone(waker));
    }

    /// The current generation.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Increments the generation; `only_styles` if all changed files are style sheets.
    pub(crate) fn changed(&self, only_styles: bool) {
        let next = self.generation() + 1;
        if !only_styles {
            self.last_reload.store(next, Ordering::SeqCst);
        }
        self.generation.store(next, Ordering::SeqCst);
        self.wakers.lock().iter().for_each(|waker| waker.wake());
    }

    /// Adds a subscriber whose page is of the generation `since`; `None` at the limit.
    pub fn subscribe(self: &Arc<Self>, since: u64) -> Option<EventSubscriber> {
        let before = self.subscribers.fetch_add(1, Ordering::SeqCst);
        let subscriber = EventSubscriber { live_reload: Arc::clone(self), last_generation_sent: since };
        (before < MAX_SUBSCRIBERS).then_some(subscriber)
    }
}

impl Drop for EventSubscriber {
    fn drop(&mut self) {
        self.live_reload.subscribers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EventSubscriber {
    /// The next event to be sent, if files have changed since the last one.
    pub fn next_event(&mut self) -> Option<String> {
        let current = self.live_reload.generation();
        if self.last_generation_sent == current {
            return None;
        }
        // A generation of another run is unknown, and may be greater.
        let oldest = self.live_reload.last_reload.load(Ordering::SeqCst);
        let is_known = (oldest..current).contains(&self.last_generation_sent);
        self.last_generation_sent = current;
        let name = if is_known { "styles" } else { "reload" };
        Some(format!("event: {name}\ndata: {current}\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(subscriber: &mut EventSubscriber) -> Option<String> {
        let text = subscriber.next_event()?;
        text.strip_prefix("event: ")?.split('\n').next().map(str::to_owned)
    }

    #[test]
    fn a_subscriber_receives_each_change_since_its_page_was_made_once() {
        let live_reload = LiveReload::new();
        let mut subscriber = live_reload.subscribe(live_reload.generation()).unwrap();
        assert_eq!(event(&mut subscriber), None);
        live_reload.changed(true);
        assert_eq!(event(&mut subscriber).as_deref(), Some("styles"));
        assert_eq!(event(&mut subscriber), None);
        live_reload.changed(false);
        live_reload.changed(true);
        assert_eq!(event(&mut subscriber).as_deref(), Some("reload"), "more than styles changed in between");
    }

    #[test]
    fn a_page_of_another_run_is_reloaded() {
        let live_reload = LiveReload::new();
        for since in [0, 5, u64::MAX] {
            assert_eq!(event(&mut live_reload.subscribe(since).unwrap()).as_deref(), Some("reload"));
        }
    }

    #[test]
    fn subscribers_are_limited_and_counted_until_they_are_dropped() {
        let live_reload = LiveReload::new();
        let mut subscribers: Vec<_> = (0..MAX_SUBSCRIBERS).map(|_| live_reload.subscribe(0).unwrap()).collect();
        assert!(live_reload.subscribe(0).is_none());
        subscribers.pop();
        assert!(live_reload.subscribe(0).is_some());
    }
}
