//! `--live-reload`: pages in a browser follow the files they are made of.
//!
//! Every HTML page gets a script that listens for server-sent events (WHATWG HTML, "Server-sent events") under a reserved path.
//! `watch` sees the files change and counts a generation up; the workers then tell everybody who listens. A page knows of
//! which generation it is, so a change between its answer and its first listening is not lost, nor one while nobody listens.

pub mod page;
pub(crate) mod watch;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::waker::Waker;

/// The path under which pages listen, relative to the root; no file of that name is served without `--hidden`.
pub const EVENTS_PATH: &[u8] = b".httpd/live-reload";
/// Listeners at once: each is a connection, and whoever develops has a few windows open.
const MAX_SUBSCRIBERS: usize = 256;

/// The generation of the files, and who wants to know about it.
#[derive(Debug)]
pub struct LiveReload {
    generation: AtomicU64,
    /// The last generation in which more than style sheets changed.
    reload: AtomicU64,
    subscribers: AtomicUsize,
    wakers: Mutex<Vec<Arc<Waker>>>,
}

/// A client that listens; its place is given back on drop.
#[derive(Debug)]
pub struct EventSubscriber {
    live: Arc<LiveReload>,
    /// The generation it was last told.
    told: u64,
}

impl LiveReload {
    /// Nothing has changed yet.
    pub fn new() -> Arc<Self> {
        // A page that was made before the server was started again is of another generation, too.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(now.as_millis()).unwrap_or(0);
        let (generation, reload) = (AtomicU64::new(start), AtomicU64::new(start));
        Arc::new(Self { generation, reload, subscribers: AtomicUsize::new(0), wakers: Mutex::default() })
    }

    /// From now on the worker with this completions is woken up by every change.
    pub(crate) fn add_waker(&self, waker: &Arc<Waker>) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(waker));
    }

    /// The current generation.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Files have changed; `only_styles` where all of them are style sheets.
    pub(crate) fn changed(&self, only_styles: bool) {
        let next = self.generation() + 1;
        if !only_styles {
            self.reload.store(next, Ordering::SeqCst);
        }
        self.generation.store(next, Ordering::SeqCst);
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            waker.wake();
        }
    }

    /// A place for one more client, whose page is of the generation `since`; `None` when there are too many.
    pub fn subscribe(self: &Arc<Self>, since: u64) -> Option<EventSubscriber> {
        let before = self.subscribers.fetch_add(1, Ordering::SeqCst);
        let subscriber = EventSubscriber { live: Arc::clone(self), told: since };
        (before < MAX_SUBSCRIBERS).then_some(subscriber)
    }
}

impl Drop for EventSubscriber {
    fn drop(&mut self) {
        self.live.subscribers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EventSubscriber {
    /// The event that the client has still to be told, if there is one; it counts as told from now on.
    pub fn next_event(&mut self) -> Option<String> {
        let current = self.live.generation();
        if self.told == current {
            return None;
        }
        // A generation from another run is none of ours, and may even be greater.
        let is_known = self.told < current && self.told >= self.live.reload.load(Ordering::SeqCst);
        self.told = current;
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
    fn a_listener_is_told_once_what_changed_since_its_page_was_made() {
        let live = LiveReload::new();
        let mut subscriber = live.subscribe(live.generation()).unwrap();
        assert_eq!(event(&mut subscriber), None);
        live.changed(true);
        assert_eq!(event(&mut subscriber).as_deref(), Some("styles"));
        assert_eq!(event(&mut subscriber), None);
        live.changed(false);
        live.changed(true);
        assert_eq!(event(&mut subscriber).as_deref(), Some("reload"), "more than styles changed in between");
    }

    #[test]
    fn a_page_of_another_run_is_loaded_again() {
        let live = LiveReload::new();
        for since in [0, 5, u64::MAX] {
            assert_eq!(event(&mut live.subscribe(since).unwrap()).as_deref(), Some("reload"));
        }
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let live = LiveReload::new();
        let mut subscribers: Vec<_> = (0..MAX_SUBSCRIBERS).map(|_| live.subscribe(0).unwrap()).collect();
        assert!(live.subscribe(0).is_none());
        subscribers.pop();
        assert!(live.subscribe(0).is_some());
    }
}
