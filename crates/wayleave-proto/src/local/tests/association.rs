use core::net::SocketAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::{address, target};
use crate::base::Instant;
use crate::codec::socks::{SocksError, udp_header};
use crate::local::{Association, AssociationConfig, AssociationConfigError, DatagramError, Inbound};
use crate::testing::cases;

const CLIENT: &str = "127.0.0.1:5000";

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn association(targets: usize, named: &str) -> Association<u32> {
    let config = AssociationConfig { targets, idle: Duration::from_secs(1) };
    Association::new(config, address(CLIENT).ip(), address(named), at(0))
}

fn datagram(to: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    udp_header(&target(to), &mut bytes);
    [&bytes, payload].concat()
}

/// Sends a datagram from the client, opening `flow` where the target is new; returns the flow to close.
fn send(association: &mut Association<u32>, now: Instant, to: &str, flow: u32) -> Option<u32> {
    match association.handle_datagram(now, address(CLIENT), &datagram(to, b"x")) {
        Ok(Inbound::New { target, payload: b"x" }) => association.insert(now, address(CLIENT), target, flow),
        Ok(Inbound::Known { flow: known, payload: b"x" }) => {
            assert_eq!(known, flow);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_datagram_finds_its_flow_and_the_answer_its_way_back() {
    let mut association = association(64, "0.0.0.0:0");
    let mut out = Vec::new();
    assert_eq!(association.put_datagram(at(0), 1, b"early", &mut out), None);
    send(&mut association, at(1), "media.example:5004", 1);
    send(&mut association, at(2), "192.0.2.1:53", 2);
    send(&mut association, at(3), "media.example:5004", 1);
    let loud = [&[0, 0, 0, 3, 13][..], b"Media.Example", &[0x13, 0x8c, b'!']].concat();
    assert_eq!(
        association.handle_datagram(at(4), address(CLIENT), &loud),
        Ok(Inbound::Known { flow: 1, payload: b"!" }),
        "another spelling of the name is the same target"
    );
    assert_eq!(association.put_datagram(at(5), 2, b"answer", &mut out), Some(address(CLIENT)));
    assert_eq!(out, datagram("192.0.2.1:53", b"answer"));
    assert_eq!(association.put_datagram(at(5), 3, b"", &mut out), None, "an unknown flow");
    assert_eq!(association.remove(1), Some(target("media.example:5004")));
    assert_eq!(association.remove(1), None);
    assert_eq!(association.flows().collect::<Vec<_>>(), [(2, &target("192.0.2.1:53"))]);
}

#[test]
fn row42_foreign_senders_and_bad_datagrams_are_dropped() {
    let good = datagram("192.0.2.1:53", b"x");
    for (named, foreign, client) in [
        ("0.0.0.0:0", "192.0.2.66:5000", CLIENT),
        ("[::]:0", "[::1]:5000", CLIENT),
        ("0.0.0.0:5000", "127.0.0.1:5001", CLIENT),
        ("127.0.0.1:0", "127.0.0.2:5000", CLIENT),
        ("127.0.0.2:0", CLIENT, "127.0.0.2:77"),
        ("127.0.0.2:77", "127.0.0.2:78", "127.0.0.2:77"),
        ("127.0.0.1:5000", "127.0.0.1:5001", "[::ffff:127.0.0.1]:5000"),
    ] {
        let mut association = association(64, named);
        let foreign = address(foreign);
        let client = address(client);
        let dropped = Err(DatagramError::Foreign(foreign));
        assert_eq!(association.handle_datagram(at(0), foreign, &good), dropped, "{named}");
        assert!(association.handle_datagram(at(0), client, &good).is_ok(), "{named}");
        assert_eq!(association.handle_datagram(at(0), foreign, &good), dropped);
        let port = SocketAddr::new(client.ip(), client.port() + 1);
        let open = named.ends_with(":0");
        assert_eq!(association.handle_datagram(at(0), port, &good).is_ok(), open, "{named}");
    }
    let mut association = association(64, "0.0.0.0:0");
    for length in 0..10 {
        let dropped = Err(DatagramError::Header(SocksError::Truncated));
        assert_eq!(association.handle_datagram(at(0), address(CLIENT), &good[..length]), dropped);
    }
    let mut fragment = good.clone();
    fragment[2] = 1;
    let dropped = Err(DatagramError::Header(SocksError::Fragment(1)));
    assert_eq!(association.handle_datagram(at(0), address(CLIENT), &fragment), dropped);
}

#[test]
fn each_port_of_a_client_is_answered_for_what_it_asked() {
    let mut association = association(64, "0.0.0.0:0");
    let (first, second) = (address(CLIENT), address("127.0.0.1:6000"));
    let media = datagram("192.0.2.1:5004", b"x");
    for (client, flow) in [(first, 1), (second, 2)] {
        let Ok(Inbound::New { target, .. }) = association.handle_datagram(at(0), client, &media) else {
            panic!("{client} has a flow of another");
        };
        assert_eq!(association.insert(at(0), client, target, flow), None);
    }
    for (client, flow) in [(first, 1), (second, 2), (first, 1)] {
        let known = association.handle_datagram(at(1), client, &media);
        assert_eq!(known, Ok(Inbound::Known { flow, payload: b"x" }));
        assert_eq!(association.put_datagram(at(1), flow, b"", &mut Vec::new()), Some(client));
    }
    let loud = [&[0, 0, 0, 3, 9][..], b"192.0.2.1", &[0x13, 0x8c, b'x']].concat();
    let known = association.handle_datagram(at(2), second, &loud);
    assert_eq!(known, Ok(Inbound::Known { flow: 2, payload: b"x" }), "in another spelling");
}

#[test]
fn a_stranger_is_named_to_the_port_that_it_sent_to() {
    let mut association = association(64, "0.0.0.0:0");
    let (stranger, mut out) = (address("192.0.2.9:99"), Vec::new());
    assert!(
        !association.put_stray(address(CLIENT), stranger, b"hi", &mut out),
        "nobody has asked for anything"
    );
    send(&mut association, at(1), "192.0.2.1:53", 1);
    assert!(association.put_stray(address(CLIENT), stranger, b"hi", &mut out));
    assert_eq!(out, datagram("192.0.2.9:99", b"hi"));
    assert!(!association.put_stray(address("127.0.0.1:1"), stranger, b"hi", &mut out));
}

#[test]
fn limits_have_their_range() {
    let good = AssociationConfig::default();
    assert_eq!(good.check(), Ok(()));
    for targets in [0, 65_537] {
        let error = AssociationConfigError::Targets(targets);
        assert_eq!(AssociationConfig { targets, ..good }.check(), Err(error));
    }
    for idle in [Duration::from_secs(119), Duration::from_secs(86_401)] {
        assert_eq!(AssociationConfig { idle, ..good }.check(), Err(AssociationConfigError::Idle(idle)));
    }
}

#[test]
fn a_full_table_gives_up_the_flow_used_longest_ago() {
    let mut association = association(2, "0.0.0.0:0");
    assert_eq!(send(&mut association, at(1), "a:1", 1), None);
    assert_eq!(send(&mut association, at(2), "b:1", 2), None);
    assert_eq!(send(&mut association, at(3), "a:1", 1), None);
    assert_eq!(send(&mut association, at(4), "c:1", 3), Some(2));
    association.put_datagram(at(5), 1, b"", &mut Vec::new());
    assert_eq!(send(&mut association, at(6), "d:1", 4), Some(3));
    assert_eq!(
        association.insert(at(7), address(CLIENT), target("a:1"), 9),
        Some(1),
        "the flow before to the same target"
    );
    assert_eq!(association.flows().map(|(flow, _)| flow).collect::<Vec<_>>(), [4, 9]);
}

#[test]
fn flows_grow_old_and_so_does_the_association() {
    let mut association = association(64, "0.0.0.0:0");
    assert_eq!((association.poll_timeout(), association.pop_idle(at(9_000))), (None, None));
    send(&mut association, at(100), "a:1", 1);
    send(&mut association, at(200), "b:1", 2);
    association.put_datagram(at(300), 1, b"", &mut Vec::new());
    assert_eq!(association.poll_timeout(), Some(at(1_200)));
    assert_eq!(association.pop_idle(at(1_199)), None);
    assert_eq!(association.pop_idle(at(1_200)), Some(2));
    assert_eq!(association.pop_idle(at(1_200)), None);
    assert_eq!(association.poll_timeout(), Some(at(1_300)));
    assert_eq!(association.idle_for(at(1_000)), Duration::from_millis(700));
    send(&mut association, at(50), "a:1", 1);
    assert_eq!(association.poll_timeout(), Some(at(1_300)), "an older moment counts as the latest");
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn the_table_keeps_its_bound_and_names_every_flow_once(
        targets in 0_usize..5,
        ports in proptest::collection::vec(1_u16..9, 0..60),
    ) {
        let mut association = association(targets, "0.0.0.0:0");
        let mut open = std::collections::BTreeSet::new();
        for (flow, port) in (0_u32..).zip(ports) {
            let now = at(u64::from(flow));
            let bytes = datagram(&format!("192.0.2.1:{port}"), b"");
            match association.handle_datagram(now, address(CLIENT), &bytes) {
                Ok(Inbound::New { target, .. }) => {
                    open.insert(flow);
                    if let Some(evicted) = association.insert(now, address(CLIENT), target, flow) {
                        prop_assert!(open.remove(&evicted));
                    }
                }
                Ok(Inbound::Known { flow, .. }) => prop_assert!(open.contains(&flow)),
                Err(error) => panic!("{error}"),
            }
            prop_assert!(open.len() <= targets.max(1));
            prop_assert_eq!(association.flows().map(|(flow, _)| flow).collect::<std::collections::BTreeSet<_>>(), open.clone());
        }
    }
}
