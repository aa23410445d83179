//! Flows on the direct route, and their change to the proxied one.

use core::net::IpAddr;
use core::time::Duration;

use super::flow::{Flow, Queues, State};
use super::{Client, FlowError, FlowId, Role, Timer, What};
use crate::base::{Families, Kind, Route};
use crate::carrier::Clear;
use crate::carrier::tls::Session;
use crate::config::{BackoffConfig, Mode, Peer};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Dial, Fault, Recall, SocketId};
use crate::route::{Phase, Proof};

impl Client {
    /// Sends a flow that has no path yet on its way. Where no trial has begun it begins one (rule 1).
    pub(super) fn place(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let kind = flow.kind;
        if self.routes.phase(kind) == Phase::Idle {
            flow.state = State::Retry(None);
            self.routes.handle_flow(self.now, kind);
            self.follow_routes();
            // The trial has placed it already, with everything else that looks for its way.
            if !self.is_unplaced(id) {
                return;
            }
        }
        let config = self.dial_config(kind);
        let Some(flow) = self.flows.get_mut(id) else { return };
        match self.routes.route(kind) {
            Route::Proxied => {
                flow.state = State::Waiting(None);
                self.waiting.push_back(id);
                self.arm_flow(id);
                self.supply();
            }
            Route::Direct if self.routes.can_dial_direct(flow.kind) => {
                flow.state =
                    State::Dialling(Box::new(Dial::new(flow.kind, [flow.target.clone()], config, self.now)));
                self.advance_flow(id);
            }
            Route::Direct => {
                flow.state = State::Retry(None);
                self.arm_flow(id);
            }
        }
    }

    /// Whether nothing has been done for a flow yet.
    pub(super) fn is_unplaced(&self, id: FlowId) -> bool {
        self.flows.get(id).is_some_and(|flow| matches!(flow.state, State::Retry(None)))
    }

    /// What looks for its way directly, or could still be answered, begins the trial of a decision that has started
    /// again (rule 1). Call it before [`Self::follow_routes`].
    pub(super) fn begin_trials(&mut self) {
        for kind in [Kind::Datagram, Kind::Stream] {
            let is_open = |state: &State| {
                matches!(state, State::Dialling(_) | State::Retry(_) | State::DirectDatagrams { .. })
            };
            if self.flows.iter().any(|(_, flow)| flow.kind == kind && is_open(&flow.state)) {
                self.routes.handle_flow(self.now, kind);
            }
        }
    }

    /// A trial begins: what looks for its way directly, looks again; datagram flows have to be answered anew.
    pub(super) fn restart_direct(&mut self, kind: Option<Kind>) {
        self.stop_probes_of(kind);
        for id in self.flows_of(kind) {
            let Some(flow) = self.flows.get_mut(id) else { continue };
            match &mut flow.state {
                State::Dialling(dial) => dial.end(&mut self.requests, None),
                State::Retry(_) => {}
                State::DirectDatagrams { answered, .. } => {
                    *answered = false;
                    continue;
                }
                _ => continue,
            }
            self.place(id);
        }
    }

    /// The network underneath is another: the socket of a direct datagram flow has the wrong address.
    pub(super) fn rebind(&mut self, id: FlowId) {
        let deadline = self.now + self.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::DirectDatagrams { socket, .. } = flow.state else { return };
        flow.deadline = deadline;
        self.unshare(id, socket);
        self.place(id);
    }

    /// The route became proxied: flows that are still looking for their way, and datagram flows that nothing ever
    /// answered, go through a relay. Established streams stay where they are.
    pub(super) fn take_over(&mut self, kind: Option<Kind>) {
        for id in self.flows_of(kind) {
            let deadline = self.now + self.config.limits.open_timeout;
            let Some(flow) = self.flows.get_mut(id) else { continue };
            match &mut flow.state {
                State::Dialling(dial) => dial.end(&mut self.requests, None),
                State::Retry(_) => {}
                State::DirectDatagrams { socket, answered: false } => {
                    let socket = *socket;
                    flow.deadline = deadline;
                    self.unshare(id, socket);
                }
                _ => continue,
            }
            self.place(id);
        }
    }

    /// The route became direct again: flows that wait for a relay go directly.
    pub(super) fn recall(&mut self, kind: Option<Kind>) {
        for id in self.flows_of(kind) {
            if self.flows.get(id).is_some_and(|flow| matches!(flow.state, State::Waiting(_))) {
                self.waiting.retain(|waiting| *waiting != id);
                self.place(id);
            }
        }
    }

    /// The deadline has passed on a link that stays direct: what has not connected by now is tried again, each by its
    /// own schedule.
    pub(super) fn hold(&mut self, kind: Option<Kind>) {
        self.hold_probes(kind);
        for id in self.flows_of(kind) {
            let Some(flow) = self.flows.get_mut(id) else { continue };
            flow.backoff.reset();
            if let State::Dialling(dial) = &mut flow.state {
                dial.end(&mut self.requests, None);
                self.on_direct_exhausted(id, Some(IoFailed::new(IoFailure::TimedOut).into()));
            }
        }
    }

