//! A client on its host, with the application around it.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wayleave_proto::base::{Instant, Kind, Link, Network, Route, Target};
use wayleave_proto::client::{self, FlowId, FlowStatus, ProxyFault};
use wayleave_proto::config::{ClientLimits, Mode, Scope};
use wayleave_proto::net::Machine as _;
use wayleave_proto::route::Phase;

use super::build::RELAY_PORT;
use super::flow::Flow;
use super::kernel::Step;
use super::process::ClientProcess;
use super::server::port;
use super::{Happening, World};
use crate::laws::{Law, Prescribed};
use crate::network::{Answer, Answering, Names, Packet, Protocol};
use crate::scenario::{ClientPlan, Condition, FlowPlan};
use crate::trace::What;

/// A client and its application.
#[derive(Debug)]
pub(super) struct ClientHost {
    pub(super) process: ClientProcess,
    pub(super) plan: ClientPlan,
    limits: ClientLimits,
    pub(super) flows: BTreeMap<FlowId, Flow>,
    pub(super) network: Network,
    /// What the network lets through.
    pub(super) condition: Condition,
    /// The network of which the machine has said that it knows.
    heard: Network,
    /// What the rules prescribe, for each decision.
    pub(super) rules: Vec<(Option<Kind>, Prescribed)>,
    /// Nothing runs before.
    pub(super) suspended: Option<Instant>,
    /// How long nothing ran, in all.
    pub(super) slept: Duration,
    /// What the embedder is going to say of the network when it runs again.
    untold: Option<Network>,
    pub(super) closed: bool,
    /// Somebody else may have answered for its servers.
    pub(super) tainted: bool,
    /// The addresses and names of its proxies.
    pub(super) proxies: BTreeSet<IpAddr>,
    pub(super) proxy_names: BTreeSet<String>,
    /// A direct connection stood when the machine was last asked, made in the present trial and with nothing sent over it.
    stands: bool,
    /// When relays refused it, as far back as law 6 looks.
    refused: VecDeque<Instant>,
    /// What the trace says of the decisions, by their kinds.
    shown: [Option<Phase>; 2],
}

