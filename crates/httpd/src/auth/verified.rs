//! Results of recent verifications, so that a page with a hundred images costs one bcrypt comparison.
//!
//! Credentials are kept as digests under a random key of this process, never as passwords. The number of entries is
//! bounded; the oldest one is evicted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hmac, rand};

/// A keyed digest of a user name and a password.
pub(crate) type CredentialDigest = [u8; 32];

/// Entries for valid and for invalid credentials; about 200 KB.
const MAX_ENTRIES: usize = 1024;

/// The secret of this process under which digests are made.
#[derive(Clone)]
pub(crate) struct DigestKey(hmac::Key);

impl DigestKey {
    /// A new random key.
    pub(crate) fn random() -> Result<Self, Unspecified> {
        // One block of SHA-256.
        let mut bytes = zeroize::Zeroizing::new([0; 64]);
        rand::fill(bytes.as_mut_slice())?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice())))
    }

    /// HMAC-SHA-256 of `bytes` (RFC 2104).
    pub(crate) fn digest(&self, bytes: &[u8]) -> CredentialDigest {
        let mut digest = CredentialDigest::default();
        digest.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        digest
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckResult {
    /// The credentials are valid; the user.
    Valid(Arc<[u8]>),
    /// The credentials are invalid.
    Invalid,
}

/// Digests of verified credentials.
#[derive(Debug, Default)]
pub(crate) struct VerifiedCache {
    right: BoundedMap<Arc<[u8]>>,
    wrong: BoundedMap<()>,
}

impl VerifiedCache {
    /// The result for these credentials, if it is known.
    pub(crate) fn get(&self, digest: &CredentialDigest) -> Option<CheckResult> {
        if let Some(user) = self.right.entries.get(digest) {
            return Some(CheckResult::Valid(Arc::clone(user)));
        }
        self.wrong.entries.get(digest).map(|()| CheckResult::Invalid)
    }

    /// Adds a result. Invalid credentials are kept apart, so that guesses evict no valid ones.
    pub(crate) fn insert(&mut self, digest: CredentialDigest, known: CheckResult) {
        match known {
            CheckResult::Valid(user) => self.right.insert(digest, user),
            CheckResult::Invalid => self.wrong.insert(digest, ()),
        }
    }

    /// Removes all results.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[derive(Debug)]
struct BoundedMap<V> {
    entries: HashMap<CredentialDigest, V>,
    order: VecDeque<CredentialDigest>,
}

impl<V> Default for BoundedMap<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<V> BoundedMap<V> {
    fn insert(&mut self, digest: CredentialDigest, value: V) {
        if self.entries.insert(digest, value).is_some() {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > MAX_ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_differ_by_their_bytes_and_by_their_key() {
        let (first, second) = (DigestKey::random().unwrap(), DigestKey::random().unwrap());
        assert_eq!(first.digest(b"a:b"), first.digest(b"a:b"));
        assert_ne!(first.digest(b"a:b"), first.digest(b"a:c"));
        assert_ne!(first.digest(b"a:b"), second.digest(b"a:b"));
    }

    #[test]
    fn guesses_evict_no_valid_credentials_and_memory_is_bounded() {
        let key = DigestKey::random().unwrap();
        let mut memory = VerifiedCache::default();
        let right = key.digest(b"ann:secret");
        memory.insert(right, CheckResult::Valid(b"ann".as_slice().into()));
        for number in 0..10 * MAX_ENTRIES {
            memory.insert(key.digest(&number.to_le_bytes()), CheckResult::Invalid);
        }
        assert_eq!(memory.get(&right), Some(CheckResult::Valid(b"ann".as_slice().into())));
        assert_eq!((memory.wrong.entries.len(), memory.wrong.order.len()), (MAX_ENTRIES, MAX_ENTRIES));
        assert_eq!(memory.get(&key.digest(&0usize.to_le_bytes())), None);
        memory.clear();
        assert_eq!(memory.get(&right), None);
    }
}
