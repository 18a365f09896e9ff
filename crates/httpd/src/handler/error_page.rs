//! Answers that are made here and now: redirects, errors, OPTIONS, and what is said to bytes that are no request.

use super::{After, Answer, Handler, Reply, Rest};
use crate::content::error_page;
use crate::net::peer::Peer;
use crate::proto::Rejection;
use crate::proto::field::Name;
use crate::proto::request::{self, Method};
use crate::proto::response::{self, Persistence, Status};
use crate::proto::percent::percent_encode;
use crate::proto::target::Path;
use crate::telemetry::access_log::Entry;
use crate::telemetry::metrics::ServedBy;

/// Seconds after which a client may try again when there was no room for it: places come free all the time.
const RETRY_AFTER: &str = "1";

impl Handler {
    /// A redirect to the same path with a slash behind it; relative to the host, and never beginning with two slashes.
    pub(super) fn add_slash(&mut self, reply: &mut Reply, path: &Path, query: Option<&[u8]>) -> Rest {
        let mut location = b"/".to_vec();
        percent_encode(path.relative(), &mut location);
        location.push(b'/');
        if let Some(query) = query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
        let location = [("Location", location)];
        self.page(reply, Status::MOVED_PERMANENTLY, "A folder ends in a slash.", &location)
    }

    pub(super) fn options(&mut self, reply: &mut Reply) -> Rest {
        response::start(reply.out, Status::NO_CONTENT, self.clock.date());
        response::field(reply.out, "Allow", Method::ALLOWED);
        if self.site.cors && reply.head.fields.first(Name::AccessControlRequestMethod).is_some() {
            preflight(reply);
        }
        reply.out.extend_from_slice(&self.site.extra_headers);
        response::finish(reply.out, reply.persistence);
        self.record(&reply.entry(Status::NO_CONTENT));
        Rest::Nothing
    }

    pub(super) fn not_allowed(&mut self, reply: &mut Reply) -> Rest {
        let allow = [("Allow", Method::ALLOWED.as_bytes().to_vec())];
        self.page(reply, Status::METHOD_NOT_ALLOWED, "Files can be read here, and nothing else.", &allow)
    }

    pub(super) fn error(&mut self, reply: &mut Reply, status: Status, sentence: &str) -> Rest {
        self.page(reply, status, sentence, &[])
    }

    pub(super) fn page(
        &mut self,
        reply: &mut Reply,
        status: Status,
        sentence: &str,
        extra: &[(&str, Vec<u8>)],
    ) -> Rest {
        let html = error_page::wants_html(&reply.head.fields);
        let length = self.write_page(status, sentence, extra, html, reply.persistence, reply.out);
        let mut entry = reply.entry(status);
        if reply.head.method == Method::Head {
            reply.out.truncate(reply.out.len() - length);
        } else {
            entry.bytes = length as u64;
        }
        self.record(&entry);
        Rest::Nothing
    }

    /// Writes a whole answer with a page of our own; returns the length of its body.
    pub(super) fn write_page(
        &self,
        status: Status,
        sentence: &str,
        extra: &[(&str, Vec<u8>)],
        html: bool,
        persistence: Persistence,
        out: &mut Vec<u8>,
    ) -> usize {
        let page = error_page::error_page(status, sentence, html);
        response::start(out, status, self.clock.date());
        response::field(out, "Content-Type", page.content_type);
        response::number_field(out, "Content-Length", page.body.len() as u64);
        for (name, value) in extra {
            response::field(out, name, value);
        }
        if status == Status::SERVICE_UNAVAILABLE {
            response::field(out, "Retry-After", RETRY_AFTER);
        }
        response::field(out, "Cache-Control", "no-cache");
        if html {
            response::field(out, "Content-Security-Policy", error_page::POLICY);
        }
        out.extend_from_slice(&self.site.extra_headers);
        response::finish(out, persistence);
        out.extend_from_slice(&page.body);
        page.body.len()
    }

    /// The answer to bytes that are no request; the connection cannot go on behind it.
    pub(super) fn reject(&mut self, rejection: Rejection, input: &[u8], peer: Peer, out: &mut Vec<u8>) -> Answer {
        let length = self.write_page(rejection.status, rejection.reason, &[], false, Persistence::Close, out);
        let entry = Entry {
            peer,
            line: request::first_line(input),
            status: rejection.status.code(),
            bytes: length as u64,
            referer: None,
            user_agent: None,
            user: None,
            served_by: ServedBy::Memory,
            cached: None,
            begun: self.clock.woke(),
        };
        self.record(&entry);
        Answer { taken: input.len(), rest: Rest::Nothing, after: After::Linger }
    }
}

/// The fields that answer a preflight request (Fetch, "CORS-preflight fetch"): whatever it asks for is allowed.
///
/// The names of fields are repeated, because `*` does not stand for Authorization.
fn preflight(reply: &mut Reply) {
    /// Seconds a browser need not ask again; none of them keeps it for more than a day.
    const MAX_AGE: u64 = 86_400;
    let asked = &reply.head.fields;
    response::field(reply.out, "Access-Control-Allow-Methods", Method::ALLOWED);
    let names = asked.only(Name::AccessControlRequestHeaders).unwrap_or(b"*");
    response::field(reply.out, "Access-Control-Allow-Headers", names);
    if asked.first(Name::AccessControlRequestPrivateNetwork).is_some() {
        response::field(reply.out, "Access-Control-Allow-Private-Network", "true");
    }
    response::number_field(reply.out, "Access-Control-Max-Age", MAX_AGE);
}
