use core::net::IpAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::{Beside, Clock, Host, Instant, Name, Secret, Seed, Slots, Target, TargetError, Timers, UnixTime};
use crate::net::SocketId as TestId;
use crate::testing::cases;

#[test]
fn a_removed_key_never_finds_its_successor() {
    let mut slots: Slots<TestId, &str> = Slots::new();
    let first = slots.insert("first");
    assert_eq!(slots.remove(first), Some("first"));
    let second = slots.insert("second");
    assert_eq!(slots.get(first), None);
    assert_eq!(slots.remove(first), None);
    assert_eq!(slots.get(second), Some(&"second"));
    assert_eq!(TestId::from_u64(second.as_u64()), second);
    assert_eq!((slots.len(), first.to_string(), second.to_string()), (1, "s0".into(), "s0.1".into()));
}

#[test]
fn a_table_beside_another_knows_its_generations() {
    let (first, next) = (TestId::from_u64(3), TestId::from_u64(1 << 32 | 3));
    let mut beside = Beside::new();
    beside.insert(first, 'a');
    assert_eq!(beside.get_mut(next), None);
    assert_eq!(beside.get_mut(TestId::from_u64(2)), None);
    beside.insert(next, 'b');
    assert_eq!(beside.get_mut(first), None);
    assert_eq!(beside.remove(first), None);
    assert_eq!(beside.remove(next), Some('b'));
    assert_eq!(beside.remove(next), None);
}

#[test]
fn timers_come_due_in_order_and_are_replaced() {
    let mut timers = Timers::new();
    timers.set('b', Some(Instant::from_millis(2)));
    timers.set('a', Some(Instant::from_millis(9)));
    timers.set('a', Some(Instant::from_millis(1)));
    timers.set('c', Some(Instant::from_millis(3)));
    timers.set('c', None);
    assert_eq!(timers.next(), Some(Instant::from_millis(1)));
    assert_eq!(timers.pop_due(Instant::ZERO), None);
    assert_eq!(timers.pop_due(Instant::from_millis(5)), Some('a'));
    assert_eq!(timers.pop_due(Instant::from_millis(5)), Some('b'));
    assert_eq!(timers.pop_due(Instant::from_millis(5)), None);
    assert!(timers.is_empty());
}

#[test]
fn streams_of_a_seed_repeat_and_differ_by_label() {
    let seed = Seed::new([7; 32]);
    assert_eq!(seed.stream("a").draw(), seed.stream("a").draw());
    assert_ne!(seed.stream("a").draw(), seed.stream("b").draw());
    let mut rng = seed.stream("a");
    assert!((0..1000).all(|_| rng.below(10) < 10));
    assert_eq!(rng.below(0), 0);
}

#[test]
fn the_clock_converts_both_ways_and_saturates() {
    let clock = Clock::new(Instant::from_millis(500), UnixTime::from_secs(1_000));
    let now = Instant::from_millis(1_500);
    assert_eq!(clock.unix(now), UnixTime::from_secs(1_001));
    assert_eq!(clock.instant(now, UnixTime::from_secs(1_003)), Instant::from_millis(3_500));
    assert_eq!(clock.instant(now, UnixTime::from_secs(5)), now);
    assert_eq!(Instant::from_nanos(u64::MAX) + Duration::from_secs(1), Instant::from_nanos(u64::MAX));
    assert_eq!(Instant::ZERO.since(now), Duration::ZERO);
}

#[test]
fn a_clock_is_tied_anew_where_the_two_have_parted() {
    let mut clock = Clock::new(Instant::ZERO, UnixTime::from_secs(1_000));
    let now = Instant::from_millis(10_000);
    // Small steps are those of a clock that is kept right.
    assert!(
        !clock.tie(now, UnixTime::from_millis(1_010_099))
            && !clock.tie(now, UnixTime::from_millis(1_009_901))
    );
    assert_eq!(clock.unix(now), UnixTime::from_secs(1_010));
    for shown in [1_010_100, 50_000_000, 0, 100] {
        let shown = UnixTime::from_millis(shown);
        assert!(clock.tie(now, shown), "{shown:?}");
        assert!(!clock.tie(now, shown));
        assert_eq!(clock.unix(now), shown);
    }
}

