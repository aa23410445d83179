//! Lists in every format, and ports without those that are closed.

use std::path::Path;

use serde_json::Value;
use wayleave_settings::relay::RelaySettings;

use super::entry::{Addresses, Direction, Entry, List, Protocol, port};
use super::options::Format;
use super::relay::without;
use super::{client, relay, write};
use crate::agent::Way;

fn sample() -> List {
    let entry = |host: &str, addresses: &[&str], number| Entry {
        direction: Direction::Out,
        protocol: Protocol::Tcp,
        host: host.into(),
        addresses: Addresses::of(&addresses.iter().map(|it| it.parse().unwrap()).collect::<Vec<_>>()),
        ports: port(number).unwrap(),
        why: "the relay",
    };
    let unknown =
        Entry { addresses: Addresses::Unknown("no address".into()), ..entry("lost.example", &[], 443) };
    let clients =
        Entry { direction: Direction::In, addresses: Addresses::Any, ..entry("any client", &[], 8_443) };
    let entries = vec![
        entry("relay.example", &["192.0.2.7", "2001:db8::7"], 443),
        entry("192.0.2.9", &["192.0.2.9"], 8_443),
        unknown,
        clients,
    ];
    List { title: "a test".into(), entries, notes: vec!["A note.".into()] }
}

#[test]
fn each_format_has_a_rule_for_each_address() {
    for (format, lines) in [
        (
            Format::Iptables,
            &[
                "iptables -A OUTPUT -d 192.0.2.7 -p tcp --dport 443 -j ACCEPT",
                "ip6tables -A OUTPUT -d 2001:db8::7 -p tcp --dport 443 -j ACCEPT",
                "iptables -A OUTPUT -d 192.0.2.9 -p tcp --dport 8443 -j ACCEPT",
                "# there is no rule for it: no address",
                "iptables -A INPUT -p tcp --dport 8443 -j ACCEPT",
                "ip6tables -A INPUT -p tcp --dport 8443 -j ACCEPT",
            ][..],
        ),
        (
            Format::Nft,
            &[
                "\t\tip daddr 192.0.2.7 tcp dport 443 accept comment \"relay.example\"",
                "\t\tip6 daddr 2001:db8::7 tcp dport 443 accept comment \"relay.example\"",
                "\t\t# there is no rule for it: no address",
                "\t\ttcp dport 8443 accept comment \"any client\"",
                "\t\ttype filter hook input priority filter; policy drop;",
                "\t\ttype filter hook output priority filter; policy drop;",
            ],
        ),
        (
            Format::Netsh,
            &[
                "netsh advfirewall firewall add rule name=\"Wayleave relay.example TCP 443\" dir=out action=allow protocol=TCP remoteip=192.0.2.7 remoteport=443",
                "netsh advfirewall firewall add rule name=\"Wayleave any client TCP 8443\" dir=in action=allow protocol=TCP remoteip=any localport=8443",
                "rem there is no rule for it: no address",
            ],
        ),
        (
            Format::Pf,
            &[
                "pass out quick proto tcp from any to 192.0.2.7 port 443 keep state",
                "pass out quick proto tcp from any to 2001:db8::7 port 443 keep state",
                "pass in quick proto tcp from any to any port 8443 keep state",
            ],
        ),
        (
            Format::Squid,
            &[
                "acl wayleave1 dstdomain relay.example",
                "acl wayleave1_port port 443",
                "http_access allow CONNECT wayleave1 wayleave1_port",
                "# ssl_bump splice wayleave1_tls",
                "acl wayleave2 dst 192.0.2.9",
                "acl wayleave3 dstdomain lost.example",
            ],
        ),
        (
            Format::Csv,
            &[
                "direction,protocol,host,address,ports,why",
                "out,tcp,\"relay.example\",192.0.2.7,443,\"the relay\"",
                "out,tcp,\"lost.example\",,443,\"the relay\"",
                "in,tcp,\"any client\",any,8443,\"the relay\"",
            ],
        ),
        (
            Format::Text,
            &[
                "  out  TCP  to relay.example (192.0.2.7, 2001:db8::7), port 443: the relay",
                "  out  TCP  to 192.0.2.9, port 8443: the relay",
                "  out  TCP  to lost.example (no address), port 443: the relay",
                "  in   TCP  from any client, port 8443: the relay",
                "- A note.",
            ],
        ),
    ] {
        let text = write::list(&sample(), format);
        for line in lines {
            assert!(text.lines().any(|it| it == *line), "{format:?}: no {line:?} in\n{text}");
        }
    }
    let json: Value = serde_json::from_str(&write::list(&sample(), Format::Json)).unwrap();
    assert_eq!(json["entries"][0]["addresses"], serde_json::json!(["192.0.2.7", "2001:db8::7"]));
    assert_eq!((&json["entries"][3]["addresses"], &json["schema"]), (&"any".into(), &1.into()));
}

