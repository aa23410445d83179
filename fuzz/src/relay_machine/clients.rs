//! Clients of the relay.

use wayleave_proto::base::{Host, Kind};
use wayleave_proto::carrier::tls::{Connector as _, PlainConnector, Session};
use wayleave_proto::codec::capsule::CapsuleDecoder;
use wayleave_proto::net::SocketId;

use super::Play;
use super::requests::{Request, TOKENS};
use super::targets::PAYLOAD;
use crate::play::Pattern;

/// One connection as its client sees it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: SocketId,
    pub(super) session: Box<dyn Session>,
    /// What its request opens; it has not asked, or against the rules, where `None`.
    pub(super) kind: Option<Kind>,
    pub(super) has_asked: bool,
    /// What it sent behind its request, and what of it came to the target.
    pub(super) sent: Pattern,
    pub(super) arrived: Pattern,
    /// What the target sent, and what of it came to the client.
    pub(super) returned: Pattern,
    pub(super) heard: Pattern,
    /// All that it said before its payload.
    said: Vec<u8>,
    /// A good token has come to the relay.
    pub(super) has_shown: bool,
    /// Something stands between its bytes that no rule allows.
    pub(super) is_garbled: bool,
    pub(super) is_ended: bool,
    answer: Vec<u8>,
    pub(super) status: Option<u16>,
    capsules: CapsuleDecoder,
    datagrams: u32,
    seen: Vec<u32>,
}

impl Client {
    pub(super) fn new(socket: SocketId, number: usize) -> Self {
        let host: Host = "relay.example".parse().expect("a host");
        Self {
            socket,
            session: PlainConnector.connect(&host).expect("the test transport connects"),
            kind: None,
            has_asked: false,
            sent: Pattern::new(number, false),
            arrived: Pattern::new(number, false),
            returned: Pattern::new(number, true),
            heard: Pattern::new(number, true),
            said: Vec::new(),
            has_shown: false,
            is_garbled: false,
            is_ended: false,
            answer: Vec::new(),
            status: None,
            capsules: CapsuleDecoder::new(),
            datagrams: 0,
            seen: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, request: &Request) {
        // A second request is payload, or nonsense.
        self.is_garbled |= self.has_asked || request.kind.is_none();
        if !self.has_asked {
            self.kind = request.kind;
        }
        self.has_asked = true;
        self.said.extend_from_slice(&request.bytes);
        self.session.send(&[&request.bytes]);
    }

    /// Says what no rule allows.
    pub(super) fn garble(&mut self, bytes: &[u8]) {
        self.is_garbled = true;
        self.said.extend_from_slice(bytes);
        self.session.send(&[bytes]);
    }

    /// The next datagram.
    pub(super) fn datagram(&mut self, number: usize, size: usize) -> Vec<u8> {
        let [a, b, c, d] = self.datagrams.to_be_bytes();
        self.datagrams += 1;
        let mut payload = vec![number as u8, a, b, c, d];
        payload.resize(size.max(payload.len()), d);
        payload
    }

    /// A datagram came to the target.
    ///
    /// # Panics
    /// Where this client did not send it, it was changed, or it has come before.
    pub(super) fn expect_datagram(&mut self, number: usize, payload: &[u8]) {
        if self.is_garbled {
            return;
        }
        let [first, a, b, c, d, filler @ ..] = payload else { panic!("a cut datagram: {payload:?}") };
        let sequence = u32::from_be_bytes([*a, *b, *c, *d]);
        assert_eq!(usize::from(*first), number, "a datagram of another client");
        assert!(sequence < self.datagrams, "a datagram that was never sent");
        assert!(filler.iter().all(|byte| byte == d), "a changed datagram");
        assert!(!self.seen.contains(&sequence), "datagram {sequence} came twice");
        self.seen.push(sequence);
    }

    /// Reads what the relay wrote.
    fn hear(&mut self) {
        let mut bytes = Vec::new();
        loop {
            let plain = self.session.plaintext();
            if plain.is_empty() {
                break;
            }
            bytes.extend_from_slice(plain);
            let count = plain.len();
            self.session.consume(count);
        }
        if self.status.is_none() {
            self.answer.append(&mut bytes);
            let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            bytes = self.answer.split_off(end + 4);
            let text = str::from_utf8(&self.answer).expect("an answer is text");
            let status = text.strip_prefix("HTTP/1.1 ").and_then(|text| text.get(..3)?.parse().ok());
            self.status = Some(status.expect("an answer has a status"));
        }
        match (self.status, self.kind) {
            _ if self.is_garbled || bytes.is_empty() => {}
            (Some(200), Some(Kind::Stream)) => self.heard.expect(&bytes),
            (Some(101), Some(Kind::Datagram)) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let decoded = self.capsules.decode(rest).expect("the relay sends capsules by the rules");
                    let payload = decoded.datagram.unwrap_or_default();
                    assert!(payload.iter().all(|byte| *byte == PAYLOAD), "a changed datagram");
                    rest = &rest[decoded.consumed..];
                    self.capsules.release();
                }
            }
            (Some(200 | 101), _) => panic!("an answer to another request"),
            // The text of a refusal.
            _ => assert!(!bytes.starts_with(b"HTTP/"), "two answers"),
        }
    }
}

impl Play<'_> {
    /// Carries what the client `number` has to send, at most `most` bytes, as long as the relay wants to read.
    pub(super) fn deliver(&mut self, number: usize, most: usize) {
        let mut left = most;
        while left > 0 {
            let carried = self.deliver_once(number, left.min(LARGEST_READ));
            left = if carried > 0 { left - carried } else { 0 };
        }
    }

    fn deliver_once(&mut self, number: usize, most: usize) -> usize {
        let (key, now) = (self.key, self.rig.latest());
        let Some(client) = self.clients.get_mut(number) else { return 0 };
        let Some(socket) = self.rig.sockets.get(&client.socket).filter(|socket| socket.is_read()) else {
            return 0;
        };
        debug_assert!(socket.is_open);
        let pending = client.session.pending();
        let bytes = pending[..most.min(pending.len())].to_vec();
        client.session.written(bytes.len());
        if bytes.is_empty() {
            return 0;
        }
        let is_good =
            |shown: &&super::requests::Shown| shown.is_good(key, now) && shown.stands_in(&client.said);
        client.has_shown |= TOKENS.iter().any(|shown| is_good(&shown));
        let id = client.socket;
        self.causes.insert(number);
        self.rig.received(id, &bytes);
        bytes.len()
    }

    /// Carries what the relay has to send to client `number`, at most `most` bytes.
    pub(super) fn flush_client(&mut self, number: usize, most: usize) -> bool {
        let Some(client) = self.clients.get_mut(number) else { return false };
        self.causes.insert(number);
        let Some(mut bytes) = self.rig.written(client.socket, most) else { return false };
        if client.session.receive(&mut bytes).is_err() {
            assert!(client.is_garbled, "the relay broke the transport");
        }
        client.hear();
        true
    }
}

/// What an adapter reads at most before the relay can say that it wants no more.
pub(super) const LARGEST_READ: usize = 128 * 1024;
