//! Flows that do not come through directly while the route is direct (rule 9).
//!
//! A flow that is being rescued asks for a relay like any proxied one, and keeps its direct path beside it as its *spare*:
//! whichever comes through first carries the flow, and the other is given up. So a direct path that is slow is not lost,
//! and where no relay serves either, the flow goes on or fails just as it would have directly.

use core::time::Duration;

use super::event::RescueReason;
use super::flow::{Flow, Resort, State};
use super::io::Timer;
use super::{Client, FlowError, FlowId, What};
use crate::base::{Instant, Kind};
use crate::error::{IoFailed, IoFailure};
use crate::route::{Blocked, Phase, Proof};

impl Client {
    /// When a flow that has not come through directly is to be rescued.
    pub(super) fn rescue_due(&self, flow: &Flow) -> Option<Instant> {
        let from = flow.resort.from()?;
        if flow.is_released() || flow.spare.is_some() || !self.routes.can_rescue(flow.kind) {
            return None;
        }
        let length = self.io.config.route.trial;
        let due = match &flow.state {
            State::Dialling(_) => Some(flow.tried + length),
            State::DirectStream { opening, .. } => opening.overdue(length),
            State::DirectDatagrams { answered: false, asked: Some(asked), .. }
                if !self.routes.is_answered(flow.kind, &flow.target) =>
            {
                Some(*asked + length)
            }
            _ => None,
        };
        due.map(|due| due.max(from))
    }

    /// Whether a flow whose direct path has failed is taken to a relay.
    pub(super) fn can_rescue(&self, flow: &Flow) -> bool {
        let may_ask = flow.resort.from().is_some_and(|from| from <= self.io.now);
        may_ask && !flow.is_released() && self.routes.can_rescue(flow.kind)
    }

    /// The time of a flow is over.
    pub(super) fn on_overdue(&mut self, id: FlowId) {
        let length = self.io.config.route.trial;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let is_repeatable = flow.state.is_repeatable();
        let reason = match &mut flow.state {
            State::Dialling(_) => RescueReason::NotConnected(length),
            State::DirectStream { opening, .. } if !is_repeatable => {
                opening.give_up();
                self.arm_flow(id);
                return self.note_lost(id);
            }
            _ => RescueReason::Unanswered(length),
        };
        self.rescue(id, reason);
    }

    /// Asks for a relay; the state that the flow has is its direct path, and stays as its spare.
    pub(super) fn rescue(&mut self, id: FlowId, reason: RescueReason) {
        let deadline = self.io.now + self.io.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        let direct = core::mem::replace(&mut flow.state, State::Waiting(None));
        flow.spare = Some(Box::new(direct));
        flow.renew_deadline(deadline);
        flow.forgive();
        let (kind, target) = (flow.kind, flow.target.clone());
        self.pool.expect(self.io.now);
        self.io.tell(What::Rescuing { flow: id, kind, target, reason });
        self.await_proxy(id);
    }

    /// A relay serves the flow: its direct path is given up. Says no where the direct path has sent in the meantime what
    /// must not be sent again; then it carries the flow.
    pub(super) fn on_served(&mut self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get_mut(id) else { return true };
        let Some(spare) = flow.spare.as_deref_mut() else { return true };
        if !spare.is_repeatable() {
            self.return_to_spare(id);
            return false;
        }
        let was_tried = !matches!(spare, State::Retry(_));
        if let Some(spare) = flow.spare.take() {
            self.leave_path(id, *spare);
        }
        let Some(flow) = self.flows.get(id) else { return true };
        let (kind, target) = (flow.kind, flow.target.clone());
        if was_tried && let Some(blocked) = self.routes.handle_rescued(self.io.now, kind, &target) {
            self.tell_blocked(id, blocked);
        }
        true
    }

    /// The direct path has come through, or nothing is to be asked of a relay any more.
    pub(super) fn return_to_spare(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Some(spare) = flow.spare.take() else { return };
        let relayed = core::mem::replace(&mut flow.state, *spare);
        self.drop_path(id, relayed, true);
        let Some(flow) = self.flows.get(id) else { return };
        let waits = flow.queues.as_ref().is_some_and(|queues| !queues.outgoing.is_empty());
        if let State::DirectStream { socket, .. } | State::DirectDatagrams { socket, .. } = flow.state {
            if waits {
                self.wants_turn(id, socket);
            }
            self.io.requests.pending(socket);
            self.io.nudge(id);
        }
        self.arm_flow(id);
    }

    /// No relay serves the flow: it goes on as it would have without one. Where the direct path has failed too, that error is
    /// the flow's.
    pub(super) fn fall_back(&mut self, id: FlowId, error: &FlowError) -> Option<FlowError> {
        if let Some(flow) = self.flows.get_mut(id) {
            let after = flow.backoff.next(&self.io.config.route.retry, &mut self.io.rng);
            flow.resort = match error {
                FlowError::TargetForbidden { .. } | FlowError::TargetUnreachable { .. } => Resort::Spent,
                _ => Resort::From(self.io.now + after),
            };
        }
        self.return_to_spare(id);
        let flow = self.flows.get_mut(id)?;
        match &flow.state {
            State::Failed(error) => return Some(error.clone()),
            // It went to the relay at once, and has not been tried yet.
            State::Retry(_) => {
                self.unplaced.insert(id);
            }
            _ => {}
        }
        None
    }

