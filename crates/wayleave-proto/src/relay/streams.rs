//! A tunnel of a stream: bytes both ways, paced and counted, each half with an end of its own.

use super::ledger::Ledger;
use super::meter::Direction;
use super::tunnel::{Payload, State, TunnelId, opened};
use super::{CloseReason, Relay};
use crate::carrier::downlink::{End, Ending, Io};
use crate::config::Truncation;
use crate::error::{IoFailed, IoFailure};
use crate::net::Onward;

/// The sockets and limits of a relay, as its connections work with them.
macro_rules! io {
    ($relay:expr) => {
        Io {
            sockets: &mut $relay.requests,
            limits: &$relay.config.limits,
            clock: &$relay.clock,
            now: $relay.now,
        }
    };
}
pub(super) use io;

impl<L: Ledger> Relay<L> {
    /// Bytes of a client's came, and may wait.
    pub(super) fn on_client_bytes(&mut self, id: TunnelId) {
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let (Payload::Stream { passed, .. }, Some(socket)) = (&mut open.payload, open.socket) else { return };
        let (passed, waits) = (core::mem::take(passed), connection.downlink.readable(key) > 0);
        if passed > 0 {
            open.moved = self.now;
            open.sent += passed as u64;
            self.charge_stream(id, Direction::ToTarget, passed);
        }
        if waits {
            self.requests.pending(socket);
            if self.ends_for_target(id) {
                return;
            }
        }
        self.pace_client(id);
        self.settle_stream(id);
    }

    /// Stops taking bytes from a client where its target does not take them.
    pub(super) fn pace_client(&mut self, id: TunnelId) {
        let Some(tunnel) = self.tunnels.get(id) else { return };
        let Some(connection) = self.connections.get_mut(tunnel.connection) else { return };
        if connection.downlink.readable(tunnel.key) > self.config.limits.buffer {
            connection.downlink.pause(&mut io!(self), tunnel.key, true);
        }
    }

    /// Bytes of a target came.
    pub(super) fn on_target_bytes(&mut self, id: TunnelId, data: &[u8], onward: &mut dyn Onward) {
        self.touch_carrier(id);
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Some(socket) = open.socket else { return };
        connection.downlink.write(&mut io!(self), onward, key, data);
        if connection.downlink.waiting(key) > self.config.limits.buffer {
            self.requests.pause(socket, true);
        }
        self.charge_stream(id, Direction::ToClient, data.len());
    }

    pub(super) fn on_target_finished(&mut self, id: TunnelId) {
        self.touch_carrier(id);
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Payload::Stream { target_finished, .. } = &mut open.payload else { return };
        *target_finished = true;
        connection.downlink.finish(&mut io!(self), key);
        self.arm(id);
        self.settle_stream(id);
    }

    /// The client ended its half of a tunnel.
    ///
    /// Many clients end without saying that what they sent is whole. It is delivered all the same, and whether it was whole is for
    /// the protocol inside to say, unless the operator wants it to be broken off.
    pub(super) fn on_client_end(&mut self, id: TunnelId) {
        let breaks_off = self.config.truncation == Truncation::Reset;
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let is_truncated = connection.downlink.ending(key) == Some(Ending::Truncated);
        match &mut open.payload {
            Payload::Datagrams { .. } => self.on_datagrams_finished(id),
            Payload::Stream { .. } if is_truncated && breaks_off => {
                self.end_tunnel(id, CloseReason::Truncated, true, Some(End::Reset));
            }
            Payload::Stream { client_finished, .. } => {
                *client_finished = true;
                self.settle_stream(id);
            }
        }
    }

    /// Little of what was sent to the client waits.
    pub(super) fn on_client_writable(&mut self, id: TunnelId) {
        let Some((open, ..)) = opened(&mut self.tunnels, &mut self.connections, id) else { return };
        let (Payload::Stream { to_client_slowed, .. }, Some(socket)) = (&open.payload, open.socket) else {
            return;
        };
        if to_client_slowed.is_none() {
            self.requests.pause(socket, false);
        }
        self.settle_stream(id);
    }

    /// Bytes of a client were written to its target.
    pub(super) fn on_bytes_written(&mut self, id: TunnelId, written: usize) {
        self.touch_carrier(id);
        let mark = self.config.limits.buffer / 2;
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Payload::Stream { to_target_slowed, .. } = &open.payload else { return };
        open.moved = self.now;
        open.sent += written as u64;
        connection.downlink.consume(&mut io!(self), key, written);
        if connection.downlink.readable(key) <= mark && to_target_slowed.is_none() {
            connection.downlink.pause(&mut io!(self), key, false);
        }
        self.charge_stream(id, Direction::ToTarget, written);
        self.settle_stream(id);
    }

