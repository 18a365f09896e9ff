//! What was found out about credentials lately, so that a page with a hundred images does not cost a hundred checks.
//!
//! Never a password: what is remembered is a digest under a key that this process made when it started, and that lives
//! nowhere else. Both memories are bounded; the oldest entry makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hmac, rand};

/// A keyed digest of a user name and a password.
pub(crate) type Digest = [u8; 32];

/// Credentials of each kind that are remembered: more people than log in at once, and about 200 KB.
const MOST: usize = 1024;

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
    pub(crate) fn digest(&self, bytes: &[u8]) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        digest
    }
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckResult {
    /// They are right, and this is the user.
    Valid(Arc<[u8]>),
    /// They are wrong.
    Invalid,
}

/// Credentials that were checked.
#[derive(Debug, Default)]
pub(crate) struct VerifiedCache {
    right: Bounded<Arc<[u8]>>,
    wrong: Bounded<()>,
}

impl VerifiedCache {
    /// What is known of these credentials.
    pub(crate) fn recall(&self, digest: &Digest) -> Option<CheckResult> {
        if let Some(user) = self.right.entries.get(digest) {
            return Some(CheckResult::Valid(Arc::clone(user)));
        }
        self.wrong.entries.get(digest).map(|()| CheckResult::Invalid)
    }

    /// Remembers what was found out. Wrong ones have a memory of their own, so that guesses push out nobody who is right.
    pub(crate) fn note(&mut self, digest: Digest, known: CheckResult) {
        match known {
            CheckResult::Valid(user) => self.right.insert(digest, user),
            CheckResult::Invalid => self.wrong.insert(digest, ()),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[derive(Debug)]
struct Bounded<V> {
    entries: HashMap<Digest, V>,
    order: VecDeque<Digest>,
}

impl<V> Default for Bounded<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<V> Bounded<V> {
    fn insert(&mut self, digest: Digest, value: V) {
        if self.entries.insert(digest, value).is_some() {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > MOST
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
    fn guesses_push_out_nobody_who_is_right_and_memory_is_bounded() {
        let key = DigestKey::random().unwrap();
        let mut memory = VerifiedCache::default();
        let right = key.digest(b"ann:secret");
        memory.note(right, CheckResult::Valid(b"ann".as_slice().into()));
        for number in 0..10 * MOST {
            memory.note(key.digest(&number.to_le_bytes()), CheckResult::Invalid);
        }
        assert_eq!(memory.recall(&right), Some(CheckResult::Valid(b"ann".as_slice().into())));
        assert_eq!((memory.wrong.entries.len(), memory.wrong.order.len()), (MOST, MOST));
        assert_eq!(memory.recall(&key.digest(&0usize.to_le_bytes())), None);
        memory.clear();
        assert_eq!(memory.recall(&right), None);
    }
}
