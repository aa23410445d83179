//! A flow inside a carrier: the request, its answer, and what comes after.

use smallvec::smallvec;

use super::event::ProxyFault;
use super::flow::{Asked, Flow, State};
use super::pool::last_word;
use super::{CarrierId, Client, FlowError, FlowId};
use crate::base::{Kind, Route};
use crate::carrier::h1::DatagramError;
use crate::carrier::tls::TlsError;
use crate::codec::h1::parse_answer;
use crate::codec::http::{Answer, Malformed, Refusal};
use crate::codec::proxy_status::ProxyError;
use crate::config::{Peer, Truncation};
use crate::error::IoFailure;
use crate::net::SocketId;

impl Client {
    /// Sends the request of a flow over the connection that was handed to it.
    pub(super) fn ask(&mut self, flow_id: FlowId, id: CarrierId) {
        let Some(flow) = self.flows.get_mut(flow_id) else { return };
        self.pool.ask(&mut self.io, id, (flow_id, flow.kind, &flow.target));
        let (now, limits) = (self.io.now, &self.io.config.limits);
        let asked = Asked { carriers: smallvec![id], since: now, hedge_at: Some(now + limits.hedge) };
        match &mut flow.state {
            State::Asking(asked) => asked.carriers.push(id),
            state => {
                let before = core::mem::replace(state, State::Asking(asked));
                if let State::Tunnel { carrier, .. } = before {
                    // It was silent for too long.
                    flow.deadline = now + limits.open_timeout;
                    self.pool.close(&mut self.io, carrier, true);
                }
            }
        }
        self.arm_flow(flow_id);
    }

    pub(super) fn on_carrier_received(&mut self, id: CarrierId, data: &mut [u8]) {
        self.pool.on_heard(&mut self.io, id);
        let Some(connection) = self.pool.get_mut(id) else { return };
        let flow = connection.used.flow().and_then(|flow| self.flows.get(flow));
        if let Some(Flow { kind: Kind::Datagram, state: State::Tunnel { .. }, .. }) = flow {
            return self.read_datagrams(id, data);
        }
        if connection.pipe.receive(data).is_err() {
            return self.on_carrier_broken(id);
        }
        self.io.requests.pending(connection.socket);
        self.on_carrier_readable(id);
    }

    /// The proxy broke a rule of TLS, and is told so.
    fn on_carrier_broken(&mut self, id: CarrierId) {
        let Some(connection) = self.pool.get_mut(id) else { return };
        let (socket, alert) = (connection.socket, last_word(connection.pipe.session()));
        self.pool.part(&mut self.io, socket, alert, true);
        self.on_carrier_gone(id);
    }

    fn on_carrier_readable(&mut self, id: CarrierId) {
        let Some(flow_id) = self.pool.on_readable(&mut self.io, id) else { return };
        let is_asking = |flow: &Flow| matches!(flow.state, State::Asking(_));
        if self.flows.get(flow_id).is_some_and(is_asking) && !self.read_answer(id, flow_id) {
            return;
        }
        let Some(flow) = self.flows.get(flow_id) else { return };
        match (&flow.state, flow.kind) {
            (State::Tunnel { .. }, Kind::Stream) => self.read_stream(id, flow_id),
            (State::Tunnel { .. }, Kind::Datagram) => self.read_datagrams(id, &mut []),
            _ => {}
        }
    }

    /// The connection to the proxy broke.
    pub(super) fn on_carrier_gone(&mut self, id: CarrierId) {
        let Some(flow_id) = self.pool.on_gone(&mut self.io, id) else { return };
        let Some(connection) = self.pool.get(id) else { return };
        let Some(flow) = self.flows.get(flow_id) else {
            self.pool.close(&mut self.io, id, true);
            return;
        };
        match (&flow.state, flow.kind) {
            (State::Asking(_), _) => {
                // The proxy took the connection and said nothing: another connection, and at last another proxy, may do
                // better. Nothing of the application was sent yet.
                let proxy = connection.proxy;
                let is_last = self.unask(flow_id, id, true);
                self.pool.on_proxy_failed(&mut self.io, proxy, ProxyFault::NoAnswer, None);
                if is_last {
                    self.try_another(flow_id, proxy, ProxyFault::NoAnswer);
                }
            }
            (State::Tunnel { .. }, Kind::Datagram) => self.reopen(flow_id),
            (State::Tunnel { .. }, Kind::Stream) if connection.pipe.plaintext_len() > 0 && !flow.released => {
                // What arrived before the break is still the application's; the error comes behind it.
                self.io.nudge(flow_id);
            }
            _ => {
                let error = self.broken(flow_id);
                self.fail(flow_id, error);
            }
        }
    }

