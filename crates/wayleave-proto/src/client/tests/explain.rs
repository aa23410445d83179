//! What a client says of itself, state by state.

use super::*;
use crate::client::{Change, ProxyFault, RelayState};
use crate::config::{Probe, Scope};
use crate::route::Cause;
use crate::testing::Direct;

const MS: Duration = Duration::from_millis(1);

/// A world around a client of the first relay alone, with nothing kept ready, on wifi.
fn alone(mode: Mode, change: impl FnOnce(&mut ClientConfig)) -> World {
    let mut config = config(mode, Link::Wifi);
    config.proxies.truncate(1);
    config.limits.standby = 0;
    change(&mut config);
    world(config)
}

fn probe(kind: Kind) -> Probe {
    Probe { kind, target: "10.0.0.1:3478".parse().unwrap() }
}

fn is_told(world: &World, expected: &[&str]) {
    let text = world.client.explain(world.now).to_string();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{}", story(&world.events));
}

const UP: &str = "The mode is smart, and the network is up (link wifi).";
const STREAMS_IDLE: &str = "Streams go direct: none has asked for a way yet.";
const DATAGRAMS_IDLE: &str = "Datagrams go direct: none has asked for a way yet.";
const BY_FLOW: &str = "What changes it: the next flow, which begins a trial.";
const UNREACHED: &str = "Relay 203.0.113.1:443 was not reached yet, and has not failed.";
const OF_DIRECT: &str = "What changes it: another network, after which direct is tried anew; the application, when it asks for a \
                         new trial (retry_direct); 3 failures or silence within 10 s, which end the proof.";

#[test]
fn other_modes_have_nothing_to_decide() {
    let world = alone(Mode::Off, |_| {});
    is_told(
        &world,
        &[
            "The mode is off, and the network is up (link wifi).",
            "Streams and datagrams go direct: mode off asks no relay.",
            "What changes it: a client in another mode.",
        ],
    );
    let mut world = alone(Mode::Normal, |_| {});
    connect(&mut world, ECHO);
    world.run(3 * SECOND);
    is_told(
        &world,
        &[
            "The mode is normal, and the network is up (link wifi).",
            "Streams and datagrams go through a relay: mode normal tries nothing directly.",
            "What changes it: a client in another mode.",
            "Relay 203.0.113.1:443 is connected: 1 connection with 1 tunnel; the latest (h1) was made 3.0 s ago in 4 ms.",
        ],
    );
}

#[test]
fn smart_mode_says_what_it_waits_for() {
    let mut world = alone(Mode::Smart, |_| {});
    is_told(&world, &[UP, STREAMS_IDLE, BY_FLOW, DATAGRAMS_IDLE, BY_FLOW, UNREACHED]);
    world.client.handle_network(world.now, Network::down(Link::Wifi));
    open(&mut world, Kind::Stream, ECHO);
    world.run(2 * SECOND);
    is_told(
        &world,
        &[
            "The mode is smart, and the network is down.",
            "Streams have waited for 2 s: the network is down.",
            "What changes it: a network that is up, which begins a trial.",
            DATAGRAMS_IDLE,
            BY_FLOW,
            UNREACHED,
        ],
    );
}

#[test]
fn a_trial_says_what_it_tries_and_when_it_ends() {
    let mut world = alone(Mode::Smart, |config| config.probes = vec![probe(Kind::Datagram)]);
    world.direct = Direct::BlackHole;
    open(&mut world, Kind::Stream, ECHO);
    world.run(400 * MS);
    is_told(
        &world,
        &[
            UP,
            "Streams are on trial: direct is tried.",
            "The latest trial began 400 ms ago on link wifi; it was the first.",
            "Streams were tried directly once, to 10.0.0.1:7.",
            "What changes it: an answer that comes directly; the end of the trial in 600 ms, after which flows go through a \
             relay; another network, after which direct is tried anew.",
            "Datagrams are on trial: direct is tried.",
            "The latest trial began 400 ms ago on link wifi; it was the first.",
            "The datagram probe to 10.0.0.1:3478 was tried 2 times, and not answered.",
            "What changes it: an answer that comes directly; the end of the trial in 600 ms, after which flows go through a \
             relay; another network, after which direct is tried anew.",
            UNREACHED,
        ],
    );
}

#[test]
fn a_proof_is_named_with_its_time() {
    let mut world = alone(Mode::Smart, |config| {
        config.route.scope = Scope::Session;
        config.probes = vec![probe(Kind::Stream)];
    });
    world.run(5 * SECOND);
    is_told(
        &world,
        &[
            UP,
            "Streams and datagrams have gone direct for 5.0 s: a probe was answered, 2 ms after the trial began.",
            "The latest trial began 5 s ago on link wifi; it was the first.",
            "The stream probe to 10.0.0.1:3478 was tried once, and answered.",
            OF_DIRECT,
            UNREACHED,
        ],
    );
    world.client.retry_direct(world.now, None);
    world.run(SECOND);
    let told = world.client.explain(world.now);
    assert_eq!(told.routes.len(), 1);
    assert_eq!(told.routes[0].trial.as_ref().unwrap().cause, Cause::NewTrialAsked);
    assert!(
        told.to_string().contains("1 s ago on link wifi, because the application asked for a new trial.")
    );
    assert_eq!(told.routes[0].trial.as_ref().unwrap().probes[0].attempts, 1, "of this trial alone");
    world.direct = Direct::Refusing;
    world.client.retry_direct(world.now, None);
    world.run(100 * MS);
    let told = world.client.explain(world.now).to_string();
    assert!(
        told.contains(
            "The stream probe to 10.0.0.1:3478 was tried 2 times; it failed last: connection refused."
        ),
        "{told}"
    );
}

