//! Commands of the client (RFC 5321, section 4.1), written by one typed writer.
//!
//! Each field is a type that can only hold what may stand in it, so CR, LF, NUL, `<` and `>` cannot get from an option into
//! the dialogue. Nothing else in this program writes a command.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::proto::address::{Address, is_domain};

/// A command line, at most 512 bytes long by construction of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// The greeting that asks for extensions.
    Ehlo(&'a HeloName),
    /// The greeting of RFC 821.
    Helo(&'a HeloName),
    /// Asks for TLS (RFC 3207).
    StartTls,
    /// Starts a transaction.
    Mail {
        /// Where bounces go; `None` is the null path.
        from: Option<&'a Address>,
        /// The size of the message in bytes, when SIZE is offered.
        size: Option<u64>,
        /// Declares bytes over 127, when 8BITMIME is offered.
        eight_bit: bool,
    },
    /// Names one recipient.
    Rcpt(&'a Address),
    /// Asks to send the message.
    Data,
    /// Ends the session.
    Quit,
}

impl Command<'_> {
    /// Appends the command with its CRLF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ehlo(name) => write!(f, "EHLO {name}"),
            Self::Helo(name) => write!(f, "HELO {name}"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Mail { from, size, eight_bit } => {
                f.write_str("MAIL FROM:<")?;
                if let Some(from) = from {
                    write!(f, "{from}")?;
                }
                f.write_char('>')?;
                if let Some(size) = size {
                    write!(f, " SIZE={size}")?;
                }
                f.write_str(if *eight_bit { " BODY=8BITMIME" } else { "" })
            }
            Self::Rcpt(to) => write!(f, "RCPT TO:<{to}>"),
            Self::Data => f.write_str("DATA"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

/// The name a client gives itself: a domain or an address literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeloName(String);

impl HeloName {
    /// A domain or an address literal in brackets, as it was typed. Underscores are let through: hosts do have them.
    pub fn parse(name: &str) -> Option<Self> {
        is_domain(&name.replace('_', "-")).then(|| Self(name.to_owned()))
    }

    /// The literal of an address, for a host that knows no full name.
    pub fn literal(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        })
    }
}

impl fmt::Display for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_mail_appear_only_when_asked_for() {
        let from = Address::parse("a@example.com").unwrap();
        let mail = Command::Mail { from: Some(&from), size: Some(7), eight_bit: true };
        assert_eq!(mail.to_string(), "MAIL FROM:<a@example.com> SIZE=7 BODY=8BITMIME");
        let bounce = Command::Mail { from: None, size: None, eight_bit: false };
        assert_eq!(bounce.to_string(), "MAIL FROM:<>");
    }

    #[test]
    fn a_helo_name_is_a_domain_or_a_literal_and_nothing_else() {
        for good in ["mail.example.com", "localhost", "my_host", "[192.0.2.1]", "[IPv6:::1]"] {
            assert!(HeloName::parse(good).is_some(), "{good}");
        }
        for wrong in ["", "a b", "a\r\nQUIT", "a\0", "a>", "-a", "[x]", "a..b", "ä"] {
            assert!(HeloName::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_address_literal_says_when_it_is_ipv6() {
        assert_eq!(HeloName::literal("192.0.2.1".parse().unwrap()).to_string(), "[192.0.2.1]");
        assert_eq!(HeloName::literal("::ffff:192.0.2.1".parse().unwrap()).to_string(), "[192.0.2.1]");
        assert_eq!(HeloName::literal("2001:db8::1".parse().unwrap()).to_string(), "[IPv6:2001:db8::1]");
    }
}
