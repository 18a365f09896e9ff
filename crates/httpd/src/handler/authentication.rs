//! The login as requests meet it: before every other path but that of `--health`, and before anything is said about a target.

use std::time::{Duration, Instant};

use super::{Reply, Rest, Service};
use crate::auth::{CHALLENGE, Verdict};
use crate::proto::field::Name;
use crate::proto::request::Method;
use crate::proto::response::Status;

impl Service {
    /// What a request gets that is not let in; `None` when it is.
    pub(super) fn login(&mut self, reply: &mut Reply) -> Option<Rest> {
        let guard = self.gate.guard.as_ref()?;
        if self.site.cors && is_preflight(reply) {
            return None;
        }
        match guard.judge(&reply.head.fields, reply.peer, Instant::now()) {
            Verdict::Welcome(user) => {
                reply.user = Some(user);
                None
            }
            Verdict::Challenge => {
                let challenge = [("WWW-Authenticate", CHALLENGE.as_bytes().to_vec())];
                Some(self.page(reply, Status::UNAUTHORIZED, "This is for users who log in.", &challenge))
            }
            Verdict::Slow(wait) => {
                let wait = [("Retry-After", whole_seconds(wait).to_string().into_bytes())];
                let sentence = "There were too many failed logins. Try again later.";
                Some(self.page(reply, Status::TOO_MANY_REQUESTS, sentence, &wait))
            }
            Verdict::Busy => {
                Some(self.error(reply, Status::SERVICE_UNAVAILABLE, "Too many are logging in. Try again."))
            }
            Verdict::Ask(attempt) => Some(Rest::Login(attempt)),
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
