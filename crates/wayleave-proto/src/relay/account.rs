//! What one user of one application has open, by which credential, and how much of it is used.

use core::time::Duration;
use std::sync::Arc;

use super::meter::{Direction, Meter};
use super::{Bound, RefuseReason, Relay};
use crate::auth::{AccountId, Verdict};
use crate::base::{Clock, Instant, UnixTime};
use crate::config::Verifier;
use crate::policy::{Grantor, OnExpiry, Scope};

/// What one user of one application has open.
///
/// Its credential is the one that is good for longest of those it showed: that one's scope and expiry count for all its
/// tunnels, so that a renewal on any connection reaches every tunnel, and an older token never widens a newer one.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) tunnels: usize,
    /// Names that are being looked up for it.
    pub(super) lookups: usize,
    /// Its clients are not asked again before then whether they are there.
    pub(super) asked: Instant,
    to_target: Meter,
    to_client: Meter,
    /// Bytes of payload, both ways together.
    volume: u64,
    pub(super) credential: Arc<Verdict>,
    /// What the operator and the credential allow together.
    pub(super) scope: Arc<Scope>,
}

impl Account {
    fn new(credential: Arc<Verdict>, scope: Arc<Scope>) -> Self {
        let (to_target, to_client) = (Meter::default(), Meter::default());
        Self {
            tunnels: 0,
            lookups: 0,
            asked: Instant::ZERO,
            to_target,
            to_client,
            volume: 0,
            credential,
            scope,
        }
    }

    /// Whether a datagram may not go that way now: a rate is exceeded, or the volume.
    pub(super) fn is_over(&self, now: Instant, direction: Direction) -> bool {
        let is_over = match direction {
            Direction::ToClient => self.to_client.is_over(now, &self.scope.to_client),
            Direction::ToTarget => self.to_target.is_over(now, &self.scope.to_target),
        };
        is_over || self.is_spent()
    }

    /// Counts what was forwarded, and says until when nothing more should be where that was too much.
    pub(super) fn charge(
        &mut self,
        now: Instant,
        direction: Direction,
        packets: u64,
        bytes: u64,
    ) -> Option<Instant> {
        self.volume = self.volume.saturating_add(bytes);
        match direction {
            Direction::ToClient => self.to_client.charge(now, &self.scope.to_client, packets, bytes),
            Direction::ToTarget => self.to_target.charge(now, &self.scope.to_target, packets, bytes),
        }
    }

    /// Whether all that it may move has been moved.
    pub(super) fn is_spent(&self) -> bool {
        self.scope.volume.is_some_and(|most| self.volume >= most)
    }

    /// When its tunnels end because the credential has expired; `None` where they stay.
    pub(super) fn ends_at(&self, leeway: Duration) -> Option<UnixTime> {
        match self.scope.on_expiry.unwrap_or_default() {
            OnExpiry::Keep | OnExpiry::RefuseNew => None,
            OnExpiry::CloseAfter(grace) => Some(self.credential.claims.expires?.after(leeway + grace)),
        }
    }

    /// Until when it is remembered after its last tunnel, so that reconnecting gains nothing; `None` where nothing of it
    /// matters any more.
    fn rests_until(&self, now: Instant, clock: &Clock, leeway: Duration) -> Option<Instant> {
        let metered = self.to_target.rests_at(now).max(self.to_client.rests_at(now));
        let counted = self.scope.volume.filter(|_| self.volume > 0).map(|_| {
            let expires = self.credential.claims.expires.unwrap_or(FOR_EVER);
            clock.instant(now, expires.after(leeway))
        });
        metered.max(counted).filter(|until| *until > now)
    }
}

