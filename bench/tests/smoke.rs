//! The load generator does its work through our relay. What it measures is not judged here.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use wayleave_bench::adapter::{Adapter, Runtime, authorization};
use wayleave_bench::lab::Lab;
use wayleave_bench::load::datagrams::{Flows, Pace, Way};
use wayleave_bench::load::door::{Door, Entrance};
use wayleave_bench::load::streams::{Role, Streams};
use wayleave_bench::load::tap::Taps;
use wayleave_bench::load::tunnel::Tunnel;

#[test]
fn streams_of_every_role_move_bytes() {
    let (lab, relay) = start("streams");
    let entrance = entrance(&lab, relay, Door::Connect(authorization().unwrap()));
    for role in [Role::Ask(160), Role::Download, Role::Idle, Role::Upload] {
        let mut streams = Streams::new(&entrance, &lab.streams, role).unwrap();
        streams.open(3, PATIENCE).unwrap();
        assert!(until(|| {
            streams.run(STEP).unwrap();
            let counts = streams.counts();
            assert_eq!(counts.failure, None, "{role:?}");
            counts.bytes > 0 || counts.echoes > 0
        }));
    }
}

#[test]
fn tunnels_are_opened_anew_again_and_again() {
    let (lab, relay) = start("reopen");
    let entrance = entrance(&lab, relay, Door::Connect(authorization().unwrap()));
    let mut streams = Streams::new(&entrance, &lab.streams, Role::Reopen).unwrap();
    streams.begin_reopening(2).unwrap();
    assert!(until(|| {
        streams.run(STEP).unwrap();
        streams.counts().echoes >= 10
    }));
    assert_eq!(streams.counts().failure, None);
}

#[test]
fn a_refusal_is_told() {
    let (lab, relay) = start("refusal");
    let entrance = entrance(&lab, relay, Door::Connect(String::new()));
    let mut streams = Streams::new(&entrance, &lab.streams, Role::Idle).unwrap();
    let error = streams.open(1, PATIENCE).unwrap_err().to_string();
    assert!(error.contains("407"), "{error}");
}

#[test]
fn datagrams_arrive_both_ways() {
    let (lab, relay) = start("datagrams");
    let entrance = entrance(&lab, relay, Door::ConnectUdp(authorization().unwrap()));
    let mut flows = Flows::open(&entrance, &lab.datagrams, 3, 160, PATIENCE).unwrap();
    for way in [Way::Up, Way::Down, Way::Both] {
        flows.forget();
        assert!(until(|| {
            flows.run(way, Pace::Groups { rate: 1_000, group: 4 }, STEP).unwrap();
            flows.drain(STEP).unwrap();
            flows.counts().arrived > 0
        }));
    }
}

#[test]
fn a_tap_passes_bytes_on_and_notes_the_first_that_counts() {
    let (lab, relay) = start("tap");
    let mut taps = Taps::new(relay).unwrap();
    let entrance = Entrance { address: taps.add().unwrap(), ..entrance(&lab, relay, Door::Fixed) };
    let mut tunnel = Tunnel::open(&entrance, lab.streams.local_addr().unwrap()).unwrap();
    assert!(until(|| {
        tunnel.advance().unwrap();
        tunnel.receive(&mut [0; 4096], 1, |_| {}).unwrap();
        taps.run(Instant::now() + STEP).unwrap();
        tunnel.is_open()
    }));
    assert_eq!(taps.delays().collect::<Vec<_>>(), [None], "the handshake does not count");
    taps.count_from(Instant::now());
    tunnel.wire.send(b"CONNECT").unwrap();
    taps.run(Instant::now() + PATIENCE).unwrap();
    assert!(taps.delays().all(|delay| delay.is_some()));
}

/// A relay of ours that serves as long as the test.
fn start(name: &str) -> (Lab, SocketAddr) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lab = Lab::new(folder, env!("CARGO_MANIFEST_DIR").into()).unwrap();
    let listen = lab.free_address().unwrap();
    let relay = Adapter { runtime: Runtime::Std, listen, chain: lab.chain.clone(), key: lab.key.clone() };
    std::thread::spawn(move || relay.run());
    assert!(until(|| {
        std::thread::yield_now();
        TcpStream::connect_timeout(&listen, STEP).is_ok()
    }));
    (lab, listen)
}

fn entrance(lab: &Lab, address: SocketAddr, door: Door) -> Entrance {
    Entrance { address, door, tls: Some(lab.tls.clone()) }
}

/// Whether `done` comes true in the end.
fn until(done: impl FnMut() -> bool) -> bool {
    std::iter::repeat_with(done).take(10_000).any(|is_done| is_done)
}

const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(10);
