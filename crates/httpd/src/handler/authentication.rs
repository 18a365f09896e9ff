//! Basic authentication of requests (RFC 7617): before every path except the health check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exchange::Exchange;
use super::response_body::{Reply, ResponseBody};
use crate::auth::{AuthOutcome, Authenticator, CHALLENGE};
use crate::proto::field::Name;
use crate::proto::request::{Head, Method};
use crate::proto::response::Status;

/// Authenticates a request. `None` allows it; otherwise the response.
pub(super) fn check(authenticator: &Arc<Authenticator>, exchange: &mut Exchange) -> Option<Reply> {
    if exchange.site.cors && is_preflight(exchange.head) {
        return None;
    }
    match authenticator.authenticate(&exchange.head.fields, exchange.peer, Instant::now()) {
        AuthOutcome::Allowed(user) => {
            exchange.user = Some(user);
            None
        }
        AuthOutcome::Challenge => {
            let challenge = [("WWW-Authenticate", CHALLENGE.as_bytes().to_vec())];
            Some(exchange.page(Status::UNAUTHORIZED, "Log in to read this site.", &challenge))
        }
        AuthOutcome::RateLimited(wait) => {
            let wait = [("Retry-After", seconds_rounded_up(wait).to_string().into_bytes())];
            let sentence = "There were too many failed logins. Try again later.";
            Some(exchange.page(Status::TOO_MANY_REQUESTS, sentence, &wait))
        }
        AuthOutcome::Overloaded => {
            Some(exchange.error(Status::SERVICE_UNAVAILABLE, "There are too many logins at the moment. Try again."))
        }
        AuthOutcome::Pending(verification) => Some(ResponseBody::Verification(verification).into()),
    }
}

/// Whether a request is a CORS preflight, which never carries credentials (Fetch, "CORS-preflight fetch").
fn is_preflight(head: &Head) -> bool {
    head.method == Method::Options
        && head.fields.first(Name::Origin).is_some()
        && head.fields.first(Name::AccessControlRequestMethod).is_some()
}

fn seconds_rounded_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
