//! Scopes: what they allow, how they are written, and that meeting another never widens them.

use core::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Grantor, HostPattern, Kinds, OnExpiry, PortRange, Rates, Scope, TargetRule, Targets};
use crate::base::{Kind, Target};
use crate::testing::cases;

fn scope(value: Value) -> Scope {
    serde_json::from_value(value).unwrap()
}

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

#[test]
fn a_rule_allows_what_fits_in_host_port_and_kind() {
    let scope = scope(json!({"targets": [
        {"hosts": ["media.example", "*.edge.example"], "ports": [443, "5000-5999"], "kinds": ["datagrams"]},
        {"hosts": ["192.0.2.0/24", "2001:db8::1"], "ports": [80]},
    ]}));
    let cases = [
        ("media.example:443", Kind::Datagram, true),
        ("MEDIA.example.:5999", Kind::Datagram, true),
        ("media.example:6000", Kind::Datagram, false),
        ("media.example:443", Kind::Stream, false),
        ("x.media.example:443", Kind::Datagram, false),
        ("a.edge.example:5000", Kind::Datagram, true),
        ("a.b.edge.example:5000", Kind::Datagram, true),
        ("edge.example:5000", Kind::Datagram, false),
        ("badedge.example:5000", Kind::Datagram, false),
        ("192.0.2.7:80", Kind::Stream, true),
        ("192.0.2.7:443", Kind::Stream, false),
        ("[::ffff:192.0.2.7]:80", Kind::Stream, true),
        ("[2001:db8::1]:80", Kind::Datagram, true),
        ("[2001:db8::2]:80", Kind::Datagram, false),
        ("198.51.100.1:80", Kind::Stream, false),
    ];
    for (text, kind, allowed) in cases {
        assert_eq!(scope.judge_target(&target(text), kind).is_ok(), allowed, "{text} {kind}");
    }
}

#[test]
fn a_name_that_only_an_address_could_allow_is_judged_by_where_it_leads() {
    let scope =
        scope(json!({"targets": [{"hosts": ["192.0.2.0/24"], "ports": [80]}, {"hosts": ["a.example"]}]}));
    let by_address = target("b.example:80");
    assert!(scope.judge_target(&by_address, Kind::Stream).is_ok());
    assert!(scope.judge_address(&by_address, Kind::Stream, "192.0.2.1".parse().unwrap()).is_ok());
    assert!(scope.judge_address(&by_address, Kind::Stream, "198.51.100.1".parse().unwrap()).is_err());
    assert!(
        scope.judge_target(&target("b.example:81"), Kind::Stream).is_err(),
        "no look-up can mend the port"
    );
    let by_name = target("a.example:81");
    assert!(scope.judge_address(&by_name, Kind::Stream, "198.51.100.1".parse().unwrap()).is_ok());
    // A literal target is the address that is dialled, whatever else is dialled for it.
    assert!(scope.judge_address(&target("192.0.2.1:80"), Kind::Stream, "10.0.0.1".parse().unwrap()).is_err());
}

#[test]
fn no_rules_allow_everything_and_an_empty_list_allows_nothing() {
    let any = target("a.example:1");
    assert!(scope(json!({})).judge_target(&any, Kind::Stream).is_ok());
    for empty in [
        json!({"targets": []}),
        json!({"targets": [{"hosts": []}]}),
        json!({"targets": [{"ports": []}]}),
        json!({"targets": [{"kinds": []}]}),
    ] {
        assert!(scope(empty.clone()).judge_target(&any, Kind::Stream).is_err(), "{empty}");
    }
    assert!(scope(json!({"targets": [{}]})).judge_target(&any, Kind::Datagram).is_ok());
}

