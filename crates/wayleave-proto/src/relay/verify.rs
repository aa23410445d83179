//! Who a client is: judged by the relay's keys, or by its embedder.

use core::net::IpAddr;
use std::sync::Arc;

use super::ledger::{Books, Ledger};
use super::tunnel::{State, Tunnel, TunnelId};
use super::{RefuseReason, Relay, Timer, What};
use crate::auth::{Authorization, TokenError, TokenName, Verdict, authorization};
use crate::base::{Instant, Secret, Target};
use crate::codec::http::{Ask, Want};
use crate::config::{Canary, Verifier};

/// The value of a `Proxy-Authorization` field, on its way to the embedder's verifier.
///
/// Two are equal where they are one and the same; it never shows itself in `Debug`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Presented(Arc<Secret<String>>);

impl Presented {
    fn new(value: &str) -> Self {
        Self(Arc::new(Secret::new(value.to_owned())))
    }

    /// The value, such as `Bearer TOKEN`; [`authorization`] reads it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for Presented {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Presented {}

impl<L: Ledger> Relay<L> {
    /// The embedder's answer to [`What::Verify`] about `tunnel`: who the client is, or why it is nobody.
    ///
    /// An answer that comes after its time, or a second one, is ignored. What is answered is not remembered: the embedder
    /// is asked for every request. The times of the verdict are the embedder's to judge; the relay goes by its expiry for
    /// tunnels that run, and by its own revocations.
    pub fn handle_verified(&mut self, now: Instant, tunnel: TunnelId, answer: Result<Verdict, TokenError>) {
        self.at(now);
        let Some(source) = self.source_of(tunnel) else { return };
        let Some(Tunnel { state, .. }) = self.tunnels.get_mut(tunnel) else { return };
        if !matches!(state, State::Verifying { .. }) {
            return;
        }
        let State::Verifying { want, .. } = core::mem::replace(state, State::Asking) else { return };
        self.ledger.write(Books::end_verifying);
        self.timers.set(Timer::Tunnel(tunnel), None);
        let judged = answer.map(Arc::new).map_err(RefuseReason::Token);
        let judged = self.judge(source, judged);
        self.on_judged(tunnel, want, judged);
        self.hear();
    }

    /// Judges the credentials of a request; nothing is looked up or dialled before.
    pub(super) fn admit(&mut self, id: TunnelId, ask: Ask) {
        let Some(source) = self.source_of(id) else { return };
        let Ask { want, authority, authorization, echo, .. } = ask;
        if let Some(tunnel) = self.tunnels.get_mut(id) {
            tunnel.echo = echo.filter(|_| self.config.echo);
        }
        let value = authorization.as_ref().map(|value| value.expose().as_str());
        match self.examine(id, source, authority.as_ref(), value) {
            Ok(Some(verdict)) => {
                let judged = self.judge(source, verdict);
                self.on_judged(id, want, judged);
            }
            Ok(None) => self.ask_embedder(id, want, value.unwrap_or_default()),
            Err(reason) => self.on_judged(id, want, Err(reason)),
        }
    }

    /// The address of the client that asked for a tunnel.
    fn source_of(&self, id: TunnelId) -> Option<IpAddr> {
        let (connection, _) = self.carrier(id)?;
        self.connections.get(connection).map(|connection| connection.client.ip())
    }

