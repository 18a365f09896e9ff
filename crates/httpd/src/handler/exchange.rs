//! One request together with its response.

use std::sync::Arc;
use std::time::Instant;

use super::recorder::Recorder;
use super::response_body::Reply;
use crate::clock::Clock;
use crate::content::routing::Site;
use crate::live_reload::LiveReload;
use crate::net::peer::Peer;
use crate::proto::field::Name;
use crate::proto::request::{Head, Method};
use crate::proto::response::{Response, Status};
use crate::telemetry::access_log::LogEntry;
use crate::telemetry::metrics::ServedBy;

/// A request and its response while it is made.
pub(super) struct Exchange<'e, 'b, 'o> {
    pub(super) head: &'e Head<'b>,
    /// The client.
    pub(super) peer: Peer,
    /// The user who is logged in.
    pub(super) user: Option<Arc<[u8]>>,
    pub(super) response: &'e mut Response<'o>,
    pub(super) site: &'e Site,
    pub(super) clock: &'e Clock,
    pub(super) recorder: &'e mut Recorder,
    /// Reloads pages; set once the client is authenticated.
    pub(super) live_reload: Option<Arc<LiveReload>>,
    /// Whether the response is in the access log.
    pub(super) is_logged: bool,
    begun: Instant,
}

impl<'e, 'b, 'o> Exchange<'e, 'b, 'o> {
    pub(super) fn new(
        head: &'e Head<'b>,
        peer: Peer,
        response: &'e mut Response<'o>,
        site: &'e Site,
        clock: &'e Clock,
        recorder: &'e mut Recorder,
    ) -> Self {
        Self {
            head,
            peer,
            user: None,
            response,
            site,
            clock,
            recorder,
            live_reload: None,
            is_logged: true,
            begun: clock.woke(),
        }
    }

    /// Whether the response has no body because of the method.
    pub(super) fn is_head(&self) -> bool {
        self.head.method == Method::Head
    }

    /// The access log entry of a response from memory.
    pub(super) fn log_entry(&self, status: Status) -> LogEntry<'b> {
        LogEntry {
            peer: self.peer,
            line: self.head.line,
            status: status.code(),
            bytes: 0,
            referer: self.head.fields.first(Name::Referer),
            user_agent: self.head.fields.first(Name::UserAgent),
            user: self.user.clone(),
            served_by: ServedBy::Memory,
            cache: None,
            begun: self.begun,
        }
    }

    /// Counts and logs a response that is complete.
    pub(super) fn record(&mut self, entry: &LogEntry) {
        if self.is_logged {
            self.recorder.record(self.clock, entry);
        } else {
            self.recorder.count(entry);
        }
    }

    /// Starts the head of a response.
    pub(super) fn start(&mut self, status: Status) {
        self.response.start(status, self.clock.date());
    }

    /// Ends the head, writes the body unless the method is HEAD, and records the response.
    pub(super) fn finish_with(&mut self, status: Status, body: &[u8]) -> Reply {
        self.response.field_lines(&self.site.extra_headers);
        self.response.end_head();
        let mut entry = self.log_entry(status);
        if !self.is_head() {
            self.response.body(body);
            entry.bytes = body.len() as u64;
        }
        self.record(&entry);
        Reply::default()
    }
}