    /// Leaves a direct path for another one. What a stream has written goes along; the caller knows that it may.
    pub(super) fn leave_path(&mut self, id: FlowId, direct: State) {
        match direct {
            State::DirectStream { socket, clear, opening } => {
                self.io.requests.close(socket, true);
                if let Some(flow) = self.flows.get_mut(id) {
                    flow.unsent = opening.into_bytes(clear.pending());
                }
            }
            State::Failed(_) => {}
            other => self.drop_path(id, other, true),
        }
    }

    /// A direct stream broke off or ended before anything came back. Says whether that was dealt with.
    pub(super) fn on_lost_unanswered(&mut self, id: FlowId, has_ended: bool) -> bool {
        let (now, length) = (self.io.now, self.io.config.route.trial);
        let Some(flow) = self.flows.get_mut(id) else { return true };
        let is_spare = flow.spare.is_some();
        if flow.is_released() || (flow.is_finished() && has_ended) {
            return false;
        }
        let State::DirectStream { opening, .. } = flow.direct() else { return false };
        let is_young = opening.is_young(now, length);
        let is_repeatable = flow.direct().is_repeatable();
        let kind = flow.kind;
        let can_rescue = self.flows.get(id).is_some_and(|flow| self.can_rescue(flow));
        if is_spare {
            // A relay has been asked already; an end stays to be read, should it come to that.
            if !has_ended {
                self.keep_unsent(id);
            }
            return true;
        }
        if is_repeatable && self.routes.is_trial(kind) {
            self.try_again(id);
            return true;
        }
        if !is_young || !can_rescue {
            return false;
        }
        if !is_repeatable {
            self.note_lost(id);
            return false;
        }
        if has_ended {
            self.rescue(id, RescueReason::Ended);
        } else {
            self.keep_unsent(id);
            self.rescue(id, RescueReason::Reset);
        }
        true
    }

    /// The direct path is gone: what is left of it is why, and what it had sent.
    fn keep_unsent(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let direct = core::mem::replace(flow.direct(), State::Failed(FlowError::Reset));
        self.leave_path(id, direct);
    }

    /// A connection that broke off before a byte came back proves nothing: while the trial runs it is made again (rule 2).
    fn try_again(&mut self, id: FlowId) {
        let deadline = self.io.now + self.io.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.renew_deadline(deadline);
        let direct = core::mem::replace(&mut flow.state, State::Retry(None));
        self.leave_path(id, direct);
        self.on_direct_exhausted(id, Some(IoFailed::new(IoFailure::ConnectionReset).into()));
    }

    /// A flow of its kind did not come through, and no relay can be asked about it.
    fn note_lost(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let (kind, target) = (flow.kind, flow.target.clone());
        if let Some(blocked) = self.routes.handle_lost(self.io.now, kind, &target) {
            self.tell_blocked(id, blocked);
        }
    }

    fn tell_blocked(&mut self, id: FlowId, (what, pause): (Blocked, Duration)) {
        let Some(flow) = self.flows.get(id) else { return };
        let (kind, target) = (flow.kind, flow.target.clone());
        self.io.tell(What::Blocked { kind, target, what, pause });
        self.pool.stir();
    }

    /// Lets time pass for the routes. A stream that stood at the deadline, and whose application had sent nothing yet, is a
    /// proof (rule 2).
    pub(super) fn pass_routes(&mut self) {
        if let Phase::Trial { deadline, .. } = self.routes.phase(Kind::Stream)
            && deadline < self.io.now
        {
            let stands = |flow: &Flow| match &flow.state {
                State::DirectStream { socket, opening, .. } => {
                    opening.is_quiet()
                        && opening.epoch() == self.epoch
                        && self.io.requests.role(*socket).is_some()
                }
                _ => false,
            };
            if self.flows.iter().any(|(_, flow)| stands(flow)) {
                self.routes.handle_proven(deadline, Kind::Stream, Proof::Connection);
            }
        }
        self.routes.handle_timeout(self.io.now);
    }

    /// Wakes the client up when the routes want it, if that is sooner than it would. Later is left alone: with every packet
    /// the moment moves on.
    pub(super) fn watch_routes(&mut self) {
        let due = self.routes.poll_timeout();
        if due.is_some_and(|due| self.route_due.is_none_or(|armed| due < armed)) {
            self.arm_routes();
        }
    }

    pub(super) fn arm_routes(&mut self) {
        self.route_due = self.routes.poll_timeout();
        self.io.timers.set(Timer::Route, self.route_due);
    }
}
