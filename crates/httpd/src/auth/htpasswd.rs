//! The format of htpasswd files: `user:hash` in each line, `#` for comments. No I/O.
//!
//! Only bcrypt is taken. The other schemes that such files may hold are too fast to resist guessing; they are named with
//! their line, and with what to do about it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// The largest cost: each step doubles the time, and 16 is about four seconds. More would be a login that nobody awaits.
pub const MAX_COST: u32 = 16;
/// The least cost that bcrypt knows.
const MIN_COST: u32 = 4;
/// `$2y$10$`, 22 characters of salt and 31 of hash.
const HASH_LENGTH: usize = 60;

/// The users of a file with their hashes, in the order of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Users {
    records: Vec<Record>,
    by_name: HashMap<Vec<u8>, usize>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name: no colon, no control character.
    pub name: Vec<u8>,
    /// A bcrypt hash that is well-formed.
    pub hash: String,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// A line is not what it must be. The words hold nothing of the hash.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong, and the cure.
        what: String,
    },
    /// There is nobody in it.
    #[error("holds no user; make one with: htpasswd -B FILE USER")]
    Empty,
}

impl Users {
    /// Reads a file.
    pub fn parse(text: &[u8]) -> Result<Self, Mistake> {
        let mut users = Self::default();
        let mut lines = HashMap::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#") {
                continue;
            }
            let number = number + 1;
            let mistake = |what: String| Mistake::Line { line: number, what };
            let record = record(line).map_err(mistake)?;
            match lines.entry(record.name.clone()) {
                Entry::Occupied(first) => {
                    let name = common::SafeText(&record.name).to_string();
                    return Err(mistake(format!("user {name} stands in line {} already", first.get())));
                }
                Entry::Vacant(place) => _ = place.insert(number),
            }
            users.by_name.insert(record.name.clone(), users.records.len());
            users.records.push(record);
        }
        if users.records.is_empty() { Err(Mistake::Empty) } else { Ok(users) }
    }

    /// The record of a user.
    pub fn find(&self, name: &[u8]) -> Option<&Record> {
        self.records.get(*self.by_name.get(name)?)
    }

    /// Some record, for a number of any size: what is compared when there is no record of that name, so that it takes as long.
    pub fn any(&self, number: u64) -> Option<&Record> {
        let count = u64::try_from(self.records.len()).ok()?;
        self.records.get(usize::try_from(number.checked_rem(count)?).ok()?)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.records.len()
    }
}

/// The record of one line. What stands behind a second colon is a comment.
fn record(line: &[u8]) -> Result<Record, String> {
    let mut parts = line.split(|byte| *byte == b':');
    let (Some(name), Some(hash)) = (parts.next(), parts.next()) else { return Err("has no colon".to_owned()) };
    if name.is_empty() {
        return Err("has no user in front of the colon".to_owned());
    }
    if name.iter().any(u8::is_ascii_control) {
        return Err("the name of the user holds a control character".to_owned());
    }
    let scheme = Scheme::of(hash);
    if scheme != Scheme::Bcrypt {
        let name = common::SafeText(name);
        return Err(format!(
            "the password of {name} is {scheme}; only bcrypt is taken, made with: htpasswd -B FILE {name}"
        ));
    }
    let cost = cost(hash).ok_or("the bcrypt hash is malformed")?;
    if cost > MAX_COST {
        return Err(format!(
            "the bcrypt cost {cost} makes every login take very long; {MAX_COST} is the most that is taken"
        ));
    }
    let hash = String::from_utf8(hash.to_vec()).map_err(|_| "the bcrypt hash is malformed")?;
    if cost < MIN_COST || hash.parse::<bcrypt::HashParts>().is_err() {
        return Err("the bcrypt hash is malformed".to_owned());
    }
    Ok(Record { name: name.to_vec(), hash })
}

/// The cost of a bcrypt hash; `None` when it has not the right shape.
fn cost(hash: &[u8]) -> Option<u32> {
    match hash {
        [b'$', b'2', _, b'$', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'$', ..] if hash.len() == HASH_LENGTH => {
            Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        }
        _ => None,
    }
}

/// How a password was hashed, as far as its beginning tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
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

impl Scheme {
    fn of(hash: &[u8]) -> Self {
        const BEGINNINGS: [(&[u8], Scheme); 10] = [
            (b"$2y$", Scheme::Bcrypt),
            (b"$2a$", Scheme::Bcrypt),
            (b"$2b$", Scheme::Bcrypt),
            (b"$2x$", Scheme::FaultyBcrypt),
            (b"$apr1$", Scheme::AprMd5),
            (b"$1$", Scheme::Md5),
            (b"{SHA}", Scheme::Sha1),
            (b"$5$", Scheme::Sha256),
            (b"$6$", Scheme::Sha512),
            (b"$", Scheme::Other),
        ];
        BEGINNINGS.iter().find(|(start, _)| hash.starts_with(start)).map_or(Self::Plain, |(_, scheme)| *scheme)
    }
}

impl fmt::Display for Scheme {
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

    /// Well-formed, of a password that nobody knows.
    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuPRA2RSn2iuQpiZw5oIb8Z4fbOxA9L2S";

    fn mistake(text: &str) -> String {
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
    fn other_schemes_are_named_with_their_line_and_the_cure() {
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
            let cure = "only bcrypt is taken, made with: htpasswd -B FILE ann";
            assert_eq!(mistake(&text), format!("line 2: the password of ann is {scheme}; {cure}"));
        }
    }

    #[test]
    fn what_is_malformed_is_told_with_its_line_and_without_the_hash() {
        for (text, what) in [
            ("ann\n".to_owned(), "line 1: has no colon"),
            (format!("\n:{HASH}"), "line 2: has no user"),
            (format!("a\x1b:{HASH}"), "line 1: the name of the user holds a control character"),
            (format!("ann:{}", &HASH[..59]), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}!", &HASH[..59]), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}", HASH.replace("$04$", "$03$")), "line 1: the bcrypt hash is malformed"),
            (format!("ann:{}", HASH.replace("$04$", "$17$")), "line 1: the bcrypt cost 17 makes"),
            (format!("ann:{HASH}\nbob:{HASH}\nann:{HASH}"), "line 3: user ann stands in line 1 already"),
            ("# nobody\n".to_owned(), "holds no user"),
            (String::new(), "holds no user"),
        ] {
            let told = mistake(&text);
            assert!(told.starts_with(what) && !told.contains("PRA2"), "{told}");
        }
    }
}
