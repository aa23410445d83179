//! The client, whatever its application, its proxies, its targets and its network do.
//!
//! The tape is read as a configuration and a sequence of steps. Proxies shake hands, answer and send as the tape says,
//! well or badly; TLS is left out. The laws that are checked at every step are those of [`Rig`] and of `laws.rs`.

mod flows;
mod laws;
mod peers;
mod steps;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use wayleave_proto::auth::{Credential, Token};
use wayleave_proto::base::{Clock, Instant, Kind, Link, Network, Seed, UnixTime};
use wayleave_proto::carrier::tls::PlainConnector;
use wayleave_proto::client::{Client, FlowStatus};
use wayleave_proto::config::{ClientConfig, Mode, Probe, Scope};
use wayleave_proto::net::SocketId;
use wayleave_proto::queue::DatagramLimits;
use wayleave_proto::testing::token;

use crate::play::{Rig, Tape};

use flows::Flow;
use peers::Peer;

/// Plays a tape, some tapes twice: the same inputs give the same outputs.
pub(crate) fn run(data: &[u8]) {
    let trace = Play::new(data).run();
    if data.first().is_some_and(|first| first % 8 == 7) {
        assert_eq!(Play::new(data).run(), trace, "the same inputs gave other outputs");
    }
}

/// A client and the world around it.
struct Play<'a> {
    tape: Tape<'a>,
    rig: Rig<Client>,
    mode: Mode,
    flows: Vec<Flow>,
    peers: BTreeMap<SocketId, Peer>,
    /// Tokens that were in force, the latest last.
    tokens: Vec<&'static Token>,
    /// The moment of the last event.
    told: Instant,
    is_closed: bool,
}

impl<'a> Play<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut tape = Tape::new(data);
        let _ = tape.byte();
        let mode = tape.pick(&[Mode::Smart, Mode::Normal, Mode::Smart, Mode::Off]);
        let config = config(&mut tape, mode);
        let clock = Clock::new(Instant::ZERO, START);
        let client = Client::new(
            config.build().expect("the configuration is in its ranges"),
            &Seed::new([1; 32]),
            clock,
            Instant::ZERO,
        );
        let secrets = TOKENS.iter().map(|token| token.expose().to_owned()).collect();
        let mut play = Self {
            tape,
            rig: Rig::new(client, secrets),
            mode,
            flows: Vec::new(),
            peers: BTreeMap::new(),
            tokens: vec![&TOKENS[0]],
            told: Instant::ZERO,
            is_closed: false,
        };
        play.look();
        play
    }

    fn run(mut self) -> u64 {
        for _ in 0..MOST_STEPS {
            if self.tape.is_over() {
                break;
            }
            self.step();
            self.look();
        }
        if !self.is_closed {
            self.recover();
        }
        self.close();
        self.rig.trace()
    }

    /// The faults stop: whatever looked for its way finds it, or learns that there is none.
    fn recover(&mut self) {
        let now = self.rig.latest();
        self.rig.machine.handle_network(now, Network::up(Link::Wifi));
        self.rig.settle();
        for _ in 0..60 {
            self.look();
            self.serve_all();
            self.rig.pass(Duration::from_secs(1), false);
            self.look();
        }
        for flow in self.flows.iter().filter(|flow| !flow.is_released) {
            let status = self.rig.machine.status(flow.id);
            assert_ne!(status, FlowStatus::Pending, "{} waits for ever", flow.target);
        }
    }

    /// The client is closed: nothing is left, and nothing comes any more.
    fn close(&mut self) {
        let shown = format!("{:?}", self.rig.machine);
        self.rig.check(&shown);
        self.rig.machine.close(self.rig.now());
        self.rig.settle();
        self.rig.drain();
        self.look();
        self.rig.expect_nothing();
        self.is_closed = true;
        for flow in &self.flows {
            assert!(matches!(self.rig.machine.status(flow.id), FlowStatus::Failed(_)));
            self.rig.machine.release(self.rig.now(), flow.id);
        }
        assert_eq!(self.rig.machine.flow_count(), 0);
        let now = self.rig.latest();
        assert!(self.rig.machine.open(now, Kind::Stream, "10.1.0.1:443".parse().expect("a target")).is_err());
        self.rig.machine.handle_network(now, Network::up(Link::Cellular));
        self.rig.machine.retry_direct(now, None);
        self.rig.machine.renew(now, Credential::Token(TOKENS[1].clone()));
        self.rig.pass(Duration::from_secs(600), false);
        self.look();
        self.rig.expect_nothing();
    }
}

fn config(tape: &mut Tape<'_>, mode: Mode) -> ClientConfig {
    let proxies = match tape.below(3) {
        0 => vec![PROXIES[0]],
        1 => vec![PROXIES[1]],
        _ => PROXIES.to_vec(),
    };
    let proxies = proxies.iter().map(|proxy| proxy.parse().expect("a target")).collect();
    let credential = Credential::Token(TOKENS[0].clone());
    let mut config = ClientConfig::new(proxies, credential, Arc::new(PlainConnector));
    config.route.mode = mode;
    config.route.scope = tape.pick(&[Scope::Kind, Scope::Session]);
    config.route.return_to_direct = tape.byte() % 4 == 3;
    config.network = network(tape);
    for (number, target) in ["p0.example:3478", "10.2.0.1:443"].into_iter().enumerate() {
        if tape.byte() % 4 == 3 {
            let kind = [Kind::Datagram, Kind::Stream][number];
            config.probes.push(Probe { kind, target: target.parse().expect("a target") });
        }
    }
    let limits = &mut config.limits;
    limits.flows = MOST_FLOWS;
    limits.buffer = BUFFER;
    limits.dials = tape.pick(&[64, 1, 2]);
    limits.standby = tape.pick(&[1, 0, 2]);
    limits.datagrams = DatagramLimits { count: 16, bytes: 64 * 1024, ..DatagramLimits::default() };
    config
}

fn network(tape: &mut Tape<'_>) -> Network {
    let link = tape.pick(&[Link::Wifi, Link::Cellular, Link::Ethernet, Link::Unknown]);
    Network { link, up: tape.byte() % 4 != 3, fingerprint: None }
}

/// The number of a flow in an address that leads to its target.
fn number_of(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) => usize::from(address.octets()[3]),
        IpAddr::V6(address) => usize::from(address.segments()[7]),
    }
}

/// Two that are good for long, and one that expires soon.
static TOKENS: LazyLock<[Token; 3]> = LazyLock::new(|| {
    [86_400, 90_000, 60]
        .map(|seconds| token(START, Duration::from_secs(seconds)).expect("the test key mints tokens"))
});

const START: UnixTime = UnixTime::from_secs(1_800_000_000);
/// Their names lead to 203.0.113.0/24, and nothing else does.
const PROXIES: [&str; 2] = ["203.0.113.1:443", "relay.example:8443"];
const BUFFER: usize = 4 * 1024;
const MOST_FLOWS: usize = 6;
const MOST_STEPS: usize = 400;
