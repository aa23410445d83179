//! The relay, driven by hand: one side plays the client, the other the outside world.

mod arrivals;
mod auth;
mod breaks;
mod chaos;
mod clock;
mod counts;
mod credentials;
mod datagrams;
mod dialling;
mod echo;
mod endings;
mod limits;
mod liveness;
mod mux;
mod open;
mod requests;
mod scope;
mod shards;
mod shared;
mod streams;
mod targets;
mod verify;

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Books, CloseReason, Event, Ledger, RefuseReason, Relay, Stats, TurnedAway, What};
use crate::auth::{Claims, Token};
use crate::base::{Clock, Families, Host, Instant, Name, Seed, UnixTime};
use crate::carrier::tls::{Connector as _, PlainConnector, Session};
use crate::config::{Liveness, RelayConfig, Valid};
use crate::error::{IoFailed, IoFailure, Resource};
use crate::net::{Machine as _, Output, Packets, Remote, SocketId, Transmit};
use crate::testing::{relay_config, signing_key, token};

const SECOND: Duration = Duration::from_secs(1);
const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const LISTENER: &str = "10.9.9.9:443";
const CLIENT: &str = "192.0.2.1:40000";
const TARGET: &str = "10.0.0.1:443";

/// A relay and everything that it asked of its adapter.
///
/// Sockets take every byte at once, unless they are in `stalled`. Nothing is answered by itself.
struct Rig {
    relay: Relay<Common>,
    now: Instant,
    /// Look-ups, connections and UDP sockets that were asked for, in order.
    lookups: Vec<(SocketId, Name)>,
    dials: Vec<(SocketId, SocketAddr)>,
    binds: Vec<(SocketId, SocketAddr)>,
    events: Vec<Event>,
    /// What was written to each socket, one entry for each write.
    written: BTreeMap<SocketId, Vec<Vec<u8>>>,
    /// Sockets that have something to write and take nothing.
    stalled: BTreeSet<SocketId>,
    waiting: BTreeSet<SocketId>,
    paused: BTreeSet<SocketId>,
    finished: BTreeSet<SocketId>,
    /// Closed sockets, and whether with a reset.
    closed: BTreeMap<SocketId, bool>,
    accepted: Vec<SocketId>,
    /// How each connection is watched.
    watched: BTreeMap<SocketId, Liveness>,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut RelayConfig)) -> Self {
        let mut config = relay_config().unwrap();
        config.carrier = crate::testing::carrier();
        change(&mut config);
        Self::several(1, config).remove(0)
    }

    /// The machines of one relay.
    fn several(count: usize, config: RelayConfig) -> Vec<Self> {
        let config = config.build().unwrap();
        let common = Common(Rc::new(RefCell::new(Books::new(config.clone(), count))));
        (0..count).map(|shard| Self::on(common.clone(), shard, config.clone())).collect()
    }

    fn on(common: Common, shard: usize, config: Valid<RelayConfig>) -> Self {
        let clock = Clock::new(Instant::ZERO, START);
        Self {
            relay: Relay::on(common, shard, config, &Seed::new([1; 32]), clock, Instant::ZERO),
            now: Instant::ZERO,
            lookups: Vec::new(),
            dials: Vec::new(),
            binds: Vec::new(),
            events: Vec::new(),
            written: BTreeMap::new(),
            stalled: BTreeSet::new(),
            waiting: BTreeSet::new(),
            paused: BTreeSet::new(),
            finished: BTreeSet::new(),
            closed: BTreeMap::new(),
            accepted: Vec::new(),
            watched: BTreeMap::new(),
        }
    }

    /// Does what the relay asks for, in the order of its asking.
    fn pump(&mut self) {
        while let Some(output) = self.relay.poll_output() {
            match output {
                Output::Resolve { id, name } => self.lookups.push((id, name)),
                Output::Dial { id, address } => self.dials.push((id, address)),
                Output::Bind { id, remote: Remote::One(address), fragments: false } => {
                    self.binds.push((id, address));
                }
                Output::Bind { id, .. } => panic!("{id} speaks with everybody, or sends fragments"),
                Output::Pending(id) => {
                    self.waiting.insert(id);
                    self.write(id);
                }
                Output::ReadPause(id) => assert!(self.paused.insert(id), "paused twice"),
                Output::ReadResume(id) => assert!(self.paused.remove(&id), "resumed twice"),
                Output::DelayAcks(_) => {}
                Output::Watch { id, liveness } => drop(self.watched.insert(id, liveness)),
                Output::Finish(id) => assert!(self.finished.insert(id), "finished twice"),
                Output::Close { id, reset } => {
                    assert!(self.closed.insert(id, reset).is_none(), "closed twice");
                    self.waiting.remove(&id);
                    self.paused.remove(&id);
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn write(&mut self, id: SocketId) {
        if self.stalled.contains(&id) || self.closed.contains_key(&id) || !self.waiting.remove(&id) {
            return;
        }
        while let Some(bytes) = self.relay.pending(self.now, id).map(<[u8]>::to_vec) {
            self.relay.handle_written(self.now, id, bytes.len());
            self.written.entry(id).or_default().push(bytes);
        }
        while let Some(transmit) = self.relay.transmit(self.now, id) {
            let datagrams: Vec<_> = transmit.datagrams().map(<[u8]>::to_vec).collect();
            self.relay.handle_sent(self.now, id, datagrams.len());
            self.written.entry(id).or_default().extend(datagrams);
        }
    }

    /// The socket takes bytes again.
    fn unstall(&mut self, id: SocketId) {
        self.stalled.remove(&id);
        self.write(id);
        self.pump();
    }

    /// What was written to a socket since the last call.
    fn sent(&mut self, id: SocketId) -> Vec<Vec<u8>> {
        self.written.remove(&id).unwrap_or_default()
    }

    /// Lets time pass as an adapter does: from one timeout to the next.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.relay.handle_timeout(self.now);
            self.pump();
        }
        self.now = end;
        self.relay.handle_timeout(end);
        self.pump();
    }

    fn accept(&mut self) -> Peer {
        self.accept_from(CLIENT).unwrap()
    }

    /// A connection whose TLS stands.
    fn accept_from(&mut self, client: &str) -> Option<Peer> {
        let mut peer = self.accept_silent(client)?;
        self.flush(&mut peer);
        assert!(!peer.session.is_handshaking());
        Some(peer)
    }

    /// A connection that has said nothing yet.
    fn accept_silent(&mut self, client: &str) -> Option<Peer> {
        let (client, local) = (client.parse().unwrap(), LISTENER.parse().unwrap());
        let socket = self.relay.handle_accepted(self.now, client, local)?;
        self.accepted.push(socket);
        let host: Host = "relay.example".parse().unwrap();
        let mut session = PlainConnector.connect(&host).unwrap();
        if crate::testing::is_over_mux() {
            session = Box::new(mux::Caller::new(1, Some(session)));
        }
        Some(Peer { socket, session, got: Vec::new() })
    }

    /// Carries what the client's session has to send, and what the relay wrote.
    fn flush(&mut self, peer: &mut Peer) {
        let mut bytes = peer.session.pending().to_vec();
        peer.session.written(bytes.len());
        for part in bytes.chunks_mut(16 * 1024) {
            self.receive(peer.socket, part);
        }
        self.hear(peer);
    }

    fn receive(&mut self, id: SocketId, bytes: &[u8]) {
        if self.binds.iter().any(|(bound, _)| *bound == id) {
            let packets = &mut bytes.to_vec();
            self.relay.handle_packets(self.now, id, Packets::one(TARGET.parse().unwrap(), packets));
        } else {
            self.relay.handle_received(self.now, id, &mut bytes.to_vec());
        }
        self.pump();
    }

    fn say(&mut self, peer: &mut Peer, bytes: impl AsRef<[u8]>) {
        peer.session.send(&[bytes.as_ref()]);
        self.flush(peer);
    }

    /// Reads what the relay wrote to the client; `got` keeps all of it.
    fn hear(&mut self, peer: &mut Peer) {
        for mut bytes in self.sent(peer.socket) {
            peer.session.receive(&mut bytes).unwrap();
        }
        loop {
            let plain = peer.session.plaintext().to_vec();
            if plain.is_empty() {
                break;
            }
            peer.session.consume(plain.len());
            peer.got.extend(plain);
        }
        // A client on the carrier of the tests ends a connection that carries nothing any more.
        if crate::testing::is_over_mux()
            && peer.session.is_finished()
            && !self.closed.contains_key(&peer.socket)
        {
            self.fin(peer.socket);
        }
    }

    /// The client ends its half, with close_notify and FIN.
    fn end(&mut self, peer: &mut Peer) {
        peer.session.send_end();
        self.flush(peer);
        // A connection that carries other tunnels too does not end with this one.
        if !crate::testing::is_over_mux() {
            self.fin(peer.socket);
        }
        self.hear(peer);
    }

    fn fin(&mut self, id: SocketId) {
        self.relay.handle_finished(self.now, id);
        self.pump();
    }

    fn fail(&mut self, id: SocketId, failure: IoFailure) {
        self.relay.handle_failed(self.now, id, IoFailed::new(failure));
        self.pump();
    }

    fn opened(&mut self, id: SocketId) {
        self.relay.handle_opened(self.now, id, "10.9.9.9:50000".parse().unwrap());
        self.pump();
    }

    fn resolved(&mut self, id: SocketId, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.relay.handle_resolved(self.now, id, Families::Both, Ok(&addresses));
        self.pump();
    }

    /// A client with an open stream, and the socket of its target.
    fn stream(&mut self) -> (Peer, SocketId) {
        let mut peer = self.accept();
        self.say(&mut peer, connect(TARGET));
        let (target, _) = *self.dials.last().expect("a dial");
        self.opened(target);
        self.hear(&mut peer);
        assert_eq!(peer.status(), 200);
        assert!(peer.take().ends_with(b"\r\n\r\n"));
        (peer, target)
    }

    /// A client with an open tunnel for datagrams, and the socket of its target.
    fn datagrams(&mut self) -> (Peer, SocketId) {
        let mut peer = self.accept();
        self.say(&mut peer, connect_udp("10.0.0.1", 443));
        let (target, _) = *self.binds.last().expect("a bind");
        self.opened(target);
        self.hear(&mut peer);
        assert_eq!(peer.status(), 101);
        peer.take();
        (peer, target)
    }

    /// Whether nothing was looked up or dialled.
    fn is_untouched(&self) -> bool {
        self.lookups.is_empty() && self.dials.is_empty() && self.binds.is_empty()
    }

    /// Sends a whole request and returns the whole answer, after which the relay must have ended its half.
    fn refused(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let mut peer = self.accept();
        self.say(&mut peer, request);
        self.answer(&mut peer)
    }

    /// The only answer on a connection that was refused, which then is closed from both sides.
    fn answer(&mut self, peer: &mut Peer) -> Answer {
        self.hear(peer);
        let answer = Answer::of(&peer.take());
        assert!(
            crate::testing::is_over_mux() || self.finished.contains(&peer.socket),
            "{answer:?} did not end the connection"
        );
        assert!(peer.session.is_finished(), "no close_notify behind {answer:?}");
        self.end(peer);
        assert_eq!(self.closed.get(&peer.socket), Some(&false));
        assert_eq!(peer.take(), b"", "more than one answer");
        answer
    }

    fn last(&self) -> &What {
        &self.events.last().expect("an event").what
    }

    fn close_reason(&self) -> &CloseReason {
        match self.last() {
            What::TunnelClosed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn refuse_reason(&self) -> &RefuseReason {
        match self.last() {
            What::Refused { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// No tunnel is open or on its way on this machine.
    fn assert_gone(&self) {
        assert!(self.relay.tunnels.is_empty() && self.relay.shares.is_empty(), "{:?}", self.relay.tunnels);
    }

    /// Everything is over: nothing may be left of it.
    fn assert_clean(&mut self) {
        // What carries many tunnels waits for its client to end it.
        for socket in
            core::mem::take(&mut self.accepted).into_iter().filter(|_| crate::testing::is_over_mux())
        {
            self.fin(socket);
        }
        let Stats { connections, tunnels, held, .. } = self.relay.stats();
        assert_eq!((connections, tunnels, held), (0, 0, 0), "connections, tunnels, bytes held");
        assert!(self.relay.is_idle());
        assert_eq!(self.relay.poll_timeout(), None);
        assert!(self.relay.tunnels.is_empty(), "{:?}", self.relay.tunnels);
        assert!(self.relay.requests.is_empty(), "{:?}", self.relay.requests);
        assert!(self.relay.shares.is_empty(), "{:?}", self.relay.shares);
        self.relay.ledger.read(Books::assert_clean);
        self.assert_counted();
    }
}

impl Rig {
    /// What was counted is what the events tell, once every tunnel has ended.
    fn assert_counted(&self) {
        let stats = self.relay.stats();
        let (mut moved, mut refused) = ([0; 3], 0);
        for event in &self.events {
            match event.what {
                What::TunnelClosed { sent, received, dropped, .. } => {
                    for (sum, more) in moved.iter_mut().zip([sent, received, dropped]) {
                        *sum += more;
                    }
                }
                What::Refused { .. } => refused += 1,
                _ => {}
            }
        }
        let dropped = stats.dropped.total() + stats.overflowed;
        assert_eq!([stats.to_target.bytes, stats.to_client.bytes, dropped], moved, "payload and drops");
        assert_eq!(stats.refused.total(), refused, "refusals");
    }
}

/// The books of a relay, for all its machines in a test.
#[derive(Clone, Debug)]
struct Common(Rc<RefCell<Books>>);

impl Ledger for Common {
    fn read<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.0.borrow())
    }

    fn write<T>(&mut self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(&mut self.0.borrow_mut())
    }
}

/// The client's side of one connection.
struct Peer {
    socket: SocketId,
    session: Box<dyn Session>,
    got: Vec<u8>,
}

impl Peer {
    fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.got)
    }

    fn status(&self) -> u16 {
        Answer::of(&self.got).status
    }
}

/// An answer that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let status = text.get(9..12).unwrap_or_else(|| panic!("no answer: {text:?}")).parse().unwrap();
        let heads = text.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count();
        assert_eq!(heads, 1, "{text}");
        Self { status, text }
    }

    /// The error of Proxy-Status.
    fn error(&self) -> Option<&str> {
        let line = self.field("Proxy-Status")?;
        line.split("error=").nth(1)?.split(';').next()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A token of `user` that is good for an hour.
fn token_of(user: &str) -> Token {
    let claims = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some(user.into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + 3_600)),
        ..Claims::default()
    };
    signing_key().unwrap().mint(&claims).unwrap()
}

