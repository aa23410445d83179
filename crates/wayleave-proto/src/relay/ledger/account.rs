//! What one user of one application has open on all machines of a relay, by which credential, and how much of it is used.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Books, News, Shards};
use crate::auth::{AccountId, Verdict};
use crate::base::{Clock, Instant};
use crate::config::Canary;
use crate::policy::Scope;
use crate::relay::RefuseReason;
use crate::relay::liveness::ASKED;
use crate::relay::meter::{Direction, Meter, Metered};
use crate::relay::share::{FOR_EVER, expiry};

/// What one user of one application has open.
///
/// Its credential is the one that is good for longest of those it showed: that one's scope and expiry count for all its
/// tunnels, so that a renewal on any connection reaches every tunnel, and an older token never widens a newer one.
#[derive(Debug)]
pub(super) struct Account {
    tunnels: usize,
    /// The machines that have its tunnels.
    shards: Shards,
    /// Names that are being looked up for it.
    lookups: usize,
    /// Its clients are not asked again before then whether they are there.
    asked: Instant,
    to_target: Meter,
    to_client: Meter,
    /// Bytes of payload, both ways together, with those that are lent.
    volume: u64,
    credential: Arc<Verdict>,
    /// What the operator and the credential allow together.
    scope: Arc<Scope>,
}

/// What counts for an account now.
#[derive(Clone, Debug)]
pub(in crate::relay) struct Standing {
    pub(in crate::relay) credential: Arc<Verdict>,
    pub(in crate::relay) scope: Arc<Scope>,
    /// All that it may move has been moved or lent.
    pub(in crate::relay) is_spent: bool,
}

/// Why an account gets no further tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum Full {
    /// It has as many. Its clients `asks` whether they are there is due.
    Tunnels { most: usize, asks: bool },
    /// It has moved as much as it may.
    Volume { most: u64 },
}

/// What a machine has forwarded for an account beyond what was lent to it for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::relay) struct Debt {
    pub(in crate::relay) metered: Metered,
    pub(in crate::relay) volume: u64,
}

/// What a machine may forward for an account before it asks again, beside what it has forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::relay) struct Lent {
    pub(in crate::relay) metered: Metered,
    pub(in crate::relay) volume: u64,
    /// Until when nothing more should be forwarded.
    pub(in crate::relay) until: Option<Instant>,
    /// All that the account may move has been moved or lent.
    pub(in crate::relay) is_spent: bool,
}

impl Account {
    fn new(credential: Arc<Verdict>, scope: Arc<Scope>) -> Self {
        let (to_target, to_client) = (Meter::default(), Meter::default());
        Self {
            tunnels: 0,
            shards: Shards::default(),
            lookups: 0,
            asked: Instant::ZERO,
            to_target,
            to_client,
            volume: 0,
            credential,
            scope,
        }
    }

    fn standing(&self) -> Standing {
        let (credential, scope) = (Arc::clone(&self.credential), Arc::clone(&self.scope));
        Standing { credential, scope, is_spent: self.is_spent() }
    }

