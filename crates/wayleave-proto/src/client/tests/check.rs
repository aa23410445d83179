//! The credential is looked at before a flow needs it.

use super::*;
use crate::auth::Token;
use crate::client::ProxyFault;
use crate::testing::Direct;

fn checking(mode: Mode) -> ClientConfig {
    let mut config = config(mode, Link::Wifi);
    config.check_credential = true;
    config
}

fn bad() -> Credential {
    Credential::Token("not.a.token".parse::<Token>().unwrap())
}

/// What was said of the credential: the proxy that accepted it, or what one said against it.
fn said(world: &World) -> Vec<String> {
    let said = |event: &Event| match &event.what {
        What::CredentialAccepted { proxy } => Some(format!("{proxy} accepts")),
        What::ProxyFailed { proxy, error: ProxyFault::Refused { status }, .. } => {
            Some(format!("{proxy} {status}"))
        }
        _ => None,
    };
    world.events.iter().filter_map(said).collect()
}

fn accepts(relay: usize) -> String {
    format!("{} accepts", RELAYS[relay])
}

#[test]
pub(super) fn a_good_credential_is_told_at_the_start_and_once() {
    let mut world = world(checking(Mode::Normal));
    world.run(SECOND);
    assert_eq!(said(&world), [accepts(0)], "{}", story(&world.events));
    assert!(world.relay_events.is_empty(), "no relay hears of a target: {:?}", world.relay_events);
    // A connection stays ready beside it.
    let before = world.now;
    let flow = connect(&mut world, ECHO);
    assert!(world.now.since(before) <= Duration::from_millis(5), "{:?}", world.now.since(before));
    assert_eq!(exchange(&mut world, flow, b"x"), b"x");
    world.run(120 * SECOND);
    assert_eq!(said(&world).len(), 1);
}

#[test]
pub(super) fn a_bad_credential_is_told_at_the_start_and_once_and_the_next_one_is_looked_at() {
    let mut config = checking(Mode::Normal);
    config.credential = Some(bad());
    let mut world = world(config);
    world.run(SECOND);
    assert_eq!(said(&world), [format!("{} 407", RELAYS[0])], "{}", story(&world.events));
    world.run(600 * SECOND);
    assert_eq!(said(&world).len(), 1);
    let later = UnixTime::from_secs(START.as_secs() + 601);
    world.client.renew(world.now, Credential::Token(token(later, 3_600 * SECOND).unwrap()));
    world.run(5 * SECOND);
    assert!(said(&world)[1].ends_with("accepts") && said(&world).len() == 2, "{:?}", said(&world));
}

#[test]
pub(super) fn the_first_relay_that_answers_is_asked() {
    let mut world = world(checking(Mode::Normal));
    world.crash(0);
    world.run(5 * SECOND);
    assert_eq!(said(&world), [accepts(1)], "{}", story(&world.events));
}

#[test]
pub(super) fn a_relay_that_comes_later_is_asked_then() {
    let mut config = checking(Mode::Normal);
    config.limits.standby = 0;
    let mut world = world(config);
    world.refuses_new = true;
    world.run(10 * SECOND);
    assert_eq!(said(&world), [""; 0]);
    world.refuses_new = false;
    world.run(20 * SECOND);
    assert_eq!(said(&world), [accepts(0)], "{}", story(&world.events));
}

#[test]
pub(super) fn a_tunnel_says_as_much() {
    let mut world = world(checking(Mode::Normal));
    connect(&mut world, ECHO);
    world.run(5 * SECOND);
    assert_eq!(said(&world), [accepts(0)], "{}", story(&world.events));
}

#[test]
pub(super) fn smart_mode_asks_no_relay_for_this_alone() {
    let mut world = world(checking(Mode::Smart));
    world.run(60 * SECOND);
    let accepted: u64 = world.relays.iter().map(|(_, relay)| relay.as_ref().unwrap().stats().accepted).sum();
    assert_eq!((accepted, said(&world).len()), (0, 0), "{}", story(&world.events));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Stream, ECHO);
    // The warm connection of the trial is there when the trial ends, and the credential was looked at beside it.
    world.run(Duration::from_millis(900));
    assert_eq!(said(&world), [accepts(0)], "{}", story(&world.events));
    assert!(
        world.run_until(Duration::from_millis(106), |world| is_open(world, flow)),
        "{}",
        story(&world.events)
    );
}

#[test]
pub(super) fn nobody_is_asked_in_mode_off_or_unbidden() {
    for mode in [Mode::Off, Mode::Normal] {
        let mut config = checking(mode);
        config.check_credential = mode == Mode::Off;
        let mut world = world(config);
        world.run(30 * SECOND);
        assert_eq!(said(&world), [""; 0], "{mode:?}");
    }
}

#[test]
pub(super) fn a_credential_that_was_renewed_in_between_is_the_one_that_is_judged() {
    let mut config = checking(Mode::Normal);
    config.credential = Some(bad());
    let mut world = world(config);
    assert!(world.run_until(SECOND, |world| !world.client.pool.wants_check()));
    world.client.renew(world.now, Credential::Token(token(START, 3_600 * SECOND).unwrap()));
    world.run(5 * SECOND);
    assert_eq!(said(&world), [accepts(0)], "{}", story(&world.events));
}
