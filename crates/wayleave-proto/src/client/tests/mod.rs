//! The client against real relays in a small world.

mod associations;
mod check;
mod closed;
mod datagrams;
mod errors;
mod explain;
mod foreign;
mod lack;
mod machines;
mod mux;
mod proxies;
mod renewal;
mod rescue;
mod silence;
mod smart;
mod streams;
mod via;

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use super::{Client, Event, FlowId, FlowStatus, Incoming, What};
use crate::auth::Credential;
use crate::base::{Clock, Instant, Kind, Link, Network, Seed, UnixTime};
use crate::carrier::tls::PlainConnector;
use crate::config::{ClientConfig, Mode, RelayConfig};
use crate::relay::Relay;
use crate::testing::{World, relay_config, token};

const RELAYS: [&str; 2] = ["203.0.113.1:443", "203.0.113.2:443"];
const ECHO: &str = "10.0.0.1:7";
const SECOND: Duration = Duration::from_secs(1);
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// The configuration of a client in `mode` on `link` that knows both relays.
fn config(mode: Mode, link: Link) -> ClientConfig {
    let proxies = RELAYS.iter().map(|proxy| proxy.parse().unwrap()).collect();
    let credential = Credential::Token(token(START, 3600 * SECOND).unwrap());
    let mut config = ClientConfig::new(proxies, credential, Arc::new(PlainConnector));
    config.route.mode = mode;
    config.network = Network::up(link);
    config.carrier = crate::testing::carrier();
    config
}

/// A world with both relays around a client of that configuration.
fn world(config: ClientConfig) -> World {
    world_with(config, |_| {})
}

/// The same, with something changed for both relays.
fn world_with(config: ClientConfig, change: impl Fn(&mut RelayConfig)) -> World {
    let clock = Clock::new(Instant::ZERO, START);
    let client = Client::new(config.build().unwrap(), &Seed::new([1; 32]), clock, Instant::ZERO);
    let relay = |number: usize| {
        let mut config = relay_config().unwrap();
        config.carrier = crate::testing::carrier();
        change(&mut config);
        let seed = Seed::new([u8::try_from(number).unwrap(); 32]);
        Relay::new(config.build().unwrap(), &seed, clock, Instant::ZERO)
    };
    let relays = RELAYS.iter().enumerate();
    World::new(client, relays.map(|(number, address)| (address.parse().unwrap(), relay(number))).collect())
}

fn open(world: &mut World, kind: Kind, target: &str) -> FlowId {
    world.client.open(world.now, kind, target.parse().unwrap()).unwrap()
}

/// Opens a stream and waits until it is open.
fn connect(world: &mut World, target: &str) -> FlowId {
    let flow = open(world, Kind::Stream, target);
    assert!(world.run_until(40 * SECOND, |world| is_open(world, flow)), "{:?}", world.client.status(flow));
    flow
}

fn is_open(world: &World, flow: FlowId) -> bool {
    matches!(world.client.status(flow), FlowStatus::Open(_))
}

/// Reads what has come for a stream, and says whether it has ended.
fn read_all(world: &mut World, flow: FlowId) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    loop {
        let count = match world.client.read(flow).unwrap() {
            Incoming::Nothing => return (all, false),
            Incoming::End => return (all, true),
            Incoming::Bytes(bytes) => {
                all.extend_from_slice(bytes);
                bytes.len()
            }
        };
        world.client.consume(world.now, flow, count);
    }
}

/// Writes all of `bytes`, reading what comes back, then ends the stream and reads to its end.
fn exchange(world: &mut World, flow: FlowId, bytes: &[u8]) -> Vec<u8> {
    let (mut sent, mut got, mut ended) = (0, Vec::new(), false);
    let done = world.run_until(60 * SECOND, |world| {
        while sent < bytes.len() {
            match world.client.write(world.now, flow, &bytes[sent..]).unwrap() {
                0 => break,
                taken => sent += taken,
            }
        }
        if sent == bytes.len() {
            world.client.finish(world.now, flow);
        }
        let (mut more, end) = read_all(world, flow);
        got.append(&mut more);
        ended |= end;
        world.settle();
        ended
    });
    assert!(done, "the stream did not end: {sent} bytes sent, {} bytes back", got.len());
    got
}

fn datagrams(world: &mut World, flow: FlowId) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(payload) = world.client.datagram(flow).unwrap() {
        all.push(payload.to_vec());
        world.client.take_datagram(flow);
    }
    all
}

/// When `wanted` first happened.
fn when(world: &World, wanted: impl Fn(&What) -> bool) -> Option<Instant> {
    world.events.iter().find(|event| wanted(&event.what)).map(|event| event.at)
}

fn relay_at(index: usize) -> SocketAddr {
    RELAYS[index].parse().unwrap()
}

/// Events with their times, for the message of a failed assertion.
fn story(events: &[Event]) -> String {
    events.iter().map(|event| format!("{} {:?}\n", event.at, event.what)).collect()
}
