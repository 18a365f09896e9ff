//! The envelope, from the arguments, the account and the header.

use std::collections::HashSet;

use common::{Error, Kind};

use super::arguments::Arguments;
use super::qualify;
use crate::host;
use crate::message::{Edits, ExistingMessage};
use crate::proto::address::{Address, AddressError, Mailbox};
use crate::proto::header;

/// The sender, as far as it is known without the message.
#[derive(Debug)]
pub(super) struct SenderIdentity {
    domain: String,
    /// The author of a message without From.
    author: Mailbox,
    bounces: Bounces,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bounces {
    /// To this address.
    To(Address),
    /// Nowhere: the null path.
    Nowhere,
    /// To the author of the message.
    ToAuthor,
}

#[derive(Debug)]
pub(super) struct MessageEnvelope {
    /// Where bounces go; `None` is the null path.
    pub(super) reverse_path: Option<Address>,
    pub(super) recipients: Vec<Address>,
}

impl SenderIdentity {
    /// Built from the account (`from`, `envelope-from`) and the arguments, which take precedence.
    pub(super) fn new(from: Option<&str>, envelope_from: Option<&str>, arguments: &Arguments) -> Result<Self, Error> {
        let wrong = |option, typed: &str, error| Error::new(Kind::BadData, option, typed, error);
        let from =
            from.map(|typed| Mailbox::parse(typed).map_err(|error| wrong("--from", typed, error))).transpose()?;
        let domain = from.as_ref().map_or_else(host::best_name, |from| from.address.domain().to_owned());
        let (option, typed) = match (arguments.sender.as_deref(), envelope_from) {
            (Some(typed), _) => ("-f", Some(typed)),
            (None, typed) => ("--envelope-from", typed),
        };
        let path = |typed: &str| match typed.trim() {
            "" | "<>" => Ok(Bounces::Nowhere),
            typed => qualified(typed, &domain).map(|mailbox| Bounces::To(mailbox.address)),
        };
        let given = typed.map(|typed| path(typed).map_err(|error| wrong(option, typed, error))).transpose()?;
        let own = || qualified(&host::user_name(), &domain).map_err(|error| wrong("", "your own address", error));
        let author = match (&from, &given) {
            (Some(from), _) => from.clone(),
            (None, Some(Bounces::To(address))) if option == "-f" => Mailbox { name: None, address: address.clone() },
            _ => own()?,
        };
        let name = arguments.name.clone().or(author.name).or_else(host::full_user_name);
        let name = name.filter(|name| !name.trim().is_empty() && !name.contains(char::is_control));
        let of_account = || from.map_or(Bounces::ToAuthor, |from| Bounces::To(from.address));
        let bounces = given.unwrap_or_else(of_account);
        Ok(Self { domain, author: Mailbox { name, address: author.address }, bounces })
    }

    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Missing fields are added, Bcc is removed.
    pub(super) fn edits(&self) -> Result<Edits, Error> {
        let date = chrono::Local::now().fixed_offset();
        let message_id = host::message_id(&date, &self.domain)?;
        Ok(Edits { remove_bcc: true, from: Some(self.author.clone()), date: Some(date), message_id: Some(message_id) })
    }

    /// The envelope of a message that was read.
    pub(super) fn envelope(&self, ready: &ExistingMessage, arguments: &Arguments) -> Result<MessageEnvelope, Error> {
        let wrong = |error| Error::bad_data("the header", error);
        let mut recipients = Vec::new();
        for typed in &arguments.recipients {
            let list = qualify::list(typed.as_bytes(), &self.domain);
            let list = header::mailboxes(&String::from_utf8_lossy(&list));
            let list = list.map_err(|error| Error::new(Kind::BadData, "recipient", typed, error))?;
            recipients.extend(list.into_iter().map(|mailbox| mailbox.address));
        }
        if arguments.from_header {
            recipients.extend(ready.recipients().map_err(|error| wrong(error.clone()))?.iter().cloned());
        }
        let mut seen = HashSet::new();
        recipients.retain(|address| seen.insert(address.clone()));
        if recipients.is_empty() {
            let where_to =
                if arguments.from_header { "neither in the header nor in the arguments" } else { "in the arguments" };
            return Err(Error::bad_data("no recipient", where_to));
        }
        let reverse_path = match &self.bounces {
            Bounces::To(address) => Some(address.clone()),
            Bounces::Nowhere => None,
            // If the author cannot be parsed, bounces go to the user.
            Bounces::ToAuthor => ready.author().ok().flatten().cloned().or_else(|| Some(self.author.address.clone())),
        };
        Ok(MessageEnvelope { reverse_path, recipients })
    }
}

fn qualified(typed: &str, domain: &str) -> Result<Mailbox, AddressError> {
    Mailbox::parse(&String::from_utf8_lossy(&qualify::list(typed.as_bytes(), domain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(from: Option<&str>, envelope_from: Option<&str>, line: &[&str]) -> SenderIdentity {
        let arguments = Arguments::parse(line.iter().copied().map(str::to_owned)).unwrap();
        SenderIdentity::new(from, envelope_from, &arguments).unwrap()
    }

    fn to(address: &str) -> Bounces {
        Bounces::To(Address::parse(address).unwrap())
    }

    #[test]
    fn the_argument_counts_more_than_the_account() {
        let account = (Some("Ann <ann@example.org>"), Some("bounces@example.org"));
        let typed = identity(account.0, account.1, &["-f", "bob", "-F", "Bob B.", "x"]);
        assert_eq!(typed.bounces, to("bob@example.org"));
        assert_eq!(typed.author.name.as_deref(), Some("Bob B."));
        assert_eq!(identity(account.0, account.1, &["x"]).bounces, to("bounces@example.org"));
        assert_eq!(identity(account.0, None, &["x"]).bounces, to("ann@example.org"));
        assert_eq!(identity(None, None, &["x"]).bounces, Bounces::ToAuthor);
    }

    #[test]
    fn the_null_path_can_be_asked_for() {
        assert_eq!(identity(Some("a@x"), None, &["-f", "", "x"]).bounces, Bounces::Nowhere);
        assert_eq!(identity(Some("a@x"), None, &["-f<>", "x"]).bounces, Bounces::Nowhere);
        assert_eq!(identity(Some("a@x"), Some(""), &["x"]).bounces, Bounces::Nowhere);
    }

    #[test]
    fn without_an_account_the_sender_that_was_given_is_the_author() {
        let typed = identity(None, None, &["-f", "cid@example.org", "-F", "Cid", "x"]);
        assert_eq!((typed.author.address.as_str(), typed.author.name.as_deref()), ("cid@example.org", Some("Cid")));
    }
}
