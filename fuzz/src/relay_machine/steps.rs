//! The steps of a tape.

use core::net::IpAddr;
use core::time::Duration;

use wayleave_proto::base::Kind;
use wayleave_proto::codec::capsule::datagram_header;
use wayleave_proto::error::{IoFailed, IoFailure, Resource};
use wayleave_proto::net::SocketId;

use super::Play;
use super::clients::Client;
use super::requests::request;
use crate::play::Asked;

impl Play<'_> {
    /// Does what the tape says next.
    pub(super) fn step(&mut self) {
        let step = self.tape.byte() % 40;
        self.rig.note(|| format!("step {step}"));
        match step {
            0 | 1 => drop(self.accept()),
            2..=4 => self.ask(),
            5 | 6 => self.say(),
            7..=9 => {
                let (number, most) = (self.client(), self.tape.size());
                number.into_iter().for_each(|number| self.deliver(number, most));
            }
            10..=12 => {
                let (number, most) = (self.client(), self.tape.size());
                number.map(|number| self.flush_client(number, most));
            }
            13..=15 => {
                let (id, most) = (self.side(), self.tape.size());
                id.map(|id| self.flush_target(id, most));
            }
            16 | 17 => {
                let (id, size) = (self.side(), self.tape.size());
                id.into_iter().for_each(|id| self.send_back(id, size));
            }
            18 | 19 => {
                let (id, most) = (self.side(), self.tape.size());
                id.into_iter().for_each(|id| self.deliver_back(id, most));
            }
            20 => self.resolve(),
            21 | 22 => self.open_socket(),
            23 => self.fail(),
            24 => self.end_client(),
            25 => self.end_target(),
            26 => self.garble(),
            27 | 28 => {
                let span = self.tape.span();
                self.pass(span, false);
            }
            29 => {
                let span = self.tape.span();
                self.pass(span, true);
            }
            30 => {
                let id =
                    SocketId::from_u64(u64::from(self.tape.byte()) | u64::from(self.tape.byte() % 4) << 32);
                let which = self.tape.byte();
                self.rig.strange(id, which);
            }
            31 => {
                let span = self.tape.span();
                self.rig.lag(span);
            }
            32 => self.rig.hold(),
            33 => self.rig.early(),
            34 => self.operate(),
            35..=37 => {
                let number = self.client();
                number.into_iter().for_each(|number| self.serve(number));
            }
            _ => self.tunnel(),
        }
    }

    /// The number of a client, of those that were last more often.
    fn client(&mut self) -> Option<usize> {
        let back = self.tape.below(self.clients.len().min(8));
        self.clients.len().checked_sub(back + 1)
    }

    /// A socket that the relay asked for.
    fn side(&mut self) -> Option<SocketId> {
        let place = self.tape.below(self.sides.len());
        self.sides.keys().nth(place).copied()
    }

    fn accept(&mut self) -> Option<usize> {
        let number = self.clients.len();
        if number >= MOST_CLIENTS {
            return None;
        }
        let source = self.tape.pick(&["192.0.2.1:40000", "192.0.2.2:40000", "[2001:db8::1]:40000"]);
        let (source, local) =
            (source.parse().expect("an address"), "10.9.9.9:443".parse().expect("an address"));
        let id = self.rig.machine.handle_accepted(self.rig.now(), source, local)?;
        self.clients.push(Client::new(id, number));
        self.accepted.insert(id, number);
        self.rig.accepted(id);
        Some(number)
    }

    fn ask(&mut self) {
        let Some(number) = self.client() else { return };
        let request = request(&mut self.tape, number);
        self.clients[number].ask(&request);
    }

    /// A client sends payload, in good time or too early.
    fn say(&mut self) {
        let (number, size) = (self.client(), self.tape.size());
        let Some(number) = number else { return };
        let client = &mut self.clients[number];
        match client.kind {
            _ if client.is_ended => {}
            Some(Kind::Stream) => {
                client.session.send(&[&client.sent.lend(size)]);
                client.sent.advance(size);
            }
            Some(Kind::Datagram) => {
                let payload = client.datagram(number, size.min(60_000));
                let header = datagram_header(payload.len());
                client.session.send(&[header.as_bytes(), &payload]);
            }
            None => {}
        }
    }

    fn resolve(&mut self) {
        let Some(id) = self.side() else { return };
        let Some(Asked::Lookup(name)) = self.rig.sockets.get(&id).map(|socket| socket.asked.clone()) else {
            return;
        };
        self.causes.extend(self.sides.get(&id).and_then(|side| side.client));
        let own = addresses(name.as_str());
        let forbidden = FORBIDDEN.map(|text| text.parse::<IpAddr>().expect("an address"));
        match self.tape.byte() % 8 {
            0 => self.rig.resolved(id, Err(IoFailed::new(IoFailure::NameUnknown))),
            1 => self.rig.resolved(id, Ok(&[])),
            2 => self.rig.resolved(id, Ok(&forbidden)),
            3 => self.rig.resolved(id, Ok(&[&forbidden[..2], &own].concat())),
            4 => self.rig.resolved(id, Ok(&own.repeat(30))),
            _ => self.rig.resolved(id, Ok(&own)),
        }
    }

    fn open_socket(&mut self) {
        let Some(id) = self.side() else { return };
        if self.kind_of(id).is_some() {
            self.causes.extend(self.sides.get(&id).and_then(|side| side.client));
            self.rig.opened(id);
        }
    }

    fn fail(&mut self) {
        let failures = [
            IoFailure::ConnectionRefused,
            IoFailure::ConnectionReset,
            IoFailure::TimedOut,
            IoFailure::Unreachable,
            IoFailure::Exhausted(Resource::Ports),
        ];
        let failure = self.tape.pick(&failures);
        let place = self.tape.below(self.rig.sockets.len());
        let Some(id) = self.rig.sockets.keys().nth(place).copied() else { return };
        if !matches!(self.rig.sockets.get(&id).map(|socket| &socket.asked), Some(Asked::Lookup(_)) | None) {
            self.causes.extend(self.sides.get(&id).and_then(|side| side.client));
            self.causes.extend(self.accepted.get(&id));
            self.rig.failed(id, IoFailed::new(failure));
        }
    }

    /// A client ends: with close_notify, with FIN, or with both.
    fn end_client(&mut self) {
        let (number, which) = (self.client(), self.tape.byte() % 3);
        let Some(number) = number else { return };
        let client = &mut self.clients[number];
        let id = client.socket;
        if which > 0 {
            client.session.send_end();
            client.is_ended = true;
        }
        if which < 2 && self.rig.sockets.get(&id).is_some_and(|socket| socket.is_read()) {
            self.deliver(number, usize::MAX);
            if self.rig.sockets.get(&id).is_some_and(|socket| socket.is_read()) {
                self.clients[number].is_ended = true;
                self.causes.insert(number);
                self.rig.finished(id);
            }
        }
    }

    fn end_target(&mut self) {
        let Some(id) = self.side() else { return };
        self.deliver_back(id, usize::MAX);
        let is_read = self.rig.sockets.get(&id).is_some_and(|socket| socket.is_read());
        if is_read && self.kind_of(id) == Some(Kind::Stream) {
            self.causes.extend(self.sides.get(&id).and_then(|side| side.client));
            self.rig.finished(id);
        }
    }

    /// Bytes that nobody expects, inside or outside of the transport.
    fn garble(&mut self) {
        let (number, is_inside) = (self.client(), self.tape.flag());
        let bytes = self.tape.bytes(100);
        let Some(number) = number else { return };
        let client = &mut self.clients[number];
        if is_inside {
            client.garble(bytes);
        } else if self.rig.sockets.get(&client.socket).is_some_and(|socket| socket.is_read()) {
            client.is_garbled = true;
            let id = client.socket;
            self.causes.insert(number);
            self.rig.received(id, bytes);
        }
    }

    fn operate(&mut self) {
        match self.tape.byte() {
            0..60 => self.renew_keys(),
            60 => {
                self.rig.machine.drain(self.rig.now());
                self.rig.settle();
            }
            61 => {
                self.rig.machine.close(self.rig.now());
                self.rig.settle();
            }
            _ => {}
        }
    }

    /// A new client asks by the rules, and everything goes well.
    fn tunnel(&mut self) {
        let Some(number) = self.accept() else { return };
        let request = request(&mut self.tape, number);
        self.clients[number].ask(&request);
        self.look();
        self.serve(number);
    }

    /// Lets time pass. What was held back comes out before: what a deadline brings has no client for a cause.
    pub(super) fn pass(&mut self, span: Duration, is_late: bool) {
        self.rig.drain();
        self.look();
        self.rig.pass(span, is_late);
    }

    /// What concerns one client goes its way.
    fn serve(&mut self, number: usize) {
        self.rig.drain();
        self.look();
        for _ in 0..3 {
            self.deliver(number, usize::MAX);
            self.look();
            self.flush_client(number, usize::MAX);
            self.look();
            let is_its = |side: &super::Side| side.client == Some(number);
            let sides: Vec<_> =
                self.sides.iter().filter(|(_, side)| is_its(side)).map(|(id, _)| *id).collect();
            for id in sides {
                let Some(socket) = self.rig.sockets.get(&id).cloned() else { continue };
                self.causes.insert(number);
                match socket.asked {
                    Asked::Lookup(name) => self.rig.resolved(id, Ok(&addresses(name.as_str()))),
                    _ if !socket.is_open => self.rig.opened(id),
                    _ => {
                        for _ in 0..20 {
                            if !self.flush_target(id, usize::MAX) {
                                break;
                            }
                        }
                        self.deliver_back(id, 16 * 1024);
                    }
                }
                self.look();
            }
        }
    }
}

/// Where a name leads.
fn addresses(name: &str) -> Vec<IpAddr> {
    let number: u8 =
        name.trim_start_matches('t').split('.').next().and_then(|text| text.parse().ok()).unwrap_or(u8::MAX);
    vec![
        [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into(),
        [10, 3, 0, number].into(),
        [10, 3, 1, number].into(),
    ]
}

const FORBIDDEN: [&str; 8] = [
    "127.0.0.1",
    "169.254.169.254",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "10.9.9.9",
    "192.168.0.1",
    "224.0.0.1",
];
const MOST_CLIENTS: usize = 40;
