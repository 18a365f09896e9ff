//! The lines of a journal.
//!
//! ```text
//! smtp-send-journal 1 RUN COUNT DIGEST SERVER
//! leaving NUMBER               the end of this message is about to be sent
//! ended NUMBER STATES          the result for each recipient
//! ```
//! A state is one letter: `a` accepted, `r` refused permanently, `u` unknown, `o` open, `-` unchanged. A message that was
//! `leaving` and has not `ended` may have been delivered.

/// The start of the first line.
const MAGIC: &str = "smtp-send-journal 1";

/// The first line: the run that a journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHeader {
    /// The identifier of the run in hexadecimal digits.
    pub run: String,
    /// Number of messages.
    pub count: usize,
    /// Digest of the messages and envelopes in hexadecimal digits.
    pub digest: String,
    /// The server.
    pub server: String,
}

/// The state of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// The server has accepted the message.
    Accepted,
    /// The server has refused it permanently.
    Refused,
    /// Accepted or not: the reply did not arrive.
    Unknown,
    /// Still to be sent.
    Open,
}

/// An event of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalRecord {
    /// Its end is about to be sent.
    Leaving(usize),
    /// Its result for each recipient; `None` leaves the state as it is.
    Ended(usize, Vec<Option<JournalState>>),
}

/// Whether `line` may be an incomplete first line.
pub fn is_beginning(line: &[u8]) -> bool {
    line.starts_with(MAGIC.as_bytes()) || MAGIC.as_bytes().starts_with(line)
}

impl JournalHeader {
    /// Parses the first line, without its line end.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.splitn(4, ' ');
        let is_hex = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let run = words.next().filter(is_hex)?.to_owned();
        let count = number(words.next()?)?;
        let digest = words.next().filter(is_hex)?.to_owned();
        let server = words.next().filter(|server| !server.is_empty())?.to_owned();
        Some(Self { run, count, digest, server })
    }

    /// The line with its end.
    pub fn line(&self) -> String {
        format!("{MAGIC} {} {} {} {}\n", self.run, self.count, self.digest, self.server)
    }
}

impl JournalRecord {
    /// Parses a line, without its line end.
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

    /// The line with its end.
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

/// A decimal number in its shortest form.
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
