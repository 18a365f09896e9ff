//! ExistingMessage messages in files, in folders, in mailbox files, or one on standard input.
//!
//! A folder stands for its files `*.eml`, or, when it is a Maildir, for those in `new` and `cur`, in the order of their names.
//! A file that begins with a line `From SENDER DATE` is a mailbox file, unless its own name ends in `.eml`: such a one holds a
//! single message, with the line in front that a dead letter has.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use common::{Failure, Kind};

use crate::config::{ExistingMail, FileSource, ReversePath};
use crate::delivery::OutgoingMessage;
use crate::message::{Edits, ExistingMessage, ExistingMessageError, FieldError, FileVersion, Mbox, Message};
use crate::source::{Digest, MessageSource};

/// What standard input is called in messages.
const STDIN: &str = "standard input";

/// ExistingMessage messages.
#[derive(Debug)]
pub struct EmlFiles {
    mail: ExistingMail,
    mailboxes: Vec<(PathBuf, Mbox)>,
    items: Vec<EmlItem>,
    /// Messages that were left out because something is wrong with them.
    left_out: usize,
}

/// One message.
#[derive(Debug)]
enum EmlItem {
    /// It can be read only once, so it is kept.
    Stdin(Mutex<Option<OutgoingMessage>>),
    File(PathBuf, Option<FileVersion>),
    Extract {
        mailbox: usize,
        number: usize,
    },
}

impl EmlFiles {
    /// Looks at every message. `stdin` is standard input, should one be there.
    ///
    /// # Errors
    /// The first file that cannot be read or message that cannot be sent. Where `keep_going`, it is left out and told.
    pub fn look(
        mail: ExistingMail,
        keep_going: bool,
        mut stdin: impl FnMut() -> Box<dyn Read>,
    ) -> Result<Self, Failure> {
        let mut files = Self { mail, mailboxes: Vec::new(), items: Vec::new(), left_out: 0 };
        for source in files.mail.files.clone() {
            match source {
                FileSource::Stdin => {
                    let ready = ExistingMessage::read(stdin(), &files.edits());
                    let job = files.checked(ready, STDIN)?;
                    files.items.push(EmlItem::Stdin(Mutex::new(Some(job))));
                }
                FileSource::File(path) if path.is_dir() => {
                    for path in letters(&path)? {
                        files.file(path, keep_going)?;
                    }
                }
                FileSource::File(path) => files.file(path, keep_going)?,
            }
        }
        Ok(files)
    }

    fn file(&mut self, path: PathBuf, keep_going: bool) -> Result<(), Failure> {
        let unreadable = |error| Failure::io("read", path.display(), error).with_kind(Kind::NoInput);
        let is_letter = path.extension().is_some_and(|extension| extension == "eml");
        let mailbox = if is_letter { None } else { Mbox::open(&path).map_err(unreadable)? };
        let Some(mailbox) = mailbox else {
            let looked = self.checked(ExistingMessage::open(&path, &self.edits()), &path.display().to_string());
            let Some(job) = self.unless_left_out(looked, keep_going)? else { return Ok(()) };
            let Message::Existing(ready) = &job.message else { return Ok(()) };
            let stamp = ready.stamp().cloned();
            self.items.push(EmlItem::File(path, stamp));
            return Ok(());
        };
        let at = self.mailboxes.len();
        let count = mailbox.len();
        self.mailboxes.push((path, mailbox));
        for number in 0..count {
            let looked = self.extract(at, number);
            if self.unless_left_out(looked, keep_going)?.is_some() {
                self.items.push(EmlItem::Extract { mailbox: at, number });
            }
        }
        Ok(())
    }

    fn unless_left_out(
        &mut self,
        looked: Result<OutgoingMessage, Failure>,
        keep_going: bool,
    ) -> Result<Option<OutgoingMessage>, Failure> {
        match looked {
            Err(failure) if keep_going => {
                log::warn!("left out: {failure}");
                self.left_out += 1;
                Ok(None)
            }
            looked => looked.map(Some),
        }
    }

    fn extract(&self, mailbox: usize, number: usize) -> Result<OutgoingMessage, Failure> {
        let (path, file) = &self.mailboxes[mailbox];
        let name = extract_name(path, number);
        match file.extract(number) {
            Some(extract) => self.checked(ExistingMessage::extract(extract, &self.edits()), &name),
            None => Err(Failure::new(Kind::NoInput, "read", name, "no such message")),
        }
    }

