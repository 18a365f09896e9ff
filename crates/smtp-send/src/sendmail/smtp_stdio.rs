//! `sendmail -bs`: an SMTP server on standard input and output, for programs that start it (Symfony Mailer, swaks).
//!
//! 250 means that the server has accepted the message for all recipients, or that it is queued. After 4xx or 5xx the
//! client still has its message, so none is kept here; if some recipients have got it, a dead letter is for the
//! others.

use std::cell::Cell;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::rc::Rc;

use common::{Error, Kind, SafeText};

use super::dead_letter::{DeadLetter, SaveError};
use super::queue::{self, Attempt};
use super::{Arguments, Setup, deliver_or_keep, input, with_config_location};
use crate::exit_code::{PROTOCOL, REFUSED, UNKNOWN_USER};
use crate::host;
use crate::message::OutgoingMessage;
use crate::message::{Edits, ExistingMessage, Message};
use crate::proto::server_session::text::DataText;
use crate::proto::server_session::{MAX_LINE, ReceivedEnvelope, ServerStep, SmtpServerSession};
use crate::session::RecipientStatus;

/// The name of the message in errors.
const MESSAGE: &str = "the message";
/// Most characters of a reason in a reply.
const MAX_REASON: usize = 400;
/// The reply to a line that other servers could split or join.
const BARE: &str = "500 5.5.2 A line must end with CR LF";

/// Runs the session up to QUIT or the end of standard input.
///
/// # Errors
/// The account cannot be used, standard output is closed, or standard input ends within a message.
pub(super) fn serve(arguments: &Arguments) -> Result<(), Error> {
    // A bad account is reported in the greeting.
    let setup = match Setup::new(arguments) {
        Ok(setup) => setup,
        Err(failure) => {
            say(&format!("421 4.3.5 {}", reason(&failure)))?;
            return Err(failure);
        }
    };
    let mut session = SmtpServerSession::new(&host::best_name(), setup.identity.domain());
    say(&session.greeting())?;
    let mut setup = Some(setup);
    loop {
        let Some(line) = line(&mut session)? else { return Ok(()) };
        match line {
            ServerStep::Say(reply) => say(&reply)?,
            ServerStep::End(reply) => return say(&reply),
            ServerStep::Data(reply) => {
                say(&reply)?;
                // The first message uses the setup that was checked, later ones a new one.
                let setup = setup.take().map_or_else(|| Setup::new(arguments), Ok);
                say(&received(setup, session.take_envelope(), arguments)?)?;
            }
        }
    }
}

fn say(reply: &str) -> Result<(), Error> {
    log::info!("-> {}", reply.replace("\r\n", " | "));
    let mut out = io::stdout().lock();
    out.write_all(format!("{reply}\r\n").as_bytes()).and_then(|()| out.flush()).map_err(Error::output)
}

/// The result of the next command; `None` at the end of the input.
fn line(session: &mut SmtpServerSession) -> Result<Option<ServerStep>, Error> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    input.by_ref().take(limit).read_until(b'\n', &mut line).map_err(super::unreadable)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() == MAX_LINE && !line.ends_with(b"\n") {
        while !line.ends_with(b"\n") && !line.is_empty() {
            line.clear();
            input.by_ref().take(limit).read_until(b'\n', &mut line).map_err(super::unreadable)?;
        }
        return Ok(Some(session.mistake("500 5.5.2 The line is too long".to_owned())));
    }
    let typed = line.strip_suffix(b"\n").filter(|_| io::stdin().is_terminal());
    let Some(command) = line.strip_suffix(b"\r\n").or(typed) else {
        return Ok(Some(session.mistake(BARE.to_owned())));
    };
    log::info!("<- {}", SafeText(command));
    Ok(Some(session.command(command)))
}

/// Reads the message and sends it; returns the reply.
fn received(setup: Result<Setup, Error>, envelope: ReceivedEnvelope, arguments: &Arguments) -> Result<String, Error> {
    let end = Rc::new(Cell::new(DataEnd::Missing));
    let data = Data {
        text: DataText::default(),
        lines: io::stdin().is_terminal(),
        out: Vec::new(),
        read: 0,
        end: Rc::clone(&end),
    };
    let setup = match setup {
        Ok(setup) => setup,
        Err(failure) => {
            drain(data)?;
            return Ok(refusal(&failure));
        }
    };
    let source = input::with_fit_header(data, setup.identity.domain()).map_err(super::unreadable)?;
    let kept = DeadLetter::keep(source).map_err(super::unreadable)?;
    let dead_letter = match kept {
        Ok(dead_letter) => dead_letter,
        Err(SaveError { message, why }) => {
            drain(message)?;
            return Ok(format!("452 4.3.1 The message could not be kept: {}", shortened(&why)));
        }
    };
    if end.get() == DataEnd::Bare {
        dead_letter.discard();
        return Ok("550 5.6.11 Every line of a message must end with CR LF; nothing was sent".to_owned());
    }
    let edits = setup.identity.edits()?;
    match ExistingMessage::open(dead_letter.path(), &edits) {
        Ok(ready) => {
            let (reverse_path, recipients) = envelope;
            let job = OutgoingMessage { reverse_path, recipients, message: Message::Existing(Box::new(ready)) };
            Ok(sent(setup, job, dead_letter, &edits, arguments))
        }
        Err(error) => {
            dead_letter.discard();
            Ok(refusal(&error.into_error(MESSAGE)))
        }
    }
}

