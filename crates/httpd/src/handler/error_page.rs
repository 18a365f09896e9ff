//! Responses with a page of this server: errors, redirects and OPTIONS.

use super::exchange::Exchange;
use super::response_body::Reply;
use crate::content::error_page::{self, POLICY};
use crate::proto::field::{Fields, Name};
use crate::proto::percent::percent_encode;
use crate::proto::request::Method;
use crate::proto::response::{Response, Status};
use crate::proto::target::Path;

/// Seconds after which a client may retry a 503 response.
const RETRY_AFTER: &str = "1";

impl Exchange<'_, '_, '_> {
    /// A redirect to the same path with a final slash. It is relative to the host and never begins with two slashes.
    pub(super) fn add_slash(&mut self, path: &Path, query: Option<&[u8]>) -> Reply {
        let mut location = b"/".to_vec();
        percent_encode(path.relative(), &mut location);
        location.push(b'/');
        if let Some(query) = query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
        self.page(Status::MOVED_PERMANENTLY, "The address of a folder ends in a slash.", &[("Location", location)])
    }

    pub(super) fn options(&mut self) -> Reply {
        self.start(Status::NO_CONTENT);
        self.response.field("Allow", Method::ALLOWED);
        if self.site.cors && self.head.fields.first(Name::AccessControlRequestMethod).is_some() {
            write_preflight_fields(&self.head.fields, self.response);
        }
        self.finish_with(Status::NO_CONTENT, b"")
    }

    pub(super) fn method_not_allowed(&mut self) -> Reply {
        let allow = [("Allow", Method::ALLOWED.as_bytes().to_vec())];
        self.page(Status::METHOD_NOT_ALLOWED, "Only GET, HEAD and OPTIONS are supported.", &allow)
    }

    pub(super) fn not_found(&mut self) -> Reply {
        self.error(Status::NOT_FOUND, "There is nothing at this address.")
    }

    pub(super) fn error(&mut self, status: Status, sentence: &str) -> Reply {
        self.page(status, sentence, &[])
    }

    /// A page with further fields.
    pub(super) fn page(&mut self, status: Status, sentence: &str, fields: &[(&str, Vec<u8>)]) -> Reply {
        let is_html = error_page::wants_html(&self.head.fields);
        self.write_page(status, sentence, fields, is_html)
    }

    /// A page as text, for sentences that contain bytes of the request.
    pub(super) fn text_page(&mut self, status: Status, sentence: &str) -> Reply {
        self.write_page(status, sentence, &[], false)
    }

    fn write_page(&mut self, status: Status, sentence: &str, fields: &[(&str, Vec<u8>)], is_html: bool) -> Reply {
        let date = self.clock.date();
        let body = write_page_head(self.response, date, status, sentence, fields, is_html);
        self.finish_with(status, &body)
    }
}

/// Writes the head of a page up to the fields of the site; returns the body.
pub(super) fn write_page_head(
    response: &mut Response,
    date: &[u8],
    status: Status,
    sentence: &str,
    fields: &[(&str, Vec<u8>)],
    is_html: bool,
) -> Vec<u8> {
    let page = error_page::error_page(status, sentence, is_html);
    response.start(status, date);
    response.field("Content-Type", page.content_type);
    response.number_field("Content-Length", page.body.len() as u64);
    for (name, value) in fields {
        response.field(name, value);
    }
    if status == Status::SERVICE_UNAVAILABLE {
        response.field("Retry-After", RETRY_AFTER);
    }
    response.field("Cache-Control", "no-cache");
    if is_html {
        response.field("Content-Security-Policy", POLICY);
    }
    page.body
}

/// The fields of the response to a CORS preflight (Fetch, "CORS-preflight fetch"), which allows everything.
///
/// The requested field names are repeated because `*` excludes Authorization.
fn write_preflight_fields(requested: &Fields, response: &mut Response) {
    /// Seconds that a browser may cache the permission; browsers cap it at one day.
    const MAX_AGE: u64 = 86_400;
    response.field("Access-Control-Allow-Methods", Method::ALLOWED);
    let names = requested.only(Name::AccessControlRequestHeaders).unwrap_or(b"*");
    response.field("Access-Control-Allow-Headers", names);
    if requested.first(Name::AccessControlRequestPrivateNetwork).is_some() {
        response.field("Access-Control-Allow-Private-Network", "true");
    }
    response.number_field("Access-Control-Max-Age", MAX_AGE);
}
