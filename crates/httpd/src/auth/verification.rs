//! Verification of credentials on a thread of the blocking pool (bcrypt).
//!
//! Verifications use all cores but one, so that one core is left for authenticated clients.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::htpasswd::Users;
use super::throttle::AttemptPermit;
use super::verified::{CheckResult, CredentialDigest, DigestKey};
use super::{Authenticator, UserStore};
use crate::proto::credentials::Basic;

/// Credentials to be verified.
pub struct PendingVerification {
    authenticator: Arc<Authenticator>,
    digest: CredentialDigest,
    /// `None` if another request verifies the same credentials.
    check: Option<Check>,
}

/// The input of a verification.
pub(super) struct Check {
    pub(super) users: Arc<Users>,
    pub(super) basic: Basic,
    pub(super) permit: AttemptPermit,
}

impl PendingVerification {
    pub(super) fn new(authenticator: &Arc<Authenticator>, digest: CredentialDigest, check: Option<Check>) -> Self {
        Self { authenticator: Arc::clone(authenticator), digest, check }
    }

    /// Verifies the credentials, so that the authenticator knows the result; waits for a free core first.
    pub fn verify(mut self) {
        let Some(check) = &self.check else { return self.wait() };
        let result = {
            let _permit = CorePermit::take(&self.authenticator);
            check.compare(&self.authenticator.key)
        };
        self.end(Some(&result));
    }

    /// Waits for the verification of the same credentials.
    fn wait(&self) {
        let mut state = self.authenticator.state.lock();
        while state.pending.contains(&self.digest) {
            state = self.authenticator.verification_ended.wait(state);
        }
    }

    fn end(&mut self, result: Option<&CheckResult>) {
        let Some(check) = self.check.take() else { return };
        let mut state = self.authenticator.state.lock();
        state.pending.remove(&self.digest);
        let is_current = matches!(&state.users, UserStore::Htpasswd(users) if Arc::ptr_eq(users, &check.users));
        match result {
            Some(result) if is_current => {
                self.authenticator.conclude(&mut state, check.permit, self.digest, result, Instant::now());
            }
            // The file has changed: the request is authenticated with the new users.
            _ => state.throttle.end(check.permit, false, Instant::now()),
        }
        drop(state);
        self.authenticator.verification_ended.notify_all();
    }
}

impl Drop for PendingVerification {
    /// A verification without a result, because the connection broke, is no failed login.
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
        // An unknown name is compared with the same record every time; a varying time would reveal that it is unknown.
        let number = key.digest(user).first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let Some(compared) = record.or_else(|| self.users.any(number)) else { return CheckResult::Invalid };
        let is_equal = bcrypt::verify(self.basic.password(), &compared.hash).unwrap_or(false);
        if is_equal && record.is_some() { CheckResult::Valid(user.into()) } else { CheckResult::Invalid }
    }
}

/// The permit to use a core for a verification; released on drop.
struct CorePermit<'a>(&'a Authenticator);

impl<'a> CorePermit<'a> {
    fn take(authenticator: &'a Authenticator) -> Self {
        let mut free = authenticator.free_cores.lock();
        while *free == 0 {
            free = authenticator.core_released.wait(free);
        }
        *free -= 1;
        Self(authenticator)
    }
}

impl Drop for CorePermit<'_> {
    fn drop(&mut self) {
        *self.0.free_cores.lock() += 1;
        self.0.core_released.notify_one();
    }
}
