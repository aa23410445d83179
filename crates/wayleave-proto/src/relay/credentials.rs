//! What becomes of tunnels that run when credentials are renewed, expire or are revoked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::account::{Account, expiry};
use super::tunnel::{Grant, State, Tunnel, TunnelId};
use super::{CloseReason, RefuseReason, Relay};
use crate::auth::{AccountId, Keys, Revoked, TokenError, Verdict};
use crate::base::Instant;
use crate::config::Verifier;
use crate::policy::{OnExpiry, Scope};

impl Relay {
    /// Takes other keys into force, with what they say of applications and revocations: for every request from now on,
    /// and for what is open.
    ///
    /// Tunnels whose credential is revoked end before this returns. The others go on by the rates, the volume and the end
    /// that the new keys allow; a narrower list of targets counts for what is opened from now on. A key that is only missing ends nothing, so that keys can be rotated. Revocations made by [`Self::revoke`]
    /// stay. Where the embedder verifies, the keys themselves are not used.
    pub fn renew_keys(&mut self, now: Instant, keys: Keys) {
        self.at(now);
        self.verdicts.clear();
        self.revocations = keys.revocations().clone();
        self.revocations.extend(self.revoked.iter().cloned());
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
        let most = self.config.limits.revocations;
        if self.revoked.len() >= most && !self.revoked.iter().any(|known| *known == revoked) {
            return Err(TooManyRevocations(most));
        }
        self.revoked.insert(revoked.clone());
        self.revocations.insert(revoked);
        let ended = self.enforce();
        self.hear();
        Ok(ended)
    }

    /// What `verdict`, which was just given, allows on this relay.
    pub(super) fn scope_of(&self, verdict: &Verdict) -> Arc<Scope> {
        Arc::new(self.config.scope.intersect(&verdict.scope))
    }

    /// What an older verdict allows by the keys that are in force now: those of its time may have allowed more.
    fn scope_now(&self, verdict: &Verdict) -> Arc<Scope> {
        let Verifier::Keys(keys) = &self.verifier else { return self.scope_of(verdict) };
        let claims = &verdict.claims;
        let allowed = keys.scope(claims.app_id.as_ref()).intersect(&claims.scope);
        Arc::new(self.config.scope.intersect(&allowed))
    }

    /// Lets everything that is open, remembered or on its way obey the keys that are in force now.
    fn rescope(&mut self) {
        let accounts = self.accounts.iter();
        let scopes: Vec<_> =
            accounts.map(|(id, account)| (*id, self.scope_now(&account.credential))).collect();
        for (id, scope) in scopes {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.scope = scope;
            }
        }
        for id in self.tunnels.keys() {
            let Some(grant) = self.tunnels.get(id).and_then(Tunnel::grant) else { continue };
            let scope = self.scope_now(&grant.verdict);
            if let Some(State::Dialling(opening)) = self.tunnels.get_mut(id).map(|it| &mut it.state) {
                opening.scope = scope;
            }
        }
    }

    /// Whether nothing may be opened any more by a credential that was good when it was shown.
    pub(super) fn is_too_late(&self, grant: &Grant) -> bool {
        let Some(account) = self.accounts.get(&grant.verdict.account) else { return false };
        let keeps = account.scope.on_expiry.unwrap_or_default() == OnExpiry::Keep;
        let ends = expiry(&account.credential).after(self.config.rules.leeway);
        !keeps && self.clock.unix(self.now) >= ends
    }

    /// Goes once through everything that is open, ends what is revoked, and lets the rest follow what changed.
    fn enforce(&mut self) -> usize {
        let mut ended = 0;
        for id in self.tunnels.keys() {
            let Some(grant) = self.tunnels.get(id).and_then(Tunnel::grant) else { continue };
            if self.revocations.hold(&grant.verdict) {
                ended += 1;
                self.end_revoked(id);
            }
        }
        self.fall_back();
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
        self.rest_anew();
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
        let is_orphan = |account: &Account| account.tunnels > 0 && self.revocations.hold(&account.credential);
        let orphans = self.accounts.iter().filter(|(_, account)| is_orphan(account));
        let mut best: BTreeMap<AccountId, Option<Arc<Verdict>>> =
            orphans.map(|(id, _)| (*id, None)).collect();
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
        for (id, credential) in best {
            let Some(credential) = credential else { continue };
            let scope = self.scope_now(&credential);
            if let Some(account) = self.accounts.get_mut(&id) {
                account.credential = credential;
                account.scope = scope;
            }
        }
    }
}

/// There is no room for another revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} revocations were made since the start, the relay's limit; write them into a key file instead")]
pub struct TooManyRevocations(pub usize);
