//! Verdicts that were reached before.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::{Claims, Keys, Rules, TokenError};
use crate::base::UnixTime;

/// A bounded memory of tokens that were found good, by their SHA-256: an Ed25519 signature costs fifty times as much.
///
/// Only the signature is remembered; the times are checked anew. Refusals are not remembered, so that a flood of bad
/// tokens drives no good one out.
#[derive(Debug, Default)]
pub struct Verdicts {
    known: BTreeMap<[u8; 32], Known>,
}

#[derive(Debug)]
struct Known {
    claims: Arc<Claims>,
    until: UnixTime,
}

impl Verdicts {
    /// Checks a token, from memory where it is known.
    ///
    /// # Errors
    /// As [`Keys::verify`].
    pub fn verify(
        &mut self,
        keys: &Keys,
        token: &str,
        now: UnixTime,
        rules: &Rules,
    ) -> Result<Arc<Claims>, TokenError> {
        let mut name = [0; 32];
        for (to, from) in name.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *to = *from;
        }
        if let Some(known) = self.known.get(&name)
            && now < known.until
        {
            rules.check(&known.claims, now)?;
            return Ok(Arc::clone(&known.claims));
        }
        let claims = Arc::new(keys.verify(token, now, rules)?);
        self.make_room(now);
        let until = UnixTime::from_millis(now.as_millis().saturating_add(KEPT_MILLIS));
        self.known.insert(name, Known { claims: Arc::clone(&claims), until });
        Ok(claims)
    }

    /// Forgets everything, because the keys are others.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// How many tokens are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no token is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn make_room(&mut self, now: UnixTime) {
        if self.known.len() < MOST_VERDICTS {
            return;
        }
        self.known.retain(|_, known| now < known.until);
        if self.known.len() >= MOST_VERDICTS {
            // All are fresh. Which half goes is as good as random, since the names are hashes.
            let half = self.known.keys().nth(MOST_VERDICTS / 2).copied();
            if let Some(half) = half {
                self.known = self.known.split_off(&half);
            }
        }
    }
}

const MOST_VERDICTS: usize = 4_096;
const KEPT_MILLIS: u64 = Duration::from_secs(300).as_secs() * 1_000;
