use std::path::PathBuf;

use super::*;

/// Files by their paths, with what stands in them.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A system made of a few files, which goes away with its owner.
struct System(PathBuf);

impl System {
    fn new(name: &str, files: Files) -> Self {
        let root = std::env::temp_dir().join(format!("wayleave-link-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let system = Self(root);
        for (path, text) in files {
            system.write(path, text);
        }
        system
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a folder is made");
        fs::write(path, text).expect("a file is written");
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn route(lines: &[&str]) -> String {
    let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
    format!("{head}\n{}\n", lines.join("\n"))
}

#[test]
fn the_kind_of_an_interface_is_found() {
    let cases: [(&str, Files, Link); 8] = [
        ("wlan0", &[("wireless/status", ""), ("type", "1\n")], Link::Wifi),
        ("wlp2s0", &[("phy80211/name", "phy0"), ("type", "1\n")], Link::Wifi),
        ("wlx1", &[("uevent", "DEVTYPE=wlan\nINTERFACE=wlx1\n"), ("type", "1\n")], Link::Wifi),
        ("wwp0", &[("uevent", "DEVTYPE=wwan\nINTERFACE=wwp0\n"), ("type", "1\n")], Link::Cellular),
        ("rmnet0", &[("uevent", "INTERFACE=rmnet0\n"), ("type", "519\n")], Link::Cellular),
        ("eth0", &[("uevent", "INTERFACE=eth0\n"), ("type", "1\n")], Link::Ethernet),
        ("wg0", &[("uevent", "DEVTYPE=wireguard\n"), ("type", "65534\n")], Link::Unknown),
        ("gone0", &[], Link::Unknown),
    ];
    for (interface, files, link) in cases {
        let system = System::new(interface, &[]);
        for (name, text) in files {
            system.write(&format!("sys/class/net/{interface}/{name}"), text);
        }
        assert_eq!(kind_of(&system.0, interface), link, "{interface}");
    }
}

#[test]
fn the_default_route_with_the_lowest_metric_counts() {
    let eth = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0";
    let wlan = "wlan0\t00000000\t010200C0\t0003\t0\t0\t20\t00000000\t0\t0\t0";
    let rejected = "bad0\t00000000\t010200C0\t0201\t0\t0\t1\t00000000\t0\t0\t0";
    let down = "down0\t00000000\t010200C0\t0002\t0\t0\t1\t00000000\t0\t0\t0";
    let half = "vpn0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0";
    let local = "lan0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
    let cases: [(&[&str], Option<&str>); 5] = [
        (&[local, eth, wlan], Some("wlan0")),
        (&[eth], Some("eth0")),
        (&[local, rejected, down, half], None),
        (&["", "nonsense", "a b c d"], None),
        (&[], None),
    ];
    for (number, (lines, expected)) in cases.into_iter().enumerate() {
        let system = System::new(&format!("route-{number}"), &[("proc/net/route", &route(lines))]);
        assert_eq!(interface(&default_way(&system.0)), expected, "{lines:?}");
    }
}

#[test]
fn a_default_route_of_ipv6_alone_counts() {
    let zeros = "0".repeat(32);
    let line = |metric: &str, flags: &str, interface: &str| {
        format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 {metric} 00000001 00000000 {flags} {interface}\n"
        )
    };
    let text = line("ffffffff", "00200200", "lo") + &line("00000400", "00450003", "eth6") + "short line\n";
    let system = System::new("ipv6", &[("proc/net/ipv6_route", &text), ("proc/net/route", &route(&[]))]);
    let way = default_way(&system.0);
    assert_eq!(interface(&way), Some("eth6"));
    assert!(matches!(way, Way::Default { gateway, .. } if gateway == "fe800000000000000000000000000001"));
}

#[test]
fn what_cannot_be_read_is_no_network_that_went_away() {
    let none = System::new("unreadable", &[]);
    assert_eq!(default_way(&none.0), Way::Unreadable);
    let eth = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0";
    let readable = System::new("readable", &[("proc/net/route", &route(&[eth]))]);
    let seen = Underlay::look_below(&readable.0);
    let mut watch = Watch::new(seen.clone());
    assert_eq!(watch.notice(Underlay::look_below(&none.0)), None);
    assert_eq!(watch.notice(seen), None, "it is still the same");
}

#[test]
fn a_network_has_the_same_fingerprint_when_it_comes_back() {
    let network = |interface: &str, gateway: &str, last| Underlay {
        way: Way::Default { interface: interface.into(), gateway: gateway.into() },
        link: Link::Wifi,
        source: Some(Ipv4Addr::new(192, 0, 2, last).into()),
    };
    let home = network("wlan0", "010200C0", 7);
    assert_eq!(home.network(), home.clone().network());
    for other in
        [network("wlan1", "010200C0", 7), network("wlan0", "020200C0", 7), network("wlan0", "010200C0", 8)]
    {
        assert_ne!(other.network().fingerprint, home.network().fingerprint, "{other:?}");
    }
    let unseen = Underlay { way: Way::Unreadable, ..home };
    assert_eq!(unseen.network().fingerprint, None);
}

fn interface(way: &Way) -> Option<&str> {
    match way {
        Way::Default { interface, .. } => Some(interface),
        Way::None | Way::Unreadable => None,
    }
}

#[test]
fn a_change_of_interface_link_or_address_is_one_and_a_lost_route_is_no_network() {
    let network = |interface: Option<&str>, link, last| Underlay {
        way: interface.map_or(Way::None, |interface| Way::Default {
            interface: interface.into(),
            gateway: "010200C0".into(),
        }),
        link,
        source: Some(Ipv4Addr::new(192, 0, 2, last).into()),
    };
    let wifi = network(Some("wlan0"), Link::Wifi, 7);
    let none = Underlay { way: Way::None, link: Link::Unknown, source: None };
    let mut watch = Watch::new(wifi.clone());
    let steps = [
        (wifi.clone(), None),
        (network(Some("wlan0"), Link::Wifi, 8), Some(Network::up(Link::Wifi))),
        (network(Some("eth0"), Link::Ethernet, 8), Some(Network::up(Link::Ethernet))),
        // The route is lost first, the address a moment later.
        (network(None, Link::Unknown, 8), Some(Network::down(Link::Ethernet))),
        (none.clone(), None),
        (wifi, Some(Network::up(Link::Wifi))),
    ];
    for (number, (found, told)) in steps.into_iter().enumerate() {
        let bare = |network: Network| Network { fingerprint: None, ..network };
        assert_eq!(watch.notice(found).map(bare), told, "step {number}");
    }
    // A platform that shows no routes still shows another address.
    let mut watch = Watch::new(network(None, Link::Unknown, 7));
    assert_eq!(watch.notice(network(None, Link::Unknown, 8)), Some(Network::up(Link::Unknown)));
    assert_eq!(none.network(), Network::up(Link::Unknown));
}
