//! Finding out in the blocking lane whether credentials are right (bcrypt).
//!
//! As many checks run at a time as there are cores but one, so that those who are inside are served meanwhile.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::htpasswd::Users;
use super::throttle::AttemptPermit;
use super::verified::{CheckResult, Digest, DigestKey};
use super::{Authenticator, State, UserStore, lock};
use crate::proto::credentials::Basic;

/// Credentials about which something has to be found out.
pub struct PendingVerification {
    authenticator: Arc<Authenticator>,
    digest: Digest,
    /// `None` where the same credentials are being checked already, for another request.
    check: Option<Check>,
}

/// What a check needs.
pub(super) struct Check {
    pub(super) users: Arc<Users>,
    pub(super) basic: Basic,
    pub(super) permit: AttemptPermit,
}

impl PendingVerification {
    pub(super) fn new(authenticator: &Arc<Authenticator>, digest: Digest, check: Option<Check>) -> Self {
        Self { authenticator: Arc::clone(authenticator), digest, check }
    }

    /// Finds out, so that the authenticator knows when it is asked again; takes as long as bcrypt does, and waits for others who are
    /// at it.
    pub fn verify(mut self) {
        let Some(check) = &self.check else { return self.wait() };
        let known = {
            let _permit = CorePermit::take(&self.authenticator);
            check.compare(&self.authenticator.key)
        };
        self.end(Some(&known));
    }

    /// Waits until the check of the same credentials is over.
    fn wait(&self) {
        let is_open = |state: &mut State| state.checking.contains(&self.digest);
        drop(self.authenticator.found_out.wait_while(lock(&self.authenticator.state), is_open));
    }

    fn end(&mut self, known: Option<&CheckResult>) {
        let Some(check) = self.check.take() else { return };
        let mut state = lock(&self.authenticator.state);
        state.checking.remove(&self.digest);
        let is_of_now = matches!(&state.users, UserStore::Listed(users) if Arc::ptr_eq(users, &check.users));
        match known {
            Some(known) if is_of_now => {
                self.authenticator.conclude(&mut state, check.permit, self.digest, known, Instant::now());
            }
            // After a change of the file, the request is judged by the new one.
            _ => state.throttle.end(check.permit, false, Instant::now()),
        }
        drop(state);
        self.authenticator.found_out.notify_all();
    }
}

impl Drop for PendingVerification {
    /// An attempt that was never checked, because its connection broke, is no failure.
    fn drop(&mut self) {
        self.end(None);
    }
}

impl fmt::Debug for PendingVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingVerification(..)")
    }
}

impl Check {
    fn compare(&self, key: &DigestKey) -> CheckResult {
        let user = self.basic.user();
        let record = self.users.find(user);
        // The one that stands in for an unknown user is always the same one, or repeating the question would tell.
        let number = key.digest(user).first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let Some(compared) = record.or_else(|| self.users.any(number)) else { return CheckResult::Invalid };
        let is_equal = bcrypt::verify(self.basic.password(), &compared.hash).unwrap_or(false);
        if is_equal && record.is_some() { CheckResult::Valid(user.into()) } else { CheckResult::Invalid }
    }
}

/// The right to use a core for a check; given back on drop.
struct CorePermit<'g>(&'g Authenticator);

impl<'g> CorePermit<'g> {
    fn take(authenticator: &'g Authenticator) -> Self {
        let mut free = lock(&authenticator.permits);
        while *free == 0 {
            free = authenticator.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Self(authenticator)
    }
}

impl Drop for CorePermit<'_> {
    fn drop(&mut self) {
        *lock(&self.0.permits) += 1;
        self.0.freed.notify_one();
    }
}
