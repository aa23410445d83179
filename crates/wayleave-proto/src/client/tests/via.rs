//! Relays behind a proxy of the network, which is played by hand.

use super::*;
use crate::base::Families;
use crate::carrier::tls::{Acceptor as _, PlainAcceptor};
use crate::client::{FlowError, Notice};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Machine as _, Output, SocketId};

const NOW: Instant = Instant::ZERO;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A client in mode normal of one relay, and what it asked of its adapter.
struct Play {
    client: Client,
    flow: FlowId,
    names: Vec<(SocketId, String)>,
    dials: Vec<(SocketId, SocketAddr)>,
    events: Vec<What>,
}

impl Play {
    fn new(vias: &[&str]) -> Self {
        Self::of(&["relay.example:443"], vias, "")
    }

    /// The same of these relays, with these reached directly.
    fn of(relays: &[&str], vias: &[&str], no_via: &str) -> Self {
        let mut config = config(Mode::Normal, Link::Wifi);
        config.proxies = relays.iter().map(|relay| relay.parse().unwrap()).collect();
        config.no_via = no_via.parse().unwrap();
        config.via = vias.iter().map(|via| via.parse().unwrap()).collect();
        (config.limits.standby, config.limits.dials) = (0, 1);
        let mut client =
            Client::new(config.build().unwrap(), &Seed::new([1; 32]), Clock::new(NOW, START), NOW);
        let flow = client.open(NOW, Kind::Stream, ECHO.parse().unwrap()).unwrap();
        let mut play = Self { client, flow, names: Vec::new(), dials: Vec::new(), events: Vec::new() };
        play.drain();
        play
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Resolve { id, name } => self.names.push((id, name.to_string())),
                Output::Dial { id, address } => self.dials.push((id, address)),
                Output::Event(Notice::Event(event)) => self.events.push(event.what),
                _ => {}
            }
        }
    }

    /// The next connection stands; what was said on it.
    fn opened(&mut self) -> (SocketId, String) {
        let (id, _) = self.dials.remove(0);
        self.client.handle_opened(NOW, id, "192.0.2.1:50000".parse().unwrap());
        (id, String::from_utf8(self.said(id)).unwrap())
    }

    fn said(&mut self, id: SocketId) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = self.client.pending(NOW, id).map(<[u8]>::to_vec) {
            self.client.handle_written(NOW, id, bytes.len());
            all.extend(bytes);
        }
        self.drain();
        all
    }

    fn answer(&mut self, id: SocketId, bytes: &[u8]) {
        self.client.handle_received(NOW, id, &mut bytes.to_vec());
        self.drain();
    }

    /// The relay behind it shakes hands; the request that it gets.
    fn shake(&mut self, id: SocketId) -> String {
        let mut relay = PlainAcceptor.accept().unwrap();
        relay.receive(&mut self.said(id)).unwrap();
        let hello = relay.pending().to_vec();
        self.answer(id, &hello);
        relay.receive(&mut self.said(id)).unwrap();
        String::from_utf8(relay.plaintext().to_vec()).unwrap()
    }

    fn failures(&self) -> Vec<String> {
        let failed = self.events.iter().filter(|what| matches!(what, What::ProxyFailed { .. }));
        failed.map(ToString::to_string).collect()
    }
}

#[test]
fn the_relay_is_named_to_the_way_and_to_nobody_else() {
    let mut play = Play::new(&["http://proxy.example:3128"]);
    let (lookup, name) = play.names.remove(0);
    assert_eq!((name.as_str(), play.names.len(), play.dials.len()), ("proxy.example", 0, 0));
    play.client.handle_resolved(NOW, lookup, Families::Both, Ok(&["10.0.0.8".parse().unwrap()]));
    play.drain();
    assert_eq!(play.dials[0].1, "10.0.0.8:3128".parse().unwrap());
    let (id, request) = play.opened();
    assert_eq!(request, "CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\r\n");
    play.answer(id, OK);
    let request = play.shake(id);
    assert!(request.starts_with("CONNECT 10.0.0.1:7 ") && request.contains("Bearer "), "{request}");
    let connected = play.events.iter().find(|what| matches!(what, What::ProxyConnected { .. })).unwrap();
    let told = connected.to_string();
    assert!(
        told.contains("relay.example:443") && told.contains("through http://proxy.example:3128"),
        "{told}"
    );
    assert!(play.names.is_empty(), "{:?}", play.names);
}

