//! Somebody who asks relays for what is forbidden.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use wayleave_proto::auth::Token;
use wayleave_proto::base::{Instant, Kind};
use wayleave_proto::carrier::tls::{Connector, Session};

use super::World;
use super::build::{RELAY_PORT, relay_address, relay_name};
use super::host::{Host, Role};
use crate::laws::Law;
use crate::scenario::IntruderPlan;
use crate::stack::{Handle, Happened, Stack};

/// Somebody with a valid token of a user's own, and bad intentions.
#[derive(Debug)]
pub(super) struct Intruder {
    left: u32,
    pause: Duration,
    due: Instant,
    is_due: bool,
    connector: Arc<dyn Connector>,
    token: Token,
    attempts: BTreeMap<Handle, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    relay: usize,
    session: Box<dyn Session>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Intruder {
    pub(super) fn new(
        plan: IntruderPlan,
        length: Duration,
        connector: Arc<dyn Connector>,
        token: Token,
    ) -> Self {
        let pause = length / plan.attempts.max(1);
        let due = Instant::ZERO + pause / 2;
        Self { left: plan.attempts, pause, due, is_due: false, connector, token, attempts: BTreeMap::new() }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        (self.left > 0 && !self.is_due).then_some(self.due)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.left > 0 && self.due <= now {
            self.is_due = true;
        }
    }
}

impl World {
    pub(super) fn settle_intruder(&mut self, host: usize) {
        let now = self.now;
        let relays = self.scenario.relays.len();
        let Host { stack, role: Role::Intruder(intruder), .. } = &mut self.hosts[host] else { return };
        if core::mem::take(&mut intruder.is_due) {
            intruder.left -= 1;
            intruder.due = now + intruder.pause;
            let relay = self.tape.below(u32::try_from(relays).unwrap_or(1)) as usize;
            let own = relay_address(relay);
            let (request, place) = request(self.tape.byte(), self.tape.byte(), intruder.token.expose(), own);
            // With a good token a relay may look names up, to judge where they lead.
            if let Some(Ok(target)) = place.map(|place| place.parse()) {
                self.grants.wish(MALLORY, Kind::Stream, &target);
            }
            let name = relay_name(relay).parse().map(wayleave_proto::base::Host::Name);
            if let Ok(session) =
                name.map_err(drop).and_then(|name| intruder.connector.connect(&name).map_err(drop))
            {
                let handle = stack.connect(now, SocketAddr::new(relay_address(relay), RELAY_PORT));
                intruder.attempts.insert(handle, Attempt { relay, session, request, answer: Vec::new() });
            }
        }
        while let Some(happened) = self.hosts[host].stack.poll_happened() {
            let Host { stack, role: Role::Intruder(intruder), .. } = &mut self.hosts[host] else { return };
            let (Happened::Connected(handle) | Happened::Readable(handle)) = happened else { continue };
            let Some(attempt) = intruder.attempts.get_mut(&handle) else { continue };
            attempt.exchange(now, stack, handle);
            let answer = String::from_utf8_lossy(&attempt.answer).into_owned();
            let relay = self.scenario.clients.len() + attempt.relay;
            if stack.is_finished(handle) {
                stack.close(now, handle, false);
                if let Some(status) = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) {
                    self.trace.count(&format!("intruder {status}"));
                }
                intruder.attempts.remove(&handle);
            }
            // Something else that stands in its place may say what it likes.
            let is_relay = self.hosts[relay].relay().is_some_and(|relay| relay.driver().is_some());
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
    let request = match which % 5 {
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
    (request.into_bytes(), (which % 5 == 1).then(|| place.to_owned()))
}

/// Its number among clients, for the laws.
pub(super) const MALLORY: usize = usize::MAX;
