//! The options of the envelope: sender and recipients.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use common::{Error, Kind};

use super::bad;
use crate::errors;
use crate::host;
use crate::proto::address::{Address, Mailbox, parse_list};

/// The mailboxes of an option. `@FILE` names a file with a list on each line; `#` begins a comment line.
pub(super) fn mailboxes(option: &'static str, typed: &[String]) -> Result<Vec<Mailbox>> {
    let mut all = Vec::new();
    for value in typed {
        let Some(file) = value.strip_prefix('@') else {
            all.extend(parse_list(value).map_err(|error| bad(option, value, error))?);
            continue;
        };
        let text = fs::read_to_string(Path::new(file)).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => Error::new(Kind::BadData, option, value, "the file is not UTF-8"),
            _ => errors::unreadable(file, cause),
        })?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
            let place = || format!("{file} line {}", number + 1);
            all.extend(parse_list(line.trim()).map_err(|error| bad(option, &place(), error))?);
        }
    }
    Ok(all)
}

/// The addresses in their order, each once.
pub(super) fn each_once<'a>(mailboxes: impl Iterator<Item = &'a Mailbox>) -> Vec<Address> {
    let mut seen = HashSet::new();
    mailboxes.map(|mailbox| &mailbox.address).filter(|address| seen.insert(*address)).cloned().collect()
}

pub(super) fn author(typed: Option<&str>) -> Result<Mailbox> {
    if let Some(typed) = typed {
        return Mailbox::parse(typed).map_err(|error| bad("--from", typed, error));
    }
    let address = format!("{}@{}", host::user_name(), host::best_name());
    Mailbox::parse(&address).map_err(|error| bad("no --from, and your own address is not valid:", &address, error))
}

pub(super) fn reverse_path(typed: Option<&str>, from: &Mailbox) -> Result<Option<Address>> {
    match typed {
        Some("" | "<>") => Ok(None),
        Some(typed) => {
            let mailbox = Mailbox::parse(typed).map_err(|error| bad("--envelope-from", typed, error))?;
            Ok(Some(mailbox.address))
        }
        None => Ok(Some(from.address.clone())),
    }
}
