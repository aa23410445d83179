//! The world: hosts, what travels between them, and the order in which it all happens.

mod build;
mod client;
mod credentials;
mod faults;
mod flow;
mod host;
mod intruder;
mod kernel;
mod liar;
mod phases;
mod process;
mod relay;
mod server;

use core::fmt::{Debug, Display};
use core::time::Duration;
use std::collections::BTreeMap;

use wayleave_proto::base::{Instant, UnixTime};

use crate::laws::{Delivery, Grants, Law, Secrets, Violation};
use crate::network::{Answer, Body, Flags, Lost, Packet, Protocol, Segment};
use crate::report::Report;
use crate::trace::{Trace, What, name_of};
use crate::{Scenario, Tape, crypto};
pub use flow::Outcome;
use host::{Host, Role};
use kernel::LookupId;

/// A run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    scenario: Scenario,
    tape: Tape,
    trace: Trace,
    /// Clients first, then relays, then everybody else.
    hosts: Vec<Host>,
    /// Where the addresses of names are known, and how relays are told.
    relay_names: crate::network::Names,
    queue: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
    delivery: Delivery,
    grants: Grants,
    secrets: Secrets,
    /// Relays were told wrong addresses of names.
    relays_misled: bool,
    /// The host of the newcomer who comes when the faults are over.
    knocked: Option<usize>,
    violation: Option<Violation>,
    report: Report,
}

/// What is going to happen.
#[derive(Debug)]
enum Happening {
    /// A look-up is answered.
    Answer { host: usize, id: LookupId, answer: Answer },
    /// A packet reaches a host.
    Arrival { host: usize, packet: Packet },
    /// A fault of the scenario, by its number.
    Fault(usize),
    /// A step of an application: the client, and the number of the step.
    Step(usize, usize),
}

