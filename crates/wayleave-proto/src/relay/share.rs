//! What one machine of a relay has of an account: its tunnels there, and what they may forward without asking.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::ledger::{Debt, Full, Ledger, Lent, Returned, Standing};
use super::meter::{Direction, Metered};
use super::{Bound, RefuseReason, Relay};
use crate::auth::{AccountId, Verdict};
use crate::base::{Instant, UnixTime};
use crate::config::Verifier;
use crate::policy::{Grantor, OnExpiry, Rates, Scope};

/// The shares of a machine.
pub(super) type Shares = BTreeMap<AccountId, Share>;

/// One machine's part of an account.
#[derive(Debug)]
pub(super) struct Share {
    id: AccountId,
    tunnels: usize,
    /// What counts for the account, as far as this machine has heard.
    pub(super) credential: Arc<Verdict>,
    pub(super) scope: Arc<Scope>,
    /// All that it may move has been moved.
    is_spent: bool,
    to_target: Purse,
    to_client: Purse,
    /// Bytes of the volume that were lent and not moved yet.
    volume: u64,
    /// Bytes that moved while no volume bounds them, and that the books do not know of.
    untold: u64,
}

/// What was lent of the rates in one direction.
#[derive(Debug, Default)]
struct Purse {
    metered: Metered,
    /// Until then nothing more should be forwarded, as far as is known.
    over_until: Option<Instant>,
}

impl Share {
    fn new(id: AccountId, standing: Standing) -> Self {
        let Standing { credential, scope, is_spent } = standing;
        let (to_target, to_client) = (Purse::default(), Purse::default());
        Self { id, tunnels: 0, credential, scope, is_spent, to_target, to_client, volume: 0, untold: 0 }
    }

    fn renew(&mut self, Standing { credential, scope, is_spent }: Standing) {
        (self.credential, self.scope) = (credential, scope);
        self.is_spent = is_spent && self.volume == 0;
    }

    fn way(&mut self, direction: Direction) -> (&mut Purse, &Rates) {
        match direction {
            Direction::ToClient => (&mut self.to_client, &self.scope.to_client),
            Direction::ToTarget => (&mut self.to_target, &self.scope.to_target),
        }
    }

    /// Whether a datagram may not go that way now: a rate is exceeded, or the volume.
    pub(super) fn is_over(&self, now: Instant, direction: Direction) -> bool {
        let purse = match direction {
            Direction::ToClient => &self.to_client,
            Direction::ToTarget => &self.to_target,
        };
        self.is_spent || purse.over_until.is_some_and(|until| until > now)
    }

    /// Counts what was forwarded, and says until when nothing more should be where that was too much. The books are asked
    /// where it is more than what was lent, and never where no limit is for it.
    pub(super) fn charge<L: Ledger>(
        &mut self,
        ledger: &mut L,
        now: Instant,
        direction: Direction,
        packets: u64,
        bytes: u64,
    ) -> Option<Instant> {
        let volume = match self.scope.volume {
            Some(_) => draw(&mut self.volume, bytes),
            None => {
                self.untold = self.untold.saturating_add(bytes);
                0
            }
        };
        let (purse, rates) = self.way(direction);
        let due = |rate: Option<u64>, purse: &mut u64, amount| rate.map_or(0, |_| draw(purse, amount));
        let bits = due(rates.bits_per_second, &mut purse.metered.bits, bytes.saturating_mul(8));
        let packets = due(rates.packets_per_second, &mut purse.metered.packets, packets);
        if (bits, packets, volume) == (0, 0, 0) {
            return None;
        }
        let debt = Debt { metered: Metered { bits, packets }, volume };
        let id = self.id;
        let Lent { metered, volume, until, is_spent } =
            ledger.write(|books| books.charge(now, &id, direction, &debt));
        let (purse, _) = self.way(direction);
        purse.metered.bits += metered.bits;
        purse.metered.packets += metered.packets;
        purse.over_until = until;
        self.volume += volume;
        self.is_spent = is_spent && self.volume == 0;
        until
    }

    /// Whether all that it may move has been moved.
    pub(super) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// When its tunnels end because the credential has expired; `None` where they stay.
    pub(super) fn ends_at(&self, leeway: Duration) -> Option<UnixTime> {
        match self.scope.on_expiry.unwrap_or_default() {
            OnExpiry::Keep | OnExpiry::RefuseNew => None,
            OnExpiry::CloseAfter(grace) => Some(self.credential.claims.expires?.after(leeway + grace)),
        }
    }

