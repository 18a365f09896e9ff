//! The server side of SMTP (RFC 5321, section 4.1) for `sendmail -bs`.
//!
//! An [`SmtpServerSession`] reads one command line and returns the next step. It holds the envelope; [`text::DataText`]
//! reads the message, and the caller replies to it.

pub mod text;

use crate::proto::address::Address;

/// Maximum number of bytes of a command line (RFC 5321, section 4.5.3.1.4, and RFC 6531).
pub const MAX_LINE: usize = 2048;
/// Maximum number of recipients of a message; RFC 5321, section 4.5.3.1.8, requires at least 100.
pub const MAX_RECIPIENTS: usize = 1000;
/// Maximum number of invalid commands before the session ends.
const MAX_MISTAKES: usize = 20;

/// The step after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerStep {
    /// Write this reply.
    Say(String),
    /// Write this reply, then read the message.
    Data(String),
    /// Write this reply and end the session.
    End(String),
}

/// Reverse path and recipients; `None` is the null path.
pub type ReceivedEnvelope = (Option<Address>, Vec<Address>);

/// The state of a session.
#[derive(Debug)]
pub struct SmtpServerSession {
    /// The name of this host in replies.
    host: String,
    /// The domain of addresses without one.
    domain: String,
    /// Whether a transaction is open.
    begun: bool,
    from: Option<Address>,
    to: Vec<Address>,
    mistakes: usize,
}

impl SmtpServerSession {
    /// A new session; `domain` qualifies addresses without one.
    pub fn new(host: &str, domain: &str) -> Self {
        Self { host: host.to_owned(), domain: domain.to_owned(), begun: false, from: None, to: Vec::new(), mistakes: 0 }
    }

    /// The greeting.
    pub fn greeting(&self) -> String {
        format!("220 {} ESMTP smtp-send", self.host)
    }

    /// Takes the envelope of the message behind DATA; the next transaction can begin.
    pub fn take_envelope(&mut self) -> ReceivedEnvelope {
        self.begun = false;
        (self.from.take(), std::mem::take(&mut self.to))
    }

    /// Handles a command, without its line end.
    pub fn command(&mut self, line: &[u8]) -> ServerStep {
        let reply = match std::str::from_utf8(line) {
            Ok(line) if !line.contains(char::is_control) => self.said(line),
            _ => Err("500 5.5.2 A command is text without control characters".to_owned()),
        };
        reply.unwrap_or_else(|mistake| self.mistake(mistake))
    }

    /// Counts a line that is not a command.
    pub fn mistake(&mut self, reply: String) -> ServerStep {
        self.mistakes = self.mistakes.saturating_add(1);
        if self.mistakes < MAX_MISTAKES {
            return ServerStep::Say(reply);
        }
        ServerStep::End(format!("421 4.7.0 {} Too many mistakes", self.host))
    }

    fn said(&mut self, line: &str) -> Result<ServerStep, String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !rest.is_empty() => {
                self.reset();
                let offers = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "HELP"];
                let (last, others) = offers.split_last().unwrap_or((&"HELP", &[]));
                let others: String = others.iter().map(|offer| ["250-", offer, "\r\n"].concat()).collect();
                format!("250-{}\r\n{others}250 {last}", self.host)
            }
            "HELO" if !rest.is_empty() => {
                self.reset();
                format!("250 {}", self.host)
            }
            "EHLO" | "HELO" => return Err(format!("501 5.5.4 {verb} wants a name")),
            "MAIL" => self.mail(rest)?,
            "RCPT" => self.rcpt(rest)?,
            "DATA" => return self.data(rest),
            "RSET" => {
                self.reset();
                "250 2.0.0 Ok".to_owned()
            }
            "NOOP" => "250 2.0.0 Ok".to_owned(),
            "VRFY" => "252 2.0.0 Send it and see".to_owned(),
            "HELP" => "214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT".to_owned(),
            "QUIT" => return Ok(ServerStep::End(format!("221 2.0.0 {} Bye", self.host))),
            "AUTH" | "STARTTLS" | "BDAT" | "EXPN" | "LHLO" | "ETRN" | "TURN" => {
                return Err(format!("502 5.5.1 No {} here", verb.to_ascii_uppercase()));
            }
            _ => return Err("500 5.5.1 No such command".to_owned()),
        };
        Ok(ServerStep::Say(reply))
    }

    fn mail(&mut self, rest: &str) -> Result<String, String> {
        if self.begun {
            return Err("503 5.5.1 A message has been begun; RSET forgets it".to_owned());
        }
        let (path, parameters) = path(rest, "FROM:").ok_or("501 5.5.4 Write MAIL FROM:<ADDRESS>")?;
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = match name.to_ascii_uppercase().as_str() {
                "SIZE" => !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()),
                "BODY" => value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME"),
                "SMTPUTF8" => value.is_empty(),
                _ => false,
            };
            if !known {
                return Err(format!("555 5.5.4 {name} is not known here in this form"));
            }
        }
        self.from = if path.is_empty() { None } else { Some(self.address(path, "5.1.7")?) };
        self.begun = true;
        Ok("250 2.1.0 Ok".to_owned())
    }

    fn rcpt(&mut self, rest: &str) -> Result<String, String> {
        if !self.begun {
            return Err("503 5.5.1 MAIL comes first".to_owned());
        }
        let (path, parameters) = path(rest, "TO:").ok_or("501 5.5.4 Write RCPT TO:<ADDRESS>")?;
        if !parameters.is_empty() {
            return Err("555 5.5.4 RCPT has no parameters here".to_owned());
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return Err("452 4.5.3 Too many recipients".to_owned());
        }
        let address = self.address(path, "5.1.3")?;
        if !self.to.contains(&address) {
            self.to.push(address);
        }
        Ok("250 2.1.5 Ok".to_owned())
    }

    fn data(&mut self, rest: &str) -> Result<ServerStep, String> {
        match (rest, self.to.is_empty()) {
            ("", false) => Ok(ServerStep::Data("354 End with a dot alone in a line".to_owned())),
            ("", true) if !self.begun => Err("503 5.5.1 MAIL comes first".to_owned()),
            ("", true) => Err("503 5.5.1 No valid recipients".to_owned()),
            _ => Err("501 5.5.4 DATA has no parameters".to_owned()),
        }
    }

    /// An address; a name without domain, such as `root`, gets the domain of this host.
    fn address(&self, path: &str, status: &str) -> Result<Address, String> {
        let whole = Address::parse(path).or_else(|error| {
            let alone = !path.is_empty() && !path.contains('@');
            if alone { Address::parse(&format!("{path}@{}", self.domain)) } else { Err(error) }
        });
        whole.map_err(|error| format!("553 {status} {error}"))
    }

    fn reset(&mut self) {
        (self.begun, self.from, self.to) = (false, None, Vec::new());
    }
}

/// The path behind `FROM:` or `TO:` without its brackets, and the parameters. A space behind the colon is accepted,
/// although the grammar has none.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (found, rest) = rest.split_at_checked(keyword.len())?;
    let path = rest.trim_start().strip_prefix('<').filter(|_| found.eq_ignore_ascii_case(keyword))?;
    let (mut quoted, mut escaped) = (false, false);
    let end = path.char_indices().find(|(_, character)| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '>' if !quoted => return true,
            _ => {}
        }
        false
    });
    let (path, rest) = path.split_at_checked(end?.0)?;
    let rest = rest.strip_prefix('>')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (path, rest.trim()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
