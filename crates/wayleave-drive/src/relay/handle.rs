//! How an operator speaks to a relay that serves, as one, on however many machines it does.

use core::fmt;
use std::sync::{Arc, MutexGuard};

use super::{Common, Core, Machine, State, Whole, lock};
use crate::Runtime;
use wayleave_proto::auth::{Keys, Revoked, TokenError, Verdict};
use wayleave_proto::base::Instant;
use wayleave_proto::relay::{OpenConnection, OpenTunnel, Stats, TooManyRevocations, TunnelId};

/// A way to speak to a relay while it serves.
pub struct RelayHandle<R: Runtime>(pub(super) Arc<Whole<R>>);

impl<R: Runtime> RelayHandle<R> {
    /// Stops listening and lets what is open finish.
    pub fn drain(&self) {
        self.stop(Machine::drain);
    }

    /// Ends everything at once.
    pub fn close(&self) {
        self.stop(Machine::close);
    }

    /// Takes other keys into force, with what they say of applications and revocations: for every request from now on, and
    /// for what is open. Tunnels whose credential is revoked end at once.
    pub fn renew_keys(&self, keys: Keys) {
        self.tell(|machine, now| machine.renew_keys(now, keys.clone()));
    }

    /// Refuses `revoked` for as long as the relay runs, and ends what it has open at once; the answer is how much that was.
    ///
    /// # Errors
    /// There are as many revocations as the limits allow.
    pub fn revoke(&self, revoked: Revoked) -> Result<usize, TooManyRevocations> {
        self.tell(|machine, now| machine.revoke(now, revoked.clone())).into_iter().sum()
    }

    /// Answers [`What::Verify`](wayleave_proto::relay::What::Verify) about `tunnel`: who the client is, or why it is nobody.
    ///
    /// It can be called at once or later, from anywhere.
    pub fn verified(&self, tunnel: TunnelId, answer: Result<Verdict, TokenError>) {
        let shard = tunnel.shard(self.0.machines.len());
        if let Some(mut state) = self.0.lock(shard) {
            state.tell(|machine, now| machine.handle_verified(now, tunnel, answer));
        }
    }

    /// What the relay has counted, and what it has open.
    pub fn stats(&self) -> Stats {
        self.look(Machine::stats).into_iter().fold(Stats::default(), Stats::with)
    }

    /// Whether the relay takes connections, as far as can be told: it does not drain, and no listener of it has failed for five
    /// seconds.
    pub fn is_accepting(&self) -> bool {
        self.0.machines.iter().all(|machine| {
            let driver = &lock(machine).driver;
            driver.machine.is_accepting(driver.runtime.now())
        })
    }

    /// The connections that are open, but no more than `most` of them.
    pub fn connections(&self, most: usize) -> Vec<OpenConnection> {
        self.list(most, |machine, now, most, list| list.extend(machine.connections(now).take(most)))
    }

    /// The tunnels that are open or on their way, but no more than `most` of them.
    pub fn tunnels(&self, most: usize) -> Vec<OpenTunnel> {
        self.list(most, |machine, now, most, list| list.extend(machine.tunnels(now).take(most)))
    }

    /// What `add` adds for each machine, which is told how many are still wanted.
    fn list<T>(&self, most: usize, add: impl Fn(&Machine, Instant, usize, &mut Vec<T>)) -> Vec<T> {
        let mut list = Vec::new();
        for machine in &self.0.machines {
            let driver = &lock(machine).driver;
            add(&driver.machine, driver.runtime.now(), most.saturating_sub(list.len()), &mut list);
        }
        list
    }

    /// Looks at each machine, for what no other method tells of it.
    pub fn look<T>(&self, look: impl FnMut(&Core<Common>) -> T) -> Vec<T> {
        let mut look = look;
        self.0.machines.iter().map(|machine| look(&lock(machine).driver.machine)).collect()
    }

    fn stop(&self, mut stop: impl FnMut(&mut Machine, Instant)) {
        let mut all = self.0.lock_all();
        for state in &mut all {
            state.stopping = true;
            state.tell(&mut stop);
        }
    }

    /// Tells every machine something, at one moment for all of them.
    fn tell<T>(&self, mut tell: impl FnMut(&mut Machine, Instant) -> T) -> Vec<T> {
        self.0.lock_all().iter_mut().map(|state| state.tell(&mut tell)).collect()
    }
}

impl<R: Runtime> Clone for RelayHandle<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime> fmt::Debug for RelayHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayHandle").finish_non_exhaustive()
    }
}

impl<R: Runtime> Whole<R> {
    /// All machines; always in the same order, so that nobody waits for somebody who waits for him.
    fn lock_all(&self) -> Vec<MutexGuard<'_, State<R>>> {
        self.machines.iter().map(lock).collect()
    }
}

impl<R: Runtime> State<R> {
    /// Tells the machine something, and lets its task do what it asks for then.
    fn tell<T>(&mut self, tell: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let now = self.driver.runtime.now();
        let answer = tell(&mut self.driver.machine, now);
        self.driver.ready.wake();
        answer
    }
}