    /// Datagram flows on the direct route count as open once the decision has been made.
    pub(super) fn announce_datagrams(&mut self) {
        for id in self.flows_of(Some(Kind::Datagram)) {
            let is_new = |flow: &Flow| !flow.announced && matches!(flow.state, State::DirectDatagrams { .. });
            if !self.routes.is_trial(Kind::Datagram) && self.flows.get(id).is_some_and(is_new) {
                self.announce(id, Route::Direct);
            }
        }
    }

    /// Says once that a flow is open, and later that it moved.
    pub(super) fn announce(&mut self, id: FlowId, route: Route) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let what = if flow.announced {
            What::FlowMoved { flow: id, route }
        } else {
            let elapsed = self.now.since(flow.opened);
            What::FlowOpened { flow: id, kind: flow.kind, target: flow.target.clone(), route, elapsed }
        };
        flow.announced = true;
        self.tell(what);
    }

    pub(super) fn advance_flow(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let State::Dialling(dial) = &mut flow.state {
            let mut recall = Recall::targets(&self.memory, self.now);
            dial.advance(self.now, &mut self.requests, Role::Flow(id), &mut recall);
            if dial.is_exhausted() {
                let fault = dial.faults().last().map(|(_, fault)| fault.clone());
                self.on_direct_exhausted(id, fault);
                return;
            }
        }
        self.arm_flow(id);
    }

    /// A quick failure proves nothing while the decision is open, nor on a link that stays direct: try again.
    pub(super) fn on_direct_exhausted(&mut self, id: FlowId, fault: Option<Fault>) {
        let fault = fault.unwrap_or_else(|| IoFailed::new(IoFailure::NameUnknown).into());
        let Some(kind) = self.flows.get(id).map(|flow| flow.kind) else { return };
        if !self.wants_proof(kind) {
            self.fail(id, FlowError::Direct(fault));
            return;
        }
        let schedule = if self.routes.is_trial(kind) { &QUICK_RETRY } else { &self.config.route.retry };
        let Some(flow) = self.flows.get_mut(id) else { return };
        let after = flow.backoff.next(schedule, &mut self.rng);
        flow.state = State::Retry(Some(self.now + after));
        let target = flow.target.clone();
        self.arm_flow(id);
        self.tell(What::Retrying { flow: Some(id), kind, target, after, error: fault });
    }

    pub(super) fn on_flow_timeout(&mut self, id: FlowId) {
        let now = self.now;
        let Some(flow) = self.flows.get(id) else { return };
        if flow.released && flow.deadline <= now {
            self.remove(id, true);
            return;
        }
        if flow.is_pending() && flow.deadline <= now {
            self.fail(id, FlowError::TimedOut);
            return;
        }
        match &flow.state {
            State::Dialling(_) => self.advance_flow(id),
            State::Retry(Some(at)) if *at <= now => self.place(id),
            State::Waiting(Some(at)) if *at <= now => self.place(id),
            _ => self.arm_flow(id),
        }
    }

    pub(super) fn on_flow_resolved(
        &mut self,
        id: FlowId,
        lookup: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(Flow { state: State::Dialling(dial), .. }) = self.flows.get_mut(id) else { return };
        dial.handle_resolved(self.now, lookup, families, answer);
        self.advance_flow(id);
    }

    pub(super) fn on_flow_opened(&mut self, id: FlowId, socket: SocketId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::Dialling(dial) = &mut flow.state else { return };
        let Some(attempt) = dial.attempt(socket) else { return };
        let evidence = dial.ipv6(socket);
        dial.end(&mut self.requests, Some(socket));
        match flow.kind {
            Kind::Stream => {
                if let Some(evidence) = evidence {
                    self.memory.handle_ipv6(self.now, evidence);
                }
                flow.state = State::DirectStream { socket, session: Clear::default() };
                self.requests.watch(socket, self.config.limits.liveness(Peer::Foreign));
                self.announce(id, Route::Direct);
                self.arm_flow(id);
                self.nudge(id);
                self.prove(Kind::Stream, Proof::Stream);
            }
            Kind::Datagram => {
                let has_moved = flow.announced;
                let socket = self.share(id, socket, attempt.address);
                let Some(flow) = self.flows.get_mut(id) else { return };
                flow.state = State::DirectDatagrams { socket, answered: false };
                self.arm_flow(id);
                self.requests.pending(socket);
                self.nudge(id);
                if has_moved || !self.routes.is_trial(Kind::Datagram) {
                    self.announce(id, Route::Direct);
                }
            }
        }
    }

    pub(super) fn on_flow_failed(&mut self, id: FlowId, socket: SocketId, error: IoFailed) {
        let Some(flow) = self.flows.get_mut(id) else {
            self.requests.forget(socket);
            return;
        };
        match &mut flow.state {
            State::Dialling(dial) => {
                self.requests.forget(socket);
                dial.handle_failed(self.now, socket, error.into());
                self.advance_flow(id);
            }
            State::DirectStream { session, .. } => {
                self.requests.forget(socket);
                // What arrived before the break is still the application's; the error comes behind it.
                if session.plaintext_len() > 0 && !flow.released {
                    self.nudge(id);
                } else {
                    self.fail(id, FlowError::Reset);
                }
            }
            // The target refused a datagram; the application will see that nothing answers.
            State::DirectDatagrams { .. } => {}
            _ => self.requests.forget(socket),
        }
    }

    pub(super) fn on_flow_received(&mut self, id: FlowId, socket: SocketId, data: &mut [u8]) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        match &mut flow.state {
            State::DirectStream { session, .. } => {
                flow.received += data.len() as u64;
                if flow.released {
                    return;
                }
                // A clear session takes every byte and cannot fail.
                let _ = session.receive(data);
                if session.plaintext_len() > self.config.limits.buffer {
                    self.requests.pause(socket, true);
                }
                self.nudge(id);
            }
            State::DirectDatagrams { .. } => {
                flow.received += data.len() as u64;
                if let Some(queues) = &mut flow.queues {
                    queues.incoming.push(self.now, data);
                }
                self.nudge(id);
                self.on_flow_answered(id);
            }
            _ => {}
        }
    }

    /// Something came back for what a direct datagram flow sent.
    pub(super) fn on_flow_answered(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::DirectDatagrams { answered, .. } = &mut flow.state else { return };
        if !core::mem::replace(answered, true) {
            if !flow.announced {
                self.announce(id, Route::Direct);
            }
            self.prove(Kind::Datagram, Proof::Datagram);
        }
    }

    pub(super) fn on_flow_finished(&mut self, id: FlowId, _socket: SocketId) {
        if let Some(Flow { state: State::DirectStream { session, .. }, .. }) = self.flows.get_mut(id) {
            // A clear session ends with its connection and cannot be cut short.
            let _ = session.receive_end();
            self.nudge(id);
            self.settle_stream(id);
        }
    }

    pub(super) fn pending_of_flow(&mut self, id: FlowId, socket: SocketId) -> Option<&[u8]> {
        let flow = self.flows.get_mut(id)?;
        let pending = match (&mut flow.state, &mut flow.queues) {
            (State::DirectStream { session, .. }, _) => {
                Some(session.pending()).filter(|bytes| !bytes.is_empty())
            }
            (State::DirectDatagrams { .. }, Some(queues)) => queues.outgoing.front(self.now),
            _ => None,
        };
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_flow_written(&mut self, id: FlowId, _socket: SocketId, written: usize) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        match (&mut flow.state, &mut flow.queues) {
            (State::DirectStream { session, .. }, _) => {
                session.written(written);
                self.on_room(id);
            }
            (State::DirectDatagrams { .. }, Some(queues)) => queues.outgoing.pop(),
            _ => {}
        }
    }

    /// Whether the client may use proxies at all.
    pub(super) fn uses_proxies(&self) -> bool {
        self.config.route.mode != Mode::Off && !self.closed
    }

    /// Ends a flow with an error that its application still has to see.
    pub(super) fn fail(&mut self, id: FlowId, error: FlowError) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if flow.released {
            self.remove(id, true);
            return;
        }
        let state = core::mem::replace(&mut flow.state, State::Failed(error.clone()));
        if let Some(Queues { outgoing, .. }) = flow.queues.as_deref_mut() {
            while !outgoing.is_empty() {
                outgoing.pop();
            }
        }
        self.drop_path(id, state, true);
        self.timers.set(Timer::Flow(id), None);
        self.tell_closed(id, super::CloseReason::Failed(error));
        self.nudge(id);
    }

    /// Gives back what a state held outside the flow.
    pub(super) fn drop_path(&mut self, id: FlowId, state: State, reset: bool) {
        match state {
            State::Dialling(mut dial) => dial.end(&mut self.requests, None),
            State::Waiting(_) => self.waiting.retain(|waiting| *waiting != id),
            State::Asking(carrier) => self.close_carrier(carrier, true),
            State::Tunnel { carrier, .. } => self.close_carrier(carrier, reset),
            State::DirectStream { socket, .. } => self.requests.close(socket, reset),
            State::DirectDatagrams { socket, .. } => self.unshare(id, socket),
            State::Retry(_) | State::Resting | State::Failed(_) => {}
        }
    }
}

/// How soon a direct attempt that failed quickly is made again while a trial runs.
pub(super) const QUICK_RETRY: BackoffConfig = BackoffConfig {
    first: Duration::from_millis(50),
    most: Duration::from_millis(250),
    factor: 2,
    jitter: 20,
};
