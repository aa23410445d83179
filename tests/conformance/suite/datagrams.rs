//! Datagrams: their sizes, their order and their loss.

use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::Duration;

use wayleave_proto::base::{Link, Route};
use wayleave_proto::client::{DatagramStats, FlowError};
use wayleave_proto::config::Mode;

use super::traffic::pattern;
use crate::kit::{ClientKit, Datagrams, PATIENCE, RelayKit};
use crate::lab::{Lab, beside, echo_datagrams, localhost, straight, wait_until};

pub(crate) fn datagrams_of_every_size_come_back<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_datagrams();
    let normal = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let off = lab.client(Mode::Off, Link::Wifi, &[&relay]);
    for (client, target, route) in
        [(normal, localhost(port), Route::Proxied), (off, straight(port), Route::Direct)]
    {
        let flow = client.datagrams(target).unwrap();
        for size in [0, 1, 160, 1_200, 9_000, 65_507] {
            let payload = pattern(size);
            flow.send(&payload).unwrap();
            assert!(flow.recv().unwrap() == payload, "{route}: {size}");
        }
        assert_eq!(flow.route(), Some(route));
        // Larger than any UDP datagram over IPv4: an error, and the flow goes on.
        for size in [65_508, 65_527, 65_528] {
            assert_eq!(flow.send(&pattern(size)), Err(FlowError::DatagramTooLarge { most: 65_507 }));
        }
        flow.send(b"after").unwrap();
        assert_eq!(flow.recv().unwrap(), b"after", "{route}");
    }
}

pub(crate) fn a_flow_says_where_it_goes_and_when_it_is_open<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_datagrams();
    for (mode, target, route) in
        [(Mode::Normal, localhost(port), Route::Proxied), (Mode::Off, straight(port), Route::Direct)]
    {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let flow = client.datagrams(target.clone()).unwrap();
        assert_eq!((flow.target(), flow.largest()), (target, 65_507));
        assert_eq!(flow.ready().unwrap(), route);
        assert_eq!(flow.route(), Some(route));
        client.verbs().close();
        assert_eq!(flow.ready().expect_err("a closed client").kind(), ErrorKind::ConnectionAborted);
        assert_eq!(flow.route(), None);
    }
}

pub(crate) fn datagrams_go_and_come_in_batches<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_datagrams();
    for (mode, target) in [(Mode::Normal, localhost(port)), (Mode::Off, straight(port))] {
        let client = lab.client(mode, Link::Wifi, &[&relay]);
        let flow = client.datagrams(target).unwrap();
        flow.ready().unwrap();
        assert_eq!(flow.try_recv().unwrap(), None, "mode {mode}");
        let sent: Vec<Vec<u8>> = (0..20).map(|number| pattern(number * 50)).collect();
        let slices: Vec<IoSlice<'_>> = sent.iter().map(|payload| IoSlice::new(payload)).collect();
        assert_eq!(flow.send_many(&slices), Ok(20), "mode {mode}");
        let mut received = Vec::new();
        while received.len() < sent.len() {
            let batch = flow.recv_many(8).unwrap();
            assert!((1..=8).contains(&batch.len()), "mode {mode}: {}", batch.len());
            received.extend(batch);
        }
        assert!(received == sent, "mode {mode}");
        flow.send(b"one more").unwrap();
        wait_until(|| flow.try_recv().unwrap(), |came| came.as_deref() == Some(b"one more"));
        // Those before one that is too large are taken, and the flow goes on.
        let large = pattern(65_508);
        let slices = [&b"small"[..], &large, b"small"].map(IoSlice::new);
        assert_eq!(flow.send_many(&slices), Ok(1), "mode {mode}");
        assert_eq!(flow.send_many(&slices[1..]), Err(FlowError::DatagramTooLarge { most: 65_507 }));
        assert_eq!(flow.recv().unwrap(), b"small", "mode {mode}");
        assert_eq!(flow.stats(), DatagramStats::default(), "mode {mode}: nothing was dropped");
    }
}