#[test]
fn a_proxied_route_says_that_nothing_was_proven_and_what_was_tried() {
    let mut world = alone(Mode::Smart, |config| config.probes = vec![probe(Kind::Stream)]);
    world.direct = Direct::BlackHole;
    connect(&mut world, ECHO);
    world.run(2 * SECOND);
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    is_told(
        &world,
        &[
            "The mode is smart, and the network is up (link ethernet).",
            "Streams have gone through a relay for 2.0 s: nothing was proven within 1 s (link wifi).",
            "The latest trial began 3.0 s ago on link wifi; it was the first.",
            "The stream probe to 10.0.0.1:3478 was tried once, and not answered.",
            "Streams were tried directly once, to 10.0.0.1:7.",
            "What changes it: the application, when it asks for a new trial (retry_direct).",
            DATAGRAMS_IDLE,
            BY_FLOW,
            "Relay 203.0.113.1:443 is connected: 1 connection with 1 tunnel; the latest (h1) was made 2.0 s ago in 4 ms.",
        ],
    );
}

#[test]
fn cellular_stays_direct_and_says_so() {
    let mut world = alone(Mode::Smart, |config| config.network = Network::up(Link::Cellular));
    world.direct = Direct::Refusing;
    open(&mut world, Kind::Stream, ECHO);
    world.run(3 * SECOND);
    is_told(
        &world,
        &[
            "The mode is smart, and the network is up (link cellular).",
            "Streams go direct still, and are tried again: nothing was proven within 1 s (link cellular), 2.0 s ago; on such a \
             link they stay direct.",
            "The latest trial began 3 s ago on link cellular; it was the first.",
            "Streams were tried directly 9 times, the last time to 10.0.0.1:7; that failed: connection refused.",
            "What changes it: an answer that comes directly; another network, after which direct is tried anew; the application, \
             when it asks for a new trial (retry_direct).",
            DATAGRAMS_IDLE,
            BY_FLOW,
            UNREACHED,
        ],
    );
    world.client.handle_network(world.now, Network::up(Link::Cellular));
    world.run(10 * MS);
    let told = world.client.explain(world.now).routes.remove(0);
    let trial = told.trial.unwrap();
    assert_eq!((trial.flows[0].attempts, trial.cause), (1, Cause::NetworkChanged), "of this trial alone");
    world.client.direct_works(world.now, Kind::Stream);
    let told = world.client.explain(world.now).routes.remove(0);
    assert_eq!(told.changes, [Change::NetworkChanged, Change::NewTrialAsked], "nothing is doubted there");
}

#[test]
fn blocked_ports_are_named_and_counted() {
    let mut world = alone(Mode::Smart, |_| {});
    world.direct = Direct::Only(443);
    let web = connect(&mut world, "10.0.0.1:443");
    assert_eq!(exchange(&mut world, web, b"hello"), b"hello");
    for port in 8_000..8_010 {
        connect(&mut world, &format!("10.0.0.1:{port}"));
    }
    is_told(
        &world,
        &[
            UP,
            "Streams have gone direct for 10.1 s: a stream was answered, 4 ms after the trial began.",
            "The latest trial began 10.1 s ago on link wifi; it was the first.",
            "Streams were tried directly once, to 10.0.0.1:443.",
            "10 ports or hosts are blocked on this network, and proxied: tcp port 8000 (direct is tried again in 50.9 s), tcp port \
             8001 (direct is tried again in 51.9 s), tcp port 8002 (direct is tried again in 52.9 s), tcp port 8003 (direct is tried \
             again in 54.0 s), tcp port 8004 (direct is tried again in 55.0 s), tcp port 8005 (direct is tried again in 56.0 s), tcp \
             port 8006 (direct is tried again in 57.0 s), tcp port 8007 (direct is tried again in 58.0 s), and 2 more.",
            OF_DIRECT,
            DATAGRAMS_IDLE,
            BY_FLOW,
            "Relay 203.0.113.1:443 is connected: 10 connections with 10 tunnels; the latest (h1) was made 4 ms ago in 4 ms.",
        ],
    );
}