#[test]
fn closed_ports_are_left_out_of_ranges() {
    let left = |range: &str, denied: &[u16]| -> Vec<String> {
        without(range.parse().unwrap(), denied).iter().map(ToString::to_string).collect()
    };
    assert_eq!(left("1-65535", &[25]), ["1-24", "26-65535"]);
    assert_eq!(left("25", &[25]), Vec::<String>::new());
    assert_eq!(left("443", &[25]), ["443"]);
    assert_eq!(left("20-30", &[20, 30, 25, 25]), ["21-24", "26-29"]);
    assert_eq!(left("65535", &[65_535]), Vec::<String>::new());
    assert_eq!(left("1-2", &[1]), ["2"]);
}

#[tokio::test]
async fn a_client_needs_its_relays_by_tcp_and_no_name_servers_for_addresses() {
    let list = client::list(
        &["192.0.2.7:443".parse().unwrap(), "[2001:db8::7]:8443".parse().unwrap()],
        &Way::default(),
        true,
    )
    .await;
    assert_eq!(shown(&list), ["out tcp 192.0.2.7 443", "out tcp 2001:db8::7 8443"]);
}

#[tokio::test]
async fn a_proxy_of_the_network_takes_the_place_of_the_relays_behind_it() {
    let mut way = Way {
        via: vec![
            "http://ada:s3cret@192.0.2.1:3128".parse().unwrap(),
            "socks5://192.0.2.2:1080".parse().unwrap(),
        ],
        no_via: "192.0.2.7".parse().unwrap(),
        told: Some("what the environment says".into()),
    };
    let relays = ["192.0.2.7:443".parse().unwrap(), "relay.invalid:8443".parse().unwrap()];
    let list = client::list(&relays, &way, true).await;
    assert_eq!(shown(&list), ["out tcp 192.0.2.7 443", "out tcp 192.0.2.1 3128", "out tcp 192.0.2.2 1080"]);
    let whole = format!("{list:?}");
    assert!(whole.contains("http://192.0.2.1:3128 has to let CONNECT to relay.invalid:8443 pass"), "{whole}");
    assert!(whole.contains("what the environment says") && !whole.contains("s3cret"), "{whole}");
    way.no_via = "*".parse().unwrap();
    let list = client::list(&relays[..1], &way, true).await;
    assert_eq!(shown(&list), ["out tcp 192.0.2.7 443"]);
    assert!(!format!("{list:?}").contains("192.0.2.1"), "{list:?}");
}

fn shown(list: &List) -> Vec<String> {
    let entries = list.entries.iter();
    entries.map(|it| format!("{} {} {} {}", it.direction, it.protocol, it.host, it.ports)).collect()
}

#[test]
fn a_relay_needs_what_its_scope_leads_to() {
    let of = |text: &str| {
        let settings = RelaySettings::from_text(Path::new("relay.toml"), text).unwrap();
        let list = relay::list(&settings).unwrap();
        let entries = list.entries.iter().filter(|it| it.why != "clients: TLS 1.3 and HTTP/1.1");
        entries.map(|it| format!("{} {} {}", it.protocol, it.host, it.ports)).collect::<Vec<_>>()
    };
    let names = "name-server = \"192.0.2.53:5353\"\n";
    let dns = ["udp 192.0.2.53 5353", "tcp 192.0.2.53 5353"];
    assert_eq!(
        of(&format!("{names}deny-port = 23\n")),
        [
            &dns[..],
            &[
                "tcp any target 1-22",
                "udp any target 1-22",
                "tcp any target 24",
                "udp any target 24",
                "tcp any target 26-65535",
                "udp any target 26-65535"
            ]
        ]
        .concat()
    );
    let scope = "[scope]\ntargets = [{ hosts = [\"192.0.2.0/24\", \"*.media.example\"], ports = [\"20-30\"], kinds = [\"datagrams\"] }]\n";
    assert_eq!(
        of(&format!("{names}{scope}")),
        [
            &dns[..],
            &[
                "udp 192.0.2.0/24 20-24",
                "udp 192.0.2.0/24 26-30",
                "udp *.media.example 20-24",
                "udp *.media.example 26-30"
            ]
        ]
        .concat()
    );
    assert_eq!(of(&format!("{names}[scope]\ntargets = []\n")), dns);
}