    fn returned(&self) -> Returned {
        Returned {
            to_target: self.to_target.metered,
            to_client: self.to_client.metered,
            volume: self.volume,
            untold: self.untold,
        }
    }
}

/// Takes `amount` from a purse, and says how much was missing.
fn draw(purse: &mut u64, amount: u64) -> u64 {
    let paid = amount.min(*purse);
    *purse -= paid;
    amount - paid
}

impl<L: Ledger> Relay<L> {
    /// An account wants one tunnel more, by the credential of `verdict`.
    pub(super) fn join(&mut self, verdict: &Arc<Verdict>, scope: &Arc<Scope>) -> Result<(), RefuseReason> {
        let id = verdict.account;
        let untold = self.shares.get_mut(&id).map_or(0, |share| core::mem::take(&mut share.untold));
        let place = (self.now, &self.clock, self.shard);
        let (standing, joined) = self.ledger.write(|books| books.join(place, (verdict, scope), untold));
        let whose_scope = Arc::clone(&standing.scope);
        if let Some(share) = self.shares.get_mut(&id) {
            share.renew(standing);
            share.tunnels += usize::from(joined.is_ok());
        } else if joined.is_ok() {
            let share = Share { tunnels: 1, ..Share::new(id, standing) };
            self.shares.insert(id, share);
        }
        joined.map_err(|full| match full {
            Full::Volume { most } => RefuseReason::VolumeSpent {
                most,
                whose: self.whose(verdict, &whose_scope, |scope| scope.volume == Some(most)),
            },
            Full::Tunnels { most, asks } => {
                if asks {
                    self.ask_clients(&id);
                }
                let has =
                    |scope: &Scope| scope.tunnels.is_some_and(|tunnels| usize::try_from(tunnels) == Ok(most));
                RefuseReason::TooManyTunnels { most, whose: self.whose(verdict, &whose_scope, has) }
            }
        })
    }

    /// Whose word a bound is: that of the first whose scope `says` it.
    fn whose(&self, verdict: &Verdict, of_account: &Scope, says: impl Fn(&Scope) -> bool) -> Bound {
        let app_says = match &self.verifier {
            Verifier::Embedder => false,
            Verifier::Keys(keys) => says(&keys.scope(verdict.claims.app_id.as_ref())),
        };
        if says(&self.config.scope) {
            Bound::Scope(Grantor::Operator)
        } else if app_says {
            Bound::Scope(Grantor::Application)
        } else if says(&verdict.scope) || says(of_account) {
            Bound::Scope(Grantor::Credential)
        } else {
            Bound::Limits
        }
    }

    /// An account has one tunnel less.
    pub(super) fn leave(&mut self, id: &AccountId) {
        let Some(share) = self.shares.get_mut(id) else { return };
        share.tunnels = share.tunnels.saturating_sub(1);
        let last = (share.tunnels == 0).then(|| share.returned());
        if last.is_some() {
            self.shares.remove(id);
        }
        let place = (self.now, &self.clock, self.shard);
        self.ledger.write(|books| books.leave(place, id, last.as_ref()));
    }

    /// A good credential was shown: the tunnels of its account go on with it if it is good for longer than theirs.
    pub(super) fn show(&mut self, verdict: &Arc<Verdict>, scope: &Arc<Scope>) {
        let shard = self.shard;
        self.ledger.write(|books| books.show(shard, verdict, scope));
        self.renew_share(&verdict.account);
    }

    /// Lets the tunnels of an account go by what counts for it now.
    pub(super) fn renew_share(&mut self, id: &AccountId) {
        let Some(share) = self.shares.get_mut(id) else { return };
        let (now, untold) = (self.now, core::mem::take(&mut share.untold));
        let Some((standing, to_target, to_client)) = self.ledger.write(|books| {
            let standing = books.standing(id, untold)?;
            let over = |direction| books.over_until(now, id, direction);
            Some((standing, over(Direction::ToTarget), over(Direction::ToClient)))
        }) else {
            return;
        };
        share.renew(standing);
        (share.to_target.over_until, share.to_client.over_until) = (to_target, to_client);
    }
}

/// A verdict that names no end is good for ever.
pub(super) fn expiry(verdict: &Verdict) -> UnixTime {
    verdict.claims.expires.unwrap_or(FOR_EVER)
}

pub(super) const FOR_EVER: UnixTime = UnixTime::from_millis(u64::MAX);
