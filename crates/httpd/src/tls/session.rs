//! One TLS connection: records in, records out; no sockets.
//!
//! The library is used without its own buffers. Records are taken apart and made in two buffers that each thread has once,
//! so a connection that is idle holds its keys and nothing else. Only the beginning of a record is kept here until the rest
//! has arrived.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{Error, ServerConfig};

/// Octets that are sealed in one go: large records cost the least, and what one connection may leave unsent stays small.
pub const BURST: usize = 128 * 1024;
/// What is around the data in a record at most (RFC 5246 section 6.2.3), and what a record may hold.
const RECORD_OVERHEAD: usize = 256;
const MAX_RECORD: usize = 16 * 1024;

/// One side of a TLS connection: ours.
pub struct Session {
    connection: UnbufferedServerConnection,
    /// The beginning of a record whose rest has not arrived.
    partial: Vec<u8>,
    progress: Progress,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has arrived.
    New,
    Handshake,
    Established,
    /// The client has said that nothing more comes.
    Finished,
    Failed,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// What came out of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Octets of application data.
    pub length: usize,
    /// Whether the client has said that nothing more comes.
    pub is_end: bool,
}

impl Session {
    /// A session that waits for its first record.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self { connection, partial: Vec::new(), progress: Progress::New })
    }

    /// Whether nothing has arrived yet.
    pub fn is_new(&self) -> bool {
        self.progress == Progress::New
    }

    /// Whether it has come to a bad end; nothing more can be made of what arrives.
    pub fn has_failed(&self) -> bool {
        self.progress == Progress::Failed
    }

    /// Whether the handshake is done.
    pub fn is_established(&self) -> bool {
        matches!(self.progress, Progress::Established | Progress::Finished)
    }

    /// The beginning of a record whose rest has not arrived: what arrives next belongs behind it.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes `incoming` apart, which begins with [`partial`](Self::partial), and puts the application data into `plain`, which
    /// must be as large. What TLS itself has to say to the client is appended to `outgoing`, also after an error.
    pub fn open(&mut self, incoming: &mut [u8], plain: &mut [u8], outgoing: &mut Records) -> Result<Opened, Error> {
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
                // It is in `outgoing`, and nothing overtakes it there.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.progress = Progress::Finished,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    if self.progress != Progress::Finished {
                        self.progress = Progress::Established;
                    }
                    is_blocked = true;
                }
                // Early data is not offered, so there is none.
                Ok(_) => is_blocked = true,
                Err(error) => {
                    self.progress = Progress::Failed;
                    self.alert(&mut incoming[start + discard..], outgoing);
                    return Err(error);
                }
            }
            start += discard;
        }
        // A new one, so that a connection that has become idle holds no buffer.
        self.partial = incoming[start..].to_vec();
        Ok(Opened { length, is_end: self.progress == Progress::Finished })
    }

    /// After a failure the library may have an alert for the client, behind what it was about to say before. It is asked for
    /// that only, because it must not fail twice.
    fn alert(&mut self, rest: &mut [u8], outgoing: &mut Records) {
        while self.connection.wants_write() {
            match self.connection.process_tls_records(rest).state {
                Ok(ConnectionState::EncodeTlsData(data)) => _ = outgoing.encode(data),
                _ => return,
            }
        }
    }

    /// Appends `plain`, at most [`BURST`] octets of it, to `outgoing`: how much that was.
    pub fn seal(&mut self, plain: &[u8], outgoing: &mut Records) -> io::Result<usize> {
        let plain = &plain[..plain.len().min(BURST)];
        let most = plain.len() + (plain.len() / MAX_RECORD + 1) * RECORD_OVERHEAD;
        self.write(outgoing, most, |traffic, space| traffic.encrypt(plain, space))?;
        Ok(plain.len())
    }

    /// Appends the last record: nothing more will be sent (`close_notify`).
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is not general enough in its lifetime"
    )]
    pub fn finish(&mut self, outgoing: &mut Records) -> io::Result<()> {
        self.write(outgoing, RECORD_OVERHEAD, |traffic, space| traffic.queue_close_notify(space))
    }

    fn write(
        &mut self,
        outgoing: &mut Records,
        most: usize,
        mut put: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> io::Result<()> {
        if !matches!(self.progress, Progress::Established | Progress::Finished) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        loop {
            // The library goes by where it has got to in what was received, so it has to be shown that also here.
            match self.connection.process_tls_records(&mut self.partial).state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return outgoing.append(most, |space| {
                        put(&mut traffic, space).map_err(|error| match error {
                            EncryptError::InsufficientSize(size) => Some(size.required_size),
                            EncryptError::EncryptExhausted => None,
                        })
                    });
                }
                // A change of keys goes before the data that is sealed with the new ones.
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

/// Records that are ready to be sent, in space that is used again.
#[derive(Debug, Default)]
pub struct Records {
    space: Vec<u8>,
    filled: usize,
}

impl Records {
    /// The octets of the records.
    pub fn bytes(&self) -> &[u8] {
        &self.space[..self.filled]
    }

    /// Forgets them; the space stays.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Appends octets of records that were made before.
    pub fn extend(&mut self, records: &[u8]) {
        self.spare(records.len())[..records.len()].copy_from_slice(records);
        self.filled += records.len();
    }

    /// Scratch behind the records, at least so much.
    fn spare(&mut self, least: usize) -> &mut [u8] {
        if self.space.len() < self.filled + least {
            self.space.resize(self.filled + least, 0);
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

    /// Lets `put` write behind the records. It says how much it wrote, or how much space it needs, or that it never will.
    fn append(
        &mut self,
        least: usize,
        mut put: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> io::Result<()> {
        let mut outcome = put(self.spare(least));
        if let Err(Some(required)) = outcome {
            outcome = put(self.spare(required));
        }
        let count = outcome.map_err(|_| io::Error::other("these keys have been used up"))?;
        self.filled += count;
        Ok(())
    }
}
