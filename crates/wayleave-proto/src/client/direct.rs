//! Flows on the direct route, and their change to the proxied one.

use core::net::IpAddr;
use core::time::Duration;

use super::clear::Clear;
use super::event::RescueReason;
use super::flow::{Asked, Flow, Queues, Resort, State};
use super::io::{Role, Timer};
use super::opening::Opening;
use super::{Client, FlowError, FlowId, What};
use crate::base::{Families, Kind, Route};
use crate::config::{BackoffConfig, Canary, Peer};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Dial, Fault, Recall, SocketId};
use crate::route::Proof;

impl Client {
    /// Looks for a direct path.
    pub(super) fn dial_directly(&mut self, id: FlowId) {
        let Some(kind) = self.flows.get(id).map(|flow| flow.kind) else { return };
        let config = self.dial_config(kind);
        let is_judged = self.wants_proof(kind);
        let Some(flow) = self.flows.get_mut(id) else { return };
        if is_judged {
            self.tried.dialled(kind, &flow.target);
        }
        flow.state = State::Dialling(Box::new(Dial::new(kind, [flow.target.clone()], config, self.io.now)));
        self.advance_flow(id);
    }

    /// What looks for its way directly, or could still be answered, begins the trial of a decision that has started
    /// again (rule 1).
    pub(super) fn begin_trials(&mut self) {
        for kind in [Kind::Datagram, Kind::Stream] {
            let is_open = |flow: &Flow| match flow.spare.as_deref().unwrap_or(&flow.state) {
                State::Dialling(_) | State::Retry(_) | State::Waiting(_) | State::DirectDatagrams { .. } => {
                    true
                }
                // It is being rescued; a stream that its application holds open does not look for anything.
                State::Failed(_) => flow.spare.is_some() && (kind == Kind::Datagram || !flow.announced),
                _ => false,
            };
            if self.flows.iter().any(|(_, flow)| flow.kind == kind && is_open(flow)) {
                self.routes.handle_flow(self.io.now, kind);
            }
        }
    }

    /// A trial begins: what looks for its way directly, looks again; datagram flows have to be answered anew.
    pub(super) fn restart_direct(&mut self, kind: Option<Kind>) {
        self.tried.begin(kind);
        self.renew_probes_of(kind);
        for id in self.flows_of(kind) {
            let was_rescued = self.flows.get(id).is_some_and(|flow| flow.spare.is_some());
            self.return_to_spare(id);
            let now = self.io.now;
            let Some(flow) = self.flows.get_mut(id) else { continue };
            (flow.tried, flow.resort) = (now, Resort::From(now));
            match &mut flow.state {
                State::Dialling(dial) => {
                    dial.end(&mut self.io.requests, None);
                    flow.state = State::Retry(None);
                }
                State::Retry(_) => {}
                // What had failed directly looks again.
                State::Failed(_) if was_rescued => flow.state = State::Retry(None),
                State::DirectDatagrams { answered, asked, .. } => {
                    (*answered, *asked) = (false, None);
                    continue;
                }
                _ => continue,
            }
            self.unplaced.insert(id);
        }
    }

    /// The network underneath is another: the socket of a direct datagram flow has the wrong address.
    pub(super) fn rebind(&mut self, id: FlowId) {
        let deadline = self.io.now + self.io.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::DirectDatagrams { socket, .. } = flow.state else { return };
        flow.renew_deadline(deadline);
        flow.state = State::Retry(None);
        self.unshare(id, socket);
        self.unplaced.insert(id);
    }

    /// The route became proxied: flows that are still looking for their way, and datagram flows that nothing ever
    /// answered, go through a relay. Established streams stay where they are; one that has sent no more than a ClientHello,
    /// and was not answered, is not established.
    pub(super) fn take_over(&mut self, kind: Option<Kind>) {
        for id in self.flows_of(kind) {
            if self.io.config.route.breaks(Canary::PendingNotTaken) {
                return;
            }
            let deadline = self.io.now + self.io.config.limits.open_timeout;
            let Some(flow) = self.flows.get_mut(id) else { continue };
            let is_movable = !flow.is_released() && flow.state.is_movable();
            match &mut flow.state {
                State::Dialling(dial) => {
                    dial.end(&mut self.io.requests, None);
                    flow.state = State::Retry(None);
                }
                State::Retry(_) => {}
                State::DirectDatagrams { socket, answered: false, .. } => {
                    let socket = *socket;
                    flow.renew_deadline(deadline);
                    flow.state = State::Retry(None);
                    self.unshare(id, socket);
                }
                state if is_movable => {
                    let direct = core::mem::replace(state, State::Retry(None));
                    flow.renew_deadline(deadline);
                    self.leave_path(id, direct);
                }
                _ => continue,
            }
            self.unplaced.insert(id);
        }
    }

