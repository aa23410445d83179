//! After `close`, silence: whatever is asked of a client or reported to it, it asks for nothing and says nothing.

use core::net::IpAddr;

use super::*;
use crate::base::{Families, Target};
use crate::config::Probe;
use crate::error::{IoFailed, IoFailure};
use crate::net::{Machine as _, Nowhere, Packets, SocketId};

/// Every verb of the embedder that changes something, and every input of an adapter.
type Act = fn(&mut Client, Instant, FlowId, SocketId);

const ACTS: &[(&str, Act)] = &[
    ("open a stream", |client, now, _, _| drop(client.open(now, Kind::Stream, target()))),
    ("open a datagram flow", |client, now, _, _| drop(client.open(now, Kind::Datagram, target()))),
    ("write", |client, now, flow, _| drop(client.write(now, flow, b"x"))),
    ("read", |client, _, flow, _| drop(client.read(flow).map(|_| ()))),
    ("consume", |client, now, flow, _| client.consume(now, flow, 1)),
    ("finish", |client, now, flow, _| client.finish(now, flow)),
    ("send a datagram", |client, now, flow, _| drop(client.send_datagram(now, flow, b"x"))),
    ("look at a datagram", |client, _, flow, _| drop(client.datagram(flow).map(|_| ()))),
    ("take a datagram", |client, _, flow, _| client.take_datagram(flow)),
    ("release", |client, now, flow, _| client.release(now, flow)),
    ("reset", |client, now, flow, _| client.reset(now, flow)),
    ("close", |client, now, _, _| client.close(now)),
    ("renew", |client, now, _, _| client.renew(now, Credential::Token(token(START, 200 * SECOND).unwrap()))),
    ("retry", |client, now, _, _| client.retry_direct(now, None)),
    ("direct works", |client, now, _, _| client.direct_works(now, Kind::Stream)),
    ("the network changed", |client, now, _, _| client.handle_network(now, Network::up(Link::Ethernet))),
    ("the network went", |client, now, _, _| client.handle_network(now, Network::down(Link::Wifi))),
    ("the clock was set", |client, now, _, _| client.handle_clock(now, START.after(9_000 * SECOND))),
    ("time", |client, now, _, _| client.handle_timeout(now + 7_200 * SECOND)),
    ("an answer", |client, now, _, id| {
        client.handle_resolved(now, id, Families::Both, Ok(&[IpAddr::from([10, 0, 0, 1])]))
    }),
    ("no answer", |client, now, _, id| {
        client.handle_resolved(now, id, Families::Both, Err(IoFailed::new(IoFailure::NameUnanswered)));
    }),
    ("opened", |client, now, _, id| client.handle_opened(now, id, "192.0.2.1:1".parse().unwrap())),
    ("failed", |client, now, _, id| client.handle_failed(now, id, IoFailed::new(IoFailure::ConnectionReset))),
    ("received", |client, now, _, id| client.handle_received(now, id, &mut [0, 0, 0])),
    ("a datagram received", |client, now, _, id| {
        client.handle_packets(now, id, Packets::one("192.0.2.1:1".parse().unwrap(), &mut [0, 0, 0]));
    }),
    ("a stream received", |client, now, _, id| client.handle_stream(now, id, &mut [0, 0, 0], &mut Nowhere)),
    ("finished", |client, now, _, id| client.handle_finished(now, id)),
    ("pending", |client, now, _, id| assert!(client.pending(now, id).is_none())),
    ("written", |client, now, _, id| client.handle_written(now, id, 1)),
    ("to transmit", |client, now, _, id| assert!(client.transmit(now, id).is_none())),
    ("sent", |client, now, _, id| client.handle_sent(now, id, 1)),
];

fn target() -> Target {
    "a.example:443".parse().unwrap()
}

fn expect_silence(client: &mut Client, after: &str) {
    assert_eq!((client.poll_output(), client.poll_timeout()), (None, None), "after {after}");
}

/// A client in the middle of everything: flows of every kind in every state, a renewal that nobody has seen, probes.
fn busy(mode: Mode, step: u32) -> (World, Vec<FlowId>) {
    let mut config = config(mode, Link::Wifi);
    config.probes.push(Probe { kind: Kind::Datagram, target: "10.0.0.2:3478".parse().unwrap() });
    let mut world = world(config);
    world.names.insert("echo.example".into(), IpAddr::from([10, 0, 0, 1]));
    let mut flows = Vec::new();
    for round in 0..4 {
        flows.push(open(&mut world, Kind::Stream, ECHO));
        flows.push(open(&mut world, Kind::Datagram, "echo.example:7"));
        let datagrams = flows[flows.len() - 1];
        world.client.send_datagram(world.now, datagrams, b"x").unwrap();
        if round == 2 {
            world.refuses_new = true;
            world.client.renew(world.now, Credential::Token(token(START, 200 * SECOND).unwrap()));
        }
        world.run(step * Duration::from_micros(700));
    }
    let written = flows[0];
    let _ = world.client.write(world.now, written, b"on its way");
    world.client.release(world.now, written);
    (world, flows)
}

#[test]
pub(super) fn after_close_there_is_silence_whatever_comes() {
    for mode in [Mode::Normal, Mode::Smart, Mode::Off] {
        for step in [0, 1, 2, 3, 5, 1_000] {
            let (mut world, flows) = busy(mode, step);
            let (client, now) = (&mut world.client, world.now);
            client.close(now);
            while client.poll_output().is_some() {}
            expect_silence(client, "close");
            // First while the embedder still holds its flows, and again when it has given them back.
            for (name, act) in ACTS.iter().chain(ACTS) {
                for number in 0..64 {
                    let flow = flows.get(number % flows.len()).copied().unwrap();
                    act(client, now, flow, SocketId::from_u64(number as u64));
                    expect_silence(client, name);
                }
            }
            assert_eq!(client.flow_count(), 0);
        }
    }
}