    /// What the relay's own keys say; `None` where the embedder has to say it. The outer error is no attempt at guessing.
    fn examine(
        &mut self,
        id: TunnelId,
        source: IpAddr,
        authority: Option<&Target>,
        value: Option<&str>,
    ) -> Result<Option<Result<Arc<Verdict>, RefuseReason>>, RefuseReason> {
        if self.draining {
            return Err(RefuseReason::Draining);
        }
        // Asking without credentials is how clients learn what is wanted.
        let Some(value) = value else { return Err(RefuseReason::NoToken) };
        let shown = authorization(value).map_err(RefuseReason::Authorization);
        let (now, unix, carrier) = (self.now, self.clock.unix(self.now), self.carrier(id));
        let keys = match &self.verifier {
            Verifier::Embedder => None,
            Verifier::Keys(keys) => Some(keys),
        };
        let name = match &shown {
            Ok(Authorization::Token(token)) => Some(TokenName::of(token.expose())),
            _ => None,
        };
        let known = self.ledger.write(|books| books.recall(now, unix, source, keys.zip(name.as_ref())))?;
        let Some(keys) = keys else { return Ok(None) };
        if let Some(judged) = known {
            return Ok(Some(judged.map_err(RefuseReason::Token)));
        }
        let verdict = shown.and_then(|shown| {
            let verdict = match shown {
                // What an app sign proves holds for this connection alone, and is not remembered.
                Authorization::Concealed(concealed) => {
                    let connection = carrier.and_then(|(connection, _)| self.connections.get_mut(connection));
                    let export = |label: &[u8], context: &[u8]| connection?.downlink.export(label, context);
                    keys.verify_app_sign(&concealed, authority, export).map(Arc::new)
                }
                Authorization::Token(token) => {
                    let verdict = keys.verify(token.expose(), unix, &self.config.rules).map(Arc::new);
                    if let (Ok(verdict), Some(name)) = (&verdict, name) {
                        self.ledger.write(|books| books.remember(keys, name, Arc::clone(verdict), unix));
                    }
                    verdict
                }
            };
            verdict.map_err(RefuseReason::Token)
        });
        Ok(Some(verdict))
    }

    /// Counts a failure against its source, and refuses what is good when there is no room for it.
    fn judge(
        &mut self,
        source: IpAddr,
        verdict: Result<Arc<Verdict>, RefuseReason>,
    ) -> Result<Arc<Verdict>, RefuseReason> {
        let verdict = verdict.and_then(|verdict| {
            let is_revoked = self.ledger.read(|books| books.is_revoked(&verdict))
                && !self.config.breaks(Canary::RevokedServed);
            if is_revoked { Err(RefuseReason::Token(TokenError::Revoked)) } else { Ok(verdict) }
        });
        if let Err(reason) = &verdict {
            let is_guess = !matches!(reason, RefuseReason::Token(error) if !error.is_guess());
            if is_guess {
                let now = self.now;
                self.ledger.write(|books| books.fail(now, source));
            }
            return verdict;
        }
        let held = self.compare_buffers();
        if held >= self.config.limits.memory {
            return Err(RefuseReason::Overload(held));
        }
        verdict
    }

    fn ask_embedder(&mut self, id: TunnelId, want: Want, value: &str) {
        let (most, deadline) = (self.config.limits.verifying, self.now + self.config.limits.verify_timeout);
        let Some(tunnel) = self.tunnels.get_mut(id) else { return };
        if let Err(reason) = self.ledger.write(|books| books.begin_verifying(most)) {
            return self.on_judged(id, want, Err(reason));
        }
        tunnel.state = State::Verifying { deadline, want };
        self.timers.set(Timer::Tunnel(id), Some(deadline));
        self.tell(id, What::Verify { presented: Presented::new(value) });
    }

    /// The embedder did not answer in time.
    pub(super) fn on_unverified(&mut self, id: TunnelId) {
        let Some(Tunnel { state: State::Verifying { want, .. }, .. }) = self.tunnels.get(id) else { return };
        let want = want.clone();
        self.on_judged(id, want, Err(RefuseReason::Unverified));
    }

    fn on_judged(&mut self, id: TunnelId, want: Want, judged: Result<Arc<Verdict>, RefuseReason>) {
        self.stats.authentications.count(&judged);
        match (judged, want) {
            (Ok(verdict), Want::Options) => {
                let scope = self.scope_of(&verdict);
                self.show(&verdict, &scope);
                self.answer_options(id);
            }
            (Ok(verdict), Want::Tunnel { kind, target }) => self.on_admitted(id, kind, target, verdict),
            (Err(reason), want) => self.refuse(id, want.target().cloned(), reason),
        }
    }
}
