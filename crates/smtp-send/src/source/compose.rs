//! Opens the messages that the configuration describes: reads every file and text before anything is sent.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use common::Error;

use crate::config::{Composed, FileSource, Mail, TextSource};
use crate::errors;
use crate::host;
use crate::message::attach::Wanted;
use crate::message::dkim_signer::Signer;
use crate::message::html::{Html, HtmlError, Picture};
use crate::message::{Attachment, ComposedMessage, Draft, HtmlBody, Message, OutgoingMessage, SpoolError, Text};
use crate::source::merge::Merge;
use crate::source::{EmlFiles, MessageSource, SingleMessage};

/// The name of standard input in messages.
const STDIN: &str = "standard input";

/// The messages of a run. With `keep_going`, those that cannot be sent are left out.
pub fn open(mail: Mail, signer: Option<Signer>, keep_going: bool) -> Result<Box<dyn MessageSource>, Error> {
    let signer = signer.map(Arc::new);
    Ok(match mail {
        Mail::Composed(mut composed) => {
            let mut outgoing = compose(&mut composed)?;
            outgoing.message = outgoing.message.signed_by(signer.as_ref());
            Box::new(SingleMessage::new(outgoing))
        }
        Mail::Merge(merge) => Box::new(Merge::check(*merge, signer, keep_going, || Box::new(stdin("The table")))?),
        Mail::Existing(ready) => {
            Box::new(EmlFiles::check(ready, signer, keep_going, || Box::new(stdin("The message")))?)
        }
    })
}

fn compose(config: &mut Composed) -> Result<OutgoingMessage, Error> {
    // Attachments first: an error is reported before a text is typed.
    let attachments = config.attachments.iter().map(|one| attach("attach", one)).collect::<Result<Vec<_>, _>>()?;
    let inline = config.inline.iter().map(|one| attach("inline", one)).collect::<Result<Vec<_>, _>>()?;
    let date = chrono::Local::now().fixed_offset();
    let message_id = host::message_id(&date, &host::best_name())?;
    let html = config.html.as_ref().map(|source| read_html(source, inline, &message_id)).transpose()?;
    let (html, plain) = html.unzip();
    let text = match (&config.text, plain) {
        (TextSource::Html, Some(plain)) => {
            Text::read(plain.as_bytes()).map_err(|error| error.into_error("keep", "the text"))?
        }
        (source, _) => read_text(source)?,
    };
    let message = ComposedMessage::compose(Draft {
        from: config.from.clone(),
        reply_to: std::mem::take(&mut config.reply_to),
        to: std::mem::take(&mut config.to),
        cc: std::mem::take(&mut config.cc),
        subject: config.subject.take(),
        date,
        message_id,
        headers: std::mem::take(&mut config.headers),
        text,
        html,
        attachments,
    });
    Ok(OutgoingMessage {
        message: Message::Composed(Box::new(message)),
        reverse_path: config.reverse_path.clone(),
        recipients: config.recipients.clone(),
    })
}

fn attach(operation: &'static str, wanted: &Wanted) -> Result<Attachment, Error> {
    let name: &dyn Display = if wanted.is_stdin() { &STDIN } else { &wanted.path.display() };
    Attachment::open(wanted).map_err(|error| error.into_error(operation, name))
}

/// The HTML text with its pictures, and a plain text made from it.
fn read_html(source: &FileSource, inline: Vec<Attachment>, message_id: &str) -> Result<(HtmlBody, String), Error> {
    let (name, html): (&dyn Display, _) = match source {
        FileSource::Stdin => (&STDIN, Html::read(stdin("The text"))),
        FileSource::File(path) => (
            &path.display(),
            File::open(path).map_err(|error| HtmlError::Spool(SpoolError::Read(error))).and_then(Html::read),
        ),
    };
    let failed = |error: HtmlError| match error {
        HtmlError::Spool(error) => error.into_error("read", name),
        HtmlError::TooLong | HtmlError::Missing(_) => errors::malformed(name, error),
    };
    let mut html = html.map_err(failed)?;
    let unique = message_id.trim_matches(['<', '>']);
    let id = |number: usize| format!("{number}.{unique}");
    let pictures: Vec<Picture> =
        inline.iter().enumerate().map(|(at, file)| Picture { name: file.name().to_owned(), id: id(at + 1) }).collect();
    let shown = html.show(&pictures).map_err(failed)?;
    for (picture, _) in pictures.iter().zip(shown).filter(|(_, shown)| !shown) {
        log::warn!("{name} does not use --inline {0}; write cid:{0} there", picture.name);
    }
    let plain = html.plain();
    let text = html.into_text().map_err(|error| SpoolError::Keep(error).into_error("keep", name))?;
    let inline = inline.into_iter().zip(pictures).map(|(file, picture)| file.shown_as(picture.id)).collect();
    Ok((HtmlBody { text, inline }, plain))
}

fn read_text(source: &TextSource) -> Result<Text, Error> {
    let (name, text): (&dyn Display, _) = match source {
        TextSource::Nothing | TextSource::Html => (&"the text", Text::read(io::empty())),
        TextSource::Inline(text) => (&"--body", Text::read(text.as_bytes())),
        TextSource::File(path) => (&path.display(), File::open(path).map_err(SpoolError::Read).and_then(Text::read)),
        TextSource::Stdin => (&STDIN, Text::read(stdin("The text"))),
    };
    text.map_err(|error| error.into_error("read", name))
}

/// Standard input; a terminal gets a hint.
fn stdin(what: &str) -> io::StdinLock<'static> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        eprintln!("{what} is read from the terminal; Ctrl-D on an empty line ends it.");
    }
    stdin.lock()
}
