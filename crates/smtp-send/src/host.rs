//! The name of this host and of the user, and unique identifiers.
//!
//! The network is never asked. A host without a full name has its short one.

use std::path::{Path, PathBuf};
use std::{env, fs};

use chrono::{DateTime, FixedOffset};
use common::{Error, random};
use nix::unistd::{User, gethostname, getuid};

use crate::proto::address::is_domain;

/// The full name of this host from its host name or /etc/hosts, if it has a dot.
pub fn full_name() -> Option<String> {
    let name = short_name();
    if name.contains('.') {
        return Some(name);
    }
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    full_name_in(&hosts, &name)
}

/// The full name of this host, else its short name.
pub fn best_name() -> String {
    full_name().unwrap_or_else(short_name)
}

/// The login name of the user, limited to characters that an address may contain.
pub fn user_name() -> String {
    let name = User::from_uid(getuid()).ok().flatten().map_or_else(|| format!("uid{}", getuid()), |user| user.name);
    let valid = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    name.chars().map(|character| if valid(character) { character } else { '_' }).collect()
}

/// The name of the user in the first part of the "gecos" field (passwd(5)).
pub fn full_user_name() -> Option<String> {
    let user = User::from_uid(getuid()).ok().flatten()?;
    full_name_of(user.gecos.to_str().ok()?, &user.name)
}

/// `&` is the login name with a capital letter.
fn full_name_of(gecos: &str, login: &str) -> Option<String> {
    let mut letters = login.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let name = gecos.split(',').next().unwrap_or_default().replace('&', &capital);
    let name = name.trim();
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The home folder of the user: `HOME`, else that of passwd(5).
pub fn home_folder() -> Option<PathBuf> {
    let set = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    set.or_else(|| User::from_uid(getuid()).ok().flatten().map(|user| user.dir))
}

/// A folder of the XDG Base Directory Specification: the absolute path in `variable`, else `fallback` in a home
/// folder that `accepts` it.
pub fn xdg_folder(variable: &str, fallback: &str, accepts: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let set = env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute());
    set.or_else(|| home_folder().filter(|home| accepts(home)).map(|home| home.join(fallback)))
}

/// A Message-ID: the time, 96 random bits, the host.
pub fn message_id(date: &DateTime<FixedOffset>, host: &str) -> Result<String, Error> {
    let random = random::hex::<12>()?;
    Ok(format!("<{}.{random}@{host}>", date.format("%Y%m%d%H%M%S")))
}

/// The host name, without characters that are invalid in a domain.
fn short_name() -> String {
    let name = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let name = name.replace('_', "-");
    if is_domain(&name) { name } else { "localhost".to_owned() }
}

/// The first name with a dot on the line of a hosts file that names `host`.
fn full_name_in(hosts: &str, host: &str) -> Option<String> {
    let lines = hosts.lines().filter_map(|line| line.split('#').next());
    let mut names = lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
    let line = names.find(|names| names.contains(&host))?;
    line.into_iter().find(|name| name.contains('.') && is_domain(name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_knows_the_full_name() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 box.example.com box # ours\n10.0.0.1 other.example.com other\n";
        assert_eq!(full_name_in(hosts, "box"), Some("box.example.com".into()));
        assert_eq!(full_name_in(hosts, "localhost"), None);
        assert_eq!(full_name_in(hosts, "nobody"), None);
    }

    #[test]
    fn two_message_ids_differ_and_end_in_the_host() {
        let date = DateTime::parse_from_rfc3339("2026-02-03T04:05:06+01:00").unwrap();
        let ids = [message_id(&date, "example.com").unwrap(), message_id(&date, "example.com").unwrap()];
        assert_ne!(ids[0], ids[1]);
        assert!(ids[0].starts_with("<20260203040506.") && ids[0].ends_with("@example.com>"), "{}", ids[0]);
    }

    #[test]
    fn the_name_of_a_person_is_the_first_part_of_the_field() {
        assert_eq!(full_name_of("Ann Example,Room 1,,", "ann"), Some("Ann Example".into()));
        assert_eq!(full_name_of("& Example", "ann"), Some("Ann Example".into()));
        assert_eq!(full_name_of(",,,", "ann"), None);
    }

    #[test]
    fn the_user_name_can_stand_in_an_address() {
        assert!(user_name().bytes().all(crate::proto::address::is_atom_byte));
    }
}
