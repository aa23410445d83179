//! A flow inside a carrier: the request, its answer, and what comes after.

use smallvec::smallvec;

use super::event::ProxyFault;
use super::flow::{Asked, Flow, State};
use super::parting::last_word;
use super::{CarrierId, Client, FlowError, FlowId, Timer};
use crate::base::{Kind, Route};
use crate::carrier::h1::DatagramError;
use crate::carrier::tls::{TlsError, exported};
use crate::codec::h1::{Response, encode_connect, encode_connect_udp, parse_response};
use crate::codec::proxy_status::ProxyError;
use crate::codec::template::UriTemplate;
use crate::config::{Peer, Truncation};
use crate::error::IoFailure;

impl Client {
    /// Sends the request of a flow over a connection that is ready.
    pub(super) fn ask(&mut self, flow_id: FlowId, id: CarrierId) {
        let (Some(flow), Some(carrier)) = (self.flows.get_mut(flow_id), self.carriers.get_mut(id)) else {
            return;
        };
        let Some(proxy) = self.config.proxies.get(carrier.proxy) else { return };
        let hedge = self.config.limits.hedge;
        let authority = match flow.kind {
            Kind::Datagram => proxy,
            Kind::Stream => &flow.target,
        };
        let session = carrier.pipe.session();
        let authorization = self.credential.as_ref().and_then(|credential| {
            credential.authorization_value(authority, |label, context| exported(session, label, context))
        });
        let authorization = authorization.as_ref().map(|value| value.expose().as_str());
        let mut head = Vec::with_capacity(512);
        match flow.kind {
            Kind::Stream => encode_connect(&mut head, &flow.target, authorization),
            Kind::Datagram => {
                let path = UriTemplate::well_known().expand_path(&flow.target);
                encode_connect_udp(&mut head, &path, &proxy.to_string(), authorization);
            }
        }
        carrier.pipe.session().send(&[&head]);
        zeroize::Zeroize::zeroize(&mut head);
        carrier.flow = Some(flow_id);
        carrier.renewal = self.renewals.count;
        let asked = Asked { carriers: smallvec![id], since: self.now, hedge_at: Some(self.now + hedge) };
        let left = match &mut flow.state {
            State::Asking(asked) => {
                asked.carriers.push(id);
                None
            }
            state => match core::mem::replace(state, State::Asking(asked)) {
                // It was silent for too long.
                State::Tunnel { carrier, .. } => Some(carrier),
                _ => None,
            },
        };
        if left.is_some() {
            flow.deadline = self.now + self.config.limits.open_timeout;
        }
        self.requests.pending(carrier.socket);
        self.timers.set(Timer::Carrier(id), None);
        if let Some(left) = left {
            self.close_carrier(left, true);
        }
        self.arm_flow(flow_id);
        self.wanted = Some(self.now);
    }

    pub(super) fn on_carrier_received(&mut self, id: CarrierId, data: &mut [u8]) {
        self.on_carrier_heard(id);
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        let flow = carrier.flow.and_then(|flow| self.flows.get(flow));
        if let Some(Flow { kind: Kind::Datagram, state: State::Tunnel { .. }, .. }) = flow {
            return self.read_datagrams(id, data);
        }
        if carrier.pipe.receive(data).is_err() {
            return self.on_carrier_broken(id);
        }
        self.requests.pending(carrier.socket);
        self.on_carrier_readable(id);
    }

    /// The proxy broke a rule of TLS, and is told so.
    fn on_carrier_broken(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        let (socket, alert) = (carrier.socket, last_word(carrier.pipe.session()));
        self.part(socket, alert, true);
        self.on_carrier_gone(id);
    }

    fn on_carrier_readable(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        if carrier.shows {
            return self.read_shown(id);
        }
        let Some(flow_id) = carrier.flow else {
            // A proxy that speaks or ends before it was asked cannot be used any more.
            if carrier.pipe.plaintext_len() > 0 || carrier.pipe.session().is_finished() {
                self.lose_ready(id);
            }
            return;
        };
        let Some(flow) = self.flows.get(flow_id) else { return };
        match (&flow.state, flow.kind) {
            (State::Asking(_), _) => self.read_answer(id, flow_id),
            (State::Tunnel { .. }, Kind::Stream) => self.read_stream(id, flow_id),
            (State::Tunnel { .. }, Kind::Datagram) => self.read_datagrams(id, &mut []),
            _ => {}
        }
    }

    fn read_answer(&mut self, id: CarrierId, flow_id: FlowId) {
        loop {
            let (Some(carrier), Some(flow)) = (self.carriers.get_mut(id), self.flows.get(flow_id)) else {
                return;
            };
            let response = match carrier.pipe.read_head() {
                Ok(Some(head)) => parse_response(head, flow.kind),
                Ok(None) => {
                    if carrier.pipe.session().is_finished() {
                        self.on_carrier_gone(id);
                    }
                    return;
                }
                Err(error) => Err(error),
            };
            carrier.pipe.end_head();
            let (proxy, renewal) = (carrier.proxy, carrier.renewal);
            match response {
                Ok(Response::Interim) => {}
                Ok(Response::Accepted { by }) => {
                    carrier.machine = by;
                    return self.on_accepted(id, flow_id);
                }
                Ok(Response::Refused { status: 407, .. }) if renewal != self.renewals.count => {
                    // The credential was renewed in between.
                    if self.unask(flow_id, id, false) {
                        self.place(flow_id);
                    }
                    return;
                }
                Ok(Response::Refused { status, proxy_status, lookup, retry_after, .. }) => {
                    let again = retry_after.map(|secs| core::time::Duration::from_secs(u64::from(secs)));
                    let is_last = self.unask(flow_id, id, false);
                    let error = (proxy_status, lookup);
                    return self.on_refused(flow_id, proxy, status, error, again, is_last);
                }
                Err(error) => {
                    let is_last = self.unask(flow_id, id, true);
                    let fault = ProxyFault::Protocol(error.to_string());
                    return self.on_proxy_at_fault(flow_id, proxy, fault, None, is_last);
                }
            }
        }
    }

