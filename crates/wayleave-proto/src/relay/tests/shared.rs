//! Several tunnels on one connection: each lives and ends by itself, until the connection takes all with it.

use super::mux::Caller;
use super::*;
use crate::auth::{AccountId, CredentialKind, Revoked, TokenError, Verdict};
use crate::carrier::Carrier;
use crate::carrier::mux::{Frame, GONE};
use crate::config::Verifier;
use crate::policy::Scope;
use crate::relay::{ConnectionId, TunnelId};

/// One connection and those who call on it.
struct Shared {
    socket: SocketId,
    tls: Box<dyn Session>,
    callers: Vec<Caller>,
    got: Vec<Vec<u8>>,
}

impl Shared {
    fn new(rig: &mut Rig) -> Self {
        let (client, local) = (CLIENT.parse().unwrap(), LISTENER.parse().unwrap());
        let socket = rig.relay.handle_accepted(rig.now, client, local).unwrap();
        let tls = PlainConnector.connect(&"relay.example".parse().unwrap()).unwrap();
        let mut shared = Self { socket, tls, callers: Vec::new(), got: Vec::new() };
        shared.utter(rig, &[]);
        shared.exchange(rig);
        shared
    }

    /// Sends bytes inside of TLS.
    fn utter(&mut self, rig: &mut Rig, bytes: &[u8]) {
        self.tls.send(&[bytes]);
        let sent = self.tls.pending().to_vec();
        self.tls.written(sent.len());
        rig.receive(self.socket, &sent);
    }

    /// Hands what the relay wrote to everybody; whether that was anything.
    fn hear(&mut self, mut bytes: Vec<u8>) -> bool {
        self.tls.receive(&mut bytes).unwrap();
        let plain = self.tls.plaintext().to_vec();
        self.tls.consume(plain.len());
        for caller in &mut self.callers {
            caller.receive(&mut plain.clone()).unwrap();
        }
        !plain.is_empty()
    }

    /// One more asks for something.
    fn ask(&mut self, rig: &mut Rig, request: impl AsRef<[u8]>) -> usize {
        let number = self.callers.len();
        self.callers.push(Caller::new(u32::try_from(number).unwrap(), None));
        self.got.push(Vec::new());
        self.say(rig, number, request);
        number
    }

    /// One more opens a stream to a target of its own.
    fn stream(&mut self, rig: &mut Rig, target: &str) -> (usize, SocketId) {
        let number = self.ask(rig, connect(target));
        let (socket, _) = *rig.dials.last().unwrap();
        rig.opened(socket);
        self.exchange(rig);
        assert!(self.take(number).starts_with(b"HTTP/1.1 200 "));
        (number, socket)
    }

    fn say(&mut self, rig: &mut Rig, number: usize, bytes: impl AsRef<[u8]>) {
        self.callers[number].send(&[bytes.as_ref()]);
        self.exchange(rig);
    }

    fn end(&mut self, rig: &mut Rig, number: usize) {
        self.callers[number].send_end();
        self.exchange(rig);
    }

    /// Carries what there is to carry both ways.
    fn exchange(&mut self, rig: &mut Rig) {
        loop {
            let mut sent = Vec::new();
            for caller in &mut self.callers {
                sent.extend_from_slice(caller.pending());
                caller.written(caller.pending_len());
            }
            if !sent.is_empty() && !rig.closed.contains_key(&self.socket) {
                self.utter(rig, &sent);
            }
            let came = rig.sent(self.socket).concat();
            if !self.hear(came) && sent.is_empty() {
                break;
            }
        }
        for (caller, got) in self.callers.iter_mut().zip(&mut self.got) {
            got.extend_from_slice(caller.plaintext());
            caller.consume(caller.plaintext_len());
        }
    }

    fn take(&mut self, number: usize) -> Vec<u8> {
        core::mem::take(&mut self.got[number])
    }
}

/// A relay that serves the carrier of the tests, with something changed.
fn over_mux(change: impl FnOnce(&mut RelayConfig)) -> Rig {
    Rig::with(|config| {
        config.carrier = Carrier::Mux;
        change(config);
    })
}

/// What was opened and refused, in order: the connection and the tunnel.
fn named(rig: &Rig) -> Vec<(ConnectionId, TunnelId)> {
    let is_named = |event: &&Event| matches!(event.what, What::TunnelOpened { .. } | What::Refused { .. });
    let events = rig.events.iter().filter(is_named);
    events.map(|event| (event.connection.unwrap(), event.tunnel.unwrap())).collect()
}

