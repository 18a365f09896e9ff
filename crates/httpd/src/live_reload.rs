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

use crate::blocking::pool::Home;

/// The path under which pages listen, relative to the root; no file of that name is served without `--hidden`.
pub const PATH: &[u8] = b".httpd/live-reload";
/// Listeners at once: each is a connection, and whoever develops has a few windows open.
const LISTENERS_MAX: usize = 256;

/// The generation of the files, and who wants to know about it.
#[derive(Debug)]
pub struct Live {
    generation: AtomicU64,
    /// The last generation in which more than style sheets changed.
    reload: AtomicU64,
    listeners: AtomicUsize,
    homes: Mutex<Vec<Arc<Home>>>,
}

/// A client that listens; its place is given back on drop.
#[derive(Debug)]
pub struct Listener {
    live: Arc<Live>,
    /// The generation it was last told.
    told: u64,
}

impl Live {
    /// Nothing has changed yet.
    pub fn new() -> Arc<Self> {
        // A page that was made before the server was started again is of another generation, too.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = u64::try_from(now.as_millis()).unwrap_or(0);
        let (generation, reload) = (AtomicU64::new(start), AtomicU64::new(start));
        Arc::new(Self { generation, reload, listeners: AtomicUsize::new(0), homes: Mutex::default() })
    }

    /// From now on the worker with this home is woken up by every change.
    pub(crate) fn wakes(&self, home: &Arc<Home>) {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(home));
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
        for home in self.homes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            home.ring();
        }
    }

    /// A place for one more client, whose page is of the generation `since`; `None` when there are too many.
    pub fn listen(self: &Arc<Self>, since: u64) -> Option<Listener> {
        let before = self.listeners.fetch_add(1, Ordering::SeqCst);
        let listener = Listener { live: Arc::clone(self), told: since };
        (before < LISTENERS_MAX).then_some(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.live.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Listener {
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

    fn event(listener: &mut Listener) -> Option<String> {
        let text = listener.next_event()?;
        text.strip_prefix("event: ")?.split('\n').next().map(str::to_owned)
    }

    #[test]
    fn a_listener_is_told_once_what_changed_since_its_page_was_made() {
        let live = Live::new();
        let mut listener = live.listen(live.generation()).unwrap();
        assert_eq!(event(&mut listener), None);
        live.changed(true);
        assert_eq!(event(&mut listener).as_deref(), Some("styles"));
        assert_eq!(event(&mut listener), None);
        live.changed(false);
        live.changed(true);
        assert_eq!(event(&mut listener).as_deref(), Some("reload"), "more than styles changed in between");
    }

    #[test]
    fn a_page_of_another_run_is_loaded_again() {
        let live = Live::new();
        for since in [0, 5, u64::MAX] {
            assert_eq!(event(&mut live.listen(since).unwrap()).as_deref(), Some("reload"));
        }
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let live = Live::new();
        let mut listeners: Vec<_> = (0..LISTENERS_MAX).map(|_| live.listen(0).unwrap()).collect();
        assert!(live.listen(0).is_none());
        listeners.pop();
        assert!(live.listen(0).is_some());
    }
}