    /// Ends the target's half when the client ended its own, and the whole when both did.
    fn settle_stream(&mut self, id: TunnelId) {
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Some(socket) = open.socket else { return };
        let Payload::Stream { client_finished, target_finished, .. } = &mut open.payload else { return };
        let ending = connection.downlink.ending(key);
        *client_finished |= ending.is_some();
        if !*client_finished || connection.downlink.readable(key) > 0 {
            return;
        }
        self.requests.finish(socket);
        let is_over = *target_finished && connection.downlink.waiting(key) == 0;
        self.arm(id);
        if is_over {
            self.end_tunnel(id, finished(ending), false, Some(End::Clean));
        }
    }

    /// Counts bytes of a stream, for the relay and against the rate and the volume of its account, and stops reading from where they came for
    /// as long as the rate is exceeded.
    fn charge_stream(&mut self, id: TunnelId, direction: Direction, bytes: usize) {
        let now = self.now;
        self.stats.moved(direction).add_bytes(bytes);
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Some(socket) = open.socket else { return };
        let Payload::Stream { to_client_slowed, to_target_slowed, .. } = &mut open.payload else { return };
        let Some(share) = self.shares.get_mut(&open.grant.verdict.account) else { return };
        let until = share.charge(&mut self.ledger, now, direction, 0, bytes as u64);
        if until.is_none() && !share.is_spent() {
            return;
        }
        match direction {
            Direction::ToClient => {
                *to_client_slowed = until.or(*to_client_slowed);
                self.requests.pause(socket, true);
            }
            Direction::ToTarget => {
                *to_target_slowed = until.or(*to_target_slowed);
                connection.downlink.pause(&mut io!(self), key, true);
            }
        }
        self.arm(id);
    }

    /// Reads on where a rate was exceeded and no longer is.
    pub(super) fn end_slowness(&mut self, id: TunnelId) {
        let (now, mark) = (self.now, self.config.limits.buffer);
        let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
            return;
        };
        let Some(socket) = open.socket else { return };
        let Payload::Stream { to_client_slowed, to_target_slowed, .. } = &mut open.payload else { return };
        if to_target_slowed.take_if(|until| *until <= now).is_some()
            && connection.downlink.readable(key) <= mark
        {
            connection.downlink.pause(&mut io!(self), key, false);
        }
        if to_client_slowed.take_if(|until| *until <= now).is_some()
            && connection.downlink.waiting(key) <= mark
        {
            self.requests.pause(socket, false);
        }
    }
}

impl<L: Ledger> Relay<L> {
    /// The target's connection takes nothing any more, while reading from it is paused. What it sent before still goes to the
    /// client; as soon as the client sends something, it is told by a reset, as the target itself would tell it.
    pub(super) fn on_target_broken(&mut self, id: TunnelId, error: &IoFailed) {
        if self.waits_for_target(id) {
            self.cut(id, CloseReason::TargetGone(error.to_string()));
        }
    }

    /// Ends a tunnel whose client sent something that its target cannot get any more; whether it did.
    fn ends_for_target(&mut self, id: TunnelId) -> bool {
        let Some(State::Open(open)) = self.tunnels.get(id).map(|tunnel| &tunnel.state) else { return true };
        let is_broken = open.socket.is_some_and(|socket| self.requests.is_broken(socket));
        let is_over = is_broken && self.waits_for_target(id);
        if is_over {
            self.cut(id, CloseReason::TargetGone(IoFailure::ConnectionReset.to_string()));
        }
        is_over
    }

    /// Whether something of the client's waits for its target.
    pub(super) fn waits_for_target(&self, id: TunnelId) -> bool {
        let Some((connection, key)) = self.carrier(id) else { return false };
        self.connections.get(connection).is_some_and(|connection| connection.downlink.readable(key) > 0)
    }

    /// Whether the client has ended its half, and the target's socket has taken everything that came before.
    pub(super) fn has_delivered(&self, id: TunnelId) -> bool {
        let Some(State::Open(open)) = self.tunnels.get(id).map(|tunnel| &tunnel.state) else { return false };
        matches!(open.payload, Payload::Stream { client_finished: true, .. }) && !self.waits_for_target(id)
    }
}

/// How a tunnel ended whose client has ended it.
pub(super) fn finished(ending: Option<Ending>) -> CloseReason {
    match ending {
        Some(Ending::Truncated) => CloseReason::Truncated,
        Some(Ending::Clean) | None => CloseReason::Finished,
    }
}