fn closed(rig: &Rig) -> Vec<(TunnelId, CloseReason)> {
    let closed = rig.events.iter().filter_map(|event| match &event.what {
        What::TunnelClosed { reason, .. } => Some((event.tunnel?, reason.clone())),
        _ => None,
    });
    closed.collect()
}

#[test]
fn each_has_a_name_and_an_end_of_its_own() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let (one, first) = shared.stream(&mut rig, "10.0.0.1:443");
    let (two, second) = shared.stream(&mut rig, "10.0.0.2:443");
    let media = shared.ask(&mut rig, connect_udp("10.0.0.3", 443));
    let (third, _) = rig.binds[0];
    rig.opened(third);
    shared.exchange(&mut rig);
    shared.take(media);
    let refused = shared.ask(&mut rig, connect_with("10.0.0.4:443", ""));
    assert!(shared.take(refused).starts_with(b"HTTP/1.1 407 "));
    let names = named(&rig);
    assert_eq!(names.len(), 4);
    assert!(names.iter().all(|(connection, _)| *connection == names[0].0));
    assert_eq!(names.iter().map(|(_, tunnel)| *tunnel).collect::<BTreeSet<_>>().len(), 4);
    assert_eq!((rig.relay.stats().connections, rig.relay.stats().tunnels), (1, 3));

    shared.say(&mut rig, one, b"to one");
    shared.say(&mut rig, two, b"to two");
    shared.say(&mut rig, media, capsule(b"to three"));
    assert_eq!(rig.sent(first).concat(), b"to one");
    assert_eq!(rig.sent(second).concat(), b"to two");
    assert_eq!(rig.sent(third), [b"to three"]);
    rig.receive(first, b"from one");
    rig.receive(third, b"from three");
    shared.exchange(&mut rig);
    assert_eq!((shared.take(one), shared.take(two)), (b"from one".to_vec(), Vec::new()));
    assert_eq!(payloads(&shared.take(media)), [b"from three"]);

    shared.end(&mut rig, one);
    assert!(rig.finished.contains(&first));
    rig.fin(first);
    shared.exchange(&mut rig);
    assert!(shared.callers[one].is_finished());
    rig.fail(second, IoFailure::ConnectionReset);
    shared.exchange(&mut rig);
    assert_eq!(closed(&rig)[0], (names[0].1, CloseReason::Finished));
    assert!(matches!(&closed(&rig)[1], (id, CloseReason::TargetGone(_)) if *id == names[1].1));
    shared.say(&mut rig, media, capsule(b"still here"));
    assert_eq!(rig.sent(third), [b"still here"]);
    shared.end(&mut rig, media);
    assert_eq!(rig.closed.get(&shared.socket), None, "its client may ask for more");
    rig.fin(shared.socket);
    rig.assert_clean();
}

#[test]
fn one_that_stands_still_holds_up_no_other() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let (slow, stuck) = shared.stream(&mut rig, "10.0.0.1:443");
    let (fast, open) = shared.stream(&mut rig, "10.0.0.2:443");
    rig.stalled.insert(stuck);
    shared.say(&mut rig, slow, vec![1; 100_000]);
    assert!(rig.relay.stats().held < 20_000, "{}", rig.relay.stats().held);
    shared.say(&mut rig, fast, vec![2; 100_000]);
    assert_eq!(rig.sent(open).concat().len(), 100_000);
    rig.unstall(stuck);
    shared.exchange(&mut rig);
    assert_eq!(rig.sent(stuck).concat(), vec![1; 100_000]);
    // The other way round: a client that gives no credit in one.
    rig.stalled.insert(shared.socket);
    for target in [stuck, open] {
        for _ in 0..6 {
            rig.receive(target, &[3; 16 * 1024]);
        }
        assert!(rig.paused.contains(&target));
    }
    rig.unstall(shared.socket);
    shared.exchange(&mut rig);
    assert!(rig.paused.is_empty());
    assert_eq!((shared.take(slow).len(), shared.take(fast).len()), (96 * 1024, 96 * 1024));
}

