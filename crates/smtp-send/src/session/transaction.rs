//! Mail transactions (RFC 5321, section 3.3): MAIL, RCPT, the message, and the recipients that each reply concerns.

use super::{
    Action, Envelope, Framing, MAX_FLIGHT, RecipientStatus, Session, SessionError, State, StopAfter, TransactionResult,
};
use crate::proto::address::Address;
use crate::proto::capability::Capabilities;
use crate::proto::command::{BodyForm, Command, MailParameters};
use crate::proto::reply::Reply;

/// A message with its envelope and current status.
#[derive(Debug)]
pub(super) struct Transaction {
    number: usize,
    envelope: Envelope,
    statuses: Vec<RecipientStatus>,
    /// Recipients that exceed the limit of the server and follow in another transaction.
    left_over: Vec<usize>,
    mail_refused: bool,
    /// Whether the transaction is open: MAIL was accepted.
    open: bool,
    error: Option<SessionError>,
}

impl Transaction {
    fn new(number: usize, envelope: Envelope) -> Self {
        let statuses = vec![RecipientStatus::Unsent; envelope.recipients.len()];
        Self { number, envelope, statuses, left_over: Vec::new(), mail_refused: false, open: false, error: None }
    }

    pub(super) fn into_outcome(self) -> TransactionResult {
        TransactionResult { number: self.number, statuses: self.statuses, error: self.error }
    }

    /// MAIL or RCPT of this transaction.
    pub(super) fn command(&self, state: State, offered: &Capabilities) -> Command<'_> {
        let dsn = offered.dsn.then_some(&self.envelope.dsn);
        if let State::Rcpt(index) = state
            && let Some(to) = self.envelope.recipients.get(index)
        {
            return Command::Rcpt { to, notify: dsn.and_then(|dsn| dsn.notify) };
        }
        Command::Mail(MailParameters {
            from: self.envelope.reverse_path.as_ref(),
            size: offered.size.then(|| self.form(offered).1),
            body: self.form(offered).0,
            smtputf8: offered.smtputf8 && self.envelope.is_international(),
            ret: dsn.and_then(|dsn| dsn.ret),
            envid: dsn.and_then(|dsn| dsn.envid.as_ref()),
            by: self.envelope.deliver_by,
            require_tls: self.envelope.require_tls,
        })
    }

    /// The form of the message for this server, and its size in bytes.
    fn form(&self, offered: &Capabilities) -> (BodyForm, u64) {
        let Envelope { seven_bit_size, eight_bit_size, binary_size, .. } = self.envelope;
        match (binary_size, eight_bit_size) {
            (Some(size), _) if offered.binary_mime => (BodyForm::Binary, size),
            (_, Some(size)) if offered.eight_bit_mime => (BodyForm::EightBit, size),
            _ => (BodyForm::SevenBit, seven_bit_size),
        }
    }

    /// A requirement of the message that the server does not offer.
    fn obstacle(&self, offered: &Capabilities, tls: bool) -> Option<SessionError> {
        let Envelope { utf8_header, dsn, deliver_by, require_tls, .. } = &self.envelope;
        let sender = self.envelope.reverse_path.as_ref().is_some_and(Address::needs_smtputf8);
        let needs = [
            (*require_tls && !(tls && offered.require_tls), "REQUIRETLS", "--require-tls"),
            ((*utf8_header || sender) && !offered.smtputf8, "SMTPUTF8", "an address that is not ASCII before the '@'"),
            (!dsn.is_empty() && !dsn.optional && !offered.dsn, "DSN", "a request for delivery reports"),
            (deliver_by.is_some() && offered.deliver_by.is_none(), "DELIVERBY", "--deliver-by"),
        ];
        if let Some((_, keyword, what)) = needs.into_iter().find(|(missing, ..)| *missing) {
            return Some(SessionError::NotOffered { keyword, what });
        }
        if let (Some(by), Some(least)) = (deliver_by, offered.deliver_by)
            && by.is_under(least)
        {
            return Some(SessionError::TooSoon { seconds: by.seconds(), least });
        }
        let (_, size) = self.form(offered);
        let limit = offered.size_limit.filter(|limit| size > *limit)?;
        Some(SessionError::TooLarge { size, limit })
    }

    fn has_valid_recipient(&self) -> bool {
        self.statuses.iter().any(|status| matches!(status, RecipientStatus::Valid(_)))
    }

    /// Sets the status of all accepted recipients.
    fn decide(&mut self, status: &RecipientStatus) {
        for open in self.statuses.iter_mut().filter(|open| matches!(open, RecipientStatus::Valid(_))) {
            *open = status.clone();
        }
    }
}

impl Session {
    pub(super) fn decide_current(&mut self, status: &RecipientStatus) {
        if let Some(current) = &mut self.current {
            current.decide(status);
        }
    }

