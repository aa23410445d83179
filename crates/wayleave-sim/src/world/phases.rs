//! The phases of a run: faults, then none; everything must work again; then everything ends, and nothing may be left.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client::{FlowId, FlowStatus};
use wayleave_proto::config::Mode;
use wayleave_proto::net::Machine as _;

use super::World;
use super::faults::clean;
use super::flow::{Flow, Outcome};
use super::host::Role;
use super::process::RelayProcess;
use super::relay::Stand;
use crate::laws::Law;
use crate::network::Answering;
use crate::report::Report;
use crate::scenario::{Allowed, Condition, Credential, Ending, FlowPlan, Server, State, Step};
use crate::trace::What;

impl World {
    /// Runs the whole and says what came of it.
    pub(crate) fn run(mut self) -> Report {
        self.report.healed = Instant::ZERO + self.scenario.length;
        self.run_until(self.report.healed);
        if self.scenario.heals && self.violation.is_none() {
            self.heal();
            let pace = self.scenario.clients.iter().filter_map(|client| client.in_use).max();
            let mut recovery = RECOVERY + 2 * pace.unwrap_or_default();
            let vanished = self.vanishes();
            if vanished.is_some() {
                recovery += SILENCE;
            }
            self.run_for(recovery);
            self.check_recovery(recovery);
            if let Some(relay) = vanished {
                self.set_relay(relay, State::Running);
            }
            self.run_for(GRACE - recovery);
            self.witness();
        }
        self.close();
        self.check_left();
        self.check_debug();
        for host in &self.hosts {
            for (name, count) in host.kernel.lock().take_seen() {
                self.trace.count_many(&format!("system {name}"), count);
            }
        }
        self.report.now = self.now;
        self.report.sum = self.trace.sum();
        self.report.violation = self.violation.take();
        self.report.seen = core::mem::take(&mut self.trace.seen);
        self.report.items = core::mem::take(&mut self.trace.items);
        self.report
    }

    fn run_for(&mut self, span: Duration) {
        if self.violation.is_none() {
            self.run_until(self.now + span);
        }
    }

    /// The faults are over: good links, true names, relays that run, and a network as the scenario wants it.
    fn heal(&mut self) {
        let after = self.scenario.after;
        let unnoticed = self.scenario.unnoticed && self.is_mended_behind_the_scenes();
        self.queue.retain(|_, happening| {
            !matches!(happening, super::Happening::Fault(_) | super::Happening::Step(..))
        });
        for relay in 0..self.scenario.relays.len() {
            let host = self.scenario.clients.len() + relay;
            self.scenario.relays[relay].ahead = 0;
            self.set_clock(host, 0);
            self.hosts[host].kernel.lock().stack.limit(usize::MAX);
            // What it hears now may be a reason to start it again.
            self.run_again(host);
            self.set_relay(relay, State::Running);
            self.hosts[host].access.set_quality(clean());
        }
        self.relay_names.answering = Answering::Truly;
        self.relay_names.delay = Duration::from_millis(10);
        for host in 0..self.scenario.clients.len() {
            self.hosts[host].names.answering = Answering::Truly;
            self.hosts[host].names.delay = Duration::from_millis(10);
            self.set_clock(host, 0);
            if unnoticed && self.is_left_alone(host) {
                self.trace.add(
                    self.now,
                    host,
                    What::Fault("the faults are over, and nobody says so".to_owned()),
                );
                self.hosts[host].access.set_quality(clean());
                self.wake(host);
                continue;
            }
            self.trace.add(
                self.now,
                host,
                What::Fault(format!("the faults are over; the network is {after:?}")),
            );
            let credential = self.credential(host, Credential::Lasting, Allowed::default());
            let link = self.hosts[host].access.kind;
            self.enter(host);
            // Where a user may have few tunnels, flows that go on would leave none for the new ones.
            let is_tight = self.scenario.clients[host].tight;
            let is_limited = !self.scenario.clients[host].allowed.is_everything();
            if is_tight || is_limited || self.has_tight_relays() {
                self.release_all(host);
            }
            self.wake(host);
            if let Some(client) = self.hosts[host].client()
                && let Ok(credential) = credential
            {
                client.process.client.renew(credential);
            }
            self.roam(host, link, after);
        }
        self.knocked = self.add_newcomer().ok();
        self.settle_all();
        if let Some(newcomer) = self.knocked {
            self.knock(newcomer);
        }
    }

