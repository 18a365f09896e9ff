//! One connection of a scripted server (RFC 5321): reads commands, answers well unless the script says otherwise.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::script::Behaviour;
use super::server::{Command, Mail, Shared};

/// A client that is silent for this long is gone; tests are over long before.
const IDLE: Duration = Duration::from_secs(60);
/// Longer lines are no commands.
const MAX_LINE: usize = 4096;
/// More than any test sends; bounds what a stranger can make a sink hold.
const MAX_MESSAGE: usize = 64 << 20;

pub(super) type Result = io::Result<()>;

enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// Between the two, and after the end.
    Gone,
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Gone => Ok(0),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result {
        match self {
            Self::Clear(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Whether the conversation goes on.
enum Next {
    Go,
    End,
}

pub(super) struct Conversation<'a> {
    stream: Stream,
    input: Vec<u8>,
    shared: &'a Shared,
    connection: usize,
    flight: usize,
    counts: Vec<(String, usize)>,
    from: Option<String>,
    to: Vec<String>,
    /// Chunks of the running message.
    chunks: Vec<u8>,
    lmtp: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(stream: TcpStream, shared: &'a Shared, connection: usize) -> io::Result<Self> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        stream.set_nodelay(true)?;
        let stream = Stream::Clear(stream);
        let (input, counts, to) = (Vec::new(), Vec::new(), Vec::new());
        let chunks = Vec::new();
        Ok(Self { stream, input, shared, connection, flight: 0, counts, from: None, to, chunks, lmtp: false })
    }

    pub(super) fn hold(mut self) -> Result {
        if self.shared.script.implicit_tls {
            self.start_tls()?;
        }
        if let Next::End = self.answer("CONNECT", "220 sink.example.com ESMTP")?.0 {
            return Ok(());
        }
        while let Some(line) = self.command()? {
            if self.shared.script.fatal.as_ref().is_some_and(|text| line.contains(text)) {
                return Ok(());
            }
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let argument = line.split_once(':').map_or("", |(_, argument)| argument).trim().to_owned();
            let next = match verb.as_str() {
                "EHLO" => self.answer("EHLO", &self.greeting())?.0,
                "LHLO" => {
                    self.lmtp = true;
                    self.answer("EHLO", &self.greeting())?.0
                }
                "AUTH" => self.auth()?,
                "BDAT" => self.bdat(&line)?,
                "HELO" => self.answer("HELO", "250 sink.example.com")?.0,
                "STARTTLS" => self.starttls()?,
                "MAIL" => self.mail(argument)?,
                "RCPT" => self.rcpt(argument)?,
                "DATA" => self.data()?,
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.chunks.clear();
                    self.answer("RSET", "250 2.0.0 Ok")?.0
                }
                "NOOP" => self.answer("NOOP", "250 2.0.0 Ok")?.0,
                "QUIT" => {
                    self.answer("QUIT", "221 2.0.0 Bye")?;
                    Next::End
                }
                _ => self.answer("OTHER", "502 5.5.2 Command not known")?.0,
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

    fn greeting(&self) -> String {
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
        let (next, code) = self.answer("STARTTLS", if offered { "220 2.0.0 Go on" } else { "502 5.5.1 No" })?;
        if code == 220 && offered {
            self.input.clear();
            self.start_tls()?;
        }
        Ok(next)
    }

    fn start_tls(&mut self) -> Result {
        let config = self.shared.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let Stream::Clear(mut stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
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
        let (next, code) = self.answer("MAIL", "250 2.1.0 Ok")?;
        if code == 250 {
            (self.from, self.to) = (Some(argument), Vec::new());
        }
        Ok(next)
    }

    fn rcpt(&mut self, argument: String) -> io::Result<Next> {
        if self.from.is_none() {
            return Ok(self.answer("RCPT", "503 5.5.1 MAIL first")?.0);
        }
        let (next, code) = self.answer("RCPT", "250 2.1.5 Ok")?;
        if (250..=252).contains(&code) {
            self.to.push(argument);
        }
        Ok(next)
    }

    fn data(&mut self) -> io::Result<Next> {
        let ready = !self.to.is_empty();
        let (next, code) = self.answer("DATA", if ready { "354 Go on" } else { "503 5.5.1 RCPT first" })?;
        if code != 354 || matches!(next, Next::End) {
            return Ok(next);
        }
        let Some(raw) = self.message()? else {
            return Ok(Next::End);
        };
        self.received(unstuffed(&raw), raw)
    }

    /// Keeps the message and answers for it; under LMTP once for each recipient.
    fn received(&mut self, message: Vec<u8>, raw: Vec<u8>) -> io::Result<Next> {
        let to = std::mem::take(&mut self.to);
        let answers = if self.lmtp { to.len() } else { 1 };
        let mail = Mail { from: self.from.take().unwrap_or_default(), to, message, raw, tls: self.is_tls() };
        let number = self.count("MESSAGE-ID");
        // Kept before it is answered: a client that has its 250 finds the message there.
        if !mail.to.is_empty() {
            self.shared.received(mail);
        }
        let reply = format!("250 2.0.0 Ok: queued as SINK{}X{number}", self.connection);
        for _ in 0..answers {
            if let Next::End = self.answer("MESSAGE", &reply)?.0 {
                return Ok(Next::End);
            }
        }
        Ok(Next::Go)
    }

    /// A chunk (RFC 3030), answered as `BDAT`, the last one as `MESSAGE`.
    fn bdat(&mut self, line: &str) -> io::Result<Next> {
        let mut words = line.split(' ').skip(1);
        let size: usize = words.next().and_then(|size| size.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let last = words.next() == Some("LAST");
        while self.input.len() < size {
            self.fill()?;
        }
        self.chunks.extend(self.input.drain(..size));
        if self.chunks.len() > MAX_MESSAGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.to.is_empty() {
            return Ok(self.answer("BDAT", "503 5.5.1 RCPT first")?.0);
        }
        if !last {
            return Ok(self.answer("BDAT", "250 2.0.0 Ok")?.0);
        }
        let message = std::mem::take(&mut self.chunks);
        self.received(message.clone(), message)
    }

    /// A login as the script says.
    fn auth(&mut self) -> io::Result<Next> {
        let replies = self.shared.script.auth.clone();
        for reply in &replies {
            self.stream.write(format!("{reply}\r\n").as_bytes())?;
            if !reply.starts_with("334") {
                return Ok(Next::Go);
            }
            if self.command()?.is_none() {
                return Ok(Next::End);
            }
        }
        Ok(self.answer("AUTH", "501 5.7.0 The login is over")?.0)
    }

    /// Reads up to the final dot. `None`: refused on the way.
    fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
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
                self.wait_for_end();
                return Ok(None);
            }
            if self.input.len() > MAX_MESSAGE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            searched = self.input.len().saturating_sub(4);
            self.fill()?;
        }
    }

    /// The next command line; `None` when the client has closed.
    fn command(&mut self) -> io::Result<Option<String>> {
        let mut waited = false;
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                self.flight += usize::from(waited);
                let (flight, tls, connection) = (self.flight, self.is_tls(), self.connection);
                self.shared.said(Command { line: line.clone(), flight, tls, connection });
                return Ok(Some(line));
            }
            if self.input.len() > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            waited = true;
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

    /// Answers a step as the script says, else with `good`. Gives the code that was answered; 0 is none.
    fn answer(&mut self, step: &str, good: &str) -> io::Result<(Next, u16)> {
        let occurrence = self.count(step);
        let behaviour = self.shared.script.behaviour(step, occurrence).cloned();
        let code = |reply: &str| reply.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        match behaviour.unwrap_or_else(|| Behaviour::Reply(good.to_owned())) {
            Behaviour::Reply(reply) => {
                self.stream.write(format!("{reply}\r\n").as_bytes())?;
                Ok((Next::Go, code(&reply)))
            }
            Behaviour::Raw(bytes) => {
                self.stream.write(&bytes)?;
                Ok((Next::Go, code(&String::from_utf8_lossy(&bytes))))
            }
            Behaviour::Close => Ok((Next::End, 0)),
            Behaviour::ReplyAndClose(reply) => {
                self.stream.write(format!("{reply}\r\n").as_bytes())?;
                Ok((Next::End, code(&reply)))
            }
            Behaviour::Silence => {
                self.wait_for_end();
                Ok((Next::End, 0))
            }
            Behaviour::Drip(reply, pause) => {
                for byte in format!("{reply}\r\n").bytes() {
                    if self.shared.stopping.load(Ordering::SeqCst) {
                        return Ok((Next::End, 0));
                    }
                    thread::sleep(pause);
                    self.stream.write(&[byte])?;
                }
                Ok((Next::Go, code(&reply)))
            }
        }
    }

    /// Reads and forgets until the client closes or the server is stopped.
    fn wait_for_end(&mut self) {
        let deadline = Instant::now() + IDLE;
        let mut block = [0; 4096];
        while Instant::now() < deadline && !self.shared.stopping.load(Ordering::SeqCst) {
            match self.stream.read(&mut block) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// The message of a data phase: without the final dot, doubled dots made single.
fn unstuffed(raw: &[u8]) -> Vec<u8> {
    let body = raw.strip_suffix(b".\r\n").unwrap_or(raw);
    let mut message = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    message
}
