//! One connection of a run: the messages that go over it, and what its end means for those that did not.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use super::session_loop::{self, MessageQueue, NextMessage, Policy};
use crate::cli::Tls;
use crate::config::{Credentials, Route};
use crate::delivery::progress::UploadProgress;
use crate::message::Message;
use crate::mx;
use crate::net::transport::{Encryption, Transport};
use crate::proto::command::{BodyForm, HeloName};
use crate::session::{
    Envelope, RecipientStatus, Session, SessionError, Settings, StartTls, StopAfter, TransactionResult,
};

use super::queue_item::{InFlight, QueueItem};
use super::{ConnectionContext, Run};

/// A connection that would be idle for longer is closed, and opened again when its time has come.
const MAX_IDLENESS: Duration = Duration::from_secs(30);
/// A message during which so many connections ended, or more where more tries are wanted, is not tried over another one, so
/// that it does not stop the others.
const MAX_BREAKS: u32 = 2;

/// How a connection ended.
#[derive(Debug, Default)]
pub(super) struct End {
    /// What broke it, or kept it from coming about.
    pub(super) broken: Option<Failure>,
    /// What the server had against the session.
    pub(super) trouble: Option<SessionError>,
    /// How it was protected.
    pub(super) encryption: Option<Encryption>,
    /// Messages of which it has decided something.
    pub(super) decided: usize,
}

impl End {
    /// Whether another connection would lead to the same.
    pub(super) fn is_final(&self) -> bool {
        self.broken.as_ref().is_some_and(|failure| !failure.is_transient()) || is_final(self.trouble.as_ref())
    }

    /// Whether it ended because there was nothing more to do.
    pub(super) fn is_good(&self) -> bool {
        self.broken.is_none() && self.trouble.is_none()
    }

    /// Why it ended, in words.
    pub(super) fn why(&self) -> String {
        let broken = self.broken.as_ref().map(ToString::to_string);
        broken.or_else(|| self.trouble.as_ref().map(ToString::to_string)).unwrap_or_default()
    }
}

/// Whether another try would lead to the same.
pub(super) fn is_final(trouble: Option<&SessionError>) -> bool {
    match trouble {
        None | Some(SessionError::Closing { .. }) => false,
        Some(SessionError::Refused { reply, .. } | SessionError::LoginRefused { reply, .. }) => reply.is_permanent(),
        Some(_) => true,
    }
}

/// A connection on its way.
pub(super) struct Connection<'a, 'r> {
    run: &'a Run<'r>,
    /// The next message, got ready in a moment of waiting.
    ahead: Option<InFlight>,
    /// Messages that the session has taken and not decided, the newest last.
    on_the_way: Vec<InFlight>,
    /// Messages that the session has taken.
    turns: usize,
    /// Messages of which only the end of the connection will tell what became of them.
    left: Vec<InFlight>,
    encryption: Option<Encryption>,
    decided: usize,
}

impl<'a, 'r> Connection<'a, 'r> {
    /// Connects and sends what there is to send, to the end of the session.
    pub(super) fn hold(run: &'a Run<'r>) -> End {
        let (on_the_way, left) = (Vec::new(), Vec::new());
        let mut connection = Self { run, ahead: None, on_the_way, turns: 0, left, encryption: None, decided: 0 };
        let (broken, trouble) = match connection.converse() {
            Ok((broken, trouble)) => (broken, trouble),
            Err(failure) => (Some(failure), None),
        };
        connection.close(broken, trouble)
    }

    fn converse(&mut self) -> Result<(Option<Failure>, Option<SessionError>), Failure> {
        let route = self.run.route;
        let (mut wire, tls, trust) = mx::reach(route, self.run.limits)?;
        if tls == Tls::Implicit {
            wire.start_tls(&trust)?;
        }
        let settings = settings(route, tls, self.run.manner.stop_after, &mut wire)?;
        let mut session = Session::new(settings, wire.encryption().is_some());
        let policy = Policy { trust: &trust, warn_in_clear: tls == Tls::Auto };
        let broken = session_loop::run(&mut session, wire, self, &policy).err();
        Ok((broken, session.trouble().cloned()))
    }

