//! A tunnel: bytes or datagrams, both ways, paced and counted.

use core::net::SocketAddr;
use core::time::Duration;

use super::account::Account;
use super::connection::{Connection, Ending, Grant, Payload, State, Tunnel};
use super::liveness::peer_of;
use super::meter::Direction;
use super::{CloseReason, ConnectionFault, ConnectionId, Relay, What};
use crate::base::{Instant, Kind};
use crate::carrier::h1::{Acks, DatagramError};
use crate::carrier::tls::TlsError;
use crate::codec::capsule::MAX_PAYLOAD;
use crate::codec::h1::encode_answer;
use crate::config::{Peer, RelayLimits, Truncation};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Fault, Nowhere, Onward, SocketId};
use crate::queue::DatagramQueue;

impl Relay {
    /// The target answered: so does the relay, and the tunnel begins.
    pub(super) fn open_tunnel(
        &mut self,
        id: ConnectionId,
        socket: SocketId,
        address: SocketAddr,
        grant: Grant,
        asked: Instant,
    ) {
        let datagrams = self.config.limits.datagrams;
        let mut head = Vec::new();
        encode_answer(&mut head, Some(grant.kind), &self.accepts());
        let Some(connection) = self.connections.get_mut(id) else { return };
        let payload = match grant.kind {
            Kind::Stream => {
                self.requests.watch(socket, self.config.limits.liveness(Peer::Foreign));
                Payload::Stream {
                    client_finished: false,
                    target_finished: false,
                    to_client_slowed: None,
                    to_target_slowed: None,
                }
            }
            Kind::Datagram => {
                self.requests.watch(connection.socket, self.config.limits.liveness(peer_of(Kind::Datagram)));
                Payload::Datagrams {
                    outgoing: DatagramQueue::new(datagrams),
                    incoming: DatagramQueue::new(datagrams),
                    limited: 0,
                    ending: false,
                    acks: Acks::default(),
                }
            }
        };
        connection.pipe.session().send(&[&head]);
        self.requests.pending(connection.socket);
        let (kind, target, verdict) = (grant.kind, grant.target.clone(), grant.verdict.clone());
        let now = self.now;
        let tunnel =
            Tunnel { grant, socket, opened: now, moved: now, asked: None, sent: 0, received: 0, payload };
        connection.state = State::Tunnel(Box::new(tunnel));
        self.stats.tunnels += 1;
        self.stats.opened += 1;
        let elapsed = now.since(asked);
        self.tell(id, What::TunnelOpened { kind, target, address, verdict, elapsed });
        self.arm(id);
        self.on_client_payload(id);
        // A client may end its half right behind its request.
        if self.connections.get(id).is_some_and(|connection| connection.ended.is_some()) {
            self.on_client_end(id);
        }
    }

    /// Something of the client's is decrypted and waits.
    pub(super) fn on_client_payload(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        match &mut tunnel.payload {
            Payload::Stream { .. } => {
                if connection.pipe.plaintext_len() > 0 {
                    self.requests.pending(tunnel.socket);
                    if self.ends_for_target(id) {
                        return;
                    }
                }
                self.pace_client(id);
                self.settle_stream(id);
            }
            Payload::Datagrams { .. } => {
                // It was paused if it sent much before the tunnel was open.
                self.requests.pause(connection.socket, false);
                self.on_client_datagrams(id, &mut [], &mut Nowhere);
            }
        }
    }

