//! What the machine itself lacks is nobody else's fault: not the direct path's, and not a proxy's.

use super::flow::{Flow, State};
use super::{Client, FlowError, FlowId, What};
use crate::base::Kind;
use crate::config::Scope;
use crate::error::{IoFailed, IoFailure, Resource};

impl Client {
    /// Something failed for want of `resource`.
    pub(super) fn on_lack(&mut self, resource: Resource) {
        let failed = IoFailed::new(IoFailure::Exhausted(resource));
        if self.lack.handle_failed(self.now, &failed) {
            self.tell(What::SystemLacks { resource });
        }
    }

    /// A socket was opened: the machine has what it takes.
    pub(super) fn on_plenty(&mut self) {
        if let Some(over) = self.lack.handle_good(self.now)
            && let Some(resource) = over.failed.lacked()
        {
            self.tell(What::SystemRecovered { resource, failures: over.count, lasted: over.lasted });
        }
    }

    /// A direct attempt of a flow was none, for want of `resource`: no trial may end by it. The application is told, as its
    /// own socket would tell it; a datagram flow that was open once tries again.
    pub(super) fn on_direct_lack(&mut self, id: FlowId, resource: Resource) {
        self.on_lack(resource);
        let Some(flow) = self.flows.get_mut(id) else { return };
        let kind = flow.kind;
        if kind == Kind::Datagram && flow.announced {
            let after = flow.backoff.next(&self.config.route.retry, &mut self.rng);
            flow.state = State::Retry(Some(self.now + after));
            self.arm_flow(id);
        } else {
            self.fail(id, FlowError::Exhausted(resource));
        }
        self.void_trial(kind);
    }

    /// The trial of `kind`, if one runs, begins anew: for want of something nothing was tried.
    pub(super) fn void_trial(&mut self, kind: Kind) {
        let tries = |flow: &Flow| {
            let is_judged = flow.kind == kind || self.config.route.scope == Scope::Session;
            is_judged && (flow.is_pending() || matches!(flow.state, State::DirectDatagrams { .. }))
        };
        let others = self.flows.iter().any(|(_, flow)| tries(flow));
        self.routes.handle_lack(self.now, kind, others);
        self.follow_routes();
    }
}
