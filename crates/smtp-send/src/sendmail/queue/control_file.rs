//! The control file of a queued message: envelope, attempts, and the time of the next one.
//!
//! It is a JSON object that is replaced as a whole. Its content is checked when it is read: an edited file must not
//! inject a line into a header or a dialogue.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, Local, TimeZone};
use serde::{Deserialize, Serialize};

use crate::delivery;
use crate::message::Edits;
use crate::proto::address::{Address, Mailbox};

/// Version of the format.
const VERSION: u8 = 1;
/// Factor from the pauses of a session, in seconds, to those of the queue, in minutes.
const MINUTES: u32 = 60;
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(4 * 3600);

/// The control file of a queued message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueControlFile {
    version: u8,
    /// Where bounces go; `None` is the null path.
    sender: Option<String>,
    pub(super) recipients: Vec<String>,
    /// The author of a message without From.
    author_name: Option<String>,
    author: String,
    /// The date of a message without one.
    date: String,
    /// The Message-ID of a message without one.
    message_id: String,
    /// The account; `None` is the default one.
    pub(super) account: Option<String>,
    pub(super) notify: Option<String>,
    pub(super) ret: Option<String>,
    pub(super) envelope_id: Option<String>,
    /// Time of arrival, in seconds since 1970.
    pub(super) arrived: i64,
    pub(super) attempts: u32,
    /// Time of the next attempt, in seconds since 1970.
    pub(super) next: i64,
    pub(super) why: Option<String>,
}