    /// Decrypts datagrams and sends them to their target straight away; those that its socket does not take wait.
    pub(super) fn on_client_datagrams(&mut self, id: ConnectionId, data: &mut [u8], onward: &mut dyn Onward) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        let Payload::Datagrams { outgoing, limited, acks, .. } = &mut tunnel.payload else { return };
        let mut account = self.accounts.get_mut(&tunnel.grant.verdict.account);
        let socket = tunnel.socket;
        let mut is_spent = false;
        let received = connection.pipe.receive_datagrams(data, |payload| {
            if account.as_ref().is_some_and(|account| account.is_over(now, Direction::ToTarget)) {
                *limited += 1;
                return;
            }
            if outgoing.is_empty() {
                // An error is the answer to an earlier datagram; this one was not sent.
                if let Ok(true) = onward.send(socket, payload) {
                    if let Some(account) = &mut account {
                        account.charge(now, Direction::ToTarget, 1, payload.len() as u64);
                        is_spent = account.is_spent();
                    }
                    return;
                }
            }
            outgoing.push(now, payload);
        });
        if is_spent {
            self.timers.set(id, Some(now));
        }
        // An alert or a key update may want to be written.
        if connection.pipe.pending_len() > 0 {
            self.requests.pending(connection.socket);
        }
        let is_finished = connection.pipe.session().is_finished();
        match received {
            Ok(received) => {
                if received.datagrams > 0 {
                    tunnel.sent += received.bytes;
                    tunnel.moved = now;
                    if acks.is_due() {
                        self.requests.delay_acks(connection.socket);
                    }
                }
                if !outgoing.is_empty() {
                    self.requests.pending(socket);
                }
                if is_finished {
                    self.on_datagrams_finished(id);
                }
            }
            Err(DatagramError::Tls(_)) => self.on_client_gone(id),
            Err(DatagramError::Capsule(error)) => {
                self.end_tunnel(id, CloseReason::BadCapsule(error.to_string()), false);
                self.linger(id);
            }
        }
    }

    /// Decrypts bytes of a stream and writes them to its target straight away, as far as it takes them.
    pub(super) fn pass_on(
        &mut self,
        id: ConnectionId,
        data: &mut [u8],
        onward: &mut dyn Onward,
    ) -> Result<(), TlsError> {
        let Some(connection) = self.connections.get_mut(id) else { return Ok(()) };
        let State::Tunnel(tunnel) = &mut connection.state else { return Ok(()) };
        let waited = connection.pipe.plaintext_len() > 0;
        let session = connection.pipe.session();
        let (plaintext, result) = session.decrypt(data);
        let lent = data.get(plaintext).unwrap_or_default();
        let queued = session.plaintext();
        let taken = if waited || queued.len() + lent.len() == 0 {
            0
        } else {
            onward.write(tunnel.socket, [queued, lent])
        };
        let of_queued = taken.min(queued.len());
        session.consume(of_queued);
        session.keep(lent.get(taken - of_queued..).unwrap_or_default());
        if taken > 0 {
            tunnel.moved = self.now;
            tunnel.sent += taken as u64;
            self.charge_stream(id, Direction::ToTarget, taken);
        }
        result
    }

    /// Stops reading from a client whose bytes the target does not take.
    pub(super) fn pace_client(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(id)
            && connection.pipe.plaintext_len() > self.config.limits.buffer
        {
            self.requests.pause(connection.socket, true);
        }
    }

    pub(super) fn on_target_received(&mut self, id: ConnectionId, data: &[u8], onward: &mut dyn Onward) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        tunnel.received += data.len() as u64;
        tunnel.moved = now;
        match &mut tunnel.payload {
            Payload::Datagrams { incoming, .. } if data.len() <= MAX_PAYLOAD => incoming.push(now, data),
            Payload::Datagrams { limited, .. } => *limited += 1,
            Payload::Stream { .. } => {
                let (client, target) = (connection.socket, tunnel.socket);
                if self.requests.is_broken(client) {
                    return self.on_client_gone(id);
                }
                let waited = self.requests.is_pending(client);
                let session = connection.pipe.session();
                session.send(&[data]);
                if !waited {
                    let taken = onward.write(client, [session.pending(), &[]]);
                    session.written(taken);
                }
                let left = session.pending_len();
                if left > 0 {
                    self.requests.pending(client);
                }
                if left > self.config.limits.buffer {
                    self.requests.pause(target, true);
                }
                return self.charge_stream(id, Direction::ToClient, data.len());
            }
        }
        self.requests.pending(connection.socket);
    }

    /// The system dropped datagrams of the target.
    pub(super) fn on_overflow(&mut self, id: ConnectionId, count: u64) {
        if let Some(Connection { state: State::Tunnel(tunnel), .. }) = self.connections.get_mut(id)
            && let Payload::Datagrams { limited, .. } = &mut tunnel.payload
        {
            *limited = limited.saturating_add(count);
        }
    }

    pub(super) fn on_target_finished(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        let Payload::Stream { target_finished, .. } = &mut tunnel.payload else { return };
        *target_finished = true;
        connection.pipe.session().send_end();
        self.requests.pending(connection.socket);
        self.requests.finish(connection.socket);
        self.arm(id);
        self.settle_stream(id);
    }

    pub(super) fn on_target_failed(&mut self, id: ConnectionId, socket: SocketId, error: IoFailed) {
        let Some(connection) = self.connections.get_mut(id) else {
            self.requests.forget(socket);
            return;
        };
        match &mut connection.state {
            State::Dialling(opening) => {
                self.requests.forget(socket);
                opening.dial.handle_failed(self.now, socket, Fault::Io(error));
                self.advance_dial(id);
            }
            // RFC 9298 §3.1 ends a tunnel whose socket is no longer usable. A refused datagram leaves it as usable as before: a
            // server that is started again is reached by the next one.
            State::Tunnel(tunnel) if tunnel.grant.kind == Kind::Datagram => {}
            State::Tunnel(_) => {
                self.requests.forget(socket);
                let reason = error
                    .lacked()
                    .map_or_else(|| CloseReason::TargetGone(error.to_string()), CloseReason::Exhausted);
                self.end_tunnel(id, reason, false);
                self.part(id);
            }
            State::Closing { .. }
            | State::Handshake { .. }
            | State::Head { .. }
            | State::Preface { .. }
            | State::Verifying { .. } => self.requests.forget(socket),
        }
    }

    pub(super) fn on_client_finished(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let is_clean = connection.pipe.session().receive_end().is_ok();
        connection.ended = Some(if is_clean { Ending::Clean } else { Ending::Truncated });
        match &connection.state {
            State::Handshake { .. } | State::Preface { .. } => {
                self.tell(id, What::ConnectionFailed { reason: ConnectionFault::ClosedEarly });
                self.drop_connection(id, false);
            }
            // It may end its half behind its request, and still has what it asked for.
            State::Dialling(_) | State::Verifying { .. } => {}
            State::Head { .. } => self.drop_connection(id, false),
            State::Closing { .. } => self.settle_closing(id),
            State::Tunnel(_) => self.on_client_end(id),
        }
    }

    /// The client ended its half of the connection that carries a tunnel.
    ///
    /// Many clients end TLS without a close_notify. What they sent is delivered all the same, and whether it was whole is for
    /// the protocol inside to say, unless the operator wants it to be broken off.
    fn on_client_end(&mut self, id: ConnectionId) {
        let breaks_off = self.config.truncation == Truncation::Reset;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let is_truncated = connection.is_truncated();
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        match &mut tunnel.payload {
            Payload::Datagrams { .. } => self.on_datagrams_finished(id),
            Payload::Stream { .. } if is_truncated && breaks_off => {
                self.end_tunnel(id, CloseReason::Truncated, true);
                self.drop_connection(id, true);
            }
            Payload::Stream { client_finished, .. } => {
                *client_finished = true;
                self.settle_stream(id);
            }
        }
    }

    /// The client ended a tunnel of datagrams; it must not have stopped in the middle of a capsule (RFC 9297 §3.3).
    ///
    /// What it sent just before is delivered first, for as long as a datagram may wait at all.
    fn on_datagrams_finished(&mut self, id: ConnectionId) {
        let patience = self.now + self.config.limits.datagrams.age;
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let State::Tunnel(tunnel) = &mut connection.state
            && let Payload::Datagrams { outgoing, ending, .. } = &mut tunnel.payload
            && !outgoing.is_empty()
        {
            *ending = true;
            self.timers.set(id, Some(patience));
            return;
        }
        self.finish_datagrams(id);
    }

    fn finish_datagrams(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let reason = match connection.pipe.finish_datagrams() {
            Ok(()) => finished(connection),
            Err(error) => CloseReason::BadCapsule(error.to_string()),
        };
        self.end_tunnel(id, reason, false);
        self.linger(id);
    }

    pub(super) fn pending_of_client(&mut self, id: ConnectionId, socket: SocketId) -> Option<&[u8]> {
        let now = self.now;
        let connection = self.connections.get_mut(id)?;
        if let State::Tunnel(tunnel) = &mut connection.state
            && let Payload::Datagrams { incoming, limited, .. } = &mut tunnel.payload
            && !incoming.is_empty()
        {
            let account = self.accounts.get_mut(&tunnel.grant.verdict.account);
            if account.as_ref().is_some_and(|account| account.is_over(now, Direction::ToClient)) {
                *limited += drop_all(incoming);
            }
            let moved = connection.pipe.send_datagrams(now, incoming);
            if let Some(account) = account {
                account.charge(now, Direction::ToClient, moved.datagrams, moved.bytes);
                if account.is_spent() {
                    self.timers.set(id, Some(now));
                }
            }
        }
        let pending = connection.pipe.pending();
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    pub(super) fn pending_of_target(&mut self, id: ConnectionId, socket: SocketId) -> Option<&[u8]> {
        let now = self.now;
        let Connection { state: State::Tunnel(tunnel), pipe, .. } = self.connections.get_mut(id)? else {
            return None;
        };
        let pending = match &mut tunnel.payload {
            Payload::Stream { .. } => Some(pipe.session().plaintext()).filter(|bytes| !bytes.is_empty()),
            Payload::Datagrams { outgoing, limited, .. } => {
                let account = self.accounts.get(&tunnel.grant.verdict.account);
                if account.is_some_and(|account| account.is_over(now, Direction::ToTarget)) {
                    *limited += drop_all(outgoing);
                }
                outgoing.front(now)
            }
        };
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_client_written(&mut self, id: ConnectionId, written: usize) {
        let mark = self.config.limits.buffer / 2;
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.pipe.session().written(written);
        if connection.ended.is_some() {
            self.settle_closing(id);
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        if let State::Tunnel(tunnel) = &connection.state
            && let Payload::Stream { to_client_slowed, .. } = &tunnel.payload
            && connection.pipe.pending_len() <= mark
        {
            if to_client_slowed.is_none() {
                self.requests.pause(tunnel.socket, false);
            }
            self.settle_stream(id);
        }
    }

    pub(super) fn on_target_written(&mut self, id: ConnectionId, written: usize) {
        let (now, mark) = (self.now, self.config.limits.buffer / 2);
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        tunnel.moved = now;
        match &mut tunnel.payload {
            Payload::Stream { to_target_slowed, .. } => {
                let slowed = to_target_slowed.is_some();
                tunnel.sent += written as u64;
                connection.pipe.session().consume(written);
                if connection.pipe.plaintext_len() <= mark && !slowed {
                    self.requests.pause(connection.socket, false);
                }
                self.charge_stream(id, Direction::ToTarget, written);
                self.settle_stream(id);
            }
            Payload::Datagrams { outgoing, ending, .. } => {
                // It was young enough when it was lent; asking its age again could let the next one go in its place.
                let bytes = outgoing.iter().next().map_or(0, <[u8]>::len) as u64;
                outgoing.pop();
                if let Some(account) = self.accounts.get_mut(&tunnel.grant.verdict.account) {
                    account.charge(now, Direction::ToTarget, 1, bytes);
                    if account.is_spent() {
                        self.timers.set(id, Some(now));
                    }
                }
                if *ending && outgoing.is_empty() {
                    self.finish_datagrams(id);
                }
            }
        }
    }

    /// Ends the target's half when the client ended its own, and the whole when both did.
    fn settle_stream(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        let Payload::Stream { client_finished, target_finished, .. } = &mut tunnel.payload else { return };
        *client_finished |= connection.pipe.session().is_finished();
        if !*client_finished || connection.pipe.plaintext_len() > 0 {
            return;
        }
        self.requests.finish(tunnel.socket);
        let is_over = *target_finished && connection.pipe.pending_len() == 0;
        let reason = finished(connection);
        self.arm(id);
        if is_over {
            self.end_tunnel(id, reason, false);
            self.drop_connection(id, false);
        }
    }

    /// Counts bytes of a stream against the rate and the volume of its account, and stops reading from where they came for
    /// as long as the rate is exceeded.
    fn charge_stream(&mut self, id: ConnectionId, direction: Direction, bytes: usize) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        let Payload::Stream { to_client_slowed, to_target_slowed, .. } = &mut tunnel.payload else { return };
        let Some(account) = self.accounts.get_mut(&tunnel.grant.verdict.account) else { return };
        let until = account.charge(now, direction, 0, bytes as u64);
        if until.is_none() && !account.is_spent() {
            return;
        }
        let (slowed, from) = match direction {
            Direction::ToClient => (to_client_slowed, tunnel.socket),
            Direction::ToTarget => (to_target_slowed, connection.socket),
        };
        *slowed = until.or(*slowed);
        self.requests.pause(from, true);
        self.arm(id);
    }

    pub(super) fn on_tunnel_timeout(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Tunnel(tunnel) = &mut connection.state else { return };
        if matches!(tunnel.payload, Payload::Datagrams { ending: true, .. }) {
            return self.finish_datagrams(id);
        }
        if let Payload::Stream { to_client_slowed, to_target_slowed, .. } = &mut tunnel.payload {
            let mark = self.config.limits.buffer;
            let is_over = |slowed: &mut Option<Instant>| slowed.take_if(|until| *until <= now).is_some();
            if is_over(to_target_slowed) && connection.pipe.plaintext_len() <= mark {
                self.requests.pause(connection.socket, false);
            }
            if is_over(to_client_slowed) && connection.pipe.pending_len() <= mark {
                self.requests.pause(tunnel.socket, false);
            }
        }
        if tunnel.asked.take_if(|until| *until <= now).is_some() {
            let peer = peer_of(tunnel.grant.kind);
            self.requests.watch(connection.socket, self.config.limits.liveness(peer));
        }
        let idle = tunnel.moved + idle_limit(&self.config.limits, &tunnel.payload);
        let account = self.accounts.get(&tunnel.grant.verdict.account);
        let ends_at = account.and_then(|account| account.ends_at(self.config.rules.leeway));
        if account.is_some_and(Account::is_spent) {
            self.cut(id, CloseReason::VolumeSpent);
        } else if ends_at.is_some_and(|end| end <= self.clock.unix(now)) {
            self.cut(id, CloseReason::Expired);
        } else if idle <= now {
            self.cut(id, CloseReason::Idle);
        } else {
            self.arm(id);
        }
    }

    /// Sets the timer of a tunnel to what comes first: idleness, the end of a pause, or the end of what its account may.
    pub(super) fn arm(&mut self, id: ConnectionId) {
        let Some(Connection { state: State::Tunnel(tunnel), .. }) = self.connections.get(id) else { return };
        if matches!(tunnel.payload, Payload::Datagrams { ending: true, .. }) {
            return;
        }
        let idle = tunnel.moved + idle_limit(&self.config.limits, &tunnel.payload);
        let (to_client, to_target) = match &tunnel.payload {
            Payload::Stream { to_client_slowed, to_target_slowed, .. } => {
                (*to_client_slowed, *to_target_slowed)
            }
            Payload::Datagrams { .. } => (None, None),
        };
        let account = self.accounts.get(&tunnel.grant.verdict.account);
        let ends_at = account.and_then(|account| account.ends_at(self.config.rules.leeway));
        let ends_at = ends_at.map(|end| self.clock.look_at(self.now, end));
        let spent = account.filter(|account| account.is_spent()).map(|_| self.now);
        let due =
            [Some(idle), to_client, to_target, ends_at, spent, tunnel.asked].into_iter().flatten().min();
        self.timers.set(id, due);
    }

    /// Ends a tunnel from this side: a stream with a reset, so that nobody takes it for whole; datagrams cleanly, so that
    /// the next one may open another tunnel.
    pub(super) fn cut(&mut self, id: ConnectionId, reason: CloseReason) {
        let grant = self.connections.get(id).and_then(Connection::grant);
        let is_stream = grant.is_some_and(|grant| grant.kind == Kind::Stream);
        self.end_tunnel(id, reason, is_stream);
        if is_stream { self.drop_connection(id, true) } else { self.linger(id) }
    }

    /// Takes a tunnel down; the connection that carried it is the caller's to end.
    pub(super) fn end_tunnel(&mut self, id: ConnectionId, reason: CloseReason, reset: bool) {
        let deadline = self.now + self.config.limits.linger;
        let Some(connection) = self.connections.get_mut(id) else { return };
        if !matches!(connection.state, State::Tunnel(_)) {
            return;
        }
        let State::Tunnel(tunnel) = core::mem::replace(&mut connection.state, State::Closing { deadline })
        else {
            return;
        };
        let dropped = match &tunnel.payload {
            Payload::Datagrams { outgoing, incoming, limited, .. } => {
                outgoing.dropped() + incoming.dropped() + limited
            }
            Payload::Stream { .. } => 0,
        };
        self.requests.close(tunnel.socket, reset);
        self.stats.tunnels = self.stats.tunnels.saturating_sub(1);
        self.leave(&tunnel.grant.verdict.account);
        let Grant { kind, target, verdict } = tunnel.grant;
        let lasted = self.now.since(tunnel.opened);
        let (sent, received) = (tunnel.sent, tunnel.received);
        self.tell(id, What::TunnelClosed { kind, target, verdict, sent, received, dropped, lasted, reason });
    }
}

impl Relay {
    /// The client's connection takes nothing any more, while reading from it is paused. What it sent before still goes to the
    /// target; what the target sends has nowhere to go.
    pub(super) fn on_client_broken(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if !connection.is_stream() || connection.pipe.pending_len() > 0 {
            self.on_client_gone(id);
        }
    }

    /// The target's connection takes nothing any more, while reading from it is paused. What it sent before still goes to the
    /// client; as soon as the client sends something, it is told by a reset, as the target itself would tell it.
    pub(super) fn on_target_broken(&mut self, id: ConnectionId, error: &IoFailed) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.pipe.plaintext_len() > 0 {
            self.cut(id, CloseReason::TargetGone(error.to_string()));
        }
    }

    /// The client broke off within TLS. What its target's socket has taken is still the target's; where something is left of what
    /// came before, the target learns by a reset that it is missing, and always where the configuration asks for it.
    pub(super) fn on_client_broke_off(&mut self, id: ConnectionId) {
        let resets = self.config.truncation == Truncation::Reset;
        let Some(connection) = self.connections.get(id) else { return };
        if connection.is_stream() {
            self.end_tunnel(id, CloseReason::ClientGone, resets || connection.pipe.plaintext_len() > 0);
        }
        self.on_client_gone(id);
    }

    /// Ends a tunnel whose client sent something that its target cannot get any more; whether it did.
    fn ends_for_target(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(id) else { return true };
        let State::Tunnel(tunnel) = &connection.state else { return true };
        let is_over = connection.pipe.plaintext_len() > 0 && self.requests.is_broken(tunnel.socket);
        if is_over {
            self.cut(id, CloseReason::TargetGone(IoFailure::ConnectionReset.to_string()));
        }
        is_over
    }
}

