//! The login as requests meet it: before every other path but that of `--health`, and before anything is said about a target.

use std::time::{Duration, Instant};

use super::{Handler, Reply, Rest};
use crate::auth::{AuthOutcome, CHALLENGE};
use crate::proto::field::Name;
use crate::proto::request::Method;
use crate::proto::response::Status;

impl Handler {
    /// What a request gets that is not let in; `None` when it is.
    pub(super) fn login(&mut self, reply: &mut Reply) -> Option<Rest> {
        let authenticator = self.gate.authenticator.as_ref()?;
        if self.site.cors && is_preflight(reply) {
            return None;
        }
        match authenticator.authenticate(&reply.head.fields, reply.peer, Instant::now()) {
            AuthOutcome::Allowed(user) => {
                reply.user = Some(user);
                None
            }
            AuthOutcome::Challenge => {
                let challenge = [("WWW-Authenticate", CHALLENGE.as_bytes().to_vec())];
                Some(self.page(reply, Status::UNAUTHORIZED, "This is for users who log in.", &challenge))
            }
            AuthOutcome::RateLimited(wait) => {
                let wait = [("Retry-After", whole_seconds(wait).to_string().into_bytes())];
                let sentence = "There were too many failed logins. Try again later.";
                Some(self.page(reply, Status::TOO_MANY_REQUESTS, sentence, &wait))
            }
            AuthOutcome::Overloaded => {
                Some(self.error(reply, Status::SERVICE_UNAVAILABLE, "Too many are logging in. Try again."))
            }
            AuthOutcome::Pending(attempt) => Some(Rest::Login(attempt)),
        }
    }
}

/// A browser asks on behalf of a page whether the page may send credentials, and sends none with the question (Fetch,
/// "CORS-preflight fetch"). The answer is the same for every path.
fn is_preflight(reply: &Reply) -> bool {
    let fields = &reply.head.fields;
    reply.head.method == Method::Options
        && fields.first(Name::Origin).is_some()
        && fields.first(Name::AccessControlRequestMethod).is_some()
}

/// Rounded up: who comes back then does not come too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
