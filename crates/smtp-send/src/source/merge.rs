//! Mail merge: a message for each row of a table, from a template, to the address in the row.
//!
//! Every row is checked before anything is sent, and filled in again when it is sent. A row has one recipient, and no
//! value can start a header line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset};
use common::Error;

use super::csv_table::{BadRow, CsvTable, CsvTableError};
use crate::config::{FileSource, MergeMail, ReversePath};
use crate::errors;
use crate::host;
use crate::message::dkim_signer::Signer;
use crate::message::headers::Headers;
use crate::message::template::{Columns, Template};
use crate::message::{Edits, ExistingMessage, FieldError, Message, OutgoingMessage};
use crate::proto::address::{Address, Mailbox};
use crate::run_id;
use crate::source::{Digest, MessageSource, OpenMessage};

/// Largest template in bytes; it is held in memory.
const MAX_TEMPLATE: u64 = 32 << 20;
/// Columns that hold the address unless another one is named.
const ADDRESS_COLUMNS: [&str; 4] = ["email", "e-mail", "mail", "to"];
/// Most bad rows that are named; the others are counted.
const NAMED: usize = 10;

/// The messages of a table.
#[derive(Debug)]
pub struct Merge {
    mail: MergeMail,
    signer: Option<Arc<Signer>>,
    rows: CsvTable,
    template: Template,
    template_bytes: Vec<u8>,
    /// Index of the column with the address.
    column: usize,
    adds_to: bool,
    date: DateTime<FixedOffset>,
    host: String,
    run: String,
    skipped: usize,
}

impl Merge {
    /// Checks the template and every row. `stdin` opens standard input.
    ///
    /// # Errors
    /// The template cannot be used, or a row without `keep_going`.
    pub fn check(
        mail: MergeMail,
        signer: Option<Arc<Signer>>,
        keep_going: bool,
        stdin: impl FnOnce() -> Box<dyn Read>,
    ) -> Result<Self, Error> {
        let template_bytes = read_template(&mail)?;
        let (rows, bad) = match &mail.rows {
            FileSource::File(path) => CsvTable::open(path, mail.separator),
            FileSource::Stdin => CsvTable::keep(stdin(), mail.separator),
        }
        .map_err(|error| no_table(&mail.rows, error))?;
        let column = address_column(&rows, &mail)?;
        let columns = Columns::new(rows.columns().to_vec());
        let template = Template::parse(&template_bytes, columns)
            .map_err(|error| errors::malformed(mail.template.display(), error))?;
        let adds_to = !template.has("To");
        let (date, host, run) = (chrono::Local::now().fixed_offset(), host::best_name(), run_id::new()?);
        let mut merge =
            Self { mail, signer, rows, template, template_bytes, column, adds_to, date, host, run, skipped: bad.len() };
        merge.check_rows(bad, keep_going)?;
        Ok(merge)
    }

    /// Checks every row, and removes or refuses the bad ones.
    fn check_rows(&mut self, mut bad: Vec<BadRow>, keep_going: bool) -> Result<(), Error> {
        let (hasher, mut seen, mut repeated) = (RandomState::new(), HashMap::new(), Vec::new());
        let mut good = Vec::with_capacity(self.rows.len());
        for number in 0..self.rows.len() {
            let (row, line) = (self.row(number)?, self.rows.line(number));
            let checked = self.recipient(&row).map_err(|why| BadRow { line, why });
            let checked = checked.and_then(|address| {
                let filled = self.template.check(&|column| row[column].clone());
                filled.map_err(|error| BadRow { line, why: error.to_string() }).map(|()| address)
            });
            good.push(checked.is_ok());
            match checked {
                Err(row) => bad.push(row),
                Ok(address) => {
                    // Hashes need less memory than addresses; a 64-bit collision is negligible.
                    let first = *seen.entry(hasher.hash_one(address.as_str().to_lowercase())).or_insert(line);
                    if first != line {
                        repeated.push((line, first, address));
                    }
                }
            }
        }
        if let Some((line, first, address)) = repeated.first() {
            let count = repeated.len();
            log::warn!("{count} rows repeat an address, and each is sent: {address} in line {line} and line {first}");
        }
        bad.sort_by_key(|row| row.line);
        self.skipped = bad.len();
        self.rows.retain(|number| good[number]);
        self.refuse(&bad, keep_going)
    }

    fn refuse(&self, bad: &[BadRow], keep_going: bool) -> Result<(), Error> {
        let name = self.rows.path().display();
        let wrong = |why: String| errors::malformed(name.to_string(), why);
        let named = if keep_going || bad.len() > 1 { &bad[..bad.len().min(NAMED)] } else { &[] };
        for row in named {
            log::warn!("{name} line {}: {}", row.line, row.why);
        }
        match bad {
            [row] if !keep_going => Err(wrong(format!("line {}: {}; nothing is sent", row.line, row.why))),
            [_, _, ..] if !keep_going => {
                let all = bad.len() + self.rows.len();
                Err(wrong(format!(
                    "{} of {all} rows cannot be sent; nothing is sent (--keep-going sends the others)",
                    bad.len()
                )))
            }
            _ if self.rows.is_empty() => Err(wrong("no row that can be sent".into())),
            _ => Ok(()),
        }
    }

