//! The SMTP session (RFC 5321, section 3) as a state machine: an event in, an action out.
//!
//! ```text
//! state      sent before    a positive reply leads to             a refusal
//! Greeting   -              Ehlo                                  ends the session
//! Ehlo       EHLO or LHLO   StartTls, else Auth, else Mail        500/502: Helo; else ends the session
//! Helo       HELO           Mail                                  ends the session
//! StartTls   STARTTLS       the handshake, then Ehlo              ends the session, never back to clear
//! Auth       AUTH, answers  Auth again (334), then Mail (235)     ends the session, no second try
//! AuthCancel *              (none is due)                         ends the session
//! Rset       RSET           Mail                                  ends the session
//! Mail       MAIL FROM      Rcpt                                  refuses all recipients
//! Rcpt(n)    RCPT TO        Rcpt(n + 1), then Data or the upload  refuses this recipient only
//! Data       DATA           Upload, or LoneDot without anyone     refuses the accepted recipients
//! Upload     -              (none is due, but for chunks)         refuses the accepted recipients, closes
//! Chunk      BDAT           the next Chunk, then Message          refuses the accepted recipients
//! Message    the message    the next message, else Quit           refuses the accepted recipients
//! Delivery   the message    the same, one reply a recipient       refuses this recipient only
//! LoneDot    a dot          the next message, else Quit           the same
//! Quit       QUIT           Closed                                Closed
//! ```
//!
//! 421 ends the session in every state. With PIPELINING the next transaction, or QUIT, is sent directly behind the end
//! of a message, so a reply may belong to the `sent` or the `current` message. No I/O, no clock: the caller reads,
//! writes and waits.

mod login;
mod outcome;
mod sent_secrets;
mod settings;
mod state;
mod transaction;

use std::collections::VecDeque;

use crate::proto::auth::binding::Binding;
use crate::proto::auth::{Exchange, Wiped};
use crate::proto::capability::Capabilities;
use crate::proto::command::{BodyForm, Command};
use crate::proto::reply::Reply;
use transaction::Transaction;

pub use outcome::{RecipientStatus, SessionError, TransactionResult};
pub use sent_secrets::SentSecrets;
pub use settings::{Envelope, Settings, StartTls, StopAfter};
pub use state::State;

/// Maximum number of bytes of pipelined commands: less than any receive window, so client and server do not block.
const MAX_FLIGHT: usize = 4096;

/// An event of the connection.
#[derive(Debug)]
pub enum Event {
    /// The connection is established.
    Connected,
    /// A reply arrived.
    Reply(Reply),
    /// The TLS handshake is done; capabilities from before are discarded.
    TlsStarted,
    /// The next message, in answer to [`Action::Next`]; `None` when there is no other.
    Next(Option<Envelope>),
    /// Another message may follow after the reply to the sent message.
    Later,
    /// The message is written with its final dot or last chunk, and sent together with the next command.
    Uploaded {
        /// Number of outstanding replies to chunks, without the reply to the last chunk.
        chunks: usize,
    },
    /// The connection is lost, or out of step.
    Lost {
        /// Whether the end of the last message may have been sent.
        complete: bool,
    },
}

/// The next action of the caller.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Read one reply.
    Await(State),
    /// Write these bytes, then read one reply.
    Send(Vec<u8>, State),
    /// As `Send`, for bytes that must not be logged.
    SendSecret(Wiped, State),
    /// Start TLS on the connection.
    StartTls,
    /// Return the next message by [`Event::Next`].
    Next,
    /// Send the latest message, then return [`Event::Uploaded`].
    Upload {
        /// The declared form of the message.
        form: BodyForm,
        /// How the end of the message is marked.
        framing: Framing,
    },
    /// Close the connection.
    Close,
}

/// How the end of a message is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Dot-stuffing and a final dot (RFC 5321, section 4.5.2).
    Dot,
    /// Chunks by BDAT (RFC 3030).
    Chunks {
        /// Whether a chunk may be sent before the reply to the previous one.
        pipelined: bool,
    },
}

