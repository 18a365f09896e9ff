//! The options of the message: text, header fields, files.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use common::{Error, Kind};

use super::envelope::{author, each_once, mailboxes, reverse_path};
use super::usage;
use crate::cli::{BulkArgs, EnvelopeArgs, MessageArgs};
use crate::message::Extra;
use crate::message::attach::Wanted;
use crate::proto::address::{Address, Mailbox};
use crate::session::StopAfter;

/// Fields that have an option, or that the program writes itself.
const OWN_FIELDS: [(&str, &str); 10] = [
    ("From", "use --from"),
    ("To", "use --to"),
    ("Cc", "use --cc"),
    ("Bcc", "use --bcc"),
    ("Resent-Bcc", "use --bcc"),
    ("Return-Path", "use --envelope-from"),
    ("Subject", "use --subject"),
    ("Reply-To", "use --reply-to"),
    ("MIME-Version", "it is always written"),
    ("Content-*", "they follow from the text"),
];

/// The messages and their envelopes.
#[derive(Debug)]
pub enum Mail {
    /// One message, composed from options.
    Composed(Box<Composed>),
    /// Existing messages.
    Existing(ExistingMail),
    /// A message for each row of a table.
    Merge(Box<MergeMail>),
}

/// A message composed from options, with its envelope.
#[derive(Debug)]
pub struct Composed {
    /// The author.
    pub from: Mailbox,
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// The field To.
    pub to: Vec<Mailbox>,
    /// The field Cc.
    pub cc: Vec<Mailbox>,
    /// The recipients, each once.
    pub recipients: Vec<Address>,
    /// The field Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// The subject.
    pub subject: Option<String>,
    /// Further fields.
    pub headers: Vec<Extra>,
    /// Where the plain text comes from.
    pub text: TextSource,
    /// Where the text in HTML comes from.
    pub html: Option<FileSource>,
    /// The pictures of the HTML text.
    pub inline: Vec<Wanted>,
    /// The attachments.
    pub attachments: Vec<Wanted>,
}

/// Existing messages, and the parts of the envelope that their headers do not give.
#[derive(Debug)]
pub struct ExistingMail {
    /// The files and folders.
    pub files: Vec<FileSource>,
    /// The recipients of each message, each once; `None` for those in its header.
    pub recipients: Option<Vec<Address>>,
    /// Where bounces go.
    pub reverse_path: ReversePath,
    /// Whether a message must have recipients; a probe that ends earlier needs none.
    pub needs_recipient: bool,
}

/// A table of recipients and the template of their messages.
#[derive(Debug)]
pub struct MergeMail {
    /// The table.
    pub rows: FileSource,
    /// The template.
    pub template: PathBuf,
    /// The column with the address, unless it has a usual name.
    pub column: Option<String>,
    /// The field separator.
    pub separator: u8,
    /// The author, for a template without From.
    pub author: Mailbox,
    /// Where bounces go.
    pub reverse_path: ReversePath,
}

/// Where bounces of an existing message go.
#[derive(Debug, PartialEq, Eq)]
pub enum ReversePath {
    /// This address; `None` is the null path.
    Given(Option<Address>),
    /// The sender in its header, else the author.
    OfHeader,
}

/// Where the plain text comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum TextSource {
    /// Standard input.
    Stdin,
    /// The command line.
    Inline(String),
    /// A file.
    File(PathBuf),
    /// It is made from the HTML text.
    Html,
    /// None: a probe ends before the message.
    Nothing,
}

/// A file or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSource {
    /// Standard input, typed as `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path) }
    }
}

impl Mail {
    pub(super) fn new(
        envelope: &EnvelopeArgs,
        message: MessageArgs,
        bulk: &BulkArgs,
        stop_after: Option<StopAfter>,
    ) -> Result<Self> {
        if let [rows, template] = bulk.merge.as_slice() {
            return MergeMail::new(envelope, rows, template, bulk).map(|mail| Self::Merge(Box::new(mail)));
        }
        let list = |option, typed: &[String]| mailboxes(option, typed);
        let (to, cc, bcc) = (list("--to", &envelope.to)?, list("--cc", &envelope.cc)?, list("--bcc", &envelope.bcc)?);
        let recipients = each_once(to.iter().chain(&cc).chain(&bcc));
        let needs_recipient = stop_after.is_none_or(|step| step == StopAfter::Rcpt);
        if !message.eml.is_empty() {
            let given = !(envelope.to.is_empty() && envelope.cc.is_empty() && envelope.bcc.is_empty());
            ensure!(!(given && recipients.is_empty()), no_recipient());
            let recipients = given.then_some(recipients);
            return ExistingMail::new(envelope, message.eml, recipients, needs_recipient).map(Self::Existing);
        }
        ensure!(!(recipients.is_empty() && needs_recipient), no_recipient());
        let from = author(envelope.from.as_deref())?;
        let html = message.html.map(FileSource::from);
        let text = text_source(message.body, message.body_file, html.is_some(), stop_after);
        let (inline, attachments) = (files("--inline", &message.inline)?, files("--attach", &message.attach)?);
        one_reader(&text, html.as_ref(), &inline, &attachments)?;
        Ok(Self::Composed(Box::new(Composed {
            reverse_path: reverse_path(envelope.envelope_from.as_deref(), &from)?,
            from,
            to,
            cc,
            recipients,
            reply_to: mailboxes("--reply-to", &message.reply_to)?,
            subject: message.subject.map(|typed| one_line("--subject", typed)).transpose()?,
            headers: message.header.iter().map(|typed| header(typed)).collect::<Result<_>>()?,
            text,
            html,
            inline,
            attachments,
        })))
    }
}

