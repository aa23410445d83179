//! A renewed token: who is shown it, and what the old one still does.

use super::*;
use crate::auth::{AppSign, Claims, Token};
use crate::client::{FlowError, ProxyFault};
use crate::net::Machine as _;
use crate::policy::OnExpiry;
use crate::testing::signing_key;

/// A token that is good from the start of the world for so long.
fn good_for(seconds: u32) -> Credential {
    Credential::Token(token(START, seconds * SECOND).unwrap())
}

fn with_token(seconds: u32) -> World {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.credential = Some(good_for(seconds));
    world(config)
}

fn accepted_by(world: &World) -> Vec<String> {
    let proxy = |event: &Event| match &event.what {
        What::TokenAccepted { proxy } => Some(proxy.to_string()),
        _ => None,
    };
    world.events.iter().filter_map(proxy).collect()
}

#[test]
pub(super) fn a_relay_with_tunnels_is_shown_the_new_token_once() {
    let mut world = with_token(100);
    let flow = connect(&mut world, ECHO);
    world.run(SECOND);
    world.client.renew(world.now, good_for(200));
    world.run(SECOND);
    assert_eq!(accepted_by(&world), [RELAYS[0]], "{}", story(&world.events));
    world.run(60 * SECOND);
    assert_eq!(accepted_by(&world).len(), 1);
    assert_eq!(exchange(&mut world, flow, b"as before"), b"as before");
}

#[test]
pub(super) fn without_tunnels_nothing_is_shown() {
    let mut world = with_token(100);
    let flow = connect(&mut world, ECHO);
    world.client.release(world.now, flow);
    world.run(20 * SECOND);
    world.client.renew(world.now, good_for(200));
    world.run(5 * SECOND);
    assert_eq!(accepted_by(&world), [""; 0]);
}

#[test]
pub(super) fn every_relay_with_tunnels_is_shown_it() {
    let mut world = with_token(100);
    let first = connect(&mut world, ECHO);
    // The first relay goes on with what it has and takes nothing new.
    let now = world.now;
    world.relays[0].1.as_mut().unwrap().drain(now);
    let second = connect(&mut world, ECHO);
    world.client.renew(world.now, good_for(200));
    world.run(5 * SECOND);
    // A relay that drains accepts no connection; its tunnels end by its operator's word.
    assert_eq!(accepted_by(&world), [RELAYS[1]], "{}", story(&world.events));
    assert_eq!(exchange(&mut world, first, b"first"), b"first");
    assert_eq!(exchange(&mut world, second, b"second"), b"second");
}

#[test]
pub(super) fn a_new_tunnel_shows_it_as_well() {
    let mut world = with_token(100);
    connect(&mut world, ECHO);
    world.client.renew(world.now, good_for(200));
    connect(&mut world, ECHO);
    world.run(SECOND);
    assert_eq!(accepted_by(&world), [RELAYS[0]], "{}", story(&world.events));
}

#[test]
pub(super) fn a_relay_that_cannot_be_reached_is_shown_it_later() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.limits.standby = 0;
    config.credential = Some(good_for(100));
    config.proxies.truncate(1);
    let mut world = world(config);
    let flow = connect(&mut world, ECHO);
    world.refuses_new = true;
    world.client.renew(world.now, good_for(200));
    world.run(3 * SECOND);
    assert_eq!(accepted_by(&world), [""; 0]);
    world.refuses_new = false;
    world.run(20 * SECOND);
    assert_eq!(accepted_by(&world), [RELAYS[0]], "{}", story(&world.events));
    assert_eq!(exchange(&mut world, flow, b"still there"), b"still there");
}

#[test]
pub(super) fn a_bad_token_is_shown_once_and_told() {
    let mut world = with_token(100);
    let flow = connect(&mut world, ECHO);
    world.client.renew(world.now, Credential::Token("not.a.token".parse::<Token>().unwrap()));
    world.run(30 * SECOND);
    let refused = world.events.iter().filter(|event| {
        matches!(&event.what, What::ProxyFailed { error: ProxyFault::Refused { status: 407 }, .. })
    });
    assert_eq!(refused.count(), 1, "{}", story(&world.events));
    assert_eq!(exchange(&mut world, flow, b"as before"), b"as before");
}

