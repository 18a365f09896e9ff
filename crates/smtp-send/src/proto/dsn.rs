//! Requests for delivery status notifications (DSN, RFC 3461) and their encoding (xtext).

use std::fmt::{self, Write as _};

/// Maximum number of characters of an envelope identifier before encoding (RFC 3461, section 4.4).
const MAX_ENVID: usize = 100;

/// The DSN parameters of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dsn {
    /// NOTIFY; `None` leaves it to the server.
    pub notify: Option<Notify>,
    /// RET; `None` leaves it to the server.
    pub ret: Option<Ret>,
    /// ENVID: the identifier that reports repeat.
    pub envid: Option<Envid>,
    /// Whether the parameters are omitted at a server without DSN, instead of an error.
    pub optional: bool,
}

impl Dsn {
    /// Whether no parameter is set.
    pub fn is_empty(&self) -> bool {
        self.notify.is_none() && self.ret.is_none() && self.envid.is_none()
    }
}

/// The value of NOTIFY (section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// No report at all.
    Never,
    /// Reports for these events, at least one of them.
    When {
        /// The message was delivered.
        success: bool,
        /// It cannot be delivered.
        failure: bool,
        /// It is late.
        delay: bool,
    },
}

impl Notify {
    /// Reads `never`, or a list of `success`, `failure` and `delay`, case-insensitively.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("never") {
            return Some(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for word in text.split(',') {
            match word.trim().to_ascii_lowercase().as_str() {
                "success" => success = true,
                "failure" => failure = true,
                "delay" => delay = true,
                _ => return None,
            }
        }
        Some(Self::When { success, failure, delay })
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::When { success, failure, delay } = self else { return f.write_str("NEVER") };
        let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let words: Vec<&str> = words.into_iter().filter(|(wanted, _)| **wanted).map(|(_, word)| word).collect();
        f.write_str(&words.join(","))
    }
}

/// The value of RET (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header.
    Headers,
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Full { "FULL" } else { "HDRS" })
    }
}

/// The value of ENVID (section 4.4), before encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envid(String);

impl Envid {
    /// Printable ASCII, 1 to 100 characters.
    pub fn parse(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (printable && (1..=MAX_ENVID).contains(&text.len())).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Envid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Xtext(&self.0).fmt(f)
    }
}

/// A text as xtext (section 4): `+`, `=` and all but printable ASCII become `+XX`.
pub struct Xtext<'a>(pub &'a str);

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=') {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "+{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn notify_is_never_or_a_list() {
        assert_eq!(Notify::parse("never").unwrap().to_string(), "NEVER");
        assert_eq!(Notify::parse("delay, Failure").unwrap().to_string(), "FAILURE,DELAY");
        for wrong in ["", "never,delay", "always", "success,"] {
            assert_eq!(Notify::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn characters_that_could_end_a_parameter_are_encoded() {
        assert_eq!(Envid::parse("a+b=c d").unwrap().to_string(), "a+2Bb+3Dc+20d");
        for wrong in ["", "a\r\nb", "ä", &"x".repeat(101)] {
            assert_eq!(Envid::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Xtext("a\r\nö").to_string(), "a+0D+0A+C3+B6");
    }
}