    fn row(&self, number: usize) -> Result<Vec<String>, Error> {
        self.rows.read(number).map_err(|error| errors::unreadable(self.rows.path().display(), error))
    }

    fn recipient(&self, row: &[String]) -> Result<Address, String> {
        let address = row[self.column].trim();
        Address::parse(address).map_err(|error| format!("{}: '{address}': {error}", self.rows.columns()[self.column]))
    }

    fn filled(&self, number: usize) -> Result<OutgoingMessage, Error> {
        let row = self.row(number)?;
        let name = self.label(number);
        let wrong = |why: String| errors::malformed(&name, why);
        let recipient = self.recipient(&row).map_err(wrong)?;
        let mut first = Headers::default();
        if self.adds_to {
            first.mailboxes("To", &[Mailbox { name: None, address: recipient.clone() }]);
        }
        let message = self.template.fill(&|column| row[column].clone(), &first);
        let message = message.map_err(|error| wrong(error.to_string()))?;
        let edits = Edits {
            remove_bcc: true,
            from: Some(self.mail.author.clone()),
            date: Some(self.date),
            // The same identifier when the run is resumed, so that duplicates can be recognised.
            message_id: Some(format!("<{}.{}@{}>", self.run, self.rows.line(number), self.host)),
        };
        let ready = ExistingMessage::own(message, &edits).map_err(|error| error.into_error(&name))?;
        let broken = |error: &FieldError| wrong(error.to_string());
        let reverse_path = match &self.mail.reverse_path {
            ReversePath::Given(path) => path.clone(),
            ReversePath::OfHeader => ready.author().map_err(broken)?.cloned(),
        };
        let message = Message::Existing(Box::new(ready)).signed_by(self.signer.as_ref());
        Ok(OutgoingMessage { reverse_path, recipients: vec![recipient], message })
    }

    fn label(&self, number: usize) -> String {
        format!("{} line {}", self.rows.path().display(), self.rows.line(number))
    }
}

impl MessageSource for Merge {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        (self.rows.len() > 1).then(|| self.label(number))
    }

    fn recipients(&self, number: usize) -> Result<Cow<'_, [Address]>, Error> {
        Ok(vec![self.recipient(&self.row(number)?).map_err(|why: String| errors::malformed(self.label(number), why))?]
            .into())
    }

    fn open(&self, number: usize) -> Result<OpenMessage<'_>, Error> {
        self.filled(number).map(OpenMessage::from)
    }

    fn digest(&self) -> Result<String, Error> {
        let mail = &self.mail;
        let mut digest = Digest::new("merge");
        digest.words(format!("{:?} {:?} {}", mail.author, mail.reverse_path, self.column).as_bytes());
        digest.words(&[mail.separator]);
        digest.words(&self.template_bytes);
        digest.stream(self.rows.bytes()).map_err(|error| errors::unreadable(self.rows.path().display(), error))?;
        Ok(digest.finish())
    }

    fn skipped(&self) -> usize {
        self.skipped
    }

    fn set_run_id(&mut self, run: &str) {
        run.clone_into(&mut self.run);
    }

    fn preview_count(&self) -> usize {
        self.len().min(1)
    }
}

fn read_template(mail: &MergeMail) -> Result<Vec<u8>, Error> {
    let unreadable = |error| errors::unreadable(mail.template.display(), error);
    let facts = fs::metadata(&mail.template).map_err(unreadable)?;
    if !facts.is_file() {
        return Err(unreadable(std::io::Error::other("not a regular file")));
    }
    if facts.len() > MAX_TEMPLATE {
        let why = format!("larger than {} MiB, which is held in memory", MAX_TEMPLATE >> 20);
        return Err(errors::malformed(mail.template.display(), why));
    }
    fs::read(&mail.template).map_err(unreadable)
}

fn no_table(source: &FileSource, error: CsvTableError) -> Error {
    let name = match source {
        FileSource::Stdin => "standard input".to_owned(),
        FileSource::File(path) => path.display().to_string(),
    };
    match error {
        CsvTableError::Io(error) => errors::unreadable(name, error),
        CsvTableError::NoTable(why) => errors::malformed(name, why),
    }
}

fn address_column(rows: &CsvTable, mail: &MergeMail) -> Result<usize, Error> {
    let columns = Columns::new(rows.columns().to_vec());
    let wrong = |why: String| errors::malformed(rows.path().display(), why);
    let known = || columns.names().join(", ");
    if let Some(wanted) = &mail.column {
        return columns
            .find(wanted)
            .ok_or_else(|| wrong(format!("no column has the name {wanted}; the columns are {}", known())));
    }
    let found = ADDRESS_COLUMNS.iter().find_map(|name| columns.find(name));
    found.ok_or_else(|| match columns.names() {
        [only] if [';', '\t'].iter().any(|sign| only.contains(*sign)) => {
            wrong("its columns do not seem to be separated by commas; use --merge-separator".into())
        }
        _ => wrong(format!("no column has the name email or to; choose one of {} with --merge-to", known())),
    })
}