impl Connection {
    /// Whether it carries a tunnel of a stream.
    fn is_stream(&self) -> bool {
        self.grant().is_some_and(|grant| grant.kind == Kind::Stream) && matches!(self.state, State::Tunnel(_))
    }

    /// Whether the client has ended its half, and the target's socket has taken everything that came before.
    pub(super) fn has_delivered(&self) -> bool {
        let State::Tunnel(tunnel) = &self.state else { return false };
        matches!(tunnel.payload, Payload::Stream { client_finished: true, .. })
            && self.pipe.plaintext_len() == 0
    }

    /// Memory in the queues of the tunnel, in bytes.
    pub(super) fn state_held(&self) -> usize {
        match &self.state {
            State::Tunnel(tunnel) => match &tunnel.payload {
                Payload::Datagrams { outgoing, incoming, .. } => outgoing.held() + incoming.held(),
                Payload::Stream { .. } => 0,
            },
            State::Preface { header, .. } => header.capacity(),
            State::Closing { .. }
            | State::Dialling(_)
            | State::Handshake { .. }
            | State::Head { .. }
            | State::Verifying { .. } => 0,
        }
    }
}

/// How a tunnel ended whose client has ended it.
fn finished(connection: &Connection) -> CloseReason {
    if connection.is_truncated() { CloseReason::Truncated } else { CloseReason::Finished }
}

fn drop_all(queue: &mut DatagramQueue) -> u64 {
    let count = queue.len() as u64;
    while !queue.is_empty() {
        queue.pop();
    }
    count
}

/// How long nothing may move.
fn idle_limit(limits: &RelayLimits, payload: &Payload) -> Duration {
    match payload {
        Payload::Datagrams { .. } => limits.datagram_idle,
        Payload::Stream { client_finished: false, target_finished: false, .. } => limits.stream_idle,
        Payload::Stream { .. } => limits.half_idle,
    }
}
