//! A relay on its host.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, UnixTime};
use wayleave_proto::config::RelayLimits;
use wayleave_proto::net::{Machine as _, SocketId};
use wayleave_proto::relay::{Event, Relay, What};

use super::build::NOBODY;
use super::driver::{Driver, Step};
use super::host::{Host, Role};
use super::liar::Liar;
use super::{Happening, World, civil};
use crate::laws::Law;
use crate::network::Answer;
use crate::stack::{Handle, Happened};

/// A relay, or what stands in its place.
#[derive(Debug)]
pub(super) struct RelayHost {
    pub(super) stand: Stand,
    /// What this relay is configured with.
    pub(super) limits: RelayLimits,
    /// It does nothing before.
    pub(super) stalled: Option<Instant>,
    /// Answers to look-ups that it is going to hear then.
    pub(super) unheard: Vec<(SocketId, Answer)>,
    /// Clients whose users it is going to be told are revoked then.
    pub(super) untold: Vec<usize>,
}

/// What listens at the address of a relay.
#[derive(Debug)]
pub(super) enum Stand {
    /// The relay.
    Runs(Box<Driver<Relay>>),
    /// Nobody.
    Crashed,
    /// Somebody who says these bytes to whoever says something, and ends.
    Says(Vec<u8>),
    /// Somebody with its certificate who serves nobody.
    Lies(Box<Liar>),
    /// Somebody who says nothing.
    Mute,
}

impl RelayHost {
    pub(super) const fn new(stand: Stand, limits: RelayLimits) -> Self {
        Self { stand, limits, stalled: None, unheard: Vec::new(), untold: Vec::new() }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.stalled.is_some() {
            return self.stalled;
        }
        match &self.stand {
            Stand::Runs(driver) => driver.machine.poll_timeout(),
            Stand::Crashed | Stand::Lies(_) | Stand::Says(_) | Stand::Mute => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.is_stalled(now) {
            return;
        }
        if let Stand::Runs(driver) = &mut self.stand {
            driver.machine.handle_timeout(now);
        }
    }

    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.stalled.is_some_and(|until| until > now)
    }

    /// Whether it is the relay that listens there.
    pub(super) const fn runs(&self) -> bool {
        matches!(self.stand, Stand::Runs(_))
    }

    pub(super) fn driver(&mut self) -> Option<&mut Driver<Relay>> {
        match &mut self.stand {
            Stand::Runs(driver) => Some(driver),
            Stand::Crashed | Stand::Lies(_) | Stand::Says(_) | Stand::Mute => None,
        }
    }
}

impl World {
    /// What came while a relay did nothing is what it hears first.
    pub(super) fn run_again(&mut self, host: usize) {
        let now = self.now;
        let Some(relay) = self.hosts[host].relay() else { return };
        relay.stalled = None;
        let (unheard, untold) = (core::mem::take(&mut relay.unheard), core::mem::take(&mut relay.untold));
        for (id, answer) in unheard {
            if let Some(driver) = relay.driver() {
                driver.resolved(now, id, answer.families, answer.lent());
            }
        }
        for client in untold {
            self.revoke(host - self.scenario.clients.len(), client);
        }
    }

