//! A pool of threads for jobs that may block.
//!
//! A thread is started if none is idle, and ends after some time without work. There are at most as many threads as
//! connections. With `--workers 1` there is no pool: the worker runs each job itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::completions::Completions;
use super::job::{CompletedJob, Job, run_job};
use crate::connection::Connection;
use crate::shutdown::Shutdown;

/// Time that a thread waits for another job.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which a thread takes no further job: the allocator keeps up to 200 KiB per thread until the thread ends.
const MAX_LIFETIME: Duration = Duration::from_secs(10);
/// Stack of a thread: a few nested calls and one small buffer.
const STACK_SIZE: usize = 128 * 1024;

/// The threads and their queue.
#[derive(Debug)]
pub struct BlockingPool {
    /// Lowest rate at which a client must read, in bytes per second.
    min_rate: u64,
    shutdown: Arc<Shutdown>,
    queue: Mutex<Queue>,
    job_added: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Queued>,
    idle_threads: usize,
    /// All threads, including idle ones.
    threads: usize,
}

#[derive(Debug)]
struct Queued {
    connection: Connection,
    job: Job,
    completions: Arc<Completions>,
}

impl BlockingPool {
    /// A pool without threads.
    pub fn new(min_rate: u64, shutdown: Arc<Shutdown>) -> Arc<Self> {
        Arc::new(Self { min_rate, shutdown, queue: Mutex::default(), job_added: Condvar::new() })
    }

    /// Submits a job; its result is added to `completions`.
    pub fn submit(self: &Arc<Self>, connection: Connection, job: Job, completions: &Arc<Completions>) {
        let mut queue = self.lock();
        queue.jobs.push_back(Queued { connection, job, completions: Arc::clone(completions) });
        if queue.jobs.len() <= queue.idle_threads {
            self.job_added.notify_one();
            return;
        }
        queue.threads += 1;
        drop(queue);
        let pool = Arc::clone(self);
        let started = thread::Builder::new().name("blocking".into()).stack_size(STACK_SIZE).spawn(move || pool.work());
        if let Err(error) = started {
            let reason = common::error::reason(&error);
            log::warn!("cannot start another thread: {reason}; raise the limit of processes (TasksMax=, ulimit -u)");
            self.thread_not_started();
        }
    }

    /// Leaves queued jobs to the other threads; without any, no thread would run the jobs, so their connections end.
    fn thread_not_started(&self) {
        let mut queue = self.lock();
        queue.threads -= 1;
        if queue.threads == 0 {
            for queued in queue.jobs.drain(..) {
                queued.completions.push(CompletedJob::default());
            }
        }
    }

    fn work(&self) {
        let start = Instant::now();
        while let Some(Queued { connection, job, completions }) = self.next(start.elapsed() > MAX_LIFETIME) {
            completions.push(run_job(connection, job, self.min_rate, &self.shutdown));
        }
    }

    /// The next job; `None` ends the calling thread: no job came in time, or the queue is empty and the thread is old.
    fn next(&self, is_old: bool) -> Option<Queued> {
        let mut queue = self.lock();
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if is_old {
            queue.threads -= 1;
            return None;
        }
        queue.idle_threads += 1;
        let is_empty = |queue: &mut Queue| queue.jobs.is_empty();
        let waited = self.job_added.wait_timeout_while(queue, IDLE_TIMEOUT, is_empty);
        queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        queue.idle_threads -= 1;
        let job = queue.jobs.pop_front();
        if job.is_none() {
            queue.threads -= 1;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
