//! From one or several targets to one open socket: look up, judge, race.

mod fault;

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::{Ipv6Evidence, Race, Remote, Requests, Resolution, SocketId, interleave};
use crate::base::{Families, Host, Instant, Kind, Name, Target};
use crate::error::{IoFailed, IoFailure};

pub use fault::Fault;

/// One search for an open socket.
///
/// The targets are tried in their order: each is looked up when its turn has come, its addresses are attempted at
/// staggered times (RFC 8305 §5), and the next target joins the race one stagger after the last attempt or look-up of the
/// one before it began, or at once when nothing is left to wait for. Which attempt *wins* is the owner's to say: for a
/// target a TCP connection is enough, for a proxy TLS has to stand too.
///
/// A name whose addresses the owner knows is not waited for: they are attempted at once, and it is looked up beside them, or
/// behind them in the same race, as the owner wants it.
pub struct Dial {
    kind: Kind,
    config: DialConfig,
    targets: SmallVec<[Candidate; 1]>,
    /// What joins the race next.
    steps: VecDeque<Step>,
    lookups: SmallVec<[Lookup; 1]>,
    race: Race<(usize, SocketAddr)>,
    attempts: SmallVec<[Attempt; 2]>,
    last_start: Instant,
    /// An attempt over IPv6 failed.
    v6_failed: bool,
    faults: SmallVec<[(usize, Fault); 1]>,
}

/// What may join the race.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A look-up of a target some of whose addresses are attempted already.
    Ask(usize),
    /// A target.
    Target(usize),
}

/// A look-up under way.
struct Lookup {
    id: SocketId,
    target: usize,
    deadline: Instant,
    resolution: Resolution,
}

/// The times of a [`Dial`].
#[derive(Clone, Copy, Debug)]
pub struct DialConfig {
    /// Between the starts of two attempts.
    pub stagger: Duration,
    /// For one look-up or one attempt, TLS included.
    pub timeout: Duration,
    /// Whether a datagram that is too large for the path may be cut into fragments.
    pub fragments: bool,
}

struct Candidate {
    target: Target,
    /// Addresses that were judged already.
    seen: SmallVec<[IpAddr; 2]>,
    /// Addresses that have not failed yet.
    left: usize,
    /// Why the last address could not be reached.
    fault: Option<Fault>,
}

/// One running attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Its socket.
    pub socket: SocketId,
    /// Which of the targets it is for.
    pub target: usize,
    /// Where it goes.
    pub address: SocketAddr,
    /// When it began.
    pub began: Instant,
}

impl Dial {
    /// A search among `targets` for a TCP connection or a connected UDP socket.
    pub fn new(
        kind: Kind,
        targets: impl IntoIterator<Item = Target>,
        config: DialConfig,
        now: Instant,
    ) -> Self {
        let new = |target| Candidate { target, seen: SmallVec::new(), left: 0, fault: None };
        let targets: SmallVec<[Candidate; 1]> = targets.into_iter().map(new).collect();
        Self {
            kind,
            config,
            steps: (0..targets.len()).map(Step::Target).collect(),
            targets,
            lookups: SmallVec::new(),
            race: Race::new(config.stagger),
            attempts: SmallVec::new(),
            last_start: now,
            v6_failed: false,
            faults: SmallVec::new(),
        }
    }

    /// Does what the moment asks for: the next look-up, the next attempt, the end of one that took too long.
    ///
    /// To be called after [`Self::new`], after every other input, and at [`Self::poll_timeout`].
    pub fn advance<R: Copy, E>(
        &mut self,
        now: Instant,
        requests: &mut Requests<R, E>,
        role: R,
        judge: &mut dyn Judge,
    ) {
        self.expire(now, requests);
        self.collect(now, requests, judge);
        loop {
            while let Some((target, address)) = self.race.poll_start(now) {
                let socket = match self.kind {
                    Kind::Stream => requests.dial(role, address),
                    Kind::Datagram => requests.bind(role, Remote::One(address), self.config.fragments),
                };
                self.last_start = now;
                self.attempts.push(Attempt { socket, target, address, began: now });
            }
            if !self.is_turn_of_next(now) {
                return;
            }
            match self.steps.pop_front() {
                Some(Step::Ask(index)) => self.ask(now, index, requests, role, judge),
                Some(Step::Target(index)) => self.begin(now, index, requests, role, judge),
                None => return,
            }
        }
    }

    /// Lets a target join the race.
    fn begin<R: Copy, E>(
        &mut self,
        now: Instant,
        index: usize,
        requests: &mut Requests<R, E>,
        role: R,
        judge: &mut dyn Judge,
    ) {
        let Some(candidate) = self.targets.get(index) else { return };
        let known = match &candidate.target.host {
            Host::Address(address) => Some(Known { addresses: vec![*address], refresh: Refresh::Never }),
            Host::Name(name) => judge.known(name),
        };
        let Some(Known { addresses, refresh }) = known else {
            return self.ask(now, index, requests, role, judge);
        };
        match refresh {
            // The other targets are better than an answer that will hardly be another one.
            Refresh::Later => self.steps.push_back(Step::Ask(index)),
            Refresh::Never => {}
            Refresh::Now => self.ask(now, index, requests, role, judge),
        }
        self.add(now, index, &addresses, judge);
        self.settle(index);
    }