impl ExistingMail {
    fn new(
        envelope: &EnvelopeArgs,
        files: Vec<PathBuf>,
        recipients: Option<Vec<Address>>,
        needs_recipient: bool,
    ) -> Result<Self> {
        let files: Vec<FileSource> = files.into_iter().map(FileSource::from).collect();
        let readers = files.iter().filter(|file| **file == FileSource::Stdin).count();
        ensure!(readers <= 1, usage("--eml -", "standard input can be read only once"));
        Ok(Self { files, recipients, reverse_path: ReversePath::new(envelope)?, needs_recipient })
    }
}

impl ReversePath {
    fn new(envelope: &EnvelopeArgs) -> Result<Self> {
        Ok(match (&envelope.envelope_from, &envelope.from) {
            (None, None) => Self::OfHeader,
            (typed, None) => Self::Given(reverse_path(typed.as_deref(), &author(None)?)?),
            (typed, Some(from)) => Self::Given(reverse_path(typed.as_deref(), &author(Some(from))?)?),
        })
    }
}

impl MergeMail {
    fn new(envelope: &EnvelopeArgs, rows: &Path, template: &Path, bulk: &BulkArgs) -> Result<Self> {
        let separator = match bulk.merge_separator.as_deref() {
            None => b',',
            Some("tab" | "\t") => b'\t',
            Some(typed) => match typed.as_bytes() {
                [byte] if byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() && *byte != b'"' => *byte,
                _ => return Err(usage("--merge-separator", "write one character such as ';' or '|', or tab")),
            },
        };
        Ok(Self {
            rows: FileSource::from(rows.to_owned()),
            template: template.to_owned(),
            column: bulk.merge_to.clone(),
            separator,
            author: author(envelope.from.as_deref())?,
            reverse_path: ReversePath::new(envelope)?,
        })
    }
}

fn no_recipient() -> anyhow::Error {
    usage("no recipient", "use --to, --cc or --bcc")
}

fn text_source(body: Option<String>, file: Option<PathBuf>, html: bool, stop_after: Option<StopAfter>) -> TextSource {
    match (body, file.map(FileSource::from)) {
        (Some(text), _) => TextSource::Inline(text),
        (None, Some(FileSource::File(file))) => TextSource::File(file),
        (None, None) if html => TextSource::Html,
        (None, None) if stop_after.is_some() => TextSource::Nothing,
        (None, Some(FileSource::Stdin) | None) => TextSource::Stdin,
    }
}

fn files(option: &'static str, typed: &[String]) -> Result<Vec<Wanted>> {
    let wrong = |typed, why| Error::value(option, typed, why).into();
    typed.iter().map(|typed| Wanted::parse(typed).map_err(|why| wrong(typed, why))).collect()
}

/// Standard input can be used for one part of the message only.
fn one_reader(text: &TextSource, html: Option<&FileSource>, inline: &[Wanted], attachments: &[Wanted]) -> Result<()> {
    let readers = [
        ("--html -", usize::from(html == Some(&FileSource::Stdin))),
        ("--inline -", inline.iter().filter(|one| one.is_stdin()).count()),
        ("--attach -", attachments.iter().filter(|one| one.is_stdin()).count()),
    ];
    let text = usize::from(*text == TextSource::Stdin);
    let Some((option, _)) = readers.iter().find(|(_, count)| *count > 0) else { return Ok(()) };
    let why = if text > 0 {
        "standard input is needed for the text too; use --body"
    } else {
        "standard input can be read only once"
    };
    ensure!(text + readers.iter().map(|(_, count)| count).sum::<usize>() == 1, usage(option, why));
    Ok(())
}

fn one_line(option: &'static str, text: String) -> Result<String> {
    let breaks = |character: char| character.is_control() && character != '\t';
    ensure!(
        !text.contains(breaks),
        Error::new(Kind::BadData, option, "", "a line break or control character in a header field")
    );
    Ok(text)
}

fn header(typed: &str) -> Result<Extra> {
    let wrong = |why: String| anyhow!(Error::new(Kind::BadData, "--header", typed, why));
    let (name, value) = typed.split_once(':').ok_or_else(|| wrong("write 'Name: value'".into()))?;
    let valid = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 70 || !name.bytes().all(valid) {
        return Err(wrong("a field name consists of printable ASCII characters without spaces".into()));
    }
    for (own, cure) in OWN_FIELDS {
        let same = match own.strip_suffix('*') {
            Some(start) => name.to_ascii_lowercase().starts_with(&start.to_ascii_lowercase()),
            None => name.eq_ignore_ascii_case(own),
        };
        if same {
            return Err(wrong(format!("{own} cannot be given this way, {cure}")));
        }
    }
    let value = one_line("--header", value.trim().to_owned())?;
    Extra::new(name, &value).map_err(wrong)
}
