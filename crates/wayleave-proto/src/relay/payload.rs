//! An open tunnel: its beginning, its deadlines and its end, whatever runs through it.

use core::net::SocketAddr;
use core::time::Duration;

use super::ledger::Ledger;
use super::share::Share;
use super::streams::io;
use super::tunnel::{Grant, Open, Payload, State, Tunnel, TunnelId, opened};
use super::{CloseReason, ConnectionId, Relay, Timer, What};
use crate::base::{Instant, Kind};
use crate::carrier::downlink::{End, Io, Loss};
use crate::config::{Peer, RelayLimits, Truncation};
use crate::error::IoFailed;
use crate::net::{Fault, Nowhere, Onward, SocketId};
use crate::queue::DatagramQueue;

impl<L: Ledger> Relay<L> {
    /// The target answered: so does the relay, and the tunnel begins.
    pub(super) fn open_tunnel(
        &mut self,
        id: TunnelId,
        socket: Option<SocketId>,
        address: SocketAddr,
        grant: Grant,
        asked: Instant,
    ) {
        let Some((connection, key)) = self.carrier(id) else { return };
        let payload = self.payload(grant.kind);
        if let Some(socket) = socket.filter(|_| grant.kind == Kind::Stream) {
            self.requests.watch(socket, self.config.limits.liveness(Peer::Foreign));
        }
        let answer = self.accepts(None);
        self.with_downlink(connection, |downlink, io| downlink.answer(io, key, &answer));
        let Grant { kind, target, verdict } = grant.clone();
        let now = self.now;
        let open =
            Open { grant, socket, opened: now, moved: now, asked: None, sent: 0, received: 0, payload };
        let Some(tunnel) = self.tunnels.get_mut(id) else { return };
        tunnel.state = State::Open(Box::new(open));
        self.stats.tunnels += 1;
        self.stats.opened += 1;
        self.tell(id, What::TunnelOpened { kind, target, address, verdict, elapsed: now.since(asked) });
        self.arm(id);
        match kind {
            Kind::Datagram => self.deliver(connection, &mut Nowhere, |downlink, io, delivery| {
                downlink.deliver_datagrams(io, delivery, key);
            }),
            Kind::Stream => {
                self.on_client_bytes(id);
                // A client may end its half right behind its request.
                if self.with_downlink(connection, |downlink, _| downlink.ending(key)).flatten().is_some() {
                    self.on_client_end(id);
                }
            }
        }
    }

    fn payload(&self, kind: Kind) -> Payload {
        let datagrams = self.config.limits.datagrams;
        match kind {
            Kind::Datagram => Payload::Datagrams {
                outgoing: DatagramQueue::new(datagrams),
                incoming: DatagramQueue::new(datagrams),
                limited: 0,
                ending: false,
                announced: false,
            },
            Kind::Stream => Payload::Stream {
                client_finished: false,
                target_finished: false,
                passed: 0,
                to_client_slowed: None,
                to_target_slowed: None,
            },
        }
    }

    /// Something of the client's came, and may wait.
    pub(super) fn on_client_payload(&mut self, id: TunnelId) {
        match self.tunnels.get(id).map(|tunnel| &tunnel.state) {
            None => {}
            // What comes behind the request waits until the target has answered.
            Some(State::Asking | State::Dialling(_) | State::Verifying { .. }) => self.pace_client(id),
            Some(State::Open(open)) => match open.grant.kind {
                Kind::Datagram => self.on_client_datagrams(id),
                Kind::Stream => self.on_client_bytes(id),
            },
        }
    }

    pub(super) fn on_target_received(&mut self, id: TunnelId, data: &[u8], onward: &mut dyn Onward) {
        let Some(Tunnel { state: State::Open(open), .. }) = self.tunnels.get_mut(id) else { return };
        if matches!(open.payload, Payload::Datagrams { .. }) {
            return;
        }
        open.received += data.len() as u64;
        open.moved = self.now;
        self.on_target_bytes(id, data, onward);
    }

    pub(super) fn on_target_failed(&mut self, id: TunnelId, socket: SocketId, error: IoFailed) {
        match self.tunnels.get_mut(id).map(|tunnel| &mut tunnel.state) {
            Some(State::Dialling(opening)) => {
                self.requests.forget(socket);
                opening.dial.handle_failed(self.now, socket, Fault::Io(error));
                self.advance_dial(id);
            }
            // RFC 9298 §3.1 ends a tunnel whose socket is no longer usable. A refused datagram leaves it as usable as before: a
            // server that is started again is reached by the next one.
            Some(State::Open(open)) if open.grant.kind == Kind::Datagram => {}
            Some(State::Open(_)) => {
                self.requests.forget(socket);
                let reason = error
                    .lacked()
                    .map_or_else(|| CloseReason::TargetGone(error.to_string()), CloseReason::Exhausted);
                self.end_tunnel(id, reason, false, Some(End::Truncated));
            }
            None | Some(State::Asking | State::Verifying { .. }) => self.requests.forget(socket),
        }
    }

    pub(super) fn pending_of_client(&mut self, id: ConnectionId) -> Option<&[u8]> {
        self.send_datagrams(id);
        self.connections.get_mut(id)?.downlink.pending(&mut io!(self))
    }

