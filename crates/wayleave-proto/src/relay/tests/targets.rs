//! Where nobody may go (rows 1 to 8 of the abuse cases).

use super::*;

#[test]
pub(super) fn a_forbidden_port_is_refused_before_any_look_up() {
    for request in [connect("mail.example:25"), connect("10.0.0.1:25"), connect_udp("mail.example", 25)] {
        let mut rig = Rig::new();
        let answer = rig.refused(request);
        assert_eq!((answer.status, answer.error()), (403, Some("http_request_denied")));
        assert!(rig.is_untouched());
        rig.assert_clean();
    }
}

#[test]
pub(super) fn a_forbidden_address_is_never_dialled() {
    let addresses = [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "240.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
    ];
    for address in addresses {
        let ip: IpAddr = address.parse().unwrap();
        let authority = SocketAddr::new(ip, 443).to_string();
        for request in [connect(&authority), connect_udp(&address.replace(':', "%3A"), 443)] {
            let mut rig = Rig::new();
            let answer = rig.refused(request);
            assert_eq!(
                (answer.status, answer.error()),
                (403, Some("destination_ip_prohibited")),
                "{address}"
            );
            assert!(rig.is_untouched(), "{address}");
            assert!(!answer.text.contains("loopback"), "the reason is for the operator");
            rig.assert_clean();
        }
        // The same behind a name.
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect("inside.example:443"));
        let lookup = rig.lookups[0].0;
        rig.resolved(lookup, &[address]);
        assert_eq!(rig.answer(&mut peer).status, 403, "{address}");
        assert!(rig.dials.is_empty(), "{address}");
        rig.assert_clean();
    }
}

#[test]
fn odd_spellings_of_addresses_are_names_and_judged_like_them() {
    for host in ["127.1", "0x7f000001", "2130706433", "017700000001", "localhost", "db.localhost"] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect(&format!("{host}:443")));
        assert_eq!(rig.lookups.len(), 1, "{host}");
        let lookup = rig.lookups[0].0;
        rig.resolved(lookup, &["127.0.0.1"]);
        assert_eq!(rig.answer(&mut peer).error(), Some("destination_ip_prohibited"), "{host}");
        assert!(rig.dials.is_empty());
        rig.assert_clean();
    }
}

#[test]
pub(super) fn of_two_addresses_exactly_the_allowed_one_is_dialled() {
    for answer in [["127.0.0.1", "10.0.0.7"], ["10.0.0.7", "127.0.0.1"], ["::1", "10.0.0.7"]] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect("mixed.example:443"));
        let lookup = rig.lookups[0].0;
        rig.resolved(lookup, &answer);
        rig.pass(SECOND);
        assert_eq!(rig.dials.len(), 1, "{answer:?}");
        assert_eq!(rig.dials[0].1, "10.0.0.7:443".parse().unwrap());
        assert_eq!(rig.lookups.len(), 1, "looked up once");
        // Its failure is the answer, not the other's being forbidden.
        let target = rig.dials[0].0;
        rig.fail(target, IoFailure::ConnectionRefused);
        assert_eq!(rig.answer(&mut peer).error(), Some("connection_refused"));
        rig.assert_clean();
    }
}

#[test]
pub(super) fn the_relay_does_not_lead_to_itself() {
    let own = |config: &mut RelayConfig| config.targets.own = vec!["10.8.8.8:8443".parse().unwrap()];
    for target in [LISTENER, "10.8.8.8:8443", "[::ffff:10.9.9.9]:443"] {
        let mut rig = Rig::with(own);
        let answer = rig.refused(connect(target));
        assert_eq!((answer.status, answer.error()), (403, Some("destination_ip_prohibited")), "{target}");
        assert!(rig.is_untouched());
    }
    let mut rig = Rig::with(own);
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("10.9.9.9:8080"));
    assert_eq!(rig.dials.len(), 1, "another port of the same machine is another service");
}

#[test]
pub(super) fn a_name_of_the_configuration_is_not_looked_up_but_judged() {
    let hosts = |config: &mut RelayConfig| {
        config.hosts.insert("inside.example".parse().unwrap(), vec!["10.0.0.3".parse().unwrap()]);
        config.hosts.insert("evil.example".parse().unwrap(), vec!["127.0.0.1".parse().unwrap()]);
    };
    let mut rig = Rig::with(hosts);
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("INSIDE.example.:80"));
    assert_eq!(rig.dials[0].1, "10.0.0.3:80".parse().unwrap());
    assert_eq!(rig.refused(connect("evil.example:80")).status, 403);
    assert!(rig.lookups.is_empty());
}
