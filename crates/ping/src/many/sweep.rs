//! The loop of many targets: read what came, keep the books, tell, and sleep until something is due.
//!
//! Nothing is parsed here and nothing is decided. While packets leave as fast as they can, it looks for answers a few
//! thousand times a second instead of being woken by each, which would cost the sending side more than the answer itself.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender as Channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

use common::Failure;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

use super::answered::Answered;
use super::backlog::Backlog;
use super::config::Settings;
use super::heard::{self, Heard};
use super::ledger::{Arrived, Ledger};
use super::link::{Buffer, Incoming, Link};
use super::prometheus::TextFile;
use super::report::Report;
use super::sender::{Course, Refusal};
use super::slots::Probe;
use crate::clock::{self, Bridge};
use crate::proto::Echo;
use crate::signals::{Request, Signals};

/// Longest sleep: the time from picture to picture of the table, in nanoseconds.
const PULSE: u64 = 250_000_000;
/// Sleep while packets leave as fast as they can.
const FAST_PULSE: u64 = 300_000;
/// Batches that are read before the rest is looked at.
const BATCHES: usize = 16;
/// Nanoseconds without a drop after which packets may leave a little faster again.
const CALM: u64 = 20_000_000;
/// Shortest time between two files for Prometheus, in nanoseconds.
const FILE_GAP: u64 = 1_000_000_000;

/// Everything the loop needs but the books and the report.
pub(crate) struct Sweep<'a> {
    pub(crate) links: &'a [Link],
    pub(crate) signals: &'a Signals,
    pub(crate) course: &'a Course,
    pub(crate) answered: &'a Answered,
    pub(crate) settings: &'a Settings,
    /// The identifier of the probes in the books.
    pub(crate) identifier: u16,
    pub(crate) start: Instant,
    pub(crate) again: Channel<Probe>,
    pub(crate) refusals: Receiver<Refusal>,
    pub(crate) file: Option<&'a TextFile>,
    pub(crate) backlog: Option<Backlog>,
    /// The thread that sends.
    pub(crate) sender: &'a Thread,
    /// Packets leave as fast as they can.
    pub(crate) is_fast: bool,
}

/// What the loop remembers from turn to turn.
struct Turn {
    /// Datagrams thrown away so far, for each socket.
    dropped: Vec<u32>,
    /// Rounds that the file for Prometheus knows of.
    rounds: u64,
    written: u64,
    /// When packets were thrown away, or sending was made faster again.
    calm_since: u64,
    backlog: Option<Backlog>,
    bridge: Bridge,
}