#[test]
fn the_ways_are_tried_in_turn_and_each_is_named_with_what_it_said() {
    let vias = ["http://ada:secret@10.0.0.8:3128", "http://10.0.0.9:3128", "socks5://10.0.0.7:1080"];
    let mut play = Play::new(&vias);
    assert_eq!(play.dials[0].1, "10.0.0.8:3128".parse().unwrap());
    let (first, _) = play.dials.remove(0);
    play.client.handle_failed(NOW, first, IoFailed::new(IoFailure::ConnectionRefused));
    play.drain();
    let (second, _) = play.opened();
    play.answer(second, b"HTTP/1.1 403 Forbidden\r\n\r\n");
    let (third, greeting) = play.opened();
    assert_eq!(greeting.as_bytes(), [5, 1, 0]);
    play.answer(third, &[5, 0]);
    play.answer(third, &[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
    let failures = play.failures();
    for (told, words) in failures.iter().zip([
        "through http://10.0.0.8:3128: this proxy cannot be reached",
        "through http://10.0.0.9:3128: it refuses to connect to the relay (403)",
        "through socks5://10.0.0.7:1080: it does not connect to the relay",
    ]) {
        assert!(
            told.contains("relay.example:443") && told.contains(words) && !told.contains("secret"),
            "{told}"
        );
    }
    assert_eq!(failures.len(), 3);
    let FlowStatus::Failed(error @ FlowError::NoProxy(_)) = play.client.status(play.flow) else { panic!() };
    assert!(error.to_string().contains("through socks5://10.0.0.7:1080"), "{error}");
    assert!(play.names.is_empty(), "nothing is looked up: {:?}", play.names);
}

#[test]
fn each_relay_is_judged_apart_for_whether_there_is_a_way_in_front_of_it() {
    let relays = ["near.example:443", "far.example:443"];
    let mut play = Play::of(&relays, &["http://10.0.0.8:3128"], ".near.example");
    let (lookup, name) = play.names.remove(0);
    assert_eq!((name.as_str(), play.dials.len()), ("near.example", 0));
    play.client.handle_resolved(NOW, lookup, Families::Both, Ok(&["10.0.0.5".parse().unwrap()]));
    play.drain();
    let (near, address) = play.dials.remove(0);
    assert_eq!(address, "10.0.0.5:443".parse().unwrap());
    play.client.handle_failed(NOW, near, IoFailed::new(IoFailure::ConnectionRefused));
    play.drain();
    assert!(!play.failures()[0].contains("through"), "{:?}", play.failures());
    assert_eq!(play.dials[0].1, "10.0.0.8:3128".parse().unwrap());
    let (far, request) = play.opened();
    assert!(request.starts_with("CONNECT far.example:443 "), "{request}");
    play.answer(far, OK);
    assert!(play.shake(far).starts_with("CONNECT 10.0.0.1:7 "));
    assert!(play.names.is_empty(), "{:?}", play.names);
}

#[test]
fn a_way_that_closes_when_it_asks_who_the_user_is_is_answered_on_the_next_connection() {
    let mut play = Play::new(&["http://ada:secret@10.0.0.8:3128"]);
    let ask = b"HTTP/1.1 407 \r\nProxy-Authenticate: Basic realm=\"a\"\r\nConnection: close\r\n\r\n";
    let (first, request) = play.opened();
    assert!(!request.contains("Authorization"), "{request}");
    play.answer(first, ask);
    assert_eq!((play.dials.len(), play.failures().len()), (1, 0));
    let (second, request) = play.opened();
    assert!(request.contains("Proxy-Authorization: Basic "), "{request}");
    play.answer(second, OK);
    assert!(play.shake(second).starts_with("CONNECT "));
    // A wrong password ends it.
    let mut play = Play::new(&["http://ada:secret@10.0.0.8:3128"]);
    for _ in 0..2 {
        let (id, _) = play.opened();
        play.answer(id, ask);
    }
    assert!(play.failures()[0].contains("refuses the user name"), "{:?}", play.failures());
    assert!(play.dials.is_empty());
}
