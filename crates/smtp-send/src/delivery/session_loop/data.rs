//! The message on its way: dots stuffed behind DATA, or in chunks behind BDAT (RFC 3030), line ends made CRLF.
//!
//! Memory does not grow with the message. Between two blocks a look shows whether the server has already refused it.

use std::io;
use std::time::Duration;

use common::{Failure, Kind};

use super::{ConnectionLost, Line, MessageQueue, log_reply};
use crate::delivery::progress::UploadProgress;
use crate::message::{Message, Piece};
use crate::proto::command::{BodyForm, Command};
use crate::proto::dot::{DotStuffing, LineEnds};
use crate::proto::reply::Reply;
use crate::session::{Event, Framing, State};

/// Bytes that are written at once: four full TLS records.
const BLOCK: usize = 64 * 1024;
/// Plaintext of a full TLS record.
const RECORD: usize = 16 * 1024;
/// Bytes of a chunk: large enough that its reply costs nothing, small enough to wait in memory.
const CHUNK: usize = 256 * 1024;
/// Chunks whose replies have not come, so that a server that never answers is noticed.
const MAX_UNANSWERED: usize = 16;
/// A server that closes during the upload has often said why just before.
pub(super) const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// Why an upload did not come to its end.
enum UploadError {
    Text(io::Error),
    Wire(Failure),
    Early(Reply),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        Self::Text(error)
    }
}

/// Sends the message with its end, which stays in the buffer of `line`; or hears why not.
pub(super) fn send(
    line: &mut Line,
    outbox: &mut dyn MessageQueue,
    form: BodyForm,
    framing: Framing,
) -> Result<Event, ConnectionLost> {
    let missing = || Failure::new(Kind::System, "send", "the message", "it is gone");
    let Some((message, meter)) = outbox.parcel() else {
        return Err(ConnectionLost { failure: missing(), complete: false });
    };
    let mut upload = Upload { line, meter, unanswered: 0, started: false };
    let ended = upload.nothing_is_said().and_then(|()| match framing {
        Framing::Dot => upload.dotted(message, form),
        Framing::Chunks { pipelined } => {
            upload.chunked(message, form, if pipelined { MAX_UNANSWERED } else { 0 })
        }
    });
    let chunks = upload.unanswered;
    match ended {
        Ok(()) => {
            log::info!("-> the message, {} bytes with its end", meter.bytes());
            line.end_of_message = Some(line.out.len());
            outbox.completed().map_err(|failure| ConnectionLost { failure, complete: false })?;
            Ok(Event::Uploaded { chunks })
        }
        Err(UploadError::Early(reply)) => {
            log_reply(&reply);
            Ok(Event::Reply(reply))
        }
        Err(UploadError::Wire(failure)) => match line.wire.reply(LAST_WORDS_TIMEOUT, State::Upload.name()) {
            Ok(reply) => {
                log_reply(&reply);
                Ok(Event::Reply(reply))
            }
            Err(_) => Err(ConnectionLost { failure, complete: false }),
        },
        // A file that was being written will be complete later.
        Err(UploadError::Text(error)) => {
            let failure = Failure::io("send", "the message", error).with_kind(Kind::Temporary);
            Err(ConnectionLost { failure, complete: false })
        }
    }
}

struct Upload<'a> {
    line: &'a mut Line,
    meter: &'a mut UploadProgress,
    /// Chunks whose replies have not come.
    unanswered: usize,
    /// Whether a block has left, so that the server may have something to say.
    started: bool,
}

impl Upload<'_> {
    /// A server that has answered before there was anything to answer is out of step.
    fn nothing_is_said(&mut self) -> Result<(), UploadError> {
        match self.line.wire.buffered_reply().map_err(UploadError::Wire)? {
            Some(reply) => Err(UploadError::Early(reply)),
            None => Ok(()),
        }
    }

    fn dotted(&mut self, message: &mut Message, form: BodyForm) -> Result<(), UploadError> {
        let mut stuffing = DotStuffing::default();
        let mut before = self.line.out.len();
        message.stream(form, |piece| {
            match piece {
                Piece::Canonical(lines) => stuffing.push_canonical(lines, &mut self.line.out),
                Piece::Raw(bytes) | Piece::Binary(bytes) => stuffing.push(bytes, &mut self.line.out),
            }
            self.meter.add(self.line.out.len() - before);
            self.write_records()?;
            before = self.line.out.len();
            Ok::<_, UploadError>(())
        })?;
        stuffing.finish(&mut self.line.out);
        self.meter.add(self.line.out.len() - before);
        Ok(())
    }

    /// Writes what fills whole records, once there is a block of it.
    fn write_records(&mut self) -> Result<(), UploadError> {
        let length = self.line.out.len();
        if length < BLOCK {
            return Ok(());
        }
        if self.started
            && let Some(reply) = self.line.wire.early_reply().map_err(UploadError::Wire)?
        {
            return Err(UploadError::Early(reply));
        }
        let whole = length - length % RECORD;
        self.write(whole)
    }

    /// Writes the first bytes of what waits.
    fn write(&mut self, length: usize) -> Result<(), UploadError> {
        let sent = self.line.wire.send(&self.line.out[..length], State::Upload.reply_timeout());
        self.started = true;
        sent.map_err(|unwritten| UploadError::Wire(unwritten.failure))?;
        self.line.out.drain(..length);
        Ok(())
    }

    fn chunked(&mut self, message: &mut Message, form: BodyForm, limit: usize) -> Result<(), UploadError> {
        let mut ends = LineEnds::default();
        let mut chunk = Vec::new();
        if form == BodyForm::Binary {
            self.meter.expect(message.size(form)?);
        }
        let sink = |piece: Piece<'_>| {
            match piece {
                Piece::Canonical(lines) => ends.push_canonical(lines, &mut chunk),
                Piece::Raw(bytes) => ends.push(bytes, &mut chunk),
                // Behind it comes a line end that belongs to the boundary, so no line is unfinished.
                Piece::Binary(bytes) => chunk.extend_from_slice(bytes),
            }
            if chunk.len() >= CHUNK {
                self.chunk(&mut chunk, false);
                self.write(self.line.out.len())?;
                self.unanswered += 1;
                self.answers(limit)?;
            }
            Ok::<_, UploadError>(())
        };
        message.stream(form, sink)?;
        ends.finish(&mut chunk);
        self.chunk(&mut chunk, true);
        Ok(())
    }

    /// Appends a chunk with its command to what waits.
    fn chunk(&mut self, chunk: &mut Vec<u8>, last: bool) {
        let command = Command::Bdat { size: chunk.len(), last };
        log::debug!("-> {command}");
        command.write_to(&mut self.line.out);
        self.meter.add(chunk.len());
        self.line.out.append(chunk);
    }

    /// Reads the replies to chunks that have come, and waits while more than `limit` have not.
    fn answers(&mut self, limit: usize) -> Result<(), UploadError> {
        while self.unanswered > 0 {
            let wire = &mut self.line.wire;
            let reply = if self.unanswered > limit {
                Some(wire.reply(State::Chunk.reply_timeout(), State::Chunk.name()).map_err(UploadError::Wire)?)
            } else {
                wire.early_reply().map_err(UploadError::Wire)?
            };
            match reply {
                Some(reply) if reply.is_positive() => self.unanswered -= 1,
                Some(reply) => return Err(UploadError::Early(reply)),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