    /// What the end means for the messages that it left.
    fn close(mut self, broken: Option<Failure>, trouble: Option<SessionError>) -> End {
        let circumstances = ConnectionContext {
            broken: broken.as_ref(),
            trouble: trouble.as_ref(),
            encryption: self.encryption.as_ref(),
        };
        if let Some(ahead) = self.ahead.take() {
            self.bring_back(ahead);
        }
        let left: Vec<InFlight> = self.left.drain(..).chain(self.on_the_way.drain(..)).collect();
        for mut parcel in left.into_iter().rev() {
            parcel.task.breaks += 1;
            if parcel.task.statuses.contains(&RecipientStatus::Unknown) {
                // Nothing will ever be known about it.
                self.run.tell(parcel, circumstances);
            } else if parcel.task.breaks >= self.most_breaks() && self.decided == 0 && self.run.count > 1 {
                self.decided += 1;
                self.run.tell(parcel, circumstances);
            } else {
                self.bring_back(parcel);
            }
        }
        End { broken, trouble, encryption: self.encryption, decided: self.decided }
    }

    fn most_breaks(&self) -> u32 {
        MAX_BREAKS.max(self.run.route.retry.saturating_add(1))
    }

    fn bring_back(&self, parcel: InFlight) {
        let InFlight { task, job, .. } = parcel;
        self.run.supply.give_back(task.number, job);
        self.run.board.bring_back(task);
    }

    /// The next message for now, with its envelope.
    fn load(&mut self) -> Option<InFlight> {
        self.ahead.take().or_else(|| {
            let mut load = || self.run.board.take().map(|task| self.run.loaded(task));
            std::iter::from_fn(&mut load).flatten().next()
        })
    }

    fn envelope(&self, parcel: &mut InFlight) -> Result<Envelope, Failure> {
        let job = &mut parcel.job;
        let name = self.run.supply.name(parcel.task.number).unwrap_or_else(|| "the message".into());
        let unreadable = |error| Failure::io("read", &name, error).with_kind(Kind::NoInput);
        let message = &mut job.message;
        let mut size = |form| message.has_form(form).then(|| message.size(form)).transpose().map_err(unreadable);
        Ok(Envelope {
            reverse_path: job.reverse_path.clone(),
            recipients: parcel.which.iter().filter_map(|index| job.recipients.get(*index)).cloned().collect(),
            seven_bit_size: size(BodyForm::SevenBit)?.unwrap_or_default(),
            eight_bit_size: size(BodyForm::EightBit)?,
            binary_size: size(BodyForm::Binary)?,
            utf8_header: message.needs_smtputf8(),
            dsn: self.run.route.dsn.clone(),
            deliver_by: self.run.route.deliver_by,
            require_tls: self.run.route.require_tls,
        })
    }

    /// Waits until a message may leave. `Err` when nothing shall be sent before something else has happened.
    fn wait_for_departure(&self, in_flight: bool) -> Result<(), NextMessage> {
        if self.run.manner.interval.is_some() {
            let wait = self.run.board.next_departure().saturating_duration_since(Instant::now());
            if !wait.is_zero() && in_flight {
                return Err(NextMessage::Later);
            }
            if wait > MAX_IDLENESS {
                return Err(NextMessage::Nothing);
            }
            thread::sleep(self.run.board.depart().saturating_duration_since(Instant::now()));
        }
        let over = self.run.limits.end.is_some_and(|end| Instant::now() >= end);
        if over { Err(NextMessage::Nothing) } else { Ok(()) }
    }

    /// Another try for those who were refused for now, if there may be one.
    fn again(&self, task: &mut QueueItem) -> bool {
        if task.open().is_empty() {
            return false;
        }
        let Some(pause) = self.run.pause_before(task.tries + 1) else { return false };
        task.tries += 1;
        task.trouble = None;
        task.due = Some(Instant::now() + pause);
        if self.run.count == 1 {
            let left = self.run.route.retry - task.tries;
            log::warn!("refused for now; trying again in {:.1} s, {left} more", pause.as_secs_f64());
        }
        true
    }
}