impl ClientHost {
    pub(super) fn new(
        process: ClientProcess,
        plan: ClientPlan,
        limits: ClientLimits,
        proxies: BTreeSet<IpAddr>,
        proxy_names: BTreeSet<String>,
    ) -> Self {
        let network = Network { link: plan.link, up: plan.up, fingerprint: None };
        let rules = |kind: Option<Kind>, probed: bool| {
            let length = Duration::from_secs(1);
            (kind, Prescribed::new(Instant::ZERO, network, probed, plan.return_to_direct, length))
        };
        let (streams, datagrams) = plan.probes;
        let rules = match (plan.mode, plan.scope) {
            (Mode::Normal | Mode::Off, _) => Vec::new(),
            (Mode::Smart, Scope::Kind) => {
                vec![rules(Some(Kind::Datagram), datagrams), rules(Some(Kind::Stream), streams)]
            }
            (Mode::Smart, Scope::Session) => vec![rules(None, streams || datagrams)],
        };
        let condition = plan.condition;
        let tainted = matches!(condition, Condition::Portal | Condition::Intercepted);
        Self {
            process,
            plan,
            limits,
            flows: BTreeMap::new(),
            network,
            condition,
            heard: network,
            rules,
            suspended: None,
            slept: Duration::ZERO,
            untold: None,
            closed: false,
            tainted,
            proxies,
            proxy_names,
            stands: false,
            refused: VecDeque::new(),
            shown: [None; 2],
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if let Some(until) = self.suspended {
            return Some(until);
        }
        self.flows.values().filter_map(|flow| flow.due).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.suspended = self.suspended.filter(|until| *until > now);
    }

    pub(super) fn status(&self, id: FlowId) -> FlowStatus {
        self.process.client.look(|machine| machine.status(id))
    }

    fn is_proxy(&self, address: SocketAddr) -> bool {
        self.proxies.contains(&address.ip()) && address.port() == RELAY_PORT
    }

    /// Whether a flow of that kind looks for its way, or has one that must be proven anew.
    fn looks(&self, kind: Option<Kind>) -> bool {
        self.flows.iter().any(|(id, flow)| {
            kind.is_none_or(|kind| kind == flow.plan.kind)
                && match self.status(*id) {
                    FlowStatus::Pending => true,
                    FlowStatus::Open(route) => flow.plan.kind == Kind::Datagram && route == Route::Direct,
                    FlowStatus::Failed(_) => false,
                }
        })
    }

    /// Whether a flow of that kind has failed, and its application is about to hear of it.
    fn fails_now(&self, kind: Option<Kind>) -> bool {
        self.flows.iter().any(|(id, flow)| {
            kind.is_none_or(|kind| kind == flow.plan.kind)
                && matches!(self.status(*id), FlowStatus::Failed(_))
        })
    }

    /// While the network is down no trial can be the sign that a flow has come back from its way to a relay; that the
    /// decision waits for the network is.
    fn hear_waiting(&mut self, now: Instant) {
        let waits = |of: Option<Kind>| {
            let phase = self.process.client.look(|machine| machine.phase(of.unwrap_or(Kind::Stream)));
            phase == Phase::Waiting && self.looks(of)
        };
        let waiting: Vec<bool> = self.rules.iter().map(|(of, _)| waits(*of)).collect();
        for ((_, rules), _) in self.rules.iter_mut().zip(waiting).filter(|(_, waits)| *waits) {
            rules.flow(now);
        }
    }

    fn each_rule(&mut self, kind: Option<Kind>, now: Instant, act: impl Fn(&mut Prescribed, bool)) {
        let looks: Vec<bool> = self.rules.iter().map(|(of, _)| self.looks(*of)).collect();
        self.pass(now);
        for ((of, rules), looks) in self.rules.iter_mut().zip(looks) {
            if kind.is_none() || of.is_none() || *of == kind {
                act(rules, looks);
            }
        }
    }

    /// Time passes for the rules.
    pub(super) fn pass(&mut self, now: Instant) {
        for (of, rules) in &mut self.rules {
            rules.pass(now, self.stands && *of != Some(Kind::Datagram));
        }
    }

    /// Another trial of streams begins, or another network.
    fn grow_old(&mut self, is_network: bool) {
        self.process.kernel.lock().grow_old(is_network);
        self.stands = false;
    }

    /// Looks for a connection that stands.
    fn see(&mut self) {
        let Self { process, proxies, .. } = self;
        let counts = |remote: SocketAddr| !proxies.contains(&remote.ip()) && remote.port() != port::PROBE;
        self.stands = process.kernel.lock().stands(counts);
    }
}

impl World {
    /// An application opens a flow.
    pub(super) fn open(&mut self, host: usize, plan: FlowPlan) {
        let number = self.report.flows.len() as u64 + 1;
        let target = self.target(plan.server);
        let (now, trace) = (self.now, &mut self.trace);
        let Some(client) = self.hosts[host].client() else { return };
        trace.add(now, host, What::Application(format!("opens {plan} {number} to {target}")));
        self.report.flows.push((host, plan, super::flow::Outcome::default()));
        self.grants.wish(host, plan.kind, &target);
        let opened = client.process.client.tell(|machine, now| machine.open(now, plan.kind, target));
        self.report.opened.push((now, opened.as_ref().ok().copied()));
        match opened {
            Ok(id) => {
                client.each_rule(Some(plan.kind), now, |rules, _| rules.flow(now));
                let slept = client.slept;
                let mut flow = Flow::new(number, plan, now);
                flow.slept = slept;
                client.flows.insert(id, flow);
            }
            Err(error) => self.report.flows[number as usize - 1].2.error = Some((now, error)),
        }
    }

    /// The embedder says that the network is another.
    pub(super) fn tell_network(&mut self, host: usize, network: Network) {
        self.enter(host);
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        client.network = network;
        client.untold = None;
        if client.suspended.is_some() {
            client.untold = Some(network);
            return;
        }
        client.each_rule(None, now, |rules, looks| rules.network(now, network, looks && !rules.is_proxied()));
        client.grow_old(true);
        client.process.client.network_changed(network);
    }

