use core::net::IpAddr;

use proptest::prelude::*;

use crate::policy::{AddressPolicy, Cidr, CidrError, Forbidden};
use crate::testing::cases;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn policy(allow: &[&str], deny: &[&str]) -> AddressPolicy {
    let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    AddressPolicy { allow: ranges(allow), deny: ranges(deny) }
}

fn rule(policy: &AddressPolicy, text: &str) -> &'static str {
    policy.judge(ip(text)).map_or_else(|forbidden| forbidden.rule, |()| "open")
}

#[test]
fn ranges_are_read_strictly() {
    for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "::1/128", "fd00::/8", "192.0.2.1/32"] {
        assert_eq!(text.parse::<Cidr>().map(|range| range.to_string()), Ok(text.into()));
    }
    assert_eq!("192.0.2.1".parse::<Cidr>().unwrap().to_string(), "192.0.2.1/32");
    assert_eq!("::1".parse::<Cidr>().unwrap().to_string(), "::1/128");
    for (text, error) in [
        ("", CidrError::Address),
        ("/8", CidrError::Address),
        ("10/8", CidrError::Address),
        ("localhost", CidrError::Address),
        ("[::1]/128", CidrError::Address),
        ("10.0.0.0/33", CidrError::Length { most: 32 }),
        ("10.0.0.0/", CidrError::Length { most: 32 }),
        ("10.0.0.0/+8", CidrError::Length { most: 32 }),
        ("10.0.0.0/08", CidrError::Length { most: 32 }),
        ("10.0.0.0/8/8", CidrError::Length { most: 32 }),
        ("::/129", CidrError::Length { most: 128 }),
        ("::/256", CidrError::Length { most: 128 }),
        ("10.1.2.3/8", CidrError::HostBits { range: "10.0.0.0/8".parse().unwrap() }),
        ("1.2.3.4/0", CidrError::HostBits { range: "0.0.0.0/0".parse().unwrap() }),
        ("fd00::1/8", CidrError::HostBits { range: "fd00::/8".parse().unwrap() }),
    ] {
        assert_eq!(text.parse::<Cidr>(), Err(error), "{text}");
    }
    let mend = "10.1.2.3/8".parse::<Cidr>().unwrap_err().to_string();
    assert!(mend.contains("write 10.0.0.0/8"), "{mend}");
}

#[test]
fn a_range_holds_its_own_family_only() {
    let every_v4: Cidr = "0.0.0.0/0".parse().unwrap();
    let every_v6: Cidr = "::/0".parse().unwrap();
    assert!(every_v4.contains(ip("255.255.255.255")) && !every_v4.contains(ip("::ffff:1.2.3.4")));
    assert!(every_v6.contains(ip("ffff::")) && !every_v6.contains(ip("1.2.3.4")));
}

