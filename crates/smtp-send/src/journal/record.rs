//! The lines of a journal: what they mean and how they are written.
//!
//! ```text
//! smtp-send-journal 1 RUN COUNT DIGEST SERVER
//! leaving NUMBER               the end of this message is about to leave
//! ended NUMBER STATES          what became of each recipient
//! ```
//! A state is one letter: `a` accepted, `r` refused for good, `u` unknown, `o` open; `-` is as before. A message that was
//! `leaving` and has not `ended` may have been delivered.

/// What a journal begins with.
const MAGIC: &str = "smtp-send-journal 1";

/// The run that a journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHeader {
    /// A name that no other run has: hexadecimal digits.
    pub run: String,
    /// How many messages it has.
    pub count: usize,
    /// A digest of its messages and envelopes: hexadecimal digits.
    pub digest: String,
    /// Where they go.
    pub server: String,
}

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// The server has taken the message.
    Accepted,
    /// It has refused it for good.
    Refused,
    /// Perhaps the one, perhaps the other.
    Unknown,
    /// It is still to be sent.
    Open,
}

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalRecord {
    /// Its end is about to leave.
    Leaving(usize),
    /// What became of each recipient; `None` is as before.
    Ended(usize, Vec<Option<JournalState>>),
}

/// Whether a line may be the beginning of a first line that was cut off.
pub fn is_beginning(line: &[u8]) -> bool {
    line.starts_with(MAGIC.as_bytes()) || MAGIC.as_bytes().starts_with(line)
}

impl JournalHeader {
    /// Reads the first line, without its line end.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.splitn(4, ' ');
        let is_hex = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let run = words.next().filter(is_hex)?.to_owned();
        let count = number(words.next()?)?;
        let digest = words.next().filter(is_hex)?.to_owned();
        let server = words.next().filter(|server| !server.is_empty())?.to_owned();
        Some(Self { run, count, digest, server })
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        format!("{MAGIC} {} {} {} {}\n", self.run, self.count, self.digest, self.server)
    }
}

impl JournalRecord {
    /// Reads a line, without its line end.
    pub fn parse(line: &str) -> Option<Self> {
        if let Some(rest) = line.strip_prefix("leaving ") {
            return number(rest).map(Self::Leaving);
        }
        let (which, states) = line.strip_prefix("ended ")?.split_once(' ')?;
        let states = states.chars().map(|letter| match letter {
            'a' => Some(Some(JournalState::Accepted)),
            'r' => Some(Some(JournalState::Refused)),
            'u' => Some(Some(JournalState::Unknown)),
            'o' => Some(Some(JournalState::Open)),
            '-' => Some(None),
            _ => None,
        });
        let states: Vec<Option<JournalState>> = states.collect::<Option<_>>()?;
        if states.is_empty() { None } else { Some(Self::Ended(number(which)?, states)) }
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        match self {
            Self::Leaving(which) => format!("leaving {which}\n"),
            Self::Ended(which, states) => {
                let letter = |state: &Option<JournalState>| match state {
                    Some(JournalState::Accepted) => 'a',
                    Some(JournalState::Refused) => 'r',
                    Some(JournalState::Unknown) => 'u',
                    Some(JournalState::Open) => 'o',
                    None => '-',
                };
                format!("ended {which} {}\n", states.iter().map(letter).collect::<String>())
            }
        }
    }
}

/// A number as it is written, so that no other spelling means the same.
fn number(word: &str) -> Option<usize> {
    word.parse().ok().filter(|number: &usize| number.to_string() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let heading = "smtp-send-journal 1 0a1b 10000 ff00 /run/lmtp with blanks";
        assert_eq!(JournalHeader::parse(heading).unwrap().line(), format!("{heading}\n"));
        for line in ["leaving 0", "ended 17 aruo-"] {
            assert_eq!(JournalRecord::parse(line).unwrap().line(), format!("{line}\n"));
        }
    }

    #[test]
    fn anything_else_is_no_line() {
        for line in
            ["", "leaving", "leaving ", "leaving x", "leaving 01", "leaving +1", "ended 1", "ended 1 ", "ended 1 ax"]
        {
            assert_eq!(JournalRecord::parse(line), None, "{line}");
        }
        for line in
            ["", "smtp-send-journal 2 0a 1 ff x", "smtp-send-journal 1 0a 1 ff ", "smtp-send-journal 1 x 1 ff x"]
        {
            assert_eq!(JournalHeader::parse(line), None, "{line}");
        }
    }
}