    /// Whether a client gets no sign of the end of the faults, because it needs none: all that is between it and a relay
    /// is mended on its way or at the other end.
    fn is_left_alone(&mut self, host: usize) -> bool {
        let is_wide = !self.has_tight_relays();
        let plan = &self.scenario.clients[host];
        let lasts = matches!(plan.credential, Credential::Lasting | Credential::AppSign);
        let needs_none = plan.mode == Mode::Normal && lasts && plan.allowed.is_everything() && !plan.tight;
        // A renewal in the middle may have left it with a token that is good for less.
        let renews = plan.application.steps.iter().any(|(_, step)| matches!(step, Step::Renew(_)));
        let Some(client) = self.hosts[host].client() else { return false };
        let reaches = matches!(
            client.condition,
            Condition::Open | Condition::NoUdp | Condition::Only443 | Condition::OnlyRelays
        );
        let is_up = client.network.up;
        is_wide && needs_none && !renews && reaches && is_up
    }

    /// Whether what is wrong with relays shows by itself that it is over. Where somebody else has answered in their place, or
    /// a wrong address was looked up, a request is out or a tunnel stands that nobody will ever answer.
    fn is_mended_behind_the_scenes(&mut self) -> bool {
        let clients = self.scenario.clients.len();
        let is_itself = |index: usize| match &self.hosts[clients + index].role {
            Role::Relay(relay) => matches!(relay.stand, Stand::Runs(_) | Stand::Crashed),
            _ => true,
        };
        (0..self.scenario.relays.len()).all(is_itself) && !self.relays_misled
    }

    /// In the moment in which the faults end unnoticed one relay of several, the first choice of every client, vanishes
    /// without a word: then the others serve.
    fn vanishes(&mut self) -> Option<usize> {
        let has_others =
            self.scenario.relays.len() > 1 && !self.scenario.balanced && !self.has_tight_relays();
        if !self.scenario.unnoticed || !has_others {
            return None;
        }
        self.trace.add(self.now, self.scenario.clients.len(), What::Fault("vanishes".to_owned()));
        self.set_relay(0, State::Vanished);
        Some(0)
    }

    /// Ends a suspension, as its own end does.
    pub(super) fn wake(&mut self, host: usize) {
        let now = self.now;
        if let Some(client) = self.hosts[host].client()
            && client.suspended.is_some()
        {
            client.suspended = Some(now);
            self.settle(host);
        }
    }

    fn has_tight_relays(&self) -> bool {
        self.scenario.relays.iter().any(|relay| relay.tight || relay.lean || relay.tunnels < 1_000)
    }

    /// Laws 9 and 10: what is in use works again, and who comes is answered.
    fn check_recovery(&mut self, within: Duration) {
        if self.violation.is_some() {
            return;
        }
        let answered = |host: usize| match &self.hosts[host].role {
            Role::Intruder(newcomer) => newcomer.answered.len(),
            _ => 0,
        };
        // Who has vanished is no listener.
        let here = |index: &usize| self.hosts[self.scenario.clients.len() + index].access.up;
        let relays = (0..self.scenario.relays.len()).filter(here).count();
        if let Some(newcomer) = self.knocked.filter(|newcomer| answered(*newcomer) < relays)
            && !self.has_tight_relays()
        {
            let what = format!("{} of {relays} relays answer a newcomer", answered(newcomer));
            self.broken(newcomer, Law::Listener, what);
        }
        for host in 0..self.scenario.clients.len() {
            if self.scenario.clients[host].in_use.is_some() {
                self.check_use(host, within);
            }
            let Some(client) = self.hosts[host].client() else { continue };
            // It has done its work.
            let endless: Vec<_> =
                client.flows.iter().filter(|(_, flow)| flow.plan.up == u32::MAX).map(|(id, _)| *id).collect();
            for id in endless {
                self.release(host, id);
            }
            self.settle(host);
        }
    }

