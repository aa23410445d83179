//! The civil clock that is set, or goes on while the other sleeps (RFC 7519 §4.1.4: the current time counts).

use super::*;
use crate::policy::OnExpiry;

const HOUR: Duration = Duration::from_secs(3_600);

impl Rig {
    /// The civil clock shows so much more, or less, than the monotonic one has moved.
    fn show_clock(&mut self, ahead: Duration, behind: Duration) {
        let unix = START.after(self.now.since(Instant::ZERO)).after(ahead).before(behind);
        self.relay.handle_clock(self.now, unix);
        self.pump();
    }

    fn ask(&mut self, token: &Token) -> u16 {
        self.refused(format!("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n{}\r\n", bearer_of(token))).status
    }
}

/// A token that is good for an hour from so long after the start.
fn from(after: Duration) -> Token {
    let claims = Claims {
        subject: Some("alice".into()),
        not_before: Some(START.after(after)),
        expires: Some(START.after(after + HOUR)),
        ..Claims::default()
    };
    signing_key().unwrap().mint(&claims).unwrap()
}

#[test]
pub(super) fn tokens_are_judged_by_what_the_civil_clock_shows_now() {
    let mut rig = Rig::new();
    let (old, fresh) = (from(Duration::ZERO), from(9 * HOUR));
    assert_eq!((rig.ask(&old), rig.ask(&fresh)), (204, 407));
    // Nine hours of sleep, which the monotonic clock knows nothing of.
    rig.show_clock(9 * HOUR, Duration::ZERO);
    assert_eq!((rig.ask(&old), rig.ask(&fresh)), (407, 204), "also where a verdict is remembered");
    rig.show_clock(Duration::ZERO, Duration::ZERO);
    assert_eq!((rig.ask(&old), rig.ask(&fresh)), (204, 407), "set back");
}

#[test]
pub(super) fn tunnels_end_by_what_the_civil_clock_shows_now() {
    let mut rig = Rig::with(|config| config.scope.on_expiry = Some(OnExpiry::CloseAfter(5 * SECOND)));
    rig.stream();
    assert!(rig.relay.poll_timeout() <= Some(rig.now + 60 * SECOND), "the clock is looked at in between");
    rig.show_clock(49 * HOUR, Duration::ZERO);
    rig.pass(Duration::ZERO);
    assert_eq!(*rig.close_reason(), CloseReason::Expired);
    // A clock that was ahead and is set right: what was opened meanwhile does not end by the old one.
    let mut rig = Rig::with(|config| config.scope.on_expiry = Some(OnExpiry::CloseAfter(5 * SECOND)));
    rig.show_clock(47 * HOUR, Duration::ZERO);
    rig.stream();
    rig.show_clock(Duration::ZERO, Duration::ZERO);
    rig.pass(2 * HOUR - SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1, "{:?}", rig.events.last());
}

#[test]
pub(super) fn a_target_that_answers_after_the_expiry_is_judged_by_the_present() {
    let mut rig = Rig::with(|config| config.scope.on_expiry = Some(OnExpiry::RefuseNew));
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    let (target, _) = rig.dials[0];
    rig.show_clock(49 * HOUR, Duration::ZERO);
    rig.opened(target);
    assert_eq!(rig.answer(&mut peer).status, 407);
}

#[test]
pub(super) fn an_account_at_rest_is_remembered_until_its_token_is_over_by_the_present() {
    let mut rig = Rig::with(|config| config.scope.volume = Some(1_000));
    let (mut peer, target) = rig.stream();
    rig.receive(target, &[0; 10]);
    rig.fin(target);
    rig.end(&mut peer);
    assert_eq!(rig.relay.stats().accounts, 1);
    rig.show_clock(49 * HOUR, Duration::ZERO);
    assert_eq!(rig.relay.stats().accounts, 0);
}
