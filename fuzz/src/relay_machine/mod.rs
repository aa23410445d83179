//! The relay, whatever its clients, their targets and its operator do.
//!
//! The tape is read as limits and a sequence of steps. Clients shake hands, ask with good and bad tokens, for allowed
//! and forbidden targets, by the rules and against them, and send; targets are found, refuse, answer and end; TLS is
//! left out. The laws that are checked at every step are those of [`Rig`] and of `laws.rs`.

mod clients;
mod laws;
mod requests;
mod steps;
mod targets;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::auth::Keys;
use wayleave_proto::base::{Clock, Instant, Seed, UnixTime};
use wayleave_proto::config::RelayConfig;
use wayleave_proto::net::SocketId;
use wayleave_proto::policy::Rates;
use wayleave_proto::queue::DatagramLimits;
use wayleave_proto::relay::Relay;
use wayleave_proto::testing::relay_config;

use crate::play::{Rig, Tape};

use clients::Client;
use requests::{KEYS, TOKENS};
use targets::Side;

/// Plays a tape, some tapes twice: the same inputs give the same outputs.
pub(crate) fn run(data: &[u8]) {
    let trace = Play::new(data).run();
    if data.first().is_some_and(|first| first % 8 == 7) {
        assert_eq!(Play::new(data).run(), trace, "the same inputs gave other outputs");
    }
}

/// A relay and the world around it.
struct Play<'a> {
    tape: Tape<'a>,
    rig: Rig<Relay>,
    /// Everybody who ever connected, by number.
    clients: Vec<Client>,
    /// The number behind each accepted socket.
    accepted: BTreeMap<SocketId, usize>,
    /// What stands at the other end of the sockets that the relay asked for.
    sides: BTreeMap<SocketId, Side>,
    /// The clients on whose behalf there were inputs since the outputs were last looked at.
    causes: BTreeSet<usize>,
    /// Which of the two keys is in force.
    key: usize,
    told: Instant,
    opened: usize,
    closed: usize,
}

impl<'a> Play<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut tape = Tape::new(data);
        let _ = tape.byte();
        let config = config(&mut tape).build().expect("the configuration is in its ranges");
        let relay = Relay::new(config, &Seed::new([1; 32]), Clock::new(Instant::ZERO, START), Instant::ZERO);
        let secrets = TOKENS.iter().map(|token| token.text.clone()).collect();
        Self {
            tape,
            rig: Rig::new(relay, secrets),
            clients: Vec::new(),
            accepted: BTreeMap::new(),
            sides: BTreeMap::new(),
            causes: BTreeSet::new(),
            key: 0,
            told: Instant::ZERO,
            opened: 0,
            closed: 0,
        }
    }

    fn run(mut self) -> u64 {
        for _ in 0..MOST_STEPS {
            if self.tape.is_over() {
                break;
            }
            self.step();
            self.look();
        }
        let shown = format!("{:?}", self.rig.machine);
        self.rig.check(&shown);
        if self.tape.clone().flag() || self.rig.latest() > Instant::from_millis(1_000) {
            self.rig.machine.close(self.rig.now());
            self.rig.settle();
        } else {
            // Nobody does anything more: everything runs into its timeouts.
            for _ in 0..24 {
                self.pass(Duration::from_secs(3_600), false);
                self.look();
            }
        }
        self.rig.drain();
        self.look();
        self.rig.expect_nothing();
        assert!(self.rig.machine.is_idle());
        assert_eq!(self.opened, self.closed, "tunnels opened and closed");
        self.rig.trace()
    }

    /// Takes other keys into force.
    fn renew_keys(&mut self) {
        self.key = 1 - self.key;
        let keys = Keys::new(vec![KEYS[self.key].verifying()]).expect("one key is no conflict");
        let now = self.rig.now();
        self.rig.machine.renew_keys(now, keys);
    }
}

fn config(tape: &mut Tape<'_>) -> RelayConfig {
    let mut config = relay_config().expect("the configuration of the tests");
    config.hosts.insert("known.example".parse().expect("a name"), vec![[10, 3, 9, 9].into()]);
    let limits = &mut config.limits;
    limits.buffer = 4 * 1024;
    limits.datagrams = DatagramLimits { count: 16, bytes: 64 * 1024, ..DatagramLimits::default() };
    limits.connections = tape.pick(&[64, 4]);
    limits.connections_per_source = tape.pick(&[64, 2]);
    limits.tunnels_per_account = tape.pick(&[64, 2]);
    if tape.byte() % 4 == 3 {
        let rates = Rates { bits_per_second: Some(40_000), packets_per_second: Some(10) };
        (config.scope.to_client, config.scope.to_target) = (rates, rates);
    }
    if tape.byte() % 4 == 3 {
        limits.memory = 1 << 20;
    }
    config
}

const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const MOST_STEPS: usize = 400;