impl Relay {
    /// An account wants one tunnel more, by the credential of `verdict`.
    pub(super) fn join(&mut self, verdict: &Arc<Verdict>, scope: &Arc<Scope>) -> Result<(), RefuseReason> {
        while let Some(forgotten) = self.resting.pop_due(self.now) {
            self.accounts.remove(&forgotten);
        }
        self.show(verdict, scope);
        let most = self.config.limits.tunnels_per_account;
        let new = || Account::new(Arc::clone(verdict), Arc::clone(scope));
        let account = self.accounts.entry(verdict.account).or_insert_with(new);
        let allowed = [scope.tunnels, account.scope.tunnels].into_iter().flatten().min();
        let most = most.min(allowed.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)));
        let volume = [scope.volume, account.scope.volume].into_iter().flatten().min();
        let (has_tunnels, is_spent) =
            (account.tunnels >= most, volume.is_some_and(|most| account.volume >= most));
        if !has_tunnels && !is_spent {
            account.tunnels += 1;
            self.resting.set(verdict.account, None);
            return Ok(());
        }
        if account.tunnels == 0 {
            self.rest(&verdict.account);
        }
        if has_tunnels {
            self.ask_clients(&verdict.account);
        }
        Err(match volume {
            Some(most) if !has_tunnels => RefuseReason::VolumeSpent {
                most,
                whose: self.whose(verdict, |scope| scope.volume == Some(most)),
            },
            _ => {
                let has =
                    |scope: &Scope| scope.tunnels.is_some_and(|tunnels| usize::try_from(tunnels) == Ok(most));
                RefuseReason::TooManyTunnels { most, whose: self.whose(verdict, has) }
            }
        })
    }

    /// Whose word a bound is: that of the first whose scope `says` it.
    fn whose(&self, verdict: &Verdict, says: impl Fn(&Scope) -> bool) -> Bound {
        let app_says = match &self.verifier {
            Verifier::Embedder => false,
            Verifier::Keys(keys) => says(&keys.scope(verdict.claims.app_id.as_ref())),
        };
        let account = self.accounts.get(&verdict.account);
        if says(&self.config.scope) {
            Bound::Scope(Grantor::Operator)
        } else if app_says {
            Bound::Scope(Grantor::Application)
        } else if says(&verdict.scope) || account.is_some_and(|account| says(&account.scope)) {
            Bound::Scope(Grantor::Credential)
        } else {
            Bound::Limits
        }
    }

    /// Whether one name more may be looked up for an account.
    pub(super) fn may_look_up(&self, account: &AccountId) -> Result<(), RefuseReason> {
        let limits = &self.config.limits;
        let of_account = self.accounts.get(account).map_or(0, |account| account.lookups);
        if of_account >= limits.lookups_per_account {
            return Err(RefuseReason::TooManyLookups(of_account));
        }
        if self.lookups >= limits.lookups {
            return Err(RefuseReason::LookupOverload(self.lookups));
        }
        Ok(())
    }

    /// An opening of an account asks for a name from now on, or no longer does.
    pub(super) fn count_lookup(&mut self, account: &AccountId, asks: bool) {
        let of_account = self.accounts.get_mut(account).map(|account| &mut account.lookups);
        for count in of_account.into_iter().chain([&mut self.lookups]) {
            *count = if asks { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    /// An account has one tunnel less.
    pub(super) fn leave(&mut self, account: &AccountId) {
        let Some(state) = self.accounts.get_mut(account) else { return };
        state.tunnels = state.tunnels.saturating_sub(1);
        if state.tunnels == 0 {
            self.rest(account);
        }
    }

    /// The civil clock was set: what is remembered until a civil moment is remembered until then.
    pub(super) fn rest_anew(&mut self) {
        let resting: Vec<_> =
            self.accounts.iter().filter(|(_, account)| account.tunnels == 0).map(|(id, _)| *id).collect();
        for id in resting {
            self.rest(&id);
        }
    }

    /// Keeps an account without tunnels for as long as it matters, and as long as there is room.
    fn rest(&mut self, id: &AccountId) {
        let Some(account) = self.accounts.get(id) else { return };
        match account.rests_until(self.now, &self.clock, self.config.rules.leeway) {
            Some(until) => self.resting.set(*id, Some(until)),
            None => {
                self.resting.set(*id, None);
                self.accounts.remove(id);
            }
        }
        while self.resting.len() > self.config.limits.accounts
            && let Some(soonest) = self.resting.pop_due(Instant::from_nanos(u64::MAX))
        {
            self.accounts.remove(&soonest);
        }
    }

    /// A good credential was shown: the tunnels of its account go on with it if it is good for longer than theirs.
    pub(super) fn show(&mut self, verdict: &Arc<Verdict>, scope: &Arc<Scope>) {
        if let Some(account) = self.accounts.get_mut(&verdict.account)
            && (expiry(verdict) > expiry(&account.credential) || self.revocations.hold(&account.credential))
        {
            account.credential = Arc::clone(verdict);
            account.scope = Arc::clone(scope);
        }
    }
}

/// A verdict that names no end is good for ever.
pub(super) fn expiry(verdict: &Verdict) -> UnixTime {
    verdict.claims.expires.unwrap_or(FOR_EVER)
}

const FOR_EVER: UnixTime = UnixTime::from_millis(u64::MAX);
