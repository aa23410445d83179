//! Datagram flows that share a port while they are direct.

use core::net::SocketAddr;

use super::{Client, FlowId, config};
use crate::base::{Clock, Instant, Kind, Link, Seed};
use crate::client::{AssociationId, FlowError, Notice};
use crate::config::Mode;
use crate::net::{Family, Machine as _, Output, Packets, Remote, SocketId};

/// A client in mode off, driven by hand.
struct Hand {
    client: Client,
    /// Sockets that are open, with whom they speak.
    sockets: Vec<(SocketId, Remote)>,
    notices: Vec<Notice>,
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Hand {
    fn new() -> Self {
        let config = config(Mode::Off, Link::Wifi).build().unwrap();
        let clock = Clock::new(Instant::ZERO, super::START);
        let client = Client::new(config, &Seed::new([7; 32]), clock, at(0));
        Self { client, sockets: Vec::new(), notices: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Bind { id, remote, fragments } => {
                    assert!(fragments, "a plain socket sends fragments");
                    self.sockets.push((id, remote));
                    self.client.handle_opened(at(1), id, address("192.0.2.50:40000"));
                }
                Output::Close { id, .. } => self.sockets.retain(|(open, _)| *open != id),
                Output::Event(notice) => self.notices.push(notice),
                _ => {}
            }
        }
    }

    fn open(&mut self, association: AssociationId, target: &str) -> FlowId {
        let flow = self.client.open_associated(at(1), association, target.parse().unwrap()).unwrap();
        self.drain();
        flow
    }

    /// Everything that goes out on `socket`, with where it goes; what can leave together is joined.
    fn sent(&mut self, socket: SocketId) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(transmit) = self.client.transmit(at(1), socket) {
            let count = transmit.count();
            sent.push((transmit.destination.unwrap(), transmit.contents.to_vec()));
            self.client.handle_sent(at(1), socket, count);
        }
        sent
    }

    fn receive(&mut self, socket: SocketId, from: &str, payload: &[u8]) {
        self.client.handle_packets(at(2), socket, Packets::one(address(from), &mut payload.to_vec()));
    }

    fn received(&mut self, flow: FlowId) -> Option<Vec<u8>> {
        let payload = self.client.datagram(flow).unwrap().map(<[u8]>::to_vec);
        self.client.take_datagram(flow);
        payload
    }
}

#[test]
pub(super) fn the_flows_of_an_association_share_one_socket_for_each_family() {
    let mut hand = Hand::new();
    let association = hand.client.associate(at(0)).unwrap();
    let one = hand.open(association, "192.0.2.1:1");
    let two = hand.open(association, "192.0.2.2:2");
    let six = hand.open(association, "[2001:db8::1]:6");
    let remotes: Vec<_> = hand.sockets.iter().map(|(_, remote)| *remote).collect();
    assert_eq!(remotes, [Remote::Every(Family::V4), Remote::Every(Family::V6)]);
    let (four, sixth) = (hand.sockets[0].0, hand.sockets[1].0);

    for (flow, payload) in [(one, "a"), (one, "b"), (one, "longer"), (two, "c"), (six, "d")] {
        hand.client.send_datagram(at(1), flow, payload.as_bytes()).unwrap();
    }
    // The flows take turns, each with what can leave together.
    let sent = [("192.0.2.1:1", "ab"), ("192.0.2.2:2", "c"), ("192.0.2.1:1", "longer")];
    assert_eq!(hand.sent(four), sent.map(|(to, payload)| (address(to), payload.as_bytes().to_vec())));
    assert_eq!(hand.sent(sixth), [(address("[2001:db8::1]:6"), b"d".to_vec())]);

    hand.receive(four, "192.0.2.2:2", b"answer");
    assert_eq!((hand.received(two), hand.received(one)), (Some(b"answer".to_vec()), None));

    hand.client.release(at(3), one);
    hand.client.release(at(3), six);
    hand.drain();
    assert_eq!(hand.sockets, [(four, Remote::Every(Family::V4))], "the port stays while a flow uses it");
    hand.client.release(at(3), two);
    hand.client.dissociate(at(3), association);
    hand.drain();
    assert_eq!(hand.sockets, []);
    assert_eq!(
        hand.client.open_associated(at(4), association, "a:1".parse().unwrap()),
        Err(FlowError::Closed)
    );
}

#[test]
pub(super) fn what_strangers_send_is_heard_with_their_name() {
    let mut hand = Hand::new();
    let association = hand.client.associate(at(0)).unwrap();
    let flow = hand.open(association, "192.0.2.1:1");
    let socket = hand.sockets[0].0;
    for from in ["192.0.2.1:9", "198.51.100.7:7"] {
        hand.receive(socket, from, b"hello");
        hand.drain();
        assert!(hand.notices.contains(&Notice::Association(association)));
        assert_eq!(hand.client.stray(association), Ok(Some((address(from), &b"hello"[..]))));
        hand.client.take_stray(association);
    }
    assert_eq!(hand.client.stray(association), Ok(None));
    assert_eq!(hand.received(flow), None);
    hand.client.close(at(3));
    assert_eq!(hand.client.stray(association), Err(FlowError::ClientClosed));
    hand.drain();
    assert_eq!(hand.sockets, []);
}

#[test]
pub(super) fn a_flow_without_an_association_keeps_a_socket_of_its_own() {
    let mut hand = Hand::new();
    hand.client.open(at(0), Kind::Datagram, "192.0.2.1:1".parse().unwrap()).unwrap();
    hand.drain();
    assert_eq!(
        hand.sockets.iter().map(|(_, remote)| *remote).collect::<Vec<_>>(),
        [Remote::One(address("192.0.2.1:1"))]
    );
}
