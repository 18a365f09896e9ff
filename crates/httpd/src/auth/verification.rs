//! Finding out in the blocking lane whether credentials are right (bcrypt).
//!
//! As many checks run at a time as there are cores but one, so that those who are inside are served meanwhile.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::throttle::Ticket;
use super::htpasswd::Users;
use super::verified::{Digest, Key, Known};
use super::{Door, Guard, State, lock};
use crate::proto::credentials::Basic;

/// Credentials about which something has to be found out.
pub struct Attempt {
    guard: Arc<Guard>,
    digest: Digest,
    /// `None` where the same credentials are being checked already, for another request.
    check: Option<Check>,
}

/// What a check needs.
pub(super) struct Check {
    pub(super) users: Arc<Users>,
    pub(super) basic: Basic,
    pub(super) ticket: Ticket,
}

impl Attempt {
    pub(super) fn new(guard: &Arc<Guard>, digest: Digest, check: Option<Check>) -> Self {
        Self { guard: Arc::clone(guard), digest, check }
    }

    /// Finds out, so that the guard knows when it is asked again; takes as long as bcrypt does, and waits for others who are
    /// at it.
    pub fn check(mut self) {
        let Some(check) = &self.check else { return self.wait() };
        let known = {
            let _permit = Permit::take(&self.guard);
            check.compare(&self.guard.key)
        };
        self.end(Some(&known));
    }

    /// Waits until the check of the same credentials is over.
    fn wait(&self) {
        let is_open = |state: &mut State| state.checking.contains(&self.digest);
        drop(self.guard.found_out.wait_while(lock(&self.guard.state), is_open));
    }

    fn end(&mut self, known: Option<&Known>) {
        let Some(check) = self.check.take() else { return };
        let mut state = lock(&self.guard.state);
        state.checking.remove(&self.digest);
        let is_of_now = matches!(&state.door, Door::Listed(users) if Arc::ptr_eq(users, &check.users));
        match known {
            Some(known) if is_of_now => {
                self.guard.conclude(&mut state, check.ticket, self.digest, known, Instant::now());
            }
            // After a change of the file, the request is judged by the new one.
            _ => state.brake.end(check.ticket, false, Instant::now()),
        }
        drop(state);
        self.guard.found_out.notify_all();
    }
}

impl Drop for Attempt {
    /// An attempt that was never checked, because its connection broke, is no failure.
    fn drop(&mut self) {
        self.end(None);
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt(..)")
    }
}

impl Check {
    fn compare(&self, key: &Key) -> Known {
        let user = self.basic.user();
        let record = self.users.find(user);
        // The one that stands in for an unknown user is always the same one, or repeating the question would tell.
        let number = key.digest(user).first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let Some(compared) = record.or_else(|| self.users.any(number)) else { return Known::Wrong };
        let is_equal = bcrypt::verify(self.basic.password(), &compared.hash).unwrap_or(false);
        if is_equal && record.is_some() { Known::Right(user.into()) } else { Known::Wrong }
    }
}

/// The right to use a core for a check; given back on drop.
struct Permit<'g>(&'g Guard);

impl<'g> Permit<'g> {
    fn take(guard: &'g Guard) -> Self {
        let mut free = lock(&guard.permits);
        while *free == 0 {
            free = guard.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Self(guard)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *lock(&self.0.permits) += 1;
        self.0.freed.notify_one();
    }
}