#[test]
pub(super) fn a_token_that_expired_says_so() {
    let mut world = with_token(100);
    world.run(200 * SECOND);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(5 * SECOND);
    let FlowStatus::Failed(error @ FlowError::NoProxy(_)) = world.client.status(flow) else {
        panic!("{}", story(&world.events))
    };
    let text = error.to_string();
    assert!(text.contains("which expired 10") && text.contains("renew it"), "{text}");
}

fn warnings(world: &World) -> Vec<u64> {
    let left = |event: &Event| match event.what {
        What::TokenExpiring { left } => Some(left.as_secs()),
        _ => None,
    };
    world.events.iter().filter_map(left).collect()
}

#[test]
pub(super) fn the_expiry_is_announced_by_what_the_civil_clock_shows_now() {
    let mut world = with_token(3_600);
    let shown =
        |world: &World, ahead: u64| START.after(world.now.since(Instant::ZERO) + ahead as u32 * SECOND);
    world.run(100 * SECOND);
    // The device slept until ten seconds before the expiry.
    let unix = shown(&world, 3_490);
    world.client.handle_clock(world.now, unix);
    world.run(Duration::from_millis(1));
    assert_eq!(warnings(&world), [10]);
    let flow = connect(&mut world, ECHO);
    world.run(20 * SECOND);
    assert_eq!(warnings(&world), [10, 0]);
    // Only the device's clock was wrong: the relays still take the token, and the client asks them.
    assert_eq!(exchange(&mut world, flow, b"x"), b"x");
    connect(&mut world, ECHO);
    // It is set right, and the expiry is announced at its time.
    let unix = shown(&world, 0);
    world.client.handle_clock(world.now, unix);
    world.run(3_400 * SECOND);
    assert_eq!(warnings(&world), [10, 0]);
    world.run(100 * SECOND);
    assert_eq!(warnings(&world), [10, 0, 30, 0]);
}

#[test]
pub(super) fn a_sleep_that_wakes_nobody_is_noticed_within_a_minute() {
    let world = with_token(3_600);
    assert!(world.client.poll_timeout().is_some_and(|due| due <= world.now + 60 * SECOND));
}