    /// The embedder asks for a new trial.
    pub(super) fn ask_trial(&mut self, host: usize, kind: Option<Kind>) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        client.each_rule(kind, now, |rules, looks| rules.retry(now, looks && !rules.is_proxied()));
        client.process.client.retry_direct(kind);
    }

    pub(super) fn settle_client(&mut self, host: usize) {
        if self.hosts[host]
            .client()
            .is_none_or(|client| client.suspended.is_some_and(|until| until > self.now))
        {
            return;
        }
        let now = self.now;
        if let Some(client) = self.hosts[host].client()
            && client.suspended.is_some()
        {
            client.handle_timeout(now);
            self.hosts[host].kernel.lock().handle_timeout();
        }
        if let Some(network) = self.hosts[host].client().and_then(|client| client.untold.take()) {
            // What the client says of the network that it knew is said before: the rules follow its words in their order.
            self.drain_client(host);
            self.tell_network(host, network);
        }
        // Bounded: each round needs something that happened, and the network is not asked in between.
        self.drain_client(host);
        loop {
            self.act(host);
            if !self.drain_client(host) || self.violation.is_some() {
                break;
            }
        }
        self.check_route(host);
        self.check_waiting(host);
        self.check_bounds_of_client(host);
        if let Some(client) = self.hosts[host].client() {
            client.see();
        }
    }

    /// Lets the client run, and hears what it did; says whether there was anything.
    fn drain_client(&mut self, host: usize) -> bool {
        let mut steps = Vec::new();
        let Some(client) = self.hosts[host].client() else { return false };
        let ran = client.process.run(&mut steps);
        let moved = !steps.is_empty() || ran == Ok(true);
        self.check(host, Law::Growth, ran.map(|_| ()));
        for step in steps {
            self.on_client_step(host, step);
        }
        moved
    }

    fn on_client_step(&mut self, host: usize, step: Step) {
        match step {
            Step::Asked { id, name } => {
                self.check_name(host, name.as_str());
                let names = &self.hosts[host].names;
                let access = &self.hosts[host].access;
                let answers = if access.up && !access.firewall.without_names {
                    names.ask(name.as_str())
                } else if access.up {
                    Names { answering: Answering::Silent, ..names.clone() }.ask(name.as_str())
                } else {
                    vec![Answer::unanswered(Duration::from_millis(1))]
                };
                for answer in answers {
                    self.looked_up(host, name.as_str(), &answer);
                    if let (Some(client), Ok(addresses)) = (self.hosts[host].client(), &answer.addresses)
                        && client.proxy_names.contains(name.as_str())
                    {
                        // Whatever the name service says: that is where the proxy is.
                        client.proxies.extend(addresses);
                    }
                    self.later(answer.after, Happening::Answer { host, id, answer });
                }
            }
            Step::Dialled { address } => self.check_closed(host, Kind::Stream, address),
            Step::Bound { address } => self.check_closed(host, Kind::Datagram, address),
            // To a probe the connection is the answer.
            Step::Opened { remote } if remote.port() == port::PROBE => {
                self.on_proof(host, Kind::Stream, remote);
            }
            Step::Opened { .. } => {}
            Step::Answered { remote, is_stream } => {
                let kind = if is_stream { Kind::Stream } else { Kind::Datagram };
                self.on_proof(host, kind, remote);
            }
            // Its application looks after all flows then.
            Step::Noticed => {}
            Step::Said => match self.hosts[host].client().and_then(|client| client.process.event()) {
                Some(event) => self.on_client_event(host, event),
                None => self.broken(host, Law::Liveness, "an event was told, and nobody hears it".to_owned()),
            },
        }
    }

