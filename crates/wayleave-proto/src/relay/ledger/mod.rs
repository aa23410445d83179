//! What a relay counts and remembers as one, on however many machines it runs.
//!
//! A relay on several cores is several machines, its shards: each has its own connections and knows nothing of the others'.
//! What they must agree on stands in [`Books`]. A machine reaches them through its [`Ledger`], which is its own where it is
//! alone, and lends them to one at a time where there are more. It asks where something begins or ends; payload goes by what
//! was lent to its [`Share`](super::share::Share) of an account.

mod account;
mod news;
mod shards;

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{RefuseReason, TooManyRevocations, TurnedAway};
use crate::auth::{AccountId, Keys, Revocations, Revoked, TokenError, TokenName, Verdict, Verdicts};
use crate::base::{Instant, Timers, UnixTime};
use crate::config::{RelayConfig, Valid, Verifier};
use crate::policy::SourceLimits;

pub(super) use account::{Debt, Full, Lent, Returned, Standing};
pub(super) use news::News;
pub use shards::Shards;

use account::Account;
use news::Mail;

/// How a machine reaches the books of its relay.
pub trait Ledger: fmt::Debug {
    /// Looks at the books.
    fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T;

    /// Writes into the books. Nobody else does at the same time.
    fn write<T>(&mut self, act: impl FnOnce(&mut Books) -> T) -> T;
}

/// A machine that is alone has the books itself.
impl Ledger for Books {
    fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(self)
    }

    fn write<T>(&mut self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(self)
    }
}

/// The limits of one relay and what they are held against: connections, accounts, credentials and memory.
///
/// All its machines have one configuration, and clocks with the same zero.
#[derive(Debug)]
pub struct Books {
    config: Valid<RelayConfig>,
    mail: Mail,
    connections: usize,
    sources: BTreeMap<IpAddr, usize>,
    failures: SourceLimits,
    verdicts: Verdicts,
    /// What is revoked, by the keys and since the start.
    revocations: Revocations,
    /// What was revoked since the start.
    revoked: Revocations,
    /// Requests that wait for the embedder's verifier.
    verifying: usize,
    /// Names that are being looked up.
    lookups: usize,
    accounts: BTreeMap<AccountId, Account>,
    /// Accounts without a tunnel, and until when each is remembered.
    resting: Timers<AccountId>,
    /// Bytes in the buffers of each machine, as it last said.
    buffers: Vec<Buffers>,
}

/// Bytes in buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffers {
    pub(super) all: usize,
    /// Those of clients who have asked for nothing yet.
    pub(super) strange: usize,
}

impl Books {
    /// Empty books for a relay of `machines` machines that follow `config`; there are at least one and at most
    /// [`Shards::MOST`].
    pub fn new(config: Valid<RelayConfig>, machines: usize) -> Self {
        let machines = machines.clamp(1, Shards::MOST);
        Self {
            mail: Mail::new(machines),
            connections: 0,
            sources: BTreeMap::new(),
            failures: SourceLimits::new(config.limits.failures, config.limits.suspects, SOURCES),
            verdicts: Verdicts::new(config.limits.verdicts),
            revocations: match &config.verifier {
                Verifier::Embedder => Revocations::default(),
                Verifier::Keys(keys) => keys.revocations().clone(),
            },
            revoked: Revocations::default(),
            verifying: 0,
            lookups: 0,
            accounts: BTreeMap::new(),
            resting: Timers::new(),
            buffers: vec![Buffers::default(); machines],
            config,
        }
    }

    /// How many machines the relay has.
    pub const fn machines(&self) -> usize {
        self.buffers.len()
    }

    /// The machines that have to hear what others did, since this was asked last: each is called by
    /// [`Relay::handle_news`](super::Relay::handle_news).
    pub fn take_called(&mut self) -> Shards {
        self.mail.take_called()
    }

    /// Accounts that have something open or are remembered.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }
}