    fn is_spent(&self) -> bool {
        self.scope.volume.is_some_and(|most| self.volume >= most)
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

/// Tunnels.
impl Books {
    /// An account wants one tunnel more on a machine, by the credential of `verdict`; `untold` bytes it has moved there before.
    pub(in crate::relay) fn join(
        &mut self,
        (now, clock, shard): (Instant, &Clock, usize),
        (verdict, scope): (&Arc<Verdict>, &Arc<Scope>),
        untold: u64,
    ) -> (Standing, Result<(), Full>) {
        while let Some(forgotten) = self.resting.pop_due(now) {
            self.accounts.remove(&forgotten);
        }
        self.show(shard, verdict, scope);
        let per_machine = self.config.breaks(Canary::LimitPerMachine);
        let times = if per_machine { self.machines() } else { 1 };
        let most = self.config.limits.tunnels_per_account;
        let account = self
            .accounts
            .entry(verdict.account)
            .or_insert_with(|| Account::new(Arc::clone(verdict), Arc::clone(scope)));
        account.volume = account.volume.saturating_add(untold);
        let allowed = [scope.tunnels, account.scope.tunnels].into_iter().flatten().min();
        let most = most.min(allowed.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)));
        let volume = [scope.volume, account.scope.volume].into_iter().flatten().min();
        let full = if account.tunnels >= most.saturating_mul(times) {
            let asks = account.asked <= now;
            if asks {
                account.asked = now + ASKED;
                self.mail.send(News::Full(verdict.account), shard, account.shards);
            }
            Some(Full::Tunnels { most, asks })
        } else {
            volume.filter(|most| account.volume >= *most).map(|most| Full::Volume { most })
        };
        let standing = account.standing();
        let Some(full) = full else {
            account.tunnels += 1;
            account.shards.insert(shard);
            self.resting.set(verdict.account, None);
            return (standing, Ok(()));
        };
        if account.tunnels == 0 {
            self.rest(&verdict.account, now, clock);
        }
        (standing, Err(full))
    }

    /// An account has one tunnel less on a machine. With its last there comes back what was lent to it and not used.
    pub(in crate::relay) fn leave(
        &mut self,
        (now, clock, shard): (Instant, &Clock, usize),
        id: &AccountId,
        last: Option<&Returned>,
    ) {
        let Some(account) = self.accounts.get_mut(id) else { return };
        account.tunnels = account.tunnels.saturating_sub(1);
        if let Some(Returned { to_target, to_client, volume, untold }) = last {
            account.shards.remove(shard);
            account.to_target.give_back(&account.scope.to_target, to_target);
            account.to_client.give_back(&account.scope.to_client, to_client);
            account.volume = account.volume.saturating_sub(*volume).saturating_add(*untold);
        }
        if account.tunnels == 0 {
            self.rest(id, now, clock);
        }
    }

    /// Counts a name that is looked up for an account.
    ///
    /// # Errors
    /// As many are looked up for it, or for all, as may.
    pub(in crate::relay) fn begin_lookup(&mut self, id: &AccountId) -> Result<(), RefuseReason> {
        let limits = &self.config.limits;
        let mut of_account = self.accounts.get_mut(id).map(|account| &mut account.lookups);
        let count = of_account.as_ref().map_or(0, |count| **count);
        if count >= limits.lookups_per_account {
            return Err(RefuseReason::TooManyLookups(count));
        }
        if self.lookups >= limits.lookups {
            return Err(RefuseReason::LookupOverload(self.lookups));
        }
        self.lookups += 1;
        if let Some(count) = &mut of_account {
            **count += 1;
        }
        Ok(())
    }

