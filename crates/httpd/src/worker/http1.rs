//! HTTP/1.1 on one connection: from received bytes to sent bytes, as far as possible without waiting.
//!
//! [`Http1::process_requests`] is called when a socket is ready. Afterwards the phase of the connection says what it waits
//! for; what cannot be sent at once is returned as a job for the blocking pool.

use std::io;

use super::proxy_protocol::{ProxyHeader, read_proxy_header};
use super::server_sent_events::next_keep_alive;
use crate::blocking::job::Job;
use crate::connection::{Connection, ConnectionLimits, Phase};
use crate::handler::{Handler, PlainHttp, Reply, ResponseBody};
use crate::net::listener::Role;
use crate::net::peer::Peer;
use crate::proto::Rejection;
use crate::proto::framing::{self, BodyLength, Drain, Drained, Expectation, MAX_DRAIN};
use crate::proto::request::{self, Head, MAX_HEAD, Parsed, Version};
use crate::proto::response::{Framing, KeepAlive, Response};
use crate::telemetry::access_log::OwnedLogEntry;
use crate::telemetry::metrics::ServedBy;

/// Bytes of one receive: more than the largest head, so that any head fits behind the pending bytes.
const RECEIVE_SIZE: usize = 64 * 1024;
/// Bytes of pipelined responses that are collected before they are sent.
const MAX_OUTPUT: usize = 64 * 1024;

/// The first bytes of a client that expects TLS (RFC 8446, section 5.1).
const TLS_HANDSHAKE: &[u8] = &[22, 3];
const NO_TLS: Rejection = Rejection::bad_request("This port speaks HTTP without TLS.");

/// A receive buffer must hold a complete head and a body that may be discarded behind it.
const _: () = assert!(RECEIVE_SIZE > MAX_HEAD && RECEIVE_SIZE as u64 >= MAX_DRAIN);

/// The buffers of one worker, used by the connection that is being served.
pub(super) struct Buffers {
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { input: vec![0; RECEIVE_SIZE], output: Vec::new() }
    }
}

/// Processes the requests of one connection.
pub(super) struct Http1<'w> {
    pub(super) handler: &'w mut Handler,
    pub(super) buffers: &'w mut Buffers,
    pub(super) limits: &'w ConnectionLimits,
}

/// The unprocessed part of the input buffer.
#[derive(Clone, Copy)]
struct Unread {
    start: usize,
    end: usize,
}

/// A response in the output buffer, and what follows it.
struct Answered {
    /// Bytes of the request head.
    taken: usize,
    reply: Reply,
    /// Whether the body is sent in chunks.
    chunked: bool,
    /// The phase of the connection after the response.
    phase: Phase,
}