/// Each special range: the address before it with its own rule, the first, the last, and the one behind.
const BOUNDARIES: [(&str, &str, &str, &str, &str, &str, &str); 33] = [
    ("0.0.0.1", "this network", "0.0.0.1", "0.255.255.255", "this network", "1.0.0.0", "open"),
    ("9.255.255.255", "open", "10.0.0.0", "10.255.255.255", "private", "11.0.0.0", "open"),
    (
        "100.63.255.255",
        "open",
        "100.64.0.0",
        "100.127.255.255",
        "shared by carrier NAT",
        "100.128.0.0",
        "open",
    ),
    ("126.255.255.255", "open", "127.0.0.0", "127.255.255.255", "loopback", "128.0.0.0", "open"),
    ("168.63.129.15", "open", "168.63.129.16", "168.63.129.16", "metadata", "168.63.129.17", "open"),
    ("169.253.255.255", "open", "169.254.0.0", "169.254.255.255", "link-local", "169.255.0.0", "open"),
    ("172.15.255.255", "open", "172.16.0.0", "172.31.255.255", "private", "172.32.0.0", "open"),
    ("191.255.255.255", "open", "192.0.0.0", "192.0.0.255", "protocol assignments", "192.0.1.0", "open"),
    ("192.0.1.255", "open", "192.0.2.0", "192.0.2.255", "documentation", "192.0.3.0", "open"),
    ("192.88.98.255", "open", "192.88.99.0", "192.88.99.255", "6to4", "192.88.100.0", "open"),
    ("192.167.255.255", "open", "192.168.0.0", "192.168.255.255", "private", "192.169.0.0", "open"),
    ("198.17.255.255", "open", "198.18.0.0", "198.19.255.255", "benchmarking", "198.20.0.0", "open"),
    ("198.51.99.255", "open", "198.51.100.0", "198.51.100.255", "documentation", "198.51.101.0", "open"),
    ("203.0.112.255", "open", "203.0.113.0", "203.0.113.255", "documentation", "203.0.114.0", "open"),
    ("223.255.255.255", "open", "224.0.0.0", "239.255.255.255", "multicast", "240.0.0.0", "reserved"),
    (
        "239.255.255.255",
        "multicast",
        "240.0.0.0",
        "255.255.255.254",
        "reserved",
        "255.255.255.255",
        "broadcast",
    ),
    ("::", "unspecified", "::1", "::1", "loopback", "::2", "this network"),
    (
        "::fffe:ffff:ffff",
        "reserved",
        "::ffff:1.1.1.1",
        "::ffff:9.9.9.9",
        "mapped IPv4",
        "::1:0:0:0",
        "reserved",
    ),
    (
        "::1:0:0:0",
        "reserved",
        "::ffff:0:1.1.1.1",
        "::ffff:0:9.9.9.9",
        "translated IPv4",
        "::1:0:0:0:0",
        "reserved",
    ),
    ("::2", "this network", "::1.1.1.1", "::223.255.255.255", "compatible IPv4", "::1:0:0", "reserved"),
    (
        "64:ff9a:ffff::",
        "reserved",
        "64:ff9b::1.1.1.1",
        "64:ff9b::9.9.9.9",
        "NAT64",
        "64:ff9b::1:0:0",
        "reserved",
    ),
    (
        "64:ff9b::ffff:0:0:0",
        "reserved",
        "64:ff9b:1::1.1.1.1",
        "64:ff9b:1:ffff::9.9.9.9",
        "NAT64",
        "64:ff9b:2::",
        "reserved",
    ),
    ("ff:ffff::", "reserved", "100::", "100::ffff:ffff:ffff:ffff", "discard", "100:0:0:2::", "reserved"),
    ("1fff:ffff::", "reserved", "2001:1::", "2001:1:ffff::", "protocol assignments", "2001:200::", "open"),
    (
        "2000:ffff::",
        "open",
        "2001:0:101:101::fefe:fefe",
        "2001:0:808:808:ffff:ffff:f7f7:f7f7",
        "Teredo",
        "2001:1::",
        "protocol assignments",
    ),
    (
        "2001:1:ffff::",
        "protocol assignments",
        "2001:2::",
        "2001:2:0:ffff:ffff:ffff:ffff:ffff",
        "benchmarking",
        "2001:2:1::",
        "protocol assignments",
    ),
    (
        "2001:db7:ffff::",
        "open",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "documentation",
        "2001:db9::",
        "open",
    ),
    ("2001:ffff::", "open", "2002:101:101::", "2002:909:909:ffff::", "6to4", "2003::", "open"),
    ("3ffe:ffff::", "open", "3fff::", "3fff:fff:ffff::", "documentation", "3fff:1000::", "open"),
    ("5eff:ffff::", "reserved", "5f00::", "5f00:ffff::", "segment routing", "5f01::", "reserved"),
    (
        "fbff:ffff::",
        "reserved",
        "fc00::",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "private",
        "fe00::",
        "reserved",
    ),
    (
        "fe7f:ffff::",
        "reserved",
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "link-local",
        "fec0::",
        "site-local",
    ),
    (
        "feff:ffff::",
        "site-local",
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "multicast",
        "4000::",
        "reserved",
    ),
];

