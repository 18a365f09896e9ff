//! The loop: does what the session says, tells it what happened, until the session is over.
//!
//! It reads and writes, and decides nothing about the dialogue. Every command and reply is logged here, for `-v`, secrets
//! excepted. What is written waits in a buffer until a reply is needed, so the end of a message and the commands behind
//! it leave together.

mod data;

use common::Failure;

use crate::delivery::progress::UploadProgress;
use crate::message::Message;
use crate::net::tls::Trust;
use crate::net::transport::{Encryption, Transport, WriteError};
use crate::proto::reply::Reply;
use crate::session::{Action, Envelope, Event, Session, State, TransactionResult};

use data::LAST_WORDS_TIMEOUT;

/// Where messages come from and where their statuses go.
pub trait MessageQueue {
    /// What is next. While a message is `in_flight` its end waits to be written, so nothing may take its time then.
    fn next(&mut self, in_flight: bool) -> NextMessage;
    /// A moment to get something ready: the other side is at work.
    fn prepare(&mut self);
    /// The message whose envelope was the last one to be next, and where its bytes are counted.
    fn parcel(&mut self) -> Option<(&mut Message, &mut UploadProgress)>;
    /// That message is complete, and its end leaves next. An error keeps it from leaving.
    fn completed(&mut self) -> Result<(), Failure>;
    /// The connection is protected from now on.
    fn encrypted(&mut self, encryption: &Encryption);
    /// What became of a message.
    fn finished(&mut self, result: TransactionResult);
}

/// What an outbox has to send.
#[derive(Debug)]
pub enum NextMessage {
    /// A message with this envelope.
    Message(Box<Envelope>),
    /// Perhaps a message, but not while another one is in flight.
    Later,
    /// Nothing any more.
    Nothing,
}

/// What the user demands of the connection.
#[derive(Debug)]
pub struct Policy<'a> {
    /// Whom to trust.
    pub trust: &'a Trust,
    /// Whether to warn when a message goes in clear over a network; not when that was asked for.
    pub warn_in_clear: bool,
}

/// Holds the session over `wire` to its end.
///
/// An error is a connection that broke, or a message that could not be read; the session knows what that means.
pub fn run(
    session: &mut Session,
    wire: Transport,
    outbox: &mut dyn MessageQueue,
    policy: &Policy,
) -> Result<(), Failure> {
    secured(session, &wire, outbox);
    let mut line = Line { wire, out: Vec::new(), end_of_message: None, results: Vec::new() };
    let mut event = Event::Connected;
    loop {
        let action = session.on(event);
        line.results.append(&mut session.take_finished());
        let happened = match action {
            Action::Await(state) => line.hear(state, outbox),
            Action::Send(bytes, state) => {
                if state == State::Mail && policy.warn_in_clear && line.wire.is_exposed() {
                    log::warn!("{} offers no TLS: the message goes in clear", line.wire.peer());
                }
                line.say(&bytes);
                line.hear(state, outbox)
            }
            Action::SendSecret(bytes, state) => {
                line.say_secretly(&bytes, state).and_then(|()| line.hear(state, outbox))
            }
            Action::StartTls => line.wire.start_tls(policy.trust).map_err(ConnectionLost::from).map(|()| {
                secured(session, &line.wire, outbox);
                Event::TlsStarted
            }),
            Action::Next => Ok(line.next(session.awaits_answer(), outbox)),
            Action::Upload { form, framing } => data::send(&mut line, outbox, form, framing),
            Action::Close => {
                line.hand_over(outbox);
                line.wire.close();
                return Ok(());
            }
        };
        event = match happened {
            Ok(next) => next,
            Err(ConnectionLost { failure, complete }) => {
                let settled = session.is_settled();
                session.on(Event::Lost { complete });
                line.results.append(&mut session.take_finished());
                line.hand_over(outbox);
                if !settled {
                    return Err(failure);
                }
                // The answer to QUIT changes nothing any more.
                log::info!("{failure}");
                return Ok(());
            }
        };
    }
}

/// Tells of TLS, once it stands.
fn secured(session: &mut Session, wire: &Transport, outbox: &mut dyn MessageQueue) {
    if let Some(encryption) = wire.encryption() {
        outbox.encrypted(encryption);
        session.bind(wire.binding());
    }
}

/// A connection that can no longer be used.
#[derive(Debug)]
struct ConnectionLost {
    failure: Failure,
    /// Whether the end of the last message may have left.
    complete: bool,
}

impl From<Failure> for ConnectionLost {
    fn from(failure: Failure) -> Self {
        Self { failure, complete: true }
    }
}

/// The connection with what is still to be written.
struct Line {
    wire: Transport,
    out: Vec<u8>,
    /// Where in `out` the end of a message is.
    end_of_message: Option<usize>,
    /// Fates that the outbox has not heard of.
    results: Vec<TransactionResult>,
}

impl Line {
    fn say(&mut self, bytes: &[u8]) {
        log_lines(bytes);
        self.out.extend_from_slice(bytes);
    }

    /// Writes at once what may stand in no log and shall lie in no buffer.
    fn say_secretly(&mut self, bytes: &[u8], state: State) -> Result<(), ConnectionLost> {
        log::info!("-> ({}, not shown)", state.name());
        self.wire.send(bytes, state.reply_timeout()).map_err(|unwritten| unwritten.failure.into())
    }

    fn hand_over(&mut self, outbox: &mut dyn MessageQueue) {
        self.results.drain(..).for_each(|result| outbox.finished(result));
    }

    fn next(&mut self, in_flight: bool, outbox: &mut dyn MessageQueue) -> Event {
        if !in_flight {
            // It may take its time, and what became of the others is to be known before.
            self.hand_over(outbox);
        }
        match outbox.next(in_flight) {
            NextMessage::Message(envelope) => Event::Next(Some(*envelope)),
            NextMessage::Later if in_flight => Event::Later,
            NextMessage::Later | NextMessage::Nothing => Event::Next(None),
        }
    }

    fn hear(&mut self, state: State, outbox: &mut dyn MessageQueue) -> Result<Event, ConnectionLost> {
        if let Some(reply) = self.flush(state)? {
            log_reply(&reply);
            return Ok(Event::Reply(reply));
        }
        // What takes its time here takes none of the other side's.
        self.hand_over(outbox);
        outbox.prepare();
        let reply = self.wire.reply(state.reply_timeout(), state.name())?;
        log_reply(&reply);
        Ok(Event::Reply(reply))
    }

    /// Writes what waits. A server that has closed has often said why just before: those last words are given.
    fn flush(&mut self, state: State) -> Result<Option<Reply>, ConnectionLost> {
        let end = self.end_of_message.take();
        if self.out.is_empty() {
            return Ok(None);
        }
        let sent = self.wire.send(&self.out, state.reply_timeout());
        self.out.clear();
        let Err(WriteError { failure, written }) = sent else { return Ok(None) };
        match self.wire.reply(LAST_WORDS_TIMEOUT, state.name()) {
            Ok(reply) if reply.is_transient() || reply.is_permanent() => Ok(Some(reply)),
            _ => Err(ConnectionLost { failure, complete: end.is_none_or(|end| written >= end) }),
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
