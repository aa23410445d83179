use std::time::{Duration, Instant as Moment};

use wayleave_proto::base::{Instant, Kind, Link, Network, Route, Target};
use wayleave_proto::carrier::Carrier;
use wayleave_proto::carrier::tls::TlsError;
use wayleave_proto::client::{CloseReason, Event, FlowError, FlowId, ProxyFault, RescueReason, What};
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_proto::net::Fault;
use wayleave_proto::route::{Blocked, Failure, Proof, RouteReason};
use wayleave_settings::testing::Directory;

use super::*;
use crate::agent::options::Destination;

fn target(text: &str) -> Target {
    text.parse().expect("a target")
}

fn untrusted() -> ProxyFault {
    ProxyFault::Connection(Fault::Tls(TlsError::CertificateNotTrusted { detail: "unknown issuer".into() }))
}

/// Every event with its JSON behind the moment, and its weight.
fn cases() -> Vec<(What, &'static str, Weight)> {
    [route_cases(), flow_cases()].concat()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn web() -> Target {
    target("web.example:80")
}

fn route_cases() -> Vec<(What, &'static str, Weight)> {
    let stream = Some(Kind::Stream);
    let proxy = || target("relay.example:443");
    vec![
        (
            What::TrialStarted { kind: None, link: Link::Wifi, length: ms(1_000) },
            r#""event":"trial_started","kind":"all","link":"wifi","trial_ms":1000.0"#,
            Weight::News,
        ),
        (
            What::DirectConnected {
                kind: stream,
                proof: Proof::Probe,
                elapsed: Duration::from_micros(12_340),
            },
            r#""event":"direct_connected","kind":"stream","proof":"probe","ms":12.3"#,
            Weight::News,
        ),
        (
            What::RouteChanged {
                kind: Some(Kind::Datagram),
                from: Route::Direct,
                to: Route::Proxied,
                reason: RouteReason::NothingProven(ms(1_000)),
                link: Link::Unknown,
            },
            r#""event":"route_changed","kind":"datagram","from":"direct","to":"proxied","reason":"nothing_proven","link":"unknown""#,
            Weight::News,
        ),
        (
            What::ProofFailed { kind: stream, failure: Failure::Silent(ms(10_000)) },
            r#""event":"proof_failed","kind":"stream","reason":"silent","failure":"nothing came back for 10 s""#,
            Weight::News,
        ),
        (
            What::Blocked { kind: Kind::Stream, target: web(), what: Blocked::Port, pause: ms(60_000) },
            r#""event":"blocked","kind":"stream","target":"web.example:80","what":"port","pause_s":60.0"#,
            Weight::News,
        ),
        (
            What::StayingDirect { kind: stream, link: Link::Cellular },
            r#""event":"staying_direct","kind":"stream","link":"cellular""#,
            Weight::News,
        ),
        (
            What::ProxyConnected { proxy: proxy(), via: None, carrier: Carrier::H1, elapsed: ms(40) },
            r#""event":"proxy_connected","proxy":"relay.example:443","carrier":"h1","ms":40.0"#,
            Weight::Detail,
        ),
        (
            What::ProxyFailed { proxy: proxy(), carrier: Carrier::H1, error: ProxyFault::NoAnswer },
            r#""event":"proxy_failed","proxy":"relay.example:443","carrier":"h1","error":"it closed the connection without an answer""#,
            Weight::Warning,
        ),
        (
            What::CredentialAccepted { proxy: proxy() },
            r#""event":"credential_accepted","proxy":"relay.example:443""#,
            Weight::News,
        ),
        (
            What::TokenExpiring { left: ms(29_950) },
            r#""event":"token_expiring","left_s":29.95"#,
            Weight::Warning,
        ),
        (
            What::NetworkChanged { network: Network::down(Link::Wifi) },
            r#""event":"network_changed","link":"wifi","up":false"#,
            Weight::News,
        ),
    ]
}

fn flow_cases() -> Vec<(What, &'static str, Weight)> {
    let flow = FlowId::from_u64(7);
    let closed =
        |reason| What::FlowClosed { flow, kind: Kind::Stream, target: web(), sent: 3, received: 4, reason };
    vec![
        (
            What::FlowOpened {
                flow,
                kind: Kind::Stream,
                target: web(),
                route: Route::Direct,
                elapsed: ms(5),
            },
            r#""event":"flow_opened","id":"f7","kind":"stream","target":"web.example:80","route":"direct","ms":5.0"#,
            Weight::Detail,
        ),
        (
            What::FlowMoved { flow, route: Route::Proxied },
            r#""event":"flow_moved","id":"f7","route":"proxied""#,
            Weight::Detail,
        ),
        (
            What::Rescuing {
                flow,
                kind: Kind::Stream,
                target: web(),
                reason: RescueReason::NotConnected(ms(1_000)),
            },
            r#""event":"rescuing","id":"f7","kind":"stream","target":"web.example:80","reason":"not_connected""#,
            Weight::Detail,
        ),
        (
            What::Rescuing {
                flow,
                kind: Kind::Stream,
                target: web(),
                reason: RescueReason::Failed(Fault::Io(IoFailed::new(IoFailure::ConnectionRefused))),
            },
            r#""event":"rescuing","id":"f7","kind":"stream","target":"web.example:80","reason":"failed","error":"connection refused""#,
            Weight::Detail,
        ),
        (
            closed(CloseReason::Finished),
            r#""event":"flow_closed","id":"f7","kind":"stream","target":"web.example:80","sent":3,"received":4,"reason":"finished""#,
            Weight::Detail,
        ),
        (
            closed(CloseReason::Failed(FlowError::TimedOut)),
            r#""event":"flow_closed","id":"f7","kind":"stream","target":"web.example:80","sent":3,"received":4,"reason":"failed","error":"nothing answered in time""#,
            Weight::News,
        ),
        (
            What::Retrying {
                flow: None,
                kind: Kind::Stream,
                target: web(),
                after: ms(500),
                error: Fault::Io(IoFailed::new(IoFailure::ConnectionRefused)),
            },
            r#""event":"retrying","kind":"stream","target":"web.example:80","after_ms":500.0,"error":"connection refused""#,
            Weight::Detail,
        ),
    ]
}

#[test]
fn each_event_is_one_line_of_json() {
    for (what, expected, _) in cases() {
        let event = Event { at: Instant::from_nanos(1_000_250_000), what };
        let line = Line::new(&event).expect("a line").to_json();
        assert_eq!(line, format!("{{\"t_ms\":1000.2,{expected}}}\n"));
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert!(value["t_ms"].is_number());
    }
}

#[test]
fn each_event_is_one_sentence_of_its_weight() {
    for (what, _, weight) in cases() {
        let (found, text) = sentence(&what);
        assert_eq!(found, weight, "{text}");
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_failed_relay_is_named_with_what_it_said_and_what_helps() {
    let failed =
        What::ProxyFailed { proxy: target("relay.example:443"), carrier: Carrier::H1, error: untrusted() };
    let (_, text) = sentence(&failed);
    assert!(
        ["relay.example:443", "unknown issuer", "--ca FILE"].iter().all(|part| text.contains(part)),
        "{text}"
    );

    let said = vec![
        (target("one.example:443"), untrusted()),
        (target("two.example:443"), ProxyFault::Refused { status: 407 }),
    ];
    let reason = CloseReason::Failed(FlowError::NoProxy(said));
    let target = target("web.example:80");
    let closed = What::FlowClosed {
        flow: FlowId::from_u64(0),
        kind: Kind::Stream,
        target,
        sent: 0,
        received: 0,
        reason,
    };
    let (weight, text) = sentence(&closed);
    assert_eq!(weight, Weight::Warning);
    let parts = ["one.example:443: ", "--ca FILE", "two.example:443: ", "407", "--token-file"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn a_complaint_is_told_once_until_the_proxy_is_reached() {
    let proxy = || target("relay.example:443");
    let failed = |error| What::ProxyFailed { proxy: proxy(), carrier: Carrier::H1, error };
    let connected =
        What::ProxyConnected { proxy: proxy(), via: None, carrier: Carrier::H1, elapsed: Duration::ZERO };
    let steps = [
        (failed(untrusted()), Weight::Warning),
        (failed(untrusted()), Weight::Detail),
        (failed(ProxyFault::NoAnswer), Weight::Warning),
        (connected, Weight::Detail),
        (failed(ProxyFault::NoAnswer), Weight::Warning),
    ];
    let mut complaints = Complaints::default();
    for (number, (what, expected)) in steps.into_iter().enumerate() {
        let (weight, text) = complaints.weigh(&what);
        assert_eq!(weight, expected, "step {number}: {text}");
    }
}

#[test]
fn a_refusal_is_told_once_however_often_the_proxy_is_reached() {
    let proxy = || target("relay.example:443");
    let failed = |error| What::ProxyFailed { proxy: proxy(), carrier: Carrier::H1, error };
    let expired = |secs| failed(ProxyFault::TokenExpired { ago: Duration::from_secs(secs) });
    let connected =
        || What::ProxyConnected { proxy: proxy(), via: None, carrier: Carrier::H1, elapsed: Duration::ZERO };
    let opened = What::FlowOpened {
        flow: FlowId::from_u64(7),
        kind: Kind::Stream,
        target: web(),
        route: Route::Proxied,
        elapsed: ms(5),
    };
    let steps = [
        (expired(3), Weight::Warning),
        (connected(), Weight::Detail),
        (expired(4), Weight::Detail),
        (connected(), Weight::Detail),
        (failed(ProxyFault::Refused { status: 407 }), Weight::Warning),
        (opened, Weight::Detail),
        (failed(ProxyFault::Refused { status: 407 }), Weight::Warning),
    ];
    let mut complaints = Complaints::default();
    for (number, (what, expected)) in steps.into_iter().enumerate() {
        let (weight, text) = complaints.weigh(&what);
        assert_eq!(weight, expected, "step {number}: {text}");
    }
}

#[test]
fn a_journal_begins_empty_and_goes_on_in_a_file_that_is_emptied_or_renamed() {
    let directory = Directory::new();
    let path = directory.file("events", "old\n");
    let journal = Journal::open(Destination::File(path.clone()), Moment::now()).expect("a journal");
    let write = |line: &str| {
        journal.write(line.into());
        journal.finish(Moment::now() + Duration::from_secs(20));
    };
    write("new\n");
    assert_eq!(directory.read("events"), "new\n");
    std::fs::OpenOptions::new().write(true).truncate(true).open(&path).expect("the file is emptied");
    write("next\n");
    assert_eq!(directory.read("events"), "next\n");
    std::fs::rename(&path, directory.path().join("events.1")).expect("a rename");
    write("last\n");
    journal.reopen();
    write("first\n");
    assert_eq!(
        (directory.read("events.1"), directory.read("events")),
        ("next\nlast\n".into(), "first\n".into())
    );
    let nowhere = Destination::File("/nowhere/at/all".into());
    assert!(Journal::open(nowhere, Moment::now()).is_err());
}
