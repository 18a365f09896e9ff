//! Commands of the client (RFC 5321, section 4.1), written by one typed writer.
//!
//! Each field is a type that can only hold what may stand in it, so CR, LF, NUL, `<` and `>` cannot get from an option into
//! the dialogue. Nothing else in this program writes a command.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::proto::address::{Address, is_domain};
use crate::proto::auth::Mechanism;
use crate::proto::deliver_by::DeliverBy;
use crate::proto::dsn::{Envid, Notify, Ret, Xtext};

/// A command line. Without AUTH it is at most 1,024 bytes long by construction of its fields, as the extensions allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// The greeting that asks for extensions.
    Ehlo(&'a HeloName),
    /// The greeting of RFC 821.
    Helo(&'a HeloName),
    /// The greeting of LMTP (RFC 2033).
    Lhlo(&'a HeloName),
    /// Starts a login (RFC 4954); what belongs to it is a secret and written elsewhere.
    Auth(Mechanism),
    /// Asks for TLS (RFC 3207).
    StartTls,
    /// Starts a transaction.
    Mail(MailParameters<'a>),
    /// Names one recipient.
    Rcpt {
        /// The recipient.
        to: &'a Address,
        /// When to report on the delivery to this recipient, when DSN is offered.
        notify: Option<Notify>,
    },
    /// Asks to send the message.
    Data,
    /// Sends a chunk of the message, whose bytes follow at once (RFC 3030).
    Bdat {
        /// Bytes of the chunk.
        size: usize,
        /// Whether it ends the message.
        last: bool,
    },
    /// Forgets the transaction.
    Rset,
    /// Ends the session.
    Quit,
}

/// The form of a message, as the parameter BODY of MAIL declares it (RFC 6152, RFC 3030).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// Lines of ASCII, for every server.
    #[default]
    SevenBit,
    /// Lines with bytes over 127, for 8BITMIME.
    EightBit,
    /// Attached files as they are, for BINARYMIME; sent by BDAT.
    Binary,
}

/// MAIL with its parameters, each only when its extension is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    /// Where bounces go; `None` is the null path.
    pub from: Option<&'a Address>,
    /// The size of the message in bytes (RFC 1870).
    pub size: Option<u64>,
    /// The form of the message; declared unless it is [`BodyForm::SevenBit`].
    pub body: BodyForm,
    /// Declares addresses or a header in UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// What a delivery report shall hold (RFC 3461).
    pub ret: Option<Ret>,
    /// The name that a delivery report shall repeat (RFC 3461).
    pub envid: Option<&'a Envid>,
    /// When it has to be delivered (RFC 2852).
    pub by: Option<DeliverBy>,
    /// Demands checked TLS on the whole way (RFC 8689).
    pub require_tls: bool,
}

impl fmt::Display for MailParameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MAIL FROM:<")?;
        if let Some(from) = self.from {
            write!(f, "{from}")?;
        }
        f.write_char('>')?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        f.write_str(match self.body {
            BodyForm::SevenBit => "",
            BodyForm::EightBit => " BODY=8BITMIME",
            BodyForm::Binary => " BODY=BINARYMIME",
        })?;
        f.write_str(if self.smtputf8 { " SMTPUTF8" } else { "" })?;
        if let Some(ret) = self.ret {
            write!(f, " RET={ret}")?;
        }
        if let Some(envid) = self.envid {
            write!(f, " ENVID={envid}")?;
        }
        if let Some(by) = self.by {
            write!(f, " BY={by}")?;
        }
        f.write_str(if self.require_tls { " REQUIRETLS" } else { "" })
    }
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
            Self::Lhlo(name) => write!(f, "LHLO {name}"),
            Self::Auth(mechanism) => write!(f, "AUTH {mechanism}"),
            Self::Mail(mail) => mail.fmt(f),
            Self::Rcpt { to, notify } => {
                write!(f, "RCPT TO:<{to}>")?;
                match notify {
                    // The form for other scripts (RFC 6533) is left out, as the parameter may be.
                    Some(notify) if to.needs_smtputf8() => write!(f, " NOTIFY={notify}"),
                    // The report shall name the address as it was given here (RFC 3461, section 4.2).
                    Some(notify) => write!(f, " NOTIFY={notify} ORCPT=rfc822;{}", Xtext(to.as_str())),
                    None => Ok(()),
                }
            }
            Self::Data => f.write_str("DATA"),
            Self::Bdat { size, last } => write!(f, "BDAT {size}{}", if *last { " LAST" } else { "" }),
            Self::Rset => f.write_str("RSET"),
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
        let envid = Envid::parse("a b").unwrap();
        let mail = MailParameters {
            from: Some(&from),
            size: Some(7),
            body: BodyForm::EightBit,
            by: DeliverBy::parse("60,return"),
            smtputf8: true,
            ret: Some(Ret::Headers),
            envid: Some(&envid),
            require_tls: true,
        };
        let expected =
            "MAIL FROM:<a@example.com> SIZE=7 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+20b BY=60;R REQUIRETLS";
        assert_eq!(Command::Mail(mail).to_string(), expected);
        assert_eq!(Command::Mail(MailParameters::default()).to_string(), "MAIL FROM:<>");
        let binary = MailParameters { body: BodyForm::Binary, ..MailParameters::default() };
        assert_eq!(Command::Mail(binary).to_string(), "MAIL FROM:<> BODY=BINARYMIME");
        let rcpt = Command::Rcpt { to: &from, notify: Some(Notify::Never) };
        assert_eq!(rcpt.to_string(), "RCPT TO:<a@example.com> NOTIFY=NEVER ORCPT=rfc822;a@example.com");
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
