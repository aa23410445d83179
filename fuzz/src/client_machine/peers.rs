//! What stands at the other end of the client's sockets.

use wayleave_proto::base::{Host, Kind};
use wayleave_proto::carrier::tls::{Acceptor as _, PlainAcceptor, Session};
use wayleave_proto::codec::capsule::CapsuleDecoder;
use wayleave_proto::codec::h1::{HeadLimits, parse_ask};
use wayleave_proto::codec::http::Want;
use wayleave_proto::net::SocketId;

use super::{Play, number_of};
use crate::play::Asked;

/// The other end of one socket.
#[derive(Debug)]
pub(super) enum Peer {
    /// A target or a probe, and what it has still to send.
    Direct {
        flow: Option<usize>,
        outgoing: Vec<u8>,
    },
    Proxy(Box<Proxy>),
}

/// A proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) session: Box<dyn Session>,
    /// What came of the request.
    head: Vec<u8>,
    /// The flow that asked, once its request is whole.
    pub(super) flow: Option<usize>,
    /// Whether the last answer that was given opened a tunnel.
    pub(super) answered: Option<bool>,
    capsules: CapsuleDecoder,
    /// It has sent close_notify.
    pub(super) is_ended: bool,
    /// It has sent what no proxy should.
    pub(super) is_garbled: bool,
}

impl Proxy {
    fn new() -> Self {
        Self {
            session: PlainAcceptor.accept().expect("the test transport accepts"),
            head: Vec::new(),
            flow: None,
            answered: None,
            capsules: CapsuleDecoder::new(),
            is_ended: false,
            is_garbled: false,
        }
    }
}

impl Play<'_> {
    /// Gives a new socket its other end.
    pub(super) fn meet(&mut self, id: SocketId) {
        let Some(socket) = self.rig.sockets.get(&id) else { return };
        let peer = match &socket.asked {
            Asked::Tcp(address) if self.is_proxy(*address) => Peer::Proxy(Box::new(Proxy::new())),
            Asked::Tcp(address) | Asked::Udp(address) => {
                let is_flow = !address.ip().to_string().starts_with("10.2.");
                let flow = is_flow.then(|| number_of(address.ip()));
                Peer::Direct { flow, outgoing: Vec::new() }
            }
            Asked::Accepted | Asked::Lookup(_) => return,
        };
        self.peers.insert(id, peer);
    }

    /// Carries what the client has to send, at most `most` bytes of it.
    pub(super) fn flush(&mut self, id: SocketId, most: usize) -> bool {
        let is_datagram =
            matches!(self.rig.sockets.get(&id).map(|socket| &socket.asked), Some(Asked::Udp(_)));
        let Some(mut bytes) = self.rig.written(id, most) else { return false };
        match self.peers.get_mut(&id) {
            None => {}
            Some(Peer::Direct { flow: None, .. }) => {}
            Some(Peer::Direct { flow: Some(number), .. }) => {
                let Some(flow) = self.flows.get_mut(*number) else { panic!("no flow {number}") };
                if is_datagram {
                    flow.expect_datagram(*number, &bytes);
                } else {
                    flow.arrived.expect(&bytes);
                }
            }
            Some(Peer::Proxy(proxy)) => {
                // What comes behind garbage of our own may be an alert.
                if proxy.session.receive(&mut bytes).is_err() {
                    assert!(proxy.is_garbled, "the client broke the transport");
                }
                self.hear(id);
            }
        }
        true
    }

    /// Reads what came to a proxy.
    fn hear(&mut self, id: SocketId) {
        let Some(Peer::Proxy(proxy)) = self.peers.get_mut(&id) else { return };
        let mut bytes = Vec::new();
        loop {
            let plain = proxy.session.plaintext();
            if plain.is_empty() {
                break;
            }
            bytes.extend_from_slice(plain);
            let count = plain.len();
            proxy.session.consume(count);
        }
        if proxy.flow.is_none() {
            proxy.head.append(&mut bytes);
            let Some(end) = proxy.head.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            assert_eq!(proxy.head.len(), end + 4, "something follows before the answer");
            let ask = parse_ask(&proxy.head, &HeadLimits::default()).expect("the client asks by the rules");
            let value = ask.authorization.as_ref().map(|value| value.expose().as_str()).unwrap_or_default();
            let is_ours = |token: &&_| {
                value.strip_prefix("Bearer ") == Some(wayleave_proto::auth::Token::expose(token))
            };
            assert!(self.tokens.iter().any(is_ours), "the request shows no token");
            // A renewed token is shown without asking for anything.
            let Want::Tunnel { kind, target } = ask.want else { return };
            let number = match &target.host {
                Host::Address(address) => number_of(*address),
                Host::Name(name) => {
                    let digits = name.as_str().trim_start_matches('f').split('.').next();
                    digits.and_then(|digits| digits.parse().ok()).expect("the name of a flow's target")
                }
            };
            let flow = &mut self.flows[number];
            assert_eq!((flow.kind, &flow.target), (kind, &target));
            flow.is_garbled |= proxy.is_garbled;
            proxy.flow = Some(number);
            return;
        }
        if bytes.is_empty() {
            return;
        }
        let Some(number) = proxy.flow else { return };
        assert!(
            proxy.answered == Some(true) || proxy.is_garbled,
            "payload without a tunnel: {:?}",
            proxy.answered
        );
        let flow = &mut self.flows[number];
        match flow.kind {
            Kind::Stream => flow.arrived.expect(&bytes),
            Kind::Datagram => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let decoded =
                        proxy.capsules.decode(rest).expect("the client sends capsules by the rules");
                    if let Some(payload) = decoded.datagram {
                        flow.expect_datagram(number, payload);
                    }
                    rest = &rest[decoded.consumed..];
                    proxy.capsules.release();
                }
            }
        }
    }

    /// Whether everything that the other end has sent was carried.
    pub(super) fn is_delivered(&mut self, id: SocketId) -> bool {
        match self.peers.get_mut(&id) {
            Some(Peer::Direct { outgoing, .. }) => outgoing.is_empty(),
            Some(Peer::Proxy(proxy)) => proxy.session.pending_len() == 0,
            None => true,
        }
    }

    /// Carries every request to a proxy that says what nobody asked for: only then it is known which flow that meets.
    fn hear_out(&mut self, id: SocketId) {
        for _ in 0..MOST_WRITES {
            match self.peers.get(&id) {
                Some(Peer::Proxy(proxy)) if proxy.is_garbled && proxy.flow.is_none() => {}
                _ => return,
            }
            if !self.flush(id, usize::MAX) {
                return;
            }
            self.look();
        }
    }

    /// Carries what the other end has to send, at most `most` bytes of it, unless the client does not want to read.
    pub(super) fn deliver(&mut self, id: SocketId, most: usize) {
        self.hear_out(id);
        let Some(socket) = self.rig.sockets.get(&id) else { return };
        if !socket.is_read() {
            return;
        }
        let bytes = match self.peers.get_mut(&id) {
            Some(Peer::Direct { outgoing, .. }) => {
                outgoing.drain(..most.min(outgoing.len())).collect::<Vec<u8>>()
            }
            Some(Peer::Proxy(proxy)) => {
                let pending = proxy.session.pending();
                let bytes = pending[..most.min(pending.len())].to_vec();
                proxy.session.written(bytes.len());
                bytes
            }
            None => return,
        };
        if !bytes.is_empty() {
            self.rig.received(id, &bytes);
        }
    }
}

/// Writes until a request is through.
const MOST_WRITES: usize = 20;