#[test]
fn what_is_not_understood_is_refused() {
    let wrong = [
        json!({"target": []}),
        json!({"targets": null}),
        json!({"targets": {}}),
        json!({"targets": [{"host": ["a"]}]}),
        json!({"targets": [{"hosts": ["a b"]}]}),
        json!({"targets": [{"hosts": ["10.0.0.1/8"]}]}),
        json!({"targets": [{"hosts": ["*"], "ports": [0]}]}),
        json!({"targets": [{"ports": [65536]}]}),
        json!({"targets": [{"ports": ["9-1"]}]}),
        json!({"targets": [{"ports": ["+9"]}]}),
        json!({"targets": [{"ports": [1.5]}]}),
        json!({"targets": [{"kinds": ["tcp"]}]}),
        json!({"targets": [{"kinds": "stream"}]}),
        json!({"volume": null}),
        json!({"volume": -1}),
        json!({"volume": "1"}),
        json!({"tunnels": 4_294_967_296_u64}),
        json!({"to_target": {"bits": 1}}),
        json!({"to_client": 5}),
        json!({"on_expiry": "close"}),
        json!({"on_expiry": {"close_after": -1}}),
        json!({"on_expiry": {"close_after": 86_401}}),
        json!({"targets": vec![json!({}); 65]}),
        json!([]),
        json!({"to_client": []}),
        json!({"targets": [[]]}),
        json!({"targets": [["*"]]}),
    ];
    for value in wrong {
        assert!(serde_json::from_value::<Scope>(value.clone()).is_err(), "{value}");
    }
    assert!(serde_json::from_str::<Scope>(r#"{"volume": 1, "volume": 2}"#).is_err());
}

#[test]
fn the_narrower_wins_and_a_refusal_says_whose_rule_it_was() {
    let operator = scope(json!({
        "targets": [{"hosts": ["*.example"]}], "volume": 1000, "on_expiry": {"close_after": 30},
        "to_client": {"bits_per_second": 5, "packets_per_second": 9},
    }))
    .granted_by(Grantor::Operator);
    let token = scope(json!({
        "targets": [{"hosts": ["a.example", "b.test"]}], "tunnels": 2, "volume": 10, "on_expiry": "keep",
        "to_client": {"bits_per_second": 7},
    }));
    let both = operator.intersect(&token);
    assert_eq!((both.volume, both.tunnels), (Some(10), Some(2)));
    assert_eq!(both.to_client, Rates { bits_per_second: Some(5), packets_per_second: Some(9) });
    assert_eq!(both.on_expiry, Some(OnExpiry::CloseAfter(Duration::from_secs(30))));
    let refused_by = |text| both.judge_target(&target(text), Kind::Stream).err().map(|error| error.grantor);
    assert_eq!(refused_by("a.example:1"), None);
    assert_eq!(refused_by("c.example:1"), Some(Grantor::Credential));
    assert_eq!(refused_by("b.test:1"), Some(Grantor::Operator));
    let shorter = OnExpiry::CloseAfter(Duration::ZERO);
    assert!(OnExpiry::Keep < OnExpiry::RefuseNew && OnExpiry::RefuseNew < both.on_expiry.unwrap());
    assert!(both.on_expiry.unwrap() < shorter);
}

fn hosts() -> impl Strategy<Value = HostPattern> {
    let texts = [
        "*",
        "a.example",
        "b.example",
        "*.example",
        "*.b.example",
        "192.0.2.0/24",
        "192.0.2.1",
        "2001:db8::/32",
        "::/0",
    ];
    prop::sample::select(texts.map(|text| text.parse().unwrap()).to_vec())
}

fn rules() -> impl Strategy<Value = Vec<TargetRule>> {
    let ports =
        (1_u16..8, 1_u16..8).prop_map(|(one, other)| PortRange::new(one.min(other), one.max(other)).unwrap());
    let kinds = (any::<bool>(), any::<bool>()).prop_map(|(streams, datagrams)| Kinds { streams, datagrams });
    let rule = (prop::collection::vec(hosts(), 0..3), prop::collection::vec(ports, 0..3), kinds)
        .prop_map(|(hosts, ports, kinds)| TargetRule { hosts, ports, kinds });
    prop::collection::vec(rule, 0..4)
}

pub(crate) fn scopes() -> impl Strategy<Value = Scope> {
    let rates = (prop::option::of(0_u64..9), prop::option::of(0_u64..9))
        .prop_map(|(bits_per_second, packets_per_second)| Rates { bits_per_second, packets_per_second });
    let on_expiry = prop_oneof![
        Just(OnExpiry::Keep),
        Just(OnExpiry::RefuseNew),
        (0_u64..9).prop_map(|secs| OnExpiry::CloseAfter(Duration::from_secs(secs))),
    ];
    let targets = prop::option::of(rules()).prop_map(|rules| rules.map_or(Targets::ANY, Targets::new));
    let counts = (prop::option::of(0_u64..9), prop::option::of(0_u32..9), prop::option::of(on_expiry));
    (targets, rates.clone(), rates, counts).prop_map(|(targets, to_target, to_client, counts)| Scope {
        targets,
        to_target,
        to_client,
        volume: counts.0,
        tunnels: counts.1,
        on_expiry: counts.2,
    })
}

fn at_most<T: Ord>(narrow: Option<T>, wide: Option<T>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow <= wide))
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn an_intersection_allows_exactly_what_both_allow(
        one in scopes(),
        other in scopes(),
        host in prop::sample::select(vec!["a.example", "b.example", "x.b.example", "c.test", "192.0.2.1", "[2001:db8::1]"]),
        port in 1_u16..9,
        stream in any::<bool>(),
        address in prop::sample::select(vec!["192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::1"]),
    ) {
        let both = one.intersect(&other);
        let kind = if stream { Kind::Stream } else { Kind::Datagram };
        let target = target(&format!("{host}:{port}"));
        let name = |scope: &Scope| scope.judge_target(&target, kind).is_ok();
        prop_assert_eq!(name(&both), name(&one) && name(&other));
        let address = address.parse().unwrap();
        let dialled = |scope: &Scope| scope.judge_address(&target, kind, address).is_ok();
        prop_assert_eq!(dialled(&both), dialled(&one) && dialled(&other));
        // Whatever is refused before the look-up would have been refused behind it.
        if host.ends_with('e') || host.ends_with('t') {
            prop_assert!(!dialled(&both) || name(&both));
        }
        for part in [&one, &other] {
            prop_assert!(at_most(both.volume, part.volume) && at_most(both.tunnels, part.tunnels));
            for (narrow, wide) in [(both.to_target, part.to_target), (both.to_client, part.to_client)] {
                prop_assert!(at_most(narrow.bits_per_second, wide.bits_per_second));
                prop_assert!(at_most(narrow.packets_per_second, wide.packets_per_second));
            }
            prop_assert!(both.on_expiry >= part.on_expiry);
        }
    }

    #[test]
    fn a_scope_survives_being_written_and_read(scope in scopes()) {
        let text = serde_json::to_string(&scope).unwrap();
        prop_assert_eq!(serde_json::from_str::<Scope>(&text).unwrap(), scope);
    }
}
