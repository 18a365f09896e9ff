//! What remains to be sent of a response when the handler returns.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use crate::auth::PendingVerification;
use crate::content::archive::Archive;
use crate::content::cache::CachedFile;
use crate::content::compression::Compression;
use crate::content::listing::FolderPage;
use crate::content::lookup::OpenFile;
use crate::content::representation::Selected;
use crate::live_reload::EventSubscriber;
use crate::proto::range::Part;
use crate::proto::response::{Framing, Response, Status};
use crate::telemetry::access_log::{LogEntry, OwnedLogEntry};
use crate::telemetry::metrics::ServedBy;

/// The rest of a response, behind the bytes in the output buffer.
#[derive(Debug, Default)]
pub struct Reply {
    /// The body.
    pub body: ResponseBody,
    /// The log entry to be recorded after the body is sent; `None` if it is recorded.
    pub log_entry: Option<OwnedLogEntry>,
}

/// A body, or the rest of one.
#[derive(Debug, Default)]
pub enum ResponseBody {
    /// No further bytes.
    #[default]
    Empty,
    /// Part of a file in memory.
    Cached(Arc<CachedFile>, Range<usize>),
    /// Parts of a file.
    File {
        /// The open file.
        file: File,
        /// The parts in order.
        parts: Vec<FilePart>,
        /// The end of a multipart body.
        tail: Vec<u8>,
    },
    /// The listing of a folder.
    Listing(FolderPage),
    /// A folder as an archive.
    Archive(Archive),
    /// A file that is compressed first; the head follows the compression.
    Compressed(Box<Compression>, DeferredHead),
    /// Server-sent events.
    Events(EventSubscriber),
    /// No response yet: the credentials are verified, then the request is answered again.
    Verification(Box<PendingVerification>),
}

/// One part of a file.
#[derive(Debug)]
pub struct FilePart {
    /// The head of the part in a multipart body; may be empty.
    pub head: Vec<u8>,
    /// The bytes of the file.
    pub part: Part,
}

impl Reply {
    /// A body that is sent by a thread of the blocking pool and recorded afterwards.
    pub(super) fn offloaded(body: ResponseBody, entry: LogEntry) -> Self {
        Self::sent_later(body, LogEntry { served_by: ServedBy::Blocking, ..entry })
    }

    /// A body that is recorded once it is sent.
    pub(super) fn sent_later(body: ResponseBody, entry: LogEntry) -> Self {
        Self { body, log_entry: Some(entry.into()) }
    }
}

impl From<ResponseBody> for Reply {
    fn from(body: ResponseBody) -> Self {
        Self { body, log_entry: None }
    }
}

/// A response head that depends on the result of a compression.
#[derive(Debug)]
pub struct DeferredHead {
    /// Status line and Date.
    pub(super) start: Vec<u8>,
    /// See [`Representation::write_fields`](crate::content::representation::Representation::write_fields).
    pub(super) last_full_second: i64,
    pub(super) framing: Framing,
    pub(super) is_head: bool,
}

impl DeferredHead {
    /// The complete head, and the body for `file`.
    pub(crate) fn complete(self, file: OpenFile) -> (Vec<u8>, ResponseBody) {
        let mut head = self.start;
        let mut response = Response::new(&mut head, self.framing);
        let whole = Selected::Whole(Status::OK);
        file.representation().write_fields(&whole, self.last_full_second, response.fields());
        response.end_head();
        let body = match file {
            _ if self.is_head => ResponseBody::Empty,
            OpenFile::Cached(cached) => {
                let length = cached.body.len();
                ResponseBody::Cached(cached, 0..length)
            }
            OpenFile::Disk(file, _, representation) => {
                let part = Part { start: 0, length: representation.size };
                ResponseBody::File { file, parts: vec![FilePart { head: Vec::new(), part }], tail: Vec::new() }
            }
        };
        (head, body)
    }
}