    pub(super) fn decide_sent(&mut self, status: &RecipientStatus) {
        if let Some(sent) = &mut self.sent {
            sent.decide(status);
        }
    }

    // The way to a message.

    /// Starts the transaction of the next message.
    pub(super) fn begin(&mut self, envelope: Envelope) -> Action {
        let mut transaction = Transaction::new(self.taken, envelope);
        self.taken += 1;
        // After a refused chunk the state of the server is undefined (RFC 3030, section 2); this command may follow
        // one.
        self.needs_reset |= self.sent.is_some() && self.framing() != Framing::Dot;
        if let Some(error) = transaction.obstacle(&self.offered, self.tls) {
            transaction.error = Some(error);
            self.finished.push(transaction.into_outcome());
            return self.ask();
        }
        for (address, status) in transaction.envelope.recipients.iter().zip(&mut transaction.statuses) {
            if address.needs_smtputf8() && !self.offered.smtputf8 {
                *status = RecipientStatus::NeedsSmtpUtf8;
            }
        }
        let named = |(index, status): (usize, &RecipientStatus)| (*status == RecipientStatus::Unsent).then_some(index);
        let recipients: Vec<usize> = transaction.statuses.iter().enumerate().filter_map(named).collect();
        if recipients.is_empty() && !transaction.statuses.is_empty() {
            self.finished.push(transaction.into_outcome());
            return self.ask();
        }
        self.current = Some(transaction);
        self.transaction(recipients)
    }

    fn transaction(&mut self, recipients: Vec<usize>) -> Action {
        if std::mem::take(&mut self.needs_reset) {
            self.unsent.push_back(State::Rset);
        }
        self.unsent.push_back(State::Mail);
        if self.settings.stop_after != Some(StopAfter::Mail) {
            self.unsent.extend(recipients.into_iter().map(State::Rcpt));
        }
        if self.settings.stop_after.is_none() && self.framing() == Framing::Dot {
            self.unsent.push_back(State::Data);
        }
        self.next_flight()
    }

    fn framing(&self) -> Framing {
        if self.offered.chunking { Framing::Chunks { pipelined: self.offered.pipelining } } else { Framing::Dot }
    }

