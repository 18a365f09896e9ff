//! The format of htpasswd files: `user:hash` in each line, `#` for comments. No I/O.
//!
//! Only bcrypt is accepted, because the other schemes are too fast to resist guessing. An error names the line and the
//! solution.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// Highest bcrypt cost, about four seconds; each step doubles the time.
pub const MAX_COST: u32 = 16;
/// Lowest bcrypt cost.
const MIN_COST: u32 = 4;
/// `$2y$10$`, 22 characters of salt and 31 of hash.
const HASH_LENGTH: usize = 60;

/// The users of a file with their hashes, in the order of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Users {
    records: Vec<UserRecord>,
    by_name: HashMap<Vec<u8>, usize>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The name: no colon, no control character.
    pub name: Vec<u8>,
    /// A well-formed bcrypt hash.
    pub hash: String,
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HtpasswdError {
    /// A malformed line. The text contains no part of the hash.
    #[error("line {line}: {what}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong, and the solution.
        what: String,
    },
    /// There is no user.
    #[error("contains no user; add one with: htpasswd -B FILE USER")]
    Empty,
}

impl Users {
    /// Reads a file.
    pub fn parse(text: &[u8]) -> Result<Self, HtpasswdError> {
        let mut users = Self::default();
        let mut lines = HashMap::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#") {
                continue;
            }
            let number = number + 1;
            let error = |what: String| HtpasswdError::Line { line: number, what };
            let record = record(line).map_err(error)?;
            match lines.entry(record.name.clone()) {
                Entry::Occupied(first) => {
                    let name = common::SafeText(&record.name).to_string();
                    return Err(error(format!("user {name} is already in line {}", first.get())));
                }
                Entry::Vacant(place) => _ = place.insert(number),
            }
            users.by_name.insert(record.name.clone(), users.records.len());
            users.records.push(record);
        }
        if users.records.is_empty() { Err(HtpasswdError::Empty) } else { Ok(users) }
    }

    /// The record of a user.
    pub fn find(&self, name: &[u8]) -> Option<&UserRecord> {
        self.records.get(*self.by_name.get(name)?)
    }

    /// The record that is compared for an unknown user, chosen by `number`, so that the comparison takes as long.
    pub fn any(&self, number: u64) -> Option<&UserRecord> {
        let count = u64::try_from(self.records.len()).ok()?;
        self.records.get(usize::try_from(number.checked_rem(count)?).ok()?)
    }

    /// The number of users.
    pub fn count(&self) -> usize {
        self.records.len()
    }
}

/// The record of one line; text after a second colon is a comment.
fn record(line: &[u8]) -> Result<UserRecord, String> {
    let mut parts = line.split(|byte| *byte == b':');
    let (Some(name), Some(hash)) = (parts.next(), parts.next()) else { return Err("has no colon".to_owned()) };
    if name.is_empty() {
        return Err("has no user before the colon".to_owned());
    }
    if name.iter().any(u8::is_ascii_control) {
        return Err("the name of the user contains a control character".to_owned());
    }
    let scheme = HashScheme::of(hash);
    if scheme != HashScheme::Bcrypt {
        let name = common::SafeText(name);
        return Err(format!(
            "the password of {name} is {scheme}; only bcrypt is supported; create one with: htpasswd -B FILE {name}"
        ));
    }
    let cost = cost(hash).ok_or("the bcrypt hash is malformed")?;
    if cost > MAX_COST {
        return Err(format!("the bcrypt cost {cost} makes every login very slow; the maximum is {MAX_COST}"));
    }
    let hash = String::from_utf8(hash.to_vec()).map_err(|_| "the bcrypt hash is malformed")?;
    if cost < MIN_COST || hash.parse::<bcrypt::HashParts>().is_err() {
        return Err("the bcrypt hash is malformed".to_owned());
    }
    Ok(UserRecord { name: name.to_vec(), hash })
}

/// The cost of a bcrypt hash; `None` if it is malformed.
fn cost(hash: &[u8]) -> Option<u32> {
    match hash {
        [b'$', b'2', _, b'$', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'$', ..] if hash.len() == HASH_LENGTH => {
            Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        }
        _ => None,
    }
}

