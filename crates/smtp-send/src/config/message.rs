//! The options of the message: text, fields, files.

use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use common::{Failure, Kind};

use super::envelope::{author, each_once, mailboxes, reverse_path};
use super::usage;
use crate::cli::{EnvelopeArgs, MessageArgs};
use crate::message::attach::Wanted;
use crate::proto::address::{Address, Mailbox};
use crate::session::StopAfter;

/// Fields that have an option of their own, or that only this program can know.
const OWN_FIELDS: [(&str, &str); 8] = [
    ("From", "use --from"),
    ("To", "use --to"),
    ("Cc", "use --cc"),
    ("Bcc", "use --bcc"),
    ("Subject", "use --subject"),
    ("Reply-To", "use --reply-to"),
    ("MIME-Version", "it is written anyway"),
    ("Content-*", "they follow from the text"),
];

/// A message that is composed from options, with its envelope.
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
    /// Everybody who gets the message, each address once.
    pub recipients: Vec<Address>,
    /// The field Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// The subject.
    pub subject: Option<String>,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// Where the text comes from.
    pub text: TextSource,
    /// Files that go with it.
    pub attachments: Vec<Wanted>,
}

/// Where a text comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum TextSource {
    /// Standard input.
    Stdin,
    /// The command line.
    Inline(String),
    /// A file.
    File(PathBuf),
    /// None is needed: a probe ends before the message.
    Nothing,
}

impl Composed {
    pub(super) fn new(envelope: &EnvelopeArgs, message: MessageArgs, stop_after: Option<StopAfter>) -> Result<Self> {
        let list = |option, typed: &[String]| mailboxes(option, typed);
        let (to, cc, bcc) = (list("--to", &envelope.to)?, list("--cc", &envelope.cc)?, list("--bcc", &envelope.bcc)?);
        let recipients = each_once(to.iter().chain(&cc).chain(&bcc));
        let needs_recipient = stop_after.is_none_or(|step| step == StopAfter::Rcpt);
        ensure!(!(recipients.is_empty() && needs_recipient), usage("no recipient", "use --to, --cc or --bcc"));
        let from = author(envelope.from.as_deref())?;
        let text = text_source(message.body, message.body_file, stop_after);
        Ok(Self {
            reverse_path: reverse_path(envelope.envelope_from.as_deref(), &from)?,
            from,
            to,
            cc,
            recipients,
            reply_to: mailboxes("--reply-to", &message.reply_to)?,
            subject: message.subject.map(|typed| one_line("--subject", typed)).transpose()?,
            headers: message.header.iter().map(|typed| header(typed)).collect::<Result<_>>()?,
            attachments: attachments(&message.attach, &text)?,
            text,
        })
    }
}

fn text_source(body: Option<String>, file: Option<PathBuf>, stop_after: Option<StopAfter>) -> TextSource {
    match (body, file) {
        (Some(text), _) => TextSource::Inline(text),
        (None, Some(file)) if file.as_os_str() != "-" => TextSource::File(file),
        (None, None) if stop_after.is_some() => TextSource::Nothing,
        _ => TextSource::Stdin,
    }
}

fn attachments(typed: &[String], text: &TextSource) -> Result<Vec<Wanted>> {
    let wrong = |typed, why| Failure::new(Kind::Usage, "--attach", typed, why);
    let list: Vec<Wanted> =
        typed.iter().map(|typed| Wanted::parse(typed).map_err(|why| wrong(typed, why))).collect::<Result<_, _>>()?;
    let readers = list.iter().filter(|one| one.is_stdin()).count() + usize::from(*text == TextSource::Stdin);
    ensure!(
        readers <= 1 || !list.iter().any(Wanted::is_stdin),
        usage("--attach -", "standard input is needed for the text too; use --body")
    );
    Ok(list)
}

fn one_line(option: &'static str, text: String) -> Result<String> {
    let breaks = |character: char| character.is_control() && character != '\t';
    ensure!(
        !text.contains(breaks),
        Failure::new(Kind::BadData, option, "", "a line break or control character in a header field")
    );
    Ok(text)
}

fn header(typed: &str) -> Result<(String, String)> {
    let wrong = |why: String| anyhow!(Failure::new(Kind::BadData, "--header", typed, why));
    let (name, value) = typed.split_once(':').ok_or_else(|| wrong("write 'Name: value'".into()))?;
    let valid = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 70 || !name.bytes().all(valid) {
        return Err(wrong("the name of a field has no spaces and only ASCII letters, digits and signs".into()));
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
    Ok((name.to_owned(), one_line("--header", value.trim().to_owned())?))
}