    /// The route became direct again: flows that wait for a relay, or for its answer, go directly.
    pub(super) fn recall(&mut self, kind: Option<Kind>) {
        for id in self.flows_of(kind) {
            let is_concerned = |flow: &Flow| match flow.state {
                State::Waiting(_) => true,
                State::Asking(_) => flow.spare.is_none(),
                _ => false,
            };
            if self.flows.get(id).is_some_and(is_concerned) {
                self.ask_again(id);
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
                dial.end(&mut self.io.requests, None);
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
            let elapsed = self.io.now.since(flow.opened);
            What::FlowOpened { flow: id, kind: flow.kind, target: flow.target.clone(), route, elapsed }
        };
        flow.announced = true;
        self.io.tell(what);
    }

    pub(super) fn advance_flow(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let State::Dialling(dial) = flow.direct() {
            let mut recall = Recall::targets(&self.io.memory, self.io.now);
            dial.advance(self.io.now, &mut self.io.requests, Role::Flow(id), &mut recall);
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
        let Some(flow) = self.flows.get_mut(id) else { return };
        let kind = flow.kind;
        let lacked = fault.lacked();
        if flow.spare.is_some() {
            // A relay has been asked already.
            let error = lacked.map_or(FlowError::Direct(fault), FlowError::Exhausted);
            *flow.direct() = State::Failed(error);
            self.arm_flow(id);
            return;
        }
        if let Some(resource) = lacked {
            return self.on_direct_lack(id, resource);
        }
        if !self.wants_proof(kind) {
            if !self.flows.get(id).is_some_and(|flow| self.can_rescue(flow)) {
                self.fail(id, FlowError::Direct(fault));
            } else if let Some(flow) = self.flows.get_mut(id) {
                flow.state = State::Failed(FlowError::Direct(fault.clone()));
                self.rescue(id, RescueReason::Failed(fault));
            }
            return;
        }
        let schedule = if self.routes.is_trial(kind) { &QUICK_RETRY } else { &self.io.config.route.retry };
        let Some(flow) = self.flows.get_mut(id) else { return };
        let after = flow.backoff.next(schedule, &mut self.io.rng);
        flow.state = State::Retry(Some(self.io.now + after));
        let target = flow.target.clone();
        self.tried.failed(kind, &target, &fault);
        self.arm_flow(id);
        self.io.tell(What::Retrying { flow: Some(id), kind, target, after, error: fault });
    }

    pub(super) fn on_flow_timeout(&mut self, id: FlowId) {
        let now = self.io.now;
        if self.flows.get_mut(id).is_some_and(|flow| flow.may_rest(now)) {
            // Nobody waits for it: the next word looks for a way.
            return self.rest(id);
        }
        let Some(flow) = self.flows.get(id) else { return };
        if flow.is_released() && flow.deadline <= now {
            // What the system has taken whole it delivers by itself; a reset would throw it away.
            let is_whole = self.stream(id).is_some_and(|(path, _)| path.waiting() == 0);
            self.remove(id, !is_whole);
            return;
        }
        if flow.is_pending() && flow.deadline <= now {
            self.fail(id, FlowError::TimedOut);
            return;
        }
        if let State::Asking(Asked { hedge_at: Some(at), .. }) = &flow.state
            && *at <= now
        {
            self.hedge(id);
            return;
        }
        if self.rescue_due(flow).is_some_and(|due| due <= now) {
            self.on_overdue(id);
            return;
        }
        match (&flow.state, flow.spare.as_deref()) {
            (State::Dialling(_), _) | (_, Some(State::Dialling(_))) => self.advance_flow(id),
            (State::Retry(Some(at)) | State::Waiting(Some(at)), _) if *at <= now => {
                self.unplaced.insert(id);
            }
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
        let Some(State::Dialling(dial)) = self.flows.get_mut(id).map(Flow::direct) else { return };
        dial.handle_resolved(self.io.now, lookup, families, answer);
        self.advance_flow(id);
    }

    pub(super) fn on_flow_opened(&mut self, id: FlowId, socket: SocketId) {
        let Some(State::Dialling(dial)) = self.flows.get_mut(id).map(Flow::direct) else { return };
        let Some(attempt) = dial.attempt(socket) else { return };
        let evidence = dial.ipv6(socket);
        dial.end(&mut self.io.requests, Some(socket));
        let kind = self.flows.get(id).map(|flow| flow.kind);
        if kind == Some(Kind::Stream) {
            // It came through, before the relay that was asked.
            self.return_to_spare(id);
        }
        let now = self.io.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        match flow.kind {
            Kind::Stream => {
                if let Some(evidence) = evidence {
                    self.io.memory.handle_ipv6(now, evidence);
                }
                let (clear, opening) = (Clear::default(), Opening::new(now, self.epoch));
                flow.state = State::DirectStream { socket, clear, opening };
                self.io.requests.watch(socket, self.io.config.limits.liveness(Peer::Foreign));
                if !flow.announced {
                    self.announce(id, Route::Direct);
                }
                self.begin_stream(id);
                self.arm_flow(id);
                self.io.nudge(id);
                if self.io.config.route.breaks(Canary::ConnectionProves) {
                    self.prove(Kind::Stream, Proof::Connection);
                }
            }
            Kind::Datagram => {
                let has_moved = flow.announced;
                let socket = self.share(id, socket, attempt.address);
                let Some(flow) = self.flows.get_mut(id) else { return };
                let is_spare = flow.spare.is_some();
                *flow.direct() = State::DirectDatagrams { socket, answered: false, asked: None };
                self.arm_flow(id);
                if is_spare {
                    return;
                }
                self.io.requests.pending(socket);
                self.io.nudge(id);
                if has_moved || !self.routes.is_trial(Kind::Datagram) {
                    self.announce(id, Route::Direct);
                }
            }
        }
    }

    pub(super) fn on_flow_failed(&mut self, id: FlowId, socket: SocketId, error: IoFailed) {
        let Some(flow) = self.flows.get_mut(id) else {
            self.io.requests.forget(socket);
            return;
        };
        let released = flow.is_released();
        match flow.direct() {
            State::Dialling(dial) => {
                self.io.requests.forget(socket);
                dial.handle_failed(self.io.now, socket, error.into());
                self.advance_flow(id);
            }
            State::DirectStream { clear, opening, .. } => {
                self.io.requests.forget(socket);
                let has_more = !clear.received().is_empty();
                let (was_answered, epoch) = (opening.is_answered(), opening.epoch());
                if was_answered {
                    if epoch >= self.network_epoch {
                        self.routes.handle_broken(self.io.now, Kind::Stream);
                    }
                } else if self.on_lost_unanswered(id, false) {
                    return;
                }
                // What arrived before the break is still the application's; the error comes behind it.
                if has_more && !released {
                    self.io.nudge(id);
                } else {
                    self.fail(id, FlowError::Reset);
                }
            }
            // The target refused a datagram; the application will see that nothing answers.
            State::DirectDatagrams { .. } => {}
            _ => self.io.requests.forget(socket),
        }
    }

    pub(super) fn on_flow_received(&mut self, id: FlowId, socket: SocketId, data: &mut [u8]) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let released = flow.is_released();
        let State::DirectStream { clear, opening, .. } = flow.direct() else { return };
        let first = opening.handle_answered();
        let is_present = opening.epoch() >= self.network_epoch;
        if !released {
            clear.receive(data);
        }
        let is_full = clear.received().len() > self.io.config.limits.buffer;
        flow.received += data.len() as u64;
        if is_full {
            self.io.requests.pause(socket, true);
        }
        if !released {
            self.io.nudge(id);
        }
        if is_present {
            self.on_heard(id, first);
        }
        if first {
            self.return_to_spare(id);
            self.arm_flow(id);
        }
    }

    /// Something came back for what a direct datagram flow sent.
    pub(super) fn on_flow_answered(&mut self, id: FlowId) {
        let Some(State::DirectDatagrams { answered, .. }) = self.flows.get_mut(id).map(Flow::direct) else {
            return;
        };
        let first = !core::mem::replace(answered, true);
        if first {
            self.return_to_spare(id);
            if self.flows.get(id).is_some_and(|flow| !flow.announced) {
                self.announce(id, Route::Direct);
            }
            self.arm_flow(id);
        }
        self.on_heard(id, first);
    }

    /// Something came back over a direct flow; the `first` time it is a proof.
    fn on_heard(&mut self, id: FlowId, first: bool) {
        let Some(flow) = self.flows.get(id) else { return };
        if first {
            self.routes.handle_answered(self.io.now, flow.kind, &flow.target);
        } else {
            self.routes.handle_heard(self.io.now, flow.kind);
        }
    }

    /// The system dropped datagrams. It is told at once, and then each time that there are twice as many.
    pub(super) fn on_flow_overflow(&mut self, id: FlowId, count: u64) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (all, told) = &mut flow.overflowed;
        *all = all.saturating_add(count);
        if *all >= told.saturating_mul(2) {
            *told = *all;
            let (target, dropped) = (flow.target.clone(), *all);
            self.io.tell(What::Overflowed { flow: id, target, dropped });
        }
    }

    pub(super) fn on_flow_finished(&mut self, id: FlowId, _socket: SocketId) {
        if let Some(State::DirectStream { clear, opening, .. }) = self.flows.get_mut(id).map(Flow::direct) {
            clear.receive_end();
            if !opening.is_answered() && self.on_lost_unanswered(id, true) {
                return;
            }
            self.io.nudge(id);
            self.settle_stream(id);
        }
    }

    pub(super) fn pending_of_flow(&mut self, id: FlowId, socket: SocketId) -> Option<&[u8]> {
        let flow = self.flows.get_mut(id)?;
        let direct = flow.spare.as_deref_mut().unwrap_or(&mut flow.state);
        let pending = match direct {
            State::DirectStream { clear, .. } => Some(clear.pending()).filter(|bytes| !bytes.is_empty()),
            _ => None,
        };
        if pending.is_none() {
            self.io.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_flow_written(&mut self, id: FlowId, _socket: SocketId, written: usize) {
        let now = self.io.now;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::DirectStream { clear, opening, .. } = flow.direct() else { return };
        let was_quiet = opening.is_quiet();
        let pending = clear.pending();
        let taken = pending.get(..written).unwrap_or(pending);
        let is_heard = opening.handle_written(now, taken, pending.len() - taken.len());
        let (was_answered, epoch) = (opening.is_answered(), opening.epoch());
        clear.written(written);
        if was_quiet {
            self.arm_flow(id);
        } else if was_answered && epoch >= self.network_epoch {
            if is_heard {
                self.routes.handle_heard(now, Kind::Stream);
            }
            self.routes.handle_sent(now, Kind::Stream);
        }
        self.on_room(id);
    }

    /// What a stream had sent on a path that it left goes out first, and its end behind it if it has ended.
    pub(super) fn begin_stream(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (mut unsent, finished) = (core::mem::take(&mut flow.unsent), flow.is_finished());
        if self.io.config.route.breaks(Canary::SentTwice) {
            unsent.extend_from_within(..);
        }
        let Some((mut path, io)) = self.stream(id) else { return };
        if !unsent.is_empty() {
            path.write(io, &[&unsent]);
        }
        if finished {
            path.finish(io);
        }
    }

    /// Ends a flow with an error that its application still has to see; the other side sees a reset.
    pub(super) fn fail(&mut self, id: FlowId, error: FlowError) {
        self.fail_with(id, error, true);
    }

    /// The same, where `reset` says what the other side sees: a reset also throws away what the system has not sent yet.
    pub(super) fn fail_with(&mut self, id: FlowId, error: FlowError, reset: bool) {
        let is_closed = self.is_closed();
        let Some(flow) = self.flows.get(id) else { return };
        if flow.is_released() {
            self.remove(id, reset);
            return;
        }
        let mut error = error;
        if flow.spare.is_some() && !is_closed {
            // That is what the relay said; the application did not ask for one.
            match self.fall_back(id, &error) {
                Some(direct) => error = direct,
                None => return,
            }
        }
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Failed(error.clone()));
        let spare = flow.spare.take();
        flow.unsent = Vec::new();
        if let Some(Queues { outgoing, .. }) = flow.queues.as_deref_mut() {
            while !outgoing.is_empty() {
                outgoing.pop();
            }
        }
        self.drop_path(id, state, reset);
        spare.into_iter().for_each(|spare| self.drop_path(id, *spare, reset));
        self.io.timers.set(Timer::Flow(id), None);
        self.tell_closed(id, super::CloseReason::Failed(error));
        self.io.nudge(id);
    }

    /// Gives back what a state held outside the flow.
    pub(super) fn drop_path(&mut self, id: FlowId, state: State, reset: bool) {
        match state {
            State::Dialling(mut dial) => dial.end(&mut self.io.requests, None),
            State::Waiting(_) => {
                self.pool.unwant(id);
                self.paused.remove(&id);
            }
            State::Asking(asked) => {
                self.pool.unwant(id);
                let (pool, io) = (&mut self.pool, &mut self.io);
                asked.tunnels.into_iter().for_each(|tunnel| pool.end(io, tunnel, true));
            }
            State::Tunnel { tunnel, .. } => self.pool.end(&mut self.io, tunnel, reset),
            State::DirectStream { socket, .. } => self.io.requests.close(socket, reset),
            State::DirectDatagrams { socket, .. } => self.unshare(id, socket),
            State::Retry(_) | State::Resting(_) | State::Failed(_) => {}
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
