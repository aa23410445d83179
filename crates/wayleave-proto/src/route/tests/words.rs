use core::time::Duration;

use super::super::event::EVENTS_MOST;
use super::super::{EDGES, Failure, Phase, Proof, RouteReason};
use super::{STREAM_PROBES, WIFI, at, events, smart};
use crate::base::{Kind, Route};

#[test]
fn reasons_read_as_prose() {
    let nothing = |millis| RouteReason::NothingProven(Duration::from_millis(millis)).to_string();
    assert_eq!(nothing(1_000), "nothing proven within 1 s");
    assert_eq!(nothing(1_500), "nothing proven within 1.5 s");
    assert_eq!(nothing(250), "nothing proven within 250 ms");
    assert_eq!(RouteReason::NetworkChanged.to_string(), "the network changed");
    assert_eq!(RouteReason::NewTrialAsked.to_string(), "the application asked for a new trial");
    assert_eq!(Proof::Probe.to_string(), "a probe was answered");
    assert_eq!(Proof::Stream.to_string(), "a stream was answered");
    assert_eq!(Failure::Broken(3).to_string(), "3 flows in a row broke off or did not come through");
    assert_eq!(Failure::Silent(Duration::from_secs(10)).to_string(), "nothing came back for 10 s");
}

#[test]
fn phases_are_named_as_in_the_table() {
    for edge in EDGES {
        let known = ["direct", "held", "idle", "proxied", "trial", "waiting"];
        assert!(known.contains(&edge.from) && known.contains(&edge.to), "{edge:?}");
    }
    assert_eq!(Phase::Fixed(Route::Direct).to_string(), "fixed");
    assert_eq!(Phase::Waiting.to_string(), "waiting");
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    for millis in 0..1_000 {
        routes.retry(at(millis), Some(Kind::Stream));
    }
    let kept = events(&mut routes);
    assert_eq!(kept.len(), EVENTS_MOST);
    let latest =
        super::RouteEvent::TrialStarted { kind: Some(Kind::Stream), link: WIFI.link, deadline: at(1_999) };
    assert_eq!(kept.last(), Some(&latest));
}
