//! Replies of a scripted server that differ from success.
//!
//! A rule names a step, its occurrence within a connection, and the behaviour of the server. Steps are `CONNECT`, `EHLO`,
//! `HELO`, `STARTTLS`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `BDAT`, `MESSAGE`, `RSET`, `NOOP`, `QUIT` and `OTHER`. `MESSAGE` is the reply
//! after the final dot or the last chunk; under LMTP (LHLO in place of EHLO) there is one per recipient.

use std::time::Duration;

/// What a server does at one step in place of its default reply.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Sends these lines; CRLF is added.
    Reply(String),
    /// Sends these bytes unchanged.
    Raw(Vec<u8>),
    /// Closes the connection without a reply.
    Close,
    /// Replies, then closes the connection.
    ReplyAndClose(String),
    /// Never replies.
    Silence,
    /// Sends the reply byte by byte, with this pause before each byte.
    Drip(String, Duration),
}

#[derive(Debug, Clone)]
struct Rule {
    step: &'static str,
    /// Counted from 1; 0 means every occurrence.
    occurrence: usize,
    behaviour: Behaviour,
}

/// The extensions and rules of a server.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) extensions: Vec<String>,
    pub(super) implicit_tls: bool,
    pub(super) early_refusal: Option<(usize, String)>,
    pub(super) auth: Vec<String>,
    pub(super) close_on: Option<String>,
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
            close_on: None,
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

    /// Starts TLS before the greeting.
    #[must_use]
    pub fn implicit_tls(mut self) -> Self {
        self.implicit_tls = true;
        self
    }

    /// Refuses a message with `reply` after that many bytes of it.
    #[must_use]
    pub fn refuse_after_bytes(mut self, bytes: usize, reply: &str) -> Self {
        self.early_refusal = Some((bytes, reply.to_owned()));
        self
    }

    /// Replies to AUTH and to each line of the client after a 334 with these replies, in order. The lines are recorded like
    /// commands. `AUTH` must be among the extensions.
    #[must_use]
    pub fn auth(mut self, replies: &[&str]) -> Self {
        self.auth = replies.iter().map(|&reply| reply.to_owned()).collect();
        self
    }

    /// Closes the connection at a command that contains `text`.
    #[must_use]
    pub fn close_on(mut self, text: &str) -> Self {
        self.close_on = Some(text.to_owned());
        self
    }

    /// Sends `reply` at every occurrence of `step`.
    #[must_use]
    pub fn reply(self, step: &'static str, reply: &str) -> Self {
        self.at(step, 0, Behaviour::Reply(reply.to_owned()))
    }

    /// Sets the behaviour at an occurrence of `step`, counted from 1; 0 means every occurrence.
    #[must_use]
    pub fn at(mut self, step: &'static str, occurrence: usize, behaviour: Behaviour) -> Self {
        self.rules.push(Rule { step, occurrence, behaviour });
        self
    }

    /// The behaviour at an occurrence of `step`; `None` is the default reply.
    pub(super) fn behaviour(&self, step: &str, occurrence: usize) -> Option<&Behaviour> {
        let fits = |rule: &&Rule| rule.step == step && (rule.occurrence == 0 || rule.occurrence == occurrence);
        self.rules.iter().find(fits).map(|rule| &rule.behaviour)
    }
}
