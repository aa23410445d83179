//! A relay on its host.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, UnixTime};
use wayleave_proto::config::RelayLimits;
use wayleave_proto::net::Machine as _;
use wayleave_proto::relay::{Event, What};

use super::build::NOBODY;
use super::host::{Host, Role};
use super::kernel::Step;
use super::liar::Liar;
use super::process::{RelayProcess, Served};
use super::{Happening, World, civil};
use crate::laws::Law;
use crate::stack::Happened;

/// A relay, or what stands in its place.
#[derive(Debug)]
pub(super) struct RelayHost {
    pub(super) stand: Stand,
    /// What this relay is configured with.
    pub(super) limits: RelayLimits,
    /// It does nothing before.
    pub(super) stalled: Option<Instant>,
    /// Clients whose users it is going to be told are revoked then.
    pub(super) untold: Vec<usize>,
}

/// What listens at the address of a relay.
#[derive(Debug)]
pub(super) enum Stand {
    /// The relay.
    Runs(Box<RelayProcess>),
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
        Self { stand, limits, stalled: None, untold: Vec::new() }
    }

    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.stalled.is_some_and(|until| until > now)
    }

    /// Whether it is the relay that listens there.
    pub(super) const fn runs(&self) -> bool {
        matches!(self.stand, Stand::Runs(_))
    }

    pub(super) fn process(&mut self) -> Option<&mut RelayProcess> {
        match &mut self.stand {
            Stand::Runs(process) => Some(process),
            Stand::Crashed | Stand::Lies(_) | Stand::Says(_) | Stand::Mute => None,
        }
    }
}

impl World {
    /// What a relay was to be told while it did nothing is what it hears first.
    pub(super) fn run_again(&mut self, host: usize) {
        let Some(relay) = self.hosts[host].relay() else { return };
        if relay.stalled.take().is_none() {
            return;
        }
        let untold = core::mem::take(&mut relay.untold);
        self.enter(host);
        self.hosts[host].kernel.lock().handle_timeout();
        for client in untold {
            self.revoke(host - self.scenario.clients.len(), client);
        }
    }

    pub(super) fn settle_relay(&mut self, host: usize) {
        let now = self.now;
        let Some(relay) = self.hosts[host].relay() else { return };
        if relay.is_stalled(now) {
            return;
        }
        self.run_again(host);
        let Some(relay) = self.hosts[host].relay() else { return };
        if let Some(process) = relay.process() {
            let mut served = Served::default();
            let ran = process.run(&mut served);
            self.on_served(host, ran, served);
        } else {
            self.stand_in(host);
        }
        self.check_bounds(host);
    }

    fn on_served(&mut self, host: usize, ran: Result<bool, String>, served: Served) {
        for step in served.steps {
            self.on_relay_step(host, step);
        }
        for event in served.events {
            self.on_relay_event(host, event);
        }
        let has_run = ran == Ok(true);
        self.check(host, Law::Growth, ran.map(|_| ()));
        self.check_grants(host, has_run);
        if served.is_over
            && let Some(relay) = self.hosts[host].relay()
        {
            relay.stand = Stand::Crashed;
        }
    }

    /// What stands in the place of a relay does its work.
    fn stand_in(&mut self, host: usize) {
        let now = self.now;
        let Host { kernel, role: Role::Relay(relay), .. } = &mut self.hosts[host] else { return };
        let stack = &mut kernel.lock().stack;
        while let Some(happened) = stack.poll_happened() {
            match (&mut relay.stand, happened) {
                (Stand::Lies(liar), happened) => liar.happened(now, stack, &mut self.tape, happened),
                (Stand::Says(words), Happened::Readable(handle))
                    if !stack.read(now, handle, usize::MAX).is_empty() =>
                {
                    stack.write(now, handle, words);
                    stack.close(now, handle, false);
                }
                (_, Happened::Failed(handle, _)) => stack.close(now, handle, false),
                _ => {}
            }
        }
    }

    fn on_relay_step(&mut self, host: usize, step: Step) {
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
            Step::Opened { .. } | Step::Answered { .. } | Step::Noticed | Step::Said => {}
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

    /// Law 4, for what is open and what was moved; a relay that has not run does not know what time it is.
    fn check_grants(&mut self, host: usize, has_run: bool) {
        let (now, unix) = (self.now, self.unix(host));
        let moved = self.hosts[host].kernel.lock().take_moved();
        let Some(process) = self.hosts[host].relay().and_then(RelayHost::process) else { return };
        // What is due is done when the deadline is handled.
        let due = process.handle.look(|machine| machine.poll_timeout()).into_iter().flatten().min();
        let is_done = has_run && due.is_none_or(|due| due > now);
        let moved = self.grants.moved(host, now, moved);
        let result = if is_done { moved.and_then(|()| self.grants.settled(host, unix)) } else { moved };
        self.check(host, Law::Grants, result);
        if due.is_some_and(|due| due < now) {
            self.broken(host, Law::Liveness, format!("nobody woke up for the deadline {due:?}"));
        }
    }

    /// Law 6, for a relay that runs.
    fn check_bounds(&mut self, host: usize) {
        let Some(relay) = self.hosts[host].relay() else { return };
        let limits = relay.limits.clone();
        let Some(process) = relay.process() else { return };
        let (stats, sockets) = (process.handle.stats(), process.kernel.lock().open());
        let tunnels = stats.connections * self.scenario.width();
        // A tunnel may go on to fill what it has; only new work is refused at the limit.
        let bound = limits.memory + tunnels * (2 * limits.buffer + READ_AND_RECORDS);
        let what = if stats.held > bound {
            format!(
                "{} bytes in buffers, {} connections, limit {}",
                stats.held, stats.connections, limits.memory
            )
        } else if stats.connections > limits.connections {
            format!("{} connections, limit {}", stats.connections, limits.connections)
        } else if sockets > tunnels * SOCKETS_PER_CONNECTION {
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