/// One session with one server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent, and most combinations occur")]
pub struct Session {
    settings: Settings,
    state: State,
    tls: bool,
    offered: Capabilities,
    /// The current SASL exchange.
    exchange: Option<Exchange>,
    logged_in: bool,
    /// The error details of a server for a refused token.
    login_detail: Option<String>,
    /// The message of the current transaction.
    current: Option<Transaction>,
    /// The message that was sent and has no reply yet.
    sent: Option<Transaction>,
    /// Number of messages taken from the caller.
    taken: usize,
    no_more: bool,
    /// Whether a failed transaction must be reset before the next.
    needs_reset: bool,
    /// Commands to send.
    unsent: VecDeque<State>,
    /// Commands that were sent and have no reply yet, oldest first.
    unanswered: VecDeque<State>,
    finished: Vec<TransactionResult>,
    error: Option<SessionError>,
}

impl Session {
    /// A session that waits for [`Event::Connected`]; `tls` means implicit TLS.
    pub fn new(settings: Settings, tls: bool) -> Self {
        Self {
            settings,
            state: State::Closed,
            tls,
            offered: Capabilities::default(),
            exchange: None,
            logged_in: false,
            login_detail: None,
            current: None,
            sent: None,
            taken: 0,
            no_more: false,
            needs_reset: false,
            unsent: VecDeque::new(),
            unanswered: VecDeque::new(),
            finished: Vec::new(),
            error: None,
        }
    }

    /// Sets the channel binding, once TLS is established.
    pub fn bind(&mut self, binding: Option<Binding>) {
        if let Some(login) = &mut self.settings.login {
            login.binding = binding;
        }
    }

    /// The results of messages since the last call.
    pub fn take_finished(&mut self) -> Vec<TransactionResult> {
        std::mem::take(&mut self.finished)
    }

    /// Why the session ended early.
    pub fn error(&self) -> Option<&SessionError> {
        self.error.as_ref()
    }

