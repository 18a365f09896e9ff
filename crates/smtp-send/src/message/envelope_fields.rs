//! Who sends and who receives an existing message, by its header (RFC 5322, sections 3.6.2, 3.6.3 and 3.6.6).
//!
//! A message that was sent again has blocks of Resent- fields in front, the newest first; only that one counts then.

use std::collections::HashSet;

use crate::proto::address::{Address, AddressError, Mailbox};
use crate::proto::header::{self, Field, Header};

/// An address field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct FieldError {
    /// The name of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub cause: AddressError,
}

/// The envelope that a header asks for.
#[derive(Debug)]
pub(super) struct HeaderEnvelope {
    /// Each address once; or the first field that cannot be read.
    pub(super) recipients: Result<Vec<Address>, FieldError>,
    /// Who is responsible for the sending: the sender, or the author where no sender is named.
    pub(super) author: Result<Option<Address>, FieldError>,
    /// The Message-ID as it is written; empty when there is none.
    pub(super) message_id: String,
}

impl HeaderEnvelope {
    pub(super) fn of(header: &Header<'_>) -> Self {
        let resent = newest_resending(&header.fields);
        let (fields, receivers, senders) = if resent.is_empty() {
            (&header.fields, ["To", "Cc", "Bcc"], ["Sender", "From"])
        } else {
            (&resent, ["Resent-To", "Resent-Cc", "Resent-Bcc"], ["Resent-Sender", "Resent-From"])
        };
        let id = header.fields.iter().find(|field| field.is("Message-ID"));
        Self {
            recipients: recipients(fields, receivers),
            author: author(fields, senders),
            message_id: id.map(|id| String::from_utf8_lossy(&id.unfolded()).into_owned()).unwrap_or_default(),
        }
    }
}

/// The block of Resent- fields that was put in front last. A block ends where one of its names comes again or where a
/// server has left its trace.
fn newest_resending<'a>(fields: &[Field<'a>]) -> Vec<Field<'a>> {
    let mut block: Vec<Field<'_>> = Vec::new();
    for field in fields {
        let again = block.iter().any(|other| other.name().eq_ignore_ascii_case(field.name()));
        let trace = field.is("Received") || field.is("Return-Path");
        if again || (trace && !block.is_empty()) {
            break;
        }
        if field.name().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"Resent-")) {
            block.push(*field);
        }
    }
    block
}

fn recipients(fields: &[Field<'_>], names: [&'static str; 3]) -> Result<Vec<Address>, FieldError> {
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for name in names {
        for field in fields.iter().filter(|field| field.is(name)) {
            let addresses = mailboxes(name, field)?.into_iter().map(|mailbox| mailbox.address);
            all.extend(addresses.filter(|address| seen.insert(address.clone())));
        }
    }
    Ok(all)
}

fn author(fields: &[Field<'_>], names: [&'static str; 2]) -> Result<Option<Address>, FieldError> {
    for name in names {
        for field in fields.iter().filter(|field| field.is(name)) {
            if let Some(first) = mailboxes(name, field)?.into_iter().next() {
                return Ok(Some(first.address));
            }
        }
    }
    Ok(None)
}

/// Names may be in any charset, addresses not: where bytes cannot be read, no address may depend on them.
fn mailboxes(name: &'static str, field: &Field<'_>) -> Result<Vec<Mailbox>, FieldError> {
    let wrong = |cause| FieldError { field: name, cause };
    let value = field.unfolded();
    let list = header::mailboxes(&String::from_utf8_lossy(&value)).map_err(wrong)?;
    if list.iter().any(|mailbox| mailbox.address.as_str().contains(char::REPLACEMENT_CHARACTER)) {
        return Err(wrong(AddressError::LocalPart));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(header: &str) -> HeaderEnvelope {
        HeaderEnvelope::of(&header::parse(header.as_bytes(), true).unwrap())
    }

    fn recipients(text: &str) -> Vec<String> {
        origin(text).recipients.unwrap().iter().map(ToString::to_string).collect()
    }

    fn author(text: &str) -> Option<String> {
        origin(text).author.unwrap().map(|address| address.to_string())
    }

    #[test]
    fn recipients_in_to_cc_and_bcc_are_listed_once() {
        let header = "From: me@x\nBcc: d@x, a@x\nTo: A <a@x>,\n\tTeam: b@x;\nCC: c@x\nTo: e@x\n";
        assert_eq!(recipients(header), ["a@x", "b@x", "e@x", "c@x", "d@x"]);
        assert_eq!(recipients("To: undisclosed-recipients:;\n"), Vec::<String>::new());
    }

    #[test]
    fn only_the_newest_resending_counts() {
        let header = "Received: by y\nResent-From: new@x\nResent-To: n@x\nReceived: by x\nResent-To: o@x\n\
                      Resent-From: old@x\nFrom: me@x\nTo: first@x\nBcc: secret@x\n";
        assert_eq!(recipients(header), ["n@x"]);
        assert_eq!(author(header).as_deref(), Some("new@x"));
        assert_eq!(recipients("Resent-To: n@x\nX: y\nResent-Cc: m@x\nResent-To: o@x\n"), ["n@x", "m@x"]);
    }

    #[test]
    fn the_sender_is_responsible_and_else_the_first_author() {
        assert_eq!(author("From: a@x, b@x\nSender: s@x\n").as_deref(), Some("s@x"));
        assert_eq!(author("From: a@x, b@x\n").as_deref(), Some("a@x"));
        assert_eq!(author("To: a@x\n"), None);
    }

    #[test]
    fn a_broken_field_is_named_and_a_name_in_an_old_charset_is_not_broken() {
        let error = origin("To: a@x\nCc: invalid\n").recipients.unwrap_err();
        assert_eq!((error.field, error.cause), ("Cc", AddressError::NoDomain));
        let latin1 = b"To: J\xf6rg <j@x>\n";
        assert!(HeaderEnvelope::of(&header::parse(latin1, true).unwrap()).recipients.is_ok());
        let broken = b"To: j\xf6rg@x\n";
        assert!(HeaderEnvelope::of(&header::parse(broken, true).unwrap()).recipients.is_err());
    }
}
