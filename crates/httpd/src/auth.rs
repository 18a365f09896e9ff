//! The login (Basic authentication, RFC 7617).
//!
//! [`Authenticator::authenticate`] is called for each request and never waits. bcrypt takes a tenth of a second, so unknown
//! credentials become a [`PendingVerification`] for the blocking pool, after which the request is authenticated again.
//! An unknown user takes as long as a wrong password, because a hash is compared in both cases.

pub mod htpasswd;
mod reexec;
mod source;
mod throttle;
mod verification;
mod verified;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::sync::{Condvar, Mutex};
use common::{Error, Kind};

use crate::file_version::FileVersion;
use crate::net::peer::Peer;
use crate::proto::credentials::Basic;
use crate::proto::field::{Fields, Name};
use htpasswd::Users;
use throttle::{AttemptPermit, LoginThrottle};
use verification::Check;
use verified::{CheckResult, CredentialDigest, DigestKey, VerifiedCache};

pub use source::VARIABLE;
pub use verification::PendingVerification;

pub(crate) use reexec::reexec_without_password;

/// The value of WWW-Authenticate.
pub const CHALLENGE: &str = "Basic realm=\"httpd\", charset=\"UTF-8\"";
/// Pending verifications in total; more would occupy the blocking pool for minutes.
const MAX_PENDING: usize = 64;

/// Who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The users of an htpasswd file.
    File(PathBuf),
    /// One user, whose password is not on the command line.
    SingleUser(String),
}

/// The result of authentication.
#[derive(Debug)]
pub enum AuthOutcome {
    /// The request is served for this user.
    Allowed(Arc<[u8]>),
    /// The credentials are missing or wrong.
    Challenge,
    /// There were too many failures; the client can retry after this time.
    RateLimited(Duration),
    /// Too many verifications are pending.
    Overloaded,
    /// The credentials must be verified first.
    Pending(Box<PendingVerification>),
}

/// The known users.
enum UserStore {
    Htpasswd(Arc<Users>),
    /// The digest of the only valid credentials, and the user.
    Single(CredentialDigest, Arc<[u8]>),
}

/// Counters of logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginCounts {
    /// Credentials that were right.
    pub right: u64,
    /// Credentials that were wrong.
    pub wrong: u64,
    /// Requests that were rate limited.
    pub rate_limited: u64,
}

/// Checks credentials; shared by all workers.
pub struct Authenticator {
    key: DigestKey,
    /// The htpasswd file, reloaded when it changes.
    file: Option<PathBuf>,
    state: Mutex<AuthState>,
    /// Verifications that may start: one core remains for authenticated clients.
    free_cores: Mutex<usize>,
    core_released: Condvar,
    verification_ended: Condvar,
    right: AtomicU64,
    wrong: AtomicU64,
    rate_limited: AtomicU64,
}

struct AuthState {
    users: UserStore,
    /// The version of the htpasswd file that was read.
    version: Option<FileVersion>,
    verified: VerifiedCache,
    throttle: LoginThrottle,
    /// Credentials that are being verified; at most [`MAX_PENDING`].
    pending: HashSet<CredentialDigest>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator(..)")
    }
}