    /// Law 9, for one client: its endless flow is answered, and no stream looks for its way.
    fn check_use(&mut self, host: usize, within: Duration) {
        let healed = self.report.healed;
        // What a user may forward in a second is shared by all that is his, and may be spent on something else.
        let is_rationed = self.scenario.relays.iter().any(|relay| relay.rate > 0);
        let datagrams = !is_rationed && self.has_path(host, Kind::Datagram, Server::Good);
        // The firewall that is left may let out port 443 and no other, and on some links nothing else is allowed to help.
        let streams = Server::ALL.map(|server| (server, self.has_path(host, Kind::Stream, server)));
        let has_vanished = (0..self.scenario.relays.len())
            .any(|relay| !self.hosts[self.scenario.clients.len() + relay].access.up);
        let Some(client) = self.hosts[host].client() else { return };
        // Who slept hears of a relay that vanished meanwhile what was on its way, and doubts it later.
        if has_vanished && !client.slept.is_zero() {
            return;
        }
        let is_down = |flow: &Flow, status: FlowStatus| match flow.plan.kind {
            Kind::Datagram => {
                let is_endless = flow.plan.up == u32::MAX;
                datagrams && is_endless && flow.outcome.latest.is_none_or(|latest| latest <= healed)
            }
            Kind::Stream => {
                let has_path = streams.contains(&(flow.plan.server, true));
                has_path && flow.plan.server.answers() && status == FlowStatus::Pending
            }
        };
        let down = client.flows.iter().find(|(id, flow)| is_down(flow, client.status(**id)));
        if let Some((_, flow)) = down {
            let what = format!(
                "{} {} does not work {within:?} after the faults: {:?}",
                flow.plan.kind, flow.number, flow.outcome
            );
            self.broken(host, Law::Recovery, what);
        }
    }

    fn release(&mut self, host: usize, id: FlowId) {
        let Some(client) = self.hosts[host].client() else { return };
        let Some(flow) = client.flows.remove(&id) else { return };
        client.process.client.tell(|machine, now| machine.release(now, id));
        self.delivery.ended(flow.number, true);
        self.report.flows[flow.number as usize - 1].2.released = true;
    }

    /// New flows must connect where the rules lead to a path, and fail where they do not.
    fn witness(&mut self) {
        if self.violation.is_some() {
            return;
        }
        let begun = self.now;
        let mut witnesses = Vec::new();
        for host in 0..self.scenario.clients.len() {
            let stream = FlowPlan::stream(3_000, 3_000);
            let datagrams = FlowPlan { pace: Duration::from_millis(100), ..FlowPlan::datagrams(100) };
            for plan in [stream, datagrams] {
                witnesses.push((
                    host,
                    plan,
                    self.report.flows.len(),
                    self.has_path(host, plan.kind, plan.server),
                ));
                self.enter(host);
                self.open(host, plan);
            }
        }
        self.settle_all();
        self.run_for(BOUND);
        let is_rationed = self.scenario.relays.iter().any(|relay| relay.rate > 0);
        for (host, plan, index, has_path) in &witnesses {
            let outcome = self.report.flows[*index].2.clone();
            // What is left of a rate may go to what was forwarded before.
            if *has_path && outcome.answered.is_none() && !is_rationed {
                let what = format!(
                    "{} {} has no answer {BOUND:?} after the faults: {outcome:?}",
                    plan.kind,
                    index + 1
                );
                self.broken(*host, Law::Liveness, what);
            }
        }
        let datagrams =
            witnesses.iter().filter(|(_, plan, _, has_path)| *has_path && plan.kind == Kind::Datagram);
        for (host, plan, index, _) in datagrams {
            self.check_datagrams(*host, plan, *index);
        }
        self.run_for(LONGEST_FAILURE - BOUND);
        self.check_ends();
        for (host, plan, index, has_path) in witnesses {
            let outcome = &self.report.flows[index].2;
            let resolved = outcome.error.is_some() || outcome.released;
            // A direct datagram flow cannot tell that nobody answers.
            let is_silent = plan.kind == Kind::Datagram
                && outcome.connected.is_some_and(|(_, route)| route == Route::Direct);
            if !has_path && !resolved && !is_silent {
                let waited = self.now.since(begun);
                let what =
                    format!("{} {} has not failed after {waited:?}: {outcome:?}", plan.kind, index + 1);
                self.broken(host, Law::Liveness, what);
            }
        }
    }