    /// Sends the next command; with PIPELINING all that fit into one flight.
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
            None => self.close(),
        }
    }

    /// Waits for the next reply of a flight, then sends the next flight, then the message.
    pub(super) fn next_reply(&mut self) -> Action {
        if let Some(next) = self.unanswered.pop_front() {
            return self.wait_in(next);
        }
        if !self.unsent.is_empty() {
            return self.next_flight();
        }
        let ready = self.current.as_ref().is_some_and(Transaction::has_valid_recipient);
        if ready && self.settings.stop_after.is_none() { self.upload() } else { self.finish_current() }
    }

    pub(super) fn mail_answered(&mut self, reply: Reply) -> Action {
        if let Some(current) = &mut self.current {
            current.open = reply.is_positive();
            if !reply.is_positive() {
                current.mail_refused = true;
                current.error = Some(SessionError::Refused { state: State::Mail, reply });
                self.unsent.clear();
            }
        }
        self.next_reply()
    }

    pub(super) fn rcpt_answered(&mut self, index: usize, reply: Reply) -> Action {
        let Some(current) = &mut self.current else { return self.out_of_step(reply) };
        // Replies to RCPT after a refused MAIL (mostly 503) do not concern the recipient.
        if !current.mail_refused {
            let too_many = matches!(reply.code(), 452 | 552) && current.has_valid_recipient();
            if too_many && self.settings.stop_after.is_none() {
                current.left_over.push(index);
            } else if let Some(status) = current.statuses.get_mut(index) {
                *status = if reply.is_positive() {
                    RecipientStatus::Valid(reply)
                } else {
                    RecipientStatus::Refused(State::Rcpt(index), reply)
                };
            }
        }
        let only_data_is_left = self.unsent.front() == Some(&State::Data) && self.unanswered.is_empty();
        if only_data_is_left && !current.has_valid_recipient() {
            self.unsent.clear();
        }
        self.next_reply()
    }

    pub(super) fn data_answered(&mut self, reply: Reply) -> Action {
        let valid = self.current.as_ref().is_some_and(Transaction::has_valid_recipient);
        match (reply.is_intermediate(), valid) {
            (true, true) => self.upload(),
            (true, false) => {
                self.state = State::LoneDot;
                Action::Send(b".\r\n".to_vec(), State::LoneDot)
            }
            (false, true) if reply.is_positive() => self.out_of_step(reply),
            (false, _) => {
                self.decide_current(&RecipientStatus::Refused(State::Data, reply));
                self.finish_current()
            }
        }
    }

    fn upload(&mut self) -> Action {
        self.state = State::Upload;
        let form = self.current.as_ref().map_or_else(BodyForm::default, |current| current.form(&self.offered).0);
        Action::Upload { form, framing: self.framing() }
    }

    // Behind the message.

    /// The message was sent. With PIPELINING the next command follows directly.
    pub(super) fn uploaded(&mut self, chunks: usize) -> Action {
        self.sent = self.current.take();
        self.unanswered.extend(std::iter::repeat_n(State::Chunk, chunks));
        let Some(sent) = &mut self.sent else { return self.close() };
        sent.open = false;
        if self.settings.lmtp {
            let valid =
                sent.statuses.iter().enumerate().filter(|(_, status)| matches!(status, RecipientStatus::Valid(_)));
            self.unanswered.extend(valid.map(|(index, _)| State::Delivery(index)));
        } else {
            self.unanswered.push_back(State::Message);
        }
        if self.offered.pipelining && sent.left_over.is_empty() && !self.no_more {
            return self.ask();
        }
        self.next_reply()
    }

    /// There is no other message.
    pub(super) fn end(&mut self) -> Action {
        self.no_more = true;
        if self.sent.is_none() {
            return self.quit();
        }
        // The caller is asked early only if PIPELINING permits QUIT directly behind the message.
        self.unsent.push_back(State::Quit);
        self.next_flight()
    }

    /// Handles a reply during the upload. Only closing the connection stops a message halfway.
    pub(super) fn interrupted(&mut self, reply: Reply) -> Action {
        if reply.is_positive() || reply.is_intermediate() {
            return self.out_of_step(reply);
        }
        self.decide_current(&RecipientStatus::Refused(State::Upload, reply));
        self.close()
    }

    /// A refused chunk refuses the message; replies to later chunks are ignored (RFC 3030, section 2).
    pub(super) fn chunk_answered(&mut self, reply: Reply) -> Action {
        if reply.is_intermediate() {
            return self.out_of_step(reply);
        }
        if !reply.is_positive() {
            self.decide_sent(&RecipientStatus::Refused(State::Chunk, reply));
            self.needs_reset = true;
        }
        self.next_reply()
    }

    pub(super) fn message_answered(&mut self, reply: Reply) -> Action {
        if reply.is_intermediate() {
            return self.out_of_step(reply);
        }
        let refused = RecipientStatus::Refused(State::Message, reply.clone());
        self.decide_sent(&if reply.is_positive() { RecipientStatus::Accepted(reply) } else { refused });
        self.finish_sent()
    }

    /// LMTP (RFC 2033, section 4.2): one reply for each recipient.
    pub(super) fn delivery_answered(&mut self, index: usize, reply: Reply) -> Action {
        if reply.is_intermediate() {
            return self.out_of_step(reply);
        }
        let sent = self.sent.as_mut();
        if let Some(status @ RecipientStatus::Valid(_)) = sent.and_then(|sent| sent.statuses.get_mut(index)) {
            let refused = RecipientStatus::Refused(State::Delivery(index), reply.clone());
            *status = if reply.is_positive() { RecipientStatus::Accepted(reply) } else { refused };
        }
        if matches!(self.unanswered.front(), Some(State::Delivery(_))) {
            return self.next_reply();
        }
        self.finish_sent()
    }

    /// Completes the sent message. Recipients beyond the limit of the server follow in another transaction.
    fn finish_sent(&mut self) -> Action {
        let Some(mut sent) = self.sent.take() else { return self.next_reply() };
        match std::mem::take(&mut sent.left_over) {
            rest if rest.is_empty() => self.finished.push(sent.into_outcome()),
            rest => {
                self.current = Some(sent);
                return self.transaction(rest);
            }
        }
        if self.unanswered.is_empty() && self.unsent.is_empty() && self.current.is_none() {
            return self.next_message();
        }
        self.next_reply()
    }

    /// Completes the current message, which is not sent.
    pub(super) fn finish_current(&mut self) -> Action {
        if let Some(mut current) = self.current.take() {
            self.needs_reset |= current.open;
            let rest = std::mem::take(&mut current.left_over);
            if !rest.is_empty() {
                self.current = Some(current);
                return self.transaction(rest);
            }
            self.finished.push(current.into_outcome());
        }
        self.next_message()
    }

    /// Requests the next message, unless the server accepts no more on this connection.
    pub(super) fn ask(&mut self) -> Action {
        if self.offered.mail_max.is_some_and(|most| self.taken >= most) { self.end() } else { Action::Next }
    }

    fn next_message(&mut self) -> Action {
        if self.no_more || self.settings.stop_after.is_some() { self.quit() } else { self.ask() }
    }
}