impl World {
    /// Lets time pass until `end`, or until a law is broken.
    pub(crate) fn run_until(&mut self, end: Instant) {
        self.settle_all();
        while self.violation.is_none() {
            let timers = self.hosts.iter().filter_map(|host| host.due);
            let next = timers.chain(self.queue.keys().next().map(|(at, _)| *at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            if next <= self.now && self.is_stuck() {
                return;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.queue.first_entry() {
                if entry.key().0 > self.now || self.violation.is_some() {
                    break;
                }
                let happening = entry.remove();
                self.happen(happening);
            }
            for host in 0..self.hosts.len() {
                if self.hosts[host].due.is_some_and(|due| due <= self.now) {
                    self.on_timeout(host);
                    self.settle(host);
                }
            }
        }
    }

    /// A law was broken; the first time counts.
    fn broken(&mut self, host: usize, law: Law, what: String) {
        if self.violation.is_none() {
            self.trace.add(self.now, host, What::Violation(format!("{law}: {what}")));
            let what = format!("{}: {what}", self.hosts[host].name);
            self.violation = Some(Violation { law, at: self.now, what });
        }
    }

    fn check(&mut self, host: usize, law: Law, result: Result<(), String>) {
        if let Err(what) = result {
            self.broken(host, law, what);
        }
    }

    /// What a host says goes into the trace, and shows no secret.
    fn said(&mut self, host: usize, word: &str, event: &impl Debug) {
        self.trace.see(word, event);
        if self.scenario.fast && !self.trace.keeps() {
            return;
        }
        let text = format!("{event:?}");
        if self.trace.keeps() {
            self.trace.add(self.now, host, What::Event(name_of(event), text.clone()));
        }
        if !self.scenario.fast {
            self.trace.digest(self.now, host, text.as_bytes());
            self.check_secrets(host, word, &text);
        }
    }

    /// What somebody may print shows no secret.
    fn shown(&mut self, host: usize, event: &impl Display) {
        if !self.scenario.fast {
            self.check_secrets(host, "what is printed of an event", &event.to_string());
        }
    }

    fn check_secrets(&mut self, host: usize, name: &str, text: &str) {
        if self.secrets.shows(text) {
            self.broken(host, Law::Secrets, format!("a secret stands in {name}"));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Answer { host, id, answer } => {
                self.hosts[host].kernel.lock().resolved(id, &answer);
                self.settle(host);
            }
            Happening::Arrival { host, packet } => self.arrive(host, packet),
            Happening::Fault(index) => {
                let fault = self.scenario.faults[index].1.clone();
                self.apply(&fault);
                self.settle_all();
                self.check_debug();
            }
            Happening::Step(client, index) => {
                self.step(client, index);
                self.settle(client);
            }
        }
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.at(self.now + after, happening);
    }

    fn at(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    /// What the civil clock of a host shows.
    fn unix(&self, host: usize) -> UnixTime {
        civil(self.now, self.hosts[host].ahead)
    }

    /// What the civil clock of a host showed at `at`.
    fn unix_at(&self, host: usize, at: Instant) -> UnixTime {
        let Host { ahead, set, .. } = &self.hosts[host];
        // Each change was noted with what the clock showed until then.
        let before = set.iter().find(|(changed, _)| *changed > at).map(|(_, before)| *before);
        civil(at, before.unwrap_or(*ahead))
    }

    /// Sets the civil clock of a host.
    fn set_clock(&mut self, host: usize, ahead: i32) {
        let before = core::mem::replace(&mut self.hosts[host].ahead, ahead);
        self.hosts[host].set.push((self.now, before));
    }

    /// Gives the thread's cryptography and the system the clocks of the host that is about to act.
    fn enter(&mut self, host: usize) {
        let unix = self.unix(host);
        crypto::show(unix);
        let mut kernel = self.hosts[host].kernel.lock();
        (kernel.now, kernel.unix) = (self.now, unix);
    }

    fn settle_all(&mut self) {
        for host in 0..self.hosts.len() {
            self.settle(host);
        }
    }

    /// Lets a host do what there is to do, and sends what it has to send.
    fn settle(&mut self, host: usize) {
        self.enter(host);
        match &self.hosts[host].role {
            Role::Client(_) => self.settle_client(host),
            Role::Relay(_) => self.settle_relay(host),
            Role::Servers(_) => self.settle_servers(host),
            Role::Intruder(_) => self.settle_intruder(host),
            Role::Bait => {}
        }
        while let Some(packet) = self.hosts[host].poll_packet() {
            self.send(host, packet);
        }
        self.hosts[host].due = self.hosts[host].poll_timeout();
    }

    fn on_timeout(&mut self, host: usize) {
        self.enter(host);
        let now = self.now;
        let Host { kernel, role, .. } = &mut self.hosts[host];
        kernel.lock().handle_timeout();
        match role {
            Role::Client(client) => client.handle_timeout(now),
            Role::Relay(_) => {}
            Role::Servers(servers) => servers.handle_timeout(now),
            Role::Intruder(intruder) => intruder.handle_timeout(now),
            Role::Bait => {}
        }
    }

    /// Sends a packet on its way.
    fn send(&mut self, host: usize, mut packet: Packet) {
        let label = if self.trace.keeps() { packet.to_string() } else { String::new() };
        self.check_packet(host, &packet);
        let meant = packet.destination.ip();
        let (to, arrivals) = match self.route_packet(host, &mut packet) {
            Ok((to, arrivals)) => (Some(to), Ok(arrivals)),
            Err((to, lost)) => (to, Err(lost)),
        };
        self.trace.digest(self.now, host, packet_bytes(&packet));
        if self.trace.keeps() {
            let mut again = arrivals.clone().unwrap_or_default();
            let arrives = (!again.is_empty()).then(|| again.remove(0));
            let what = What::Packet {
                to,
                toward: self.hosts.iter().position(|host| host.has(meant)),
                arrives,
                again,
                is_stream: packet.protocol() == Protocol::Tcp,
                payload: packet.payload(),
                label,
                lost: arrivals.as_ref().err().map(Lost::to_string),
            };
            self.trace.add(self.now, host, what);
        }
        if let Err(lost) = &arrivals {
            self.trace.count(lost.name());
        }
        match (to, arrivals) {
            (Some(to), Ok(arrivals)) => {
                if let Body::Udp(bytes) = &packet.body {
                    for _ in 1..arrivals.len() {
                        self.delivery.datagram_doubled(bytes);
                    }
                }
                let (last, others) = arrivals
                    .split_last()
                    .map_or((None, [].as_slice()), |(last, others)| (Some(last), others));
                for arrives in others {
                    self.at(*arrives, Happening::Arrival { host: to, packet: packet.clone() });
                }
                if let Some(last) = last {
                    self.at(*last, Happening::Arrival { host: to, packet });
                }
            }
            // Nobody has translated it yet.
            (_, Err(Lost::Rejected)) => self.reject(host, packet),
            _ => {}
        }
    }

    /// Who gets a packet and when, or why nobody does.
    fn route_packet(
        &mut self,
        host: usize,
        packet: &mut Packet,
    ) -> Result<(usize, Vec<Instant>), (Option<usize>, Lost)> {
        let sender = &mut self.hosts[host];
        if packet.source.ip() != sender.access.address {
            return Err((None, Lost::NoHost));
        }
        let left = sender.access.send(self.now, packet, &mut self.tape).map_err(|lost| (None, lost))?;
        let address = packet.destination.ip();
        let to = self.hosts.iter().position(|host| host.has(address)).ok_or((None, Lost::NoHost))?;
        let mut arrivals = Vec::new();
        for at in left {
            match self.hosts[to].access.bring(at, packet, &mut self.tape) {
                Ok(more) => arrivals.extend(more),
                Err(lost) => return Err((Some(to), lost)),
            }
        }
        Ok((to, arrivals))
    }

    /// Tells the sender of a packet that a firewall refused it.
    fn reject(&mut self, host: usize, packet: Packet) {
        let body = match packet.body {
            Body::Tcp(segment) if segment.flags.rst => return,
            Body::Tcp(segment) => {
                let flags = Flags { rst: true, ack: true, ..Flags::default() };
                let (position, expected) = (segment.expected, segment.position + 1);
                Body::Tcp(Segment { flags, position, expected, window: 0, bytes: Vec::new() })
            }
            Body::Udp(_) => Body::Unreachable,
            Body::Unreachable => return,
        };
        let (source, destination) = (packet.destination, packet.source);
        let refusal = Happening::Arrival { host, packet: Packet { source, destination, body } };
        self.later(Duration::from_millis(1), refusal);
    }

    fn arrive(&mut self, host: usize, mut packet: Packet) {
        let now = self.now;
        let receiver = &mut self.hosts[host];
        // A refusal comes from the host's own network, and was never translated.
        let is_inside = packet.destination.ip() == receiver.access.address;
        if !is_inside && !receiver.has(packet.destination.ip()) {
            self.discard(host, &packet, "the host has gone to another network since it was sent");
            return;
        }
        let access = &mut receiver.access;
        let taken =
            if is_inside { access.translate_plain(&mut packet) } else { access.translate(now, &mut packet) };
        if let Err(lost) = taken {
            if !is_inside {
                self.trace.count("packet unmapped");
            }
            self.discard(host, &packet, &lost.to_string());
            return;
        }
        let receiver = &mut self.hosts[host];
        let relays = self.scenario.relays.len();
        if matches!(receiver.role, Role::Bait) {
            if !build::relay_addresses(relays).contains(&packet.source.ip()) {
                return;
            }
            let what = format!("a packet from {} reached a place that nobody may reach", packet.source);
            self.broken(host, Law::Grants, what);
            return;
        }
        receiver.kernel.lock().stack.handle_packet(now, packet);
        self.settle(host);
    }

    /// Says in the trace why a packet goes no further.
    fn discard(&mut self, host: usize, packet: &Packet, why: &str) {
        if self.trace.keeps() {
            self.trace.add(self.now, host, What::Discarded(packet.to_string(), why.to_owned()));
        }
    }

    /// Whether time stands still although nothing is left to do now.
    fn is_stuck(&mut self) -> bool {
        let due = |host: &Host| host.due.is_some_and(|due| due <= self.now);
        let Some(host) = self.hosts.iter().position(due) else { return false };
        let counted = &mut self.hosts[host].stuck;
        if counted.0 == self.now {
            counted.1 += 1;
        } else {
            *counted = (self.now, 1);
        }
        if counted.1 > 1_000 {
            self.broken(host, Law::Growth, "a deadline is due for ever".to_owned());
            return true;
        }
        false
    }
}

/// What a civil clock shows that is so many seconds ahead.
fn civil(at: Instant, ahead: i32) -> UnixTime {
    let truth = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let millis = EPOCH * 1_000 + truth + i64::from(ahead) * 1_000;
    UnixTime::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn packet_bytes(packet: &Packet) -> &[u8] {
    match &packet.body {
        Body::Tcp(segment) => &segment.bytes,
        Body::Udp(bytes) => bytes,
        Body::Unreachable => &[],
    }
}

/// The true civil time at the start of every run, in seconds: the middle of the year 2026.
const EPOCH: i64 = 1_782_864_000;
