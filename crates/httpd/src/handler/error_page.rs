//! Responses with a page of this server: errors, redirects and OPTIONS.

use super::exchange::Exchange;
use super::response_body::Reply;
use crate::content::error_page::{ErrorPage, POLICY, PageLinks};
use crate::live_reload::page::policy_with_script;
use crate::proto::field::{Fields, Name};
use crate::proto::negotiate;
use crate::proto::request::Method;
use crate::proto::response::{Response, Status};

/// Seconds after which a client may retry a 503 response.
const RETRY_AFTER: &str = "1";

impl Exchange<'_, '_, '_> {
    /// A redirect to a relative reference; the query stays.
    pub(super) fn redirect(&mut self, status: Status, mut location: Vec<u8>, query: Option<&[u8]>) -> Reply {
        if let Some(query) = query {
            location.push(b'?');
            location.extend_from_slice(query);
        }
        let sentence = "This page has another address.";
        self.page(status, sentence, &[("Location", location)])
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
        let page = if negotiate::names_html(&self.head.fields) {
            let script = if status.is_redirect() { None } else { self.script_element() };
            let policy = script.as_ref().map(|_| policy_with_script(POLICY));
            // A page at the root itself would link to itself, a redirect links to its target.
            let is_linked = !status.is_redirect() && self.head.target != b"/";
            let links = is_linked.then(|| PageLinks::of_target(self.head.target));
            let page = ErrorPage::html(status, sentence, links.as_ref(), &script.unwrap_or_default());
            ErrorPage { policy: policy.or(page.policy), ..page }
        } else {
            ErrorPage::text(status, sentence)
        };
        self.write_page(status, &page, fields)
    }

    /// A page as text, for sentences that contain bytes of the request.
    pub(super) fn text_page(&mut self, status: Status, sentence: &str) -> Reply {
        self.write_page(status, &ErrorPage::text(status, sentence), &[])
    }

    fn write_page(&mut self, status: Status, page: &ErrorPage, fields: &[(&str, Vec<u8>)]) -> Reply {
        write_page_head(self.response, self.clock.date(), status, page, fields);
        self.finish_with(status, &page.body)
    }
}

/// Writes the head of a page up to the fields of the site.
pub(super) fn write_page_head(
    response: &mut Response,
    date: &[u8],
    status: Status,
    page: &ErrorPage,
    fields: &[(&str, Vec<u8>)],
) {
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
    if let Some(policy) = &page.policy {
        response.field("Content-Security-Policy", policy);
    }
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