impl Http1<'_> {
    /// Receives, and answers every complete request.
    pub(super) fn process_requests(&mut self, connection: &mut Connection) -> Option<Job> {
        self.buffers.output.clear();
        if matches!(connection.phase, Phase::ProxyHeader) {
            match read_proxy_header(connection, &mut self.buffers.input) {
                ProxyHeader::Partial => return None,
                ProxyHeader::Failed => return close(connection),
                ProxyHeader::Complete(client) => {
                    connection.phase = Phase::first(&connection.stream);
                    if let Some(client) = client.map(Peer::Ip)
                        && !self.name_client(connection, client)
                    {
                        return self.flush(connection);
                    }
                }
            }
        }
        let received = match self.receive(connection) {
            Ok(received) => received,
            Err(error) => {
                // The TLS alert must reach the client, and a reset would destroy it.
                let is_tls_error = error.kind() == io::ErrorKind::InvalidData;
                connection.phase = if is_tls_error { Phase::Closing } else { Phase::Closed };
                return None;
            }
        };
        if matches!(connection.phase, Phase::Handshake) && connection.stream.is_open() {
            connection.phase = Phase::Idle;
        }
        if received == 0 {
            return self.flush(connection);
        }
        if matches!(connection.phase, Phase::Lingering | Phase::Streaming(_)) {
            connection.pending = Vec::new();
            return None;
        }
        self.answer_all(connection, received)
    }

    /// Answers every complete request in the first `end` bytes of the input.
    fn answer_all(&mut self, connection: &mut Connection, end: usize) -> Option<Job> {
        let mut unread = Unread { start: 0, end };
        loop {
            if let Phase::Draining(drain) = &mut connection.phase {
                match drain.feed(&self.buffers.input[unread.start..end]) {
                    Drained::Done(count) => unread.start += count,
                    Drained::More => return self.keep_pending(connection, Unread { start: end, end }),
                    Drained::GiveUp => {
                        connection.phase = Phase::Closing;
                        return self.flush(connection);
                    }
                }
                connection.phase = Phase::Idle;
                self.handler.clock.new_batch();
            }
            let Some(answered) = self.answer(connection, unread) else {
                return self.keep_pending(connection, unread);
            };
            unread.start += answered.taken;
            (connection.served, connection.last_used) = (true, self.handler.clock.batch());
            let job = self.deliver(connection, answered, unread);
            if job.is_some() || !matches!(connection.phase, Phase::Idle | Phase::Draining(_)) {
                return job;
            }
            // The first request began before this wake-up; a further one may have been sent after the last check of files.
            self.handler.clock.new_batch();
        }
    }

    /// Changes the connection to that of `client`; whether its connection limit allows it. If not, 503 is in the output.
    fn name_client(&mut self, connection: &mut Connection, client: Peer) -> bool {
        connection.peer = client;
        if connection.count_for(self.handler.counted(client)) {
            return true;
        }
        let mut response = Response::new(&mut self.buffers.output, Framing::LAST);
        self.handler.reject_over_limit(&[], client, &mut response);
        if connection.stream.is_open() {
            connection.phase = Phase::Closing;
        } else {
            // A TLS handshake would cost more than any response.
            self.buffers.output.clear();
            connection.phase = Phase::Closed;
        }
        false
    }

    /// Fills the input with pending and received bytes; returns their number, 0 if there is nothing to do.
    fn receive(&mut self, connection: &mut Connection) -> io::Result<usize> {
        let kept = connection.pending.len();
        self.buffers.input[..kept].copy_from_slice(&connection.pending);
        match connection.stream.receive_now(&mut self.buffers.input[kept..]) {
            // Pending bytes may hold whole requests, except for an incomplete head.
            Ok(0) if kept == 0 || matches!(connection.phase, Phase::Head) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(kept + count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(kept),
            Err(error) => {
                log::debug!("{}: {}", connection.peer, common::error::reason(&error));
                Err(error)
            }
        }
    }

    /// Answers the first request of the input; `None` if it is not complete.
    fn answer(&mut self, connection: &Connection, unread: Unread) -> Option<Answered> {
        let Buffers { input, output } = &mut *self.buffers;
        let (input, peer) = (&input[unread.start..unread.end], connection.peer);
        let plain_http = plain_http(connection);
        let parsed = match request::parse(input) {
            _ if plain_http.is_none() && input.starts_with(TLS_HANDSHAKE) => Err(NO_TLS),
            Ok(Parsed::Partial) => return None,
            Ok(Parsed::Complete(head, taken)) => Ok((head, taken)),
            Err(rejection) => Err(rejection),
        };
        let parsed = parsed.and_then(|(head, taken)| match plain_http {
            Some(_) => Ok((head, input.len(), Phase::Closing)),
            None => phase_after(&head).map(|phase| (head, taken, phase)),
        });
        let (head, taken, phase) = match parsed {
            Ok(parsed) => parsed,
            Err(rejection) => {
                self.handler.reject(rejection, input, peer, &mut Response::new(output, Framing::LAST));
                let reply = Reply::default();
                return Some(Answered { taken: input.len(), reply, chunked: false, phase: Phase::Closing });
            }
        };
        let mut response = Response::new(output, framing_of(&head, &phase));
        let reply = match plain_http {
            Some(port) => self.handler.redirect_to_https(port, &head, peer, &mut response),
            None => self.handler.respond(&head, peer, &mut response),
        };
        if let ResponseBody::Verification(_) = reply.body {
            return Some(Answered { taken: 0, reply, chunked: false, phase: Phase::Verifying });
        }
        let phase = match phase {
            Phase::Idle if response.framing().keep_alive == KeepAlive::Close => Phase::Closed,
            Phase::Draining(_) if response.framing().keep_alive == KeepAlive::Close => Phase::Closing,
            phase => phase,
        };
        Some(Answered { taken, chunked: response.is_chunked(), reply, phase })
    }

    /// Sends the response, or what fits the socket. Without a job, and with a phase for further requests, the next request
    /// is processed.
    fn deliver(&mut self, connection: &mut Connection, answered: Answered, unread: Unread) -> Option<Job> {
        let Answered { reply: Reply { body, mut log_entry }, chunked, phase, .. } = answered;
        connection.phase = match phase {
            // Closing while the client still sends would reset the connection before the response is read.
            Phase::Closed if unread.start < unread.end => Phase::Closing,
            phase => phase,
        };
        if matches!(connection.phase, Phase::Draining(_)) {
            connection.deadline = self.handler.clock.deadline(self.limits.header_timeout);
        }
        let body = match body {
            ResponseBody::Cached(file, range) => {
                let result = self.send_cached(connection, &file.body[range.clone()]);
                let left = result.as_ref().map_or(range.len(), |left| *left);
                if let Some(entry) = &mut log_entry {
                    entry.bytes = (range.len() - left) as u64;
                    entry.served_by = if left == 0 { ServedBy::Memory } else { ServedBy::Blocking };
                }
                if left == 0 || result.is_err() {
                    self.record(log_entry.take());
                }
                match result {
                    Ok(0) => ResponseBody::Empty,
                    Ok(left) => ResponseBody::Cached(file, range.end - left..range.end),
                    Err(_) => return close(connection),
                }
            }
            ResponseBody::Events(subscriber) => {
                connection.phase = Phase::Streaming(subscriber);
                connection.deadline = next_keep_alive(&self.handler.clock);
                connection.pending = Vec::new();
                return self.flush(connection);
            }
            body => body,
        };
        if let Some(entry) = &log_entry {
            // While a long response is sent, a connection of a proxy counts for the client.
            connection.count_for(self.handler.counted(entry.peer));
        }
        if !matches!(body, ResponseBody::Empty) {
            connection.pending = self.buffers.input[unread.start..unread.end].to_vec();
            if matches!(connection.phase, Phase::Closed) {
                connection.phase = Phase::Closing;
            }
            let ready = std::mem::take(&mut self.buffers.output);
            return Some(Job { ready, body, chunked, log_entry });
        }
        let is_last = matches!(connection.phase, Phase::Closed | Phase::Closing);
        if is_last {
            return self.flush(connection);
        }
        if self.buffers.output.len() > MAX_OUTPUT {
            return self.flush_before_next(connection, unread);
        }
        None
    }

    fn record(&mut self, entry: Option<OwnedLogEntry>) {
        if let Some(entry) = entry {
            self.handler.recorder.record(&self.handler.clock, &entry.as_entry());
        }
    }

    /// Sends the responses so far. A client that does not read gets no further response prepared.
    fn flush_before_next(&mut self, connection: &mut Connection, unread: Unread) -> Option<Job> {
        let job = self.flush(connection)?;
        connection.pending = self.buffers.input[unread.start..unread.end].to_vec();
        Some(job)
    }

    /// Sends the output and keeps an incomplete request for the next wake-up. The time limit of a head starts with its first
    /// byte, that of a body with its head.
    fn keep_pending(&mut self, connection: &mut Connection, unread: Unread) -> Option<Job> {
        let rest = &self.buffers.input[unread.start..unread.end];
        // A new allocation, so that an idle connection holds no buffer.
        connection.pending = rest.to_vec();
        if matches!(connection.phase, Phase::Idle) {
            let timeout = if rest.is_empty() {
                self.limits.idle_timeout
            } else {
                connection.phase = Phase::Head;
                self.limits.header_timeout
            };
            connection.deadline = self.handler.clock.deadline(timeout);
        }
        self.flush(connection)
    }

    /// Sends the output and a body in one call; returns how much of the body is left. The output keeps what is not sent.
    fn send_cached(&mut self, connection: &mut Connection, body: &[u8]) -> io::Result<usize> {
        let output = &mut self.buffers.output;
        let sent = connection.send_now(&[output, body])?;
        let from_output = sent.min(output.len());
        output.drain(..from_output);
        Ok(body.len() - (sent - from_output))
    }

    /// Sends the output; what does not fit the socket becomes a job.
    fn flush(&mut self, connection: &mut Connection) -> Option<Job> {
        let output = &mut self.buffers.output;
        if output.is_empty() && !connection.stream.has_backlog() {
            return None;
        }
        match connection.send_now(&[output]) {
            Ok(sent) if sent == output.len() && !connection.stream.has_backlog() => {
                output.clear();
                None
            }
            Ok(sent) => {
                if matches!(connection.phase, Phase::Closed) {
                    connection.phase = Phase::Closing;
                }
                Some(Job { ready: output.split_off(sent), ..Job::default() })
            }
            Err(_) => close(connection),
        }
    }
}