#[test]
fn a_doubted_proof_says_what_counts_against_it() {
    let mut world = alone(Mode::Smart, |_| {});
    let web = connect(&mut world, "10.0.0.1:443");
    assert_eq!(exchange(&mut world, web, b"hello"), b"hello");
    world.direct = Direct::BlackHole;
    connect(&mut world, "10.0.0.2:443");
    is_told(
        &world,
        &[
            UP,
            "Streams have gone direct for 1.0 s: a stream was answered, 4 ms after the trial began.",
            "The latest trial began 1.0 s ago on link wifi; it was the first.",
            "Streams were tried directly once, to 10.0.0.1:443.",
            "1 failure counted against the proof so far.",
            "1 port or host is blocked on this network, and proxied: tcp port 443 of 10.0.0.2 (direct is tried again in 60 s).",
            OF_DIRECT,
            DATAGRAMS_IDLE,
            BY_FLOW,
            "Relay 203.0.113.1:443 is connected: 1 connection with 1 tunnel; the latest (h1) was made 4 ms ago in 4 ms.",
        ],
    );
    world.run(11 * SECOND);
    assert_eq!(world.client.explain(world.now).routes[0].doubts, 0, "the window is over");
}

#[test]
fn a_relay_that_fails_is_named_with_its_fault() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    world.crash(0);
    connect(&mut world, ECHO);
    is_told(
        &world,
        &[
            "The mode is normal, and the network is up (link wifi).",
            "Streams and datagrams go through a relay: mode normal tries nothing directly.",
            "What changes it: a client in another mode.",
            "Relay 203.0.113.1:443 failed 7 ms ago: connection refused. For 449 ms it is tried after all others.",
            "Relay 203.0.113.2:443 is connected: 2 connections with 1 tunnel; the latest (h1) was made 3 ms ago in 6 ms.",
        ],
    );
    let told = world.client.explain(world.now);
    assert!(matches!(told.relays[0].state, RelayState::Failed { .. }), "{told:?}");
    assert_eq!(told.relays[1].state, RelayState::Connected);
    assert_eq!(told.routes[0].changes, [Change::NewClient]);
}

#[test]
fn a_way_is_named_without_its_password() {
    let mut world = alone(Mode::Normal, |config| {
        config.via = vec!["http://user:secret@192.0.2.9:3128".parse().unwrap()];
    });
    open(&mut world, Kind::Stream, ECHO);
    world.run(SECOND);
    let told = world.client.explain(world.now);
    assert!(matches!(told.relays[0].state, RelayState::Failed { .. }), "{told}");
    let both = format!("{told}\n{told:?}");
    assert!(both.contains("the way there is http://192.0.2.9:3128.") && !both.contains("secret"), "{both}");
}

fn state(world: &World) -> RelayState {
    world.client.explain(world.now).relays.remove(0).state
}

#[test]
fn a_relay_that_is_reached_again_has_not_failed_unless_it_refuses() {
    let mut world = alone(Mode::Normal, |config| config.limits.standby = 1);
    world.refuses_new = true;
    world.run(SECOND);
    assert!(matches!(state(&world), RelayState::Failed { fault: ProxyFault::Connection(_), .. }));
    let told = world.client.explain(world.now);
    assert!(
        told.relays[0].last_for.is_none() && !told.to_string().contains("all others"),
        "it is the only one"
    );
    world.refuses_new = false;
    world.run(10 * SECOND);
    assert_eq!(state(&world), RelayState::Connected);

    let mut world = alone(Mode::Normal, |config| {
        config.limits.standby = 1;
        config.credential = Some(Credential::Token(token(START, SECOND).unwrap()));
    });
    world.run(200 * SECOND);
    open(&mut world, Kind::Stream, ECHO);
    world.run(10 * SECOND);
    let told = world.client.explain(world.now);
    let state_before = &told.relays[0].state;
    assert!(
        matches!(state_before, RelayState::Failed { fault: ProxyFault::TokenExpired { .. }, .. }),
        "{told}"
    );
    world.client.renew(world.now, Credential::Token(token(START, 3_600 * SECOND).unwrap()));
    connect(&mut world, ECHO);
    assert_eq!(state(&world), RelayState::Connected);
}

#[test]
fn a_relay_that_was_silent_and_speaks_again_has_not_failed() {
    let mut world = alone(Mode::Normal, |_| {});
    let call = open(&mut world, Kind::Datagram, ECHO);
    let talk = |world: &mut World| {
        for _ in 0..400 {
            let _ = world.client.send_datagram(world.now, call, b"media");
            world.run(20 * MS);
            datagrams(world, call);
        }
    };
    talk(&mut world);
    world.silence(0);
    talk(&mut world);
    assert!(matches!(state(&world), RelayState::Failed { fault: ProxyFault::Silent, .. }));
    world.hear(0);
    world.run(100 * MS);
    assert_eq!(state(&world), RelayState::Connected);
}

#[test]
fn a_client_that_is_closed_says_so() {
    let mut world = alone(Mode::Smart, |_| {});
    world.client.close(world.now);
    let told = world.client.explain(world.now);
    assert!(!told.open);
    assert!(told.to_string().contains("The client opens no flows any more"), "{told}");
}
