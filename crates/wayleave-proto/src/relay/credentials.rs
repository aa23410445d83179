//! What becomes of tunnels that run when credentials are renewed, expire or are revoked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ledger::{Books, Ledger};
use super::share::{Share, expiry};
use super::tunnel::{Grant, State, Tunnel, TunnelId};
use super::{CloseReason, RefuseReason, Relay};
use crate::auth::{AccountId, Keys, Revoked, TokenError, Verdict};
use crate::base::Instant;
use crate::config::{RelayConfig, Verifier};
use crate::policy::{OnExpiry, Scope};

impl<L: Ledger> Relay<L> {
    /// Takes other keys into force, with what they say of applications and revocations: for every request from now on,
    /// and for what is open.
    ///
    /// Tunnels whose credential is revoked end before this returns. The others go on by the rates, the volume and the end
    /// that the new keys allow; a narrower list of targets counts for what is opened from now on. A key that is only missing ends nothing, so that keys can be rotated. Revocations made by [`Self::revoke`]
    /// stay. Where the embedder verifies, the keys themselves are not used.
    pub fn renew_keys(&mut self, now: Instant, keys: Keys) {
        self.at(now);
        self.ledger.write(|books| books.renew_keys(&keys));
        if let Verifier::Keys(old) = &mut self.verifier {
            *old = keys;
            self.rescope();
        }
        self.enforce();
        self.hear();
    }

    /// Refuses `revoked` from now on, and ends what it has open before this returns. It holds for the life of this relay,
    /// whatever keys come. The answer is how many tunnels ended, and attempts at one.
    ///
    /// # Errors
    /// There are as many revocations as the limits allow.
    pub fn revoke(&mut self, now: Instant, revoked: Revoked) -> Result<usize, TooManyRevocations> {
        self.at(now);
        self.ledger.write(|books| books.revoke(revoked))?;
        let ended = self.enforce();
        self.hear();
        Ok(ended)
    }

    /// What `verdict`, which was just given, allows on this relay.
    pub(super) fn scope_of(&self, verdict: &Verdict) -> Arc<Scope> {
        Arc::new(self.config.scope.intersect(&verdict.scope))
    }

    /// Lets everything that is open, remembered or on its way obey the keys that are in force now.
    fn rescope(&mut self) {
        let (config, verifier) = (&self.config, &self.verifier);
        self.ledger.write(|books| books.rescope(|verdict| scope_now(config, verifier, verdict)));
        for id in self.tunnels.keys() {
            let Some(grant) = self.tunnels.get(id).and_then(Tunnel::grant) else { continue };
            let scope = scope_now(&self.config, &self.verifier, &grant.verdict);
            if let Some(State::Dialling(opening)) = self.tunnels.get_mut(id).map(|it| &mut it.state) {
                opening.scope = scope;
            }
        }
    }

    /// Whether nothing may be opened any more by a credential that was good when it was shown.
    pub(super) fn is_too_late(&self, grant: &Grant) -> bool {
        let Some(share) = self.shares.get(&grant.verdict.account) else { return false };
        let keeps = share.scope.on_expiry.unwrap_or_default() == OnExpiry::Keep;
        let ends = expiry(&share.credential).after(self.config.rules.leeway);
        !keeps && self.clock.unix(self.now) >= ends
    }

    /// Goes once through everything that is open, ends what is revoked, and lets the rest follow what changed.
    fn enforce(&mut self) -> usize {
        let mut ended = 0;
        for id in self.tunnels.keys() {
            let Some(grant) = self.tunnels.get(id).and_then(Tunnel::grant) else { continue };
            if self.ledger.read(|books| books.is_revoked(&grant.verdict)) {
                ended += 1;
                self.end_revoked(id);
            }
        }
        self.fall_back();
        for id in self.shares.keys().copied().collect::<Vec<_>>() {
            self.renew_share(&id);
        }
        self.arm_tunnels();
        ended
    }

    /// Sets the timers of all tunnels anew, because what they go by has changed.
    fn arm_tunnels(&mut self) {
        for id in self.tunnels.keys() {
            self.arm(id);
        }
    }

    /// The civil clock was set, or went on while the other slept: every credential is judged by what it shows now.
    pub(super) fn on_clock_parted(&mut self) {
        self.arm_tunnels();
        let (now, clock) = (self.now, &self.clock);
        self.ledger.write(|books| books.rest_anew(now, clock));
    }

    fn end_revoked(&mut self, id: TunnelId) {
        match self.tunnels.get(id).map(|tunnel| &tunnel.state) {
            Some(State::Dialling(opening)) => {
                let target = opening.grant.target.clone();
                self.refuse(id, Some(target), RefuseReason::Token(TokenError::Revoked));
            }
            Some(State::Open(_)) => self.cut(id, CloseReason::Revoked),
            None | Some(State::Asking | State::Verifying { .. }) => {}
        }
    }

    /// Where the credential is revoked that tunnels were renewed with, they have the best of those again that opened them.
    fn fall_back(&mut self) {
        let is_revoked = |books: &Books, share: &Share| books.is_revoked(&share.credential);
        let mut best: BTreeMap<AccountId, Option<Arc<Verdict>>> = self.ledger.read(|books| {
            let orphans = self.shares.iter().filter(|(_, share)| is_revoked(books, share));
            orphans.map(|(id, _)| (*id, None)).collect()
        });
        if best.is_empty() {
            return;
        }
        for grant in self.tunnels.iter().filter_map(|(_, tunnel)| tunnel.grant()) {
            if let Some(best) = best.get_mut(&grant.verdict.account)
                && best.as_ref().is_none_or(|best| expiry(best) < expiry(&grant.verdict))
            {
                *best = Some(Arc::clone(&grant.verdict));
            }
        }
        let shard = self.shard;
        for credential in best.into_values().flatten() {
            let scope = scope_now(&self.config, &self.verifier, &credential);
            self.ledger.write(|books| books.show(shard, &credential, &scope));
        }
    }
}

/// What an older verdict allows by the keys that are in force now: those of its time may have allowed more.
fn scope_now(config: &RelayConfig, verifier: &Verifier, verdict: &Verdict) -> Arc<Scope> {
    let claims = &verdict.claims;
    let allowed = match verifier {
        Verifier::Embedder => config.scope.intersect(&verdict.scope),
        Verifier::Keys(keys) => {
            config.scope.intersect(&keys.scope(claims.app_id.as_ref()).intersect(&claims.scope))
        }
    };
    Arc::new(allowed)
}

/// There is no room for another revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} revocations were made since the start, the relay's limit; write them into a key file instead")]
pub struct TooManyRevocations(pub usize);