/// The hash scheme, by the beginning of the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HashScheme {
    Bcrypt,
    FaultyBcrypt,
    AprMd5,
    Md5,
    Sha1,
    Sha256,
    Sha512,
    Other,
    Plain,
}

impl HashScheme {
    fn of(hash: &[u8]) -> Self {
        const BEGINNINGS: [(&[u8], HashScheme); 10] = [
            (b"$2y$", HashScheme::Bcrypt),
            (b"$2a$", HashScheme::Bcrypt),
            (b"$2b$", HashScheme::Bcrypt),
            (b"$2x$", HashScheme::FaultyBcrypt),
            (b"$apr1$", HashScheme::AprMd5),
            (b"$1$", HashScheme::Md5),
            (b"{SHA}", HashScheme::Sha1),
            (b"$5$", HashScheme::Sha256),
            (b"$6$", HashScheme::Sha512),
            (b"$", HashScheme::Other),
        ];
        BEGINNINGS.iter().find(|(start, _)| hash.starts_with(start)).map_or(Self::Plain, |(_, scheme)| *scheme)
    }
}

impl fmt::Display for HashScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt => "bcrypt",
            Self::FaultyBcrypt => "bcrypt of the faulty kind $2x$",
            Self::AprMd5 => "MD5 of Apache",
            Self::Md5 => "MD5 of crypt",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256 of crypt",
            Self::Sha512 => "SHA-512 of crypt",
            Self::Other => "of another scheme",
            Self::Plain => "plain text or DES of crypt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well-formed; the password is unknown.
    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuPRA2RSn2iuQpiZw5oIb8Z4fbOxA9L2S";

    fn error(text: &str) -> String {
        Users::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn users_are_found_between_comments_and_blank_lines() {
        let text = format!("# staff\n\nann:{HASH}\r\n  \n  # more\nbob:{HASH}:a comment\n");
        let users = Users::parse(text.as_bytes()).unwrap();
        assert_eq!(users.count(), 2);
        assert_eq!(users.find(b"ann").unwrap().hash, HASH);
        assert_eq!(users.find(b"bob").unwrap().hash, HASH);
        assert_eq!(users.find(b"eve"), None);
        assert_eq!(users.any(u64::MAX), users.find(b"bob"));
    }

    #[test]
    fn other_schemes_are_refused_with_their_line_and_the_solution() {
        for (hash, scheme) in [
            ("$apr1$salt$hash", "MD5 of Apache"),
            ("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "SHA-1"),
            ("$6$salt$hash", "SHA-512 of crypt"),
            ("$5$salt$hash", "SHA-256 of crypt"),
            ("$1$salt$hash", "MD5 of crypt"),
            ("$y$j9T$salt$hash", "of another scheme"),
            ("secret", "plain text or DES of crypt"),
            ("$2x$04$abcdefghijklmnopqrstuuPRA2RSn2iuQpiZw5oIb8Z4fbOxA9L2S", "bcrypt of the faulty kind $2x$"),
        ] {
            let text = format!("# x\nann:{hash}\n");
            let solution = "only bcrypt is supported; create one with: htpasswd -B FILE ann";
            assert_eq!(error(&text), format!("line 2: the password of ann is {scheme}; {solution}"));
        }
    }

    #[test]
    fn a_malformed_line_is_named_without_its_hash() {
        for (text, what) in [
            ("ann\n".to_owned(), "line 1: has no colon"),
            (format!("\n:{HASH}"), "line 2: has no user"),
            (format!("a\x1b:{HASH}"), "line 1: the name of the user contains a control character"),
            (format!("ann:{}", &HASH[..59]), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}!", &HASH[..59]), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}", HASH.replace("$04$", "$03$")), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}", HASH.replace("$04$", "$17$")), "line 1: the bcrypt cost 17 makes"),
            (format!("ann:{HASH}\nbob:{HASH}\nann:{HASH}"), "line 3: user ann is already in line 1"),
            ("# empty\n".to_owned(), "contains no user"),
            (String::new(), "contains no user"),
        ] {
            let message = error(&text);
            assert!(message.starts_with(what) && !message.contains("PRA2"), "{message}");
        }
    }
}