    pub(super) fn pending_of_target(&mut self, id: TunnelId, socket: SocketId) -> Option<&[u8]> {
        let (open, key, connection) = opened(&mut self.tunnels, &mut self.connections, id)?;
        if matches!(open.payload, Payload::Datagrams { .. }) {
            return None;
        }
        let pending = Some(connection.downlink.read(key)).filter(|bytes| !bytes.is_empty());
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    /// The client's side of a tunnel is gone. What its target's socket has taken is still the target's; where something is left of
    /// what came before, the target learns by a reset that it is missing. Where the client only says that it breaks off, it
    /// learns so too if the configuration asks for it.
    pub(super) fn on_client_lost(&mut self, id: TunnelId, loss: Loss) {
        let Some(Tunnel { state: State::Open(open), .. }) = self.tunnels.get(id) else {
            if let Some(Tunnel { connection, key, .. }) = self.remove_tunnel(id) {
                self.with_downlink(connection, |downlink, io| downlink.end(io, key, End::Reset));
            }
            return;
        };
        let resets = match (loss, open.grant.kind) {
            (Loss::BrokenOff, Kind::Stream) => {
                self.config.truncation == Truncation::Reset || self.waits_for_target(id)
            }
            _ => !self.has_delivered(id),
        };
        self.end_tunnel(id, CloseReason::ClientGone, resets, Some(End::Reset));
    }
}

/// Its deadlines and its end.
impl<L: Ledger> Relay<L> {
    pub(super) fn on_tunnel_timeout(&mut self, id: TunnelId) {
        let now = self.now;
        let Some((open, ..)) = opened(&mut self.tunnels, &mut self.connections, id) else { return };
        if matches!(open.payload, Payload::Datagrams { ending: true, .. }) {
            return self.finish_datagrams(id);
        }
        self.end_slowness(id);
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        if open.asked.take_if(|until| *until <= now).is_some() {
            let limits = &self.config.limits;
            connection.downlink.watch(&mut io!(self), key, limits.keep_alive, limits.user_timeout);
        }
        let idle = open.moved + idle_limit(&self.config.limits, &open.payload);
        let share = self.shares.get(&open.grant.verdict.account);
        let ends_at = share.and_then(|share| share.ends_at(self.config.rules.leeway));
        if share.is_some_and(Share::is_spent) {
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
    pub(super) fn arm(&mut self, id: TunnelId) {
        let Some(Tunnel { state: State::Open(open), .. }) = self.tunnels.get(id) else { return };
        if matches!(open.payload, Payload::Datagrams { ending: true, .. }) {
            return;
        }
        let idle = open.moved + idle_limit(&self.config.limits, &open.payload);
        let (to_client, to_target) = match &open.payload {
            Payload::Stream { to_client_slowed, to_target_slowed, .. } => {
                (*to_client_slowed, *to_target_slowed)
            }
            Payload::Datagrams { .. } => (None, None),
        };
        let share = self.shares.get(&open.grant.verdict.account);
        let ends_at = share.and_then(|share| share.ends_at(self.config.rules.leeway));
        let ends_at = ends_at.map(|end| self.clock.look_at(self.now, end));
        let spent = share.filter(|share| share.is_spent()).map(|_| self.now);
        let due = [Some(idle), to_client, to_target, ends_at, spent, open.asked].into_iter().flatten().min();
        self.timers.set(Timer::Tunnel(id), due);
    }

    /// Ends a tunnel from this side: a stream with a reset, so that nobody takes it for whole; datagrams cleanly, so that
    /// the next one may open another tunnel.
    pub(super) fn cut(&mut self, id: TunnelId, reason: CloseReason) {
        match self.tunnels.get(id).and_then(Tunnel::grant).map(|grant| grant.kind) {
            Some(Kind::Datagram) => self.end_tunnel(id, reason, false, Some(End::Clean)),
            Some(Kind::Stream) => self.end_tunnel(id, reason, true, Some(End::Reset)),
            None => {}
        }
    }

    /// Takes down a tunnel that is open: at its target with a `reset` or without one, and at its client as `end` says, where
    /// that does not know it already.
    pub(super) fn end_tunnel(&mut self, id: TunnelId, reason: CloseReason, reset: bool, end: Option<End>) {
        if !matches!(self.tunnels.get(id), Some(Tunnel { state: State::Open(_), .. })) {
            return;
        }
        self.count_tunnel(id);
        let Some(Tunnel { connection, key, state: State::Open(open), .. }) = self.remove_tunnel(id) else {
            return;
        };
        let dropped = match &open.payload {
            Payload::Datagrams { outgoing, incoming, limited, .. } => {
                outgoing.dropped() + incoming.dropped() + limited
            }
            Payload::Stream { .. } => 0,
        };
        if let Some(socket) = open.socket {
            self.requests.close(socket, reset);
        }
        self.stats.tunnels = self.stats.tunnels.saturating_sub(1);
        self.leave(&open.grant.verdict.account);
        let Grant { kind, target, verdict } = open.grant;
        let (sent, received, lasted) = (open.sent, open.received, self.now.since(open.opened));
        let what = What::TunnelClosed { kind, target, verdict, sent, received, dropped, lasted, reason };
        self.tell_of(connection, Some(id), what);
        if let Some(end) = end {
            self.with_downlink(connection, |downlink, io| downlink.end(io, key, end));
        }
    }
}

/// How long nothing may move.
fn idle_limit(limits: &RelayLimits, payload: &Payload) -> Duration {
    match payload {
        Payload::Datagrams { .. } => limits.datagram_idle,
        Payload::Stream { client_finished: false, target_finished: false, .. } => limits.stream_idle,
        Payload::Stream { .. } => limits.half_idle,
    }
}