fn sent(setup: Setup, job: OutgoingMessage, dead_letter: DeadLetter, edits: &Edits, arguments: &Arguments) -> String {
    let Setup { sending, queue, account, .. } = setup;
    let dead_letter = if queue {
        match queue::enqueue(dead_letter, &job, edits, arguments) {
            Ok(entry) => {
                let id = entry.id.clone();
                return match queue::attempt(entry, &sending, queue::GIVE_UP_AFTER, &mut |_| {}) {
                    Attempt::Sent => format!("250 2.0.0 Ok: sent as {id}"),
                    Attempt::Waits { .. } => format!("250 2.0.0 Ok: queued as {id}"),
                    Attempt::Saved(failure) => refusal(&with_config_location(failure, account.as_ref())),
                };
            }
            // Sent now or not at all.
            Err(dead_letter) => dead_letter,
        }
    } else {
        dead_letter
    };
    let recipients: Vec<String> = job.recipients.iter().map(ToString::to_string).collect();
    let sender = job.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    dead_letter.note(&sender, &recipients);
    let (statuses, failure) = sending.deliver(job);
    let Some(failure) = failure else {
        dead_letter.discard();
        return format!("250 2.0.0 Ok: {}", queue_id(&statuses));
    };
    let failure = with_config_location(failure, account.as_ref());
    let has_it = |at: &usize| matches!(statuses.get(*at), Some(RecipientStatus::Accepted(_)));
    let left: Vec<String> =
        (0..recipients.len()).filter(|at| !has_it(at)).filter_map(|at| recipients.get(at).cloned()).collect();
    if left.len() == recipients.len() && !statuses.contains(&RecipientStatus::Unknown) {
        dead_letter.discard();
        return refusal(&failure);
    }
    // A retry of the client would send it again to recipients that have it.
    let error = deliver_or_keep::saved(Ok(dead_letter), &failure, &sender, &left).with_kind(REFUSED);
    refusal(&error)
}

/// The identifier of the message at the server.
fn queue_id(statuses: &[RecipientStatus]) -> String {
    let id = statuses.iter().find_map(|status| match status {
        RecipientStatus::Accepted(reply) => reply.queue_id(),
        _ => None,
    });
    id.map_or_else(|| "accepted by the server".to_owned(), |id| format!("queued as {}", SafeText(id.as_bytes())))
}

fn refusal(failure: &Error) -> String {
    let code = match failure.kind() {
        Kind::Temporary | Kind::System | Kind::NoInput => "451 4.3.0",
        // An error of the setup can be corrected; the message stays with the client.
        Kind::Config | Kind::Denied | PROTOCOL | Kind::Usage => "451 4.3.5",
        UNKNOWN_USER => "550 5.1.1",
        Kind::UnknownHost => "550 5.1.2",
        Kind::BadData => "550 5.6.0",
        _ => "554 5.0.0",
    };
    format!("{code} {}", reason(failure))
}

fn reason(failure: &Error) -> String {
    shortened(&failure.to_string())
}

fn shortened(text: &str) -> String {
    let safe = SafeText(text.as_bytes()).to_string();
    safe.chars().map(|character| if character.is_ascii() { character } else { '?' }).take(MAX_REASON).collect()
}

fn drain(mut source: impl Read) -> Result<(), Error> {
    io::copy(&mut source, &mut io::sink()).map(drop).map_err(super::unreadable)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataEnd {
    /// Not yet.
    Missing,
    /// With a dot, all line ends CRLF.
    Good,
    /// With a dot, after a bare CR or LF.
    Bare,
}

/// Reads the message behind DATA. An input that ends before the dot is an error: an incomplete message is never sent.
struct Data {
    text: DataText,
    /// Whether lines end with LF, as on a terminal.
    lines: bool,
    /// Text that was not returned yet, from `read` on.
    out: Vec<u8>,
    read: usize,
    end: Rc<Cell<DataEnd>>,
}

impl Data {
    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.read = 0;
        let mut input = io::stdin().lock();
        let there = input.fill_buf()?;
        if there.is_empty() {
            let why = "it ends within a message; nothing was sent";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        let (taken, ended) = if self.lines {
            let line = there.split_inclusive(|byte| *byte == b'\n').next().unwrap_or(there);
            let typed = line.strip_suffix(b"\n").map(|line| [line, b"\r\n"].concat());
            (line.len(), self.text.push(typed.as_deref().unwrap_or(line), &mut self.out).1)
        } else {
            self.text.push(there, &mut self.out)
        };
        input.consume(taken);
        if ended {
            self.end.set(if self.text.has_bare_line_end() { DataEnd::Bare } else { DataEnd::Good });
        }
        Ok(())
    }
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.out.len() {
            if self.end.get() != DataEnd::Missing {
                return Ok(0);
            }
            self.fill()?;
        }
        let rest = &self.out[self.read..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.read += length;
        Ok(length)
    }
}
