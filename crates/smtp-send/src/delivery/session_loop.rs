//! Runs a session over a connection: does what the session says and reports what happened, until the session ends.
//!
//! It decides nothing about the dialogue. Commands and replies are logged here, except secrets. Commands wait in a buffer
//! until a reply is needed, so the end of a message and the commands behind it are sent together.

mod data;

use common::Error;

use crate::delivery::progress::UploadProgress;
use crate::message::Message;
use crate::net::tls::Trust;
use crate::net::transport::{ConnectionError, Encryption, Transport, WriteError};
use crate::proto::reply::Reply;
use crate::session::{Action, Envelope, Event, SentSecrets, Session, State, TransactionResult};

use data::LAST_REPLY_TIMEOUT;

/// The messages of a connection, and where their results go.
pub trait MessageQueue {
    /// The next message. With `is_uploading` the end of the last one is not sent yet: this must not wait.
    fn next(&mut self, is_uploading: bool) -> NextMessage;
    /// Opens the next message ahead: the server is working.
    fn prefetch(&mut self);
    /// The message of the envelope that [`Self::next`] returned last, and the counter of its bytes.
    fn current(&mut self) -> Option<(&mut Message, &mut UploadProgress)>;
    /// The message is complete but for its end, which is sent next; an error prevents that.
    fn upload_complete(&mut self) -> Result<(), Error>;
    /// TLS was started.
    fn encrypted(&mut self, encryption: &Encryption);
    /// The result of a message.
    fn finished(&mut self, result: TransactionResult);
}

/// The next message of a connection.
#[derive(Debug)]
pub enum NextMessage {
    /// A message with this envelope.
    Envelope(Box<Envelope>),
    /// None before the message that is being uploaded has ended.
    Later,
    /// None.
    None,
}

/// How a connection is protected.
#[derive(Debug)]
pub struct TlsOptions<'a> {
    /// Which certificates are trusted.
    pub trust: &'a Trust,
    /// Whether to warn before a message is sent in clear over a network.
    pub warn_in_clear: bool,
}

/// Runs `session` over `transport` to its end.
///
/// # Errors
/// A connection that broke, or a message that could not be read; the session has decided what that means.
pub fn run(
    session: &mut Session,
    transport: Transport,
    queue: &mut dyn MessageQueue,
    options: &TlsOptions,
) -> Result<(), ConnectionError> {
    report_encryption(session, &transport, queue);
    let mut connection = Connection {
        transport,
        out: Vec::new(),
        end_of_message: None,
        results: Vec::new(),
        secrets: SentSecrets::default(),
    };
    let mut event = Event::Connected;
    loop {
        let action = session.on(event);
        connection.results.append(&mut session.take_finished());
        let happened = match action {
            Action::Await(state) => connection.read_reply(state, queue),
            Action::Send(bytes, state) => {
                if state == State::Mail && options.warn_in_clear && connection.transport.is_exposed() {
                    log::warn!("{} offers no TLS: the message goes in clear", connection.transport.peer());
                }
                connection.send(&bytes);
                connection.read_reply(state, queue)
            }
            Action::SendSecret(bytes, state) => {
                connection.send_secret(&bytes, state).and_then(|()| connection.read_reply(state, queue))
            }
            Action::StartTls => connection.transport.start_tls(options.trust).map_err(ConnectionLost::from).map(|()| {
                report_encryption(session, &connection.transport, queue);
                Event::TlsStarted
            }),
            Action::Next => Ok(connection.next(session.awaits_answer(), queue)),
            Action::Upload { form, framing } => data::send(&mut connection, queue, form, framing),
            Action::Close => {
                connection.report_finished(queue);
                connection.transport.close();
                return Ok(());
            }
        };
        event = match happened {
            Ok(next) => next,
            Err(ConnectionLost { error, complete }) => {
                let settled = session.is_settled();
                session.on(Event::Lost { complete });
                connection.results.append(&mut session.take_finished());
                connection.report_finished(queue);
                if !settled {
                    return Err(error);
                }
                // The reply to QUIT changes no result.
                log::info!("{error}");
                return Ok(());
            }
        };
    }
}

/// Passes the state of TLS to the session and the queue.
fn report_encryption(session: &mut Session, transport: &Transport, queue: &mut dyn MessageQueue) {
    if let Some(encryption) = transport.encryption() {
        queue.encrypted(encryption);
        session.bind(transport.binding());
    }
}

