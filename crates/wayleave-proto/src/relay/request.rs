//! From a request head to a judgement and a dial.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::connection::{Grant, Opening, State};
use super::{ConnectionFault, ConnectionId, RefuseReason, Relay, Role, What};
use crate::auth::{TokenError, Verdict};
use crate::base::{Families, Host, Kind, Name, Target};
use crate::carrier::tls::TlsError;
use crate::codec::h1::{encode_answer, parse_ask};
use crate::codec::http::{Answer, Ask};
use crate::config::RelayConfig;
use crate::error::IoFailed;
use crate::net::{Dial, DialConfig, Fault, Judge, Known, Onward, Refresh, SocketId};
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
            (Err(TlsError::PeerRefused { .. }), _) => self.on_client_broke_off(id),
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
        let ask = match connection.pipe.read_head() {
            Ok(Some(head)) => parse_ask(head, &limits),
            Ok(None) => return self.on_part_of_head(id),
            Err(error) => Err(error),
        };
        connection.pipe.end_head();
        match ask {
            Ok(ask) => self.on_ask(id, ask),
            Err(error) => self.refuse(id, None, RefuseReason::Malformed(error.into())),
        }
    }

    /// The rest of the head may come, but not behind a close_notify.
    fn on_part_of_head(&mut self, id: ConnectionId) {
        let connection = self.connections.get_mut(id);
        if connection.is_some_and(|connection| connection.pipe.session().is_finished()) {
            self.drop_connection(id, false);
        }
    }

    fn on_ask(&mut self, id: ConnectionId, ask: Ask) {
        let Ask { want, authority, authorization, .. } = ask;
        self.admit(id, want, authority.as_ref(), authorization.as_ref().map(|value| value.expose().as_str()));
    }

    /// Says that the credentials are good; there is nothing more to it.
    pub(super) fn answer_options(&mut self, id: ConnectionId) {
        let mut head = Vec::new();
        encode_answer(&mut head, None, &self.accepts());
        if let Some(connection) = self.connections.get_mut(id) {
            connection.pipe.session().send(&[&head]);
        }
        self.linger(id);
    }

    /// What it says where it accepts something.
    pub(super) fn accepts(&self) -> Answer {
        Answer::Accepted { by: Some(self.name.clone()) }
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
        if let Host::Name(name) = &target.host
            && !self.config.hosts.contains_key(name)
            && let Err(reason) = self.may_look_up(&verdict.account)
        {
            self.leave(&verdict.account);
            return self.refuse(id, Some(target), reason);
        }
        let limits = &self.config.limits;
        // RFC 9298 §3.1: what is too large for the path to the target is dropped.
        let config = DialConfig { stagger: limits.stagger, timeout: limits.dial_timeout, fragments: false };
        // Whose search list would complete a single label, and with what, no client can know: the relay's is never used.
        let dial = Dial::new(kind, [target.clone().rooted()], config, self.now);
        let grant = Grant { kind, target, verdict };
        let asked = self.now;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.state = State::Dialling(Box::new(Opening { grant, scope, dial, asks: false, asked }));
        }
        self.advance_dial(id);
    }

    pub(super) fn advance_dial(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let local = connection.local;
        let State::Dialling(opening) = &mut connection.state else { return };
        let Opening { grant, scope, dial, .. } = &mut **opening;
        let v4_first = self.ipv6.is_avoided(self.now);
        let mut judge = RelayJudge { config: &self.config, local, grant, scope, v4_first };
        dial.advance(self.now, &mut self.requests, Role::Target(id), &mut judge);
        let (account, asks) = (grant.verdict.account, dial.is_asking());
        if core::mem::replace(&mut opening.asks, asks) != asks {
            self.count_lookup(&account, asks);
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Dialling(opening) = &mut connection.state else { return };
        let Opening { grant, dial, .. } = &mut **opening;
        if !dial.is_exhausted() {
            let due = dial.poll_timeout();
            self.timers.set(id, due);
            return;
        }
        let fault = dial.faults().last().map(|(_, fault)| fault.clone());
        let target = grant.target.clone();
        let reason = match fault {
            Some(Fault::Denied(denied)) => RefuseReason::Denied(denied),
            Some(fault) => fault.lacked().map_or(RefuseReason::Unreachable(fault), RefuseReason::Exhausted),
            None => RefuseReason::Unreachable(IoFailed::new(crate::error::IoFailure::NameUnknown).into()),
        };
        self.refuse(id, Some(target), reason);
    }

    pub(super) fn on_target_resolved(
        &mut self,
        id: ConnectionId,
        lookup: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Dialling(opening) = &mut connection.state else { return };
        opening.dial.handle_resolved(self.now, lookup, families, answer);
        self.advance_dial(id);
    }

    pub(super) fn on_target_opened(&mut self, id: ConnectionId, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let State::Dialling(opening) = &mut connection.state else { return };
        let Some(attempt) = opening.dial.attempt(socket) else { return };
        if opening.grant.kind == Kind::Stream
            && let Some(evidence) = opening.dial.ipv6(socket)
        {
            self.ipv6.handle(self.now, evidence);
        }
        opening.dial.end(&mut self.requests, Some(socket));
        let (grant, asked) = (opening.grant.clone(), opening.asked);
        if core::mem::take(&mut opening.asks) {
            self.count_lookup(&grant.verdict.account, false);
        }
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
    v4_first: bool,
}

impl Judge for RelayJudge<'_> {
    fn known(&self, name: &Name) -> Option<Known> {
        let addresses = self.config.hosts.get(name).cloned()?;
        Some(Known { addresses, refresh: Refresh::Never })
    }

    fn avoids_ipv6(&self) -> bool {
        self.v4_first
    }

    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault> {
        self.config.targets.judge(address, Some(self.local))?;
        let Grant { kind, target, .. } = self.grant;
        self.scope.judge_address(target, *kind, address.ip()).map_err(Denied::from)?;
        Ok(())
    }
}