    /// Law 3, for datagrams over a clean path: they are answered while they are young, and nearly all of them.
    fn check_datagrams(&mut self, host: usize, plan: &FlowPlan, index: usize) {
        if self.violation.is_some() || self.is_slow() || self.has_tight_relays() {
            return;
        }
        let Outcome { before, came, slowest, .. } = self.report.flows[index].2;
        let least = u64::from(plan.up).saturating_sub(before) * 9 / 10;
        if came < least || slowest > OLDEST {
            let what = format!(
                "datagrams {}: {came} of {} are answered, {before} were sent before the first answer, the slowest took {slowest:?}",
                index + 1,
                plan.up
            );
            self.broken(host, Law::Delivery, what);
        }
    }

    /// Whether somebody's rate is limited, so that a flow may take as long as that wants.
    fn is_slow(&self) -> bool {
        self.scenario.relays.iter().any(|relay| relay.rate > 0)
            || self.scenario.clients.iter().any(|client| client.allowed.rate.is_some())
    }

    /// Law 5, for streams from before the end of the faults: each has come to its end, or knows why not.
    fn check_ends(&mut self) {
        // A stream may take as long as its rate, and a server that says nothing for ever.
        if self.violation.is_some() || self.is_slow() {
            return;
        }
        let hangs = self.report.flows.iter().enumerate().find(|(_, (_, plan, outcome))| {
            let has_end = matches!(plan.ending, Ending::ClientFirst | Ending::ServerFirst);
            let is_over = outcome.done.is_some() || outcome.error.is_some() || outcome.released;
            plan.kind == Kind::Stream && plan.server.answers() && has_end && !is_over
        });
        if let Some((index, (host, _, outcome))) = hangs {
            let (host, what) = (*host, format!("stream {} has no end: {outcome:?}", index + 1));
            self.broken(host, Law::Liveness, what);
        }
    }

    /// Whether the rules lead a flow of that kind to a path to `server` that works.
    fn has_path(&mut self, host: usize, kind: Kind, server: Server) -> bool {
        let relays = !self.scenario.relays.is_empty();
        let Some(client) = self.hosts[host].client() else { return false };
        let after = client.condition;
        let is_cellular = client.network.link == Link::Cellular;
        let is_proxied = client.process.client.look(|machine| machine.route(kind)) == Route::Proxied;
        let direct = match after {
            Condition::Open => true,
            Condition::NoUdp => kind == Kind::Stream,
            Condition::Only443 => kind == Kind::Stream && server != Server::HighPort,
            _ => false,
        };
        let relayed = relays
            && matches!(
                after,
                Condition::Open | Condition::NoUdp | Condition::Only443 | Condition::OnlyRelays
            );
        match client.plan.mode {
            Mode::Off => direct,
            Mode::Normal => relayed,
            Mode::Smart if is_proxied => relayed,
            // Where one kind proves direct for both, the other is rescued.
            Mode::Smart => direct || (relayed && !is_cellular),
        }
    }

    /// Applications give everything back, and clients end.
    fn close(&mut self) {
        if self.violation.is_some() {
            return;
        }
        if !self.scenario.abrupt {
            for host in 0..self.scenario.clients.len() {
                self.enter(host);
                self.release_all(host);
            }
            self.settle_all();
            self.run_for(Duration::from_secs(30));
        }
        for host in 0..self.scenario.clients.len() {
            self.enter(host);
            if let Some(client) = self.hosts[host].client() {
                // What the system took is delivered, and the connection ends like that of a process that ends.
                for flow in client.flows.values().filter(|flow| flow.plan.kind == Kind::Stream) {
                    self.delivery.cut(flow.number, true);
                }
                client.closed = true;
                client.process.client.close();
            }
        }
        self.settle_all();
        self.run_for(LONGEST_REST);
    }

