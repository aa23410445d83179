//! What an operator sees who looks at what is open.

use super::*;
use crate::base::Kind;
use crate::relay::TunnelState;

#[test]
fn what_is_open_and_on_its_way_is_listed_with_what_it_has_moved() {
    let mut rig = Rig::new();
    let silent = rig.accept_silent("192.0.2.7:1").unwrap();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"up");
    rig.receive(target, b"down!");
    let mut dialling = rig.accept_from("192.0.2.8:1").unwrap();
    rig.say(&mut dialling, connect("10.0.0.2:443"));
    let now = rig.now + 5 * SECOND;
    let connections: Vec<_> = rig.relay.connections(now).collect();
    let shown: Vec<_> = connections.iter().map(|it| (it.client.to_string(), it.tunnels)).collect();
    let of = |client: &str, tunnels| (client.to_owned(), tunnels);
    assert_eq!(shown, [of("192.0.2.7:1", 0), of(CLIENT, 1), of("192.0.2.8:1", 1)]);
    assert!(connections.iter().all(|it| it.lasted == 5 * SECOND && it.carrier.to_string() == "h1"));

    let tunnels: Vec<_> = rig.relay.tunnels(now).collect();
    let [open, on_its_way] = tunnels.as_slice() else { panic!("{tunnels:?}") };
    assert_eq!(
        (open.state, open.kind, open.sent, open.received),
        (TunnelState::Open, Some(Kind::Stream), 2, 5)
    );
    assert_eq!((open.connection, open.client), (connections[1].id, Some(CLIENT.parse().unwrap())));
    assert_eq!(open.target, Some(TARGET.parse().unwrap()));
    assert_eq!(open.verdict.as_ref().unwrap().claims.subject.as_deref(), Some("alice"));
    assert_eq!(
        (on_its_way.state, on_its_way.sent, on_its_way.lasted),
        (TunnelState::Dialling, 0, 5 * SECOND)
    );

    rig.end(&mut peer);
    rig.fin(target);
    rig.fail(silent.socket, IoFailure::TimedOut);
    assert_eq!(rig.relay.tunnels(now).count(), 1);
    assert_eq!(rig.relay.connections(now).count(), 1);
}
