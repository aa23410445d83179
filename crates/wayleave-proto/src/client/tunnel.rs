//! A flow inside a carrier: the request, its answer, and what comes after.

use core::time::Duration;

use smallvec::smallvec;

use super::event::ProxyFault;
use super::flow::{Asked, Flow, State};
use super::pool::{Heard, Source, TunnelRef, Word};
use super::{CarrierId, Client, FlowError, FlowId};
use crate::base::{Instant, Kind, Route, Slots};
use crate::codec::http::{Answer, Malformed, Refusal};
use crate::codec::proxy_status::ProxyError;
use crate::error::{IoFailed, IoFailure};

impl Client {
    /// Asks for the tunnel of a flow over the connection that was handed to it.
    pub(super) fn ask(&mut self, flow_id: FlowId, id: CarrierId) {
        let Some(flow) = self.flows.get_mut(flow_id) else { return };
        let asks = (flow_id, flow.kind, &flow.target);
        let Some(tunnel) = self.pool.ask(&mut self.io, id, asks) else { return };
        let (now, limits) = (self.io.now, &self.io.config.limits);
        let asked = Asked { tunnels: smallvec![tunnel], since: now, hedge_at: Some(now + limits.hedge) };
        match &mut flow.state {
            State::Asking(asked) => {
                // Each time later, since a target may be slow and each request dials it: after 1, 3 and 7 s.
                let pause = limits.hedge * (1 << asked.tunnels.len().min(LONGEST_HEDGE));
                asked.tunnels.push(tunnel);
                asked.hedge_at = Some(now + pause);
            }
            state => {
                let before = core::mem::replace(state, State::Asking(asked));
                if let State::Tunnel { tunnel, .. } = before {
                    // It was silent for too long.
                    flow.renew_deadline(now + limits.open_timeout);
                    self.pool.end(&mut self.io, tunnel, true);
                }
            }
        }
        self.arm_flow(flow_id);
    }

    pub(super) fn on_carrier_received(&mut self, id: CarrierId, data: &mut [u8]) {
        let now = self.io.now;
        self.pool.on_received(&mut self.io, id, &mut into_queues(now, &mut self.flows), data);
        self.hear(id);
    }

    pub(super) fn on_carrier_finished(&mut self, id: CarrierId) {
        let now = self.io.now;
        self.pool.on_finished(&mut self.io, id, &mut into_queues(now, &mut self.flows));
        self.hear(id);
    }

    pub(super) fn on_carrier_failed(&mut self, id: CarrierId, error: IoFailed) {
        self.pool.on_failed(&mut self.io, id, error.into());
        self.hear(id);
    }

    pub(super) fn on_carrier_written(&mut self, id: CarrierId, written: usize) {
        self.pool.on_written(&mut self.io, id, written);
        self.hear(id);
    }

    pub(super) fn on_carrier_timeout(&mut self, id: CarrierId) {
        self.pool.on_carrier_timeout(&mut self.io, id);
        self.hear(id);
    }

    pub(super) fn pending_of_carrier(&mut self, id: CarrierId) -> Option<&[u8]> {
        while let Some((flow, tunnel)) = self.pool.next_sender(id) {
            let Some(queues) = self.flows.get_mut(flow).and_then(|flow| flow.queues.as_mut()) else {
                continue;
            };
            let Some((uplink, key)) = self.pool.uplink(tunnel) else { continue };
            let before = queues.outgoing.len();
            uplink.send_datagrams(self.io.now, key, &mut queues.outgoing);
            let left = queues.outgoing.len();
            if left == before && left > 0 {
                self.pool.return_turn(tunnel);
                break;
            }
            if left > 0 {
                self.pool.announce_datagrams(&mut self.io, tunnel);
            }
            self.on_datagrams_gone(flow);
        }
        self.pool.pending_of(&mut self.io, id)
    }

    /// Acts on what came of an input for the flows in a connection.
    fn hear(&mut self, id: CarrierId) {
        for Heard { flow: id, tunnel, word } in self.pool.hear(&mut self.io, id) {
            let Some(flow) = self.flows.get_mut(id).filter(|flow| flow.uses(tunnel)) else { continue };
            match word {
                Word::Answered(answer) => self.on_answered(id, tunnel, *answer),
                Word::Broken => self.on_tunnel_broken(id, tunnel),
                Word::Datagrams(bytes) => {
                    flow.received += bytes;
                    self.io.nudge(id);
                }
                Word::Ended => self.on_tunnel_ended(id),
                Word::Readable => self.on_stream_readable(id),
                Word::Violated => self.reopen(id),
                Word::Writable => self.on_room(id),
            }
        }
    }

    /// A tunnel is gone with its connection.
    fn on_tunnel_broken(&mut self, id: FlowId, tunnel: TunnelRef) {
        let waits = self.stream(id).is_some_and(|(path, _)| path.readable() > 0);
        let Some(flow) = self.flows.get(id) else { return };
        match (&flow.state, flow.kind) {
            (State::Asking(_), _) => {
                // The proxy took the connection and said nothing: another connection, and at last another proxy, may do
                // better. Nothing of the application was sent yet.
                let Some(source) = self.pool.source_of(tunnel) else { return };
                if self.unask(id, tunnel, true) {
                    self.try_another(id, source.proxy, ProxyFault::NoAnswer);
                }
            }
            (_, Kind::Datagram) => self.reopen(id),
            // What arrived before the break is still the application's; the error comes behind it.
            (_, Kind::Stream) if waits && !flow.is_released() => self.io.nudge(id),
            (_, Kind::Stream) => {
                let error = self.broken(id);
                self.fail(id, error);
            }
        }
    }

