//! The conversation with one client: from what has arrived to what is sent, as far as that goes without waiting.
//!
//! [`Worker::process_requests`] is called when a socket is ready and returns what becomes of the connection. Whatever cannot be
//! finished at once leaves for the blocking lane with everything it needs.

use std::io;

use super::{Next, Offload, Worker};
use crate::blocking::response_writer::Content;
use crate::handler::{After, Answer, PlainHttp, Rest};
use crate::net::listener::Role;
use crate::proto::framing::Drained;
use crate::worker::connection::{Connection, Phase};

/// Answers prepared before they are sent: a kilobyte of requests can ask for megabytes.
const MAX_OUTPUT: usize = 64 * 1024;

impl Worker {
    /// Reads what has arrived and answers every complete request in it.
    pub(super) fn process_requests(&mut self, connection: &mut Connection) -> Next {
        if matches!(connection.phase, Phase::ProxyHeader)
            && let Some(next) = self.read_proxy_header(connection)
        {
            return next;
        }
        let arrived = match self.receive(connection) {
            Ok(arrived) => arrived,
            // The client shall hear what was wrong, which a reset would keep from it.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Next::Linger,
            Err(_) => return Next::Close,
        };
        if matches!(connection.phase, Phase::Handshake) && connection.stream.is_open() {
            connection.phase = Phase::Idle;
        }
        if arrived == 0 {
            return self.flush_and(connection, Next::Stay);
        }
        if matches!(connection.phase, Phase::Lingering | Phase::Streaming(_)) {
            connection.pending = Vec::new();
            return Next::Stay;
        }
        let mut position = 0;
        loop {
            if let Phase::Draining(drain) = &mut connection.phase {
                match drain.feed(&self.input[position..arrived]) {
                    Drained::Done(count) => position += count,
                    Drained::More => return self.keep_pending(connection, arrived, arrived),
                    Drained::GiveUp => return self.flush_and(connection, Next::Linger),
                }
                connection.phase = Phase::Idle;
                self.handler.clock.new_batch();
            }
            let input = &self.input[position..arrived];
            let peer = connection.peer;
            let answer = match elsewhere(connection) {
                None => self.handler.serve(input, peer, &mut self.output),
                Some(slot) => self.handler.answer_plain_http(slot, input, peer, &mut self.output),
            };
            let Some(answer) = answer else {
                return self.keep_pending(connection, position, arrived);
            };
            position += answer.taken;
            if let Some(next) = self.deliver(connection, answer, position, arrived) {
                return next;
            }
            // The first request had begun when this worker woke up. The next one may have been sent after the last check.
            self.handler.clock.new_batch();
        }
    }

