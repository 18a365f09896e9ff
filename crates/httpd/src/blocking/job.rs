//! One response to be sent by a thread of the blocking pool.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::response_writer::ResponseWriter;
use crate::connection::Connection;
use crate::handler::ResponseBody;
use crate::telemetry::access_log::OwnedLogEntry;

/// A response, or the rest of one.
#[derive(Debug, Default)]
pub struct Job {
    /// Bytes to be sent first: earlier responses, and the head of this one.
    pub ready: Vec<u8>,
    /// The body.
    pub body: ResponseBody,
    /// Whether a body of unknown length is sent in chunks.
    pub chunked: bool,
    /// The log entry to be recorded afterwards; `None` if it is recorded.
    pub log_entry: Option<OwnedLogEntry>,
}

/// The result of a job.
#[derive(Debug, Default)]
pub struct CompletedJob {
    /// The connection; `None` if it broke.
    pub connection: Option<Connection>,
    /// The log entry with the number of bytes that were sent.
    pub log_entry: Option<OwnedLogEntry>,
}

/// Runs a job: blocks until the response is sent, the connection breaks, or the client reads below `min_rate` bytes per
/// second. A panic ends this connection only.
pub fn run_job(connection: Connection, job: Job, min_rate: u64) -> CompletedJob {
    catch_unwind(AssertUnwindSafe(|| send(connection, job, min_rate))).unwrap_or_default()
}

fn send(mut connection: Connection, job: Job, min_rate: u64) -> CompletedJob {
    let Job { ready, body, chunked, mut log_entry } = job;
    let mut writer = ResponseWriter::new(&mut connection.stream, connection.bucket.as_mut(), min_rate, chunked);
    let result = writer.write(&ready, body);
    if let Some(entry) = &mut log_entry {
        entry.bytes = writer.body_bytes();
    }
    if let Err(error) = &result {
        log::debug!("{}: response aborted: {}", connection.peer, common::error::reason(error));
    }
    CompletedJob { connection: result.is_ok().then_some(connection), log_entry }
}
