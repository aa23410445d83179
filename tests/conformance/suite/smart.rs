//! Smart mode on every link, where the direct path answers nothing.

use std::thread;
use std::time::Duration;

use wayleave_proto::base::{Kind, Link, Network, Route};
use wayleave_proto::client::What;
use wayleave_proto::config::Mode;

use super::traffic::exchange;
use crate::kit::{ClientKit, RelayKit};
use crate::lab::{Lab, Silence, beside, echo_datagrams, echo_stream, localhost, straight, wait_for};

pub(crate) fn behind_a_black_hole_every_link_is_treated_as_it_should<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
) {
    let _turn = beside();
    let (tcp, _tcp_hole) = Silence::hides_stream(echo_stream);
    let (udp, _udp_hole) = Silence::hides_datagrams(echo_datagrams);
    thread::scope(|scope| {
        for link in [Link::Ethernet, Link::Unknown, Link::Wifi] {
            scope.spawn(move || {
                // A machine that stood still for a moment is late once, a client that is late is late every time.
                let is_in_time = (0..3).any(|_| goes_through_the_relay(lab, link, tcp, udp) < LATEST);
                assert!(is_in_time, "{link}: later than {LATEST:?} three times");
            });
        }
        scope.spawn(|| stays_direct(lab, tcp));
    });
}

/// Opens a stream and a datagram flow, and returns when the later of them went another way.
fn goes_through_the_relay<C: ClientKit, R: RelayKit>(
    lab: &Lab<C, R>,
    link: Link,
    tcp: u16,
    udp: u16,
) -> Duration {
    let relay = lab.relay();
    let client = lab.client(Mode::Smart, link, &[&relay]);
    let flow = client.datagrams(localhost(udp)).unwrap();
    let stream = client.connect(localhost(tcp)).unwrap();
    assert_eq!(stream.route, Some(Route::Proxied), "{link}");
    let (written, read) = exchange(stream, 10_000);
    assert_eq!(written, read, "{link}");
    flow.send(b"media").unwrap();
    assert_eq!(flow.recv().unwrap(), b"media", "{link}");
    assert_eq!(flow.route(), Some(Route::Proxied), "{link}");
    let mut changed = Vec::new();
    let mut latest = Duration::ZERO;
    while changed.len() < 2 {
        let (change, event) = wait_for(&*client, |what| match *what {
            What::RouteChanged { kind, to, link, .. } => Some((kind, to, link)),
            _ => None,
        });
        changed.push(change);
        latest = Duration::from_millis(event.at.as_millis());
        assert!(latest >= TRIAL, "{link}: {latest:?}");
    }
    changed.sort();
    let all = [Kind::Datagram, Kind::Stream].map(|kind| (Some(kind), Route::Proxied, link));
    assert_eq!(changed, all, "{link}");
    latest
}

fn stays_direct<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>, tcp: u16) {
    let relay = lab.relay();
    let client = lab.client(Mode::Smart, Link::Cellular, &[&relay]);
    let (port, _refuses) = Silence::refusing();
    thread::scope(|scope| {
        let refused = scope.spawn(|| client.connect_within(localhost(port), LATER));
        assert!(client.connect_within(localhost(tcp), LATER).is_none());
        assert!(refused.join().unwrap().is_none());
    });
    assert_eq!(client.verbs().route(Kind::Stream), Route::Direct);
    let mut retried = false;
    wait_for(&*client, |what| {
        assert!(!matches!(what, What::RouteChanged { .. }), "{what:?}");
        retried |= matches!(what, What::Retrying { .. });
        matches!(what, What::StayingDirect { link: Link::Cellular, .. }).then_some(())
    });
    assert!(retried);
    while let Some(event) = client.event(Duration::ZERO) {
        assert!(!matches!(event.what, What::RouteChanged { .. }), "{event:?}");
    }
    assert_eq!(relay.stats().opened, 0);
}

pub(crate) fn who_asks_for_it_gets_the_direct_path_back<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let (port, _hole) = Silence::hides_stream(echo_stream);
    let mut config = lab.config(Mode::Smart, Link::Wifi, &[relay.address.port()]);
    config.route.trial = SHORT_TRIAL;
    let client = lab.start(config);
    assert_eq!(client.connect(localhost(port)).unwrap().route, Some(Route::Proxied));
    assert_eq!(client.connect(straight(port)).unwrap().route, Some(Route::Proxied));
    client.verbs().retry_direct(Kind::Stream);
    assert_eq!(client.connect(straight(port)).unwrap().route, Some(Route::Direct));
    assert_eq!(client.verbs().route(Kind::Stream), Route::Direct);
}

pub(crate) fn another_network_is_told_and_tried_anew<C: ClientKit, R: RelayKit>(lab: &Lab<C, R>) {
    let _turn = beside();
    let relay = lab.relay();
    let (port, _hole) = Silence::hides_stream(echo_stream);
    let mut config = lab.config(Mode::Smart, Link::Wifi, &[relay.address.port()]);
    config.route.trial = SHORT_TRIAL;
    config.route.return_to_direct = true;
    let client = lab.start(config);
    assert_eq!(client.connect(localhost(port)).unwrap().route, Some(Route::Proxied));
    let network = Network::up(Link::Ethernet);
    client.verbs().network_changed(network);
    wait_for(&*client, |what| (*what == What::NetworkChanged { network }).then_some(()));
    assert_eq!(client.connect(straight(port)).unwrap().route, Some(Route::Direct));
}

/// How long the direct path is tried.
const TRIAL: Duration = Duration::from_secs(1);
/// Where its length does not matter: long enough for a connection on a busy machine.
const SHORT_TRIAL: Duration = Duration::from_millis(400);
/// When flows have to be on another way at the latest, if they go another way.
const LATEST: Duration = Duration::from_millis(1_500);
/// When it is certain that they do not.
const LATER: Duration = Duration::from_millis(1_300);