#[test]
fn datagrams_of_several_take_turns() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let mut targets = Vec::new();
    for _ in 0..2 {
        let number = shared.ask(&mut rig, connect_udp("10.0.0.1", 443));
        let (target, _) = *rig.binds.last().unwrap();
        rig.opened(target);
        shared.exchange(&mut rig);
        shared.take(number);
        targets.push(target);
    }
    rig.stalled.insert(shared.socket);
    for target in &targets {
        for _ in 0..50 {
            rig.receive(*target, &[1; 1_400]);
        }
    }
    // One write for each turn.
    rig.stalled.remove(&shared.socket);
    for _ in 0..2 {
        let bytes = rig.relay.pending(rig.now, shared.socket).unwrap().to_vec();
        rig.relay.handle_written(rig.now, shared.socket, bytes.len());
        shared.hear(bytes);
    }
    shared.exchange(&mut rig);
    let early: Vec<_> = (0..2).map(|number| payloads(&shared.take(number)).len()).collect();
    assert!(early.iter().all(|count| (10..30).contains(count)), "{early:?}");
    rig.unstall(shared.socket);
    shared.exchange(&mut rig);
    let late: Vec<_> = (0..2).map(|number| payloads(&shared.take(number)).len()).collect();
    assert_eq!((early[0] + late[0], early[1] + late[1]), (50, 50));
}

#[test]
fn the_end_of_the_connection_takes_all_with_it() {
    for way in 0..3 {
        let mut rig = over_mux(|_| {});
        let mut shared = Shared::new(&mut rig);
        let (_, first) = shared.stream(&mut rig, "10.0.0.1:443");
        let (_, second) = shared.stream(&mut rig, "10.0.0.2:443");
        shared.ask(&mut rig, connect("10.0.0.3:443"));
        let (dialling, _) = *rig.dials.last().unwrap();
        shared.ask(&mut rig, connect("a.example:443"));
        let mut gone = Vec::new();
        Frame { tag: GONE, number: 0, payload: &[] }.write(&mut gone);
        match way {
            0 => shared.utter(&mut rig, &gone),
            1 => rig.fin(shared.socket),
            _ => rig.fail(shared.socket, IoFailure::ConnectionReset),
        }
        assert_eq!((rig.closed.get(&first), rig.closed.get(&second)), (Some(&true), Some(&true)));
        assert!(rig.closed.contains_key(&dialling) && rig.closed.contains_key(&rig.lookups[0].0));
        let reasons: Vec<_> = closed(&rig).into_iter().map(|(_, reason)| reason).collect();
        assert_eq!(reasons, [CloseReason::ClientGone, CloseReason::ClientGone]);
        rig.assert_clean();
    }
}

#[test]
fn a_connection_has_so_many_and_another_has_as_many_again() {
    let mut rig = over_mux(|config| config.limits.tunnels_per_connection = 2);
    let mut shared = Shared::new(&mut rig);
    let (one, first) = shared.stream(&mut rig, "10.0.0.1:443");
    shared.stream(&mut rig, "10.0.0.2:443");
    let dials = rig.dials.len();
    let more = shared.ask(&mut rig, connect("10.0.0.3:443"));
    let answer = Answer::of(&shared.take(more));
    assert_eq!((answer.status, answer.error()), (429, Some("connection_limit_reached")));
    assert_eq!(answer.field("Retry-After"), Some("1"));
    assert_eq!(*rig.refuse_reason(), RefuseReason::ConnectionFull(2));
    assert_eq!(rig.dials.len(), dials);
    // A renewed token can be shown all the same.
    let shown = shared.ask(&mut rig, format!("OPTIONS * HTTP/1.1\r\nHost: a\r\n{}\r\n", bearer()));
    assert_eq!(Answer::of(&shared.take(shown)).status, 204);
    let mut other = Shared::new(&mut rig);
    other.stream(&mut rig, "10.0.0.4:443");
    // One that ends makes room.
    shared.end(&mut rig, one);
    rig.fin(first);
    shared.exchange(&mut rig);
    shared.stream(&mut rig, "10.0.0.5:443");
}

