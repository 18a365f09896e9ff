//! The listener and what it has recorded. One thread for each connection; all are gone when the server is dropped.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::conversation::{self, Conversation};
use super::script::Script;
use super::tls::{self, Authority};
use crate::process::PATIENCE;

/// A line that a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line without its CRLF; invalid UTF-8 replaced.
    pub line: String,
    /// Commands with the same number arrived together, without waiting for replies in between.
    pub flight: usize,
    /// Whether it came under TLS.
    pub tls: bool,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
}

/// A message with its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The argument of MAIL, as it was said.
    pub from: String,
    /// The arguments of all accepted RCPT, as they were said.
    pub to: Vec<String>,
    /// The message with dots unstuffed, line ends as they came.
    pub message: Vec<u8>,
    /// The bytes from the first after 354 to the last of the final dot.
    pub raw: Vec<u8>,
    /// Whether it came under TLS.
    pub tls: bool,
}

/// Who is shown each message; without one, all is recorded.
type Observer = Option<Box<dyn Fn(&Mail) + Send + Sync>>;

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) script: Script,
    pub(super) tls: Option<Arc<ServerConfig>>,
    record: Mutex<Record>,
    changed: Condvar,
    observer: Observer,
    pub(super) stopping: AtomicBool,
}

#[derive(Default)]
struct Record {
    commands: Vec<Command>,
    mails: Vec<Mail>,
    open: usize,
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn received(&self, mail: Mail) {
        match &self.observer {
            Some(observer) => observer(&mail),
            None => self.record().mails.push(mail),
        }
    }

    pub(super) fn said(&self, command: Command) {
        if self.observer.is_none() {
            self.record().commands.push(command);
        }
    }
}

/// A mail server on a loopback port; stopped and gone when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// A server without TLS on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(script: Script) -> Self {
        Self::listen("127.0.0.1:0".parse().expect("an address"), script, None, None).expect("listen")
    }

    /// The same with a certificate for `name` by `authority`, and with STARTTLS unless TLS is implicit.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start_tls(mut script: Script, authority: &Authority, name: &str) -> Self {
        if !script.implicit_tls && !script.extensions.iter().any(|extension| extension == "STARTTLS") {
            script.extensions.push("STARTTLS".into());
        }
        let tls = Some(authority.server_config(name));
        Self::listen("127.0.0.1:0".parse().expect("an address"), script, tls, None).expect("listen")
    }

    /// A server on this address; with a certificate for the name by the authority, if they are given.
    ///
    /// # Errors
    /// Somebody else listens there.
    pub fn start_at(address: SocketAddr, mut script: Script, tls: Option<(&Authority, &str)>) -> std::io::Result<Self> {
        if tls.is_some() {
            script.extensions.push("STARTTLS".into());
        }
        Self::listen(address, script, tls.map(|(authority, name)| authority.server_config(name)), None)
    }

    /// The same with STARTTLS and a certificate for `name` by `authority` whose time is over.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start_expired(script: Script, authority: &Authority, name: &str) -> Self {
        let tls = Some(authority.expired_config(name));
        let script = script.extensions(&["STARTTLS"]);
        Self::listen("127.0.0.1:0".parse().expect("an address"), script, tls, None).expect("listen")
    }

    /// The same with a certificate for `name` that is signed by itself and marked as an authority, TLS from the first byte.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start_self_signed(script: Script, name: &str) -> Self {
        let tls = Some(tls::self_signed(name));
        Self::listen("127.0.0.1:0".parse().expect("an address"), script.implicit_tls(), tls, None).expect("listen")
    }

    /// The same with STARTTLS, for clients that have a certificate by `authority` too.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start_mutual(script: Script, authority: &Authority, name: &str) -> Self {
        let tls = Some(authority.mutual_config(name));
        let script = script.extensions(&["STARTTLS", "AUTH EXTERNAL"]);
        Self::listen("127.0.0.1:0".parse().expect("an address"), script, tls, None).expect("listen")
    }

    /// A server on `address` that shows each message to `observer` before it accepts it, and records nothing.
    pub fn observed(
        address: SocketAddr,
        script: Script,
        observer: impl Fn(&Mail) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::listen(address, script, None, Some(Box::new(observer)))
    }

    fn listen(
        address: SocketAddr,
        script: Script,
        tls: Option<Arc<ServerConfig>>,
        observer: Observer,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            tls,
            record: Mutex::default(),
            changed: Condvar::new(),
            observer,
            stopping: AtomicBool::new(false),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared))
        };
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All commands so far, after open connections have come to their end.
    pub fn commands(&self) -> Vec<Command> {
        self.settled().commands.clone()
    }

    /// The lines of all commands so far.
    pub fn lines(&self) -> Vec<String> {
        self.commands().into_iter().map(|command| command.line).collect()
    }

    /// All messages so far, after open connections have come to their end.
    pub fn mails(&self) -> Vec<Mail> {
        self.settled().mails.clone()
    }

    /// The only message.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub fn mail(&self) -> Mail {
        let mut mails = self.mails();
        assert_eq!(mails.len(), 1, "one message was expected");
        mails.remove(0)
    }

    /// The record once no connection is open.
    fn settled(&self) -> MutexGuard<'_, Record> {
        let deadline = Instant::now() + PATIENCE;
        let mut record = self.shared.record();
        while record.open > 0 && Instant::now() < deadline {
            let wait = self.shared.changed.wait_timeout(record, Duration::from_millis(100));
            record = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        record
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // One more connection wakes the listener; it then ends all the others.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<(JoinHandle<()>, TcpStream)> = Vec::new();
    let mut connection = 0;
    while let Ok((stream, _)) = listener.accept() {
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        threads.retain(|(thread, _)| !thread.is_finished());
        let (Ok(handle), Ok(ending)) = (stream.try_clone(), stream.try_clone()) else { continue };
        shared.record().open += 1;
        let for_thread = Arc::clone(shared);
        let number = connection;
        connection += 1;
        let thread = thread::spawn(move || {
            // A client that goes away or breaks the rules ends its own connection only.
            let _: conversation::Result = Conversation::new(stream, &for_thread, number).and_then(Conversation::hold);
            // The listener holds the socket too, so dropping it here would not close the connection.
            let _ = ending.shutdown(Shutdown::Both);
            for_thread.record().open -= 1;
            for_thread.changed.notify_all();
        });
        threads.push((thread, handle));
    }
    for (thread, stream) in threads {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = thread.join();
    }
}
