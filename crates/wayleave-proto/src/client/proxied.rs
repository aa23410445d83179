//! Flows that wait for a connection to a proxy, lose the one that they had, or are not served.

use core::time::Duration;

use super::event::ProxyFault;
use super::flow::{Flow, State};
use super::pool::{Beside, TunnelRef};
use super::{Client, FlowError, FlowId};
use crate::base::{Instant, Kind, Target};
use crate::config::{BackoffConfig, Canary};
use crate::error::Resource;

impl Client {
    /// Lets a flow wait for a connection to a proxy.
    pub(super) fn await_proxy(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.state = State::Waiting(None);
        self.pool.want(id, None);
        self.arm_flow(id);
    }

    /// No proxy serves a flow. A stream fails; a datagram flow that was open before tries again until it has been silent for
    /// too long.
    pub(super) fn on_no_proxy(
        &mut self,
        id: FlowId,
        said: Vec<(Target, ProxyFault)>,
        lacked: Option<Resource>,
    ) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        // Where it has a way, it keeps it: nobody else answers either. One that is owed an answer looks again soon.
        match &mut flow.state {
            State::Asking(asked) => {
                asked.hedge_at = Some(self.io.now + self.io.config.limits.hedge);
                return self.arm_flow(id);
            }
            State::Tunnel { .. } => return,
            _ => {}
        }
        if flow.kind == Kind::Datagram && flow.announced && flow.spare.is_none() {
            self.wait_again(id);
            // A connection is what this one lacks. One that was refused would be refused again, as often as one stands.
            if !said.is_empty() || self.io.config.route.breaks(Canary::RefusedAtOnce) {
                self.paused.insert(id);
            }
        } else if let Some(resource) = lacked {
            self.fail(id, FlowError::Exhausted(resource));
        } else {
            for (proxy, fault) in said {
                flow.refused_by(proxy, fault);
            }
            if self.io.config.route.breaks(Canary::FailsOpen) {
                return self.dial_directly(id);
            }
            let said = core::mem::take(&mut flow.refusals);
            self.fail(id, no_proxy(said));
        }
    }

    /// Lets a flow that lost its connection wait a moment before it asks for another.
    fn wait_again(&mut self, id: FlowId) {
        let schedule = self.busy_schedule();
        let Some(flow) = self.flows.get_mut(id) else { return };
        let after = flow.backoff.next(&schedule, &mut self.io.rng);
        flow.state = State::Waiting(Some(self.io.now + after));
        self.arm_flow(id);
    }

    /// How pauses grow where somebody waits: not beyond a second.
    fn busy_schedule(&self) -> BackoffConfig {
        let retry = self.io.config.route.retry;
        BackoffConfig { first: retry.first.min(LONGEST_PAUSE), most: retry.most.min(LONGEST_PAUSE), ..retry }
    }

    /// The moment from which a datagram flow whose tunnel ended may ask for another: at once where that one had lived.
    pub(super) fn after_tunnel(&mut self, id: FlowId, since: Instant) -> Instant {
        let schedule = self.busy_schedule();
        let Some(flow) = self.flows.get_mut(id) else { return self.io.now };
        if self.io.now.since(since) >= SETTLED {
            flow.backoff.reset();
            return self.io.now;
        }
        self.io.now + flow.backoff.next(&schedule, &mut self.io.rng)
    }

    /// A proxy did not serve a flow; another connection, or another proxy, may.
    pub(super) fn try_another(&mut self, id: FlowId, proxy: usize, fault: ProxyFault) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.lost = flow.lost.saturating_add(1);
        if let Some(proxy) = self.io.config.proxies.get(proxy).cloned() {
            flow.refused_by(proxy, fault);
        }
        if usize::from(flow.lost) > self.io.config.proxies.len() {
            self.on_no_proxy(id, Vec::new(), None);
        } else {
            self.unplaced.insert(id);
        }
    }

    /// A datagram flow lost its tunnel: it gets another, at once if the old one had lived for a while.
    pub(super) fn reopen(&mut self, id: FlowId) {
        let Some(&Flow { state: State::Tunnel { tunnel, since }, .. }) = self.flows.get(id) else { return };
        let again = self.after_tunnel(id, since);
        self.pool.end(&mut self.io, tunnel, true);
        self.go_on_at(id, again);
    }

    /// A datagram flow lost its tunnel by nobody's fault: it gets another at once.
    pub(super) fn reopen_at_once(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::Tunnel { tunnel, .. } = flow.state else { return };
        flow.backoff.reset();
        self.pool.end(&mut self.io, tunnel, true);
        self.go_on_at(id, self.io.now);
    }

    /// Lets a datagram flow without a tunnel ask for another from that moment on.
    pub(super) fn go_on_at(&mut self, id: FlowId, again: Instant) {
        let deadline = self.io.now + self.io.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.renew_deadline(deadline);
        flow.forgive();
        flow.state = State::Waiting(Some(again));
        if again <= self.io.now {
            self.unplaced.insert(id);
        } else {
            self.arm_flow(id);
        }
    }

    /// An answer is overdue: another relay is asked as well, or this one over a fresh connection, and the first to answer
    /// has the flow. Nothing of the application was sent.
    pub(super) fn hedge(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let State::Asking(asked) = &mut flow.state else { return };
        if asked.hedge_at.take().is_some() {
            let (pool, since) = (&mut self.pool, asked.since);
            let sources = asked.tunnels.iter().filter_map(|tunnel| pool.source_of(*tunnel));
            let beside: Vec<Beside> = sources.map(|source| Beside { proxy: source.proxy, since }).collect();
            pool.want(id, beside);
        }
        self.arm_flow(id);
    }

    /// Takes a tunnel that came to nothing from a flow that asked for it; says whether no other is left.
    pub(super) fn unask(&mut self, id: FlowId, tunnel: TunnelRef, reset: bool) -> bool {
        self.pool.end(&mut self.io, tunnel, reset);
        let Some(flow) = self.flows.get_mut(id) else { return false };
        let State::Asking(asked) = &mut flow.state else { return false };
        asked.tunnels.retain(|other| *other != tunnel);
        if !asked.tunnels.is_empty() {
            return false;
        }
        flow.state = State::Waiting(None);
        self.pool.unwant(id);
        true
    }

    /// Lets a datagram flow be without a way until its application sends.
    pub(super) fn rest(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Resting(self.io.now));
        self.drop_path(id, state, true);
        self.arm_flow(id);
    }

    /// A flow that asked over connections of a network or a route that is no more asks again.
    pub(super) fn ask_again(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let state = core::mem::replace(&mut flow.state, State::Waiting(None));
        self.drop_path(id, state, true);
        self.unplaced.insert(id);
    }
}

/// What it means that no proxy served a flow: where each left it open whose fault that is, it is most likely the target's.
fn no_proxy(said: Vec<(Target, ProxyFault)>) -> FlowError {
    let all_unclear = said.iter().all(|(_, fault)| matches!(fault, ProxyFault::Unclear { .. }));
    match said.last() {
        Some((proxy, ProxyFault::Unclear { status })) if all_unclear => {
            FlowError::TargetUnreachable { proxy: proxy.clone(), status: *status, error: None, lookup: None }
        }
        _ => FlowError::NoProxy(said),
    }
}

/// No pause is longer where somebody waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A tunnel that lived this long shows that the way is good.
const SETTLED: Duration = Duration::from_secs(1);
