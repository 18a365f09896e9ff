//! HTTP/1.1 as RFC 9110 (semantics) and RFC 9112 (messages) define it, without any I/O.
//!
//! Every function here takes bytes and returns values: no sockets, files, clock or environment. What a stranger sends can
//! neither panic nor allocate without bound, so indexing, unchecked arithmetic and `unwrap` are errors in this folder.

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

/// A request that cannot be served, with the status that says so (RFC 9110 section 15).
///
/// Whether the connection survives is not part of it: after a rejection the framing of what follows is unknown, and the
/// connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Rejection {
    /// The status of the answer.
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
