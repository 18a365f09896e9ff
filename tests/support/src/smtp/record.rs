//! Commands and messages that a server received, and the state that its sessions share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::script::Script;
use crate::process::WAIT_TIMEOUT;

/// A command line of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line without its CRLF; invalid UTF-8 replaced.
    pub line: String,
    /// Commands with the same number arrived together, without a wait for replies in between.
    pub flight: usize,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// Index of the connection, from 0.
    pub connection: usize,
}

/// A message with its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Argument of MAIL, unchanged.
    pub from: String,
    /// Arguments of all accepted RCPT, unchanged.
    pub to: Vec<String>,
    /// The message without dot-stuffing, line ends unchanged.
    pub message: Vec<u8>,
    /// The bytes from the first after 354 to the last of the final dot.
    pub raw: Vec<u8>,
    /// Whether the connection was encrypted.
    pub tls: bool,
}

/// Called with each message; with an observer nothing is recorded.
pub(super) type Observer = Option<Box<dyn Fn(&Mail) + Send + Sync>>;

/// State shared by all sessions of a server.
pub(super) struct Shared {
    pub(super) script: Script,
    pub(super) tls: Option<Arc<ServerConfig>>,
    record: Mutex<Record>,
    changed: Condvar,
    observer: Observer,
    stopping: AtomicBool,
}

/// What all clients sent so far.
#[derive(Default)]
pub(super) struct Record {
    pub(super) commands: Vec<Command>,
    pub(super) mails: Vec<Mail>,
    open_connections: usize,
}

impl Shared {
    pub(super) fn new(script: Script, tls: Option<Arc<ServerConfig>>, observer: Observer) -> Self {
        let (record, changed, stopping) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self { script, tls, record, changed, observer, stopping }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_mail(&self, mail: Mail) {
        match &self.observer {
            Some(observer) => observer(&mail),
            None => self.lock().mails.push(mail),
        }
    }

    pub(super) fn add_command(&self, command: Command) {
        if self.observer.is_none() {
            self.lock().commands.push(command);
        }
    }

    pub(super) fn connection_opened(&self) {
        self.lock().open_connections += 1;
    }

    pub(super) fn connection_closed(&self) {
        self.lock().open_connections -= 1;
        self.changed.notify_all();
    }

    /// The record as soon as no connection is open, or after [`WAIT_TIMEOUT`].
    pub(super) fn complete_record(&self) -> MutexGuard<'_, Record> {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let mut record = self.lock();
        while record.open_connections > 0 && Instant::now() < deadline {
            let wait = self.changed.wait_timeout(record, Duration::from_millis(100));
            record = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        record
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
