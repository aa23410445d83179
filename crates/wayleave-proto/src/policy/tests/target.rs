use core::net::SocketAddr;

use crate::policy::{AddressPolicy, Denied, Forbidden, TargetPolicy};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_denied_port_is_refused_before_its_address() {
    let policy = TargetPolicy::default();
    for port in [0, 25] {
        assert_eq!(policy.judge_port(port), Err(Denied::Port { port }));
        assert_eq!(
            policy.judge(SocketAddr::new("127.0.0.1".parse().unwrap(), port), None),
            Err(Denied::Port { port })
        );
    }
    for port in [1, 24, 26, 443, 65_535] {
        assert_eq!(policy.judge_port(port), Ok(()));
    }
    assert_eq!(policy.judge(at("8.8.8.8:53"), None), Ok(()));
    let loopback = Denied::Address(Forbidden { rule: "loopback" });
    assert_eq!(policy.judge(at("[::1]:53"), None), Err(loopback));
    assert_eq!((loopback.rule(), Denied::Own.rule()), ("loopback", "own listener"));
    assert_eq!(Denied::Port { port: 25 }.to_string(), "port 25 is forbidden");
}

#[test]
fn nothing_opens_the_relay_to_itself() {
    let addresses =
        AddressPolicy { allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()], deny: vec![] };
    let own = vec![at("0.0.0.0:443"), at("198.51.100.7:8443"), at("[::]:444"), at("127.0.0.1:9000")];
    let policy = TargetPolicy { addresses, own, ..TargetPolicy::default() };
    for own in [
        "127.0.0.1:443",
        "127.9.9.9:443",
        "[::1]:443",
        "[::ffff:127.0.0.1]:443",
        "198.51.100.7:443",
        "[::ffff:198.51.100.7]:8443",
        "198.51.100.7:8443",
        "198.51.100.7:444",
        "127.0.0.1:444",
        "127.0.0.1:9000",
        "[::ffff:127.0.0.1]:9000",
        "0.0.0.0:443",
    ] {
        assert_eq!(policy.judge(at(own), None), Err(Denied::Own), "{own}");
    }
    for other in ["127.0.0.1:80", "127.0.0.2:9000", "198.51.100.8:443", "[::1]:9000"] {
        assert_eq!(policy.judge(at(other), None), Ok(()), "{other}");
    }
}