/// Why a control file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlFileError {
    /// Not a JSON object of this form.
    #[error("not what the queue writes: {0}")]
    Json(#[from] serde_json::Error),
    /// An unknown version.
    #[error("version {0} is not known")]
    Version(u8),
    /// An invalid value.
    #[error("the field {0} is not valid")]
    Field(&'static str),
}

impl QueueControlFile {
    /// The control file of a message that arrives `now`, in seconds since 1970.
    pub(super) fn new(edits: &Edits, sender: Option<&Address>, recipients: &[Address], now: i64) -> Self {
        let author = edits.from.as_ref();
        let date = edits.date.unwrap_or_else(|| Local::now().fixed_offset());
        Self {
            version: VERSION,
            sender: sender.map(ToString::to_string),
            recipients: recipients.iter().map(ToString::to_string).collect(),
            author_name: author.and_then(|author| author.name.clone()),
            author: author.map(|author| author.address.to_string()).unwrap_or_default(),
            date: date.to_rfc2822(),
            message_id: edits.message_id.clone().unwrap_or_default(),
            account: None,
            notify: None,
            ret: None,
            envelope_id: None,
            arrived: now,
            attempts: 0,
            next: now,
            why: None,
        }
    }

    /// Parses a control file.
    pub fn parse(json: &[u8]) -> Result<Self, ControlFileError> {
        let control_file: Self = serde_json::from_slice(json)?;
        if control_file.version != VERSION {
            return Err(ControlFileError::Version(control_file.version));
        }
        control_file.reverse_path()?;
        control_file.recipients()?;
        control_file.edits()?;
        for (field, value) in [
            ("account", &control_file.account),
            ("notify", &control_file.notify),
            ("ret", &control_file.ret),
            ("envelope_id", &control_file.envelope_id),
        ] {
            if value.as_ref().is_some_and(|value| value.contains(char::is_control)) {
                return Err(ControlFileError::Field(field));
            }
        }
        if control_file.recipients.is_empty() { Err(ControlFileError::Field("recipients")) } else { Ok(control_file) }
    }

    /// The JSON text.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Where bounces go; `None` is the null path.
    pub fn reverse_path(&self) -> Result<Option<Address>, ControlFileError> {
        let address = self.sender.as_deref().map(Address::parse).transpose();
        address.map_err(|_| ControlFileError::Field("sender"))
    }

    /// The remaining recipients.
    pub fn recipients(&self) -> Result<Vec<Address>, ControlFileError> {
        let addresses = self.recipients.iter().map(|one| Address::parse(one)).collect::<Result<_, _>>();
        addresses.map_err(|_| ControlFileError::Field("recipients"))
    }

    /// The fields to add to the message, the same at every attempt.
    pub fn edits(&self) -> Result<Edits, ControlFileError> {
        let date = DateTime::parse_from_rfc2822(&self.date).map_err(|_| ControlFileError::Field("date"))?;
        let address = Address::parse(&self.author).map_err(|_| ControlFileError::Field("author"))?;
        let name = self.author_name.clone();
        if name.as_ref().is_some_and(|name| name.contains(char::is_control)) {
            return Err(ControlFileError::Field("author_name"));
        }
        let id = &self.message_id;
        if !(id.starts_with('<') && id.ends_with('>') && id.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(ControlFileError::Field("message_id"));
        }
        Ok(Edits {
            remove_bcc: true,
            from: Some(Mailbox { name, address }),
            date: Some(date),
            message_id: Some(id.clone()),
        })
    }

    pub(super) fn sender(&self) -> &str {
        self.sender.as_deref().unwrap_or_default()
    }

    /// Counts a failed attempt and sets the time of the next one.
    pub(super) fn defer(&mut self, now: i64, why: String) {
        self.attempts = self.attempts.saturating_add(1);
        let pause = delivery::backoff(self.attempts).saturating_mul(MINUTES).min(MAX_PAUSE);
        self.next = now.saturating_add(i64::try_from(pause.as_secs()).unwrap_or(i64::MAX));
        self.why = Some(why);
    }
}

pub(super) fn shown(seconds: i64) -> String {
    let time: Option<DateTime<FixedOffset>> = Local.timestamp_opt(seconds, 0).single().map(|time| time.fixed_offset());
    time.map_or_else(|| seconds.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control_file() -> QueueControlFile {
        let author = Mailbox::parse("Jörg <jo@example.org>").unwrap();
        let edits = Edits {
            from: Some(author.clone()),
            date: Some(DateTime::parse_from_rfc3339("2026-11-25T12:00:00+01:00").unwrap()),
            message_id: Some("<1@example.org>".into()),
            ..Edits::default()
        };
        QueueControlFile::new(&edits, Some(&author.address), &[Address::parse("bob@example.com").unwrap()], 1_000_000)
    }

    #[test]
    fn a_control_file_is_read_as_it_was_written() {
        let control_file = control_file();
        let read = QueueControlFile::parse(control_file.json().as_bytes()).unwrap();
        assert_eq!(read, control_file);
        assert_eq!(read.edits().unwrap().message_id.as_deref(), Some("<1@example.org>"));
        assert_eq!(read.recipients().unwrap().len(), 1);
    }

    #[test]
    fn a_control_file_that_was_tampered_with_is_refused() {
        let json = control_file().json();
        for (from, to) in [
            ("<1@example.org>", "<1@example.org>\\r\\nBcc: x@y"),
            ("bob@example.com", "bob@example.com>\\r\\nRCPT TO:<x@y"),
            ("\"version\": 1", "\"version\": 2"),
            ("Jörg", "J\\nB"),
            ("\"recipients\": [", "\"recipients\": [], \"x\": ["),
            ("Wed, 25 Nov", "25 of Nov"),
        ] {
            let tampered = json.replace(from, to);
            assert_ne!(tampered, json, "{from}");
            assert!(QueueControlFile::parse(tampered.as_bytes()).is_err(), "{tampered}");
        }
        assert!(QueueControlFile::parse(b"{").is_err());
    }

    #[test]
    fn pauses_grow_from_a_minute_to_hours() {
        let mut control_file = control_file();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            control_file.defer(0, "busy".into());
            pauses.push(control_file.next);
        }
        assert!((45..=75).contains(&pauses[0]) && (90..=150).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[11] <= 4 * 3600 && pauses[11] > 3 * 3600, "{pauses:?}");
    }
}
