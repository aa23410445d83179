//! What the machine itself lacks is nobody else's fault: not the direct path's, and not a proxy's.

use super::flow::{Flow, State};
use super::{Client, FlowError, FlowId};
use crate::base::Kind;
use crate::config::Scope;
use crate::error::Resource;

impl Client {
    /// A direct attempt of a flow was none, for want of `resource`: no trial may end by it. The application is told, as its
    /// own socket would tell it; a datagram flow that was open once tries again.
    pub(super) fn on_direct_lack(&mut self, id: FlowId, resource: Resource) {
        self.io.on_lack(resource);
        let Some(flow) = self.flows.get_mut(id) else { return };
        let kind = flow.kind;
        if kind == Kind::Datagram && flow.announced {
            let after = flow.backoff.next(&self.io.config.route.retry, &mut self.io.rng);
            flow.state = State::Retry(Some(self.io.now + after));
            self.arm_flow(id);
        } else {
            self.fail(id, FlowError::Exhausted(resource));
        }
        self.void_trial(kind);
    }

    /// The trial of `kind`, if one runs, begins anew: for want of something nothing was tried.
    pub(super) fn void_trial(&mut self, kind: Kind) {
        let tries = |flow: &Flow| {
            let is_judged = flow.kind == kind || self.io.config.route.scope == Scope::Session;
            is_judged && (flow.is_pending() || matches!(flow.state, State::DirectDatagrams { .. }))
        };
        let others = self.flows.iter().any(|(_, flow)| tries(flow));
        self.routes.handle_lack(self.io.now, kind, others);
    }
}