#[test]
fn every_special_range_is_closed_up_to_its_edges() {
    let policy = AddressPolicy::default();
    for (before, before_rule, first, last, inside, behind, behind_rule) in BOUNDARIES {
        assert_eq!(rule(&policy, before), before_rule, "before {first}: {before}");
        assert_eq!(rule(&policy, first), inside, "first {first}");
        assert_eq!(rule(&policy, last), inside, "last {last}");
        assert_eq!(rule(&policy, behind), behind_rule, "behind {last}: {behind}");
    }
    for open in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450::1", "3ffe::1"] {
        assert_eq!(rule(&policy, open), "open", "{open}");
    }
    for (metadata, inside) in
        [("169.254.169.254", "link-local"), ("fd00:ec2::254", "private"), ("0.0.0.0", "unspecified")]
    {
        assert_eq!(rule(&policy, metadata), inside, "{metadata}");
    }
}

#[test]
fn an_inner_address_is_judged_in_every_wrapping() {
    let policy = AddressPolicy::default();
    for wrapped in [
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::127.0.0.1",
        "64:ff9b:1:7f00:0:100::",
        "2002:7f00:1::",
        "2001:0:7f00:1::fefe:fefe",
        "2001:0:101:101::80ff:fffe",
    ] {
        assert_eq!(rule(&policy, wrapped), "loopback", "{wrapped}");
    }
}

#[test]
fn the_operator_opens_and_closes_ranges() {
    let opened =
        policy(&["127.0.0.0/8", "fd00::/8", "10.0.0.0/8"], &["10.9.0.0/16", "8.8.8.8", "::ffff:0.0.0.0/96"]);
    for (address, expected) in [
        ("127.0.0.1", "open"),
        ("fd00::1", "open"),
        ("fc00::1", "private"),
        ("10.8.255.255", "open"),
        ("10.9.0.0", "deny list"),
        ("8.8.8.8", "deny list"),
        ("8.8.4.4", "open"),
        ("::ffff:127.0.0.1", "deny list"),
        ("64:ff9b::127.0.0.1", "NAT64"),
        ("192.168.0.1", "private"),
    ] {
        assert_eq!(rule(&opened, address), expected, "{address}");
    }
    let opened = policy(&["127.0.0.0/8", "64:ff9b::/96"], &["9.9.9.9"]);
    for (address, expected) in [
        ("::ffff:127.0.0.1", "open"),
        ("::ffff:1.1.1.1", "mapped IPv4"),
        ("::127.0.0.1", "compatible IPv4"),
        ("64:ff9b::8.8.8.8", "open"),
        ("64:ff9b::127.0.0.1", "open"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::9.9.9.9", "deny list"),
        ("::ffff:9.9.9.9", "deny list"),
    ] {
        assert_eq!(rule(&opened, address), expected, "{address}");
    }
}

#[test]
fn some_addresses_stay_closed_whatever_is_allowed() {
    let everything = policy(&["0.0.0.0/0", "::/0"], &[]);
    for (address, expected) in [
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("::ffff:224.0.0.1", "multicast"),
        ("64:ff9b::255.255.255.255", "broadcast"),
        ("2002:e000:1::", "multicast"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("0.0.0.1", "open"),
        ("::1", "open"),
        ("fe80::1", "open"),
        ("240.0.0.1", "open"),
    ] {
        assert_eq!(rule(&everything, address), expected, "{address}");
    }
}

#[test]
fn the_refusal_names_its_rule() {
    let refusal = AddressPolicy::default().judge(ip("127.0.0.1"));
    assert_eq!(refusal, Err(Forbidden { rule: "loopback" }));
    assert_eq!(refusal.unwrap_err().to_string(), "the address is forbidden: loopback");
}

proptest! {
    #![proptest_config(cases(256))]

    /// A range reads as it was written, holds its own address, and any other text is refused.
    #[test]
    fn a_range_reads_as_it_was_written(address: IpAddr, length in 0..=128_u8, text in ".{0,40}") {
        if let Ok(range) | Err(CidrError::HostBits { range }) = Cidr::new(address, length) {
            prop_assert_eq!(range.to_string().parse::<Cidr>(), Ok(range));
            prop_assert!(range.contains(address));
        }
        let _ = text.parse::<Cidr>();
    }
}
