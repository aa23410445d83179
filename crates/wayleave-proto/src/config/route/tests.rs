use core::time::Duration;

use super::{AtDeadline, BackoffConfig, DoubtConfig, Mode, RescueConfig, RouteConfig, Scope};
use crate::base::Link;

#[test]
fn the_defaults_are_the_rules_of_the_design() {
    let config = RouteConfig::default();
    assert_eq!(config.check(), Ok(()));
    assert_eq!((config.mode, config.scope, config.return_to_direct), (Mode::Smart, Scope::Kind, false));
    assert_eq!(config.trial, Duration::from_secs(1));
    assert!(config.rescue.on && config.doubt.on);
    assert_eq!(config.treatment.of(Link::Cellular), AtDeadline::StayDirect);
    for link in [Link::Ethernet, Link::Unknown, Link::Wifi] {
        assert_eq!(config.treatment.of(link), AtDeadline::Proxied);
    }
}

#[test]
fn each_link_has_its_own_treatment() {
    let mut treatment = RouteConfig::default().treatment;
    treatment.ethernet = AtDeadline::StayDirect;
    assert_eq!(treatment.of(Link::Ethernet), AtDeadline::StayDirect);
    assert_eq!(treatment.of(Link::Wifi), AtDeadline::Proxied);
    assert_eq!(treatment.of(Link::Unknown), AtDeadline::Proxied);
}

#[test]
fn modes_and_scopes_are_read_as_they_are_shown() {
    for mode in [Mode::Normal, Mode::Off, Mode::Smart] {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    for scope in [Scope::Kind, Scope::Session] {
        assert_eq!(scope.to_string().parse(), Ok(scope));
    }
    assert_eq!("Smart".parse::<Mode>(), Err(()));
    assert_eq!("".parse::<Scope>(), Err(()));
}

#[test]
fn every_field_has_a_range() {
    let trial = |trial| RouteConfig { trial, ..RouteConfig::default() };
    let retry = |retry| RouteConfig { retry, ..RouteConfig::default() };
    let rescue = |rescue| RouteConfig { rescue, ..RouteConfig::default() };
    let doubt = |doubt| RouteConfig { doubt, ..RouteConfig::default() };
    let usual = BackoffConfig::default();
    let (saving, doubting) = (RescueConfig::default(), DoubtConfig::default());
    let ms = Duration::from_millis;
    let table = [
        (trial(ms(10)), None),
        (trial(ms(60_000)), None),
        (trial(ms(10) - Duration::from_nanos(1)), Some("trial")),
        (trial(ms(60_000) + Duration::from_nanos(1)), Some("trial")),
        (retry(BackoffConfig { first: ms(10), most: ms(10), ..usual }), None),
        (retry(BackoffConfig { first: ms(9), ..usual }), Some("retry.first")),
        (retry(BackoffConfig { first: ms(30_001), ..usual }), Some("retry.first")),
        (retry(BackoffConfig { most: ms(3_600_000), ..usual }), None),
        (retry(BackoffConfig { most: ms(3_600_001), ..usual }), Some("retry.most")),
        (retry(BackoffConfig { factor: 1, ..usual }), None),
        (retry(BackoffConfig { factor: 0, ..usual }), Some("retry.factor")),
        (retry(BackoffConfig { factor: 11, ..usual }), Some("retry.factor")),
        (retry(BackoffConfig { jitter: 0, ..usual }), None),
        (retry(BackoffConfig { jitter: 91, ..usual }), Some("retry.jitter")),
        (rescue(RescueConfig { pause: ms(1_000), pause_most: ms(1_000), ..saving }), None),
        (rescue(RescueConfig { pause: ms(999), ..saving }), Some("rescue.pause")),
        (rescue(RescueConfig { pause: ms(1_800_001), ..saving }), Some("rescue.pause")),
        (rescue(RescueConfig { pause_most: ms(86_400_001), ..saving }), Some("rescue.pause_most")),
        (rescue(RescueConfig { remembered: 15, ..saving }), Some("rescue.remembered")),
        (rescue(RescueConfig { remembered: 65_536, ..saving }), None),
        (rescue(RescueConfig { remembered: 65_537, ..saving }), Some("rescue.remembered")),
        (doubt(DoubtConfig { failures: 1, window: ms(1_000), pause: ms(1_000), ..doubting }), None),
        (doubt(DoubtConfig { failures: 0, ..doubting }), Some("doubt.failures")),
        (doubt(DoubtConfig { failures: 1_001, ..doubting }), Some("doubt.failures")),
        (doubt(DoubtConfig { window: ms(999), ..doubting }), Some("doubt.window")),
        (doubt(DoubtConfig { window: ms(600_001), ..doubting }), Some("doubt.window")),
        (doubt(DoubtConfig { pause: ms(999), ..doubting }), Some("doubt.pause")),
        (doubt(DoubtConfig { pause_most: ms(86_400_001), ..doubting }), Some("doubt.pause_most")),
    ];
    for (config, field) in table {
        assert_eq!(config.check().err().map(|error| error.field), field, "{config:?}");
    }
    let error = trial(ms(1)).check().unwrap_err();
    assert_eq!(error.to_string(), "trial: choose 10 ms to 60 s");
}
