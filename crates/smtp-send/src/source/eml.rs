//! Existing messages from files, folders and mbox files, or one from standard input.
//!
//! A folder means its files `*.eml` or, if it is a Maildir, those in `new` and `cur`, sorted by name. A file that begins
//! with a line `From SENDER DATE` is an mbox, except a file `*.eml`: that line is the first one of a dead letter.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Error, Kind};

use crate::config::{ExistingMail, FileSource, ReversePath};
use crate::errors;
use crate::message::dkim_signer::Signer;
use crate::message::regular_file::FileVersion;
use crate::message::{Edits, ExistingMessage, ExistingMessageError, FieldError, Mbox, Message, OutgoingMessage};
use crate::proto::address::Address;
use crate::source::{Digest, MessageSource, OpenMessage, SingleMessage};

/// The name of standard input in messages.
const STDIN: &str = "standard input";

/// Existing messages.
#[derive(Debug)]
pub struct EmlFiles {
    mail: ExistingMail,
    signer: Option<Arc<Signer>>,
    mboxes: Vec<(PathBuf, Mbox)>,
    items: Vec<EmlItem>,
    /// Number of messages that were left out.
    skipped: usize,
}

#[derive(Debug)]
struct EmlItem {
    place: EmlPlace,
    /// The recipients in its header; none when the command line names them.
    recipients: Box<[Address]>,
}

#[derive(Debug)]
enum EmlPlace {
    /// Standard input can be read only once: the message is kept.
    Stdin(Box<SingleMessage>),
    File(PathBuf, FileVersion),
    Mbox {
        mbox: usize,
        number: usize,
    },
}

struct Checked {
    message: ExistingMessage,
    reverse_path: Option<Address>,
    recipients: Vec<Address>,
}

impl EmlFiles {
    /// Checks every message. `stdin` opens standard input.
    ///
    /// # Errors
    /// The first file that cannot be read, or message that cannot be sent; with `keep_going` it is logged and left out.
    pub fn check(
        mail: ExistingMail,
        signer: Option<Arc<Signer>>,
        keep_going: bool,
        mut stdin: impl FnMut() -> Box<dyn Read>,
    ) -> Result<Self, Error> {
        let mut files = Self { mail, signer, mboxes: Vec::new(), items: Vec::new(), skipped: 0 };
        for source in files.mail.files.clone() {
            match source {
                FileSource::Stdin => {
                    let message = ExistingMessage::read(stdin(), &Self::edits());
                    let outgoing = files.outgoing(files.checked(message, STDIN)?);
                    let place = EmlPlace::Stdin(Box::new(SingleMessage::new(outgoing)));
                    files.items.push(EmlItem { place, recipients: Box::default() });
                }
                FileSource::File(path) if path.is_dir() => {
                    for path in messages_in(&path)? {
                        files.add_file(path, keep_going)?;
                    }
                }
                FileSource::File(path) => files.add_file(path, keep_going)?,
            }
        }
        Ok(files)
    }

    fn add_file(&mut self, path: PathBuf, keep_going: bool) -> Result<(), Error> {
        let is_eml = path.extension().is_some_and(|extension| extension == "eml");
        let mbox =
            if is_eml { None } else { Mbox::open(&path).map_err(|error| errors::unreadable(path.display(), error))? };
        let Some(mbox) = mbox else {
            let checked = self.checked(ExistingMessage::open(&path, &Self::edits()), &path.display().to_string());
            if let Some(checked) = self.unless_skipped(checked, keep_going)?
                && let Some(version) = checked.message.version().cloned()
            {
                self.add(EmlPlace::File(path, version), checked.recipients);
            }
            return Ok(());
        };
        let at = self.mboxes.len();
        let count = mbox.len();
        self.mboxes.push((path, mbox));
        for number in 0..count {
            let checked = self.read_mbox(at, number);
            if let Some(checked) = self.unless_skipped(checked, keep_going)? {
                self.add(EmlPlace::Mbox { mbox: at, number }, checked.recipients);
            }
        }
        Ok(())
    }

    fn add(&mut self, place: EmlPlace, recipients: Vec<Address>) {
        let given = self.mail.recipients.is_some();
        let recipients = if given { Box::default() } else { recipients.into_boxed_slice() };
        self.items.push(EmlItem { place, recipients });
    }

    fn unless_skipped<T>(&mut self, checked: Result<T, Error>, keep_going: bool) -> Result<Option<T>, Error> {
        match checked {
            Err(failure) if keep_going => {
                log::warn!("left out: {failure}");
                self.skipped += 1;
                Ok(None)
            }
            checked => checked.map(Some),
        }
    }

    fn read_mbox(&self, mbox: usize, number: usize) -> Result<Checked, Error> {
        let (path, file) = &self.mboxes[mbox];
        let name = mbox_name(path, number);
        match file.extract(number) {
            Some(message) => self.checked(ExistingMessage::extract(message, &Self::edits()), &name),
            None => Err(Error::new(Kind::NoInput, "read", name, "no such message")),
        }
    }

