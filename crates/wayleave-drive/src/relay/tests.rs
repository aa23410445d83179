//! A relay of two machines, each on a system of its own, polled by hand.

use core::time::Duration;

use crate::tests::fake::{Executor, Fake, World};
use crate::{Events, Relay};
use wayleave_proto::auth::Revoked;
use wayleave_proto::base::UnixTime;
use wayleave_proto::relay::{Event, What};
use wayleave_proto::testing::{relay_config, token};

struct Pair {
    worlds: [World; 2],
    relays: Vec<Option<Relay<Fake>>>,
    executors: [Executor; 2],
    told: Events<Event>,
}

impl Pair {
    /// Where an account may have so many tunnels.
    fn new(tunnels: usize) -> Self {
        let worlds = [World::default(), World::default()];
        let mut config = relay_config().unwrap();
        config.limits.tunnels_per_account = tunnels;
        let runtimes = worlds.iter().cloned().map(Fake).collect();
        let address = "192.0.2.1:443".parse().unwrap();
        let relays = Relay::bind_all(config.build().unwrap(), address, runtimes).unwrap();
        let told = relays[0].events();
        let executors = [Executor::new(), Executor::new()];
        Self { worlds, relays: relays.into_iter().map(Some).collect(), executors, told }
    }

    /// Lets one machine run until it rests; where its task ends it is dropped, as an executor does.
    fn run(&mut self, shard: usize) {
        let Self { relays, executors, .. } = self;
        executors[shard].run(|cx| {
            if relays[shard].as_mut().is_some_and(|relay| relay.poll(cx).is_ready()) {
                relays[shard] = None;
            }
        });
    }

    fn run_all(&mut self) {
        for shard in [0, 1, 0] {
            self.run(shard);
        }
    }

    /// A client on that machine asks for a tunnel; its connection.
    fn ask(&mut self, shard: usize) -> usize {
        let id = self.worlds[shard].connect();
        self.run(shard);
        let token = token(UnixTime::from_secs(1_800_000_000), Duration::from_secs(3_600)).unwrap();
        let token = token.expose();
        let request = format!(
            "CONNECT 10.0.0.1:7 HTTP/1.1\r\nhost: 10.0.0.1:7\r\nproxy-authorization: Bearer {token}\r\n\r\n"
        );
        let record = |kind: u8, payload: &[u8]| {
            let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&[kind, high, low], payload].concat()
        };
        self.worlds[shard].change(id, |it| {
            it.input.extend(record(0, b"relay.example"));
            it.input.extend(record(1, request.as_bytes()));
        });
        self.run(shard);
        id
    }

    fn happened(&mut self, wanted: impl Fn(&What) -> bool) -> usize {
        let told = core::iter::from_fn(|| self.told.try_recv().ok());
        told.filter(|event| wanted(&event.what)).count()
    }
}

#[test]
fn they_are_one_relay_for_events_counts_and_revocations() {
    let mut pair = Pair::new(9);
    let handle = pair.relays[1].as_ref().unwrap().handle();
    for shard in [0, 1, 1] {
        pair.ask(shard);
    }
    assert_eq!(pair.happened(|what| matches!(what, What::TunnelOpened { .. })), 3);
    assert_eq!((handle.stats().tunnels, handle.stats().accounts, handle.stats().accepted), (3, 1, 3));
    assert_eq!(handle.revoke(Revoked::User { user: "alice".into(), app_id: None }).unwrap(), 3);
    pair.run_all();
    assert_eq!(pair.happened(|what| matches!(what, What::TunnelClosed { .. })), 3);
    assert_eq!((handle.stats().tunnels, handle.stats().revocations), (0, 1));
}

#[test]
fn a_machine_is_woken_for_what_another_did() {
    let mut pair = Pair::new(1);
    let open = pair.ask(0);
    assert!(pair.executors[0].rests());
    pair.ask(1);
    assert_eq!(pair.happened(|what| matches!(what, What::Refused { status: 429, .. })), 1);
    assert!(!pair.executors[0].rests(), "its client has to be asked whether it is there");
    pair.run(0);
    assert!(!pair.worlds[0].look(open, |it| it.is_closed));
    assert!(pair.executors[0].rests());
}

#[test]
fn the_first_ends_behind_all_others() {
    let mut pair = Pair::new(9);
    let (first, second) = (pair.ask(0), pair.ask(1));
    pair.relays[0].as_ref().unwrap().handle().drain();
    pair.run_all();
    assert!(pair.relays.iter().all(Option::is_some), "both have a tunnel");
    for (shard, id) in [(0, first), (1, second)] {
        assert!(pair.relays[0].is_some());
        pair.worlds[shard].change(id, |it| it.broken = Some(std::io::ErrorKind::ConnectionReset));
        pair.run(shard);
    }
    assert!(pair.relays[1].is_none());
    pair.run(0);
    assert!(pair.relays[0].is_none());
    assert_eq!(pair.happened(|_| true), 4, "two opened and two closed");
    assert_eq!(pair.told.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
}

#[test]
fn the_end_of_the_first_ends_the_others() {
    let mut pair = Pair::new(9);
    let id = pair.ask(1);
    pair.relays[0] = None;
    pair.run(1);
    assert!(pair.worlds[1].look(id, |it| it.is_closed));
    assert!(pair.relays[1].is_none());
}

#[test]
fn there_is_at_least_one_and_at_most_as_many_as_can_be_told_apart() {
    let bind = |count: usize| {
        let runtimes = (0..count).map(|_| Fake(World::default())).collect();
        let config = relay_config().unwrap().build().unwrap();
        Relay::bind_all(config, "192.0.2.1:443".parse().unwrap(), runtimes).map(|relays| relays.len())
    };
    assert!(bind(0).is_err() && bind(129).is_err());
    assert_eq!(bind(128).unwrap(), 128);
}