    /// The proxy has answered a request.
    fn on_answered(&mut self, id: FlowId, tunnel: TunnelRef, answer: Result<Answer, Malformed>) {
        let Some(by) = self.pool.source_of(tunnel) else { return };
        match answer {
            Ok(Answer::Accepted { by, .. }) => self.on_accepted(id, tunnel, by),
            Ok(Answer::Refused(Refusal { status: 407, .. })) if !self.pool.has_shown_latest(tunnel) => {
                // The credential was renewed in between.
                if self.unask(id, tunnel, false) {
                    self.unplaced.insert(id);
                }
            }
            Ok(Answer::Refused(refusal)) => {
                let again = refusal.retry_after.map(|secs| Duration::from_secs(u64::from(secs)));
                let is_last = self.unask(id, tunnel, false);
                let error = (refusal.error(), refusal.lookup());
                self.on_refused(id, by, refusal.status, error, again, is_last);
            }
            Err(error) => {
                let is_last = self.unask(id, tunnel, true);
                let fault = ProxyFault::Protocol(error.to_string());
                self.on_proxy_at_fault(id, by, fault, None, is_last);
            }
        }
    }

    /// The proxy serves the flow.
    fn on_accepted(&mut self, id: FlowId, tunnel: TunnelRef, by: Option<String>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = State::Tunnel { tunnel, since: self.io.now };
        let asked = core::mem::replace(&mut flow.state, state);
        flow.forgive();
        if let Some(queues) = &mut flow.queues {
            queues.outgoing.renew_last(self.io.now, FIRST_WORD);
        }
        if let State::Asking(asked) = asked {
            self.pool.unwant(id);
            for other in asked.tunnels.into_iter().filter(|other| *other != tunnel) {
                self.pool.end(&mut self.io, other, true);
            }
        }
        if !self.on_served(id) {
            // The direct path has taken it back in the meantime.
            return;
        }
        self.begin_stream(id);
        self.pool.on_accepted(&mut self.io, tunnel, by);
        self.arm_flow(id);
        self.announce(id, Route::Proxied);
        self.io.nudge(id);
        self.pool.announce_datagrams(&mut self.io, tunnel);
    }

    fn on_refused(
        &mut self,
        flow_id: FlowId,
        by: Source,
        status: u16,
        (error, lookup): (Option<ProxyError>, Option<IoFailure>),
        again: Option<Duration>,
        is_last: bool,
    ) {
        let Some(target) = self.io.config.proxies.get(by.proxy).cloned() else { return };
        if matches!(status, 403 | 502 | 504) {
            self.pool.on_proxy_good(by.proxy);
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
            500 | 503 if error.is_none() && again.is_none() => self.on_unclear(flow_id, by, status, is_last),
            _ => {
                let fault = self.pool.refused_fault(&self.io, status);
                self.on_proxy_at_fault(flow_id, by, fault, again, is_last);
            }
        }
    }

    /// The proxy does not say whether it or the target is at fault. Another one may know; the only one is not asked less often
    /// because of what may be one dead target.
    fn on_unclear(&mut self, flow_id: FlowId, by: Source, status: u16, is_last: bool) {
        match self.io.config.proxies.as_slice() {
            [only] => {
                let proxy = only.clone();
                self.fail(flow_id, FlowError::TargetUnreachable { proxy, status, error: None, lookup: None });
            }
            _ => self.on_proxy_at_fault(flow_id, by, ProxyFault::Unclear { status }, None, is_last),
        }
    }

    /// The proxy will not serve this flow, whatever its target: another one may. Where it was asked too, it is waited for.
    fn on_proxy_at_fault(
        &mut self,
        flow_id: FlowId,
        by: Source,
        fault: ProxyFault,
        again: Option<Duration>,
        is_last: bool,
    ) {
        self.pool.refused(&mut self.io, by, fault.clone(), again);
        if is_last {
            self.try_another(flow_id, by.proxy, fault);
        }
    }

    fn on_stream_readable(&mut self, id: FlowId) {
        let most = self.io.config.limits.buffer;
        let is_released = self.flows.get(id).is_some_and(|flow| flow.is_released());
        let Some((mut path, io)) = self.stream(id) else { return };
        if is_released {
            path.discard(io);
        } else if path.readable() > most {
            path.pause(io, true);
        }
        self.io.nudge(id);
        self.settle_stream(id);
    }

    /// The relay ended a datagram tunnel cleanly, because nothing moved or the target refused: the next datagram
    /// opens another.
    fn on_tunnel_ended(&mut self, id: FlowId) {
        let Some(&Flow { state: State::Tunnel { tunnel, since }, .. }) = self.flows.get(id) else { return };
        let again = self.after_tunnel(id, since);
        self.pool.end(&mut self.io, tunnel, false);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.state = State::Resting(again);
        }
        self.arm_flow(id);
    }
}

/// The last datagram that waited for a tunnel is sent although it grew old, up to this age: a word after a silence is no
/// media, and its sender may not repeat it soon.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// Puts datagrams that come for flows into their queues.
fn into_queues(now: Instant, flows: &mut Slots<FlowId, Flow>) -> impl FnMut(FlowId, &[u8]) {
    move |flow, payload| {
        if let Some(queues) = flows.get_mut(flow).and_then(|flow| flow.queues.as_mut()) {
            queues.incoming.push(now, payload);
        }
    }
}

/// Pauses between hedges double no more often.
const LONGEST_HEDGE: usize = 6;
