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
//! 421 ends the session in every state. With PIPELINING the next transaction, or QUIT, rides behind the end of a message, so
//! replies can belong to the message that was `sent` or to the `current` one. No I/O, no clock: the caller reads, writes,
//! waits and tells what happened.

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

/// Bytes of commands sent before their replies are read: under every receive window, so neither side can block.
const MAX_FLIGHT: usize = 4096;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The connection stands.
    Connected,
    /// A reply came.
    Reply(Reply),
    /// The handshake is done; everything learned before it is void.
    TlsStarted,
    /// The next message, in answer to [`Action::Next`]; `None` when there is no other.
    Next(Option<Envelope>),
    /// The same: there may be another one, but only after the message that has left has its answer.
    Later,
    /// The message is complete, final dot or last chunk included; it leaves with whatever is sent next.
    Uploaded {
        /// How many replies to chunks are still to come, without that to the last one.
        chunks: usize,
    },
    /// The connection is gone, or can no longer be trusted to be in step.
    Lost {
        /// Whether the end of the last message may have left.
        complete: bool,
    },
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Read one reply.
    Await(State),
    /// Write these bytes, then read one reply.
    Send(Vec<u8>, State),
    /// The same with bytes that nobody may see.
    SendSecret(Wiped, State),
    /// Start TLS on the connection.
    StartTls,
    /// Say which message is next by [`Event::Next`].
    Next,
    /// Send the message that was the last to be next; then report [`Event::Uploaded`].
    Upload {
        /// The form that MAIL declared.
        form: BodyForm,
        /// How its end is marked.
        framing: Framing,
    },
    /// Close the connection.
    Close,
}

/// How the end of a message is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Dots stuffed, a final dot (RFC 5321, section 4.5.2).
    Dot,
    /// In chunks by BDAT (RFC 3030).
    Chunks {
        /// Whether a chunk may be sent before the reply to the last one has come.
        pipelined: bool,
    },
}

/// One session with one server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and most combinations occur")]
pub struct Session {
    settings: Settings,
    state: State,
    tls: bool,
    offered: Capabilities,
    /// The login on its way.
    exchange: Option<Exchange>,
    logged_in: bool,
    /// What a server said about a token before it refused it.
    login_detail: Option<String>,
    /// The message whose commands are being sent and answered.
    current: Option<Transaction>,
    /// The message that has left and whose status is awaited.
    sent: Option<Transaction>,
    /// Messages taken from the caller.
    taken: usize,
    no_more: bool,
    /// A transaction came to nothing and must be forgotten before the next.
    needs_reset: bool,
    /// Commands that are still to be sent.
    unsent: VecDeque<State>,
    /// Commands that were sent and whose replies are still to come, oldest first.
    unanswered: VecDeque<State>,
    finished: Vec<TransactionResult>,
    error: Option<SessionError>,
}

impl Session {
    /// A session that waits for [`Event::Connected`]. `tls` says that TLS is there from the first byte.
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

    /// What a login can be bound to, now that TLS stands.
    pub fn bind(&mut self, binding: Option<Binding>) {
        if let Some(login) = &mut self.settings.login {
            login.binding = binding;
        }
    }

    /// The messages whose status has been decided since the last call.
    pub fn take_finished(&mut self) -> Vec<TransactionResult> {
        std::mem::take(&mut self.finished)
    }

    /// Why the session as a whole could not go on, if it could not.
    pub fn error(&self) -> Option<&SessionError> {
        self.error.as_ref()
    }

    /// Whether a message has left whose answer has not come.
    pub fn awaits_answer(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether everything that matters is decided, so that a lost connection changes nothing.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, State::Quit | State::Closed)
    }

    /// Takes what happened and says what to do next.
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

    /// HELO knows neither STARTTLS nor AUTH, LMTP has none, and a server that spoke TLS a moment ago knows EHLO.
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

    /// 421: the server is closing the connection, so there is nothing to send QUIT to.
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

    /// The reply makes no sense here, so none that follows can be trusted.
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

    /// The end of everything; what is still open now was not sent, or has a status that nobody knows.
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
