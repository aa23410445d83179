//! From a scenario to a world.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::{Host as Named, Instant, Kind, Network, Seed, Target, UnixTime};
use wayleave_proto::config::{
    ClientConfig, ClientLimits, Probe, RelayConfig, RelayLimits, RescueConfig, RouteConfig,
};
use wayleave_proto::policy::{Rates, Scope};

use super::client::ClientHost;
use super::credentials::{self, GOOD_KEY};
use super::host::{Host, Role};
use super::intruder::{Intruder, MALLORY, newcomer};
use super::kernel::{Shared, Temper};
use super::process::{ClientProcess, RelayProcess};
use super::relay::{RelayHost, Stand};
use super::server::{Behaviour, Servers, port};
use super::{EPOCH, Happening, World};
use crate::crypto::Authority;
use crate::laws::{Delivery, Grants, Right, Secrets};
use crate::network::{Access, Names, Nat};
use crate::report::Report;
use crate::scenario::{Allowed, ClientPlan, FlowPlan, RelayPlan, Server, Step};
use crate::trace::Trace;
use crate::{Scenario, Tape, crypto};

impl World {
    /// The world of `scenario`, whose further choices come from `tape`.
    ///
    /// # Errors
    /// The scenario has a configuration that a machine does not take.
    pub(crate) fn new(scenario: Scenario, tape: Tape, keeps: bool) -> anyhow::Result<Self> {
        let seed = tape.seed();
        crypto::begin(&seed);
        let table = names(scenario.relays.len(), scenario.balanced);
        let mut world = Self {
            now: Instant::ZERO,
            tape,
            trace: Trace::new(keeps),
            hosts: Vec::new(),
            relay_names: Names::new(table.clone()),
            queue: BTreeMap::new(),
            sequence: 0,
            delivery: Delivery::default(),
            grants: Grants::default(),
            secrets: Secrets::default(),
            relays_misled: false,
            knocked: None,
            violation: None,
            report: Report::default(),
            scenario,
        };
        for secret in credentials::key_secrets(world.scenario.clients.len()) {
            world.secrets.add_bytes(&secret);
        }
        for index in 0..world.scenario.clients.len() {
            world.add_client(index, &seed, table.clone())?;
        }
        for index in 0..world.scenario.relays.len() {
            world.add_relay(index)?;
        }
        world.add_others()?;
        world.schedule();
        Ok(world)
    }

    fn add_client(
        &mut self,
        index: usize,
        seed: &Seed,
        table: BTreeMap<String, Vec<IpAddr>>,
    ) -> anyhow::Result<()> {
        let plan = self.scenario.clients[index].clone();
        let relays = self.scenario.relays.len();
        let mut access = access_of(index, 0, &plan, plan.link);
        access.up = plan.up;
        access.set_quality(plan.quality);
        access.firewall = super::faults::firewall(plan.condition, relays);
        let config = client_config(self, index, &plan, relays)?;
        let mut bytes = [0; 32];
        seed.stream(&format!("client {index}")).fill(&mut bytes);
        let limits = config.limits.clone();
        crypto::show(unix(plan.ahead));
        let kernel = Shared::new(access.address, self.temper(), Seed::new(bytes));
        kernel.lock().unix = unix(plan.ahead);
        let process = ClientProcess::start(config.build()?, &kernel);
        let proxies = (0..relays).map(relay_address).collect();
        let proxy_names = (0..relays).map(relay_name).collect();
        let ahead = plan.ahead;
        let host = ClientHost::new(process, plan, limits, proxies, proxy_names);
        let role = Role::Client(Box::new(host));
        self.add(&format!("client {index}"), kernel, access, Names::new(table), ahead, role);
        Ok(())
    }

    fn add_relay(&mut self, index: usize) -> anyhow::Result<()> {
        let plan = self.scenario.relays[index].clone();
        let mut access = Access::new(relay_address(index), wayleave_proto::base::Link::Ethernet);
        access.set_quality(plan.quality);
        let config = relay_config(&self.scenario, &plan, index, true)?;
        let role = Role::Relay(Box::new(RelayHost::new(Stand::Crashed, config.limits.clone())));
        let kernel = Shared::new(access.address, self.temper(), relay_seed(index, self.now)?);
        let names = Names::new(BTreeMap::new());
        self.add(&format!("relay {index}"), kernel, access, names, plan.ahead, role);
        if plan.running {
            let stand = self.relay(&plan, index, true)?;
            if let Some(relay) = self.hosts.last_mut().and_then(Host::relay) {
                relay.stand = stand;
            }
        }
        Ok(())
    }