    fn edits() -> Edits {
        Edits { remove_bcc: true, ..Edits::default() }
    }

    /// Checks that a message has a header, and its envelope an author and recipients.
    fn checked(&self, message: Result<ExistingMessage, ExistingMessageError>, name: &str) -> Result<Checked, Error> {
        let message = message.map_err(|error| error.into_error(name))?;
        let mail = &self.mail;
        let wrong = |why: &str| errors::malformed(name, why);
        if !message.has_header() {
            return Err(wrong("not a message: it does not begin with a header field"));
        }
        let broken = |error: &FieldError| wrong(&error.to_string());
        let recipients = match &mail.recipients {
            Some(given) => given.clone(),
            None if !mail.needs_recipient => Vec::new(),
            None => message.recipients().map_err(broken)?.to_vec(),
        };
        if recipients.is_empty() && mail.needs_recipient {
            return Err(wrong("no recipient in its header; use --to"));
        }
        let reverse_path = match &mail.reverse_path {
            ReversePath::Given(path) => path.clone(),
            ReversePath::OfHeader => match message.author().map_err(broken)? {
                Some(author) => Some(author.clone()),
                None => return Err(wrong("no author in its header; use --envelope-from")),
            },
        };
        Ok(Checked { message, reverse_path, recipients })
    }

    fn outgoing(&self, checked: Checked) -> OutgoingMessage {
        let Checked { message, reverse_path, recipients } = checked;
        let message = Message::Existing(Box::new(message)).signed_by(self.signer.as_ref());
        OutgoingMessage { reverse_path, recipients, message }
    }

    fn item(&self, number: usize) -> Result<&EmlItem, Error> {
        self.items.get(number).ok_or_else(|| Error::new(Kind::System, "read", "the message", "no such number"))
    }
}

impl MessageSource for EmlFiles {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        if self.items.len() < 2 {
            return None;
        }
        Some(match &self.items.get(number)?.place {
            EmlPlace::Stdin(_) => STDIN.to_owned(),
            EmlPlace::File(path, _) => path.display().to_string(),
            EmlPlace::Mbox { mbox, number } => mbox_name(&self.mboxes[*mbox].0, *number),
        })
    }

    fn recipients(&self, number: usize) -> Result<Cow<'_, [Address]>, Error> {
        let item = self.item(number)?;
        Ok(match (&self.mail.recipients, &item.place) {
            (Some(given), _) => given.as_slice().into(),
            (None, EmlPlace::Stdin(kept)) => kept.recipients().into(),
            (None, _) => (*item.recipients).into(),
        })
    }

    fn open(&self, number: usize) -> Result<OpenMessage<'_>, Error> {
        let checked = match &self.item(number)?.place {
            EmlPlace::Stdin(kept) => return Ok(kept.open()),
            EmlPlace::File(path, version) => {
                let message = ExistingMessage::open(path, &Self::edits());
                if message.as_ref().is_ok_and(|message| message.version() != Some(version)) {
                    let why = "the file has changed since it was first read";
                    return Err(Error::new(Kind::Temporary, "read", path.display(), why));
                }
                self.checked(message, &path.display().to_string())?
            }
            EmlPlace::Mbox { mbox, number } => self.read_mbox(*mbox, *number)?,
        };
        Ok(self.outgoing(checked).into())
    }

    fn digest(&self) -> Result<String, Error> {
        let mut digest = Digest::new("eml");
        digest.words(format!("{:?} {:?}", self.mail.recipients, self.mail.reverse_path).as_bytes());
        for item in &self.items {
            match &item.place {
                EmlPlace::Stdin(_) => {
                    let why = "standard input cannot be read again when the run is resumed; use a file";
                    return Err(Error::usage("--journal", why));
                }
                EmlPlace::File(path, _) => digest.file(path)?,
                EmlPlace::Mbox { number, .. } => digest.words(&number.to_le_bytes()),
            }
        }
        self.mboxes.iter().try_for_each(|(path, _)| digest.file(path))?;
        Ok(digest.finish())
    }

    fn skipped(&self) -> usize {
        self.skipped
    }
}

fn mbox_name(path: &Path, number: usize) -> String {
    format!("{} message {}", path.display(), number + 1)
}

/// The messages in a folder: those of a Maildir, else its files `*.eml`.
fn messages_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error| errors::unreadable(folder.display(), error);
    let maildir = [folder.join("new"), folder.join("cur")];
    let mut found = Vec::new();
    if maildir.iter().all(|part| part.is_dir()) {
        for part in &maildir {
            found.extend(files_in(part, |_| true).map_err(unreadable)?);
        }
        found.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    } else {
        found = files_in(folder, |path| path.extension().is_some_and(|end| end == "eml")).map_err(unreadable)?;
        found.sort();
    }
    if found.is_empty() {
        let why = "it holds neither *.eml files nor a Maildir with messages";
        return Err(Error::new(Kind::NoInput, "read", folder.display(), why));
    }
    Ok(found)
}

/// The files in a folder that `wanted` accepts and that are not hidden.
fn files_in(folder: &Path, wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && wanted(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}
