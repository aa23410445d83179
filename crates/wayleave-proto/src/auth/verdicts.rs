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
    entries: BTreeMap<[u8; 32], Entry>,
    /// The same entries, the soonest to end first.
    order: BTreeSet<(UnixTime, [u8; 32])>,
}

#[derive(Debug)]
struct Entry {
    until: UnixTime,
    verdict: Arc<Verdict>,
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
        if self.keys != *keys.fingerprint() {
            self.clear();
            self.keys = *keys.fingerprint();
        }
        let name = sha256(|digest| digest.update(token.as_bytes()));
        if let Some(entry) = self.entries.get(&name).filter(|entry| now < entry.until) {
            rules.judge(&entry.verdict, now)?;
            keys.judge_revocation(&entry.verdict)?;
            return Ok(Arc::clone(&entry.verdict));
        }
        let verdict = Arc::new(keys.verify(token, now, rules)?);
        self.remember(name, Arc::clone(&verdict), now, rules);
        Ok(verdict)
    }

    /// Whether `token` is remembered as good under these keys; its times may be over all the same.
    pub fn knows(&self, keys: &Keys, token: &str) -> bool {
        self.keys == *keys.fingerprint()
            && self.entries.contains_key(&sha256(|digest| digest.update(token.as_bytes())))
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

    fn remember(&mut self, name: [u8; 32], verdict: Arc<Verdict>, now: UnixTime, rules: &Rules) {
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