#[test]
fn what_is_revoked_ends_and_its_neighbour_stays() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let mut targets = Vec::new();
    for (user, target) in [("alice", "10.0.0.1:443"), ("bob", "10.0.0.2:443")] {
        shared.ask(&mut rig, connect_with(target, &bearer_of(&token_of(user))));
        let (socket, _) = *rig.dials.last().unwrap();
        rig.opened(socket);
        targets.push(socket);
    }
    let revoked = Revoked::User { user: "alice".into(), app_id: None };
    assert_eq!(rig.relay.revoke(rig.now, revoked), Ok(1));
    rig.pump();
    shared.exchange(&mut rig);
    assert_eq!(rig.closed.get(&targets[0]), Some(&true));
    shared.say(&mut rig, 1, b"bob goes on");
    assert_eq!(rig.sent(targets[1]).concat(), b"bob goes on");
    assert_eq!((rig.relay.stats().connections, rig.relay.stats().tunnels), (1, 1));
}

#[test]
fn the_embedder_answers_each_in_any_order() {
    let mut rig = over_mux(|config| config.verifier = Verifier::Embedder);
    let mut shared = Shared::new(&mut rig);
    for target in ["10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443"] {
        shared.ask(&mut rig, connect_with(target, "Proxy-Authorization: Bearer own\r\n"));
    }
    let asked: Vec<_> = rig.events.iter().filter_map(|event| event.tunnel).collect();
    let claims = Claims { subject: Some("alice".into()), ..Claims::default() };
    let verdict = Verdict {
        account: AccountId::new("own", &claims),
        claims,
        credential: CredentialKind::Jwt,
        kid: "own".into(),
        payload: None,
        scope: Scope::default(),
    };
    rig.relay.handle_verified(rig.now, asked[2], Ok(verdict.clone()));
    rig.relay.handle_verified(rig.now, asked[0], Err(TokenError::BadSignature));
    rig.pump();
    let dialled: Vec<_> = rig.dials.iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(dialled, ["10.0.0.3:443"]);
    shared.exchange(&mut rig);
    assert!(shared.take(0).starts_with(b"HTTP/1.1 407 ") && shared.take(1).is_empty());
    rig.pass(10 * SECOND);
    shared.exchange(&mut rig);
    assert!(shared.take(1).starts_with(b"HTTP/1.1 503 "));
}

#[test]
fn each_is_idle_by_itself() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let (_, first) = shared.stream(&mut rig, "10.0.0.1:443");
    rig.pass(3_600 * SECOND);
    let (two, second) = shared.stream(&mut rig, "10.0.0.2:443");
    rig.pass(3_600 * SECOND);
    assert_eq!(rig.closed.get(&first), Some(&true));
    shared.say(&mut rig, two, b"x");
    assert_eq!(rig.sent(second).concat(), b"x");
}

#[test]
fn a_relay_that_leaves_says_so_and_goes_behind_its_last_tunnel() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let (one, target) = shared.stream(&mut rig, "10.0.0.1:443");
    let mut unused = Shared::new(&mut rig);
    rig.relay.drain(rig.now);
    rig.pump();
    unused.exchange(&mut rig);
    assert_eq!(rig.closed.get(&unused.socket), Some(&false), "nothing was asked for on it");
    shared.exchange(&mut rig);
    assert_eq!(shared.callers[one].leaving(), 1);
    // What was asked before the client knew is answered.
    let late = shared.ask(&mut rig, connect("10.0.0.2:443"));
    assert!(shared.take(late).starts_with(b"HTTP/1.1 503 "));
    shared.say(&mut rig, one, b"goes on");
    assert_eq!(rig.sent(target).concat(), b"goes on");
    shared.end(&mut rig, one);
    rig.fin(target);
    shared.exchange(&mut rig);
    assert_eq!(rig.closed.get(&shared.socket), None, "its client ends it");
    rig.pass(5 * SECOND);
    assert_eq!(rig.closed.get(&shared.socket), Some(&false), "or the relay, in the end");
    rig.assert_clean();
}

#[test]
fn a_connection_on_which_nothing_is_asked_for_any_more_leaves_as_well() {
    let mut rig = over_mux(|_| {});
    let mut shared = Shared::new(&mut rig);
    let (one, target) = shared.stream(&mut rig, "10.0.0.1:443");
    shared.end(&mut rig, one);
    rig.fin(target);
    rig.pass(29 * SECOND);
    shared.exchange(&mut rig);
    assert_eq!(shared.callers[one].leaving(), 0);
    rig.pass(SECOND);
    shared.exchange(&mut rig);
    assert_eq!(shared.callers[one].leaving(), 1);
    rig.fin(shared.socket);
    rig.assert_clean();
}