    pub(super) fn settle_relay(&mut self, host: usize) {
        if self.hosts[host].relay().is_some_and(|relay| !relay.is_stalled(self.now)) {
            self.run_again(host);
        }
        let mut steps = Vec::new();
        loop {
            let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return };
            if relay.is_stalled(self.now) {
                return;
            }
            let happened = stack.poll_happened();
            match &mut relay.stand {
                Stand::Runs(driver) => {
                    let is_quiet = happened.is_none();
                    match happened {
                        Some(Happened::Accepted(handle)) => self.accept(host, handle),
                        Some(happened) => {
                            driver.happened(self.now, stack, &mut self.tape, happened, &mut steps);
                        }
                        None => {}
                    }
                    let settled = self.settle_relay_machine(host, &mut steps);
                    self.check(host, Law::Growth, settled);
                    for step in core::mem::take(&mut steps) {
                        self.on_relay_step(host, step);
                    }
                    if is_quiet {
                        break;
                    }
                }
                Stand::Says(words) => match happened {
                    Some(Happened::Readable(handle)) => {
                        if !stack.read(self.now, handle, usize::MAX).is_empty() {
                            stack.write(self.now, handle, words);
                            stack.close(self.now, handle, false);
                        }
                    }
                    Some(_) => {}
                    None => break,
                },
                Stand::Lies(liar) => match happened {
                    Some(happened) => liar.happened(self.now, stack, &mut self.tape, happened),
                    None => break,
                },
                Stand::Crashed | Stand::Mute if happened.is_none() => break,
                Stand::Crashed | Stand::Mute => {}
            }
        }
        self.check_bounds(host);
        self.check_grants(host);
    }

    fn settle_relay_machine(&mut self, host: usize, steps: &mut Vec<Step<Event>>) -> Result<(), String> {
        let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return Ok(()) };
        match relay.driver() {
            Some(driver) => driver.settle(self.now, stack, &mut self.tape, steps),
            None => Ok(()),
        }
    }

    fn accept(&mut self, host: usize, handle: Handle) {
        let now = self.now;
        let Host { stack, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return };
        let (Some(driver), Some((local, remote))) = (relay.driver(), stack.addresses(handle)) else { return };
        match driver.machine.handle_accepted(now, remote, local) {
            Some(id) => driver.adopt(id, handle, remote),
            None => {
                stack.close(now, handle, true);
            }
        }
    }

    fn on_relay_step(&mut self, host: usize, step: Step<Event>) {
        match step {
            Step::Asked { id, name } => {
                let result = self.grants.check_name(host, self.unix_of_asking(host), name.as_str());
                self.check(host, Law::Grants, result);
                for answer in self.relay_names.ask(name.as_str()) {
                    self.looked_up(host, name.as_str(), &answer);
                    self.later(answer.after, Happening::Answer { host, id, answer });
                }
            }
            Step::Dialled { address } => self.forwards(host, Kind::Stream, address),
            Step::Bound { address } => self.forwards(host, Kind::Datagram, address),
            Step::Said(event) => self.on_relay_event(host, event),
            Step::Opened { .. } | Step::Answered { .. } => {}
        }
    }

    fn on_relay_event(&mut self, host: usize, event: Event) {
        match &event.what {
            What::Refused { reason, .. } => {
                self.trace.see("refused", reason);
                self.shown(host, reason);
            }
            What::TunnelClosed { reason, .. } => {
                self.trace.see("tunnel", reason);
                self.shown(host, reason);
            }
            What::TunnelOpened { verdict, .. } => self.trace.see("credential", &verdict.credential),
            _ => {}
        }
        self.said(host, "relay", &event.what);
        let asked = match &event.what {
            What::TunnelOpened { elapsed, .. } => event.at - *elapsed,
            _ => event.at,
        };
        let result = self.grants.said(host, self.unix_at(host, asked), &event);
        self.check(host, Law::Grants, result);
        self.report.relay_events.push((host, event));
    }

    /// The earliest that the clock of a relay showed since what it does now may have been asked for: a look-up and several
    /// attempts ago.
    fn unix_of_asking(&self, host: usize) -> UnixTime {
        let long_ago = self.now - LONGEST_OPENING;
        let set = self.hosts[host].set.iter().filter(|(at, _)| *at > long_ago);
        set.map(|(_, before)| civil(self.now, *before)).chain([self.unix(host)]).min().unwrap_or_default()
    }

    fn forwards(&mut self, host: usize, kind: Kind, address: SocketAddr) {
        let (table, misled) = (&self.relay_names.table, self.relays_misled);
        let leads = |name: &str, ip: IpAddr| {
            // A wrong answer leads there, whatever the name.
            table.get(name).is_some_and(|ips| ips.contains(&ip)) || (misled && ip == NOBODY)
        };
        let result = self.grants.check(host, self.unix_of_asking(host), kind, address, leads);
        self.check(host, Law::Grants, result);
    }

    /// Law 4, for what is open and what was moved.
    fn check_grants(&mut self, host: usize) {
        let (now, unix) = (self.now, self.unix(host));
        let Some(driver) = self.hosts[host].relay().and_then(RelayHost::driver) else { return };
        let moved = driver.take_moved();
        // What is due is done when the deadline is handled.
        let is_due = driver.machine.poll_timeout().is_some_and(|due| due <= now);
        let moved = self.grants.moved(host, now, moved);
        let result = if is_due { moved } else { moved.and_then(|()| self.grants.settled(host, unix)) };
        self.check(host, Law::Grants, result);
    }

    /// Law 6, for a relay that runs.
    fn check_bounds(&mut self, host: usize) {
        let Some(relay) = self.hosts[host].relay() else { return };
        let limits = relay.limits.clone();
        let Some(driver) = relay.driver() else { return };
        let (stats, sockets) = (driver.machine.stats(), driver.len());
        // A connection may go on to fill what it has; only new work is refused at the limit.
        let bound = limits.memory + stats.connections * (2 * limits.buffer + READ_AND_RECORDS);
        let what = if stats.held > bound {
            format!(
                "{} bytes in buffers, {} connections, limit {}",
                stats.held, stats.connections, limits.memory
            )
        } else if stats.connections > limits.connections {
            format!("{} connections, limit {}", stats.connections, limits.connections)
        } else if sockets > stats.connections * SOCKETS_PER_CONNECTION {
            format!("{sockets} sockets and look-ups for {} connections", stats.connections)
        } else if stats.accounts > limits.accounts + stats.connections {
            format!(
                "{} accounts, {} connections, limit {}",
                stats.accounts, stats.connections, limits.accounts
            )
        } else {
            return;
        };
        self.broken(host, Law::Growth, what);
    }
}

/// No longer ago was something asked for that a relay looks up or dials: a look-up and several attempts.
const LONGEST_OPENING: Duration = Duration::from_secs(60);
/// What a connection may hold beside its buffers: a read each way that was lent when the buffer was full, and what the
/// queues of a datagram tunnel hold.
const READ_AND_RECORDS: usize = 256 * 1024;
/// The client's, and the target's, or a look-up with an attempt at each address of a name.
const SOCKETS_PER_CONNECTION: usize = 4;