/// Connections.
impl Books {
    /// Counts a connection of `source`, which is not known where a balancer has still to say it.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub(super) fn connect(&mut self, source: Option<IpAddr>) -> Result<(), TurnedAway> {
        let most = self.config.limits.connections;
        if self.connections >= most {
            return Err(TurnedAway::All(most));
        }
        if let Some(source) = source {
            self.connect_from(source)?;
        }
        self.connections += 1;
        Ok(())
    }

    /// Counts a connection for its source.
    ///
    /// # Errors
    /// That one has as many as it may.
    pub(super) fn connect_from(&mut self, source: IpAddr) -> Result<(), TurnedAway> {
        let most = self.config.limits.connections_per_source;
        let open = self.sources.entry(source).or_default();
        if *open >= most {
            return Err(TurnedAway::Source { address: source, most });
        }
        *open += 1;
        Ok(())
    }

    /// A connection that was counted for `source` is gone.
    pub(super) fn disconnect(&mut self, source: Option<IpAddr>) {
        self.connections = self.connections.saturating_sub(1);
        if let Some(source) = source
            && let Some(open) = self.sources.get_mut(&source)
        {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Notes what a machine has in its buffers, and says what the others have.
    pub(super) fn buffers(&mut self, shard: usize, own: Buffers) -> Buffers {
        if let Some(place) = self.buffers.get_mut(shard) {
            *place = own;
        }
        let others = self.buffers.iter().enumerate().filter(|(other, _)| *other != shard);
        others.fold(Buffers::default(), |sum, (_, of)| Buffers {
            all: sum.all.saturating_add(of.all),
            strange: sum.strange.saturating_add(of.strange),
        })
    }

    #[cfg(test)]
    pub(super) fn assert_clean(&self) {
        assert_eq!((self.connections, self.lookups, self.verifying), (0, 0, 0));
        assert!(self.sources.is_empty(), "{:?}", self.sources);
        assert!(self.accounts.is_empty(), "{:?}", self.accounts);
    }
}

/// Credentials.
impl Books {
    /// What is remembered of the token of that name; nothing where it has to be verified.
    ///
    /// Many users can share one address: who guesses there must not keep the others out. Those whose tokens are known cost
    /// nothing, and the rest are judged at a rate of their own.
    ///
    /// # Errors
    /// Too much has failed from `source`.
    pub(super) fn recall(
        &mut self,
        now: Instant,
        unix: UnixTime,
        source: IpAddr,
        token: Option<(&Keys, &TokenName)>,
    ) -> Result<Option<Result<Arc<Verdict>, TokenError>>, RefuseReason> {
        let is_known = token.is_some_and(|(keys, name)| self.verdicts.knows(keys, name));
        if !is_known && !self.failures.may_try(now, source) {
            return Err(RefuseReason::TooManyFailures(source));
        }
        Ok(token.and_then(|(keys, name)| self.verdicts.recall(keys, name, unix, &self.config.rules)))
    }

    /// Remembers a token that was found good.
    pub(super) fn remember(&mut self, keys: &Keys, name: TokenName, verdict: Arc<Verdict>, unix: UnixTime) {
        self.verdicts.remember(keys, name, verdict, unix, &self.config.rules);
    }

    /// Counts one failed authentication of `source`.
    pub(super) fn fail(&mut self, now: Instant, source: IpAddr) {
        self.failures.record_failure(now, source);
    }

    /// Counts a request that waits for the embedder's verifier.
    ///
    /// # Errors
    /// As many wait as may.
    pub(super) const fn begin_verifying(&mut self, most: usize) -> Result<(), RefuseReason> {
        if self.verifying >= most {
            return Err(RefuseReason::TooManyToVerify(most));
        }
        self.verifying += 1;
        Ok(())
    }

    /// One of them waits no longer.
    pub(super) const fn end_verifying(&mut self) {
        self.verifying = self.verifying.saturating_sub(1);
    }

    /// Whether the credential behind `verdict` is revoked.
    pub(super) fn is_revoked(&self, verdict: &Verdict) -> bool {
        self.revocations.hold(verdict)
    }

    pub(super) fn revocations(&self) -> usize {
        self.revocations.len()
    }

    /// Forgets what other keys found good; what they revoke is revoked, and what was since the start.
    pub(super) fn renew_keys(&mut self, keys: &Keys) {
        self.verdicts.clear();
        self.revocations = keys.revocations().clone();
        self.revocations.extend(self.revoked.iter().cloned());
    }

    /// Notes a revocation, for the life of the relay.
    ///
    /// # Errors
    /// There are as many as the limits allow.
    pub(super) fn revoke(&mut self, revoked: Revoked) -> Result<(), TooManyRevocations> {
        let most = self.config.limits.revocations;
        if self.revoked.len() >= most && !self.revoked.iter().any(|known| *known == revoked) {
            return Err(TooManyRevocations(most));
        }
        self.revoked.insert(revoked.clone());
        self.revocations.insert(revoked);
        Ok(())
    }
}

/// Source addresses whose failures are remembered.
const SOURCES: usize = 65_536;