    fn ask<R: Copy, E>(
        &mut self,
        now: Instant,
        index: usize,
        requests: &mut Requests<R, E>,
        role: R,
        judge: &dyn Judge,
    ) {
        let Some(Candidate { target: Target { host: Host::Name(name), .. }, .. }) = self.targets.get(index)
        else {
            return;
        };
        let id = requests.resolve(role, name.clone());
        let resolution = Resolution::new(judge.avoids_ipv6());
        self.lookups.push(Lookup { id, target: index, deadline: now + self.config.timeout, resolution });
        self.last_start = now;
    }

    /// An answer to a look-up; follow with [`Self::advance`].
    pub fn handle_resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        if let Some(lookup) = self.lookups.iter_mut().find(|lookup| lookup.id == id) {
            lookup.resolution.handle_answer(now, families, answer);
        }
    }

    /// The name that is looked up as `id`.
    pub fn asked(&self, id: SocketId) -> Option<&Name> {
        let lookup = self.lookups.iter().find(|lookup| lookup.id == id)?;
        match &self.targets.get(lookup.target)?.target.host {
            Host::Name(name) => Some(name),
            Host::Address(_) => None,
        }
    }

    /// Whether a look-up is under way.
    pub fn is_asking(&self) -> bool {
        !self.lookups.is_empty()
    }

    /// An attempt failed, its socket already closed or about to be; follow with [`Self::advance`].
    pub fn handle_failed(&mut self, now: Instant, id: SocketId, fault: Fault) {
        let Some(place) = self.attempts.iter().position(|attempt| attempt.socket == id) else { return };
        let attempt = self.attempts.remove(place);
        self.race.handle_failed(now);
        self.v6_failed |= attempt.address.is_ipv6();
        if let Some(candidate) = self.targets.get_mut(attempt.target) {
            candidate.left = candidate.left.saturating_sub(1);
            candidate.fault = Some(fault);
        }
        self.settle(attempt.target);
    }

    /// An attempt failed, its socket already closed or about to be, and is worth another one at the same address; follow with
    /// [`Self::advance`].
    pub fn repeat(&mut self, now: Instant, id: SocketId) {
        let Some(place) = self.attempts.iter().position(|attempt| attempt.socket == id) else { return };
        let attempt = self.attempts.remove(place);
        self.race.handle_failed(now);
        if self.race.add([(attempt.target, attempt.address)]) == 0
            && let Some(candidate) = self.targets.get_mut(attempt.target)
        {
            candidate.left = candidate.left.saturating_sub(1);
            self.settle(attempt.target);
        }
    }

    /// The running attempt on socket `id`.
    pub fn attempt(&self, id: SocketId) -> Option<Attempt> {
        self.attempts.iter().find(|attempt| attempt.socket == id).copied()
    }

    /// What the race says of IPv6, now that `winner` stands.
    pub fn ipv6(&self, winner: SocketId) -> Option<Ipv6Evidence> {
        let winner = self.attempt(winner)?;
        let had_its_chance =
            |it: &Attempt| it.address.is_ipv6() && it.began + self.config.stagger <= winner.began;
        if winner.address.is_ipv6() {
            return Some(Ipv6Evidence::Reached);
        }
        let is_lost = self.v6_failed || self.attempts.iter().any(had_its_chance);
        is_lost.then_some(Ipv6Evidence::Lost)
    }

    /// Ends the search: every socket and look-up but that of the winner is closed.
    pub fn end<R: Copy, E>(&mut self, requests: &mut Requests<R, E>, winner: Option<SocketId>) {
        for lookup in self.lookups.drain(..) {
            requests.close(lookup.id, false);
        }
        for attempt in self.attempts.drain(..) {
            if Some(attempt.socket) != winner {
                requests.close(attempt.socket, false);
            }
        }
        self.steps.clear();
        self.race = Race::new(self.config.stagger);
    }

    /// Lets go of a look-up, so that it outlives the search; its id and the name that it is for.
    pub fn release_lookup(&mut self) -> Option<(SocketId, Name)> {
        let lookup = self.lookups.pop()?;
        match &self.targets.get(lookup.target)?.target.host {
            Host::Name(name) => Some((lookup.id, name.clone())),
            Host::Address(_) => None,
        }
    }

    /// Whether every target has failed.
    pub fn is_exhausted(&self) -> bool {
        self.lookups.is_empty() && self.steps.is_empty() && self.race.is_exhausted()
    }

    /// What each failed target said, in the order of their failing. A target with several addresses counts once, with
    /// the failure of the last.
    pub fn faults(&self) -> &[(usize, Fault)] {
        &self.faults
    }

    /// The target at `index`.
    pub fn target(&self, index: usize) -> Option<&Target> {
        self.targets.get(index).map(|candidate| &candidate.target)
    }

    /// When to call [`Self::advance`] if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let attempts = self.attempts.iter().map(|attempt| attempt.began + self.config.timeout);
        let lookups = self.lookups.iter().map(|lookup| lookup.deadline);
        let held = self.lookups.iter().filter_map(|lookup| lookup.resolution.poll_timeout());
        let joins = !self.steps.is_empty() && self.race.waiting() == 0;
        let next = joins.then_some(self.last_start + self.config.stagger);
        attempts.chain(lookups).chain(held).chain(next).chain(self.race.poll_timeout()).min()
    }

    fn is_turn_of_next(&self, now: Instant) -> bool {
        let is_idle = self.race.running() == 0 && self.lookups.is_empty();
        self.race.waiting() == 0 && (is_idle || now >= self.last_start + self.config.stagger)
    }

    /// Lets the addresses that the look-ups have brought join the race, and ends those that are answered.
    fn collect<R: Copy, E>(&mut self, now: Instant, requests: &mut Requests<R, E>, judge: &mut dyn Judge) {
        let mut place = 0;
        while let Some(lookup) = self.lookups.get_mut(place) {
            let (index, addresses) = (lookup.target, lookup.resolution.poll_addresses(now));
            if !addresses.is_empty() {
                self.add(now, index, &addresses, judge);
            }
            let is_over = |lookup: &Lookup| lookup.resolution.is_over();
            if self.lookups.get(place).is_some_and(is_over) {
                let lookup = self.lookups.remove(place);
                if lookup.resolution.is_cut_short() {
                    requests.close(lookup.id, false);
                } else {
                    requests.forget(lookup.id);
                }
                self.end_lookup(&lookup);
            } else {
                place += 1;
            }
        }
    }

    /// A look-up has ended. What it failed with counts where no address is left to say more.
    fn end_lookup(&mut self, lookup: &Lookup) {
        if let Some(candidate) = self.targets.get_mut(lookup.target)
            && let Some(failure) = lookup.resolution.failure()
            && candidate.fault.is_none()
        {
            candidate.fault = Some(failure.into());
        }
        self.settle(lookup.target);
    }

    fn add(&mut self, now: Instant, index: usize, addresses: &[IpAddr], judge: &mut dyn Judge) {
        let v4_first = judge.avoids_ipv6();
        let Some(candidate) = self.targets.get_mut(index) else { return };
        let mut allowed: SmallVec<[(usize, SocketAddr); 4]> = SmallVec::new();
        for address in interleave(addresses, v4_first) {
            if candidate.seen.contains(&address) || candidate.seen.len() >= SEEN_MOST {
                continue;
            }
            candidate.seen.push(address);
            let address = candidate.target.at(address);
            match judge.judge(address) {
                Ok(()) => allowed.push((index, address)),
                Err(fault) => candidate.fault = Some(fault),
            }
        }
        candidate.left += self.race.add(allowed);
        // The stagger to the next target counts from here, also when the first attempt has to wait its turn.
        self.last_start = now;
    }

    /// Says that a target has failed, once nothing of it is left to wait for.
    fn settle(&mut self, index: usize) {
        let asks = self.lookups.iter().any(|lookup| lookup.target == index)
            || self.steps.iter().any(|step| matches!(step, Step::Ask(asked) if *asked == index));
        if let Some(candidate) = self.targets.get_mut(index).filter(|it| it.left == 0 && !asks) {
            let fault = candidate.fault.take();
            self.fault(index, fault.unwrap_or_else(|| IoFailed::new(IoFailure::NameEmpty).into()));
        }
    }

    fn expire<R: Copy, E>(&mut self, now: Instant, requests: &mut Requests<R, E>) {
        while let Some(place) = self.lookups.iter().position(|lookup| lookup.deadline <= now) {
            let lookup = self.lookups.remove(place);
            requests.close(lookup.id, false);
            self.end_lookup(&lookup);
        }
        while let Some(late) = self.attempts.iter().find(|it| it.began + self.config.timeout <= now).copied()
        {
            requests.close(late.socket, true);
            self.handle_failed(now, late.socket, IoFailed::new(IoFailure::TimedOut).into());
        }
    }

    fn fault(&mut self, index: usize, fault: Fault) {
        self.faults.push((index, fault));
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("attempts", &self.attempts)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// What a [`Dial`] asks its owner.
pub trait Judge {
    /// Where a name leads, as far as the owner knows without a look-up.
    fn known(&self, name: &Name) -> Option<Known>;

    /// Whether IPv4 is to be tried before IPv6, because IPv6 does not work here.
    fn avoids_ipv6(&self) -> bool {
        false
    }

    /// Whether `address` may be dialled. Asked once for every address, after the look-up, before the attempt.
    ///
    /// # Errors
    /// The fault to report when no address of the target is allowed.
    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault>;
}

/// Where a name leads, known without a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The addresses, in the order in which they are to be tried.
    pub addresses: Vec<IpAddr>,
    /// Whether it is looked up all the same.
    pub refresh: Refresh,
}

/// When a name whose addresses are known is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Where none of them has won, and every other target has had its turn.
    Later,
    /// Not at all.
    Never,
    /// At once, beside the attempts.
    Now,
}

/// Addresses of one target that are considered at all, over all answers.
const SEEN_MOST: usize = 32;
