//! The SMTP session (RFC 5321, section 3) as a state machine: an event in, an action out.
//!
//! ```text
//! state      sent before    a positive reply leads to             a refusal
//! Greeting   -              Ehlo                                  ends the session
//! Ehlo       EHLO           StartTls, else Mail                   500/502: Helo; else ends the session
//! Helo       HELO           Mail                                  ends the session
//! StartTls   STARTTLS       the handshake, then Ehlo              ends the session, never back to clear
//! Mail       MAIL FROM      Rcpt                                  refuses all recipients
//! Rcpt(n)    RCPT TO        Rcpt(n + 1), then Data                refuses this recipient only
//! Data       DATA           Upload, or LoneDot without anyone     refuses the accepted recipients
//! Upload     -              (no reply is due)                     refuses the accepted recipients, closes
//! Message    the message    Quit, or Mail for who is left over    refuses the accepted recipients
//! LoneDot    a dot          Quit                                  Quit
//! Quit       QUIT           Closed                                Closed
//! ```
//!
//! 421 ends the session in every state. No I/O, no clock: the caller reads, writes, waits and tells what happened.

mod outcome;
mod settings;

use std::collections::VecDeque;
use std::time::Duration;

use crate::proto::address::Address;
use crate::proto::capability::Capabilities;
use crate::proto::command::Command;
use crate::proto::reply::Reply;

pub use outcome::{Fate, Trouble};
pub use settings::{Envelope, Settings, StartTls, StopAfter};

/// Bytes of commands sent before their replies are read: under every receive window, so neither side can block.
const MAX_FLIGHT: usize = 4096;

/// Where the session stands; for most states the reply that is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The server speaks first.
    Greeting,
    /// EHLO was sent.
    Ehlo,
    /// HELO was sent.
    Helo,
    /// STARTTLS was sent; after its 220 the TLS handshake.
    StartTls,
    /// MAIL was sent.
    Mail,
    /// RCPT was sent for the recipient of this index.
    Rcpt(usize),
    /// DATA was sent.
    Data,
    /// The message is being sent; its final dot has not left.
    Upload,
    /// The message was sent with its final dot.
    Message,
    /// A dot was sent in place of a message that nobody would get.
    LoneDot,
    /// QUIT was sent.
    Quit,
    /// Nothing more is sent or awaited.
    Closed,
}

impl State {
    /// How long the reply may take as a whole (RFC 5321, section 4.5.3.2).
    pub fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Data | Self::LoneDot => 120,
            // A server may deliver before it answers the final dot; giving up early makes duplicates.
            Self::Message => 600,
            // Nothing is lost when this reply is.
            Self::Quit | Self::Closed => 10,
            // For one block of the message.
            Self::Upload => 180,
            _ => 300,
        })
    }

    /// What was going on, as a noun for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greeting => "the greeting",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::StartTls => "STARTTLS",
            Self::Mail => "MAIL",
            Self::Rcpt(_) => "RCPT",
            Self::Data => "DATA",
            Self::Upload | Self::Message => "the message",
            Self::LoneDot => "the empty message",
            Self::Quit | Self::Closed => "QUIT",
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The connection stands.
    Connected,
    /// A reply came.
    Reply(Reply),
    /// The handshake is done; everything learned before it is void.
    TlsStarted,
    /// The message has left with its final dot.
    Uploaded,
    /// The connection is gone, or can no longer be trusted to be in step.
    Lost,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Read one reply.
    Await(State),
    /// Write these bytes, then read one reply.
    Send(Vec<u8>, State),
    /// Start TLS on the connection.
    StartTls,
    /// Send the message dot-stuffed, in its form with bytes over 127 or without; then report [`Event::Uploaded`].
    Upload {
        /// Whether the form with bytes over 127 is wanted.
        eight_bit: bool,
    },
    /// Close the connection.
    Close,
}

/// One session with one server.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    envelope: Envelope,
    state: State,
    tls: bool,
    offered: Capabilities,
    fates: Vec<Fate>,
    /// Commands of this transaction that are still to be sent.
    unsent: VecDeque<State>,
    /// Commands that were sent and whose replies are still to come, oldest first.
    unanswered: VecDeque<State>,
    /// Recipients that the running transaction has left to the next one.
    left_over: Vec<usize>,
    mail_refused: bool,
    trouble: Option<Trouble>,
}

impl Session {
    /// A session that waits for [`Event::Connected`]. `tls` says that TLS is there from the first byte.
    pub fn new(settings: Settings, envelope: Envelope, tls: bool) -> Self {
        let fates = vec![Fate::Unsent; envelope.recipients.len()];
        Self {
            settings,
            envelope,
            state: State::Closed,
            tls,
            offered: Capabilities::default(),
            fates,
            unsent: VecDeque::new(),
            unanswered: VecDeque::new(),
            left_over: Vec::new(),
            mail_refused: false,
            trouble: None,
        }
    }

