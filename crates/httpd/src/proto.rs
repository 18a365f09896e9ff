//! HTTP/1.1 as defined by RFC 9110 (semantics) and RFC 9112 (messages), without I/O.
//!
//! Functions take bytes and return values: no sockets, files, clock or environment. Untrusted input can neither panic nor
//! allocate without bound, so indexing, unchecked arithmetic and `unwrap` are errors in this folder.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod authority;
pub mod cidr;
pub mod conditional;
pub mod credentials;
pub mod date;
pub mod disposition;
pub mod field;
pub mod forwarded;
pub mod framing;
pub mod https_url;
pub mod negotiate;
pub mod percent;
pub mod proxy_protocol;
pub mod range;
pub mod request;
pub mod response;
pub mod target;

use response::Status;

/// A rejected request, with its status (RFC 9110, section 15).
///
/// The connection is closed after a rejection, because the framing of the following bytes is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Rejection {
    /// The status of the response.
    pub status: Status,
    /// One short sentence for the error page and the log.
    pub reason: &'static str,
}

impl Rejection {
    pub(crate) const fn new(status: Status, reason: &'static str) -> Self {
        Self { status, reason }
    }

    pub(crate) const fn bad_request(reason: &'static str) -> Self {
        Self::new(Status::BAD_REQUEST, reason)
    }
}