    pub(super) fn pending_of_carrier(&mut self, id: CarrierId, socket: SocketId) -> Option<&[u8]> {
        let connection = self.pool.get_mut(id)?;
        if let Some(id) = connection.used.flow()
            && let Some(Flow { state: State::Tunnel { .. }, queues: Some(queues), .. }) =
                self.flows.get_mut(id)
        {
            let before = queues.outgoing.len();
            connection.pipe.send_datagrams(self.io.now, &mut queues.outgoing);
            if queues.outgoing.len() < before && core::mem::take(&mut queues.sender_waits) {
                self.io.nudge(id);
            }
        }
        let pending = connection.pipe.pending();
        if pending.is_none() {
            self.io.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_carrier_written(&mut self, id: CarrierId, written: usize) {
        let Some(connection) = self.pool.get_mut(id) else { return };
        connection.pipe.session().written(written);
        let flow = connection.used.flow();
        self.pool.on_sent(&mut self.io, id);
        if let Some(flow) = flow {
            self.on_room(flow);
        }
    }

    /// Reads the answer to a request; says whether the connection carries the tunnel of the flow now.
    fn read_answer(&mut self, id: CarrierId, flow_id: FlowId) -> bool {
        loop {
            let (Some(connection), Some(flow)) = (self.pool.get_mut(id), self.flows.get(flow_id)) else {
                return false;
            };
            let answer = match connection.pipe.read_head() {
                Ok(Some(head)) => parse_answer(head, Some(flow.kind)).map_err(Malformed::from),
                Ok(None) => {
                    if connection.pipe.session().is_finished() {
                        self.on_carrier_gone(id);
                    }
                    return false;
                }
                Err(error) => Err(error.into()),
            };
            connection.pipe.end_head();
            let proxy = connection.proxy;
            match answer {
                Ok(None) => {}
                Ok(Some(Answer::Accepted { by })) => {
                    connection.machine = by;
                    return self.on_accepted(id, flow_id);
                }
                Ok(Some(Answer::Refused(Refusal { status: 407, .. }))) if !self.pool.has_shown_latest(id) => {
                    // The credential was renewed in between.
                    if self.unask(flow_id, id, false) {
                        self.unplaced.insert(flow_id);
                    }
                    return false;
                }
                Ok(Some(Answer::Refused(refusal))) => {
                    let again =
                        refusal.retry_after.map(|secs| core::time::Duration::from_secs(u64::from(secs)));
                    let is_last = self.unask(flow_id, id, false);
                    let error = (refusal.error(), refusal.lookup());
                    self.on_refused(flow_id, proxy, refusal.status, error, again, is_last);
                    return false;
                }
                Err(error) => {
                    let is_last = self.unask(flow_id, id, true);
                    let fault = ProxyFault::Protocol(error.to_string());
                    self.on_proxy_at_fault(flow_id, proxy, fault, None, is_last);
                    return false;
                }
            }
        }
    }

    /// The proxy serves the flow. Says no where the direct path has taken it back in the meantime.
    fn on_accepted(&mut self, id: CarrierId, flow_id: FlowId) -> bool {
        let Some(flow) = self.flows.get_mut(flow_id) else { return false };
        let is_datagrams = flow.kind == Kind::Datagram;
        let tunnel = State::Tunnel { carrier: id, since: self.io.now };
        let asked = core::mem::replace(&mut flow.state, tunnel);
        flow.forgive();
        if let Some(queues) = &mut flow.queues {
            queues.outgoing.renew_last(self.io.now, FIRST_WORD);
        }
        if let State::Asking(asked) = asked {
            self.pool.unwant(flow_id);
            for other in asked.carriers.into_iter().filter(|other| *other != id) {
                self.pool.close(&mut self.io, other, true);
            }
        }
        if !self.on_served(flow_id) {
            return false;
        }
        self.begin_stream(flow_id);
        self.pool.accepted(&mut self.io, id);
        self.arm_flow(flow_id);
        self.announce(flow_id, Route::Proxied);
        self.io.nudge(flow_id);
        if let Some(connection) = self.pool.get(id) {
            if is_datagrams {
                let liveness = self.io.config.limits.liveness(Peer::Reading);
                self.io.requests.watch(connection.socket, liveness);
            }
            self.io.requests.pending(connection.socket);
        }
        true
    }

    fn on_refused(
        &mut self,
        flow_id: FlowId,
        proxy: usize,
        status: u16,
        (error, lookup): (Option<ProxyError>, Option<IoFailure>),
        again: Option<core::time::Duration>,
        is_last: bool,
    ) {
        let Some(target) = self.io.config.proxies.get(proxy).cloned() else { return };
        if matches!(status, 403 | 502 | 504) {
            self.pool.on_proxy_good(proxy);
        }
        match status {
            403 => self.fail(flow_id, FlowError::TargetForbidden { proxy: target }),
            502 | 504 if error == Some(ProxyError::DestinationIpProhibited) => {
                self.fail(flow_id, FlowError::TargetForbidden { proxy: target });
            }
            502 | 504 => {
                self.fail(flow_id, FlowError::TargetUnreachable { proxy: target, status, error, lookup });
            }
            // Proxies of somebody else's say so of a target that cannot be reached. Ours say which it is.
            500 | 503 if error.is_none() && again.is_none() => {
                self.on_unclear(flow_id, proxy, status, is_last)
            }
            _ => {
                let fault = self.pool.refused_fault(&self.io, status);
                self.on_proxy_at_fault(flow_id, proxy, fault, again, is_last);
            }
        }
    }

    /// The proxy does not say whether it or the target is at fault. Another one may know; the only one is not asked less often
    /// because of what may be one dead target.
    fn on_unclear(&mut self, flow_id: FlowId, proxy: usize, status: u16, is_last: bool) {
        match self.io.config.proxies.as_slice() {
            [only] => {
                let proxy = only.clone();
                self.fail(flow_id, FlowError::TargetUnreachable { proxy, status, error: None, lookup: None });
            }
            _ => self.on_proxy_at_fault(flow_id, proxy, ProxyFault::Unclear { status }, None, is_last),
        }
    }

    /// The proxy will not serve this flow, whatever its target: another one may. Where it was asked too, it is waited for.
    fn on_proxy_at_fault(
        &mut self,
        flow_id: FlowId,
        proxy: usize,
        fault: ProxyFault,
        again: Option<core::time::Duration>,
        is_last: bool,
    ) {
        self.pool.refused(&mut self.io, proxy, fault.clone(), again);
        if is_last {
            self.try_another(flow_id, proxy, fault);
        }
    }

    fn read_stream(&mut self, id: CarrierId, flow_id: FlowId) {
        let (Some(connection), Some(flow)) = (self.pool.get_mut(id), self.flows.get(flow_id)) else {
            return;
        };
        if flow.released {
            discard(connection.pipe.session());
        } else if connection.pipe.plaintext_len() > self.io.config.limits.buffer {
            self.io.requests.pause(connection.socket, true);
        }
        self.io.nudge(flow_id);
        self.settle_stream(flow_id);
    }

    fn read_datagrams(&mut self, id: CarrierId, data: &mut [u8]) {
        let now = self.io.now;
        let Some(connection) = self.pool.get_mut(id) else { return };
        let Some((flow_id, flow)) = connection.used.flow().and_then(|id| Some((id, self.flows.get_mut(id)?)))
        else {
            return;
        };
        let Some(queues) = &mut flow.queues else { return };
        let received = connection.pipe.receive_datagrams(data, |payload| queues.incoming.push(now, payload));
        if connection.pipe.pending_len() > 0 {
            self.io.requests.pending(connection.socket);
        }
        match received {
            Ok(received) => {
                flow.received += received.bytes;
                let ended = connection.pipe.session().is_finished();
                if received.datagrams > 0 {
                    if connection.acks.is_due() {
                        self.io.requests.delay_acks(connection.socket);
                    }
                    self.io.nudge(flow_id);
                }
                if ended {
                    self.on_tunnel_ended(flow_id);
                }
            }
            Err(DatagramError::Tls(_)) => self.on_carrier_broken(id),
            // The relay broke the capsule protocol; another tunnel may do better.
            Err(DatagramError::Capsule(_)) => self.reopen(flow_id),
        }
    }

    /// The relay ended a datagram tunnel cleanly, because nothing moved or the target refused: the next datagram
    /// opens another.
    fn on_tunnel_ended(&mut self, flow_id: FlowId) {
        let Some(&Flow { state: State::Tunnel { carrier, since }, .. }) = self.flows.get(flow_id) else {
            return;
        };
        let again = self.after_tunnel(flow_id, since);
        self.pool.close(&mut self.io, carrier, false);
        if let Some(flow) = self.flows.get_mut(flow_id) {
            flow.state = State::Resting(again);
        }
        self.arm_flow(flow_id);
    }

    pub(super) fn on_carrier_finished(&mut self, id: CarrierId) {
        let Some(connection) = self.pool.get_mut(id) else { return };
        let runs = |flow| self.flows.get(flow).is_some_and(|flow| matches!(flow.state, State::Tunnel { .. }));
        let ended = connection.pipe.session().receive_end();
        connection.truncated = ended == Err(TlsError::Truncated);
        let forgives =
            self.io.config.truncation == Truncation::End && connection.used.flow().is_some_and(runs);
        match ended {
            Ok(()) => self.on_carrier_readable(id),
            Err(TlsError::Truncated) if forgives => {
                connection.pipe.session().excuse_end();
                self.on_carrier_readable(id);
            }
            Err(_) => {
                self.io.requests.close(connection.socket, true);
                self.on_carrier_gone(id);
            }
        }
    }
}

/// The last datagram that waited for a tunnel is sent although it grew old, up to this age: a word after a silence is no
/// media, and its sender may not repeat it soon.
const FIRST_WORD: core::time::Duration = core::time::Duration::from_secs(5);

/// Reads what nobody wants any more, so that the other side can end.
pub(super) fn discard(session: &mut dyn crate::carrier::tls::Session) {
    loop {
        let amount = session.plaintext().len();
        if amount == 0 {
            return;
        }
        session.consume(amount);
    }
}
