//! Sends responses that may block: from disk, rendered on the way, or to a slow client.
//!
//! A [`worker`](crate::worker) submits a connection with a [`job::Job`] to the [`pool`]. A thread of the pool runs it with
//! the `response_writer` and returns the connection through the `completions` of the worker.

pub mod completions;
pub mod job;
pub mod pool;
mod response_writer;
