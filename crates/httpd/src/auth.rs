//! The login: who may see anything at all (RFC 7617, Basic).
//!
//! [`Authenticator::authenticate`] is asked for each request and never waits. bcrypt takes a tenth of a second, so credentials that were not
//! seen before become an [`PendingVerification`] for the blocking lane; the request is judged again when it comes back from there. An
//! unknown user costs the same as a known one with a wrong password, because some hash is compared in any case.

pub mod htpasswd;
mod reexec;
mod source;
mod throttle;
mod verification;
mod verified;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{Failure, Kind};

use crate::file_version::FileVersion;
use crate::net::peer::Peer;
use crate::proto::credentials::Basic;
use crate::proto::field::{Fields, Name};
use htpasswd::Users;
use throttle::{AttemptPermit, LoginThrottle};
use verification::Check;
use verified::{CheckResult, Digest, DigestKey, VerifiedCache};

pub use source::VARIABLE;
pub use verification::PendingVerification;

pub(crate) use reexec::reexec_without_password;

/// The value of WWW-Authenticate.
pub const CHALLENGE: &str = "Basic realm=\"httpd\", charset=\"UTF-8\"";
/// Logins that wait for their check, in all: beyond that, a crowd of guessers would hold the blocking lane for minutes.
const MAX_WAITING: usize = 64;

/// Who may log in, as the command line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The users of an htpasswd file.
    File(PathBuf),
    /// One user, whose password is not on the command line.
    One(String),
}

/// What becomes of a request.
#[derive(Debug)]
pub enum AuthOutcome {
    /// It is served for this user.
    Allowed(Arc<[u8]>),
    /// It has to bring credentials: there are none, or they are wrong.
    Challenge,
    /// There were too many failures; its sender may try again after this time.
    RateLimited(Duration),
    /// Too many others wait.
    Overloaded,
    /// Somebody who may wait has to find out.
    Pending(Box<PendingVerification>),
}

/// The users that are let in.
enum UserStore {
    Listed(Arc<Users>),
    /// The digest of the only credentials that are right, and the name in them.
    One(Digest, Arc<[u8]>),
}

/// What was judged so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginCounts {
    /// Credentials that were checked and right.
    pub right: u64,
    /// Credentials that were checked and wrong.
    pub wrong: u64,
    /// Requests that were told to wait.
    pub slowed: u64,
}

/// The doorkeeper that all workers share.
pub struct Authenticator {
    key: DigestKey,
    /// The file that is read again when it changes.
    file: Option<PathBuf>,
    state: Mutex<State>,
    /// Checks that may run now: one core is left to those who are inside.
    permits: Mutex<usize>,
    freed: Condvar,
    /// Some check is over.
    found_out: Condvar,
    right: AtomicU64,
    wrong: AtomicU64,
    slowed: AtomicU64,
}

struct State {
    users: UserStore,
    version: Option<FileVersion>,
    memory: VerifiedCache,
    throttle: LoginThrottle,
    /// What is being checked. The number of these is bounded.
    checking: HashSet<Digest>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator(..)")
    }
}

impl Authenticator {
    /// Reads the file, or gets the password.
    pub fn open(login: &Login) -> Result<Arc<Self>, Failure> {
        let key = DigestKey::random().map_err(|error| Failure::new(Kind::System, "make", "a random key", error))?;
        let (users, file, version) = match login {
            Login::File(path) => {
                let version = FileVersion::at(path);
                (UserStore::Listed(Arc::new(source::users(path)?)), Some(path.clone()), version)
            }
            Login::SingleUser(user) => {
                let password = source::password(user)?;
                let whole = zeroize::Zeroizing::new([user.as_bytes(), b":", &password].concat());
                (UserStore::One(key.digest(&whole), user.as_bytes().into()), None, None)
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            key,
            file,
            state: Mutex::new(State {
                users,
                version,
                memory: VerifiedCache::default(),
                throttle: LoginThrottle::default(),
                checking: HashSet::new(),
            }),
            permits: Mutex::new(cores.saturating_sub(1).max(1)),
            freed: Condvar::new(),
            found_out: Condvar::new(),
            right: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
        }))
    }

    /// Decides about the request of `client`; `Slow` and `Ask` depend on the time.
    pub fn authenticate(self: &Arc<Self>, fields: &Fields, client: Peer, now: Instant) -> AuthOutcome {
        let Some(basic) = fields.only(Name::Authorization).and_then(Basic::parse) else {
            return AuthOutcome::Challenge;
        };
        let digest = self.key.digest(basic.whole());
        let mut state = lock(&self.state);
        match state.memory.recall(&digest) {
            Some(CheckResult::Valid(user)) => return AuthOutcome::Allowed(user),
            Some(CheckResult::Invalid) => return AuthOutcome::Challenge,
            None => {}
        }
        if state.checking.contains(&digest) {
            // A browser asks for a dozen files at once. That is one login, and the others wait for what is found out about it.
            return AuthOutcome::Pending(Box::new(PendingVerification::new(self, digest, None)));
        }
        if state.checking.len() >= MAX_WAITING {
            return AuthOutcome::Overloaded;
        }
        let permit = match state.throttle.begin(client, now) {
            Ok(permit) => permit,
            Err(wait) => {
                self.slowed.fetch_add(1, Ordering::Relaxed);
                return AuthOutcome::RateLimited(wait);
            }
        };
        match &state.users {
            UserStore::Listed(users) => {
                let check = Check { users: Arc::clone(users), basic, permit };
                state.checking.insert(digest);
                AuthOutcome::Pending(Box::new(PendingVerification::new(self, digest, Some(check))))
            }
            // Digests under a key that nobody knows tell nothing by the time it takes to compare them.
            UserStore::One(right, user) => {
                let known = if *right == digest { CheckResult::Valid(Arc::clone(user)) } else { CheckResult::Invalid };
                self.conclude(&mut state, permit, digest, &known, now);
                if let CheckResult::Valid(user) = known { AuthOutcome::Allowed(user) } else { AuthOutcome::Challenge }
            }
        }
    }

    fn conclude(&self, state: &mut State, permit: AttemptPermit, digest: Digest, known: &CheckResult, now: Instant) {
        let is_wrong = *known == CheckResult::Invalid;
        if is_wrong { &self.wrong } else { &self.right }.fetch_add(1, Ordering::Relaxed);
        state.throttle.end(permit, is_wrong, now);
        state.memory.note(digest, known.clone());
    }

    /// Reads the file again if it has changed, or in any case. One that cannot be used changes nothing, and is complained about
    /// once.
    pub fn refresh(&self, in_any_case: bool) {
        let Some(path) = &self.file else { return };
        let version = FileVersion::at(path);
        if !in_any_case && (version.is_none() || version == lock(&self.state).version) {
            return;
        }
        let read = source::users(path);
        let mut state = lock(&self.state);
        state.version = version;
        match read {
            Ok(users) => {
                log::info!("password file {}: {} users", path.display(), users.count());
                state.users = UserStore::Listed(Arc::new(users));
                // Also those whose password is another one now.
                state.memory.clear();
            }
            Err(failure) => log::error!("{failure}; the users are those of before"),
        }
    }

    /// What was judged so far.
    pub fn login_counts(&self) -> LoginCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LoginCounts { right: count(&self.right), wrong: count(&self.wrong), slowed: count(&self.slowed) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