    pub(super) fn release_all(&mut self, host: usize) {
        let Some(client) = self.hosts[host].client() else { return };
        let flows: Vec<FlowId> = client.flows.keys().copied().collect();
        for id in flows {
            self.release(host, id);
        }
    }

    pub(super) fn say_direct(&mut self, host: usize, kind: Kind) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        client.pass(now);
        for (of, rules) in &mut client.rules {
            if of.is_none_or(|of| of == kind) {
                rules.proven();
            }
        }
        client.process.client.direct_works(kind);
    }

    /// Law 6: nothing is left.
    fn check_left(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for host in 0..self.hosts.len() {
            let (left, sockets) = {
                let kernel = self.hosts[host].kernel.lock();
                (kernel.stack.len(), kernel.open())
            };
            let what = match &mut self.hosts[host].role {
                Role::Client(client) => {
                    let (flows, timer) =
                        client.process.client.look(|machine| (machine.flow_count(), machine.poll_timeout()));
                    (flows + sockets + left > 0 || timer.is_some()).then(|| {
                        format!("{flows} flows, {sockets} sockets, {left} in the network code, timer {timer:?} are left after the end")
                    })
                }
                Role::Relay(relay) => relay.process().and_then(|process| {
                    let stats = process.handle.stats();
                    let is_idle =
                        process.handle.look(|machine| machine.is_idle()).into_iter().all(|idle| idle);
                    (!is_idle || stats.held > 0 || sockets > 0 || left > 0)
                        .then(|| format!("{stats:?}, {sockets} sockets, {left} in the network code are left"))
                }),
                Role::Servers(_) | Role::Intruder(_) | Role::Bait => None,
            };
            if let Some(what) = what {
                self.broken(host, Law::Growth, what);
            }
        }
    }

    /// Law 8, for whoever prints a whole machine.
    pub(super) fn check_debug(&mut self) {
        if self.scenario.fast {
            return;
        }
        for host in 0..self.hosts.len() {
            let text = match &mut self.hosts[host].role {
                Role::Client(client) => client.process.client.look(|machine| format!("{machine:?}")),
                Role::Relay(relay) => {
                    let shown = |process: &mut RelayProcess| {
                        process.handle.look(|machine| format!("{machine:?}")).concat()
                    };
                    relay.process().map_or(String::new(), shown)
                }
                Role::Servers(_) | Role::Intruder(_) | Role::Bait => String::new(),
            };
            if self.secrets.shows(&text) {
                self.broken(
                    host,
                    Law::Secrets,
                    "a secret stands in the debug form of the machine".to_owned(),
                );
            }
        }
    }
}

/// After the faults, what is in use works again within that time: a second, a trial, and round trips for a name, a
/// handshake, a request and an answer. Two pauses between datagrams come to it: the one that shows that the way is blocked is
/// lost, and the next one is answered.
const RECOVERY: Duration = Duration::from_millis(1_000 + 1_000 + 300);
/// A relay that has said nothing for two seconds is doubted, and left a second later.
const SILENCE: Duration = Duration::from_secs(3);
/// After the faults, what waits for a backoff may do so for that long, and relays find out whom they have lost.
const GRACE: Duration = Duration::from_secs(200);
/// Then a new flow connects and is answered within that time, where there is a path.
const BOUND: Duration = Duration::from_secs(15);
/// A datagram waits no longer than the age of a queue before each half of its way, and while a tunnel is made; the round
/// trips of a clean path come to it.
const OLDEST: Duration = Duration::from_millis(3 * 500 + 200);
/// And fails within that time where there is none: a trial, and the time to open on either route.
const LONGEST_FAILURE: Duration = Duration::from_secs(65);
/// The longest rest of a relay is the idle time of a stream, two hours.
const LONGEST_REST: Duration = Duration::from_secs(2 * 3_600 + 600);