    /// Each recipient with what became of it, in the order of the envelope.
    pub fn fates(&self) -> impl Iterator<Item = (&Address, &Fate)> {
        self.envelope.recipients.iter().zip(&self.fates)
    }

    /// Why the session as a whole could not go on, if it could not.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
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
                self.ehlo()
            }
            Event::Uploaded => self.wait_in(State::Message),
            Event::Lost => self.lost(),
        }
    }

    fn reply(&mut self, reply: Reply) -> Action {
        if reply.code() == 421 && self.state != State::Quit {
            return self.closing(reply);
        }
        match self.state {
            State::Greeting if reply.is_positive() => match self.settings.stop_after {
                Some(StopAfter::Connect) => self.quit(),
                _ => self.ehlo(),
            },
            State::Ehlo if reply.is_positive() => self.greeted(Capabilities::of(&reply)),
            State::Ehlo if matches!(reply.code(), 500 | 502) && self.may_use_helo() => self.send(State::Helo),
            State::Helo if reply.is_positive() => self.greeted(Capabilities::default()),
            State::StartTls if reply.is_positive() => Action::StartTls,
            State::Greeting | State::Ehlo | State::Helo | State::StartTls => self.refused(reply),
            State::Mail => self.mail_answered(reply),
            State::Rcpt(index) => self.rcpt_answered(index, reply),
            State::Data => self.data_answered(reply),
            State::Upload => self.interrupted(reply),
            State::Message => self.message_answered(reply),
            State::LoneDot => self.quit(),
            State::Quit | State::Closed => self.close(),
        }
    }

    // Before the transaction.

    fn ehlo(&mut self) -> Action {
        self.send(State::Ehlo)
    }

    /// HELO knows no STARTTLS, and a server that spoke TLS a moment ago knows EHLO.
    fn may_use_helo(&self) -> bool {
        !self.tls && self.settings.starttls != StartTls::Required
    }

    fn greeted(&mut self, offered: Capabilities) -> Action {
        self.offered = offered;
        if !self.tls {
            match self.settings.starttls {
                StartTls::Offered | StartTls::Required if self.offered.starttls => {
                    return self.send(State::StartTls);
                }
                StartTls::Offered if self.settings.stop_after != Some(StopAfter::Tls) => {}
                StartTls::Never => {}
                StartTls::Offered | StartTls::Required => {
                    self.trouble = Some(Trouble::TlsNotOffered);
                    return self.quit();
                }
            }
        }
        match self.settings.stop_after {
            Some(StopAfter::Ehlo | StopAfter::Tls | StopAfter::Auth) => self.quit(),
            _ => self.transaction((0..self.fates.len()).collect()),
        }
    }

    // The transaction.

    fn transaction(&mut self, recipients: Vec<usize>) -> Action {
        let size = self.message_size();
        if let Some(limit) = self.offered.size_limit.filter(|limit| size > *limit) {
            self.trouble = Some(Trouble::TooLarge { size, limit });
            return self.quit();
        }
        self.mail_refused = false;
        self.unsent.push_back(State::Mail);
        if self.settings.stop_after != Some(StopAfter::Mail) {
            self.unsent.extend(recipients.into_iter().map(State::Rcpt));
        }
        if self.settings.stop_after.is_none() {
            self.unsent.push_back(State::Data);
        }
        self.next_flight()
    }

    /// Whether the message goes in its form with bytes over 127.
    fn eight_bit(&self) -> bool {
        self.offered.eight_bit_mime && self.envelope.eight_bit_size.is_some()
    }

    fn message_size(&self) -> u64 {
        match self.envelope.eight_bit_size {
            Some(size) if self.offered.eight_bit_mime => size,
            _ => self.envelope.seven_bit_size,
        }
    }

    /// Sends the next command; with PIPELINING as many as fit into a flight.
    fn next_flight(&mut self) -> Action {
        let mut flight = Vec::new();
        while let Some(next) = self.unsent.pop_front() {
            self.command(next).write_to(&mut flight);
            self.unanswered.push_back(next);
            if !self.offered.pipelining || flight.len() >= MAX_FLIGHT {
                break;
            }
        }
        match self.unanswered.pop_front() {
            Some(first) => {
                self.state = first;
                Action::Send(flight, first)
            }
            None => self.quit(),
        }
    }

    fn command(&self, state: State) -> Command<'_> {
        match state {
            State::Ehlo => Command::Ehlo(&self.settings.helo),
            State::Helo => Command::Helo(&self.settings.helo),
            State::StartTls => Command::StartTls,
            State::Mail => Command::Mail {
                from: self.envelope.reverse_path.as_ref(),
                size: self.offered.size.then(|| self.message_size()),
                eight_bit: self.eight_bit(),
            },
            State::Rcpt(index) => match self.envelope.recipients.get(index) {
                Some(address) => Command::Rcpt(address),
                None => Command::Quit,
            },
            State::Data => Command::Data,
            _ => Command::Quit,
        }
    }

    /// The next reply of a flight, or the next flight when all replies are read.
    fn next_reply(&mut self) -> Action {
        match self.unanswered.pop_front() {
            Some(next) => self.wait_in(next),
            None => self.next_flight(),
        }
    }

    fn mail_answered(&mut self, reply: Reply) -> Action {
        if !reply.is_positive() {
            self.mail_refused = true;
            self.unsent.clear();
            self.trouble = Some(Trouble::Refused { state: State::Mail, reply });
        }
        self.next_reply()
    }

    fn rcpt_answered(&mut self, index: usize, reply: Reply) -> Action {
        // What a server says to RCPT after it refused MAIL (503, mostly) is not about the recipient.
        if !self.mail_refused {
            let too_many = matches!(reply.code(), 452 | 552) && self.has_valid_recipient();
            if too_many && self.settings.stop_after.is_none() {
                self.left_over.push(index);
            } else if let Some(fate) = self.fates.get_mut(index) {
                *fate = if reply.is_positive() { Fate::Valid(reply) } else { Fate::Refused(State::Rcpt(index), reply) };
            }
        }
        if self.unsent.front() == Some(&State::Data) && self.unanswered.is_empty() && !self.has_valid_recipient() {
            self.unsent.clear();
        }
        self.next_reply()
    }

    fn data_answered(&mut self, reply: Reply) -> Action {
        match (reply.is_intermediate(), self.has_valid_recipient()) {
            (true, true) => {
                self.state = State::Upload;
                Action::Upload { eight_bit: self.eight_bit() }
            }
            (true, false) => {
                self.state = State::LoneDot;
                Action::Send(b".\r\n".to_vec(), State::LoneDot)
            }
            (false, true) if reply.is_positive() => self.out_of_step(&Fate::Unsent, reply),
            (false, _) => {
                self.decide(&Fate::Refused(State::Data, reply));
                self.next_transaction()
            }
        }
    }

    fn message_answered(&mut self, reply: Reply) -> Action {
        if reply.is_intermediate() {
            return self.out_of_step(&Fate::Unknown, reply);
        }
        self.decide(&if reply.is_positive() { Fate::Accepted(reply) } else { Fate::Refused(State::Message, reply) });
        self.next_transaction()
    }

    /// A reply while the message is still on its way. Only closing the connection can stop a message halfway.
    fn interrupted(&mut self, reply: Reply) -> Action {
        if reply.is_positive() || reply.is_intermediate() {
            return self.out_of_step(&Fate::Unsent, reply);
        }
        self.decide(&Fate::Refused(State::Upload, reply));
        self.close()
    }

    /// The reply makes no sense here, so none that follows can be trusted.
    fn out_of_step(&mut self, fate: &Fate, reply: Reply) -> Action {
        self.decide(fate);
        self.trouble = Some(Trouble::Unexpected { state: self.state, reply });
        self.close()
    }

    /// Another transaction for the recipients that were too many for the last one.
    fn next_transaction(&mut self) -> Action {
        match std::mem::take(&mut self.left_over) {
            rest if rest.is_empty() => self.quit(),
            rest => self.transaction(rest),
        }
    }

    fn has_valid_recipient(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Valid(_)))
    }

    /// Gives every recipient of the running transaction the same fate.
    fn decide(&mut self, fate: &Fate) {
        for open in self.fates.iter_mut().filter(|open| matches!(open, Fate::Valid(_))) {
            *open = fate.clone();
        }
    }

    // The end.

    fn refused(&mut self, reply: Reply) -> Action {
        let state = self.state;
        let refusal = reply.is_transient() || reply.is_permanent();
        self.trouble =
            Some(if refusal { Trouble::Refused { state, reply } } else { Trouble::Unexpected { state, reply } });
        self.quit()
    }

    /// 421: the server is closing the connection, so there is nothing to send QUIT to.
    fn closing(&mut self, reply: Reply) -> Action {
        let state = self.state;
        match state {
            State::Data | State::Upload | State::Message => self.decide(&Fate::Refused(state, reply.clone())),
            _ => self.decide(&Fate::Unsent),
        }
        self.trouble = Some(Trouble::Closing { state, reply });
        self.close()
    }

    fn lost(&mut self) -> Action {
        match self.state {
            State::Message => self.decide(&Fate::Unknown),
            State::Quit | State::Closed => {}
            _ => self.decide(&Fate::Unsent),
        }
        self.close()
    }

    fn quit(&mut self) -> Action {
        self.unsent.clear();
        self.send(State::Quit)
    }

    fn close(&mut self) -> Action {
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