pub(crate) fn a_sender_that_is_too_fast_is_told_or_waits<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    // A relay that says nothing: there is no path yet, and what is sent waits.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut config = lab.config(Mode::Normal, Link::Wifi, &[mute.local_addr().unwrap().port()]);
    config.limits.datagrams.count = 10;
    config.limits.datagrams.age = PATIENCE * 2;
    let client = lab.start(config);
    let flow = client.datagrams(localhost(9)).unwrap();
    for number in 0..10 {
        assert!(flow.send_wait_within(&[number], PATIENCE).unwrap());
    }
    assert_eq!((flow.stats().waiting, flow.stats().unsent.total()), (10, 0));
    assert!(!flow.send_wait_within(b"no room", Duration::from_millis(50)).unwrap());
    for number in 0..5 {
        flow.send(&[number]).unwrap();
    }
    let stats = flow.stats();
    assert_eq!((stats.waiting, stats.unsent.crowded, stats.unsent.aged), (10, 5, 0));

    // On a path that takes them, who waits goes on and loses none on this side.
    let relay = lab.relay();
    let port = echo_datagrams();
    for (mode, target) in [(Mode::Normal, localhost(port)), (Mode::Off, straight(port))] {
        let mut config = lab.config(mode, Link::Wifi, &[relay.address.port()]);
        config.limits.datagrams.count = 4;
        config.limits.datagrams.age = PATIENCE * 2;
        let flow = lab.start(config).datagrams(target).unwrap();
        for _ in 0..500 {
            assert!(flow.send_wait_within(&pattern(1_000), PATIENCE).unwrap(), "mode {mode}");
        }
        assert_eq!(flow.stats().unsent.total(), 0, "mode {mode}");
    }
}

pub(crate) fn the_flows_of_an_association_share_a_port_while_they_are_direct<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let relay = lab.relay();
    let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (one, two, stranger) = (socket(), socket(), socket());
    let mut buffer = [0; 2_000];
    let client = lab.client(Mode::Off, Link::Wifi, &[&relay]);
    let association = client.associate().unwrap();
    let mut ports = Vec::new();
    let mut flows = Vec::new();
    for target in [&one, &two] {
        target.set_read_timeout(Some(PATIENCE)).unwrap();
        let flow = association.datagrams(target.local_addr().unwrap().try_into().unwrap()).unwrap();
        flow.send(b"question").unwrap();
        let (count, from) = target.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"question");
        target.send_to(target.local_addr().unwrap().to_string().as_bytes(), from).unwrap();
        assert_eq!(flow.recv().unwrap(), target.local_addr().unwrap().to_string().as_bytes());
        ports.push(from);
        flows.push(flow);
    }
    assert_eq!(ports[0], ports[1], "one port for both");
    stranger.send_to(b"hello", ports[0]).unwrap();
    assert_eq!(association.stray(), (b"hello".to_vec(), stranger.local_addr().unwrap()));

    // Through a relay each has its own.
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let association = client.associate().unwrap();
    let port = echo_datagrams();
    let flow = association.datagrams(localhost(port)).unwrap();
    flow.send(b"through the relay").unwrap();
    assert_eq!(flow.recv().unwrap(), b"through the relay");
    assert_eq!(flow.route(), Some(Route::Proxied));
}

pub(crate) fn a_run_of_datagrams_keeps_its_order<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let port = echo_datagrams();
    let client = lab.client(Mode::Normal, Link::Wifi, &[&relay]);
    let flow = client.datagrams(localhost(port)).unwrap();
    let mut received = Vec::new();
    for window in 0..RUN / WINDOW {
        for number in window * WINDOW..(window + 1) * WINDOW {
            let mut payload = [0; 160];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            flow.send(&payload).unwrap();
        }
        receive_window(&*flow, (window + 1) * WINDOW - 1, &mut received);
    }
    assert!(received.is_sorted_by(|one, next| one < next), "out of order or twice: {received:?}");
    let lost = RUN as usize - received.len();
    assert!(lost <= MOST_LOST, "{lost} of {RUN} lost");
}

/// Receives until the datagram numbered `last` is there, or nothing comes any more.
fn receive_window(flow: &dyn Datagrams, last: u32, received: &mut Vec<u32>) {
    while received.last() != Some(&last) {
        let Some(datagram) = flow.recv_within(LOST).unwrap() else { return };
        assert_eq!(datagram.len(), 160);
        received.push(u32::from_be_bytes(datagram[..4].try_into().unwrap()));
    }
}

/// How many datagrams are sent, and how many of them before the first answer is waited for.
const RUN: u32 = 2_000;
const WINDOW: u32 = 20;
/// A path on one machine loses next to nothing.
const MOST_LOST: usize = 20;
/// A datagram that did not come for so long is lost.
const LOST: Duration = Duration::from_secs(1);
