//! What one user of one application has open, and how much of its rates is used.

use super::Relay;
use crate::auth::AccountId;
use crate::base::Instant;
use crate::config::RelayLimits;
use crate::policy::Bucket;

/// What one user of one application has open.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) tunnels: usize,
    pub(super) bytes: Bucket,
    pub(super) packets: Bucket,
}

impl Account {
    /// Whether a rate is exceeded, so that datagrams are dropped.
    pub(super) fn is_over(&self, now: Instant, limits: &RelayLimits) -> bool {
        limits.bytes.as_ref().is_some_and(|limit| self.bytes.over_until(now, limit).is_some())
            || limits.packets.as_ref().is_some_and(|limit| self.packets.over_until(now, limit).is_some())
    }

    /// Counts what was forwarded.
    pub(super) fn charge(&mut self, now: Instant, limits: &RelayLimits, packets: u64, bytes: u64) {
        if let Some(limit) = &limits.bytes {
            self.bytes.charge(now, limit, bytes);
        }
        if let Some(limit) = &limits.packets {
            self.packets.charge(now, limit, packets);
        }
    }

    /// Whether nothing is open and nothing is remembered that matters any more.
    fn is_at_rest(&self, now: Instant) -> bool {
        self.tunnels == 0 && self.bytes.is_at_rest(now) && self.packets.is_at_rest(now)
    }
}

impl Relay {
    /// An account wants one tunnel more; `false` where it has as many as it may.
    pub(super) fn join(&mut self, account: &AccountId) -> bool {
        self.forget_accounts();
        let state = self.accounts.entry(*account).or_default();
        let may = state.tunnels < self.config.limits.tunnels_per_account;
        if may {
            state.tunnels += 1;
        }
        may
    }

    /// An account has one tunnel less. It is kept while its rates are not at rest, so that reconnecting gains nothing.
    pub(super) fn leave(&mut self, account: &AccountId) {
        let Some(state) = self.accounts.get_mut(account) else { return };
        state.tunnels = state.tunnels.saturating_sub(1);
        if state.is_at_rest(self.now) {
            self.accounts.remove(account);
        }
    }

    /// Forgets accounts that came to rest after their last tunnel. The table is searched when it has doubled, so that
    /// the cost of one tunnel stays the same.
    fn forget_accounts(&mut self) {
        if self.accounts.len() < self.accounts_mark {
            return;
        }
        let now = self.now;
        self.accounts.retain(|_, account| !account.is_at_rest(now));
        self.accounts_mark = (2 * self.accounts.len()).max(LEAST_MARK);
    }
}

/// So few accounts are not worth a search.
pub(super) const LEAST_MARK: usize = 64;
