use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wayleave_proto::base::{Host, Target};
use wayleave_proto::config::Probe;
use wayleave_proto::local::Forward;
use wayleave_proto::policy::{Cidr, RateLimit};

use super::{Bytes, Rate, Resolve, Word, many, one, parse};

fn check<T: Word + Debug + PartialEq>(good: &[(&str, T)], bad: &[&str]) {
    for (text, value) in good {
        assert_eq!(T::read(text).as_ref(), Ok(value), "{text}");
    }
    for text in bad {
        assert!(T::read(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_have_units_of_both_kinds() {
    check(
        &[
            ("0", Bytes(0)),
            ("65536", Bytes(65_536)),
            ("64KiB", Bytes(65_536)),
            ("10M", Bytes(10_000_000)),
            ("1Gi", Bytes(1 << 30)),
        ],
        &["", "M", "-1", "1.5M", "1 M", "1T", "1m", "99999999999999999999", "18446744073709551615K"],
    );
}

#[test]
fn a_rate_allows_a_second_at_once_unless_it_says_otherwise() {
    let rate = |per_second, burst| Rate(RateLimit { per_second, burst });
    check(
        &[("5", rate(5, 5)), ("10M/20M", rate(10_000_000, 20_000_000))],
        &["", "0", "0/5", "5/0", "5/", "/5", "5/5/5", "10MB", "10M/20MiB"],
    );
}

#[test]
fn a_name_is_answered_with_an_address() {
    let resolve = |name: &str, address: &str| Resolve {
        name: name.parse().unwrap(),
        address: address.parse().unwrap(),
    };
    check(
        &[
            ("media.example=127.0.0.1", resolve("media.example", "127.0.0.1")),
            ("Media.Example=::1", resolve("media.example", "::1")),
        ],
        &[
            "",
            "media.example",
            "media.example=",
            "=127.0.0.1",
            "media.example=other.example",
            "1.2.3.4=127.0.0.1",
        ],
    );
}

#[test]
fn ports_and_ranges_are_exact() {
    check::<u16>(&[("1", 1), ("65535", 65_535)], &["0", "65536", "", "x"]);
    check::<Cidr>(&[("10.0.0.0/8", "10.0.0.0/8".parse().unwrap())], &["10.0.0.1/8", "10.0.0.0/33", "ten"]);
    check::<SocketAddr>(&[("127.0.0.1:0", "127.0.0.1:0".parse().unwrap())], &["localhost:1", "127.0.0.1"]);
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Sample {
    #[serde(deserialize_with = "one")]
    drain: Option<Duration>,
    #[serde(deserialize_with = "many")]
    deny_port: Vec<u16>,
}

fn sample(text: &str) -> Result<Sample, String> {
    parse(Path::new("relay.toml"), text).map_err(|failure| failure.to_string())
}

#[test]
fn a_file_takes_strings_numbers_and_lists() {
    for (text, drain, ports) in [
        ("", None, vec![]),
        ("drain = \"2s\"\ndeny-port = 6881", Some(2_000), vec![6_881]),
        ("drain = 2\ndeny-port = [\"25\", 6881]", Some(2_000), vec![25, 6_881]),
        ("drain = 0.5\ndeny-port = \"25\"", Some(500), vec![25]),
    ] {
        let sample = sample(text).unwrap();
        assert_eq!(sample.drain, drain.map(Duration::from_millis), "{text}");
        assert_eq!(sample.deny_port, ports, "{text}");
    }
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    for (text, told) in [
        ("\n\ndrian = 2", "relay.toml, line 3: unknown key `drian`"),
        ("\ndrain = \"soon\"", "relay.toml, line 2: write a number and a unit"),
        ("drain = true", "relay.toml, line 1: invalid type"),
        ("drain = 1\ndeny-port = [\n25,\n0\n]", "relay.toml, line 4: write a port"),
        ("drain = 1\ndrain = 2", "relay.toml, line 2: duplicate key"),
        ("drain = ", "relay.toml, line 1:"),
        ("\ndrain = 10s", "relay.toml, line 2: the value of `drain` needs quotes: drain = \"...\""),
        (
            "deny-port = [\"25\", http]",
            "relay.toml, line 1: each text in the list of `deny-port` needs quotes",
        ),
        ("color = 5", "relay.toml, line 1: unknown key `color`; there are `deny-port` and `drain`"),
        ("drain = soon", "relay.toml, line 1: the value of `drain` needs quotes"),
        ("deny-port = 127.0.0.1:0", "relay.toml, line 1: the value of `deny-port` needs quotes"),
        ("\"a\\nb\" = 1", "relay.toml, line 1: unknown key `a\\nb`"),
    ] {
        let error = sample(text).unwrap_err();
        assert!(error.starts_with(told), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_target_that_is_more_than_one_says_what_to_leave_out() {
    for (text, told) in [
        ("https://relay.example:443/path", "write HOST:PORT alone, without a scheme"),
        ("http://relay.example", "without a scheme"),
        ("alice:pw@relay.example:443", "without a user and a password"),
        ("relay.example:443/path", "without a path"),
        ("[fe80::1%eth0]:443", "zones of IPv6 addresses (%eth0) are not supported"),
        ("bücher.example:443", "this one is xn--bcher-kva.example:443"),
        ("relay.example :443", "without spaces"),
        ("256.1.1.1:443", "256.1.1.1 is no IP address"),
        ("127.1:443", "no name ends in a number"),
        ("relay.example", "the port is missing"),
        ("2001:db8::1:443", "an IPv6 address needs brackets"),
    ] {
        let said = Target::read(text).unwrap_err();
        assert!(said.contains(told) && !said.contains("pw"), "{text}: {said}");
        let forward = Forward::read(&format!("tcp:127.0.0.1:0={text}")).unwrap_err();
        assert!(forward.contains(told), "{text}: {forward}");
        let probe = Probe::read(&format!("udp:{text}")).unwrap_err();
        assert!(probe.contains(told), "{text}: {probe}");
    }
    assert!(Host::read("relay.example:1/").unwrap_err().contains("without a path"));
    let local = SocketAddr::read("localhost:1080").unwrap_err();
    assert_eq!(local, "write an IP address and a port: 127.0.0.1:1080 or [::1]:1080");
}