    fn on_client_event(&mut self, host: usize, event: client::Event) {
        if let client::What::FlowClosed { reason: client::CloseReason::Failed(error), .. } = &event.what {
            self.trace.see("flow error", error);
        }
        match &event.what {
            client::What::FlowClosed { reason, .. } => self.shown(host, reason),
            client::What::ProxyFailed { error, .. } => {
                self.trace.see("proxy", error);
                self.shown(host, error);
                if matches!(error, ProxyFault::Refused { .. } | ProxyFault::TokenExpired { .. }) {
                    self.on_refusal(host, event.at);
                }
            }
            client::What::RouteChanged { reason, .. } => self.trace.see("route", reason),
            client::What::DirectConnected { proof, .. } => self.trace.see("proof", proof),
            _ => {}
        }
        self.said(host, "client", &event.what);
        // Whoever slept may find it open and lost again in the same moment.
        if let client::What::FlowOpened { flow, route, .. } = &event.what
            && let Some(client) = self.hosts[host].client()
            && let Some(flow) = client.flows.get_mut(flow)
        {
            flow.outcome.connected.get_or_insert((event.at, *route));
        }
        if let client::What::TrialStarted { kind, .. } = &event.what {
            self.on_trial(host, *kind, event.at);
        }
        if let (client::What::NetworkChanged { network }, Some(client)) =
            (&event.what, self.hosts[host].client())
        {
            client.heard = *network;
        }
        if let client::What::Rescuing { .. } = &event.what {
            self.on_rescue(host);
        }
        if let client::What::ProofFailed { kind, .. } = &event.what {
            self.on_doubt(host, *kind, event.at);
        }
        self.report.client_events.push((host, event));
    }

    /// Law 6, for what a client asks of relays that have refused it: each flow asks all of them about once a second, however
    /// soon they answer.
    fn on_refusal(&mut self, host: usize, now: Instant) {
        let opened = self.report.flows.iter().filter(|(of, ..)| *of == host).count();
        let most = (opened + 1) * (self.scenario.relays.len() + 1) * REFUSALS;
        let Some(client) = self.hosts[host].client() else { return };
        client.refused.push_back(now);
        while client.refused.front().is_some_and(|first| now.since(*first) > REFUSALS_WITHIN) {
            client.refused.pop_front();
        }
        let count = client.refused.len();
        if count > most {
            let what = format!("{count} refusals within {REFUSALS_WITHIN:?} for {opened} flows, most {most}");
            self.broken(host, Law::Growth, what);
        }
    }

    /// When a decision starts again, a flow may be on its way to a relay. Whether and when that one looks for a direct path
    /// again (because the relay refuses it, say) cannot be seen from outside, so here the trial itself is taken as the sign.
    fn on_trial(&mut self, host: usize, kind: Option<Kind>, now: Instant) {
        let Some(client) = self.hosts[host].client() else { return };
        // A stream that was not answered may be looking for another path, unnoticed; and a flow that fails in this moment,
        // which its application has not seen yet, was looking when the trial began.
        let looks = client.looks(kind) || kind != Some(Kind::Datagram) || client.fails_now(kind);
        if kind != Some(Kind::Datagram) {
            client.grow_old(false);
        }
        let decision = client.rules.iter_mut().find(|(of, _)| *of == kind);
        if let Some((_, rules)) = decision.filter(|_| looks) {
            rules.flow(now);
        }
    }

    /// A proof has failed by the client's own word (rule 10): the law is that it happens more and more seldom, and only where
    /// something can come of it.
    fn on_doubt(&mut self, host: usize, kind: Option<Kind>, now: Instant) {
        let Some(client) = self.hosts[host].client() else { return };
        let decision = client.rules.iter_mut().find(|(of, _)| *of == kind);
        if let Some(Err(what)) = decision.map(|(_, rules)| rules.doubt(now)) {
            self.broken(host, Law::Route, what);
        }
    }

    /// A flow is taken to a relay while the route is direct (rule 9): never on a cellular link, nor where that is off.
    fn on_rescue(&mut self, host: usize) {
        let Some(client) = self.hosts[host].client() else { return };
        if client.heard.link == Link::Cellular || !client.plan.rescue {
            let what =
                format!("a flow is rescued on {:?}, rescue on: {}", client.heard.link, client.plan.rescue);
            self.broken(host, Law::Route, what);
        }
    }

