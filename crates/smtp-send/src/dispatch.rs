//! From a list of messages to their fates: one connection for all of them, another one when the server ends it, another
//! try for what failed for now.
//!
//! What a recipient's fate is stands in `session`; here is decided which fates are final.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use crate::cli::Tls;
use crate::config::{Credentials, Route};
use crate::deliver::{self, Outbox, Policy};
use crate::message::Message;
use crate::meter::Meter;
use crate::proto::address::Address;
use crate::proto::command::HeloName;
use crate::report::{Facts, Report, worst};
use crate::session::{Envelope, Fate, Outcome, Session, Settings, StartTls, StopAfter, Trouble};
use crate::transport::{Encryption, Limits, Transport};

/// The pause before the first further try; it doubles from try to try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A message with its envelope, waiting for its turn.
#[derive(Debug)]
pub struct Job {
    /// Where it comes from, to tell it from others in a report; a single message needs no name.
    pub source: Option<String>,
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// Everybody who shall get it.
    pub recipients: Vec<Address>,
    /// What is sent.
    pub message: Message,
}

/// What became of a job.
#[derive(Debug)]
pub struct Sent<'a> {
    /// Which one, counted from 0.
    pub number: usize,
    /// The job.
    pub job: &'a mut Job,
    /// The fate of each recipient.
    pub fates: &'a [Fate],
    /// All of it in words.
    pub report: Report,
}

/// How a run goes, besides its route.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// The probe to end at, if it is one.
    pub stop_after: Option<StopAfter>,
    /// Whether a progress bar may be shown.
    pub bar: bool,
}