impl Authenticator {
    /// Reads the htpasswd file or the password of the single user.
    pub fn open(login: &Login) -> Result<Arc<Self>, Error> {
        let key = DigestKey::random().map_err(|error| Error::new(Kind::System, "make", "a random key", error))?;
        let (users, file, version) = match login {
            Login::File(path) => {
                let version = FileVersion::at(path);
                (UserStore::Htpasswd(Arc::new(source::users(path)?)), Some(path.clone()), version)
            }
            Login::SingleUser(user) => {
                let password = source::password(user)?;
                let whole = zeroize::Zeroizing::new([user.as_bytes(), b":", &password].concat());
                (UserStore::Single(key.digest(&whole), user.as_bytes().into()), None, None)
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            key,
            file,
            state: Mutex::new(AuthState {
                users,
                version,
                verified: VerifiedCache::default(),
                throttle: LoginThrottle::default(),
                pending: HashSet::new(),
            }),
            free_cores: Mutex::new(cores.saturating_sub(1).max(1)),
            core_released: Condvar::new(),
            verification_ended: Condvar::new(),
            right: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
        }))
    }

    /// Authenticates a request of `client` at the time `now`.
    pub fn authenticate(self: &Arc<Self>, fields: &Fields, client: Peer, now: Instant) -> AuthOutcome {
        let Some(basic) = fields.only(Name::Authorization).and_then(Basic::parse) else {
            return AuthOutcome::Challenge;
        };
        let digest = self.key.digest(basic.whole());
        let mut state = self.state.lock();
        match state.verified.get(&digest) {
            Some(CheckResult::Valid(user)) => return AuthOutcome::Allowed(user),
            Some(CheckResult::Invalid) => return AuthOutcome::Challenge,
            None => {}
        }
        if state.pending.contains(&digest) {
            // Browsers request several files at once: one login; the other requests wait for its result.
            return AuthOutcome::Pending(Box::new(PendingVerification::new(self, digest, None)));
        }
        if state.pending.len() >= MAX_PENDING {
            return AuthOutcome::Overloaded;
        }
        let permit = match state.throttle.begin(client, now) {
            Ok(permit) => permit,
            Err(wait) => {
                self.rate_limited.fetch_add(1, Ordering::Relaxed);
                return AuthOutcome::RateLimited(wait);
            }
        };
        match &state.users {
            UserStore::Htpasswd(users) => {
                let check = Check { users: Arc::clone(users), basic, permit };
                state.pending.insert(digest);
                AuthOutcome::Pending(Box::new(PendingVerification::new(self, digest, Some(check))))
            }
            // The time of the comparison reveals nothing, because the key of the digests is secret.
            UserStore::Single(valid, user) => {
                let is_valid = *valid == digest;
                let result = if is_valid { CheckResult::Valid(Arc::clone(user)) } else { CheckResult::Invalid };
                self.conclude(&mut state, permit, digest, &result, now);
                match result {
                    CheckResult::Valid(user) => AuthOutcome::Allowed(user),
                    CheckResult::Invalid => AuthOutcome::Challenge,
                }
            }
        }
    }

    fn conclude(
        &self,
        state: &mut AuthState,
        permit: AttemptPermit,
        digest: CredentialDigest,
        result: &CheckResult,
        now: Instant,
    ) {
        let is_wrong = *result == CheckResult::Invalid;
        if is_wrong { &self.wrong } else { &self.right }.fetch_add(1, Ordering::Relaxed);
        state.throttle.end(permit, is_wrong, now);
        state.verified.insert(digest, result.clone());
    }

    /// Reloads the htpasswd file if it has changed.
    pub fn refresh(&self) {
        let Some(path) = &self.file else { return };
        let version = FileVersion::at(path);
        if version.is_some() && version != self.state.lock().version {
            self.reload();
        }
    }

    /// Reloads the htpasswd file. An unusable file is logged, and the users stay.
    pub fn reload(&self) {
        let Some(path) = &self.file else { return };
        let version = FileVersion::at(path);
        let read = source::users(path);
        let mut state = self.state.lock();
        state.version = version;
        match read {
            Ok(users) => {
                log::info!("password file {}: {} users", path.display(), users.count());
                state.users = UserStore::Htpasswd(Arc::new(users));
                // Passwords may have changed.
                state.verified.clear();
            }
            Err(error) => log::error!("{error}; the previous users stay"),
        }
    }

    /// The counters of logins.
    pub fn login_counts(&self) -> LoginCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LoginCounts { right: count(&self.right), wrong: count(&self.wrong), rate_limited: count(&self.rate_limited) }
    }
}
