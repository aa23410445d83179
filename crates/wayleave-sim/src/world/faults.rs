//! What goes wrong, done.

use core::net::IpAddr;
use core::time::Duration;

use wayleave_proto::base::{Families, Link, Network};

use super::World;
use super::build::{BOX, INTERCEPTOR, NOBODY, NOBODY_EITHER, PORTAL, RELAY_PORT, access_of, relay_addresses};
use super::credentials;
use super::liar::Liar;
use super::relay::{RelayHost, Stand};
use crate::crypto::Authority;
use crate::network::{Answering, Firewall, Protocol, Quality, Rule, Verdict};
use crate::scenario::{Answers, Condition, Credential, Fault, State, Step};
use crate::trace::What;

impl World {
    /// Makes a fault happen.
    pub(super) fn apply(&mut self, fault: &Fault) {
        let (host, words) = (self.concerned(fault), fault.to_string());
        self.count_fault(fault);
        self.trace.digest(self.now, host, words.as_bytes());
        self.trace.add(self.now, host, What::Fault(words));
        match *fault {
            Fault::Roam { link, condition, .. } => self.roam(host, link, condition),
            Fault::Condition { condition, .. } => self.set_condition(host, condition),
            Fault::Up { up, .. } => {
                self.hosts[host].access.up = up;
                let link = self.hosts[host].access.kind;
                self.tell_network(host, Network { link, up, fingerprint: None });
            }
            Fault::Rebind { .. } => {
                if let Some(nat) = &mut self.hosts[host].access.nat {
                    nat.rebind();
                }
            }
            Fault::ClientQuality { quality, .. } | Fault::RelayQuality { quality, .. } => {
                self.hosts[host].access.set_quality(quality);
            }
            Fault::Relay { relay, state } => self.set_relay(relay, state),
            Fault::Stall { span, .. } => {
                if let Some(relay) = self.hosts[host].relay() {
                    relay.stalled = Some(self.now + span);
                }
            }
            Fault::ClientClock { by, .. } | Fault::RelayClock { by, .. } => {
                let ahead = self.hosts[host].ahead.saturating_add(by);
                self.set_clock(host, ahead);
            }
            Fault::Descriptors { left, .. } => self.hosts[host].kernel.lock().stack.limit(left),
            Fault::Revoke { relay, client } => self.revoke(relay, client),
            Fault::Names { client, answering, delay } => {
                self.relays_misled |= client.is_none() && answering == Answers::Wrong;
                let names = match client {
                    Some(_) => &mut self.hosts[host].names,
                    None => &mut self.relay_names,
                };
                names.delay = delay;
                names.answering = match answering {
                    Answers::Truly => Answering::Truly,
                    Answers::Denied => Answering::Denying,
                    Answers::HalfSilent => Answering::HalfSilent(Families::V6),
                    Answers::Silent => Answering::Silent,
                    Answers::Wrong => {
                        Answering::Wrongly { relays: IpAddr::V4(NOBODY_EITHER), others: IpAddr::V4(NOBODY) }
                    }
                };
            }
        }
    }

    /// Which host a fault concerns.
    fn concerned(&self, fault: &Fault) -> usize {
        let relays = self.scenario.clients.len();
        match fault {
            Fault::Roam { client, .. }
            | Fault::Condition { client, .. }
            | Fault::Up { client, .. }
            | Fault::Rebind { client }
            | Fault::ClientClock { client, .. }
            | Fault::ClientQuality { client, .. } => *client,
            Fault::RelayQuality { relay, .. }
            | Fault::Relay { relay, .. }
            | Fault::Stall { relay, .. }
            | Fault::RelayClock { relay, .. }
            | Fault::Descriptors { relay, .. }
            | Fault::Revoke { relay, .. } => relays + relay,
            Fault::Names { client, .. } => client.unwrap_or(relays),
        }
    }