    /// Fills the input with what was kept and what has arrived: how much there is, 0 when there is nothing new to do.
    fn receive(&mut self, connection: &mut Connection) -> io::Result<usize> {
        let kept = connection.pending.len();
        self.input[..kept].copy_from_slice(&connection.pending);
        match connection.stream.receive_now(&mut self.input[kept..]) {
            // What was kept while an answer was sent has not been looked at yet, and may hold whole requests. The beginning
            // of a head will stay one.
            Ok(0) if kept == 0 || matches!(connection.phase, Phase::Head) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(kept + count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(kept),
            Err(error) => {
                log::debug!("{}: {}", connection.peer, common::error::reason(&error));
                Err(error)
            }
        }
    }

    /// Does what an answer asks for; `None` when the next request can be looked at.
    fn deliver(
        &mut self,
        connection: &mut Connection,
        answer: Answer,
        position: usize,
        arrived: usize,
    ) -> Option<Next> {
        let ends = matches!(answer.after, After::Close | After::Linger);
        // Closing while the client may still be sending would reset the last answer away.
        let lingers = matches!(answer.after, After::Linger) || position < arrived;
        connection.phase = match answer.after {
            After::Drain(drain) => {
                connection.deadline = self.deadline(self.limits.head);
                Phase::Draining(Box::new(drain))
            }
            _ => Phase::Idle,
        };
        let (content, entry) = match answer.rest {
            Rest::Nothing => (Content::Nothing, None),
            Rest::Memory(document, range) => match self.send_document(connection, &document.body[range.clone()]) {
                Ok(0) => (Content::Nothing, None),
                Ok(left) => (Content::Memory(document, range.end - left..range.end), None),
                Err(_) => return Some(Next::Close),
            },
            Rest::Events(subscriber) => {
                connection.phase = Phase::Streaming(subscriber);
                connection.deadline = self.next_keep_alive();
                connection.pending = Vec::new();
                return Some(self.flush_and(connection, Next::Stay));
            }
            Rest::Blocking(content, entry) => {
                // While it takes its time, a connection of a proxy is one of whoever asked.
                connection.count_for(self.handler.counted(entry.peer));
                (content, Some(entry))
            }
            Rest::Login(attempt) => {
                connection.phase = Phase::LoggingIn;
                (Content::Login(attempt), None)
            }
        };
        if !matches!(content, Content::Nothing) {
            connection.pending = self.input[position..arrived].to_vec();
            let ready = std::mem::take(&mut self.output);
            return Some(Next::Offload(Box::new(Offload { ready, content, entry, ends })));
        }
        match (ends, lingers) {
            (false, _) if self.output.len() > MAX_OUTPUT => self.flush_before_next(connection, position, arrived),
            (false, _) => None,
            (true, false) => Some(self.flush_and(connection, Next::Close)),
            (true, true) => Some(self.flush_and(connection, Next::Linger)),
        }
    }

    /// Sends what has been prepared so far. A client that does not take it gets no further answer prepared.
    fn flush_before_next(&mut self, connection: &mut Connection, position: usize, arrived: usize) -> Option<Next> {
        match self.flush_and(connection, Next::Stay) {
            Next::Stay => {
                self.output.clear();
                None
            }
            next => {
                connection.pending = self.input[position..arrived].to_vec();
                Some(next)
            }
        }
    }

    /// Sends what is ready and keeps the beginning of a request for the next wake-up. The time for a head runs from its
    /// first octet, that for a body from its head.
    fn keep_pending(&mut self, connection: &mut Connection, position: usize, arrived: usize) -> Next {
        let rest = &self.input[position..arrived];
        // A new one each time, so that a connection that has become idle holds no buffer.
        connection.pending = rest.to_vec();
        match connection.phase {
            Phase::Idle if !rest.is_empty() => {
                connection.phase = Phase::Head;
                connection.deadline = self.deadline(self.limits.head);
            }
            Phase::Idle => connection.deadline = self.deadline(self.limits.idle),
            Phase::ProxyHeader
            | Phase::Handshake
            | Phase::Head
            | Phase::LoggingIn
            | Phase::Draining(_)
            | Phase::Streaming(_)
            | Phase::Lingering => {}
        }
        self.flush_and(connection, Next::Stay)
    }

    /// Sends the output and a body behind it in one call; returns how much of the body is left. The output is empty
    /// afterwards, or holds what did not go out.
    fn send_document(&mut self, connection: &mut Connection, body: &[u8]) -> io::Result<usize> {
        let sent = connection.send_now(&[&self.output, body])?;
        let from_output = sent.min(self.output.len());
        self.output.drain(..from_output);
        Ok(body.len() - (sent - from_output))
    }

    /// Sends the output; what does not go out at once leaves for the blocking lane.
    pub(super) fn flush_and(&mut self, connection: &mut Connection, next: Next) -> Next {
        if self.output.is_empty() && !connection.stream.has_backlog() {
            return next;
        }
        match connection.send_now(&[&self.output]) {
            Ok(sent) if sent == self.output.len() && !connection.stream.has_backlog() => next,
            Ok(sent) => {
                let rest = self.output.split_off(sent);
                let ends = !matches!(next, Next::Stay);
                Next::Offload(Box::new(Offload { ready: rest, content: Content::Nothing, entry: None, ends }))
            }
            Err(_) => Next::Close,
        }
    }
}

/// Where the requests of a connection are sent that did not come to the right slot.
fn elsewhere(connection: &Connection) -> Option<PlainHttp> {
    match connection.role {
        Role::Redirect(port) => Some(PlainHttp::OnRedirectPort(port)),
        Role::Tls if connection.stream.is_plain_http_on_tls_port() => Some(PlainHttp::OnTlsPort),
        Role::Plain | Role::Tls => None,
    }
}
