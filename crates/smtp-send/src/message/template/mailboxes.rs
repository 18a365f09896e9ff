//! Address fields with placeholders: `{name} <{email}>, ann@example.com`.
//!
//! The list is cut into its members before anything is filled in, so a value can make a name or an address wrong, but never
//! add one.

use super::text::{Columns, TemplateText, TemplateTextError};
use crate::proto::address::{Address, AddressError, Mailbox};

/// A mailbox with placeholders.
#[derive(Debug)]
pub(super) struct ListMember {
    name: Option<TemplateText>,
    address: TemplateText,
}

/// Why the members of a row are none.
#[derive(Debug, thiserror::Error)]
pub enum ListMemberError {
    /// A value that fits into no line.
    #[error(transparent)]
    TemplateText(#[from] TemplateTextError),
    /// No address comes out.
    #[error("{1}: {0}")]
    Address(AddressError, String),
}

/// Reads the value of a field.
pub(super) fn parse(value: &str, columns: &mut Columns) -> Result<Vec<ListMember>, TemplateTextError> {
    let mut members = Vec::new();
    for member in split(value) {
        let (name, address) = match member.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (Some(unquoted(name.trim())), address),
            None => (None, member.as_str()),
        };
        let name =
            name.filter(|name| !name.is_empty()).map(|name| TemplateText::parse(&name, false, columns)).transpose()?;
        members.push(ListMember { name, address: TemplateText::parse(address.trim(), false, columns)? });
    }
    Ok(members)
}

impl ListMember {
    /// The mailbox of a row.
    pub(super) fn fill(&self, row: &dyn Fn(usize) -> String) -> Result<Mailbox, ListMemberError> {
        let name = self.name.as_ref().map(|name| name.line(row)).transpose()?;
        let name = name.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
        let address = self.address.line(row)?;
        let address =
            Address::parse(address.trim()).map_err(|error| ListMemberError::Address(error, address.clone()))?;
        Ok(Mailbox { name: name.filter(|name| !name.is_empty()), address })
    }
}

/// The members of a list: commas in quotes, brackets and braces are none.
fn split(value: &str) -> Vec<String> {
    let (mut members, mut member) = (Vec::new(), String::new());
    let (mut quoted, mut escaped, mut braces) = (false, false, false);
    for character in value.chars() {
        match character {
            ',' if !quoted && !braces => {
                members.push(std::mem::take(&mut member));
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            '{' => braces = true,
            '}' => braces = false,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        member.push(character);
    }
    members.push(member);
    members.into_iter().map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect()
}

/// A phrase without the quotes around it and the backslashes in them.
fn unquoted(phrase: &str) -> String {
    let inner = phrase.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return phrase.to_owned() };
    let (mut out, mut escaped) = (String::new(), false);
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(character);
            escaped = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(value: &str, row: [&str; 2]) -> Result<Vec<(Option<String>, String)>, ListMemberError> {
        let mut columns = Columns::new(["name", "e,mail"].map(str::to_owned).to_vec());
        let members = parse(value, &mut columns)?;
        let row = |number: usize| row[number].to_owned();
        let pair = |mailbox: Mailbox| (mailbox.name, mailbox.address.to_string());
        members.iter().map(|member| member.fill(&row).map(pair)).collect()
    }

    #[test]
    fn names_and_addresses_are_filled_in() {
        let list = filled("{name} <{e,mail}>, \"X, {name}\" <a@x>, {e,mail}", ["O'Neil, \"Jo\"", "b@x"]).unwrap();
        let expected = [(Some("O'Neil, \"Jo\""), "b@x"), (Some("X, O'Neil, \"Jo\""), "a@x"), (None, "b@x")];
        assert_eq!(list, expected.map(|(name, address)| (name.map(str::to_owned), address.to_owned())));
        assert_eq!(filled("{name} <{e,mail}>", ["", "b@x"]).unwrap(), [(None, "b@x".to_owned())]);
    }

    #[test]
    fn no_value_adds_an_address() {
        for value in ["a@x, b@x", "a@x>, <b@x", "a@x\r\nBcc: b@x", "", "a@x b@x"] {
            assert!(filled("{name} <{e,mail}>", ["N", value]).is_err(), "{value}");
        }
        let list = filled("{name} <{e,mail}>", ["x <evil@x>, y", "a@x"]).unwrap();
        assert_eq!(list, [(Some("x <evil@x>, y".to_owned()), "a@x".to_owned())]);
        assert!(filled("{name} <{e,mail}>", ["a\nb", "a@x"]).is_err());
    }
}
