//! From a request head to a judgement and a dial.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::connection::{Grant, Opening, State};
use super::{ConnectionFault, ConnectionId, RefuseReason, Relay, Role, What};
use crate::auth::{Authorization, Concealed, Verdict, authorization};
use crate::base::{Name, Target};
use crate::carrier::tls::exported;
use crate::codec::h1::{Request, parse_request};
use crate::config::RelayConfig;
use crate::error::IoFailed;
use crate::net::{Dial, DialConfig, Fault, Judge, SocketId};

impl Relay {
    pub(super) fn on_client_received(&mut self, id: ConnectionId, data: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if matches!(connection.state, State::Closing { .. }) {
            return;
        }
        let result = connection.pipe.receive(data);
        // A handshake message, an alert or a key update may want to be written.
        self.requests.pending(connection.socket);
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
            (Ok(()), State::Dialling(_)) => self.pace_client(id),
            (Ok(()), State::Closing { .. }) => {}
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
            Ok(None) => return,
            Err(error) => Err(error),
        };
        connection.pipe.end_head();
        match request {
            Ok(request) => self.on_request(id, request),
            Err(error) => self.refuse(id, None, RefuseReason::Head(error)),
        }
    }

    fn on_request(&mut self, id: ConnectionId, request: Request) {
        let Request { kind, target, authority, authorization, .. } = request;
        let value = authorization.as_ref().map(|value| value.expose().as_str());
        let admitted = self.admit(id, authority.as_ref(), value);
        let verdict = match admitted {
            Ok(verdict) => verdict,
            Err(reason) => return self.refuse(id, Some(target), reason),
        };
        if let Err(denied) = self.config.targets.judge_port(target.port.get()) {
            return self.refuse(id, Some(target), RefuseReason::Denied(denied));
        }
        let account = verdict.account;
        if !self.join(&account) {
            let most = self.config.limits.tunnels_per_account;
            return self.refuse(id, Some(target), RefuseReason::TooManyTunnels(most));
        }
        let limits = &self.config.limits;
        let config = DialConfig { stagger: limits.stagger, timeout: limits.dial_timeout };
        let dial = Dial::new(kind, [target.clone()], config, self.now);
        let grant = Grant { kind, target, verdict };
        let asked = self.now;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.state = State::Dialling(Box::new(Opening { grant, dial, asked }));
        }
        self.advance_dial(id);
    }

    /// Judges the credentials of a request; nothing is looked up or dialled before.
    fn admit(
        &mut self,
        id: ConnectionId,
        authority: Option<&Target>,
        value: Option<&str>,
    ) -> Result<Arc<Verdict>, RefuseReason> {
        let Some(source) = self.connections.get(id).map(|connection| connection.client.ip()) else {
            return Err(RefuseReason::NoToken);
        };
        if self.draining {
            return Err(RefuseReason::Draining);
        }
        // Asking without credentials is how clients learn what is wanted; it is no attempt at guessing them.
        let Some(value) = value else { return Err(RefuseReason::NoToken) };
        let shown = authorization(value).map_err(RefuseReason::Authorization);
        // Many users can share one address: who guesses there must not keep those out whose tokens are known.
        let is_known = match &shown {
            Ok(Authorization::Token(token)) => self.verdicts.knows(&self.keys, token.expose()),
            _ => false,
        };
        if !is_known && self.failures.blocked_until(self.now, source).is_some() {
            return Err(RefuseReason::TooManyFailures(source));
        }
        let unix = self.clock.unix(self.now);
        let verdict = shown.and_then(|shown| match shown {
            Authorization::Concealed(concealed) => self.judge_app_sign(id, authority, &concealed),
            Authorization::Token(token) => {
                let verdict = self.verdicts.verify(&self.keys, token.expose(), unix, &self.config.rules);
                verdict.map_err(RefuseReason::Token)
            }
        });
        if verdict.is_err() {
            self.failures.record_failure(self.now, source);
        } else if self.held >= self.config.limits.memory {
            return Err(RefuseReason::Overload(self.held));
        }
        verdict
    }

    /// What an app sign proves holds for this connection alone, and is not remembered.
    fn judge_app_sign(
        &mut self,
        id: ConnectionId,
        authority: Option<&Target>,
        concealed: &Concealed,
    ) -> Result<Arc<Verdict>, RefuseReason> {
        let connection = self.connections.get_mut(id);
        let session = connection.map(|connection| connection.pipe.session());
        let export = |label: &[u8], context: &[u8]| exported(&*session?, label, context);
        let verdict = self.keys.verify_app_sign(concealed, authority, export);
        verdict.map(Arc::new).map_err(RefuseReason::Token)
    }

    pub(super) fn advance_dial(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let mut judge = RelayJudge { config: &self.config, local: connection.local };
        let State::Dialling(opening) = &mut connection.state else { return };
        opening.dial.advance(self.now, &mut self.requests, Role::Target(id), &mut judge);
        if !opening.dial.is_exhausted() {
            let due = opening.dial.poll_timeout();
            self.timers.set(id, due);
            return;
        }
        let fault = opening.dial.faults().last().map(|(_, fault)| fault.clone());
        let target = opening.grant.target.clone();
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
        let mut judge = RelayJudge { config: &self.config, local: connection.local };
        let State::Dialling(opening) = &mut connection.state else { return };
        opening.dial.handle_resolved(self.now, &mut self.requests, lookup, answer, &mut judge);
        self.advance_dial(id);
    }

    pub(super) fn on_target_opened(&mut self, id: ConnectionId, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Dialling(opening) = &mut connection.state else { return };
        let Some(attempt) = opening.dial.attempt(socket) else { return };
        opening.dial.end(&mut self.requests, Some(socket));
        let (grant, asked) = (opening.grant.clone(), opening.asked);
        self.open_tunnel(id, socket, attempt.address, grant, asked);
    }
}

/// The relay's judgement of each address that a name led to.
struct RelayJudge<'a> {
    config: &'a RelayConfig,
    local: SocketAddr,
}

impl Judge for RelayJudge<'_> {
    fn known(&self, name: &Name) -> Option<Vec<IpAddr>> {
        self.config.hosts.get(name).cloned()
    }

    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault> {
        self.config.targets.judge(address, Some(self.local))?;
        Ok(())
    }
}
