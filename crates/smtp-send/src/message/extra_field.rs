//! Header fields of `--header` and the values they may have (RFC 5322, section 3.6; RFC 2047, section 5).
//!
//! Encoded words are allowed in text and in the names of mailboxes, and nowhere else. A field that is neither takes ASCII as
//! it is.

use chrono::DateTime;

use super::headers::MAX_WORD;
use crate::proto::address::Mailbox;
use crate::proto::header;

/// Fields whose value is made of mailboxes.
const MAILBOXES: [&str; 11] = [
    "Sender",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Reply-To",
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "Errors-To",
    "Mail-Followup-To",
    "Mail-Reply-To",
];

/// Fields that are made of tokens, addresses of the web or identifiers.
const STRUCTURED: [&str; 24] = [
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Received",
    "Return-Path",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Archived-At",
    "Auto-Submitted",
    "Supersedes",
    "Expires",
    "Importance",
    "Priority",
    "Precedence",
    "DKIM-Signature",
    "Authentication-Results",
];

/// A field that was added by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// Name and value, in any script.
    Text(String, String),
    /// Name and value, written as they are.
    Structured(String, String),
    /// Name and mailboxes, whose names are in any script.
    Mailboxes(String, Vec<Mailbox>),
}

impl Extra {
    /// Checks a value for a field of this name; neither has control characters.
    pub fn new(name: &str, value: &str) -> Result<Self, String> {
        let is_one_of = |list: &[&str]| list.iter().any(|one| one.eq_ignore_ascii_case(name));
        if is_one_of(&MAILBOXES) {
            return match header::mailboxes(value) {
                Ok(list) if list.is_empty() => Err("no address".to_owned()),
                Ok(list) => Ok(Self::Mailboxes(name.to_owned(), list)),
                Err(error) => Err(error.to_string()),
            };
        }
        if !is_one_of(&STRUCTURED) {
            return Ok(Self::Text(name.to_owned(), value.to_owned()));
        }
        if !value.is_ascii() {
            return Err("other scripts than ASCII cannot be written in this field".to_owned());
        }
        if value.split_ascii_whitespace().any(|word| word.len() > MAX_WORD) {
            return Err(format!("a word of more than {MAX_WORD} characters cannot be written in this field"));
        }
        if name.eq_ignore_ascii_case("Date") && DateTime::parse_from_rfc2822(value).is_err() {
            return Err("a date is written like 'Tue, 3 Feb 2026 04:05:06 +0100'".to_owned());
        }
        if name.eq_ignore_ascii_case("Message-ID") && !is_message_id(value) {
            return Err("an identifier is written like '<unique@example.com>'".to_owned());
        }
        Ok(Self::Structured(name.to_owned(), value.to_owned()))
    }

    /// The name of the field.
    pub fn name(&self) -> &str {
        match self {
            Self::Text(name, _) | Self::Structured(name, _) | Self::Mailboxes(name, _) => name,
        }
    }
}

fn is_message_id(value: &str) -> bool {
    let inner = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let sides = inner.and_then(|inner| inner.split_once('@'));
    sides.is_some_and(|(left, right)| {
        let valid = |side: &str| !side.is_empty() && side.bytes().all(|b| b.is_ascii_graphic() && !b"<>@".contains(&b));
        valid(left) && valid(right)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_come_only_where_they_are_allowed() {
        assert!(matches!(Extra::new("X-Note", "naïve"), Ok(Extra::Text(..))));
        assert!(matches!(Extra::new("sender", "Jörg <j@x>"), Ok(Extra::Mailboxes(..))));
        for name in ["List-Unsubscribe", "references", "IN-REPLY-TO", "Message-ID"] {
            assert!(Extra::new(name, "<ü@x>").unwrap_err().contains("ASCII"), "{name}");
            assert!(matches!(Extra::new(name, "<u@x>"), Ok(Extra::Structured(..))));
        }
    }

    #[test]
    fn a_date_an_identifier_and_a_mailbox_must_be_one() {
        for (name, wrong) in [
            ("Date", "tomorrow"),
            ("Message-ID", "1"),
            ("Message-ID", "<1>"),
            ("Message-ID", "<a@b> <c@d>"),
            ("Sender", "nobody"),
            ("Sender", ""),
            ("References", &"x".repeat(1000)),
        ] {
            assert!(Extra::new(name, wrong).is_err(), "{name}: {wrong}");
        }
    }
}