    fn edits(&self) -> Edits {
        Edits { remove_bcc: self.mail.recipients.is_none(), ..Edits::default() }
    }

    /// The message with its envelope, if it has one.
    fn checked(
        &self,
        ready: Result<ExistingMessage, ExistingMessageError>,
        name: &str,
    ) -> Result<OutgoingMessage, Failure> {
        let ready = ready.map_err(|error| error.into_failure(name))?;
        let mail = &self.mail;
        let wrong = |why: &str| Failure::new(Kind::BadData, "read", name, why);
        if !ready.has_header() {
            return Err(wrong("it does not begin with a header field, so it is no message"));
        }
        let broken = |error: &FieldError| wrong(&error.to_string());
        let recipients = match &mail.recipients {
            Some(given) => given.clone(),
            None if !mail.needs_recipient => Vec::new(),
            None => ready.recipients().map_err(broken)?.to_vec(),
        };
        if recipients.is_empty() && mail.needs_recipient {
            return Err(wrong("no recipient in its header; use --to"));
        }
        let reverse_path = match &mail.reverse_path {
            ReversePath::Given(path) => path.clone(),
            ReversePath::OfHeader => match ready.author().map_err(broken)? {
                Some(author) => Some(author.clone()),
                None => return Err(wrong("no author in its header; use --envelope-from")),
            },
        };
        Ok(OutgoingMessage { reverse_path, recipients, message: Message::Existing(Box::new(ready)) })
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
        Some(match self.items.get(number)? {
            EmlItem::Stdin(_) => STDIN.to_owned(),
            EmlItem::File(path, _) => path.display().to_string(),
            EmlItem::Extract { mailbox, number } => extract_name(&self.mailboxes[*mailbox].0, *number),
        })
    }

    fn job(&self, number: usize) -> Result<OutgoingMessage, Failure> {
        let missing = |why| Failure::new(Kind::System, "read", "the message", why);
        match self.items.get(number).ok_or_else(|| missing("no such number"))? {
            EmlItem::Stdin(kept) => {
                let job = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
                job.ok_or_else(|| missing("it is on its way"))
            }
            EmlItem::File(path, stamp) => {
                let ready = ExistingMessage::open(path, &self.edits());
                if ready.as_ref().is_ok_and(|ready| ready.stamp() != stamp.as_ref()) {
                    let why = "the file has changed since it was first read";
                    return Err(Failure::new(Kind::Temporary, "read", path.display(), why));
                }
                self.checked(ready, &path.display().to_string())
            }
            EmlItem::Extract { mailbox, number } => self.extract(*mailbox, *number),
        }
    }

    fn digest(&self) -> Result<String, Failure> {
        let mut digest = Digest::new("eml");
        digest.words(format!("{:?} {:?}", self.mail.recipients, self.mail.reverse_path).as_bytes());
        for item in &self.items {
            match item {
                EmlItem::Stdin(_) => {
                    let why = "standard input cannot be read again when the run goes on; use a file";
                    return Err(Failure::new(Kind::Usage, "", "--journal", why));
                }
                EmlItem::File(path, _) => digest.file(path)?,
                EmlItem::Extract { number, .. } => digest.words(&number.to_le_bytes()),
            }
        }
        self.mailboxes.iter().try_for_each(|(path, _)| digest.file(path))?;
        Ok(digest.finish())
    }

    fn left_out(&self) -> usize {
        self.left_out
    }

    fn give_back(&self, number: usize, job: OutgoingMessage) {
        if let Some(EmlItem::Stdin(kept)) = self.items.get(number) {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        }
    }
}

fn extract_name(path: &Path, number: usize) -> String {
    format!("{} message {}", path.display(), number + 1)
}

/// The messages in a folder.
fn letters(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| Failure::io("read", folder.display(), error).with_kind(Kind::NoInput);
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
        let why = "neither a file *.eml nor a Maildir with messages is in it";
        return Err(Failure::new(Kind::NoInput, "read", folder.display(), why));
    }
    Ok(found)
}

/// The files in a folder that are wanted and not hidden.
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
