//! One session of a scripted server (RFC 5321): reads commands and replies, as the script says or with success.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::record::{Command, Mail, Shared};
use super::script::Behaviour;

/// Ends the session of a client that sends nothing; longer than any test.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest command line, in bytes.
const MAX_LINE: usize = 4096;
/// Largest message, in bytes: more than any test sends, and the memory limit of `smtp-sink` per connection.
const MAX_MESSAGE: usize = 64 << 20;

pub(super) type Result = io::Result<()>;

enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// During the switch to TLS.
    Closed,
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Closed => Ok(0),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result {
        match self {
            Self::Clear(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Whether the session continues.
enum Next {
    Continue,
    End,
}

pub(super) struct Session<'a> {
    stream: Stream,
    input: Vec<u8>,
    shared: &'a Shared,
    connection: usize,
    flight: usize,
    counts: Vec<(String, usize)>,
    from: Option<String>,
    to: Vec<String>,
    /// Chunks of the current message (BDAT).
    chunks: Vec<u8>,
    lmtp: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(stream: TcpStream, shared: &'a Shared, connection: usize) -> io::Result<Self> {
        stream.set_read_timeout(Some(IDLE_TIMEOUT))?;
        stream.set_write_timeout(Some(IDLE_TIMEOUT))?;
        stream.set_nodelay(true)?;
        let stream = Stream::Clear(stream);
        let (input, counts, to) = (Vec::new(), Vec::new(), Vec::new());
        let chunks = Vec::new();
        Ok(Self { stream, input, shared, connection, flight: 0, counts, from: None, to, chunks, lmtp: false })
    }

    pub(super) fn run(mut self) -> Result {
        if self.shared.script.implicit_tls {
            self.start_tls()?;
        }
        if let Next::End = self.reply("CONNECT", "220 sink.example.com ESMTP")?.0 {
            return Ok(());
        }
        while let Some(line) = self.read_command()? {
            if self.shared.script.close_on.as_ref().is_some_and(|text| line.contains(text)) {
                return Ok(());
            }
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let argument = line.split_once(':').map_or("", |(_, argument)| argument).trim().to_owned();
            let next = match verb.as_str() {
                "EHLO" => self.reply("EHLO", &self.extensions())?.0,
                "LHLO" => {
                    self.lmtp = true;
                    self.reply("EHLO", &self.extensions())?.0
                }
                "AUTH" => self.auth()?,
                "BDAT" => self.bdat(&line)?,
                "HELO" => self.reply("HELO", "250 sink.example.com")?.0,
                "STARTTLS" => self.starttls()?,
                "MAIL" => self.mail(argument)?,
                "RCPT" => self.rcpt(argument)?,
                "DATA" => self.data()?,
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.chunks.clear();
                    self.reply("RSET", "250 2.0.0 Ok")?.0
                }
                "NOOP" => self.reply("NOOP", "250 2.0.0 Ok")?.0,
                "QUIT" => {
                    self.reply("QUIT", "221 2.0.0 Bye")?;
                    Next::End
                }
                _ => self.reply("OTHER", "502 5.5.2 Command not known")?.0,
            };
            if let Next::End = next {
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    fn extensions(&self) -> String {
        let mut lines = vec!["sink.example.com".to_owned()];
        let offered = self.shared.script.extensions.iter().filter(|one| *one != "STARTTLS" || !self.is_tls());
        lines.extend(offered.cloned());
        let last = lines.len() - 1;
        let numbered = lines.iter().enumerate();
        let lines: Vec<_> =
            numbered.map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' })).collect();
        lines.join("\r\n")
    }

    fn starttls(&mut self) -> io::Result<Next> {
        let offered = self.shared.tls.is_some() && !self.is_tls();
        let (next, code) = self.reply("STARTTLS", if offered { "220 2.0.0 Go ahead" } else { "502 5.5.1 No" })?;
        if code == 220 && offered {
            self.input.clear();
            self.start_tls()?;
        }
        Ok(next)
    }

    fn start_tls(&mut self) -> Result {
        let config = self.shared.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let Stream::Clear(mut stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(connection, stream)));
        Ok(())
    }

    fn mail(&mut self, argument: String) -> io::Result<Next> {
        let (next, code) = self.reply("MAIL", "250 2.1.0 Ok")?;
        if code == 250 {
            (self.from, self.to) = (Some(argument), Vec::new());
        }
        Ok(next)
    }

    fn rcpt(&mut self, argument: String) -> io::Result<Next> {
        if self.from.is_none() {
            return Ok(self.reply("RCPT", "503 5.5.1 MAIL first")?.0);
        }
        let (next, code) = self.reply("RCPT", "250 2.1.5 Ok")?;
        if (250..=252).contains(&code) {
            self.to.push(argument);
        }
        Ok(next)
    }

    fn data(&mut self) -> io::Result<Next> {
        let ready = !self.to.is_empty();
        let (next, code) = self.reply("DATA", if ready { "354 Go ahead" } else { "503 5.5.1 RCPT first" })?;
        if code != 354 || matches!(next, Next::End) {
            return Ok(next);
        }
        let Some(raw) = self.read_message()? else {
            return Ok(Next::End);
        };
        self.accept_message(unstuffed(&raw), raw)
    }

    /// Records the message and replies, under LMTP once per recipient.
    fn accept_message(&mut self, message: Vec<u8>, raw: Vec<u8>) -> io::Result<Next> {
        let to = std::mem::take(&mut self.to);
        let replies = if self.lmtp { to.len() } else { 1 };
        let mail = Mail { from: self.from.take().unwrap_or_default(), to, message, raw, tls: self.is_tls() };
        let number = self.count("MESSAGE-ID");
        // Recorded before the reply: after 250 a test finds the message.
        if !mail.to.is_empty() {
            self.shared.add_mail(mail);
        }
        let reply = format!("250 2.0.0 Ok: queued as SINK{}X{number}", self.connection);
        for _ in 0..replies {
            if let Next::End = self.reply("MESSAGE", &reply)?.0 {
                return Ok(Next::End);
            }
        }
        Ok(Next::Continue)
    }

    /// Reads a chunk (RFC 3030). Its step is `BDAT`, that of the last chunk `MESSAGE`.
    fn bdat(&mut self, line: &str) -> io::Result<Next> {
        let mut words = line.split(' ').skip(1);
        let size: usize = words.next().and_then(|size| size.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let is_last = words.next() == Some("LAST");
        while self.input.len() < size {
            self.fill()?;
        }
        self.chunks.extend(self.input.drain(..size));
        if self.chunks.len() > MAX_MESSAGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.to.is_empty() {
            return Ok(self.reply("BDAT", "503 5.5.1 RCPT first")?.0);
        }
        if !is_last {
            return Ok(self.reply("BDAT", "250 2.0.0 Ok")?.0);
        }
        let message = std::mem::take(&mut self.chunks);
        self.accept_message(message.clone(), message)
    }

    /// Replies to AUTH and the lines that follow with the replies of the script.
    fn auth(&mut self) -> io::Result<Next> {
        let replies = self.shared.script.auth.clone();
        for reply in &replies {
            self.stream.write(format!("{reply}\r\n").as_bytes())?;
            if !reply.starts_with("334") {
                return Ok(Next::Continue);
            }
            if self.read_command()?.is_none() {
                return Ok(Next::End);
            }
        }
        Ok(self.reply("AUTH", "501 5.7.0 Login has ended")?.0)
    }

    /// Reads a message up to the final dot; `None` if the script refuses it early.
    fn read_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if self.input.starts_with(b".\r\n") {
                return Ok(Some(self.input.drain(..3).collect()));
            }
            let found = self.input[searched..].windows(5).position(|window| window == b"\r\n.\r\n");
            if let Some(at) = found {
                return Ok(Some(self.input.drain(..searched + at + 5).collect()));
            }
            if let Some((bytes, reply)) = &self.shared.script.early_refusal
                && self.input.len() >= *bytes
            {
                let line = format!("{reply}\r\n");
                self.stream.write(line.as_bytes())?;
                self.discard_input();
                return Ok(None);
            }
            if self.input.len() > MAX_MESSAGE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            searched = self.input.len().saturating_sub(4);
            self.fill()?;
        }
    }

    /// Reads the next command line; `None` when the client has closed.
    fn read_command(&mut self) -> io::Result<Option<String>> {
        let mut is_new_flight = false;
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                self.flight += usize::from(is_new_flight);
                let (flight, tls, connection) = (self.flight, self.is_tls(), self.connection);
                self.shared.add_command(Command { line: line.clone(), flight, tls, connection });
                return Ok(Some(line));
            }
            if self.input.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            is_new_flight = true;
            match self.fill() {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
        }
    }

    fn fill(&mut self) -> Result {
        let mut block = vec![0; 64 * 1024];
        match self.stream.read(&mut block)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.input.extend_from_slice(&block[..length]);
                Ok(())
            }
        }
    }

    fn count(&mut self, step: &str) -> usize {
        if let Some((_, count)) = self.counts.iter_mut().find(|(name, _)| name == step) {
            *count += 1;
            return *count;
        }
        self.counts.push((step.to_owned(), 1));
        1
    }

    /// Replies to a step as the script says, else with `default`. Returns the code of the reply, 0 without one.
    fn reply(&mut self, step: &str, default: &str) -> io::Result<(Next, u16)> {
        let occurrence = self.count(step);
        let behaviour = self.shared.script.behaviour(step, occurrence).cloned();
        let code = |reply: &str| reply.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        match behaviour.unwrap_or_else(|| Behaviour::Reply(default.to_owned())) {
            Behaviour::Reply(reply) => {
                self.stream.write(format!("{reply}\r\n").as_bytes())?;
                Ok((Next::Continue, code(&reply)))
            }
            Behaviour::Raw(bytes) => {
                self.stream.write(&bytes)?;
                Ok((Next::Continue, code(&String::from_utf8_lossy(&bytes))))
            }
            Behaviour::Close => Ok((Next::End, 0)),
            Behaviour::ReplyAndClose(reply) => {
                self.stream.write(format!("{reply}\r\n").as_bytes())?;
                Ok((Next::End, code(&reply)))
            }
            Behaviour::Silence => {
                self.discard_input();
                Ok((Next::End, 0))
            }
            Behaviour::Drip(reply, pause) => {
                for byte in format!("{reply}\r\n").bytes() {
                    if self.shared.is_stopping() {
                        return Ok((Next::End, 0));
                    }
                    thread::sleep(pause);
                    self.stream.write(&[byte])?;
                }
                Ok((Next::Continue, code(&reply)))
            }
        }
    }

    /// Discards input until the client closes or the server stops.
    fn discard_input(&mut self) {
        let deadline = Instant::now() + IDLE_TIMEOUT;
        let mut block = [0; 4096];
        while Instant::now() < deadline && !self.shared.is_stopping() {
            match self.stream.read(&mut block) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Removes the final dot and the dot-stuffing (RFC 5321, section 4.5.2).
fn unstuffed(raw: &[u8]) -> Vec<u8> {
    let body = raw.strip_suffix(b".\r\n").unwrap_or(raw);
    let mut message = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    message
}