impl MessageQueue for Connection<'_, '_> {
    fn next(&mut self, in_flight: bool) -> NextMessage {
        loop {
            let Some(mut parcel) = self.load() else { return NextMessage::Nothing };
            if let Err(next) = self.wait_for_departure(in_flight) {
                self.ahead = Some(parcel);
                return next;
            }
            parcel.which = parcel.task.open();
            match self.envelope(&mut parcel) {
                Ok(envelope) => {
                    parcel.turn = self.turns;
                    self.turns += 1;
                    let size = envelope.eight_bit_size.unwrap_or(envelope.seven_bit_size);
                    parcel.meter = UploadProgress::new(size, self.run.manner.bar && self.run.count == 1);
                    self.on_the_way.push(parcel);
                    return NextMessage::Message(Box::new(envelope));
                }
                Err(failure) => {
                    let circumstances = ConnectionContext { broken: Some(&failure), ..ConnectionContext::default() };
                    self.run.tell(parcel, circumstances);
                }
            }
        }
    }

    fn prepare(&mut self) {
        // Behind the first, which may be the only one that ever gets through.
        if self.ahead.is_none() && self.turns > 0 && self.run.count > 1 {
            self.ahead = self.load();
        }
    }

    fn parcel(&mut self) -> Option<(&mut Message, &mut UploadProgress)> {
        self.on_the_way.last_mut().map(|parcel| (&mut parcel.job.message, &mut parcel.meter))
    }

    fn completed(&mut self) -> Result<(), Failure> {
        match (self.run.manner.journal, self.on_the_way.last()) {
            (Some(journal), Some(parcel)) => journal.leaving(parcel.task.number),
            _ => Ok(()),
        }
    }

    fn finished(&mut self, result: TransactionResult) {
        let Some(at) = self.on_the_way.iter().position(|parcel| parcel.turn == result.number) else { return };
        let mut parcel = self.on_the_way.remove(at);
        let task = &mut parcel.task;
        for (place, status) in parcel.which.iter().zip(result.statuses) {
            if let Some(old) = task.statuses.get_mut(*place) {
                *old = status;
            }
        }
        task.trouble = result.trouble;
        if let Some(journal) = self.run.manner.journal {
            journal.ended(task.number, &task.statuses, parcel.kept.as_deref());
        }
        let unsent = task.is_unsent();
        self.decided += usize::from(!unsent);
        if unsent || task.statuses.contains(&RecipientStatus::Unknown) {
            // What the session as a whole has to say about it is known only at its end.
            self.left.push(parcel);
        } else if self.again(task) {
            let InFlight { task, job, .. } = parcel;
            self.run.supply.give_back(task.number, job);
            self.run.board.postpone(task);
        } else {
            let circumstances =
                ConnectionContext { encryption: self.encryption.as_ref(), ..ConnectionContext::default() };
            self.run.tell(parcel, circumstances);
        }
    }

    fn encrypted(&mut self, encryption: &Encryption) {
        self.encryption = Some(encryption.clone());
    }
}

fn settings(route: &Route, tls: Tls, stop_after: Option<StopAfter>, wire: &mut Transport) -> Result<Settings, Failure> {
    let local = wire.local_address().unwrap_or(Ipv4Addr::LOCALHOST.into());
    Ok(Settings {
        helo: route.helo.clone().unwrap_or_else(|| HeloName::literal(local)),
        starttls: match tls {
            Tls::Auto => StartTls::Offered,
            Tls::Starttls => StartTls::Required,
            Tls::Implicit | Tls::Off => StartTls::Never,
        },
        lmtp: route.lmtp,
        login: route.login.as_ref().map(Credentials::begin).transpose()?,
        chunking: route.chunking,
        stop_after,
    })
}
