//! Somebody who asks relays for what is forbidden.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wayleave_proto::auth::Token;
use wayleave_proto::base::{Host, Instant, Kind};
use wayleave_proto::carrier::Carrier;
use wayleave_proto::carrier::tls::{Connector, Session};
use wayleave_proto::testing::stranger_over_mux;

use super::World;
use super::build::{RELAY_PORT, relay_address, relay_name};
use super::host::{self as machine, Role};
use crate::laws::Law;
use crate::scenario::IntruderPlan;
use crate::stack::{Handle, Happened, Stack};

/// Somebody with a valid token of a user's own, and bad intentions.
#[derive(Debug)]
pub(super) struct Intruder {
    left: u32,
    pause: Duration,
    drips: Duration,
    at_once: bool,
    due: Instant,
    is_due: bool,
    connector: Arc<dyn Connector>,
    token: Token,
    attempts: BTreeMap<Handle, Attempt>,
    /// Relays that have answered.
    pub(super) answered: BTreeSet<usize>,
}

#[derive(Debug)]
struct Attempt {
    relay: usize,
    session: Box<dyn Session>,
    request: Vec<u8>,
    /// The second part of the request, and when it is sent.
    rest: Option<(Instant, Vec<u8>)>,
    answer: Vec<u8>,
    /// It is the relay to which it is connected, and nothing in its place.
    is_relay: bool,
}

impl Intruder {
    pub(super) fn new(
        plan: IntruderPlan,
        length: Duration,
        connector: Arc<dyn Connector>,
        token: Token,
    ) -> Self {
        let IntruderPlan { attempts: left, at_once, drips } = plan;
        let pause = at_once.map_or(length / left.max(1), |_| Duration::from_millis(10));
        let due = Instant::ZERO + at_once.unwrap_or(pause / 2);
        let (attempts, answered) = (BTreeMap::new(), BTreeSet::new());
        let at_once = at_once.is_some();
        Self { left, pause, drips, at_once, due, is_due: false, connector, token, attempts, answered }
    }

    /// Asks a relay for something; what is in `request` behind its middle comes later where it drips.
    fn ask(&mut self, now: Instant, stack: &mut Stack, relay: usize, mut request: Vec<u8>) {
        let name = relay_name(relay).parse().map(Host::Name);
        let Ok(session) = name.map_err(drop).and_then(|name| self.connector.connect(&name).map_err(drop))
        else {
            return;
        };
        let middle = request.len() / 2;
        let rest = (!self.drips.is_zero()).then(|| (now + self.drips, request.split_off(middle)));
        let Some(handle) = stack.connect(now, SocketAddr::new(relay_address(relay), RELAY_PORT)) else {
            return;
        };
        let (answer, is_relay) = (Vec::new(), false);
        self.attempts.insert(handle, Attempt { relay, session, request, rest, answer, is_relay });
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let next = (self.left > 0 && !self.is_due).then_some(self.due);
        let rests = self.attempts.values().filter_map(|attempt| attempt.rest.as_ref().map(|(at, _)| *at));
        next.into_iter().chain(rests).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.left > 0 && self.due <= now {
            self.is_due = true;
        }
    }
}

/// A stranger who asks each relay for something without a token, once.
pub(super) fn newcomer(connector: Arc<dyn Connector>, token: Token) -> Intruder {
    Intruder::new(IntruderPlan::new(0), Duration::ZERO, connector, token)
}

impl World {
    /// Lets a newcomer ask every relay.
    pub(super) fn knock(&mut self, host: usize) {
        let now = self.now;
        let relays = self.scenario.relays.len();
        let request: Vec<u8> = match self.scenario.carrier {
            Carrier::Mux => stranger_over_mux(),
            _ => b"CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n\r\n".to_vec(),
        };
        let machine::Host { kernel, role: Role::Intruder(intruder), .. } = &mut self.hosts[host] else {
            return;
        };
        for relay in 0..relays {
            intruder.ask(now, &mut kernel.lock().stack, relay, request.clone());
        }
        self.settle(host);
    }
}

