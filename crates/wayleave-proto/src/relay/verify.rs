//! Who a client is: judged by the relay's keys, or by its embedder.

use core::net::IpAddr;
use std::sync::Arc;

use super::connection::State;
use super::{ConnectionId, RefuseReason, Relay, What};
use crate::auth::{Authorization, TokenError, Verdict, authorization};
use crate::base::{Instant, Secret, Target};
use crate::carrier::tls::exported;
use crate::codec::http::Want;
use crate::config::{Canary, Verifier};

/// The value of a `Proxy-Authorization` field, on its way to the embedder's verifier.
///
/// Two are equal where they are one and the same; it never shows itself in `Debug`.
#[derive(Clone, Debug)]
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

impl Relay {
    /// The embedder's answer to [`What::Verify`] about `connection`: who the client is, or why it is nobody.
    ///
    /// An answer that comes after its time, or a second one, is ignored. What is answered is not remembered: the embedder
    /// is asked for every request. The times of the verdict are the embedder's to judge; the relay goes by its expiry for
    /// tunnels that run, and by its own revocations.
    pub fn handle_verified(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        answer: Result<Verdict, TokenError>,
    ) {
        self.at(now);
        let id = connection;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let source = connection.client.ip();
        if !matches!(connection.state, State::Verifying { .. }) {
            return;
        }
        // The answer is acted on below; a dial or a refusal takes the place of this state.
        let deadline = self.now;
        let waited = core::mem::replace(&mut connection.state, State::Closing { deadline });
        self.verifying = self.verifying.saturating_sub(1);
        let State::Verifying { want, .. } = waited else { return };
        let judged = answer.map(Arc::new).map_err(RefuseReason::Token);
        let judged = self.judge(source, judged);
        self.on_judged(id, want, judged);
    }

    /// Judges the credentials of a request; nothing is looked up or dialled before.
    pub(super) fn admit(
        &mut self,
        id: ConnectionId,
        want: Want,
        authority: Option<&Target>,
        value: Option<&str>,
    ) {
        let Some(source) = self.connections.get(id).map(|connection| connection.client.ip()) else { return };
        match self.examine(id, source, authority, value) {
            Ok(Some(verdict)) => {
                let judged = self.judge(source, verdict);
                self.on_judged(id, want, judged);
            }
            Ok(None) => self.ask_embedder(id, want, value.unwrap_or_default()),
            Err(reason) => self.on_judged(id, want, Err(reason)),
        }
    }

    /// What the relay's own keys say; `None` where the embedder has to say it. The outer error is no attempt at guessing.
    fn examine(
        &mut self,
        id: ConnectionId,
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
        // Many users can share one address: who guesses there must not keep the others out. Those whose tokens are known
        // cost nothing, and the rest are judged at a rate of their own.
        let is_known = match (&self.verifier, &shown) {
            (Verifier::Keys(keys), Ok(Authorization::Token(token))) => {
                self.verdicts.knows(keys, token.expose())
            }
            _ => false,
        };
        if !is_known && !self.failures.may_try(self.now, source) {
            return Err(RefuseReason::TooManyFailures(source));
        }
        let Verifier::Keys(keys) = &self.verifier else { return Ok(None) };
        let unix = self.clock.unix(self.now);
        let verdict = shown.and_then(|shown| {
            let verdict = match shown {
                // What an app sign proves holds for this connection alone, and is not remembered.
                Authorization::Concealed(concealed) => {
                    let session = self.connections.get_mut(id).map(|connection| connection.pipe.session());
                    let export = |label: &[u8], context: &[u8]| exported(&*session?, label, context);
                    keys.verify_app_sign(&concealed, authority, export).map(Arc::new)
                }
                Authorization::Token(token) => {
                    self.verdicts.verify(keys, token.expose(), unix, &self.config.rules)
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
            let is_revoked = self.revocations.hold(&verdict) && !self.config.breaks(Canary::RevokedServed);
            if is_revoked { Err(RefuseReason::Token(TokenError::Revoked)) } else { Ok(verdict) }
        });
        if let Err(reason) = &verdict {
            let is_guess = !matches!(reason, RefuseReason::Token(error) if !error.is_guess());
            if is_guess {
                self.failures.record_failure(self.now, source);
            }
        } else if self.held >= self.config.limits.memory {
            return Err(RefuseReason::Overload(self.held));
        }
        verdict
    }

    fn ask_embedder(&mut self, id: ConnectionId, want: Want, value: &str) {
        let (most, deadline) = (self.config.limits.verifying, self.now + self.config.limits.verify_timeout);
        if self.verifying >= most {
            return self.on_judged(id, want, Err(RefuseReason::TooManyToVerify(most)));
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.state = State::Verifying { deadline, want };
        self.verifying += 1;
        self.timers.set(id, Some(deadline));
        self.tell(id, What::Verify { presented: Presented::new(value) });
    }

    /// The embedder did not answer in time.
    pub(super) fn on_unverified(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let State::Verifying { want, .. } = &connection.state else { return };
        let target = want.target().cloned();
        self.refuse(id, target, RefuseReason::Unverified);
    }

    fn on_judged(&mut self, id: ConnectionId, want: Want, judged: Result<Arc<Verdict>, RefuseReason>) {
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
