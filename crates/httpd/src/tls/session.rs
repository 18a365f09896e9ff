//! The TLS layer of one connection: records in, records out; no sockets.
//!
//! rustls is used without its own buffers: records are read and written in buffers of the thread, so an idle connection
//! holds only its keys. An incomplete record is kept until the rest has arrived.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{Error, ServerConfig};

/// Bytes encrypted at a time: large records are cheapest, and the unsent part of one connection stays small.
pub const BURST: usize = 128 * 1024;
/// Most bytes of a record besides its data (RFC 5246, section 6.2.3).
const RECORD_OVERHEAD: usize = 256;
/// Most data in a record.
const MAX_RECORD: usize = 16 * 1024;

/// The server side of a TLS connection.
pub struct Session {
    connection: UnbufferedServerConnection,
    /// The beginning of an incomplete record.
    partial: Vec<u8>,
    progress: Progress,
}

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing was received.
    New,
    Handshake,
    Established,
    /// The client has sent `close_notify`.
    Finished,
    Failed,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// The result of decrypting records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decrypted {
    /// Bytes of application data.
    pub length: usize,
    /// Whether the client has sent `close_notify`.
    pub is_end: bool,
}

impl Session {
    /// A session before its first record.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self { connection, partial: Vec::new(), progress: Progress::New })
    }

    /// Whether nothing was received.
    pub fn is_new(&self) -> bool {
        self.progress == Progress::New
    }

    /// Whether the session has failed, so that received bytes are useless.
    pub fn has_failed(&self) -> bool {
        self.progress == Progress::Failed
    }

    /// Whether the handshake is complete.
    pub fn is_established(&self) -> bool {
        matches!(self.progress, Progress::Established | Progress::Finished)
    }

    /// The beginning of an incomplete record, to be followed by the next received bytes.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Decrypts `incoming`, which begins with [`partial`](Self::partial), into `plain`, which must be as large. Handshake
    /// records and alerts for the client are appended to `outgoing`, also after an error.
    pub fn decrypt(
        &mut self,
        incoming: &mut [u8],
        plain: &mut [u8],
        outgoing: &mut Records,
    ) -> Result<Decrypted, Error> {
        if self.progress == Progress::New {
            self.progress = Progress::Handshake;
        }
        let (mut start, mut length) = (0, 0);
        let mut is_blocked = false;
        while !is_blocked {
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(&mut incoming[start..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        let end = length + record.payload.len();
                        plain.get_mut(length..end).ok_or(TOO_MUCH)?.copy_from_slice(record.payload);
                        length = end;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => outgoing.encode(data)?,
                // The records are in `outgoing`, in order.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.progress = Progress::Finished,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    if self.progress != Progress::Finished {
                        self.progress = Progress::Established;
                    }
                    is_blocked = true;
                }
                // Early data is not offered.
                Ok(_) => is_blocked = true,
                Err(error) => {
                    self.progress = Progress::Failed;
                    self.alert(&mut incoming[start + discard..], outgoing);
                    return Err(error);
                }
            }
            start += discard;
        }
        // A new allocation, so that an idle connection holds no buffer.
        self.partial = incoming[start..].to_vec();
        Ok(Decrypted { length, is_end: self.progress == Progress::Finished })
    }

    /// Appends the alert after a failure, if rustls has one; nothing else is processed, because rustls must not fail twice.
    fn alert(&mut self, rest: &mut [u8], outgoing: &mut Records) {
        while self.connection.wants_write() {
            match self.connection.process_tls_records(rest).state {
                Ok(ConnectionState::EncodeTlsData(data)) => _ = outgoing.encode(data),
                _ => return,
            }
        }
    }

    /// Encrypts at most [`BURST`] bytes of `plain` into `outgoing`; returns their number.
    pub fn encrypt(&mut self, plain: &[u8], outgoing: &mut Records) -> io::Result<usize> {
        let plain = &plain[..plain.len().min(BURST)];
        let needed = plain.len() + (plain.len() / MAX_RECORD + 1) * RECORD_OVERHEAD;
        self.write(outgoing, needed, |traffic, space| traffic.encrypt(plain, space))?;
        Ok(plain.len())
    }

    /// Appends the `close_notify` alert.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the lifetime of the method itself is not general enough"
    )]
    pub fn finish(&mut self, outgoing: &mut Records) -> io::Result<()> {
        self.write(outgoing, RECORD_OVERHEAD, |traffic, space| traffic.queue_close_notify(space))
    }

    fn write(
        &mut self,
        outgoing: &mut Records,
        needed: usize,
        mut put: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> io::Result<()> {
        if !matches!(self.progress, Progress::Established | Progress::Finished) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        loop {
            // rustls requires the received bytes for its state.
            match self.connection.process_tls_records(&mut self.partial).state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return outgoing.append(needed, |space| {
                        put(&mut traffic, space).map_err(|error| match error {
                            EncryptError::InsufficientSize(size) => Some(size.required_size),
                            EncryptError::EncryptExhausted => None,
                        })
                    });
                }
                // A key update precedes the data that is encrypted with the new keys.
                ConnectionState::EncodeTlsData(data) => outgoing.encode(data).map_err(io::Error::other)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.progress = Progress::Finished,
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }
}

type Traffic<'c> = WriteTraffic<'c, ServerConnectionData>;

const TOO_MUCH: Error = Error::PeerSentOversizedRecord;

/// Records to be sent, in a reusable buffer.
#[derive(Debug, Default)]
pub struct Records {
    space: Vec<u8>,
    filled: usize,
}

impl Records {
    /// The bytes of the records.
    pub fn bytes(&self) -> &[u8] {
        &self.space[..self.filled]
    }

    /// Removes the records and keeps the buffer.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Appends existing records.
    pub fn extend(&mut self, records: &[u8]) {
        self.spare(records.len())[..records.len()].copy_from_slice(records);
        self.filled += records.len();
    }

    /// At least `needed` bytes of space behind the records.
    fn spare(&mut self, needed: usize) -> &mut [u8] {
        if self.space.len() < self.filled + needed {
            self.space.resize(self.filled + needed, 0);
        }
        &mut self.space[self.filled..]
    }

    fn encode<Data>(&mut self, mut data: EncodeTlsData<'_, Data>) -> Result<(), Error> {
        let put = |space: &mut [u8]| {
            data.encode(space).map_err(|error| match error {
                EncodeError::InsufficientSize(size) => Some(size.required_size),
                EncodeError::AlreadyEncoded => None,
            })
        };
        self.append(RECORD_OVERHEAD, put).map_err(|error| Error::General(error.to_string()))
    }

    /// Lets `put` write behind the records: it returns the bytes written, or the space it needs, or `None` on failure.
    fn append(
        &mut self,
        needed: usize,
        mut put: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> io::Result<()> {
        let mut result = put(self.spare(needed));
        if let Err(Some(required)) = result {
            result = put(self.spare(required));
        }
        let count = result.map_err(|_| io::Error::other("the TLS keys are exhausted"))?;
        self.filled += count;
        Ok(())
    }
}