impl World {
    pub(super) fn settle_intruder(&mut self, host: usize) {
        let now = self.now;
        let relays = self.scenario.relays.len();
        let machine::Host { kernel, role: Role::Intruder(intruder), .. } = &mut self.hosts[host] else {
            return;
        };
        let mut system = kernel.lock();
        let stack = &mut system.stack;
        if core::mem::take(&mut intruder.is_due) {
            intruder.left -= 1;
            intruder.due = now + intruder.pause;
            let relay = self.tape.below(u32::try_from(relays).unwrap_or(1)) as usize;
            let own = relay_address(relay);
            // All at once it guesses tokens.
            let which = if intruder.at_once { GUESS } else { self.tape.byte() };
            let (request, place) = request(which, self.tape.byte(), intruder.token.expose(), own);
            // With a good token a relay may look names up, to judge where they lead.
            if let Some(Ok(target)) = place.map(|place| place.parse()) {
                self.grants.wish(MALLORY, Kind::Stream, &target);
            }
            intruder.ask(now, stack, relay, request);
        }
        for (handle, attempt) in &mut intruder.attempts {
            let Some((at, rest)) = attempt.rest.take_if(|(at, _)| *at <= now) else { continue };
            if attempt.request.is_empty() {
                attempt.request = rest;
                attempt.exchange(now, stack, *handle);
            } else {
                // The first part has not gone out yet.
                attempt.rest = Some((at + intruder.drips, rest));
            }
        }
        drop(system);
        let of_relays = self.hosts.iter().filter_map(|host| match &host.role {
            Role::Relay(relay) => Some(relay.runs()),
            _ => None,
        });
        let runs: Vec<bool> = of_relays.collect();
        while let Some(happened) = self.hosts[host].poll_happened() {
            let machine::Host { kernel, role: Role::Intruder(intruder), .. } = &mut self.hosts[host] else {
                return;
            };
            let mut system = kernel.lock();
            let stack = &mut system.stack;
            if let Happened::Failed(handle, _) = happened {
                stack.close(now, handle, false);
                intruder.attempts.remove(&handle);
            }
            let (Happened::Connected(handle) | Happened::Readable(handle)) = happened else { continue };
            let Some(attempt) = intruder.attempts.get_mut(&handle) else { continue };
            if matches!(happened, Happened::Connected(_)) {
                attempt.is_relay = runs[attempt.relay];
            }
            attempt.exchange(now, stack, handle);
            let is_relay = attempt.is_relay;
            let answer = String::from_utf8_lossy(&attempt.answer).into_owned();
            if !answer.is_empty() {
                intruder.answered.insert(attempt.relay);
            }
            if stack.is_finished(handle) {
                stack.close(now, handle, false);
                if let Some(status) = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) {
                    self.trace.count(&format!("intruder {status}"));
                }
                intruder.attempts.remove(&handle);
            }
            drop(system);
            // Something else that stands in its place may say what it likes.
            let is_good = ["HTTP/1.1 2", "HTTP/1.1 101"].iter().any(|good| answer.starts_with(good));
            if is_relay && is_good {
                self.broken(host, Law::Grants, format!("an intruder was answered {answer:?}"));
            }
        }
    }
}

impl Attempt {
    fn exchange(&mut self, now: Instant, stack: &mut Stack, handle: Handle) {
        let mut bytes = stack.read(now, handle, usize::MAX);
        if !bytes.is_empty() {
            // A relay that answers with nonsense has refused as well.
            let _ = self.session.receive(&mut bytes);
        }
        while !self.session.plaintext().is_empty() {
            let plain = self.session.plaintext().to_vec();
            self.session.consume(plain.len());
            self.answer.extend(plain);
        }
        if !self.session.is_handshaking() && !self.request.is_empty() {
            let request = core::mem::take(&mut self.request);
            self.session.send(&[&request]);
        }
        loop {
            let taken = stack.write(now, handle, self.session.pending());
            self.session.written(taken);
            if taken == 0 || self.session.pending().is_empty() {
                return;
            }
        }
    }
}

/// A request that must be refused: without a valid token, or to a forbidden place, which is given out too.
fn request(which: u8, how: u8, token: &str, own: IpAddr) -> (Vec<u8>, Option<String>) {
    let own = format!("{own}:{RELAY_PORT}");
    let good = format!("Proxy-Authorization: Bearer {token}\r\n");
    let cut = token.get(..token.len() - 1 - usize::from(how) % 40).unwrap_or_default();
    let bad = match how % 6 {
        0 => String::new(),
        1 => "Proxy-Authorization: Bearer e30.e30.e30\r\n".to_owned(),
        2 => format!("Proxy-Authorization: Bearer {cut}\r\n"),
        3 => format!("Authorization: Bearer {token}\r\n"),
        4 => format!("Proxy-Authorization: Basic {token}\r\n"),
        _ => format!("Proxy-Authorization: Bearer {token}x\r\n"),
    };
    let places = [
        "10.0.0.5:443",
        "127.0.0.1:443",
        "169.254.169.254:80",
        "[::ffff:10.0.0.5]:443",
        "private.example:443",
        &own,
        "45.10.0.1:25",
        "100.64.0.1:443",
        "2130706433:443",
    ];
    let place = places[usize::from(how) % places.len()];
    let request = match which % 8 {
        5 => format!(
            "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\nX-Long: {}\r\n{good}\r\n",
            "a".repeat(20_000)
        ),
        6 => format!("BREW good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n{good}\r\n"),
        GUESS => format!(
            "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\nProxy-Authorization: Bearer {cut}x\r\n\r\n"
        ),
        0 => format!("CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n{bad}\r\n"),
        1 => format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{good}\r\n"),
        2 => format!(
            "GET /.well-known/masque/udp/45.10.0.1/443/ HTTP/1.1\r\nHost: r0.relay.example\r\nConnection: Upgrade\r\n\
             Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n{bad}\r\n"
        ),
        3 => format!(
            "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example:443\r\n{bad}\r\n\
             CONNECT 45.10.0.1:443 HTTP/1.1\r\nHost: 45.10.0.1:443\r\n{good}\r\n"
        ),
        _ => format!(
            "GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n{good}\r\n0\r\n\r\n"
        ),
    };
    (request.into_bytes(), (which % 8 == 1).then(|| place.to_owned()))
}

/// Which request shows a token that is none.
const GUESS: u8 = 7;
/// Its number among clients, for the laws.
pub(super) const MALLORY: usize = usize::MAX;
