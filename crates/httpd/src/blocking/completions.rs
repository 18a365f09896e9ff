//! The queue through which completed jobs return to their worker.

use std::sync::{Arc, Mutex, PoisonError};

use super::job::CompletedJob;
use crate::waker::Waker;

/// Completed jobs of one worker.
#[derive(Debug)]
pub struct Completions {
    jobs: Mutex<Vec<CompletedJob>>,
    waker: Arc<Waker>,
}

impl Completions {
    /// A queue whose worker is woken by `waker`.
    pub fn new(waker: Arc<Waker>) -> Arc<Self> {
        Arc::new(Self { jobs: Mutex::default(), waker })
    }

    /// Takes all completed jobs.
    pub fn take(&self) -> Vec<CompletedJob> {
        self.waker.clear();
        std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a completed job; wakes the worker if the queue was empty.
    pub fn push(&self, completed: CompletedJob) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push(completed);
        if jobs.len() == 1 {
            self.waker.wake();
        }
    }
}