    /// An opening of an account asks for a name from now on, or no longer does.
    pub(in crate::relay) fn count_lookup(&mut self, id: &AccountId, asks: bool) {
        let of_account = self.accounts.get_mut(id).map(|account| &mut account.lookups);
        for count in of_account.into_iter().chain([&mut self.lookups]) {
            *count = if asks { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    /// The civil clock was set: what is remembered until a civil moment is remembered until then.
    pub(in crate::relay) fn rest_anew(&mut self, now: Instant, clock: &Clock) {
        let resting: Vec<_> =
            self.accounts.iter().filter(|(_, account)| account.tunnels == 0).map(|(id, _)| *id).collect();
        for id in resting {
            self.rest(&id, now, clock);
        }
    }

    /// Keeps an account without tunnels for as long as it matters, and as long as there is room.
    fn rest(&mut self, id: &AccountId, now: Instant, clock: &Clock) {
        let Some(account) = self.accounts.get(id) else { return };
        match account.rests_until(now, clock, self.config.rules.leeway) {
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
}

/// What comes back with the last tunnel of an account on a machine.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::relay) struct Returned {
    pub(in crate::relay) to_target: Metered,
    pub(in crate::relay) to_client: Metered,
    pub(in crate::relay) volume: u64,
    /// Bytes that were moved and not counted.
    pub(in crate::relay) untold: u64,
}

/// Credentials, rates and volumes.
impl Books {
    /// A good credential was shown on a machine: the tunnels of its account go on with it if it is good for longer than theirs.
    pub(in crate::relay) fn show(&mut self, shard: usize, verdict: &Arc<Verdict>, scope: &Arc<Scope>) {
        let Some(account) = self.accounts.get_mut(&verdict.account) else { return };
        if expiry(verdict) > expiry(&account.credential) || self.revocations.hold(&account.credential) {
            account.credential = Arc::clone(verdict);
            account.scope = Arc::clone(scope);
            self.mail.send(News::Renewed(verdict.account), shard, account.shards);
        }
    }

    /// What counts for an account now; `untold` bytes it has moved that were not counted.
    pub(in crate::relay) fn standing(&mut self, id: &AccountId, untold: u64) -> Option<Standing> {
        let account = self.accounts.get_mut(id)?;
        account.volume = account.volume.saturating_add(untold);
        Some(account.standing())
    }

    /// Lets every account, open or remembered, obey other keys: `scope` says what a credential allows by them.
    pub(in crate::relay) fn rescope(&mut self, scope: impl Fn(&Verdict) -> Arc<Scope>) {
        for account in self.accounts.values_mut() {
            account.scope = scope(&account.credential);
        }
    }

    /// Counts what a machine has forwarded, and lends it a little more where the limits leave room for that and where there
    /// are other machines to ask for it.
    pub(in crate::relay) fn charge(
        &mut self,
        now: Instant,
        id: &AccountId,
        direction: Direction,
        debt: &Debt,
    ) -> Lent {
        let machines = if self.buffers.len() > 1 { self.buffers.len() as u64 } else { 0 };
        let Some(account) = self.accounts.get_mut(id) else { return Lent::default() };
        let (meter, rates) = match direction {
            Direction::ToClient => (&mut account.to_client, &account.scope.to_client),
            Direction::ToTarget => (&mut account.to_target, &account.scope.to_target),
        };
        let until = meter.charge(now, rates, &debt.metered);
        let mut lent = Lent { until, ..Lent::default() };
        account.volume = account.volume.saturating_add(debt.volume);
        if machines > 0 {
            if until.is_none() {
                lent.metered = meter.lend(now, rates, machines * PARTS);
            }
            if let Some(most) = account.scope.volume {
                let left = most.saturating_sub(account.volume);
                lent.volume = (left / (machines * PARTS)).min(MOST_LENT);
                account.volume += lent.volume;
            }
        }
        lent.is_spent = account.is_spent();
        lent
    }

    /// Until when nothing more should be forwarded for an account in that direction.
    pub(in crate::relay) fn over_until(
        &self,
        now: Instant,
        id: &AccountId,
        direction: Direction,
    ) -> Option<Instant> {
        let account = self.accounts.get(id)?;
        match direction {
            Direction::ToClient => account.to_client.over_until(now, &account.scope.to_client),
            Direction::ToTarget => account.to_target.over_until(now, &account.scope.to_target),
        }
    }

    /// What a machine has to hear.
    pub(in crate::relay) fn take_news(&mut self, shard: usize) -> BTreeSet<News> {
        self.mail.take(shard)
    }

    /// Forgets the accounts that are only remembered.
    #[cfg(test)]
    pub(in crate::relay) fn forget_resting(&mut self) {
        self.accounts.retain(|_, account| account.tunnels > 0);
    }

    /// Tunnels of all accounts, opened or on their way.
    #[cfg(test)]
    pub(in crate::relay) fn tunnels(&self) -> usize {
        self.accounts.values().map(|account| account.tunnels).sum()
    }

    /// Names of targets that are being looked up, of all accounts.
    pub(in crate::relay) const fn lookups(&self) -> usize {
        self.lookups
    }
}

/// All machines together hold at most one of so many parts of what a second allows, or of what is left of a volume.
const PARTS: u64 = 16;
/// Bytes of a volume that are lent at once.
const MOST_LENT: u64 = 1 << 20;
