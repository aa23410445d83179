use core::net::IpAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::{AddressPolicy, Bucket, Cidr, CidrError, Denied, RateLimit, SourceLimits, TargetPolicy};
use crate::base::Instant;

fn judge(policy: &AddressPolicy, address: &str) -> Result<(), &'static str> {
    policy.judge(address.parse().unwrap()).map_err(|forbidden| forbidden.rule)
}

#[test]
fn special_addresses_are_forbidden_from_their_first_to_their_last() {
    let policy = AddressPolicy::default();
    for text in [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fdff::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(judge(&policy, text).is_err(), "{text}");
    }
    for text in [
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2003::1",
        "fbff::1",
    ] {
        assert_eq!(judge(&policy, text), Ok(()), "{text}");
    }
}

#[test]
fn what_is_allowed_opens_its_range_in_every_form_and_nothing_else() {
    let allow =
        vec!["127.0.0.0/8".parse().unwrap(), "0.0.0.0/8".parse().unwrap(), "224.0.0.0/4".parse().unwrap()];
    let policy = AddressPolicy { allow, deny: vec!["127.0.0.9".parse().unwrap()] };
    assert_eq!(judge(&policy, "127.0.0.1"), Ok(()));
    assert_eq!(judge(&policy, "::ffff:127.0.0.1"), Ok(()));
    for text in [
        "127.0.0.9",
        "::ffff:127.0.0.9",
        "::127.0.0.1",
        "2002:7f00:1::",
        "10.0.0.1",
        "::1",
        "0.0.0.0",
        "224.0.0.1",
    ] {
        assert!(judge(&policy, text).is_err(), "{text}");
    }
}

#[test]
fn a_relay_is_no_target_of_itself() {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    let policy = TargetPolicy {
        addresses: AddressPolicy { allow, deny: Vec::new() },
        own: vec!["0.0.0.0:8443".parse().unwrap()],
        ..TargetPolicy::default()
    };
    let judge = |address: &str| policy.judge(address.parse().unwrap(), &["127.0.0.2:9".parse().unwrap()]);
    assert!(matches!(judge("127.0.0.1:8443"), Err(Denied::Own(_))));
    assert!(matches!(judge("[::1]:8443"), Err(Denied::Own(_))));
    assert!(matches!(judge("[::ffff:127.0.0.2]:9"), Err(Denied::Own(_))));
    assert_eq!(judge("127.0.0.1:8444"), Ok(()));
    assert_eq!(judge("127.0.0.1:9"), Ok(()));
    assert_eq!(policy.judge_port(25), Err(Denied::Port(25)));
    assert_eq!(policy.judge_port(443), Ok(()));
}

#[test]
fn ranges_are_read_strictly() {
    for text in ["10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::/0", "192.0.2.1/32"] {
        assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
    }
    assert_eq!("192.0.2.1".parse::<Cidr>().unwrap().to_string(), "192.0.2.1/32");
    let network: IpAddr = "10.0.0.0".parse().unwrap();
    assert_eq!("10.0.0.1/8".parse::<Cidr>(), Err(CidrError::HostBits { network, length: 8 }));
    for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/8/8"] {
        assert!(matches!(text.parse::<Cidr>(), Err(CidrError::Length { .. })), "{text}");
    }
    assert_eq!("10.0/8".parse::<Cidr>(), Err(CidrError::Address));
    let everything: Cidr = "0.0.0.0/0".parse().unwrap();
    assert!(everything.contains("255.255.255.255".parse().unwrap()));
    assert!(!everything.contains("::1".parse().unwrap()));
}

#[test]
fn a_source_waits_after_its_burst_and_only_that_source() {
    let mut limits = SourceLimits::new(RateLimit { per_second: 1, burst: 3 });
    let guesser: IpAddr = "2001:db8::1".parse().unwrap();
    let now = Instant::from_millis(5_000);
    for _ in 0..3 {
        assert_eq!(limits.blocked(now, guesser), None);
        limits.fail(now, guesser);
    }
    assert_eq!(limits.blocked(now, guesser), None, "the burst is spent, not exceeded");
    limits.fail(now, guesser);
    assert_eq!(limits.blocked(now, "2001:db8::2".parse().unwrap()), Some(now + Duration::from_secs(1)));
    assert_eq!(limits.blocked(now, "2001:db8:0:1::1".parse().unwrap()), None);
    assert_eq!(limits.blocked(now + Duration::from_secs(1), guesser), None);
}

proptest! {
    #[test]
    fn over_any_time_no_more_passes_than_burst_and_rate_allow(
        steps in prop::collection::vec((0u64..2_000, 1u64..50), 1..200),
        per_second in 1u64..200,
        burst in 1u64..200,
    ) {
        let limit = RateLimit { per_second, burst };
        let (mut bucket, mut now, mut passed) = (Bucket::default(), Instant::from_millis(0), 0);
        for (wait, units) in steps {
            now = now + Duration::from_millis(wait);
            if !bucket.is_over(now, &limit) {
                bucket.charge(now, &limit, units);
                passed += units;
            }
            // One charge may overshoot, since what arrived has to be forwarded; the next waits for it.
            let most = burst + per_second * now.as_millis() / 1_000 + 50 + 1;
            prop_assert!(passed <= most, "{passed} of {most}");
        }
    }
}