/// A connection that can no longer be used.
#[derive(Debug)]
struct ConnectionLost {
    error: ConnectionError,
    /// Whether the end of the last message may have been sent.
    complete: bool,
}

impl From<ConnectionError> for ConnectionLost {
    fn from(error: ConnectionError) -> Self {
        Self { error, complete: true }
    }
}

impl ConnectionLost {
    /// The message could not be completed, so its end was not sent.
    fn incomplete(error: impl Into<ConnectionError>) -> Self {
        Self { error: error.into(), complete: false }
    }
}

/// The connection with the bytes that are still to be written.
struct Connection {
    transport: Transport,
    out: Vec<u8>,
    /// Position in `out` of the end of a message.
    end_of_message: Option<usize>,
    /// Results that were not reported yet.
    results: Vec<TransactionResult>,
    /// What replies must not repeat.
    secrets: SentSecrets,
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) {
        log_lines(bytes);
        self.out.extend_from_slice(bytes);
    }

    /// Writes a secret at once: it is not logged, and no buffer keeps it.
    fn send_secret(&mut self, bytes: &[u8], state: State) -> Result<(), ConnectionLost> {
        log::info!("-> ({}, not shown)", state.name());
        self.secrets.add_line(bytes);
        self.transport.send(bytes, state.reply_timeout()).map_err(|unwritten| unwritten.error.into())
    }

    fn report_finished(&mut self, queue: &mut dyn MessageQueue) {
        self.results.drain(..).for_each(|result| queue.finished(result));
    }

    fn next(&mut self, is_uploading: bool, queue: &mut dyn MessageQueue) -> Event {
        if !is_uploading {
            // The queue may wait for its interval: results are reported before.
            self.report_finished(queue);
        }
        match queue.next(is_uploading) {
            NextMessage::Envelope(envelope) => Event::Next(Some(*envelope)),
            NextMessage::Later if is_uploading => Event::Later,
            NextMessage::Later | NextMessage::None => Event::Next(None),
        }
    }

    fn read_reply(&mut self, state: State, queue: &mut dyn MessageQueue) -> Result<Event, ConnectionLost> {
        if let Some(reply) = self.flush(state)? {
            return Ok(self.received(reply, state));
        }
        // The server is working: report and prefetch now.
        self.report_finished(queue);
        queue.prefetch();
        let reply = self.transport.reply(state.reply_timeout(), state.name())?;
        Ok(self.received(reply, state))
    }

    /// Logs a reply and masks secrets in it. A challenge stays as it is and is not logged: with the proof that
    /// follows, it would allow a dictionary attack on the password.
    fn received(&self, reply: Reply, state: State) -> Event {
        if state == State::Auth && reply.is_intermediate() {
            log::info!("<- {} (challenge, not shown)", reply.code());
            return Event::Reply(reply);
        }
        let reply = self.secrets.mask(reply);
        log_reply(&reply);
        Event::Reply(reply)
    }

    /// Writes the buffer. Returns the reply of a server that has closed the connection, which often says why.
    fn flush(&mut self, state: State) -> Result<Option<Reply>, ConnectionLost> {
        let end = self.end_of_message.take();
        if self.out.is_empty() {
            return Ok(None);
        }
        let sent = self.transport.send(&self.out, state.reply_timeout());
        self.out.clear();
        let Err(WriteError { error, written }) = sent else { return Ok(None) };
        match self.transport.reply(LAST_REPLY_TIMEOUT, state.name()) {
            Ok(reply) if reply.is_transient() || reply.is_permanent() => Ok(Some(reply)),
            _ => Err(ConnectionLost { error, complete: end.is_none_or(|end| written >= end) }),
        }
    }
}

fn log_lines(bytes: &[u8]) {
    if log::log_enabled!(log::Level::Info) {
        for line in String::from_utf8_lossy(bytes).split_terminator("\r\n") {
            log::info!("-> {line}");
        }
    }
}

fn log_reply(reply: &Reply) {
    if !log::log_enabled!(log::Level::Info) {
        return;
    }
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let separator = if lines.peek().is_some() { '-' } else { ' ' };
        log::info!("<- {}{separator}{}", reply.code(), String::from_utf8_lossy(line));
    }
}