    fn add_others(&mut self) -> anyhow::Result<()> {
        let others = [
            ("servers", SERVERS, Behaviour::Serves),
            (
                "portal",
                PORTAL,
                Behaviour::Says(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n".to_vec()),
            ),
            (
                "interceptor",
                INTERCEPTOR,
                Behaviour::Intercepts(Authority::Foreign.acceptor(self.scenario.fast)?),
            ),
            ("box", BOX, Behaviour::Swallows),
        ];
        for (name, address, behaviour) in others {
            let access = Access::new(IpAddr::V4(address), wayleave_proto::base::Link::Ethernet);
            let kernel = Shared::plain(access.address);
            let role = Role::Servers(Servers::new(behaviour, &mut kernel.lock().stack));
            self.add(name, kernel, access, Names::new(BTreeMap::new()), 0, role);
        }
        let access = Access::new(IpAddr::V4(PRIVATE), wayleave_proto::base::Link::Ethernet);
        self.add(
            "private",
            Shared::plain(access.address),
            access,
            Names::new(BTreeMap::new()),
            0,
            Role::Bait,
        );
        if let Some(host) = self.hosts.last_mut() {
            host.also = BAITS.map(IpAddr::V4).to_vec();
        }
        if let Some(plan) = self.scenario.intruder {
            let access = Access::new(IpAddr::V4(INTRUDER), wayleave_proto::base::Link::Ethernet);
            let day = Duration::from_secs(86_400);
            let fast = self.scenario.fast;
            let token = credentials::mint(fast, GOOD_KEY, "mallory", unix(0), day, Scope::default())?;
            self.secrets.add(token.expose());
            self.grants.right(Right {
                client: MALLORY,
                user: credentials::user("mallory"),
                good: true,
                expires: None,
                allowed: Allowed::default(),
            });
            let intruder =
                Intruder::new(plan, self.scenario.length, Authority::Trusted.connector(fast)?, token);
            let role = Role::Intruder(intruder);
            self.add("intruder", Shared::plain(access.address), access, Names::new(BTreeMap::new()), 0, role);
        }
        Ok(())
    }

    /// Somebody who has never been here before; gives the number of the host.
    pub(super) fn add_newcomer(&mut self) -> anyhow::Result<usize> {
        let fast = self.scenario.fast;
        let access = Access::new(IpAddr::V4(NEWCOMER), wayleave_proto::base::Link::Ethernet);
        let token = credentials::mint(fast, GOOD_KEY, "newcomer", unix(0), Duration::ZERO, Scope::default())?;
        let role = Role::Intruder(newcomer(Authority::Trusted.connector(fast)?, token));
        self.add("newcomer", Shared::plain(access.address), access, Names::new(BTreeMap::new()), 0, role);
        Ok(self.hosts.len() - 1)
    }

    fn add(&mut self, name: &str, kernel: Shared, access: Access, names: Names, ahead: i32, role: Role) {
        self.report.hosts.push(name.to_owned());
        let (name, also, stuck) = (name.to_owned(), Vec::new(), (Instant::ZERO, 0));
        let set = Vec::new();
        self.hosts.push(Host { name, kernel, access, names, ahead, set, also, role, due: None, stuck });
    }

    fn temper(&self) -> Temper {
        let Scenario { chunk, odd, .. } = self.scenario;
        Temper { chunk, odd }
    }

    fn schedule(&mut self) {
        let faults: Vec<Duration> = self.scenario.faults.iter().map(|(after, _)| *after).collect();
        for (index, after) in faults.into_iter().enumerate() {
            self.later(after, Happening::Fault(index));
        }
        for client in 0..self.scenario.clients.len() {
            // Behind all others, so that those keep their numbers.
            if let Some(pace) = self.scenario.clients[client].in_use {
                let open = Step::Open(FlowPlan::endless(pace));
                self.scenario.clients[client].application.steps.push((Duration::ZERO, open));
            }
            let steps = &self.scenario.clients[client].application.steps;
            let times: Vec<Duration> = steps.iter().map(|(after, _)| *after).collect();
            for (index, after) in times.into_iter().enumerate() {
                self.later(after, Happening::Step(client, index));
            }
        }
    }

    /// A relay that starts now.
    pub(super) fn relay(&mut self, plan: &RelayPlan, index: usize, has_keys: bool) -> anyhow::Result<Stand> {
        let config = relay_config(&self.scenario, plan, index, has_keys)?.build()?;
        let host = self.scenario.clients.len() + index;
        self.grants.started(host, plan);
        self.enter(host);
        let kernel = &self.hosts[host].kernel;
        // Each start makes another machine of it, which clients can tell from the one before.
        kernel.lock().seed = relay_seed(index, self.now)?;
        let address = (relay_address(index), RELAY_PORT).into();
        let process = RelayProcess::start(config, address, plan.machines, kernel)?;
        Ok(Stand::Runs(Box::new(process)))
    }
}

fn relay_seed(index: usize, started: Instant) -> anyhow::Result<Seed> {
    let mut bytes = [0; 32];
    let [number, since, ..] = bytes.as_chunks_mut::<8>().0 else { anyhow::bail!("no seed") };
    *number = (index as u64).to_be_bytes();
    *since = started.as_nanos().to_be_bytes();
    Ok(Seed::new(bytes))
}

fn client_config(
    world: &mut World,
    index: usize,
    plan: &ClientPlan,
    relays: usize,
) -> anyhow::Result<ClientConfig> {
    // Behind a balancer there is one name for all.
    let names = if world.scenario.balanced { 1 } else { relays };
    let proxies: Result<Vec<Target>, _> =
        (0..names).map(|relay| format!("{}:{RELAY_PORT}", relay_name(relay)).parse()).collect();
    let credential = world.credential(index, plan.credential, plan.allowed)?;
    let mut config =
        ClientConfig::new(proxies?, credential, Authority::Trusted.connector(world.scenario.fast)?);
    config.carrier = world.scenario.carrier;
    config.route = RouteConfig {
        mode: plan.mode,
        scope: plan.scope,
        return_to_direct: plan.return_to_direct,
        rescue: RescueConfig { on: plan.rescue, ..RescueConfig::default() },
        ..RouteConfig::default()
    };
    #[cfg(feature = "canary")]
    {
        config.route.canary = world.scenario.canary;
    }
    config.network = Network { link: plan.link, up: plan.up, fingerprint: None };
    if plan.tight {
        config.limits = ClientLimits {
            flows: 4,
            dials: 1,
            buffer: 4 * 1024,
            standby: 0,
            open_timeout: Duration::from_secs(10),
            proxy_timeout: Duration::from_secs(3),
            linger: Duration::from_secs(1),
            receive_buffer: 4 * 1024,
            ..ClientLimits::default()
        };
    }
    let probe = |kind, port| -> anyhow::Result<Probe> {
        Ok(Probe { kind, target: format!("probe.example:{port}").parse()? })
    };
    if plan.probes.0 {
        config.probes.push(probe(Kind::Stream, port::PROBE)?);
    }
    if plan.probes.1 {
        config.probes.push(probe(Kind::Datagram, port::PROBE)?);
    }
    Ok(config)
}

fn relay_config(
    scenario: &Scenario,
    plan: &RelayPlan,
    index: usize,
    has_keys: bool,
) -> anyhow::Result<RelayConfig> {
    let keys = credentials::keys(&scenario.clients, scenario.fast, has_keys)?;
    let mut config = RelayConfig::new(Authority::Trusted.acceptor(scenario.fast)?, keys);
    config.carrier = scenario.carrier;
    #[cfg(feature = "canary")]
    {
        config.canary = scenario.canary;
    }
    config.targets.own = vec![(relay_address(index), RELAY_PORT).into()];
    config.limits.tunnels_per_account = plan.tunnels;
    config.limits.memory = 8 << 20;
    if plan.tight {
        config.limits = RelayLimits {
            connections: 12,
            connections_per_source: 8,
            buffer: 4 * 1024,
            memory: 1 << 20,
            handshake_timeout: Duration::from_secs(2),
            head_timeout: Duration::from_secs(5),
            dial_timeout: Duration::from_secs(3),
            datagram_idle: Duration::from_secs(120),
            stream_idle: Duration::from_secs(60),
            half_idle: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            receive_buffer: 4 * 1024,
            ..config.limits
        };
    }
    if plan.lean {
        config.limits.memory = 1 << 20;
        config.limits.buffer = 256 * 1024;
    }
    if plan.rate > 0 {
        let rates = Rates { bits_per_second: Some(8 * plan.rate), packets_per_second: None };
        (config.scope.to_client, config.scope.to_target) = (rates, rates);
    }
    Ok(config)
}

/// What the civil clock of a host shows at the start.
pub(super) fn unix(ahead: i32) -> UnixTime {
    UnixTime::from_secs(u64::try_from(EPOCH + i64::from(ahead)).unwrap_or_default())
}

/// The `count`th way out of a client.
pub(super) fn access_of(
    client: usize,
    count: u8,
    plan: &ClientPlan,
    link: wayleave_proto::base::Link,
) -> Access {
    let number = u8::try_from(client).unwrap_or(u8::MAX);
    let mut access = Access::new(IpAddr::V4(Ipv4Addr::new(192, 168, number, 2 + count)), link);
    let outside = IpAddr::V4(Ipv4Addr::new(84, 1, number, count));
    access.nat = Some(Nat::new(outside, plan.mapping, plan.tcp_mapping));
    access
}

/// Where a server of that sort is.
pub(super) fn target(server: Server) -> Target {
    let text = match server {
        Server::Good => "good.example:443",
        Server::ByAddress => "45.10.0.1:443",
        Server::HighPort => "good.example:5000",
        Server::Refusing => "good.example:81",
        Server::Silent => "good.example:82",
        Server::Resetting => "good.example:83",
        Server::Unknown => "nowhere.example:443",
        Server::HalfDead => "half.example:443",
        Server::Private => "private.example:443",
    };
    debug_assert_eq!(port::REFUSING, 81);
    text.parse()
        .unwrap_or(Target { host: Named::Address(IpAddr::V4(SERVERS)), port: core::num::NonZeroU16::MIN })
}

fn names(relays: usize, balanced: bool) -> BTreeMap<String, Vec<IpAddr>> {
    let v4 = |address: Ipv4Addr| IpAddr::V4(address);
    let mut table = BTreeMap::from([
        ("good.example".to_owned(), vec![v4(SERVERS)]),
        ("probe.example".to_owned(), vec![v4(SERVERS)]),
        ("half.example".to_owned(), vec![v4(NOBODY), v4(SERVERS)]),
        ("private.example".to_owned(), vec![v4(PRIVATE)]),
    ]);
    table.extend((0..relays).map(|relay| (relay_name(relay), vec![relay_address(relay)])));
    if balanced {
        table.insert(relay_name(0), (0..relays).map(relay_address).collect());
    }
    table
}

pub(super) fn relay_name(index: usize) -> String {
    format!("r{index}.relay.example")
}

pub(super) fn relay_address(index: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(52, 20, 0, 1 + u8::try_from(index).unwrap_or(u8::MAX)))
}

pub(super) fn relay_addresses(count: usize) -> BTreeSet<IpAddr> {
    (0..count).map(relay_address).collect()
}

/// Where relays listen.
pub(super) const RELAY_PORT: u16 = 443;
pub(super) const PORTAL: Ipv4Addr = Ipv4Addr::new(192, 168, 200, 1);
pub(super) const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 200, 3);
pub(super) const INTERCEPTOR: Ipv4Addr = Ipv4Addr::new(192, 168, 200, 2);
/// Addresses at which nobody is: where names of relays lead by mistake, and other names.
pub(super) const NOBODY_EITHER: Ipv4Addr = Ipv4Addr::new(45, 10, 0, 98);
pub(super) const NOBODY: Ipv4Addr = Ipv4Addr::new(45, 10, 0, 99);
const SERVERS: Ipv4Addr = Ipv4Addr::new(45, 10, 0, 1);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const INTRUDER: Ipv4Addr = Ipv4Addr::new(66, 6, 6, 6);
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(66, 6, 6, 7);
/// Further places to which a relay must never send anything.
const BAITS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(192, 168, 0, 1),
    Ipv4Addr::new(100, 64, 0, 1),
];
