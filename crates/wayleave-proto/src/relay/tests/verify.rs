//! A verifier of the embedder's own, which answers at once or later.

use super::*;
use crate::auth::{AccountId, Authorization, CredentialKind, Revoked, TokenError, Verdict, authorization};
use crate::config::Verifier;
use crate::policy::Scope;
use crate::relay::{Presented, TunnelId};

fn asking() -> Rig {
    Rig::with(|config| config.verifier = Verifier::Embedder)
}

fn verdict(user: &str) -> Verdict {
    let claims = Claims { subject: Some(user.into()), ..Claims::default() };
    Verdict {
        account: AccountId::new("own", &claims),
        claims,
        credential: CredentialKind::Jwt,
        kid: "own".into(),
        payload: None,
        scope: Scope::default(),
    }
}

impl Rig {
    /// What the embedder is asked last.
    fn asked(&self) -> (TunnelId, Presented) {
        let asked = self.events.iter().rev().find_map(|event| match &event.what {
            What::Verify { presented } => Some((event.tunnel?, presented.clone())),
            _ => None,
        });
        asked.expect("a question")
    }

    fn answer_with(&mut self, tunnel: TunnelId, answer: Result<Verdict, TokenError>) {
        self.relay.handle_verified(self.now, tunnel, answer);
        self.pump();
    }
}

const OWN: &str = "Proxy-Authorization: Bearer a-token-of-ones-own\r\n";

#[test]
pub(super) fn the_embedder_is_asked_and_may_take_its_time() {
    let mut rig = asking();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, OWN));
    rig.say(&mut peer, b"early bytes");
    rig.pass(5 * SECOND);
    assert!(rig.is_untouched());
    let (tunnel, presented) = rig.asked();
    let Authorization::Token(token) = authorization(presented.expose()).unwrap() else { panic!() };
    assert_eq!(token.expose(), "a-token-of-ones-own");
    assert!(!format!("{:?} {:?}", rig.events, rig.relay).contains("ones-own"));
    rig.answer_with(tunnel, Ok(verdict("alice")));
    let (target, _) = rig.dials[0];
    rig.opened(target);
    assert_eq!(rig.sent(target).concat(), b"early bytes");
    // A second answer is nobody's.
    rig.answer_with(tunnel, Err(TokenError::BadSignature));
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.relay.revoke(rig.now, Revoked::User { user: "alice".into(), app_id: None }).unwrap();
    rig.pump();
    rig.assert_clean();
}

#[test]
fn a_no_of_the_embedder_looks_like_any_other() {
    let mut rig = asking();
    let mut own = Rig::new();
    let expected = own.refused(connect_with(TARGET, "Proxy-Authorization: Bearer wrong\r\n"));
    for request in [connect_with(TARGET, OWN), format!("OPTIONS * HTTP/1.1\r\nHost: a\r\n{OWN}\r\n")] {
        let mut peer = rig.accept();
        rig.say(&mut peer, request);
        let (tunnel, _) = rig.asked();
        rig.answer_with(tunnel, Err(TokenError::BadSignature));
        assert_eq!(rig.answer(&mut peer), expected);
    }
    assert_eq!(rig.refused(connect_with(TARGET, "")).status, 407);
    assert!(rig.is_untouched());
    rig.assert_clean();
}

#[test]
pub(super) fn an_embedder_that_is_silent_or_busy_costs_only_its_own() {
    let mut rig = Rig::with(|config| {
        config.verifier = Verifier::Embedder;
        config.limits.verifying = 2;
    });
    let mut first = rig.accept();
    rig.say(&mut first, connect_with(TARGET, OWN));
    let (tunnel, _) = rig.asked();
    let mut gone = rig.accept();
    rig.say(&mut gone, connect_with(TARGET, OWN));
    let answer = rig.refused(connect_with(TARGET, OWN));
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")));
    assert_eq!(*rig.refuse_reason(), RefuseReason::TooManyToVerify(2));
    // Who goes away makes room.
    rig.fail(gone.socket, IoFailure::ConnectionReset);
    let mut third = rig.accept();
    rig.say(&mut third, connect_with(TARGET, OWN));
    rig.pass(10 * SECOND);
    assert_eq!(rig.answer(&mut first).status, 503);
    assert_eq!(*rig.refuse_reason(), RefuseReason::Unverified);
    rig.answer(&mut third);
    rig.answer_with(tunnel, Ok(verdict("alice")));
    assert!(rig.is_untouched(), "too late");
    rig.assert_clean();
    let mut fourth = rig.accept();
    rig.say(&mut fourth, connect_with(TARGET, OWN));
    let (tunnel, _) = rig.asked();
    rig.answer_with(tunnel, Ok(verdict("alice")));
    assert_eq!(rig.dials.len(), 1);
}

#[test]
pub(super) fn guessing_is_slowed_for_an_embedder_too() {
    let mut rig = asking();
    for _ in 0..30 {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, OWN));
        let (tunnel, _) = rig.asked();
        rig.answer_with(tunnel, Err(TokenError::BadSignature));
        rig.answer(&mut peer);
    }
    let asked = rig.events.len();
    assert_eq!(rig.refused(connect_with(TARGET, OWN)).status, 429);
    assert_eq!(rig.events.len(), asked + 1, "the embedder is not asked");
}
