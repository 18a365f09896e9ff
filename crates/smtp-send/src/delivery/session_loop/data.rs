//! Sends the message: dot-stuffed after DATA, or in chunks by BDAT (RFC 3030), line ends made CRLF.
//!
//! Memory does not grow with the message. Between two blocks it checks whether the server has already refused it.

use std::io;
use std::time::Duration;

use common::{Error, Kind};

use super::{Connection, ConnectionLost, MessageQueue};
use crate::delivery::progress::UploadProgress;
use crate::message::{Message, Piece};
use crate::net::transport::ConnectionError;
use crate::proto::command::{BodyForm, Command};
use crate::proto::dot::{DotStuffing, LineEnds};
use crate::proto::reply::Reply;
use crate::session::{Event, Framing, State};

/// Bytes written at once: four full TLS records.
const BLOCK: usize = 64 * 1024;
/// Plaintext of a full TLS record.
const RECORD: usize = 16 * 1024;
/// Bytes of a chunk: large enough that its reply costs nothing, small enough to wait in memory.
const CHUNK: usize = 256 * 1024;
/// Most chunks without a reply, so that a server that never replies is noticed.
const MAX_UNANSWERED: usize = 16;
/// Wait for the reply of a server that has closed the connection: it often says why.
pub(super) const LAST_REPLY_TIMEOUT: Duration = Duration::from_secs(1);

enum UploadError {
    /// The message cannot be read.
    Message(io::Error),
    /// The connection broke.
    Connection(ConnectionError),
    /// The server replied before the message was complete.
    EarlyReply(Reply),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        Self::Message(error)
    }
}

impl From<ConnectionError> for UploadError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

/// Sends the message; its end stays in the buffer of `connection`. Gives the reply of a server that refuses it early.
pub(super) fn send(
    connection: &mut Connection,
    queue: &mut dyn MessageQueue,
    form: BodyForm,
    framing: Framing,
) -> Result<Event, ConnectionLost> {
    let missing = || Error::new(Kind::System, "send", "the message", "it is gone");
    let Some((message, progress)) = queue.current() else { return Err(ConnectionLost::incomplete(missing())) };
    let mut upload = Upload { connection, progress, unanswered: 0, started: false };
    let ended = upload.expect_no_reply().and_then(|()| match framing {
        Framing::Dot => upload.stuffed(message, form),
        Framing::Chunks { pipelined } => upload.chunked(message, form, if pipelined { MAX_UNANSWERED } else { 0 }),
    });
    let chunks = upload.unanswered;
    match ended {
        Ok(()) => {
            log::info!("-> the message, {} bytes with its end", progress.bytes());
            connection.end_of_message = Some(connection.out.len());
            queue.upload_complete().map_err(ConnectionLost::incomplete)?;
            Ok(Event::Uploaded { chunks })
        }
        Err(UploadError::EarlyReply(reply)) => Ok(connection.received(reply, State::Upload)),
        Err(UploadError::Connection(error)) => {
            match connection.transport.reply(LAST_REPLY_TIMEOUT, State::Upload.name()) {
                Ok(reply) => Ok(connection.received(reply, State::Upload)),
                Err(_) => Err(ConnectionLost::incomplete(error)),
            }
        }
        // A file that another program is writing will be complete later.
        Err(UploadError::Message(error)) => {
            let failure = Error::io("send", "the message", error).with_kind(Kind::Temporary);
            Err(ConnectionLost::incomplete(failure))
        }
    }
}

struct Upload<'a> {
    connection: &'a mut Connection,
    progress: &'a mut UploadProgress,
    unanswered: usize,
    /// Whether a block was sent, so that the server may have replied.
    started: bool,
}

impl Upload<'_> {
    /// A reply before the message means that the server is out of step.
    fn expect_no_reply(&mut self) -> Result<(), UploadError> {
        match self.connection.transport.buffered_reply()? {
            Some(reply) => Err(UploadError::EarlyReply(reply)),
            None => Ok(()),
        }
    }

    fn stuffed(&mut self, message: &mut Message, form: BodyForm) -> Result<(), UploadError> {
        let mut stuffing = DotStuffing::default();
        let mut before = self.connection.out.len();
        message.stream(form, |piece| {
            match piece {
                Piece::Canonical(lines) => stuffing.push_canonical(lines, &mut self.connection.out),
                Piece::Raw(bytes) | Piece::Binary(bytes) => stuffing.push(bytes, &mut self.connection.out),
            }
            self.progress.add(self.connection.out.len() - before);
            self.write_records()?;
            before = self.connection.out.len();
            Ok::<_, UploadError>(())
        })?;
        stuffing.finish(&mut self.connection.out);
        self.progress.add(self.connection.out.len() - before);
        Ok(())
    }

    /// Writes the whole records of the buffer once it holds a block.
    fn write_records(&mut self) -> Result<(), UploadError> {
        let length = self.connection.out.len();
        if length < BLOCK {
            return Ok(());
        }
        if self.started
            && let Some(reply) = self.connection.transport.early_reply()?
        {
            return Err(UploadError::EarlyReply(reply));
        }
        let whole = length - length % RECORD;
        self.write(whole)
    }

    /// Writes the first `length` bytes of the buffer.
    fn write(&mut self, length: usize) -> Result<(), UploadError> {
        let sent = self.connection.transport.send(&self.connection.out[..length], State::Upload.reply_timeout());
        self.started = true;
        sent.map_err(|unwritten| unwritten.error)?;
        self.connection.out.drain(..length);
        Ok(())
    }

    fn chunked(&mut self, message: &mut Message, form: BodyForm, limit: usize) -> Result<(), UploadError> {
        let mut ends = LineEnds::default();
        let mut chunk = Vec::new();
        if form == BodyForm::Binary {
            self.progress.set_size(message.size(form)?);
        }
        let sink = |piece: Piece<'_>| {
            match piece {
                Piece::Canonical(lines) => ends.push_canonical(lines, &mut chunk),
                Piece::Raw(bytes) => ends.push(bytes, &mut chunk),
                // The line end that follows belongs to the boundary, so no line is incomplete.
                Piece::Binary(bytes) => chunk.extend_from_slice(bytes),
            }
            if chunk.len() >= CHUNK {
                self.chunk(&mut chunk, false);
                self.write(self.connection.out.len())?;
                self.unanswered += 1;
                self.read_replies(limit)?;
            }
            Ok::<_, UploadError>(())
        };
        message.stream(form, sink)?;
        ends.finish(&mut chunk);
        self.chunk(&mut chunk, true);
        Ok(())
    }

    /// Appends a chunk with its command to the buffer.
    fn chunk(&mut self, chunk: &mut Vec<u8>, last: bool) {
        let command = Command::Bdat { size: chunk.len(), last };
        log::debug!("-> {command}");
        command.write_to(&mut self.connection.out);
        self.progress.add(chunk.len());
        self.connection.out.append(chunk);
    }

    /// Reads replies to chunks, and waits while more than `limit` are missing.
    fn read_replies(&mut self, limit: usize) -> Result<(), UploadError> {
        while self.unanswered > 0 {
            let transport = &mut self.connection.transport;
            let reply = if self.unanswered > limit {
                Some(transport.reply(State::Chunk.reply_timeout(), State::Chunk.name())?)
            } else {
                transport.early_reply()?
            };
            match reply {
                Some(reply) if reply.is_positive() => self.unanswered -= 1,
                Some(reply) => return Err(UploadError::EarlyReply(reply)),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