    /// Counts a fault for the summary, with what it is in detail.
    fn count_fault(&mut self, fault: &Fault) {
        self.trace.see("fault", fault);
        match fault {
            Fault::Roam { link, condition, .. } => {
                self.trace.see("link", link);
                self.trace.see("condition", condition);
            }
            Fault::Condition { condition, .. } => {
                self.trace.see("condition", condition);
            }
            Fault::Relay { state, .. } => self.trace.see("relay is", state),
            Fault::Names { answering, .. } => self.trace.see("names", answering),
            _ => {}
        }
    }

    /// A client attaches to another network.
    pub(super) fn roam(&mut self, host: usize, link: Link, condition: Condition) {
        let relays = self.scenario.relays.len();
        let count = &mut self.report.roamed;
        *count = count.wrapping_add(1);
        let mut access = access_of(host, *count, &self.scenario.clients[host], link);
        access.firewall = firewall(condition, relays);
        self.hosts[host].kernel.lock().stack.address = access.address;
        self.hosts[host].access = access;
        self.taint(host, condition);
        self.tell_network(host, Network::up(link));
    }

    pub(super) fn set_condition(&mut self, host: usize, condition: Condition) {
        self.hosts[host].access.firewall = firewall(condition, self.scenario.relays.len());
        self.taint(host, condition);
    }

    /// Where somebody else answers, what direct flows get is not what their servers sent.
    fn taint(&mut self, host: usize, condition: Condition) {
        if let Some(client) = self.hosts[host].client() {
            client.condition = condition;
            client.tainted |= matches!(condition, Condition::Portal | Condition::Intercepted);
        }
    }

    pub(super) fn set_relay(&mut self, index: usize, state: State) {
        let host = self.scenario.clients.len() + index;
        let plan = self.scenario.relays[index].clone();
        self.enter(host);
        self.hosts[host].access.up = state != State::Vanished;
        let stand = match state {
            State::Running | State::WithoutKeys => {
                let is_same = self.hosts[host].relay().is_some_and(|relay| relay.process().is_some());
                if is_same && state == State::Running && !self.is_odd(index) {
                    return;
                }
                self.crash(host);
                self.relay(&plan, index, state == State::Running).unwrap_or(Stand::Crashed)
            }
            State::Crashed => Stand::Crashed,
            State::Babbling => Stand::Says(b"220 mail.example ESMTP\r\n".to_vec()),
            State::Lying => Authority::Trusted
                .acceptor(self.scenario.fast)
                .map_or(Stand::Crashed, |acceptor| Stand::Lies(Box::new(Liar::new(acceptor)))),
            State::Mute => Stand::Mute,
            State::Draining => {
                if let Some(process) = self.hosts[host].relay().and_then(|relay| relay.process()) {
                    process.handle.drain();
                }
                self.report.odd.insert(index);
                return;
            }
            State::Vanished => return,
        };
        if state == State::WithoutKeys {
            self.report.odd.insert(index);
        } else {
            self.report.odd.remove(&index);
        }
        if !matches!(stand, Stand::Runs(_)) {
            self.crash(host);
            let is_taken = !matches!(stand, Stand::Crashed);
            self.hosts[host].kernel.lock().stack.listen(RELAY_PORT, is_taken);
        }
        if let Some(relay) = self.hosts[host].relay() {
            *relay = RelayHost::new(stand, relay.limits.clone());
        }
    }

    /// What runs on a host ends without a word.
    fn crash(&self, host: usize) {
        self.hosts[host].kernel.lock().crash();
    }

    /// A relay is told that a client's user is revoked, whatever he shows.
    pub(super) fn revoke(&mut self, index: usize, client: usize) {
        let (now, host) = (self.now, self.scenario.clients.len() + index);
        self.enter(host);
        let Some(relay) = self.hosts[host].relay() else { return };
        if relay.is_stalled(now) {
            relay.untold.push(client);
            return;
        }
        let Some(process) = relay.process() else { return };
        for revoked in credentials::revocations(client) {
            // There is room for more of them than faults in a scenario.
            let _ = process.handle.revoke(revoked);
        }
        self.grants.revoked(host, client);
        // It holds for the life of this relay, so the relay starts again when the faults are over.
        self.report.odd.insert(index);
    }

