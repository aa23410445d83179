//! The steps of a tape.

use core::net::IpAddr;

use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Kind, Target};
use wayleave_proto::client::Incoming;
use wayleave_proto::codec::capsule::datagram_header;
use wayleave_proto::error::{IoFailed, IoFailure, Resource};
use wayleave_proto::net::SocketId;

use super::flows::Flow;
use super::peers::Peer;
use super::{Play, TOKENS, network};
use crate::play::{Asked, Socket};

impl Play<'_> {
    /// Does what the tape says next.
    pub(super) fn step(&mut self) {
        let step = self.tape.byte() % 40;
        self.rig.note(|| format!("step {step}"));
        match step {
            0 | 1 => self.open(),
            2..=4 => self.write(),
            5 | 6 => self.read(),
            7 => self.verb(),
            8 | 9 => self.send_datagram(),
            10 => self.take_datagrams(),
            11 => self.change_network(),
            12 => self.say_to_routes(),
            13 | 14 => {
                let span = self.tape.span();
                self.rig.pass(span, false);
            }
            15 => {
                let span = self.tape.span();
                self.rig.pass(span, true);
            }
            16 => self.resolve(),
            17 | 18 => self.open_socket(),
            19 => self.fail(),
            20..=23 => {
                let (id, most) = (self.socket(), self.tape.size());
                id.map(|id| self.flush(id, most));
            }
            24 | 25 => self.answer(),
            26 | 27 => self.send(),
            28..=30 => {
                let (id, most) = (self.socket(), self.tape.size());
                id.into_iter().for_each(|id| self.deliver(id, most));
            }
            31 => self.end(),
            32 => self.garble(),
            33 => {
                let id =
                    SocketId::from_u64(u64::from(self.tape.byte()) | u64::from(self.tape.byte() % 4) << 32);
                let which = self.tape.byte();
                self.rig.strange(id, which);
            }
            34 => {
                let span = self.tape.span();
                self.rig.lag(span);
            }
            35 => self.rig.hold(),
            36 => self.rig.early(),
            37 => {
                let id = self.socket();
                id.into_iter().for_each(|id| self.serve(id));
            }
            38 => self.serve_all(),
            _ => {
                // Seldom, for it ends everything.
                if self.tape.byte() == 255 {
                    self.rig.machine.close(self.rig.now());
                    self.rig.settle();
                    self.is_closed = true;
                }
            }
        }
    }

    /// A socket or look-up of the client.
    fn socket(&mut self) -> Option<SocketId> {
        let place = self.tape.below(self.rig.sockets.len());
        self.rig.sockets.keys().nth(place).copied()
    }

    fn flow(&mut self) -> Option<&mut Flow> {
        let place = self.tape.below(self.flows.len());
        self.flows.get_mut(place)
    }

    fn open(&mut self) {
        if self.flows.len() >= MOST_OPENED {
            return;
        }
        let kind = self.tape.pick(&[Kind::Stream, Kind::Datagram]);
        let number = self.flows.len();
        let target = match self.tape.below(3) {
            0 => format!("f{number}.example:443"),
            1 => format!("10.1.0.{number}:5004"),
            _ => format!("[fd00::{number:x}]:443"),
        };
        let target: Target = target.parse().expect("a target");
        if let Ok(id) = self.rig.machine.open(self.rig.now(), kind, target.clone()) {
            self.flows.push(Flow::new(id, kind, target, number));
        }
        self.rig.settle();
    }

    fn write(&mut self) {
        let (size, now) = (self.tape.size(), self.rig.now());
        let Some(flow) = self.flow() else { return };
        if flow.kind == Kind::Stream {
            let (id, bytes) = (flow.id, flow.written.lend(size));
            if let Ok(count) = self.rig.machine.write(now, id, &bytes)
                && let Some(flow) = self.flows.iter_mut().find(|flow| flow.id == id)
            {
                flow.written.advance(count);
            }
            self.rig.settle();
        }
    }

    fn read(&mut self) {
        let (size, now) = (self.tape.size(), self.rig.now());
        let place = self.tape.below(self.flows.len());
        let Some(flow) = self.flows.get_mut(place) else { return };
        if flow.is_released {
            return;
        }
        let count = match self.rig.machine.read(flow.id) {
            Ok(Incoming::Bytes(bytes)) => {
                let bytes = &bytes[..size.min(bytes.len())];
                if !flow.is_garbled {
                    flow.read.expect(bytes);
                }
                bytes.len()
            }
            Ok(Incoming::End) => {
                assert!(flow.is_garbled || flow.read.at() == flow.sent.at(), "the end came before all bytes");
                return self.rig.settle();
            }
            Ok(Incoming::Nothing) | Err(_) => return self.rig.settle(),
        };
        self.rig.machine.consume(now, flow.id, count);
        self.rig.settle();
    }

    fn verb(&mut self) {
        let (which, now) = (self.tape.byte(), self.rig.now());
        let Some(flow) = self.flow() else { return };
        let id = flow.id;
        flow.is_released |= which % 4 > 1;
        match which % 4 {
            0 | 1 => self.rig.machine.finish(now, id),
            2 => self.rig.machine.release(now, id),
            _ => self.rig.machine.reset(now, id),
        }
        self.rig.settle();
    }

    fn send_datagram(&mut self) {
        let (size, now) = (self.tape.size(), self.rig.now());
        let place = self.tape.below(self.flows.len());
        let Some(flow) = self.flows.get_mut(place).filter(|flow| flow.kind == Kind::Datagram) else { return };
        let payload = flow.datagram(place, size);
        let _ = self.rig.machine.send_datagram(now, flow.id, &payload);
        self.rig.settle();
    }

    fn take_datagrams(&mut self) {
        let Some(flow) = self.flow() else { return };
        let (id, is_garbled) = (flow.id, flow.is_garbled);
        while let Ok(Some(payload)) = self.rig.machine.datagram(id) {
            assert!(is_garbled || payload.iter().all(|byte| *byte == PAYLOAD), "a changed datagram");
            self.rig.machine.take_datagram(id);
        }
        self.rig.settle();
    }

    fn change_network(&mut self) {
        let network = network(&mut self.tape);
        self.rig.machine.handle_network(self.rig.now(), network);
        self.rig.settle();
    }

    fn say_to_routes(&mut self) {
        let now = self.rig.now();
        match self.tape.byte() % 6 {
            0 => self.rig.machine.retry_direct(now, None),
            1 => self.rig.machine.retry_direct(now, Some(Kind::Stream)),
            2 => self.rig.machine.retry_direct(now, Some(Kind::Datagram)),
            3 => self.rig.machine.direct_works(now, Kind::Stream),
            4 => self.rig.machine.direct_works(now, Kind::Datagram),
            _ => {
                let token = &TOKENS[self.tape.below(TOKENS.len())];
                self.tokens.push(token);
                self.rig.machine.renew(now, Credential::Token(token.clone()));
            }
        }
        self.rig.settle();
    }

    fn resolve(&mut self) {
        let Some(id) = self.socket() else { return };
        let Some(Asked::Lookup(name)) = self.rig.sockets.get(&id).map(|socket| socket.asked.clone()) else {
            return;
        };
        let addresses = addresses(name.as_str());
        match self.tape.byte() % 6 {
            0 => self.rig.resolved(id, Err(IoFailed::new(IoFailure::NameUnknown))),
            1 => self.rig.resolved(id, Ok(&[])),
            2 => self.rig.resolved(id, Ok(&addresses.repeat(30))),
            3 => self.rig.resolved(id, Ok(&addresses[..1])),
            _ => self.rig.resolved(id, Ok(&addresses)),
        }
    }

    fn open_socket(&mut self) {
        let Some(id) = self.socket() else { return };
        if self.rig.sockets.get(&id).is_some_and(|socket| !matches!(socket.asked, Asked::Lookup(_))) {
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
        let Some(id) = self.socket() else { return };
        if self.rig.sockets.get(&id).is_some_and(|socket| !matches!(socket.asked, Asked::Lookup(_))) {
            self.rig.failed(id, IoFailed::new(failure));
        }
    }

    /// A proxy answers, by the rules or not, in time or not.
    fn answer(&mut self) {
        let Some(id) = self.socket() else { return };
        let which = self.tape.below(ANSWERS.len() + 2);
        let noise = self.tape.clone().bytes(40).to_vec();
        let Some(Peer::Proxy(proxy)) = self.peers.get_mut(&id) else { return };
        let kind = proxy.flow.map(|number| self.flows[number].kind);
        let answer: &[u8] = match (which, kind) {
            (0, Some(Kind::Datagram)) => SWITCHING,
            (0 | 1, _) => b"HTTP/1.1 200 OK\r\n\r\n",
            (2, _) => SWITCHING,
            (which, _) => ANSWERS.get(which - 3).map_or(noise.as_slice(), |answer| answer.as_bytes()),
        };
        let opens = (kind == Some(Kind::Stream) && answer.starts_with(b"HTTP/1.1 200"))
            || (kind == Some(Kind::Datagram) && answer == SWITCHING);
        if !opens || proxy.answered.is_some() || which > 2 {
            // An informational answer may be followed by another; the rest ends the connection.
            proxy.is_garbled = true;
        }
        proxy.answered = Some(opens);
        proxy.session.send(&[answer]);
        if let (true, Some(number)) = (proxy.is_garbled, proxy.flow) {
            self.flows[number].is_garbled = true;
        }
    }

    /// A target or a proxy sends payload.
    fn send(&mut self) {
        let (id, size) = (self.socket(), self.tape.size());
        let Some(id) = id else { return };
        let is_datagram =
            matches!(self.rig.sockets.get(&id).map(|socket| &socket.asked), Some(Asked::Udp(_)));
        match self.peers.get_mut(&id) {
            Some(Peer::Direct { .. }) if is_datagram => {
                let is_read = self.rig.sockets.get(&id).is_some_and(Socket::is_read);
                if is_read {
                    self.rig.received(id, &vec![PAYLOAD; size.min(65_507)]);
                }
            }
            Some(Peer::Direct { flow: Some(number), outgoing }) => {
                let is_open =
                    self.rig.sockets.get(&id).is_some_and(|socket| socket.is_open && !socket.is_ended);
                if let Some(flow) = self.flows.get_mut(*number).filter(|_| is_open) {
                    outgoing.extend(flow.sent.lend(size));
                    flow.sent.advance(size);
                }
            }
            Some(Peer::Proxy(proxy)) if proxy.answered == Some(true) && !proxy.is_ended => {
                let Some(number) = proxy.flow else { return };
                let flow = &mut self.flows[number];
                match flow.kind {
                    Kind::Stream => {
                        proxy.session.send(&[&flow.sent.lend(size)]);
                        flow.sent.advance(size);
                    }
                    Kind::Datagram => {
                        let size = size.min(60_000);
                        let header = datagram_header(size);
                        proxy.session.send(&[header.as_bytes(), &vec![PAYLOAD; size]]);
                    }
                }
            }
            _ => {}
        }
    }

    /// The other end stops: with close_notify and FIN, with close_notify alone, or with FIN in the middle of it all.
    fn end(&mut self) {
        let (id, which) = (self.socket(), self.tape.byte() % 3);
        let Some(id) = id else { return };
        let Some(socket) = self.rig.sockets.get(&id) else { return };
        if !socket.is_read() || !matches!(socket.asked, Asked::Tcp(_)) {
            return;
        }
        if let Some(Peer::Proxy(proxy)) = self.peers.get_mut(&id).filter(|_| which > 0) {
            proxy.session.send_end();
            proxy.is_ended = true;
        }
        if which == 1 {
            self.deliver(id, usize::MAX);
        }
        if which == 0 || (which == 1 && self.is_delivered(id)) {
            let is_clean = which == 1 || matches!(self.peers.get(&id), Some(Peer::Direct { .. }));
            let is_garbled = !is_clean || !self.is_delivered(id);
            self.mark_garbled(id, is_garbled);
            self.rig.finished(id);
        }
    }

    /// Bytes that nobody expects.
    fn garble(&mut self) {
        let Some(id) = self.socket() else { return };
        let is_inside = self.tape.flag();
        let bytes = self.tape.bytes(60).to_vec();
        let Some(socket) = self.rig.sockets.get(&id) else { return };
        let is_read = socket.is_read();
        match self.peers.get_mut(&id) {
            Some(Peer::Proxy(proxy)) if is_inside => proxy.session.send(&[&bytes]),
            Some(_) if is_read => {
                self.mark_garbled(id, true);
                self.rig.received(id, &bytes);
                return;
            }
            _ => return,
        }
        self.mark_garbled(id, true);
    }

    fn mark_garbled(&mut self, id: SocketId, is_garbled: bool) {
        let flow = match self.peers.get_mut(&id) {
            Some(Peer::Proxy(proxy)) => {
                proxy.is_garbled |= is_garbled;
                proxy.flow
            }
            Some(Peer::Direct { flow, .. }) => *flow,
            None => None,
        };
        if let Some(flow) = flow.and_then(|number| self.flows.get_mut(number)) {
            flow.is_garbled |= is_garbled;
        }
    }

    /// One socket gets what it waits for.
    pub(super) fn serve(&mut self, id: SocketId) {
        let Some(socket) = self.rig.sockets.get(&id).cloned() else { return };
        if let Asked::Lookup(name) = &socket.asked {
            return self.rig.resolved(id, Ok(&addresses(name.as_str())));
        }
        if !socket.is_open {
            self.rig.opened(id);
            self.look();
        }
        for _ in 0..20 {
            if !self.flush(id, usize::MAX) {
                break;
            }
            self.look();
        }
        if let Some(Peer::Proxy(proxy)) = self.peers.get_mut(&id)
            && let (Some(number), None) = (proxy.flow, proxy.answered)
        {
            let answer: &[u8] = match self.flows[number].kind {
                Kind::Datagram => SWITCHING,
                Kind::Stream => b"HTTP/1.1 200 OK\r\n\r\n",
            };
            proxy.session.send(&[answer]);
            proxy.answered = Some(true);
        }
        self.deliver(id, usize::MAX);
        self.look();
    }

    /// Every socket gets what it waits for.
    pub(super) fn serve_all(&mut self) {
        self.rig.drain();
        self.look();
        for id in self.rig.sockets.keys().copied().collect::<Vec<_>>() {
            self.serve(id);
        }
    }
}

/// Where a name leads.
fn addresses(name: &str) -> Vec<IpAddr> {
    let number: u8 =
        name.trim_start_matches(['f', 'p']).split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    if name.starts_with("relay") {
        return vec![[203, 0, 113, 9].into(), [203, 0, 113, 10].into()];
    }
    if name.starts_with('p') {
        return vec![[10, 2, 0, number].into()];
    }
    vec![
        [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into(),
        [10, 1, 0, number].into(),
        [10, 1, 1, number].into(),
    ]
}

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n";
const ANSWERS: [&str; 10] = [
    "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 502 Bad Gateway\r\nProxy-Status: r; error=connection_refused\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 504 Gateway Timeout\r\nProxy-Status: r; error=dns_timeout\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\n\r\n",
    "HTTP/1.1 ",
];
/// What every datagram of a target is made of.
const PAYLOAD: u8 = 7;
const MOST_OPENED: usize = 40;
