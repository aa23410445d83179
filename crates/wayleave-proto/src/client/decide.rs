//! What follows from an input: the routing decision, the place of every flow, what the pool has decided.
//!
//! An input notes what happened and comes back. What follows is worked off here, once, at its end: nothing that happens to
//! one flow calls into what happens to another.

use super::flow::{Flow, State};
use super::pool::{Decision, Demand};
use super::{Client, End, FlowError, FlowId, RescueReason, What};
use crate::base::{Kind, Route};
use crate::route::{Phase, RouteEvent};

impl Client {
    /// Works off what follows from an input, to be called at the end of each.
    pub(super) fn advance(&mut self) {
        let most = ROUNDS + ROUNDS_OF_FLOW * self.flows.len();
        let mut rounds = 0;
        while rounds < most {
            if let Some(event) = self.routes.poll_event() {
                self.follow(event);
            } else if let Some(id) = self.unplaced.pop_first() {
                self.place(id);
            } else if let Some(decision) = self.decide() {
                self.carry_out(decision);
            } else if !self.run_probes() {
                break;
            }
            rounds += 1;
        }
        debug_assert!(rounds < most, "what follows from an input comes to no end");
        if rounds > 0 {
            self.arm_routes()
        } else {
            self.watch_routes()
        }
        if self.end == End::Draining && self.flows.is_empty() {
            self.shut();
        }
    }

    /// The next decision of the pool.
    fn decide(&mut self) -> Option<Decision> {
        if !self.pool.is_stirred() {
            return None;
        }
        let may_proxy = |kind| {
            self.routes.is_trial(kind)
                || self.routes.route(kind) == Route::Proxied
                || self.routes.has_blocked(kind)
        };
        let may_proxy = may_proxy(Kind::Stream) || may_proxy(Kind::Datagram);
        let demand = Demand { is_open: self.is_open(), may_proxy };
        self.pool.advance(&mut self.io, demand)
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision {
            Decision::Connected => {
                // There is a way again: nobody need pause any longer.
                for id in core::mem::take(&mut self.paused) {
                    if matches!(self.flows.get(id), Some(Flow { state: State::Waiting(Some(_)), .. })) {
                        self.unplaced.insert(id);
                    }
                }
            }
            Decision::Handed { flow, carrier } => self.ask(flow, carrier),
            Decision::Nobody { flow, said, lacked } => self.on_no_proxy(flow, said, lacked),
            Decision::Silent { flow, is_certain } => {
                match self.flows.get(flow).map(|flow| (&flow.state, flow.kind)) {
                    Some((State::Asking(_), _)) => self.hedge(flow),
                    Some((State::Tunnel { tunnel, .. }, Kind::Datagram)) => self.pool.leave(*tunnel),
                    Some((State::Tunnel { .. }, Kind::Stream)) if is_certain => {
                        self.fail(flow, FlowError::Reset);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Acts on what the routing decision has come to.
    pub(super) fn follow(&mut self, event: RouteEvent) {
        self.pool.stir();
        match event {
            RouteEvent::TrialStarted { kind, link, deadline } => {
                self.pool.expect(self.io.now);
                if kind != Some(Kind::Datagram) {
                    self.epoch += 1;
                }
                self.io.tell(What::TrialStarted { kind, link, length: deadline.since(self.io.now) });
                self.restart_direct(kind);
            }
            RouteEvent::DirectProven { kind, proof, elapsed } => {
                self.io.tell(What::DirectConnected { kind, proof, elapsed });
                self.announce_datagrams();
                // What has not come through has a time of its own from now on.
                self.flows_of(kind).into_iter().for_each(|id| self.arm_flow(id));
            }
            RouteEvent::ProofFailed { kind, failure } => {
                self.io.tell(What::ProofFailed { kind, failure });
                self.begin_trials();
            }
            RouteEvent::RouteChanged { kind, from, to, reason, link } => {
                self.io.tell(What::RouteChanged { kind, from, to, reason, link });
                match to {
                    Route::Proxied => self.take_over(kind),
                    Route::Direct => self.recall(kind),
                }
            }
            RouteEvent::Held { kind, link } => {
                self.io.tell(What::StayingDirect { kind, link });
                self.announce_datagrams();
                self.hold(kind);
            }
        }
    }

    /// Sends a flow that has no path yet on its way. Where no trial has begun it begins one (rule 1).
    fn place(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if !matches!(flow.state, State::Retry(_) | State::Waiting(_)) {
            return;
        }
        let kind = flow.kind;
        if flow.spare.is_some() {
            // It is being rescued, and one relay did not do.
            return self.await_proxy(id);
        }
        if self.routes.phase(kind) == Phase::Idle {
            flow.state = State::Retry(None);
            self.routes.handle_flow(self.io.now, kind);
            if self.routes.has_event() {
                // The trial places it, with everything else that looks for its way.
                self.unplaced.insert(id);
                return;
            }
        }
        let Some(flow) = self.flows.get_mut(id) else { return };
        match self.routes.route(kind) {
            Route::Proxied => self.await_proxy(id),
            Route::Direct
                if flow.resort.from().is_some_and(|from| from <= self.io.now)
                    && self.routes.is_blocked(self.io.now, kind, &flow.target) =>
            {
                flow.state = State::Retry(None);
                self.rescue(id, RescueReason::Blocked);
            }
            Route::Direct if self.routes.can_dial_direct(flow.kind) => {
                // A retry goes on with what has begun.
                if !matches!(flow.state, State::Retry(Some(_))) {
                    flow.tried = self.io.now;
                }
                self.dial_directly(id);
            }
            Route::Direct => {
                flow.state = State::Retry(None);
                self.arm_flow(id);
            }
        }
    }
}

/// So much can follow from one input at most, and so much of it for each flow.
const ROUNDS: usize = 1_000;
const ROUNDS_OF_FLOW: usize = 32;
