//! From a request to a judgement and a dial.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::echo::is_echo_host;
use super::ledger::Ledger;
use super::tunnel::{Grant, Opening, State, Tunnel, TunnelId};
use super::{ConnectionId, RefuseReason, Relay, Role, Timer};
use crate::auth::{TokenError, Verdict};
use crate::base::{Families, Host, Kind, Name, Target};
use crate::carrier::downlink::TunnelKey;
use crate::codec::http::{Answer, Ask, EchoWord, Malformed};
use crate::config::RelayConfig;
use crate::error::{IoFailed, IoFailure};
use crate::net::{Dial, DialConfig, Fault, Judge, Known, Refresh, SocketId};
use crate::policy::{Denied, Scope};

impl<L: Ledger> Relay<L> {
    /// A client asks for something on a connection.
    pub(super) fn on_asked(&mut self, connection: ConnectionId, key: TunnelKey, ask: Result<Ask, Malformed>) {
        let most = self.config.limits.tunnels_per_connection;
        let is_full = self.connections.get(connection).is_some_and(|connection| connection.count >= most);
        let Some(id) = self.begin_tunnel(connection, key) else { return };
        match ask {
            Ok(ask) => match ask.want.target() {
                Some(target) if is_full => {
                    self.refuse(id, Some(target.clone()), RefuseReason::ConnectionFull(most));
                }
                _ => self.admit(id, ask),
            },
            Err(malformed) => self.refuse(id, None, RefuseReason::Malformed(malformed)),
        }
    }

    /// Says that the credentials are good; there is nothing more to it.
    pub(super) fn answer_options(&mut self, id: TunnelId) {
        let echo = self.echo_of(id);
        let answer = self.accepts(echo);
        self.answer_last(id, &answer);
    }

    /// What it says where it accepts something.
    pub(super) fn accepts(&self, echo: Option<EchoWord>) -> Answer {
        Answer::Accepted { by: Some(self.name.clone()), echo }
    }

    /// Judges what a client with a good credential asks for, and dials.
    pub(super) fn on_admitted(&mut self, id: TunnelId, kind: Kind, target: Target, verdict: Arc<Verdict>) {
        let scope = self.scope_of(&verdict);
        if is_echo_host(&target.host) {
            return self.on_echo_wanted(id, Grant { kind, target, verdict }, &scope);
        }
        if let Err(denied) = self.config.targets.judge_port(target.port.get()) {
            return self.refuse(id, Some(target), RefuseReason::Denied(denied));
        }
        if let Err(denied) = scope.judge_target(&target, kind) {
            return self.refuse(id, Some(target), RefuseReason::Denied(denied.into()));
        }
        if let Err(reason) = self.join(&verdict, &scope) {
            return self.refuse(id, Some(target), reason);
        }
        let asks = matches!(&target.host, Host::Name(name) if !self.config.hosts.contains_key(name));
        if asks && let Err(reason) = self.ledger.write(|books| books.begin_lookup(&verdict.account)) {
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
        if let Some(tunnel) = self.tunnels.get_mut(id) {
            tunnel.state = State::Dialling(Box::new(Opening { grant, scope, dial, asks, asked }));
        }
        self.advance_dial(id);
    }

    pub(super) fn advance_dial(&mut self, id: TunnelId) {
        let Some(Tunnel { connection, state: State::Dialling(opening), .. }) = self.tunnels.get_mut(id)
        else {
            return;
        };
        let Some(local) = self.connections.get(*connection).map(|connection| connection.local) else {
            return;
        };
        let Opening { grant, scope, dial, .. } = &mut **opening;
        let v4_first = self.ipv6.is_avoided(self.now);
        let mut judge = RelayJudge { config: &self.config, local, grant, scope, v4_first };
        dial.advance(self.now, &mut self.requests, Role::Target(id), &mut judge);
        let (account, asks) = (grant.verdict.account, dial.is_asking());
        if core::mem::replace(&mut opening.asks, asks) != asks {
            self.ledger.write(|books| books.count_lookup(&account, asks));
        }
        let Some(Tunnel { state: State::Dialling(opening), .. }) = self.tunnels.get_mut(id) else { return };
        let Opening { grant, dial, .. } = &mut **opening;
        if !dial.is_exhausted() {
            let due = dial.poll_timeout();
            self.timers.set(Timer::Tunnel(id), due);
            return;
        }
        let fault = dial.faults().last().map(|(_, fault)| fault.clone());
        let target = grant.target.clone();
        let reason = match fault {
            Some(Fault::Denied(denied)) => RefuseReason::Denied(denied),
            Some(fault) => fault.lacked().map_or(RefuseReason::Unreachable(fault), RefuseReason::Exhausted),
            None => RefuseReason::Unreachable(IoFailed::new(IoFailure::NameUnknown).into()),
        };
        self.refuse(id, Some(target), reason);
    }

    pub(super) fn on_target_resolved(
        &mut self,
        id: TunnelId,
        lookup: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(Tunnel { state: State::Dialling(opening), .. }) = self.tunnels.get_mut(id) else { return };
        opening.dial.handle_resolved(self.now, lookup, families, answer);
        self.advance_dial(id);
    }

    pub(super) fn on_target_opened(&mut self, id: TunnelId, socket: SocketId) {
        let Some(Tunnel { state: State::Dialling(opening), .. }) = self.tunnels.get_mut(id) else { return };
        let Some(attempt) = opening.dial.attempt(socket) else { return };
        if opening.grant.kind == Kind::Stream
            && let Some(evidence) = opening.dial.ipv6(socket)
        {
            self.ipv6.handle(self.now, evidence);
        }
        opening.dial.end(&mut self.requests, Some(socket));
        let (grant, asked) = (opening.grant.clone(), opening.asked);
        if core::mem::take(&mut opening.asks) {
            self.ledger.write(|books| books.count_lookup(&grant.verdict.account, false));
        }
        if self.is_too_late(&grant) {
            self.requests.close(socket, false);
            return self.refuse(id, Some(grant.target), RefuseReason::Token(TokenError::Expired));
        }
        self.open_tunnel(id, Some(socket), attempt.address, grant, asked);
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