#[test]
fn a_civil_moment_is_waited_for_in_steps_of_a_minute() {
    let clock = Clock::new(Instant::ZERO, UnixTime::from_secs(1_000));
    let now = Instant::from_millis(1_000);
    for (civil, look) in [(900, 1_000), (1_001, 1_000), (1_031, 31_000), (1_061, 61_000), (90_000, 61_000)] {
        assert_eq!(clock.look_at(now, UnixTime::from_secs(civil)), Instant::from_millis(look));
    }
    let moment = UnixTime::from_secs(100);
    assert_eq!(moment.after(Duration::from_secs(1)), UnixTime::from_secs(101));
    assert_eq!(
        (moment.before(Duration::from_secs(101)), moment.after(Duration::MAX)),
        (UnixTime::from_secs(0), UnixTime::from_millis(u64::MAX))
    );
}

#[test]
fn a_secret_does_not_show_itself() {
    assert_eq!(format!("{:?}", Secret::new(String::from("hunter2"))), "[secret]");
}

#[test]
fn targets_are_read_strictly() {
    for text in
        ["a.example:443", "192.0.2.1:1", "[2001:db8::1]:65535", "x_y-z:80", "127.1:80", "0x7f000001:80"]
    {
        assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(text.into()));
    }
    assert_eq!("A.Example.:80".parse::<Target>().unwrap().to_string(), "a.example:80");
    assert!(matches!("127.1:80".parse::<Target>().unwrap().host, Host::Name(_)), "a short form is a name");
    let long = format!("{}:1", "a.".repeat(128));
    for (text, error) in [
        ("a.example", TargetError::NoPort),
        ("a.example:", TargetError::NoPort),
        ("a.example:0", TargetError::Port),
        ("a.example:65536", TargetError::Port),
        ("a.example:4294967739", TargetError::Port),
        ("a.example:+80", TargetError::Port),
        ("a.example:0x50", TargetError::Port),
        ("2001:db8::1:443", TargetError::Brackets),
        ("[2001:db8::1:443", TargetError::Host),
        ("[fe80::1%eth0]:443", TargetError::Host),
        ("[192.0.2.1]:443", TargetError::Host),
        (":443", TargetError::Host),
        ("a..b:443", TargetError::Host),
        ("a b:443", TargetError::Host),
        ("user@a:443", TargetError::Host),
        (long.as_str(), TargetError::Host),
        ("192.0.2.46.:443", TargetError::Host),
    ] {
        assert_eq!(text.parse::<Target>(), Err(error), "{text}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_target_reads_as_it_was_written(address in any::<IpAddr>(), name in "[a-z0-9_-]{1,20}(\\.[a-z0-9-]{1,20}){0,3}", port in 1_u16..) {
        for host in [Host::Address(address), name.parse().unwrap()] {
            let target = Target::new(host, port).unwrap();
            prop_assert_eq!(target.to_string().parse(), Ok(target));
        }
    }

    #[test]
    fn any_text_is_a_target_or_none(text in "\\PC{0,40}|[a-z0-9.:\\[\\]%-]{0,30}:[0-9]{0,6}") {
        if let Ok(target) = text.parse::<Target>() {
            prop_assert_eq!(target.to_string().parse(), Ok(target));
        }
    }
}

#[test]
fn a_final_dot_is_no_part_of_a_name_and_says_how_to_look_it_up() {
    let cases = [
        ("a.example", true, "a.example."),
        ("A.example.", true, "a.example."),
        ("printer", false, "printer"),
        ("printer.", true, "printer."),
    ];
    for (text, is_absolute, question) in cases {
        let name: Name = text.parse().unwrap();
        assert_eq!((name.is_absolute(), name.question().as_str()), (is_absolute, question), "{text}");
        let rooted = name.clone().rooted();
        assert!(rooted.is_absolute() && rooted == name && rooted.question().ends_with('.'));
    }
    let (with, without): (Name, Name) = ("printer.".parse().unwrap(), "printer".parse().unwrap());
    assert_eq!((&with, with.to_string()), (&without, "printer".into()));
    assert!(std::collections::BTreeSet::from([with]).contains(&without));
}