impl Sweep<'_> {
    /// Reads and tells until everything is known, or until the user or the deadline says stop.
    pub(crate) fn run<W: Write>(mut self, ledger: &mut Ledger<'_>, report: &mut Report<'_, W>) -> Result<(), Failure> {
        let mut buffer = Buffer::new(self.settings.config.payload.len());
        let mut turn = Turn {
            dropped: vec![0; self.links.len()],
            rounds: 1,
            written: 0,
            calm_since: 0,
            backlog: self.backlog.take(),
            bridge: Bridge::new(self.start)?,
        };
        report.start()?;
        while !self.is_stopped(ledger, report)? {
            self.read(&mut buffer, &mut turn, ledger, report)?;
            self.take_refusals(ledger, report)?;
            self.expire(&mut turn, ledger, report)?;
            self.write_file(&mut turn, ledger)?;
            if self.knows_all(ledger) {
                break;
            }
            report.pause(ledger, clock::since(self.start))?;
            self.wait(ledger)?;
        }
        self.end();
        ledger.close();
        if let Some(file) = self.file {
            file.write(ledger, clock::now()?.wall)?;
        }
        report.finish(ledger, clock::since(self.start))
    }

    /// Nothing more shall be sent.
    fn end(&self) {
        self.course.stop.store(true, Ordering::Relaxed);
        self.sender.unpark();
    }

    fn is_stopped<W: Write>(&self, ledger: &Ledger<'_>, report: &Report<'_, W>) -> Result<bool, Failure> {
        while let Some(request) = self.signals.next()? {
            match request {
                Request::Stop => return Ok(true),
                Request::Status => report.status(ledger),
            }
        }
        Ok(self.settings.config.plan.deadline.is_some_and(|deadline| self.start.elapsed() >= deadline))
    }

    fn knows_all(&self, ledger: &Ledger<'_>) -> bool {
        let everybody = self.answered.count() == ledger.hosts.count();
        // In this order: a probe is in its slot before the sender counts it as sent.
        (self.course.is_over() && ledger.is_settled()) || (self.settings.stops_at_answer() && everybody)
    }

    fn read<W: Write>(
        &self,
        buffer: &mut Buffer,
        turn: &mut Turn,
        ledger: &mut Ledger<'_>,
        report: &mut Report<'_, W>,
    ) -> Result<(), Failure> {
        turn.bridge.follow()?;
        let now = clock::since(self.start);
        if now > turn.calm_since + CALM {
            turn.calm_since = now;
            self.course.speed_up();
        }
        for (index, link) in self.links.iter().enumerate() {
            for _ in 0..BATCHES {
                let mut result = Ok(());
                let more = link.receive(buffer, &mut |incoming| {
                    let told = self.take(index, incoming, turn, ledger, report);
                    if result.is_ok() {
                        result = told;
                    }
                })?;
                result?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Tells books and report what came in, if it is ours.
    fn take<W: Write>(
        &self,
        index: usize,
        incoming: Incoming<'_>,
        turn: &mut Turn,
        ledger: &mut Ledger<'_>,
        report: &mut Report<'_, W>,
    ) -> Result<(), Failure> {
        let now = clock::since(self.start);
        let arrived = match incoming {
            Incoming::Dropped(count) => {
                self.count_drops(turn, index, count, now, ledger);
                return Ok(());
            }
            Incoming::Sent { number, stamp } => {
                ledger.stamped(number, turn.bridge.steady(stamp), now);
                return Ok(());
            }
            Incoming::Datagram { bytes, from, hops, stamp } => {
                let Some(heard) = heard::read(self.links[index].framing, bytes) else { return Ok(()) };
                Arrived { heard, from, hops, stamp: stamp.map(|stamp| turn.bridge.steady(stamp)), now }
            }
            Incoming::Error { from, kind, code, info, target, quoted } => {
                let Ok(echo) = Echo::parse(quoted) else { return Ok(()) };
                let Echo { identifier, sequence, .. } = echo;
                let heard = Heard::Error { kind, code, info, target, identifier, sequence };
                Arrived { heard, from: from.unwrap_or(target), hops: None, stamp: None, now }
            }
        };
        let link = &self.links[index];
        let heard = link.identifier.map_or(arrived.heard, |own| arrived.heard.known_as(own, self.identifier));
        match ledger.arrived(&Arrived { heard, ..arrived }) {
            Some(told) => report.tell(&told, ledger.outcome(told.target)),
            None => Ok(()),
        }
    }

    /// This socket has thrown so many datagrams away since it was opened.
    fn count_drops(&self, turn: &mut Turn, index: usize, count: u32, now: u64, ledger: &mut Ledger<'_>) {
        if count != turn.dropped[index] {
            (turn.dropped[index], turn.calm_since) = (count, now);
            ledger.dropped(now);
            self.course.slow_down();
        }
    }

    fn take_refusals<W: Write>(&self, ledger: &mut Ledger<'_>, report: &mut Report<'_, W>) -> Result<(), Failure> {
        // Emptied before the channel is, so that no news is missed.
        let _ = self.course.news.read();
        for refusal in self.refusals.try_iter() {
            if let Some(told) = ledger.refused(refusal.number, refusal.errno) {
                report.tell(&told, ledger.outcome(told.target))?;
            }
        }
        Ok(())
    }

    fn expire<W: Write>(
        &self,
        turn: &mut Turn,
        ledger: &mut Ledger<'_>,
        report: &mut Report<'_, W>,
    ) -> Result<(), Failure> {
        let now = clock::since(self.start);
        if ledger.next_deadline().is_some_and(|deadline| deadline <= now) {
            // Before a probe is called lost: was it lost here?
            for (index, link) in self.links.iter().enumerate() {
                self.count_drops(turn, index, link.dropped(), now, ledger);
            }
            if turn.backlog.as_mut().is_some_and(Backlog::has_dropped) {
                ledger.dropped(now);
                self.course.slow_down();
            }
        }
        while let Some((told, again)) = ledger.expire(now) {
            if let Some(probe) = again {
                self.course.again.fetch_add(1, Ordering::Release);
                // The sender lives as long as this loop.
                let _ = self.again.send(probe);
                self.sender.unpark();
            }
            report.tell(&told, ledger.outcome(told.target))?;
        }
        Ok(())
    }

    fn write_file(&self, turn: &mut Turn, ledger: &Ledger<'_>) -> Result<(), Failure> {
        let (rounds, now) = (self.course.rounds.load(Ordering::Relaxed), clock::since(self.start));
        match self.file {
            Some(file) if rounds > turn.rounds && now >= turn.written + FILE_GAP => {
                (turn.rounds, turn.written) = (rounds, now);
                file.write(ledger, clock::now()?.wall)
            }
            _ => Ok(()),
        }
    }

    /// Sleeps until something is due, or comes.
    fn wait(&self, ledger: &Ledger<'_>) -> Result<(), Failure> {
        let now = clock::since(self.start);
        if self.is_fast && !self.course.rests.load(Ordering::Relaxed) {
            clock::sleep_until(self.start, now + FAST_PULSE);
            return Ok(());
        }
        let end = self.settings.config.plan.deadline.map(|end| u64::try_from(end.as_nanos()).unwrap_or(u64::MAX));
        let due = [ledger.next_deadline(), end].into_iter().flatten().fold(now + PULSE, u64::min);
        let left = Duration::from_nanos(due.saturating_sub(now).max(1));
        let mut waiting = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.course.news.as_fd(), PollFlags::POLLIN),
        ];
        waiting.extend(self.links.iter().map(|link| PollFd::new(link.as_fd(), PollFlags::POLLIN)));
        match ppoll(&mut waiting, Some(left.into()), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(Failure::io("wait for", "replies", errno.into())),
        }
    }
}
