//! The blocking lane: threads that carry out answers which may block, so that no other client waits for them.
//!
//! A thread is started when none is idle, and ends after a while without work. There are never more threads than
//! connections, because each job owns one. With `--workers 1` there is no lane: the job is done on the spot.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use crate::blocking::response_writer::{CompletedJob, Job, carry_out};

/// How long a thread waits for another job before it ends.
const IDLE: Duration = Duration::from_secs(10);
/// How long a thread takes new work. What the allocator keeps ready for a thread grows with the variety of its jobs, up to
/// 200 KiB, and goes back only when the thread ends; with hundreds of threads it would add up for a quarter of an hour.
const LIFE: Duration = Duration::from_secs(10);
/// Stack of a lane thread: its work is a few nested calls and one small buffer.
const STACK: usize = 128 * 1024;

/// Where a finished job goes: the worker it came from.
#[derive(Debug)]
pub struct Completions {
    finished: Mutex<Vec<CompletedJob>>,
    waker: EventFd,
}

impl Completions {
    /// A place for finished jobs; `waker` wakes the worker.
    pub fn new(waker: EventFd) -> Arc<Self> {
        Arc::new(Self { finished: Mutex::default(), waker })
    }

    /// What becomes readable when something has arrived.
    pub fn waker(&self) -> &EventFd {
        &self.waker
    }

    /// Takes everything that has arrived.
    pub fn take(&self) -> Vec<CompletedJob> {
        let _ = self.waker.read();
        std::mem::take(&mut *lock(&self.finished))
    }

    /// Wakes the worker without bringing anything.
    pub fn wake(&self) {
        // It fails only when the waker has been rung 2^64 times without an answer.
        let _ = self.waker.write(1);
    }

    /// Brings a finished job, and wakes the worker if it has not been woken already.
    pub fn push(&self, done: CompletedJob) {
        let mut finished = lock(&self.finished);
        finished.push(done);
        if finished.len() == 1 {
            self.wake();
        }
    }
}

/// The threads of the lane.
#[derive(Debug, Default)]
pub struct BlockingPool {
    queue: Mutex<Queue>,
    wanted: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<(Job, Arc<Completions>)>,
    idle: usize,
    /// Threads there are, idle ones too.
    threads: usize,
}

impl BlockingPool {
    /// Hands a job over; its end is announced at `completions`.
    pub fn submit(self: &Arc<Self>, job: Job, completions: &Arc<Completions>) {
        let mut queue = lock(&self.queue);
        queue.jobs.push_back((job, Arc::clone(completions)));
        if queue.jobs.len() <= queue.idle {
            self.wanted.notify_one();
            return;
        }
        queue.threads += 1;
        drop(queue);
        let lane = Arc::clone(self);
        let started = thread::Builder::new().name("lane".into()).stack_size(STACK).spawn(move || lane.work());
        if let Err(error) = started {
            log::warn!("cannot start another thread: {}", common::error::reason(&error));
            self.do_without();
        }
    }

    /// After a thread could not be started: jobs stay in the queue for the next one that becomes free. Where there is none,
    /// nobody would ever come for them, so their connections are ended.
    fn do_without(&self) {
        let mut queue = lock(&self.queue);
        queue.threads -= 1;
        if queue.threads == 0 {
            for (_, completions) in queue.jobs.drain(..) {
                completions.push(CompletedJob { connection: None, entry: None });
            }
        }
    }

    fn work(&self) {
        let start = Instant::now();
        while let Some((job, completions)) = self.next(start.elapsed() > LIFE) {
            completions.push(run_job(job));
        }
    }

    /// The next job; `None` when the calling thread has to end, because none came or, with nothing left to do, it is `old`.
    fn next(&self, old: bool) -> Option<(Job, Arc<Completions>)> {
        let mut queue = lock(&self.queue);
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if old {
            queue.threads -= 1;
            return None;
        }
        queue.idle += 1;
        let empty = |queue: &mut Queue| queue.jobs.is_empty();
        let waited = self.wanted.wait_timeout_while(queue, IDLE, empty).unwrap_or_else(PoisonError::into_inner);
        queue = waited.0;
        queue.idle -= 1;
        let job = queue.jobs.pop_front();
        if job.is_none() {
            queue.threads -= 1;
        }
        job
    }
}

/// Carries a job out; a panic ends its connection and nothing else.
pub fn run_job(job: Job) -> CompletedJob {
    catch_unwind(AssertUnwindSafe(|| carry_out(job))).unwrap_or(CompletedJob { connection: None, entry: None })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
