//! The command line of sendmail(8), for cron, PHP, git and mail readers.
//!
//! The message is saved on disk and sent at once to the server of an account. Nothing is printed on success; on
//! failure one line gives the error and the file that keeps the message. A signal while the message is being read
//! ends the program.

pub mod arguments;
mod dead_letter;
mod deliver_or_keep;
mod envelope;
pub mod header_fields;
pub mod input;
pub mod qualify;
pub mod queue;
mod smtp_stdio;
mod state_folder;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use common::logger::{self, Color};
use common::{Error, Kind};

use crate::account::{self, Account};
use crate::config::{CommandLine, Route, signer};
use crate::delivery::{OnReport, RunOptions};
use crate::errors;
use crate::message::dkim_signer::Signer;
use crate::message::{ExistingMessage, ExistingMessageError, Message, OutgoingMessage};
use crate::mx;
use crate::session::RecipientStatus;
use crate::source::SingleMessage;
use arguments::Arguments;
use dead_letter::{DeadLetter, SaveError};
use envelope::SenderIdentity;

/// The program name, or first argument, that selects this command line.
const NAME: &str = "sendmail";
/// The name of the message in errors.
const STDIN: &str = "standard input";

const HELP: &str = "\
Reads a message from standard input and sends it to the server of an account.

Usage: sendmail [OPTIONS] ADDRESS... < MESSAGE
       sendmail -t [OPTIONS] [ADDRESS...] < MESSAGE
       sendmail -bs [OPTIONS]

  -t               Also send to the addresses in To, Cc and Bcc, or in Resent-To, -Cc and -Bcc if the message has them
  -bs              Speak SMTP on standard input and output; 250 means that the server has accepted the message
  -i, -oi          Do not end the message at a line with a single dot
  -f, -r ADDRESS   Where bounces go; '' for nowhere [default: envelope-from or from of the account, else the author]
  -F NAME          Your name, for a message without From
  -N WHEN          Request delivery reports: never, or a list of success, failure, delay
  -R full|hdrs     Content of a delivery report
  -V ID            Identifier that a delivery report repeats
  -v               Show the dialogue on standard error
  --queue          Keep a message after a temporary failure and retry by smtp-send queue run; also a key of the account
  --account NAME   Account of ~/.config/smtp-send/config.toml or /etc/smtp-send/config.toml
                   [default: SMTP_SEND_ACCOUNT, else default]

Addresses without a domain get the domain of the account's from, else that of this host. Bcc is removed; Date, Message-ID
and From are added if they are missing. A message that cannot be sent is kept in a file that the error names, by default in
~/.local/state/smtp-send/dead-letters; sendmail -i ADDRESS < FILE sends it again.
Other options of Sendmail and Postfix are ignored if they change nothing, and refused if they request a queue or a server.
Exit codes are those of smtp-send.
";

/// The arguments of sendmail, if `arguments` call it.
pub fn is_sendmail_invocation(arguments: &[OsString]) -> Option<&[OsString]> {
    let (program, rest) = arguments.split_first()?;
    if Path::new(program).file_name() == Some(OsStr::new(NAME)) {
        return Some(rest);
    }
    rest.split_first().filter(|(first, _)| *first == NAME).map(|(_, rest)| rest)
}

/// Runs sendmail; returns the text to print.
///
/// # Errors
/// The server has not accepted the message for all recipients.
pub fn run(arguments: &[OsString]) -> Result<&'static str, Error> {
    let text = arguments.iter().map(|argument| argument.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let arguments = text.ok_or_else(|| Error::usage("an argument", "not UTF-8"))?;
    let arguments = Arguments::parse(arguments).map_err(|mistake| Error::usage(NAME, mistake))?;
    if arguments.help {
        return Ok(HELP);
    }
    logger::init("smtp-send", logger::level(u8::from(arguments.verbose), !arguments.verbose), Color::Auto);
    dead_letter::save_left_over();
    if arguments.smtp {
        return smtp_stdio::serve(&arguments).map(|()| "");
    }
    let setup = Setup::new(&arguments);
    if io::stdin().is_terminal() {
        // On a terminal, errors are reported before a message is typed.
        hand_over(setup?, &arguments)
    } else {
        match setup {
            Ok(setup) => hand_over(setup, &arguments),
            Err(failure) => keep_only(&failure, &arguments),
        }
    }
    .map(|()| "")
}

/// The settings that are known before the message is read.
#[derive(Debug)]
struct Setup {
    sending: Sending,
    queue: bool,
    identity: SenderIdentity,
    account: Option<Account>,
}

/// Sends messages by the route of the account.
#[derive(Debug)]
struct Sending {
    route: Route,
    signer: Option<Arc<Signer>>,
}

impl Sending {
    /// Sends a message; `on_report` is called for each domain if there is no server.
    fn send(&self, outgoing: OutgoingMessage, on_report: OnReport<'_>) -> Option<Error> {
        let message = outgoing.message.signed_by(self.signer.as_ref());
        let source = SingleMessage::new(OutgoingMessage { message, ..outgoing });
        mx::send(&self.route, RunOptions::default(), &source, on_report)
    }

    /// Sends a message; returns the status of each recipient.
    fn deliver(&self, outgoing: OutgoingMessage) -> (Vec<RecipientStatus>, Option<Error>) {
        let recipients = outgoing.recipients.clone();
        let mut known = HashMap::new();
        let failure = self.send(outgoing, &mut |sent| {
            known.extend(sent.recipients.iter().cloned().zip(sent.statuses.iter().cloned()));
        });
        // A repeated address has one status.
        let status = |address| known.get(address).cloned().unwrap_or(RecipientStatus::Unsent);
        (recipients.iter().map(status).collect(), failure)
    }
}