/// Sends all jobs and tells `told` of each as soon as nothing about it can change any more. Gives the error of the run: that
/// of its only message, or how many failed.
pub fn send(route: &Route, manner: Manner, jobs: Vec<Job>, told: &mut dyn FnMut(Sent<'_>)) -> Option<Failure> {
    let limits = Limits { timeout: route.timeout, end: route.max_time.map(|time| Instant::now() + time) };
    let mut dispatch = Dispatch::new(route, manner, jobs, told);
    let (mut tries, mut pause) = (route.retry, FIRST_PAUSE);
    loop {
        let (broken, trouble) = dispatch.connection(limits);
        let may_help = broken.as_ref().is_none_or(Failure::is_transient) && !is_final(trouble.as_ref());
        let more = may_help && !dispatch.is_probe() && dispatch.has_open();
        // A server may take only so many messages over one connection; as long as some get through, that is no failure.
        if more && dispatch.decided > 0 && dispatch.has_unsent() {
            continue;
        }
        let time_is_left = limits.end.is_none_or(|end| Instant::now() + pause < end);
        if tries == 0 || !more || !time_is_left {
            dispatch.give_up(broken.as_ref(), trouble.as_ref());
            return dispatch.verdict();
        }
        let why = broken.map(|failure| failure.to_string()).or_else(|| trouble.as_ref().map(ToString::to_string));
        let why = why.unwrap_or_else(|| "refused for now".into());
        log::warn!("{why}; trying again in {} s, {tries} more", pause.as_secs());
        thread::sleep(pause);
        tries -= 1;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether another try would lead to the same.
fn is_final(trouble: Option<&Trouble>) -> bool {
    match trouble {
        None | Some(Trouble::Closing { .. }) => false,
        Some(Trouble::Refused { reply, .. } | Trouble::LoginRefused { reply, .. }) => reply.is_permanent(),
        Some(_) => true,
    }
}

/// A job with what is known so far.
struct Entry {
    job: Job,
    fates: Vec<Fate>,
    trouble: Option<Trouble>,
    bytes: u64,
    told: bool,
}

impl Entry {
    /// The recipients for whom another try may help.
    fn open(&self) -> Vec<usize> {
        if self.told || is_final(self.trouble.as_ref()) {
            return Vec::new();
        }
        let open = |fate: &Fate| match fate {
            Fate::Unsent => true,
            Fate::Refused(_, reply) => !reply.is_permanent(),
            _ => false,
        };
        self.fates.iter().enumerate().filter(|(_, fate)| open(fate)).map(|(index, _)| index).collect()
    }
}

struct Dispatch<'a> {
    route: &'a Route,
    manner: Manner,
    entries: Vec<Entry>,
    told: &'a mut dyn FnMut(Sent<'_>),
    /// Whether what fails for now is kept for another try.
    patient: bool,
    /// Messages of the running connection that are still to be taken.
    waiting: VecDeque<usize>,
    /// Messages that the running session has taken, in its order, with the recipients that were meant.
    taken: Vec<(usize, Vec<usize>)>,
    /// How many of those have had their moment to get ready.
    prepared: usize,
    meter: Meter,
    encryption: Option<Encryption>,
    /// Messages of which the running connection has decided something.
    decided: usize,
    failures: Vec<Failure>,
}

impl<'a> Dispatch<'a> {
    fn new(route: &'a Route, manner: Manner, mut jobs: Vec<Job>, told: &'a mut dyn FnMut(Sent<'_>)) -> Self {
        if manner.stop_after.is_some() {
            jobs.truncate(1);
        }
        let entry = |job: Job| {
            let fates = vec![Fate::Unsent; job.recipients.len()];
            Entry { job, fates, trouble: None, bytes: 0, told: false }
        };
        Self {
            route,
            manner,
            entries: jobs.into_iter().map(entry).collect(),
            told,
            patient: route.retry > 0,
            waiting: VecDeque::new(),
            taken: Vec::new(),
            prepared: 0,
            meter: Meter::default(),
            encryption: None,
            decided: 0,
            failures: Vec::new(),
        }
    }

    fn is_probe(&self) -> bool {
        self.manner.stop_after.is_some()
    }

    /// One connection for everything that is open; what broke it, and what the server had against the session.
    fn connection(&mut self, limits: Limits) -> (Option<Failure>, Option<Trouble>) {
        let is_probe = self.is_probe();
        let open = self.entries.iter().enumerate().filter(|(_, entry)| !entry.open().is_empty() || is_probe);
        self.waiting = open.map(|(index, _)| index).collect();
        (self.taken, self.prepared, self.decided, self.encryption) = (Vec::new(), 0, 0, None);
        let route = self.route;
        let connected = Transport::connect(&route.peer, &route.way, limits).and_then(|mut wire| {
            if route.tls == Tls::Implicit {
                wire.start_tls(&route.trust)?;
            }
            Ok(wire)
        });
        let mut wire = match connected {
            Ok(wire) => wire,
            Err(failure) => return (Some(failure), None),
        };
        let settings = match settings(route, self.manner.stop_after, &mut wire) {
            Ok(settings) => settings,
            Err(failure) => return (Some(failure), None),
        };
        let mut session = Session::new(settings, wire.encryption().is_some());
        let policy = Policy { trust: &route.trust, warn_in_clear: route.tls == Tls::Auto };
        let broken = deliver::run(&mut session, wire, self, &policy).err();
        self.meter = Meter::default();
        let trouble = session.trouble().cloned();
        // Nothing will ever be known about these.
        let lost = |entry: &Entry| !entry.told && entry.fates.contains(&Fate::Unknown);
        for index in (0..self.entries.len()).filter(|index| lost(&self.entries[*index])).collect::<Vec<_>>() {
            self.tell(index, broken.as_ref(), trouble.as_ref());
        }
        (broken, trouble)
    }

    fn has_open(&self) -> bool {
        self.entries.iter().any(|entry| !entry.open().is_empty())
    }

    /// Whether a message was not even begun, or not ended.
    fn has_unsent(&self) -> bool {
        self.entries.iter().any(|entry| !entry.open().is_empty() && entry.fates.contains(&Fate::Unsent))
    }

    /// Nothing that is still open will change.
    fn give_up(&mut self, broken: Option<&Failure>, trouble: Option<&Trouble>) {
        for index in 0..self.entries.len() {
            if !self.entries[index].told {
                self.tell(index, broken, trouble);
            }
        }
    }

    /// A message has come to its end, perhaps because the connection was `broken` or its session had `trouble`.
    fn tell(&mut self, index: usize, broken: Option<&Failure>, trouble: Option<&Trouble>) {
        let server = self.route.peer.to_string();
        let entry = &mut self.entries[index];
        entry.told = true;
        let (report, failure) = Report::new(Facts {
            server: &server,
            message_id: entry.job.message.message_id(),
            source: entry.job.source.as_deref(),
            recipients: &entry.job.recipients,
            fates: &entry.fates,
            trouble: entry.trouble.as_ref().or(trouble),
            broken: broken.cloned(),
            encryption: self.encryption.as_ref(),
            bytes: entry.bytes,
            stop_after: self.manner.stop_after,
        });
        (self.told)(Sent { number: index, job: &mut entry.job, fates: &entry.fates, report });
        // A hundred thousand messages have a hundred thousand replies, and nobody asks for these again.
        entry.fates = Vec::new();
        self.failures.extend(failure);
    }

    /// The bytes of the message that was the last one to be taken.
    fn note_bytes(&mut self) {
        if let Some((index, _)) = self.taken.last() {
            self.entries[*index].bytes = self.meter.bytes();
        }
    }

    /// The error of the run.
    fn verdict(self) -> Option<Failure> {
        let (failed, all) = (self.failures.len(), self.entries.len());
        let kind = worst(self.failures.iter().map(Failure::kind));
        let first = self.failures.into_iter().next()?;
        if all == 1 {
            return Some(first);
        }
        let server = self.route.peer.to_string();
        Some(Failure::new(kind, "deliver to", server, format!("{failed} of {all} messages failed; the first: {first}")))
    }

    fn envelope(&mut self, index: usize, which: &[usize]) -> Result<Envelope, Failure> {
        let job = &mut self.entries[index].job;
        let name = job.source.clone().unwrap_or_else(|| "the message".into());
        let unreadable = |error| Failure::io("read", &name, error).with_kind(Kind::NoInput);
        let message = &mut job.message;
        Ok(Envelope {
            reverse_path: job.reverse_path.clone(),
            recipients: which.iter().filter_map(|index| job.recipients.get(*index)).cloned().collect(),
            seven_bit_size: message.size(false).map_err(unreadable)?,
            eight_bit_size: if message.has_eight_bit_form() {
                Some(message.size(true).map_err(unreadable)?)
            } else {
                None
            },
            utf8_header: message.needs_smtputf8(),
            dsn: self.route.dsn.clone(),
            require_tls: self.route.require_tls,
        })
    }
}

impl Outbox for Dispatch<'_> {
    fn next(&mut self) -> Option<Envelope> {
        loop {
            let index = self.waiting.pop_front()?;
            let which = self.entries[index].open();
            match self.envelope(index, &which) {
                Ok(envelope) => {
                    self.note_bytes();
                    self.taken.push((index, which));
                    let size = envelope.eight_bit_size.unwrap_or(envelope.seven_bit_size);
                    self.meter = Meter::new(size, self.manner.bar);
                    return Some(envelope);
                }
                Err(failure) => self.tell(index, Some(&failure), None),
            }
        }
    }

    fn prepare(&mut self) {
        // Once for each message: behind its upload nothing is to be read again.
        if self.prepared < self.taken.len()
            && let Some((index, _)) = self.taken.last()
        {
            self.prepared = self.taken.len();
            self.entries[*index].job.message.prepare();
        }
    }

    fn parcel(&mut self) -> (&mut Message, &mut Meter) {
        let index = self.taken.last().map_or(0, |(index, _)| *index);
        (&mut self.entries[index].job.message, &mut self.meter)
    }

    fn finished(&mut self, outcome: Outcome) {
        self.note_bytes();
        let Some((index, which)) = self.taken.get_mut(outcome.number) else { return };
        // Each message of a session has one outcome.
        let (index, which) = (*index, std::mem::take(which));
        let entry = &mut self.entries[index];
        for (place, fate) in which.into_iter().zip(outcome.fates) {
            if let Some(old) = entry.fates.get_mut(place) {
                *old = fate;
            }
        }
        entry.trouble = outcome.trouble;
        let unsent = entry.fates.contains(&Fate::Unsent) && entry.trouble.is_none();
        self.decided += usize::from(!unsent);
        // What the session as a whole has to say about an unsent or unknown message is known only at its end.
        if unsent || entry.fates.contains(&Fate::Unknown) || (self.patient && !entry.open().is_empty()) {
            return;
        }
        self.tell(index, None, None);
    }

    fn encrypted(&mut self, encryption: &Encryption) {
        self.encryption = Some(encryption.clone());
    }
}

fn settings(route: &Route, stop_after: Option<StopAfter>, wire: &mut Transport) -> Result<Settings, Failure> {
    let local = wire.local_address().unwrap_or(Ipv4Addr::LOCALHOST.into());
    Ok(Settings {
        helo: route.helo.clone().unwrap_or_else(|| HeloName::literal(local)),
        starttls: match route.tls {
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
