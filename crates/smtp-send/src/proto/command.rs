//! Commands of the client (RFC 5321, section 4.1). No other module writes a command.
//!
//! The types of the fields cannot hold CR, LF, NUL, `<` and `>`, so an option cannot inject a command.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::proto::address::{Address, is_domain};
use crate::proto::auth::Mechanism;
use crate::proto::deliver_by::DeliverBy;
use crate::proto::dsn::{Envid, Notify, Ret, Xtext};

/// A command, except for AUTH at most 1,024 bytes by the limits of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO.
    Ehlo(&'a HeloName),
    /// HELO.
    Helo(&'a HeloName),
    /// LHLO of LMTP (RFC 2033).
    Lhlo(&'a HeloName),
    /// AUTH (RFC 4954), without its initial response, which is a secret and written elsewhere.
    Auth(Mechanism),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// MAIL: starts a transaction.
    Mail(MailParameters<'a>),
    /// RCPT: names one recipient.
    Rcpt {
        /// The recipient.
        to: &'a Address,
        /// NOTIFY, when DSN is offered.
        notify: Option<Notify>,
    },
    /// DATA.
    Data,
    /// BDAT: a chunk of the message, whose bytes follow (RFC 3030).
    Bdat {
        /// Size of the chunk in bytes.
        size: usize,
        /// Whether the chunk is the last one.
        last: bool,
    },
    /// RSET: aborts the transaction.
    Rset,
    /// QUIT: ends the session.
    Quit,
}

/// The form of a message, declared by the parameter BODY of MAIL (RFC 6152, RFC 3030).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyForm {
    /// Lines of ASCII; every server accepts it.
    #[default]
    SevenBit,
    /// Lines with bytes above 127; requires 8BITMIME.
    EightBit,
    /// Attachments without encoding; requires BINARYMIME, sent by BDAT.
    Binary,
}

/// MAIL and its parameters; a parameter is sent only when its extension is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters<'a> {
    /// The reverse path, which receives bounces; `None` is the null path.
    pub from: Option<&'a Address>,
    /// The size of the message in bytes (RFC 1870).
    pub size: Option<u64>,
    /// The form of the message; [`BodyForm::SevenBit`] is not declared.
    pub body: BodyForm,
    /// SMTPUTF8: addresses or header are UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// RET: the part of the message that delivery reports return (RFC 3461).
    pub ret: Option<Ret>,
    /// ENVID: the identifier that delivery reports repeat (RFC 3461).
    pub envid: Option<&'a Envid>,
    /// BY: the time limit of the delivery (RFC 2852).
    pub by: Option<DeliverBy>,
    /// REQUIRETLS: every hop must use verified TLS (RFC 8689).
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
                    // The optional form for UTF-8 addresses (RFC 6533) is not sent.
                    Some(notify) if to.needs_smtputf8() => write!(f, " NOTIFY={notify}"),
                    // Reports name the address as given here (RFC 3461, section 4.2).
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

/// The name of the client: a domain or an address literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeloName(String);

impl HeloName {
    /// Parses a domain or an address literal in brackets. Underscores are allowed, because host names have them.
    pub fn parse(name: &str) -> Option<Self> {
        is_domain(&name.replace('_', "-")).then(|| Self(name.to_owned()))
    }

    /// The literal of an address, for a host without a full name.
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
    fn parameters_of_mail_are_sent_only_when_set() {
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
    fn an_ipv6_address_literal_has_its_tag() {
        assert_eq!(HeloName::literal("192.0.2.1".parse().unwrap()).to_string(), "[192.0.2.1]");
        assert_eq!(HeloName::literal("::ffff:192.0.2.1".parse().unwrap()).to_string(), "[192.0.2.1]");
        assert_eq!(HeloName::literal("2001:db8::1".parse().unwrap()).to_string(), "[IPv6:2001:db8::1]");
    }
}