impl Setup {
    fn new(arguments: &Arguments) -> Result<Self, Error> {
        let typed = CommandLine::read(options(arguments).into_iter().map(OsString::from));
        let misread = |error: String| Error::usage(NAME, error);
        let typed = typed.map_err(|error| misread(common::command_line::one_line(&error)))?;
        let mut account = Account::of(&typed)?;
        let settings = account.as_mut().map(|account| account.arguments_for(&typed)).unwrap_or_default();
        let options = typed.with_defaults(settings).map_err(|error| misread(common::command_line::one_line(&error)))?;
        let route = Route::new(&options, true).map_err(|error| {
            error.downcast().unwrap_or_else(|error| Error::of(Kind::System, "configuration", error.to_string()))
        });
        // Without a server and without an account, no mail leaves this machine.
        let may_send = |route: &Route| route.destination.server().is_some() || account.is_some();
        let route = route.and_then(|route| if may_send(&route) { Ok(route) } else { Err(no_server()) });
        let route = route.map(|mut route| {
            // Sendmail accepts a request for reports whatever the server offers.
            route.dsn.optional = true;
            route
        });
        let envelope = &options.envelope;
        let identity = SenderIdentity::new(envelope.from.as_deref(), envelope.envelope_from.as_deref(), arguments);
        match (route, identity, signer(&options.dkim)) {
            (Ok(route), Ok(identity), Ok(signer)) => {
                let sending = Sending { route, signer: signer.map(Arc::new) };
                Ok(Self { sending, queue: options.bulk.queue, identity, account })
            }
            (Err(failure), ..) | (_, Err(failure), _) | (.., Err(failure)) => {
                Err(with_config_location(failure, account.as_ref()))
            }
        }
    }
}

/// The options of smtp-send that correspond to the arguments.
fn options(arguments: &Arguments) -> Vec<String> {
    let mut options = vec!["smtp-send".to_owned()];
    for (option, value) in [
        ("--account", &arguments.account),
        ("--dsn-notify", &arguments.notify),
        ("--dsn-ret", &arguments.ret),
        ("--dsn-envid", &arguments.envelope_id),
    ] {
        options.extend(value.as_ref().map(|value| format!("{option}={value}")));
    }
    options.extend(arguments.queue.then(|| "--queue".to_owned()));
    options
}

fn no_server() -> Error {
    let files = account::files().iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" or ");
    Error::config("no account", format!("write [account.default] with server = 'HOST' into {files}"))
}

/// Adds the file and line of the setting that an error is about.
fn with_config_location(failure: Error, account: Option<&Account>) -> Error {
    match account.and_then(|account| account.place_of(&failure)) {
        Some(place) => Error::of(failure.kind(), place, failure.to_string()),
        None => failure,
    }
}

fn hand_over(setup: Setup, arguments: &Arguments) -> Result<(), Error> {
    let edits = setup.identity.edits()?;
    let kept = DeadLetter::keep(source(arguments, setup.identity.domain())?).map_err(unreadable)?;
    let (dead_letter, ready) = match kept {
        Ok(dead_letter) => {
            let ready = ExistingMessage::open(dead_letter.path(), &edits);
            (Ok(dead_letter), ready)
        }
        Err(SaveError { message, why }) => (Err(why), ExistingMessage::read(message, &edits)),
    };
    let ready = ready.map_err(|error: ExistingMessageError| error.into_error(STDIN));
    let job = ready.and_then(|ready| {
        let envelope = setup.identity.envelope(&ready, arguments)?;
        let message = Message::Existing(Box::new(ready));
        Ok(OutgoingMessage { reverse_path: envelope.reverse_path, recipients: envelope.recipients, message })
    });
    match job {
        Ok(job) => {
            let place = |failure| with_config_location(failure, setup.account.as_ref());
            let dead_letter = match dead_letter {
                Ok(dead_letter) if setup.queue => match queue::enqueue(dead_letter, &job, &edits, arguments) {
                    Ok(entry) => return deliver_or_keep::queued(setup.sending, entry, place),
                    // Sent or kept as without a queue.
                    Err(dead_letter) => Ok(dead_letter),
                },
                dead_letter => dead_letter,
            };
            deliver_or_keep::of(setup.sending, job, dead_letter, place)
        }
        Err(failure) => Err(deliver_or_keep::saved(
            dead_letter,
            &failure,
            arguments.sender.as_deref().unwrap_or_default(),
            &arguments.recipients,
        )),
    }
}

/// Saves a message that cannot be sent.
fn keep_only(failure: &Error, arguments: &Arguments) -> Result<(), Error> {
    let kept = DeadLetter::keep(source(arguments, &crate::host::best_name())?).map_err(unreadable)?;
    let dead_letter = kept.map_err(|not_kept| not_kept.why);
    Err(deliver_or_keep::saved(
        dead_letter,
        failure,
        arguments.sender.as_deref().unwrap_or_default(),
        &arguments.recipients,
    ))
}

fn source(arguments: &Arguments, domain: &str) -> Result<impl Read + use<>, Error> {
    let stdin = io::stdin();
    let source: Box<dyn Read> =
        if arguments.dots_are_text { Box::new(stdin) } else { Box::new(input::UntilDot::new(stdin)) };
    input::with_fit_header(source, domain).map_err(unreadable)
}

fn unreadable(cause: io::Error) -> Error {
    errors::unreadable(STDIN, cause)
}