    /// A direct success counts for the rules.
    fn on_proof(&mut self, host: usize, kind: Kind, remote: SocketAddr) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        if !client.proxies.contains(&remote.ip()) {
            client.each_rule(Some(kind), now, |rules, _| rules.proven());
        }
    }

    /// Lets every flow's application act.
    fn act(&mut self, host: usize) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        let ids: Vec<FlowId> = client.flows.keys().copied().collect();
        let mut result = Ok(());
        for id in ids {
            let Some(client) = self.hosts[host].client() else { return };
            let ClientHost { process, flows, tainted, .. } = client;
            let Some(flow) = flows.get_mut(&id) else { continue };
            flow.tainted |= *tainted;
            let released = flow.act(now, &process.client, id, &mut self.delivery);
            let number = flow.number as usize;
            let is_released = *released.as_ref().unwrap_or(&false);
            self.report.flows[number - 1].2 = flow.outcome.clone();
            if is_released {
                self.report.flows[number - 1].2.released = true;
                flows.remove(&id);
            }
            result = result.and(released.map(|_| ()));
        }
        self.check(host, Law::Delivery, result);
    }

    /// Law 1, for names.
    fn check_name(&mut self, host: usize, name: &str) {
        let Some(client) = self.hosts[host].client() else { return };
        if client.plan.mode == Mode::Normal && !client.proxy_names.contains(name) {
            self.broken(
                host,
                Law::FailClosed,
                format!("the name {name} is looked up by a client in mode normal"),
            );
        }
    }

    /// Law 1, for sockets; and in mode off the other way around.
    fn check_closed(&mut self, host: usize, kind: Kind, address: SocketAddr) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        let is_proxy = kind == Kind::Stream && client.is_proxy(address);
        match client.plan.mode {
            Mode::Normal if !is_proxy => {
                let what = format!("a client in mode normal opens a {kind} socket to {address}");
                self.broken(host, Law::FailClosed, what);
            }
            Mode::Off if is_proxy => {
                self.broken(host, Law::Route, format!("a client in mode off opens a socket to {address}"));
            }
            // What is under way at the switch is given up; nothing new may begin.
            Mode::Smart if !is_proxy => {
                client.pass(now);
                let decision = client.rules.iter_mut().find(|(of, _)| of.is_none_or(|of| of == kind));
                let Some((_, rules)) = decision else { return };
                if rules.is_proxied() {
                    let what =
                        format!("a {kind} is dialled directly to {address}, and the rules say proxied");
                    self.broken(host, Law::Route, what);
                }
            }
            Mode::Normal | Mode::Off | Mode::Smart => {}
        }
    }

    /// Law 1, for packets.
    pub(super) fn check_packet(&mut self, host: usize, packet: &Packet) {
        let Some(client) = self.hosts[host].client() else { return };
        let is_proxy = packet.protocol() == Protocol::Tcp && client.is_proxy(packet.destination);
        if client.plan.mode == Mode::Normal && !is_proxy {
            let what = format!("a client in mode normal sends {packet}");
            self.broken(host, Law::FailClosed, what);
        }
    }

    /// Law 2.
    fn check_route(&mut self, host: usize) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        // A packet for nobody may arrive at the very moment of a deadline, and the machine is asked only after it.
        client.hear_waiting(now);
        let due = client.process.client.look(|machine| machine.poll_timeout());
        let is_due = due.is_some_and(|due| due <= now);
        let is_missed = due.is_some_and(|due| due < now);
        let mut wrong = None;
        let mut changed = Vec::new();
        for (index, kind) in [Kind::Datagram, Kind::Stream].into_iter().enumerate() {
            let route = client.process.client.look(|machine| machine.route(kind));
            let prescribed = match client.plan.mode {
                Mode::Normal => Route::Proxied,
                Mode::Off => Route::Direct,
                Mode::Smart => {
                    client.pass(now);
                    let rules = client.rules.iter().find(|(of, _)| of.is_none_or(|of| of == kind));
                    let Some((_, rules)) = rules else { continue };
                    if rules.is_proxied() { Route::Proxied } else { Route::Direct }
                }
            };
            if route != prescribed && !client.closed && !is_due {
                wrong = Some(format!("{kind}s go {route}, and the rules say {prescribed}"));
            }
            // Rule 8: what was pending is taken over.
            let is_direct = |remote: SocketAddr| !client.is_proxy(remote);
            if prescribed == Route::Proxied
                && kind == Kind::Stream
                && !is_due
                && client.process.kernel.lock().dials(is_direct)
            {
                wrong = Some("a stream still looks for a direct path, and the rules say proxied".to_owned());
            }
            let phase = client.process.client.look(|machine| machine.phase(kind));
            if client.shown[index].replace(phase) != Some(phase) {
                changed.push((kind, phase));
            }
        }
        for (kind, phase) in changed {
            self.trace.add(now, host, What::Route(kind, phase));
        }
        if let Some(wrong) = wrong {
            self.broken(host, Law::Route, wrong);
        }
        if is_missed {
            self.broken(host, Law::Liveness, format!("nobody woke up for the deadline {due:?}"));
        }
    }

    /// Law 5: nothing waits for ever.
    fn check_waiting(&mut self, host: usize) {
        let now = self.now;
        let Some(client) = self.hosts[host].client() else { return };
        let slept = client.slept;
        // The time of opening, and the trial that may lie before it; nobody looks while he sleeps.
        let longest = client.limits.open_timeout + Duration::from_secs(1);
        let waits = client.flows.iter().find(|(id, flow)| {
            now.since(flow.opened) > longest + slept.saturating_sub(flow.slept)
                && client.status(**id) == FlowStatus::Pending
                && flow.outcome.connected.is_none()
        });
        if let Some((_, flow)) = waits {
            let what = format!("flow {} has waited for more than {longest:?}", flow.number);
            self.broken(host, Law::Liveness, what);
        }
    }

    /// Law 6, for a client that runs.
    fn check_bounds_of_client(&mut self, host: usize) {
        let relays = self.scenario.relays.len();
        let Some(client) = self.hosts[host].client() else { return };
        let (flows, held) = client.process.client.look(|machine| (machine.flow_count(), machine.held()));
        let sockets = client.process.kernel.lock().open();
        let limits = &client.limits;
        // A flow has a look-up or an attempt at each address, a search for a proxy one at each; a ready connection one, and a
        // question to a silent relay one.
        let bound = flows * SOCKETS_PER_FLOW
            + (limits.dials.min(flows + limits.standby + relays + JOINED)) * relays.max(1)
            + limits.standby
            + 2 * relays
            + 2 * SOCKETS_PER_FLOW;
        // Two buffers a flow, a read that was lent to each when it was full, and what waits of a connection that is ready.
        let most = flows * 2 * (limits.buffer + LENT) + (limits.standby + relays + limits.dials) * LENT;
        if flows > limits.flows || sockets > bound || held > most {
            let what = format!(
                "{flows} flows of {}, {sockets} sockets and look-ups of {bound}, {held} bytes held of {most}",
                limits.flows
            );
            self.broken(host, Law::Growth, what);
        }
    }

    pub(super) fn looked_up(&mut self, host: usize, name: &str, answer: &Answer) {
        self.trace.digest(self.now, host, name.as_bytes());
        if self.trace.keeps() {
            let told = match &answer.addresses {
                Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                Err(error) => error.to_string(),
            };
            self.trace.add(self.now, host, What::Lookup(name.to_owned(), told));
        }
    }

    pub(super) fn target(&self, server: crate::scenario::Server) -> Target {
        super::build::target(server)
    }
}

/// What one read may lend.
const LENT: usize = 64 * 1024;
/// So many refusals may come for each flow and each relay within that time: pauses are half a second on the average.
const REFUSALS: usize = 25;
const REFUSALS_WITHIN: Duration = Duration::from_secs(10);
/// Searches that join those before them while somebody waits.
const JOINED: usize = 3;
/// A look-up and an attempt at each of its two addresses, and beside them a request to a relay and its hedge.
const SOCKETS_PER_FLOW: usize = 5;
