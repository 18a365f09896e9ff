//! The other side of SMTP (RFC 5321, section 4.1), as far as a program needs it that hands its mail to `sendmail -bs`.
//!
//! A [`SmtpServerSession`] takes one command line and says what to do. It holds the envelope until the message has come; the message
//! itself is read by [`text::DataText`]. Nothing is promised here: what is said behind the message is for the caller to decide.

pub mod text;

use crate::proto::address::Address;

/// More than any command has with the parameters that are known here (RFC 5321, section 4.5.3.1.4, and RFC 6531).
pub const MAX_LINE: usize = 2048;
/// Recipients of one message (RFC 5321, section 4.5.3.1.8, asks for a hundred at least).
pub const MAX_RECIPIENTS: usize = 1000;
/// Mistakes after which nobody seems to be speaking SMTP.
const MAX_MISTAKES: usize = 20;

/// What to do after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerStep {
    /// Write this reply.
    Say(String),
    /// Write this reply, then read the message.
    Data(String),
    /// Write this reply; the session is over.
    End(String),
}

/// Who sends what to whom; the sender `None` is the null path.
pub type ReceivedEnvelope = (Option<Address>, Vec<Address>);

/// The state of a session.
#[derive(Debug)]
pub struct SmtpServerSession {
    /// Our name in replies.
    host: String,
    /// For addresses that have no domain.
    domain: String,
    /// Whether a transaction has been begun.
    begun: bool,
    from: Option<Address>,
    to: Vec<Address>,
    mistakes: usize,
}

impl SmtpServerSession {
    /// A session that begins; `domain` is for addresses that have none.
    pub fn new(host: &str, domain: &str) -> Self {
        Self { host: host.to_owned(), domain: domain.to_owned(), begun: false, from: None, to: Vec::new(), mistakes: 0 }
    }

    /// The first words.
    pub fn greeting(&self) -> String {
        format!("220 {} ESMTP smtp-send", self.host)
    }

    /// The envelope of the message that was announced by DATA; the next transaction can begin.
    pub fn take_envelope(&mut self) -> ReceivedEnvelope {
        self.begun = false;
        (self.from.take(), std::mem::take(&mut self.to))
    }

    /// Takes a command without its line end.
    pub fn command(&mut self, line: &[u8]) -> ServerStep {
        let reply = match std::str::from_utf8(line) {
            Ok(line) if !line.contains(char::is_control) => self.said(line),
            _ => Err("500 5.5.2 A command is text without control characters".to_owned()),
        };
        reply.unwrap_or_else(|mistake| self.mistake(mistake))
    }

    /// A line that was no command at all.
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
            ("", true) => Err("503 5.5.1 Nobody to send to".to_owned()),
            _ => Err("501 5.5.4 DATA has no parameters".to_owned()),
        }
    }

    /// An address; a name alone gets our domain, as `RCPT TO:<root>` means somebody here.
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

/// The path behind `FROM:` or `TO:` without its brackets, and the parameters behind it. A space behind the colon is not in the
/// grammar and often written.
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