    fn on_accepted(&mut self, id: CarrierId, flow_id: FlowId) {
        let Some(flow) = self.flows.get_mut(flow_id) else { return };
        let is_datagrams = flow.kind == Kind::Datagram;
        let asked = core::mem::replace(&mut flow.state, State::Tunnel { carrier: id, since: self.now });
        flow.forgive();
        if let Some(queues) = &mut flow.queues {
            queues.outgoing.renew_last(self.now, FIRST_WORD);
        }
        if let State::Asking(asked) = asked {
            self.waiting.retain(|waiting| *waiting != flow_id);
            for other in asked.carriers.into_iter().filter(|other| *other != id) {
                self.close_carrier(other, true);
            }
        }
        if !self.on_served(flow_id) {
            return;
        }
        self.begin_stream(flow_id);
        self.standby_backoff.reset();
        if let Some(proxy) = self.carriers.get(id).map(|carrier| carrier.proxy) {
            self.proxies.handle_good(proxy);
            self.on_tunnel_shown(id);
        }
        self.arm_flow(flow_id);
        self.announce(flow_id, Route::Proxied);
        self.nudge(flow_id);
        if let Some(carrier) = self.carriers.get(id) {
            if is_datagrams {
                self.requests.watch(carrier.socket, self.config.limits.liveness(Peer::Reading));
            }
            self.requests.pending(carrier.socket);
        }
        self.on_carrier_readable(id);
        self.supply();
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
        let Some(target) = self.config.proxies.get(proxy).cloned() else { return };
        if matches!(status, 403 | 502 | 504) {
            self.proxies.handle_good(proxy);
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
            _ => self.on_proxy_at_fault(flow_id, proxy, self.refused_fault(status), again, is_last),
        }
    }

    /// The proxy does not say whether it or the target is at fault. Another one may know; the only one is not asked less often
    /// because of what may be one dead target.
    fn on_unclear(&mut self, flow_id: FlowId, proxy: usize, status: u16, is_last: bool) {
        match self.config.proxies.as_slice() {
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
        let was_held = self.proxies.is_held(self.now, proxy);
        self.on_proxy_failed(proxy, fault.clone(), again);
        if !was_held {
            // What is ready or under way leads to this proxy, most likely, and would use up the patience of the flows.
            self.drop_ready();
        }
        if is_last {
            self.try_another(flow_id, proxy, fault);
        }
        self.supply();
    }

    fn read_stream(&mut self, id: CarrierId, flow_id: FlowId) {
        let (Some(carrier), Some(flow)) = (self.carriers.get_mut(id), self.flows.get(flow_id)) else {
            return;
        };
        if flow.released {
            discard(carrier.pipe.session());
        } else if carrier.pipe.plaintext_len() > self.config.limits.buffer {
            self.requests.pause(carrier.socket, true);
        }
        self.nudge(flow_id);
        self.settle_stream(flow_id);
    }

    fn read_datagrams(&mut self, id: CarrierId, data: &mut [u8]) {
        let now = self.now;
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        let Some((flow_id, flow)) = carrier.flow.and_then(|id| Some((id, self.flows.get_mut(id)?))) else {
            return;
        };
        let Some(queues) = &mut flow.queues else { return };
        let received = carrier.pipe.receive_datagrams(data, |payload| queues.incoming.push(now, payload));
        if carrier.pipe.pending_len() > 0 {
            self.requests.pending(carrier.socket);
        }
        match received {
            Ok(received) => {
                flow.received += received.bytes;
                let ended = carrier.pipe.session().is_finished();
                if received.datagrams > 0 {
                    if carrier.acks.is_due() {
                        self.requests.delay_acks(carrier.socket);
                    }
                    self.nudge(flow_id);
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
        self.close_carrier(carrier, false);
        self.waiting.retain(|waiting| *waiting != flow_id);
        if let Some(flow) = self.flows.get_mut(flow_id) {
            flow.state = State::Resting(again);
        }
        self.arm_flow(flow_id);
    }

    pub(super) fn on_carrier_finished(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        let runs = |flow| self.flows.get(flow).is_some_and(|flow| matches!(flow.state, State::Tunnel { .. }));
        let ended = carrier.pipe.session().receive_end();
        carrier.truncated = ended == Err(TlsError::Truncated);
        let forgives = self.config.truncation == Truncation::End && carrier.flow.is_some_and(runs);
        match ended {
            Ok(()) => self.on_carrier_readable(id),
            Err(TlsError::Truncated) if forgives => {
                carrier.pipe.session().excuse_end();
                self.on_carrier_readable(id);
            }
            Err(_) => {
                self.requests.close(carrier.socket, true);
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
