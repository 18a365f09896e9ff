//! One response to be sent by a thread of the blocking pool.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::response_writer::ResponseWriter;
use crate::connection::Connection;
use crate::handler::ResponseBody;
use crate::shutdown::Shutdown;
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
    /// Whether the response was cut because the server stops.
    pub is_cut: bool,
}

/// Runs a job: blocks until the response is sent, the connection breaks, or the client reads below `min_rate` bytes per
/// second, or the grace period of a shutdown ends. A panic ends this connection only.
pub fn run_job(mut connection: Connection, job: Job, min_rate: u64, shutdown: &Shutdown) -> CompletedJob {
    let socket = shutdown.register_socket(&connection.stream);
    let outcome = catch_unwind(AssertUnwindSafe(|| send(&mut connection, job, min_rate, shutdown)));
    drop(socket);
    match outcome {
        Ok((Ok(()), log_entry)) => CompletedJob { connection: Some(connection), log_entry, is_cut: false },
        Ok((Err(_), log_entry)) => CompletedJob { connection: None, log_entry, is_cut: shutdown.is_overdue() },
        Err(_) => CompletedJob::default(),
    }
}

/// Sends the response; the log entry gets the number of bytes that were sent.
fn send(
    connection: &mut Connection,
    job: Job,
    min_rate: u64,
    shutdown: &Shutdown,
) -> (io::Result<()>, Option<OwnedLogEntry>) {
    let Job { ready, body, chunked, mut log_entry } = job;
    let mut writer =
        ResponseWriter::new(&mut connection.stream, connection.bucket.as_mut(), min_rate, shutdown, chunked);
    let result = writer.write(&ready, body);
    if let Some(entry) = &mut log_entry {
        entry.bytes += writer.body_bytes();
    }
    let peer = connection.peer;
    match (&result, &log_entry) {
        (Err(_), Some(entry)) if shutdown.is_overdue() => {
            log::warn!("{peer}: response cut at the stop after {} bytes: {}", entry.bytes, entry.line());
        }
        (Err(error), _) => log::debug!("{peer}: response aborted: {}", common::error::reason(error)),
        _ => {}
    }
    (result, log_entry)
}