#[test]
pub(super) fn a_refusal_says_what_this_side_can_know() {
    let early = Claims {
        not_before: Some(UnixTime::from_secs(START.as_secs() + 600)),
        expires: Some(UnixTime::from_secs(START.as_secs() + 900)),
        ..Claims::default()
    };
    let early = signing_key().unwrap().mint(&early).unwrap();
    let sign = AppSign::new(1_001.into(), &"7".repeat(64)).unwrap();
    for (credential, told) in [
        (Credential::Token(early), ["becomes good in 59", "clock"]),
        (sign.into(), ["the app sign (407)", "terminates TLS"]),
        (Credential::Token("not.a.token".parse().unwrap()), ["get a new one", "the relay's log"]),
    ] {
        let mut config = config(Mode::Normal, Link::Wifi);
        config.credential = Some(credential);
        let mut world = world(config);
        let flow = open(&mut world, Kind::Stream, ECHO);
        world.run(5 * SECOND);
        let FlowStatus::Failed(error) = world.client.status(flow) else { panic!("{}", story(&world.events)) };
        let error = error.to_string();
        assert!(told.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
pub(super) fn a_flow_that_waits_while_its_token_expires_takes_the_renewed_one() {
    let mut world = with_token(100);
    world.run(99 * SECOND);
    world.refuses_new = true;
    world.client.handle_network(world.now, Network::down(Link::Wifi));
    let flow = open(&mut world, Kind::Stream, ECHO);
    let now = world.now;
    world.run(20 * SECOND);
    world.refuses_new = false;
    let later = UnixTime::from_secs(START.as_secs() + now.as_millis() / 1_000);
    world.client.renew(world.now, Credential::Token(token(later, 3_600 * SECOND).unwrap()));
    world.client.handle_network(world.now, Network::up(Link::Wifi));
    assert!(world.run_until(5 * SECOND, |world| is_open(world, flow)), "{}", story(&world.events));
}

#[test]
pub(super) fn a_request_that_was_under_way_with_the_old_token_is_made_again() {
    let mut world = with_token(100);
    // Expired by the word of the relays, which allow 30 s.
    world.run(140 * SECOND);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(Duration::from_micros(500));
    let later = UnixTime::from_secs(START.as_secs() + 140);
    world.client.renew(world.now, Credential::Token(token(later, 3_600 * SECOND).unwrap()));
    assert!(world.run_until(SECOND, |world| is_open(world, flow)), "{}", story(&world.events));
    assert!(!story(&world.events).contains("ProxyFailed"), "{}", story(&world.events));
}

/// A client with a token for 100 s, of relays that close tunnels 10 s after that.
fn closing() -> World {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.credential = Some(good_for(100));
    world_with(config, |relay| {
        relay.rules.leeway = Duration::ZERO;
        relay.scope.on_expiry = Some(OnExpiry::CloseAfter(10 * SECOND));
    })
}

/// Renews as an application does that follows the events.
fn renew_when_told(world: &mut World, until: Duration) {
    let mut seen = world.events.len();
    let end = world.now + until;
    while world.now < end {
        let left = end.since(world.now);
        world.run_until(left, |world| world.events.len() > seen);
        let told = world.events[seen..].iter().any(|event| matches!(event.what, What::TokenExpiring { .. }));
        seen = world.events.len();
        if told {
            let now = UnixTime::from_secs(START.as_secs() + world.now.as_millis() / 1_000);
            world.client.renew(world.now, Credential::Token(token(now, 100 * SECOND).unwrap()));
        }
    }
}

#[test]
pub(super) fn a_stream_is_cut_in_the_middle_where_the_token_is_not_renewed() {
    let mut world = closing();
    let flow = connect(&mut world, ECHO);
    world.client.write(world.now, flow, b"before").unwrap();
    world.run(109 * SECOND);
    assert_eq!(read_all(&mut world, flow).0, b"before");
    assert!(is_open(&world, flow));
    world.run(2 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Failed(FlowError::Reset));
    assert_eq!(
        world.client.write(world.now, flow, b"after"),
        Err(FlowError::Reset),
        "nobody may take it for delivered"
    );
    let closed: Vec<_> = world.relay_events.iter().filter_map(closed_by).collect();
    assert_eq!(closed, [crate::relay::CloseReason::Expired]);
}

#[test]
pub(super) fn an_application_that_follows_the_events_keeps_its_stream_over_many_tokens() {
    let mut world = closing();
    let flow = connect(&mut world, ECHO);
    for _ in 0..5 {
        renew_when_told(&mut world, 200 * SECOND);
        assert!(is_open(&world, flow), "{}", story(&world.events));
        world.client.write(world.now, flow, b"x").unwrap();
    }
    assert_eq!(exchange(&mut world, flow, b"y"), b"xxxxxy");
    assert!(accepted_by(&world).len() >= 10);
}

#[test]
pub(super) fn a_datagram_flow_rests_after_the_expiry_and_goes_on_with_a_renewed_token() {
    let mut world = closing();
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, b"before").unwrap();
    world.run(SECOND);
    assert_eq!(datagrams(&mut world, flow), [b"before"]);
    world.run(120 * SECOND);
    let closed: Vec<_> = world.relay_events.iter().filter_map(closed_by).collect();
    assert_eq!(closed, [crate::relay::CloseReason::Expired]);
    // Late media is worthless: what is sent without a good token is lost, the flow is not.
    world.client.send_datagram(world.now, flow, b"lost").unwrap();
    world.run(5 * SECOND);
    assert!(datagrams(&mut world, flow).is_empty());
    let now = UnixTime::from_secs(START.as_secs() + world.now.as_millis() / 1_000);
    world.client.renew(world.now, Credential::Token(token(now, 100 * SECOND).unwrap()));
    world.run(SECOND);
    world.client.send_datagram(world.now, flow, b"after").unwrap();
    world.run(Duration::from_millis(10));
    assert_eq!(datagrams(&mut world, flow), [b"after"], "{}", story(&world.events));
}

#[test]
pub(super) fn a_datagram_flow_with_a_renewed_token_is_never_interrupted() {
    let mut world = closing();
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, &[0]).unwrap();
    world.run(SECOND);
    for number in 1..=100 {
        renew_when_told(&mut world, 5 * SECOND);
        world.client.send_datagram(world.now, flow, &[number]).unwrap();
        world.run(Duration::from_millis(10));
        assert_eq!(datagrams(&mut world, flow).last(), Some(&vec![number]));
    }
    assert!(world.relay_events.iter().all(|event| closed_by(event).is_none()));
}

fn closed_by(event: &crate::relay::Event) -> Option<crate::relay::CloseReason> {
    match &event.what {
        crate::relay::What::TunnelClosed { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}
