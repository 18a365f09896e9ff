//! One connection of a run: the messages that it sends, and what its end means for the others.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use common::Error;

use super::connector::{ConnectionResult, ServerConnection};
use super::session_loop::{self, MessageQueue, NextMessage, TlsOptions};
use crate::config::{Credentials, Route};
use crate::delivery::progress::UploadProgress;
use crate::errors;
use crate::message::Message;
use crate::net::tls::TlsMode;
use crate::net::transport::{ConnectionError, Encryption, Transport};
use crate::proto::command::{BodyForm, HeloName};
use crate::session::{
    Envelope, RecipientStatus, Session, SessionError, Settings, StartTls, StopAfter, TransactionResult,
};

use super::queue_item::{InFlight, QueueItem};
use super::{ConnectionContext, Run};

/// A connection that would be idle for longer is closed, and opened again for the next message.
const MAX_IDLE: Duration = Duration::from_secs(30);
/// Connections that may end during one message, or more where more tries are wanted: it must not block the others.
const MAX_LOST_CONNECTIONS: u32 = 2;

/// Connects, and sends messages until the session ends.
pub(super) fn run_connection(run: &Run<'_>) -> ConnectionResult {
    let mut worker = Worker::new(run);
    let (error, session_error) = match worker.run_session() {
        Ok(end) => end,
        Err(error) => (Some(error), None),
    };
    worker.close(error, session_error)
}

struct Worker<'a, 'r> {
    run: &'a Run<'r>,
    /// The next message, opened while the server was working.
    prefetched: Option<InFlight<'a>>,
    /// Messages that the session has taken and not decided, the newest last.
    in_flight: Vec<InFlight<'a>>,
    /// Number of messages that the session has taken.
    taken: usize,
    /// Messages whose result follows from the end of the connection.
    undecided: Vec<InFlight<'a>>,
    encryption: Option<Encryption>,
    decided: usize,
}

impl<'a, 'r> Worker<'a, 'r> {
    fn new(run: &'a Run<'r>) -> Self {
        let (in_flight, undecided) = (Vec::new(), Vec::new());
        Self { run, prefetched: None, in_flight, taken: 0, undecided, encryption: None, decided: 0 }
    }

    fn run_session(&mut self) -> Result<(Option<ConnectionError>, Option<SessionError>), ConnectionError> {
        let ServerConnection { mut transport, tls, trust } = self.run.connector.connect(self.run.limits)?;
        if tls == TlsMode::Implicit {
            transport.start_tls(&trust)?;
        }
        let settings = settings(self.run.route, tls, self.run.options.stop_after, &mut transport)?;
        let mut session = Session::new(settings, transport.encryption().is_some());
        let options = TlsOptions { trust: &trust, warn_in_clear: tls == TlsMode::Opportunistic };
        let error = session_loop::run(&mut session, transport, self, &options).err();
        Ok((error, session.error().cloned()))
    }

    /// Reports or requeues the messages that the connection left.
    fn close(mut self, error: Option<ConnectionError>, session_error: Option<SessionError>) -> ConnectionResult {
        if let Some(prefetched) = self.prefetched.take() {
            self.requeue(prefetched);
        }
        let left: Vec<InFlight> = self.undecided.drain(..).chain(self.in_flight.drain(..)).collect();
        let mut result = ConnectionResult { error, session_error, encryption: self.encryption.take(), decided: 0 };
        for mut in_flight in left.into_iter().rev() {
            in_flight.item.lost_connections += 1;
            let lost = in_flight.item.lost_connections;
            if in_flight.item.statuses.contains(&RecipientStatus::Unknown) {
                // No later connection can find out what happened to it.
                self.run.finish(in_flight, ConnectionContext::from(&result));
            } else if lost >= self.max_lost_connections() && self.decided == 0 && self.run.count > 1 {
                self.decided += 1;
                self.run.finish(in_flight, ConnectionContext::from(&result));
            } else {
                self.requeue(in_flight);
            }
        }
        result.decided = self.decided;
        result
    }

    fn max_lost_connections(&self) -> u32 {
        MAX_LOST_CONNECTIONS.max(self.run.route.retry.saturating_add(1))
    }

    fn requeue(&self, in_flight: InFlight<'_>) {
        let InFlight { item, message, .. } = in_flight;
        drop(message);
        self.run.scheduler.requeue(item);
    }

