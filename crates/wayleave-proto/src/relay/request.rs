//! From a request head to a judgement and a dial.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::connection::{Grant, Opening, State};
use super::{ConnectionFault, ConnectionId, RefuseReason, Relay, Role, What};
use crate::auth::{TokenError, Verdict};
use crate::base::{Kind, Name, Target};
use crate::codec::h1::{Request, options_ok, parse_request};
use crate::config::RelayConfig;
use crate::error::IoFailed;
use crate::net::{Dial, DialConfig, Fault, Judge, Onward, SocketId};
use crate::policy::{Denied, Scope};

impl Relay {
    pub(super) fn on_client_received(&mut self, id: ConnectionId, data: &mut [u8], onward: &mut dyn Onward) {
        if !self.takes_stray(id, data.len()) || !self.begins_tls(id, data) {
            return;
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        let result = match &connection.state {
            State::Closing { .. } => return,
            State::Preface { .. } => return self.on_preface(id, data),
            State::Tunnel(tunnel) if tunnel.grant.kind == Kind::Stream => self.pass_on(id, data, onward),
            State::Tunnel(_) => return self.on_client_datagrams(id, data, onward),
            _ => connection.pipe.receive(data),
        };
        let Some(connection) = self.connections.get_mut(id) else { return };
        // A handshake message or an alert wants to be written.
        if result.is_err() || matches!(connection.state, State::Handshake { .. }) {
            self.requests.pending(connection.socket);
        }
        match (result, &connection.state) {
            (Err(error), State::Handshake { .. } | State::Head { .. }) => {
                self.tell(id, What::ConnectionFailed { reason: ConnectionFault::Tls(error) });
                self.linger(id);
            }
            (Err(_), _) => self.on_client_gone(id),
            (Ok(()), State::Handshake { .. }) => self.on_handshake(id),
            (Ok(()), State::Head { .. }) => self.on_head(id),
            (Ok(()), State::Tunnel(_)) => self.on_client_payload(id),
            // What comes behind the request waits until the target has answered.
            (Ok(()), State::Dialling(_) | State::Verifying { .. }) => self.pace_client(id),
            (Ok(()), State::Closing { .. } | State::Preface { .. }) => {}
        }
    }

    fn on_handshake(&mut self, id: ConnectionId) {
        let deadline = self.now + self.config.limits.head_timeout;
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.pipe.session().is_handshaking() {
            return;
        }
        connection.state = State::Head { deadline };
        self.timers.set(id, Some(deadline));
        self.on_head(id);
    }

    pub(super) fn on_head(&mut self, id: ConnectionId) {
        let limits = self.config.limits.head;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let request = match connection.pipe.read_head() {
            Ok(Some(head)) => parse_request(head, &limits),
            Ok(None) => return self.on_part_of_head(id),
            Err(error) => Err(error),
        };
        connection.pipe.end_head();
        match request {
            Ok(request) => self.on_request(id, request),
            Err(error) => self.refuse(id, None, RefuseReason::Head(error)),
        }
    }

    /// The rest of the head may come, but not behind a close_notify.
    fn on_part_of_head(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(id);
        if connection.is_some_and(|connection| connection.pipe.session().is_finished()) {
            self.drop_connection(id, false);
        }
    }

    fn on_request(&mut self, id: ConnectionId, request: Request) {
        let Request { wish, authority, authorization, .. } = request;
        self.admit(id, wish, authority.as_ref(), authorization.as_ref().map(|value| value.expose().as_str()));
    }

    /// Says that the credentials are good; there is nothing more to it.
    pub(super) fn answer_options(&mut self, id: ConnectionId) {
        let mut head = Vec::new();
        options_ok(&mut head);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pipe.session().send(&[&head]);
        }
        self.linger(id);
    }

    /// Judges what a client with a good credential asks for, and dials.
    pub(super) fn on_admitted(
        &mut self,
        id: ConnectionId,
        kind: Kind,
        target: Target,
        verdict: Arc<Verdict>,
    ) {
        let scope = self.scope_of(&verdict);
        if let Err(denied) = self.config.targets.judge_port(target.port.get()) {
            return self.refuse(id, Some(target), RefuseReason::Denied(denied));
        }
        if let Err(denied) = scope.judge_target(&target, kind) {
            return self.refuse(id, Some(target), RefuseReason::Denied(denied.into()));
        }
        if let Err(reason) = self.join(&verdict, &scope) {
            return self.refuse(id, Some(target), reason);
        }
        let limits = &self.config.limits;
        let config = DialConfig { stagger: limits.stagger, timeout: limits.dial_timeout };
        let dial = Dial::new(kind, [target.clone()], config, self.now);
        let grant = Grant { kind, target, verdict };
        let asked = self.now;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.state = State::Dialling(Box::new(Opening { grant, scope, dial, asked }));
        }
        self.advance_dial(id);
    }

    pub(super) fn advance_dial(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let local = connection.local;
        let State::Dialling(opening) = &mut connection.state else { return };
        let Opening { grant, scope, dial, .. } = &mut **opening;
        let mut judge = RelayJudge { config: &self.config, local, grant, scope };
        dial.advance(self.now, &mut self.requests, Role::Target(id), &mut judge);
        if !dial.is_exhausted() {
            let due = dial.poll_timeout();
            self.timers.set(id, due);
            return;
        }
        let fault = dial.faults().last().map(|(_, fault)| fault.clone());
        let target = grant.target.clone();
        let reason = match fault {
            Some(Fault::Denied(denied)) => RefuseReason::Denied(denied),
            Some(fault) => RefuseReason::Unreachable(fault),
            None => RefuseReason::Unreachable(IoFailed::new(crate::error::IoFailure::NameUnknown).into()),
        };
        self.refuse(id, Some(target), reason);
    }

    pub(super) fn on_target_resolved(
        &mut self,
        id: ConnectionId,
        lookup: SocketId,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let local = connection.local;
        let State::Dialling(opening) = &mut connection.state else { return };
        let Opening { grant, scope, dial, .. } = &mut **opening;
        let mut judge = RelayJudge { config: &self.config, local, grant, scope };
        dial.handle_resolved(self.now, &mut self.requests, lookup, answer, &mut judge);
        self.advance_dial(id);
    }

    pub(super) fn on_target_opened(&mut self, id: ConnectionId, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Dialling(opening) = &mut connection.state else { return };
        let Some(attempt) = opening.dial.attempt(socket) else { return };
        opening.dial.end(&mut self.requests, Some(socket));
        let (grant, asked) = (opening.grant.clone(), opening.asked);
        if self.is_too_late(&grant) {
            self.requests.close(socket, false);
            return self.refuse(id, Some(grant.target), RefuseReason::Token(TokenError::Expired));
        }
        self.open_tunnel(id, socket, attempt.address, grant, asked);
    }
}

/// The relay's judgement of each address that a name led to.
struct RelayJudge<'a> {
    config: &'a RelayConfig,
    local: SocketAddr,
    grant: &'a Grant,
    scope: &'a Scope,
}

impl Judge for RelayJudge<'_> {
    fn known(&self, name: &Name) -> Option<Vec<IpAddr>> {
        self.config.hosts.get(name).cloned()
    }

    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault> {
        self.config.targets.judge(address, Some(self.local))?;
        let Grant { kind, target, .. } = self.grant;
        self.scope.judge_address(target, *kind, address.ip()).map_err(Denied::from)?;
        Ok(())
    }
}