fn bearer() -> String {
    bearer_of(&token(START, 48 * 3_600 * SECOND).unwrap())
}

fn bearer_of(token: &Token) -> String {
    format!("Proxy-Authorization: Bearer {}\r\n", token.expose())
}

fn connect(target: &str) -> String {
    connect_with(target, &bearer())
}

fn connect_with(target: &str, fields: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{fields}\r\n")
}

fn connect_udp(host: &str, port: u32) -> String {
    connect_udp_with(&format!("{host}/{port}"), &bearer())
}

fn connect_udp_with(target: &str, fields: &str) -> String {
    format!(
        "GET /.well-known/masque/udp/{target}/ HTTP/1.1\r\nHost: relay.example\r\nConnection: Upgrade\r\n\
         Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n{fields}\r\n"
    )
}

/// A DATAGRAM capsule of context 0.
fn capsule(payload: &[u8]) -> Vec<u8> {
    let mut bytes = crate::codec::capsule::datagram_header(payload.len()).as_bytes().to_vec();
    bytes.extend(payload);
    bytes
}

/// The payloads of the DATAGRAM capsules in `bytes`.
fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = crate::codec::capsule::CapsuleDecoder::new();
    let (mut rest, mut all) = (bytes, Vec::new());
    while !rest.is_empty() {
        let decoded = decoder.decode(rest).unwrap();
        all.extend(decoded.datagram.map(<[u8]>::to_vec));
        rest = &rest[decoded.consumed..];
    }
    decoder.finish().unwrap();
    all
}
