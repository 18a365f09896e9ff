//! A connection that failed, and the step at which it failed. What is tried next depends on the step, never on the
//! text.

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
    /// Clear text arrived where a TLS record was due: from the server, or from an attacker on the path.
    InjectedBytes,
    /// Any other step.
    Other,
}

impl ConnectionError {
    /// A failed handshake with `peer`. Clear text in place of a TLS record counts as injected.
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
