//! A connection that failed, and at which step: what may be tried next depends on the step, never on the text.

use std::io;

use common::{Error, Kind};
use rustls::InvalidMessage;

use crate::net::tls;

/// A connection that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct ConnectionError {
    /// For people and for the exit code.
    pub failure: Error,
    /// Where it failed.
    pub step: FailedStep,
}

/// The step at which a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedStep {
    /// The TCP handshake took too long.
    ConnectTimeout,
    /// The TLS handshake.
    Handshake,
    /// The start of TLS: the server, or somebody on the path, sent clear text where a TLS record was due.
    InjectedBytes,
    /// Any other step.
    Other,
}

impl ConnectionError {
    /// A handshake with `peer` that failed. Clear text in place of a TLS record counts as injected.
    pub(super) fn handshake(peer: &str, error: io::Error) -> Self {
        let Some(inner) = tls_error(&error) else {
            let failure = Error::io("start TLS with", peer, error).with_kind(Kind::Temporary);
            return Self { failure, step: FailedStep::Handshake };
        };
        let is_clear_text = matches!(inner, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType));
        let step = if is_clear_text { FailedStep::InjectedBytes } else { FailedStep::Handshake };
        Self { failure: tls::explain(peer, inner), step }
    }
}

impl From<Error> for ConnectionError {
    fn from(failure: Error) -> Self {
        Self { failure, step: FailedStep::Other }
    }
}

/// The error of the TLS library inside an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
