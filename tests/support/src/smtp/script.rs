//! How a scripted server differs from a well-mannered one.
//!
//! A rule names a step (`CONNECT`, `EHLO`, `HELO`, `STARTTLS`, `MAIL`, `RCPT`, `DATA`, `BDAT`, `MESSAGE`, `RSET`, `QUIT`), which
//! occurrence of it within a connection is meant, and what happens then. `MESSAGE` is the moment after the final dot or the last
//! chunk; under LMTP (LHLO in place of EHLO) it comes once for each recipient.

use std::time::Duration;

/// What a server does at one step in place of its good answer.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers with these lines; CRLF is added.
    Reply(String),
    /// Writes these bytes exactly as they are.
    Raw(Vec<u8>),
    /// Closes the connection without a word.
    Close,
    /// Answers, then closes.
    ReplyAndClose(String),
    /// Never answers.
    Silence,
    /// Answers byte by byte, with this pause before each.
    Drip(String, Duration),
}

#[derive(Debug, Clone)]
struct Rule {
    step: &'static str,
    /// Counted from 1; 0 is every time.
    occurrence: usize,
    behaviour: Behaviour,
}

/// The behaviour of a server.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) extensions: Vec<String>,
    pub(super) implicit_tls: bool,
    pub(super) early_refusal: Option<(usize, String)>,
    pub(super) auth: Vec<String>,
    pub(super) fatal: Option<String>,
    rules: Vec<Rule>,
}

impl Default for Script {
    fn default() -> Self {
        let extensions = ["PIPELINING", "SIZE 67108864", "8BITMIME", "ENHANCEDSTATUSCODES"];
        Self {
            extensions: extensions.map(str::to_owned).to_vec(),
            implicit_tls: false,
            early_refusal: None,
            auth: Vec::new(),
            fatal: None,
            rules: Vec::new(),
        }
    }
}

impl Script {
    /// Offers exactly these extensions. `STARTTLS` works only on a server with a certificate.
    #[must_use]
    pub fn extensions(mut self, extensions: &[&str]) -> Self {
        self.extensions = extensions.iter().map(|&extension| extension.to_owned()).collect();
        self
    }

    /// Speaks TLS from the first byte.
    #[must_use]
    pub fn implicit_tls(mut self) -> Self {
        self.implicit_tls = true;
        self
    }

    /// Refuses with `reply` as soon as that many bytes of a message have come, and reads no further.
    #[must_use]
    pub fn refuse_after_bytes(mut self, bytes: usize, reply: &str) -> Self {
        self.early_refusal = Some((bytes, reply.to_owned()));
        self
    }

    /// Answers AUTH and each line of the client behind a 334 with these replies, one after the other. `AUTH` must be offered
    /// among the extensions. What the client says is recorded like commands.
    #[must_use]
    pub fn auth(mut self, replies: &[&str]) -> Self {
        self.auth = replies.iter().map(|&reply| reply.to_owned()).collect();
        self
    }

    /// Closes the connection when a command with `text` in it comes.
    #[must_use]
    pub fn close_on(mut self, text: &str) -> Self {
        self.fatal = Some(text.to_owned());
        self
    }

    /// Answers every `step` with `reply`.
    #[must_use]
    pub fn reply(self, step: &'static str, reply: &str) -> Self {
        self.at(step, 0, Behaviour::Reply(reply.to_owned()))
    }

    /// Does `behaviour` at the given occurrence of `step`, counted from 1; 0 is every time.
    #[must_use]
    pub fn at(mut self, step: &'static str, occurrence: usize, behaviour: Behaviour) -> Self {
        self.rules.push(Rule { step, occurrence, behaviour });
        self
    }

    /// What to do at the given occurrence of `step`, if it is anything special.
    pub(super) fn behaviour(&self, step: &str, occurrence: usize) -> Option<&Behaviour> {
        let fits = |rule: &&Rule| rule.step == step && (rule.occurrence == 0 || rule.occurrence == occurrence);
        self.rules.iter().find(fits).map(|rule| &rule.behaviour)
    }
}