    /// Whether a relay runs, but not as it did at the start.
    fn is_odd(&self, index: usize) -> bool {
        self.report.odd.contains(&index)
    }

    /// An application does something.
    pub(super) fn step(&mut self, host: usize, index: usize) {
        let step = self.scenario.clients[host].application.steps[index].1.clone();
        let now = self.now;
        self.enter(host);
        let Some(client) = self.hosts[host].client() else { return };
        if client.suspended.is_some_and(|until| until > now) {
            // A suspended application does it when it runs again.
            let until = client.suspended.map_or(Duration::ZERO, |until| until.since(now));
            self.later(until, super::Happening::Step(host, index));
            return;
        }
        // What was due while it slept comes before what it does then.
        self.wake(host);
        if !matches!(step, Step::Open(_)) {
            self.trace.add(now, host, What::Application(step.to_string()));
        }
        let Some(client) = self.hosts[host].client() else { return };
        match step {
            Step::Open(plan) => self.open(host, plan),
            Step::Retry(kind) => self.ask_trial(host, kind),
            Step::DirectWorks(kind) => self.say_direct(host, kind),
            Step::Renew(ttl) => {
                let allowed = self.scenario.clients[host].allowed;
                if let Ok(credential) = self.credential(host, Credential::Short(ttl), allowed)
                    && let Some(client) = self.hosts[host].client()
                {
                    client.process.client.renew(credential);
                }
            }
            Step::Suspend(span) => {
                client.suspended = Some(now + span);
                client.slept += span;
            }
            Step::ReleaseAll => self.release_all(host),
        }
    }
}

/// The firewall that makes a network what it is.
pub(super) fn firewall(condition: Condition, relays: usize) -> Firewall {
    let udp = || Rule::all(Verdict::Drop).on(Protocol::Udp);
    let redirect = |host| Rule::all(Verdict::Redirect(IpAddr::V4(host))).on(Protocol::Tcp);
    match condition {
        Condition::Open => Firewall::default(),
        Condition::NoUdp => Firewall::of(vec![udp()]),
        Condition::Only443 => Firewall::of(vec![
            Rule::all(Verdict::Pass).on(Protocol::Tcp).ports(&[443]),
            Rule::all(Verdict::Drop),
        ]),
        Condition::OnlyRelays => Firewall::of(vec![
            Rule::all(Verdict::Pass).on(Protocol::Tcp).hosts(&relay_addresses(relays.max(1))),
            Rule::all(Verdict::Drop),
        ]),
        Condition::BlackHole => {
            Firewall { without_names: true, ..Firewall::of(vec![Rule::all(Verdict::Drop)]) }
        }
        Condition::Refusing => Firewall::of(vec![Rule::all(Verdict::Reject)]),
        Condition::Portal => Firewall::of(vec![redirect(PORTAL), udp()]),
        Condition::Intercepted => Firewall::of(vec![redirect(INTERCEPTOR).ports(&[443]), udp()]),
        Condition::ResetsAfter(bytes) => {
            Firewall { reset_after: Some(bytes as usize), ..Firewall::default() }
        }
        Condition::Swallowing => Firewall::of(vec![
            Rule::all(Verdict::Pass).on(Protocol::Tcp).hosts(&relay_addresses(relays.max(1))),
            redirect(BOX),
            udp(),
        ]),
        Condition::SilentAfter(span) => Firewall { silent_after: Some(span), ..Firewall::default() },
    }
}

/// A link without faults.
pub(super) fn clean() -> Quality {
    Quality::default()
}
