//! From one or several targets to one open socket: look up, judge, race.

mod fault;

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use super::{Race, Requests, SocketId, interleave};
use crate::base::{Host, Instant, Kind, Name, Target};
use crate::error::{IoFailed, IoFailure};

pub use fault::Fault;

/// One search for an open socket.
///
/// The targets are tried in their order: each is looked up when its turn has come, its addresses are attempted at
/// staggered times (RFC 8305 §5), and the next target joins the race one stagger after the last attempt of the one
/// before it began, or at once when nothing is left to wait for. Which attempt *wins* is the owner's to say: for a
/// target a TCP connection is enough, for a proxy TLS has to stand too.
pub struct Dial {
    kind: Kind,
    config: DialConfig,
    targets: SmallVec<[Candidate; 1]>,
    /// The next target to look up.
    next: usize,
    lookup: Option<(SocketId, usize, Instant)>,
    race: Race<(usize, SocketAddr)>,
    attempts: SmallVec<[Attempt; 2]>,
    last_start: Instant,
    faults: SmallVec<[(usize, Fault); 1]>,
}

/// The times of a [`Dial`].
#[derive(Clone, Copy, Debug)]
pub struct DialConfig {
    /// Between the starts of two attempts.
    pub stagger: Duration,
    /// For one look-up or one attempt, TLS included.
    pub timeout: Duration,
}

struct Candidate {
    target: Target,
    /// Addresses that have not failed yet; `None` before the look-up.
    left: Option<usize>,
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
        Self {
            kind,
            config,
            targets: targets.into_iter().map(|target| Candidate { target, left: None }).collect(),
            next: 0,
            lookup: None,
            race: Race::new(config.stagger),
            attempts: SmallVec::new(),
            last_start: now,
            faults: SmallVec::new(),
        }
    }

    /// Does what the moment asks for: the next look-up, the next attempt, the end of one that took too long.
    ///
    /// To be called after [`Self::new`], after every other input, and at [`Self::poll_timeout`]. `known` answers for
    /// names that need no look-up.
    pub fn advance<R: Copy, E>(
        &mut self,
        now: Instant,
        requests: &mut Requests<R, E>,
        role: R,
        judge: &mut dyn Judge,
    ) {
        self.expire(now, requests);
        loop {
            while let Some((target, address)) = self.race.poll_start(now) {
                let socket = match self.kind {
                    Kind::Stream => requests.dial(role, address),
                    Kind::Datagram => requests.bind(role, address),
                };
                self.last_start = now;
                self.attempts.push(Attempt { socket, target, address, began: now });
            }
            if !self.is_turn_of_next(now) {
                return;
            }
            let index = self.next;
            self.next += 1;
            let Some(candidate) = self.targets.get(index) else { return };
            match &candidate.target.host {
                Host::Address(address) => self.add(now, index, &[*address], judge),
                Host::Name(name) => match judge.known(name) {
                    Some(addresses) => self.add(now, index, &addresses, judge),
                    None => {
                        let id = requests.resolve(role, name.clone());
                        self.lookup = Some((id, index, now + self.config.timeout));
                    }
                },
            }
        }
    }

    /// The answer to a look-up; follow with [`Self::advance`].
    pub fn handle_resolved<R: Copy, E>(
        &mut self,
        now: Instant,
        requests: &mut Requests<R, E>,
        id: SocketId,
        answer: Result<&[IpAddr], IoFailed>,
        judge: &mut dyn Judge,
    ) {
        let Some((_, index, _)) = self.lookup.take_if(|(lookup, ..)| *lookup == id) else { return };
        requests.forget(id);
        match answer {
            Ok([]) => self.fault(index, IoFailed::new(IoFailure::NameUnknown).into()),
            Ok(addresses) => self.add(now, index, addresses, judge),
            Err(error) => self.fault(index, error.into()),
        }
    }

    /// An attempt failed, its socket already closed or about to be; follow with [`Self::advance`].
    pub fn handle_failed(&mut self, now: Instant, id: SocketId, fault: Fault) {
        let Some(place) = self.attempts.iter().position(|attempt| attempt.socket == id) else { return };
        let attempt = self.attempts.remove(place);
        self.race.handle_failed(now);
        let left = self.targets.get_mut(attempt.target).and_then(|candidate| candidate.left.as_mut());
        if let Some(left) = left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.fault(attempt.target, fault);
            }
        }
    }

    /// The running attempt on socket `id`.
    pub fn attempt(&self, id: SocketId) -> Option<Attempt> {
        self.attempts.iter().find(|attempt| attempt.socket == id).copied()
    }

    /// Ends the search: every socket and look-up but that of the winner is closed.
    pub fn end<R: Copy, E>(&mut self, requests: &mut Requests<R, E>, winner: Option<SocketId>) {
        if let Some((id, ..)) = self.lookup.take() {
            requests.close(id, false);
        }
        for attempt in self.attempts.drain(..) {
            if Some(attempt.socket) != winner {
                requests.close(attempt.socket, false);
            }
        }
        self.next = self.targets.len();
        self.race = Race::new(self.config.stagger);
    }

    /// Whether every target has failed.
    pub fn is_exhausted(&self) -> bool {
        self.lookup.is_none() && self.next >= self.targets.len() && self.race.is_exhausted()
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
        let lookup = self.lookup.iter().map(|(_, _, deadline)| *deadline);
        let joins = self.lookup.is_none() && self.next < self.targets.len() && self.race.waiting() == 0;
        let next = joins.then_some(self.last_start + self.config.stagger);
        attempts.chain(lookup).chain(next).chain(self.race.poll_timeout()).min()
    }

    fn is_turn_of_next(&self, now: Instant) -> bool {
        self.lookup.is_none()
            && self.next < self.targets.len()
            && self.race.waiting() == 0
            && (self.race.running() == 0 || now >= self.last_start + self.config.stagger)
    }

    fn add(&mut self, now: Instant, index: usize, addresses: &[IpAddr], judge: &mut dyn Judge) {
        let Some(candidate) = self.targets.get_mut(index) else { return };
        let mut left = 0;
        let mut denied = None;
        for address in interleave(addresses) {
            let address = candidate.target.at(address);
            match judge.judge(address) {
                Ok(()) => {
                    if self.race.push((index, address)) {
                        left += 1;
                    }
                }
                Err(fault) => denied = Some(fault),
            }
        }
        candidate.left = Some(left);
        // The stagger to the next target counts from here, also when the first attempt has to wait its turn.
        self.last_start = now;
        if left == 0 {
            self.fault(index, denied.unwrap_or_else(|| IoFailed::new(IoFailure::NameUnknown).into()));
        }
    }

    fn expire<R: Copy, E>(&mut self, now: Instant, requests: &mut Requests<R, E>) {
        if let Some((id, index, _)) = self.lookup.take_if(|(_, _, deadline)| *deadline <= now) {
            requests.close(id, false);
            self.fault(index, IoFailed::new(IoFailure::NameUnanswered).into());
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
    /// Addresses of a name that needs no look-up.
    fn known(&self, name: &Name) -> Option<Vec<IpAddr>>;

    /// Whether `address` may be dialled. Asked for every address, after the look-up, before the attempt.
    ///
    /// # Errors
    /// The fault to report when no address of the target is allowed.
    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault>;
}

/// The judge of a client: it dials what it is told.
#[derive(Clone, Copy, Debug)]
pub struct Anywhere;

impl Judge for Anywhere {
    fn known(&self, _: &Name) -> Option<Vec<IpAddr>> {
        None
    }

    fn judge(&mut self, _: SocketAddr) -> Result<(), Fault> {
        Ok(())
    }
}
