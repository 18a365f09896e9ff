//! Where a connection goes: to one server, or to one mail exchanger after the other.

use crate::config::Route;
use crate::net::address::Peer;
use crate::net::tls::{TlsMode, Trust};
use crate::net::transport::{ConnectionError, Encryption, Limits, Transport};
use crate::session::SessionError;

/// Opens the connections of a run.
pub trait Connector: Sync {
    /// Connects to the server, or to the next one worth trying.
    fn connect(&self, limits: Limits) -> Result<ServerConnection, ConnectionError>;

    /// The server that was tried last, as reports name it.
    fn name(&self) -> String;

    /// Moves to the next target after a connection that has decided nothing. `false` when none is left: the next
    /// connection is a new try.
    fn next_target(&self, result: &ConnectionResult) -> bool;
}

/// An open connection, and how it is to be protected.
#[derive(Debug)]
pub struct ServerConnection {
    /// The connection, in clear so far.
    pub transport: Transport,
    /// When it is encrypted.
    pub tls: TlsMode,
    /// Which certificates are trusted.
    pub trust: Trust,
}

/// How a connection ended.
#[derive(Debug, Default)]
pub struct ConnectionResult {
    /// Why it could not be opened, or broke.
    pub error: Option<ConnectionError>,
    /// Why the session could not go on.
    pub session_error: Option<SessionError>,
    /// How it was protected.
    pub encryption: Option<Encryption>,
    /// Messages with a result.
    pub decided: usize,
}

impl ConnectionResult {
    /// Whether another connection would end in the same way.
    pub(super) fn is_final(&self) -> bool {
        self.error.as_ref().is_some_and(|error| !error.failure.is_transient())
            || self.session_error.as_ref().is_some_and(SessionError::is_final)
    }

    /// Whether it ended because there was nothing more to do.
    pub(super) fn is_success(&self) -> bool {
        self.error.is_none() && self.session_error.is_none()
    }

    /// Why it ended, in words.
    pub fn reason(&self) -> String {
        let error = self.error.as_ref().map(ToString::to_string);
        error.or_else(|| self.session_error.as_ref().map(ToString::to_string)).unwrap_or_default()
    }
}

/// Connects to the same server each time.
#[derive(Debug)]
pub struct FixedServer<'a> {
    peer: &'a Peer,
    route: &'a Route,
}

impl<'a> FixedServer<'a> {
    /// Connections to `peer` by the options of `route`.
    pub fn new(peer: &'a Peer, route: &'a Route) -> Self {
        Self { peer, route }
    }
}

impl Connector for FixedServer<'_> {
    fn connect(&self, limits: Limits) -> Result<ServerConnection, ConnectionError> {
        let transport = Transport::connect(self.peer, &self.route.connect_options, limits)?;
        Ok(ServerConnection { transport, tls: self.route.tls, trust: self.route.trust.clone() })
    }

    fn name(&self) -> String {
        self.peer.to_string()
    }

    fn next_target(&self, _: &ConnectionResult) -> bool {
        false
    }
}
