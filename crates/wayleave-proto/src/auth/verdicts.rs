//! Verdicts remembered, because a signature costs a hundred times what a look into a table does.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::key::sha256;
use super::{Keys, Rules, TokenError, Verdict};
use crate::base::UnixTime;

/// A bounded memory of tokens that were found good.
///
/// A token is known by its SHA-256, until it expires or for five minutes. Other keys than the last time empty the
/// memory. Times and audience are judged anew each time. Refusals are not remembered: they cost an attacker nothing to
/// vary.
#[derive(Debug)]
pub struct Verdicts {
    capacity: usize,
    keys: [u8; 32],
    entries: BTreeMap<TokenName, Entry>,
    /// The same entries, the soonest to end first.
    order: BTreeSet<(UnixTime, TokenName)>,
}

#[derive(Debug)]
struct Entry {
    until: UnixTime,
    verdict: Arc<Verdict>,
}

/// What a token is remembered by, so that it is not kept itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenName([u8; 32]);

impl TokenName {
    /// That of `token`.
    pub fn of(token: &str) -> Self {
        Self(sha256(|digest| digest.update(token.as_bytes())))
    }
}

impl Verdicts {
    /// An empty memory of at most `capacity` tokens.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, keys: [0; 32], entries: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Says what `token` is worth at `now`, as [`Keys::verify`] does.
    ///
    /// # Errors
    /// [`TokenError`] with the reason, which is for the log and not for the client.
    pub fn verify(
        &mut self,
        keys: &Keys,
        token: &str,
        now: UnixTime,
        rules: &Rules,
    ) -> Result<Arc<Verdict>, TokenError> {
        let name = TokenName::of(token);
        if let Some(judged) = self.recall(keys, &name, now, rules) {
            return judged;
        }
        let verdict = Arc::new(keys.verify(token, now, rules)?);
        self.remember(keys, name, Arc::clone(&verdict), now, rules);
        Ok(verdict)
    }

    /// The same for a token that is remembered, judged anew; `None` where [`Keys::verify`] has to say it, and
    /// [`Self::remember`] is told.
    pub fn recall(
        &self,
        keys: &Keys,
        name: &TokenName,
        now: UnixTime,
        rules: &Rules,
    ) -> Option<Result<Arc<Verdict>, TokenError>> {
        let entry = self.entry(keys, name).filter(|entry| now < entry.until)?;
        let judged = rules.judge(&entry.verdict, now).and_then(|()| keys.judge_revocation(&entry.verdict));
        Some(judged.map(|()| Arc::clone(&entry.verdict)))
    }

    /// Whether a token is remembered as good under these keys; its times may be over all the same.
    pub fn knows(&self, keys: &Keys, name: &TokenName) -> bool {
        self.entry(keys, name).is_some()
    }

    fn entry(&self, keys: &Keys, name: &TokenName) -> Option<&Entry> {
        self.entries.get(name).filter(|_| self.keys == *keys.fingerprint())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    /// How many tokens are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no token is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Remembers a token that `keys` found good.
    pub fn remember(
        &mut self,
        keys: &Keys,
        name: TokenName,
        verdict: Arc<Verdict>,
        now: UnixTime,
        rules: &Rules,
    ) {
        if self.keys != *keys.fingerprint() {
            self.clear();
            self.keys = *keys.fingerprint();
        }
        if let Some(old) = self.entries.remove(&name) {
            self.order.remove(&(old.until, name));
        }
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity
            && let Some((_, soonest)) = self.order.pop_first()
        {
            self.entries.remove(&soonest);
        }
        let expires = verdict.claims.expires.unwrap_or(now).after(rules.leeway);
        let until = expires.min(now.after(LONGEST));
        self.order.insert((until, name));
        self.entries.insert(name, Entry { until, verdict });
    }
}

impl Default for Verdicts {
    /// A memory of 4,096 tokens.
    fn default() -> Self {
        Self::new(4_096)
    }
}

const LONGEST: Duration = Duration::from_secs(300);