    /// Opens the next message that may be sent now.
    fn open_next(&mut self) -> Option<InFlight<'a>> {
        self.prefetched.take().or_else(|| {
            let mut open = || self.run.scheduler.pop().map(|item| self.run.open(item));
            std::iter::from_fn(&mut open).flatten().next()
        })
    }

    fn envelope(&self, in_flight: &mut InFlight<'_>) -> Result<Envelope, Error> {
        let name = self.run.source.name(in_flight.item.number).unwrap_or_else(|| "the message".into());
        let outgoing = &mut in_flight.message;
        let recipients = in_flight.recipient_indexes.iter().filter_map(|index| outgoing.recipients.get(*index));
        let recipients = recipients.cloned().collect();
        let message: &mut Message = &mut outgoing.message;
        let mut size = |form| {
            message
                .has_form(form)
                .then(|| message.size(form))
                .transpose()
                .map_err(|error| errors::unreadable(&name, error))
        };
        Ok(Envelope {
            reverse_path: outgoing.reverse_path.clone(),
            recipients,
            seven_bit_size: size(BodyForm::SevenBit)?.unwrap_or_default(),
            eight_bit_size: size(BodyForm::EightBit)?,
            binary_size: size(BodyForm::Binary)?,
            utf8_header: message.needs_smtputf8(),
            dsn: self.run.route.dsn.clone(),
            deliver_by: self.run.route.deliver_by,
            require_tls: self.run.route.require_tls,
        })
    }

    /// Waits until a message may be sent; `Err` when none may be before another event.
    fn wait_for_send_time(&self, is_uploading: bool) -> Result<(), NextMessage> {
        if self.run.options.interval.is_some() {
            let wait = self.run.scheduler.next_send_time().saturating_duration_since(Instant::now());
            if !wait.is_zero() && is_uploading {
                return Err(NextMessage::Later);
            }
            if wait > MAX_IDLE {
                return Err(NextMessage::None);
            }
            thread::sleep(self.run.scheduler.reserve_send_time().saturating_duration_since(Instant::now()));
        }
        let over = self.run.limits.end.is_some_and(|end| Instant::now() >= end);
        if over { Err(NextMessage::None) } else { Ok(()) }
    }

    /// Sets the time of another try for recipients that were refused temporarily, if there may be one.
    fn schedule_retry(&self, item: &mut QueueItem) -> bool {
        if item.open_recipients().is_empty() {
            return false;
        }
        let Some(pause) = self.run.pause_before(item.tries + 1) else { return false };
        item.tries += 1;
        item.session_error = None;
        item.due = Some(Instant::now() + pause);
        if self.run.count == 1 {
            let left = self.run.route.retry - item.tries;
            log::warn!("refused temporarily; trying again in {:.1} s, {left} more", pause.as_secs_f64());
        }
        true
    }
}

impl MessageQueue for Worker<'_, '_> {
    fn next(&mut self, is_uploading: bool) -> NextMessage {
        loop {
            let Some(mut in_flight) = self.open_next() else { return NextMessage::None };
            if let Err(next) = self.wait_for_send_time(is_uploading) {
                self.prefetched = Some(in_flight);
                return next;
            }
            in_flight.recipient_indexes = in_flight.item.open_recipients();
            match self.envelope(&mut in_flight) {
                Ok(envelope) => {
                    in_flight.session_index = self.taken;
                    self.taken += 1;
                    let size = envelope.eight_bit_size.unwrap_or(envelope.seven_bit_size);
                    let has_bar = self.run.options.progress_bar && self.run.count == 1;
                    in_flight.progress = UploadProgress::new(size, has_bar);
                    self.in_flight.push(in_flight);
                    return NextMessage::Envelope(Box::new(envelope));
                }
                Err(failure) => {
                    let context = ConnectionContext { failure: Some(&failure), ..ConnectionContext::default() };
                    self.run.finish(in_flight, context);
                }
            }
        }
    }

    fn prefetch(&mut self) {
        // After the first message only: it may be the only one that the server accepts.
        if self.prefetched.is_none() && self.taken > 0 && self.run.count > 1 {
            self.prefetched = self.open_next();
        }
    }

    fn current(&mut self) -> Option<(&mut Message, &mut UploadProgress)> {
        self.in_flight.last_mut().map(|in_flight| (&mut *in_flight.message.message, &mut in_flight.progress))
    }

    fn upload_complete(&mut self) -> Result<(), Error> {
        match (self.run.options.journal, self.in_flight.last()) {
            (Some(journal), Some(in_flight)) => journal.record_leaving(in_flight.item.number),
            _ => Ok(()),
        }
    }

    fn finished(&mut self, result: TransactionResult) {
        let Some(at) = self.in_flight.iter().position(|one| one.session_index == result.number) else { return };
        let mut in_flight = self.in_flight.remove(at);
        let item = &mut in_flight.item;
        for (index, status) in in_flight.recipient_indexes.iter().zip(result.statuses) {
            if let Some(old) = item.statuses.get_mut(*index) {
                *old = status;
            }
        }
        item.session_error = result.error;
        if let Some(journal) = self.run.options.journal {
            journal.record_ended(item.number, &item.statuses, in_flight.resumed_indexes.as_deref());
        }
        let is_unsent = item.is_unsent();
        self.decided += usize::from(!is_unsent);
        if is_unsent || item.statuses.contains(&RecipientStatus::Unknown) {
            // The error of the whole session is known only at its end.
            self.undecided.push(in_flight);
        } else if self.schedule_retry(item) {
            let InFlight { item, message, .. } = in_flight;
            drop(message);
            self.run.scheduler.defer(item);
        } else {
            let context = ConnectionContext { encryption: self.encryption.as_ref(), ..ConnectionContext::default() };
            self.run.finish(in_flight, context);
        }
    }

    fn encrypted(&mut self, encryption: &Encryption) {
        self.encryption = Some(encryption.clone());
    }
}

fn settings(
    route: &Route,
    tls: TlsMode,
    stop_after: Option<StopAfter>,
    transport: &mut Transport,
) -> Result<Settings, Error> {
    let local = transport.local_address().unwrap_or(Ipv4Addr::LOCALHOST.into());
    Ok(Settings {
        helo: route.helo.clone().unwrap_or_else(|| HeloName::literal(local)),
        starttls: match tls {
            TlsMode::Opportunistic => StartTls::Offered,
            TlsMode::StartTls => StartTls::Required,
            TlsMode::Implicit | TlsMode::Off => StartTls::Never,
        },
        lmtp: route.lmtp,
        login: route.login.as_ref().map(Credentials::begin).transpose()?,
        chunking: route.chunking,
        stop_after,
    })
}