fn close(connection: &mut Connection) -> Option<Job> {
    connection.phase = Phase::Closed;
    None
}

/// The port that received a request in clear instead of HTTPS; `None` if the connection is as expected.
fn plain_http(connection: &Connection) -> Option<PlainHttp> {
    match connection.role {
        Role::Redirect(port) => Some(PlainHttp::OnRedirectPort(port)),
        Role::Tls if connection.stream.is_plain_http_on_tls_port() => Some(PlainHttp::OnTlsPort),
        Role::Plain | Role::Tls => None,
    }
}

/// The phase of a connection after the response to this request (RFC 9112, sections 6 and 9).
fn phase_after(head: &Head) -> Result<Phase, Rejection> {
    let length = framing::body_length(head)?;
    let expectation = framing::expectation(head)?;
    Ok(match (length, expectation) {
        (BodyLength::Bytes(0), _) if framing::keeps_alive(head) => Phase::Idle,
        (BodyLength::Bytes(0), _) => Phase::Closed,
        // The client decides whether it sends the body after a final response, so the following bytes are ambiguous.
        (_, Expectation::Continue) => Phase::Closing,
        (length, Expectation::None) => match Drain::new(length) {
            Some(drain) if framing::keeps_alive(head) => Phase::Draining(Box::new(drain)),
            _ => Phase::Closing,
        },
    })
}

fn framing_of(head: &Head, phase: &Phase) -> Framing {
    let keep_alive = match (phase, head.version) {
        (Phase::Closed | Phase::Closing, _) => KeepAlive::Close,
        (_, Version::Http10) => KeepAlive::Explicit,
        (_, Version::Http11) => KeepAlive::Default,
    };
    Framing { keep_alive, chunked: head.version == Version::Http11 }
}