    /// Whether a message was sent and has no reply yet.
    pub fn awaits_answer(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether all results are known, so that a lost connection changes nothing.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Quit | State::Closed)
    }

    /// Handles an event and returns the next action.
    pub fn on(&mut self, event: Event) -> Action {
        match event {
            Event::Connected => self.wait_in(State::Greeting),
            Event::Reply(reply) => self.reply(reply),
            Event::TlsStarted => {
                self.tls = true;
                self.offered = Capabilities::default();
                self.send(State::Ehlo)
            }
            Event::Next(Some(envelope)) => self.begin(envelope),
            Event::Next(None) => self.end(),
            Event::Later => self.next_reply(),
            Event::Uploaded { chunks } => self.uploaded(chunks),
            Event::Lost { complete } => self.lost(complete),
        }
    }

    fn reply(&mut self, reply: Reply) -> Action {
        if reply.code() == 421 && self.state != State::Quit {
            return self.closing(reply);
        }
        match self.state {
            State::Greeting if reply.is_positive() => match self.settings.stop_after {
                Some(StopAfter::Connect) => self.quit(),
                _ => self.send(State::Ehlo),
            },
            State::Ehlo if reply.is_positive() => self.greeted(Capabilities::of(&reply)),
            State::Ehlo if matches!(reply.code(), 500 | 502) && self.may_use_helo() => self.send(State::Helo),
            State::Helo if reply.is_positive() => self.greeted(Capabilities::default()),
            State::StartTls if reply.is_positive() => Action::StartTls,
            State::Auth => self.auth_answered(reply),
            State::Rset if reply.is_positive() => self.next_reply(),
            State::Greeting | State::Ehlo | State::Helo | State::StartTls | State::Rset => self.refused(reply),
            State::Mail => self.mail_answered(reply),
            State::Rcpt(index) => self.rcpt_answered(index, reply),
            State::Data => self.data_answered(reply),
            State::Upload => self.interrupted(reply),
            State::Chunk => self.chunk_answered(reply),
            State::Message => self.message_answered(reply),
            State::Delivery(index) => self.delivery_answered(index, reply),
            State::LoneDot => self.finish_current(),
            State::AuthCancel => self.quit(),
            State::Quit | State::Closed => self.close(),
        }
    }

    // Before the first transaction.

    /// HELO has neither STARTTLS nor AUTH; LMTP has no HELO; a server with STARTTLS supports EHLO.
    fn may_use_helo(&self) -> bool {
        let plain = self.settings.starttls != StartTls::Required && self.settings.login.is_none();
        plain && !self.tls && !self.settings.lmtp
    }

    fn greeted(&mut self, offered: Capabilities) -> Action {
        self.offered = offered;
        self.offered.chunking &= self.settings.chunking;
        self.offered.binary_mime &= self.offered.chunking;
        if !self.tls && self.settings.starttls != StartTls::Never {
            if self.offered.starttls {
                return self.send(State::StartTls);
            }
            let login = self.settings.login.as_ref().is_some_and(|login| !login.in_clear);
            let probe = self.settings.stop_after == Some(StopAfter::Tls);
            if self.settings.starttls == StartTls::Required || probe {
                self.error = Some(SessionError::TlsNotOffered);
                return self.quit();
            }
            if login {
                self.error = Some(SessionError::LoginNeedsTls);
                return self.quit();
            }
        }
        match self.settings.stop_after {
            Some(StopAfter::Ehlo | StopAfter::Tls) => self.quit(),
            _ if self.settings.login.is_some() && !self.logged_in => self.log_in(),
            Some(StopAfter::Auth) => self.quit(),
            _ => self.ask(),
        }
    }

    fn command(&self, state: State) -> Command<'_> {
        match state {
            State::Ehlo if self.settings.lmtp => Command::Lhlo(&self.settings.helo),
            State::Ehlo => Command::Ehlo(&self.settings.helo),
            State::Helo => Command::Helo(&self.settings.helo),
            State::StartTls => Command::StartTls,
            State::Rset => Command::Rset,
            State::Data => Command::Data,
            State::Mail | State::Rcpt(_) => match &self.current {
                Some(current) => current.command(state, &self.offered),
                None => Command::Quit,
            },
            _ => Command::Quit,
        }
    }

    // The end.

    fn refused(&mut self, reply: Reply) -> Action {
        let state = self.state;
        let refusal = reply.is_transient() || reply.is_permanent();
        self.error = Some(if refusal {
            SessionError::Refused { state, reply }
        } else {
            SessionError::Unexpected { state, reply }
        });
        self.quit()
    }

    /// 421: the server closes the connection, so QUIT is not sent.
    fn closing(&mut self, reply: Reply) -> Action {
        let state = self.state;
        let status = RecipientStatus::Refused(state, reply.clone());
        match state {
            State::Message | State::Delivery(_) | State::Chunk => self.decide_sent(&status),
            State::Data | State::Upload => self.decide_current(&status),
            _ => {}
        }
        self.error = Some(SessionError::Closing { state, reply });
        self.close()
    }

    /// An unexpected reply: the session is out of step.
    fn out_of_step(&mut self, reply: Reply) -> Action {
        self.error = Some(SessionError::Unexpected { state: self.state, reply });
        self.close()
    }

    fn lost(&mut self, complete: bool) -> Action {
        if !complete {
            self.decide_sent(&RecipientStatus::Unsent);
        }
        self.close()
    }

    fn quit(&mut self) -> Action {
        self.unsent.clear();
        self.send(State::Quit)
    }

    /// Ends the session; open messages were not sent, or their status is unknown.
    fn close(&mut self) -> Action {
        self.decide_sent(&RecipientStatus::Unknown);
        if self.settings.stop_after.is_none() {
            self.decide_current(&RecipientStatus::Unsent);
        }
        for transaction in [self.sent.take(), self.current.take()].into_iter().flatten() {
            self.finished.push(transaction.into_outcome());
        }
        self.state = State::Closed;
        Action::Close
    }

    fn send(&mut self, state: State) -> Action {
        let mut bytes = Vec::new();
        self.command(state).write_to(&mut bytes);
        self.state = state;
        Action::Send(bytes, state)
    }

    fn wait_in(&mut self, state: State) -> Action {
        self.state = state;
        Action::Await(state)
    }
}

#[cfg(test)]
mod tests;
