//! The loop: does what the session says, tells it what happened, until the session is over.
//!
//! It reads and writes, and decides nothing about the dialogue. Every command and reply is logged here, for `-v`.

use std::io;
use std::time::Duration;

use common::{Failure, Kind};

use crate::message::{Message, Piece};
use crate::proto::dot::DotStuffing;
use crate::proto::reply::Reply;
use crate::session::{Action, Event, Session, State};
use crate::tls::Trust;
use crate::transport::Transport;

/// Bytes of the message that are written at once, and between two looks whether the server has already refused.
const BLOCK: usize = 64 * 1024;
/// A server that closes during the upload has often said why just before.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

/// Holds the session over `wire` to its end. What became of each recipient is then in `session`.
///
/// An error is a connection that broke, or a message that could not be read; the session knows what that means.
pub fn run(
    session: &mut Session,
    mut wire: Transport,
    message: &mut Message,
    policy: &Policy,
    done: &mut Progress,
) -> Result<(), Failure> {
    done.encryption = wire.encryption().cloned();
    let mut event = Event::Connected;
    loop {
        let happened = match session.on(event) {
            Action::Await(state) => hear(&mut wire, state),
            Action::Send(bytes, state) => {
                if state == State::Mail && policy.warn_in_clear && wire.is_exposed() {
                    log::warn!("{} offers no TLS: the message goes in clear", wire.peer());
                }
                say(&mut wire, &bytes, state).and_then(|()| hear(&mut wire, state))
            }
            Action::StartTls => match wire.start_tls(policy.trust) {
                Ok(encrypted) => {
                    done.encryption = encrypted.encryption().cloned();
                    wire = encrypted;
                    Ok(Event::TlsStarted)
                }
                Err(failure) => {
                    session.on(Event::Lost);
                    return Err(failure);
                }
            },
            Action::Upload { eight_bit } => upload(&mut wire, message, eight_bit, &mut done.bytes),
            Action::Close => {
                wire.close();
                return Ok(());
            }
        };
        event = match happened {
            Ok(next) => next,
            // The answer to QUIT changes nothing any more.
            Err(failure) if session.is_settled() => {
                log::info!("{failure}");
                Event::Lost
            }
            Err(failure) => {
                session.on(Event::Lost);
                return Err(failure);
            }
        };
    }
}

/// What the user demands of the connection.
#[derive(Debug)]
pub struct Policy<'a> {
    /// Whom to trust.
    pub trust: &'a Trust,
    /// Whether to warn when the message goes in clear over a network; not when that was asked for.
    pub warn_in_clear: bool,
}

/// How far a session has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the message that were sent, stuffed dots and the final one included.
    pub bytes: u64,
    /// How the connection was encrypted.
    pub encryption: Option<crate::transport::Encryption>,
}

fn say(wire: &mut Transport, bytes: &[u8], state: State) -> Result<(), Failure> {
    for line in String::from_utf8_lossy(bytes).split_terminator("\r\n") {
        log::info!("-> {line}");
    }
    wire.send(bytes, state.patience())
}

fn hear(wire: &mut Transport, state: State) -> Result<Event, Failure> {
    let reply = wire.reply(state.patience(), state.name())?;
    log_reply(&reply);
    Ok(Event::Reply(reply))
}

fn log_reply(reply: &Reply) {
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let separator = if lines.peek().is_some() { '-' } else { ' ' };
        log::info!("<- {}{separator}{}", reply.code(), String::from_utf8_lossy(line));
    }
}

/// Sends the message, dots stuffed, line ends made CRLF, and the final dot; or hears why not.
fn upload(wire: &mut Transport, message: &mut Message, eight_bit: bool, sent: &mut u64) -> Result<Event, Failure> {
    let mut out = Vec::with_capacity(2 * BLOCK);
    let mut stuffing = DotStuffing::default();
    let streamed = message.stream(eight_bit, |piece| {
        match piece {
            Piece::Canonical(lines) => stuffing.push_canonical(lines, &mut out),
            Piece::Raw(bytes) => stuffing.push(bytes, &mut out),
        }
        if out.len() >= BLOCK {
            flush(wire, &mut out, sent)?;
        }
        Ok(())
    });
    let ended = streamed.and_then(|()| {
        stuffing.finish(&mut out);
        flush(wire, &mut out, sent)
    });
    match ended {
        Ok(()) => {
            log::info!("-> the message, {sent} bytes with its final dot");
            Ok(Event::Uploaded)
        }
        Err(Interruption::Early(reply)) => {
            log_reply(&reply);
            Ok(Event::Reply(reply))
        }
        Err(Interruption::Wire(failure)) => match wire.reply(LAST_WORDS_PATIENCE, "the message") {
            Ok(reply) => {
                log_reply(&reply);
                Ok(Event::Reply(reply))
            }
            Err(_) => Err(failure),
        },
        // A file that was being written will be complete later.
        Err(Interruption::Text(error)) => Err(Failure::io("send", "the message", error).with_kind(Kind::Temporary)),
    }
}

fn flush(wire: &mut Transport, out: &mut Vec<u8>, sent: &mut u64) -> Result<(), Interruption> {
    if let Some(reply) = wire.early_reply().map_err(Interruption::Wire)? {
        return Err(Interruption::Early(reply));
    }
    wire.send(out, State::Upload.patience()).map_err(Interruption::Wire)?;
    *sent += out.len() as u64;
    out.clear();
    Ok(())
}

/// Why an upload did not come to its end.
enum Interruption {
    Text(io::Error),
    Wire(Failure),
    Early(Reply),
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        Self::Text(error)
    }
}
