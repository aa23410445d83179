use core::net::IpAddr;
use core::time::Duration;

use proptest::prelude::*;

use super::{Race, interleave};
use crate::base::Instant;
use crate::testing::cases;

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn race(candidates: &[char]) -> Race<char> {
    let mut race = Race::<char>::new(Race::<char>::STAGGER);
    assert_eq!(race.add(candidates.iter().copied()), candidates.len());
    race
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn the_first_starts_at_once_and_the_next_after_the_stagger() {
    let mut race = race(&['a', 'b', 'c']);
    assert_eq!(race.poll_timeout(), Some(at(0)));
    assert_eq!(race.poll_start(at(100)), Some('a'));
    assert_eq!(race.poll_start(at(100)), None);
    assert_eq!(race.poll_timeout(), Some(at(350)));
    assert_eq!(race.poll_start(at(349)), None);
    assert_eq!(race.poll_start(at(350)), Some('b'));
    assert_eq!(race.poll_start(at(350)), None);
    // A late caller starts one, not two, and the stagger counts from there.
    assert_eq!(race.poll_start(at(5_000)), Some('c'));
    assert_eq!((race.running(), race.waiting(), race.poll_timeout()), (3, 0, None));
}

#[test]
fn a_failure_starts_the_next_at_once() {
    let mut race = race(&['a', 'b', 'c']);
    assert_eq!(race.poll_start(at(0)), Some('a'));
    race.handle_failed(at(20));
    assert_eq!(race.poll_timeout(), Some(at(20)));
    assert_eq!(race.poll_start(at(20)), Some('b'));
    assert_eq!(race.poll_start(at(20)), None);
    assert_eq!(race.poll_timeout(), Some(at(270)));
}

#[test]
fn a_late_candidate_waits_only_for_what_is_left_of_the_stagger() {
    let mut race = race(&['a']);
    assert_eq!(race.poll_start(at(0)), Some('a'));
    race.add(['b']);
    assert_eq!(race.poll_start(at(100)), None);
    assert_eq!(race.poll_start(at(250)), Some('b'));
    race.add(['c']);
    assert_eq!(race.poll_start(at(2_000)), Some('c'));
}

#[test]
fn after_a_failure_with_nobody_waiting_a_late_candidate_starts_at_once() {
    let mut race = race(&['a']);
    assert_eq!(race.poll_start(at(0)), Some('a'));
    race.handle_failed(at(10));
    assert!(race.is_exhausted());
    race.add(['b']);
    assert!(!race.is_exhausted());
    assert_eq!(race.poll_start(at(11)), Some('b'));
    assert!(!race.is_exhausted());
}

#[test]
fn a_failure_that_nobody_had_is_ignored_and_time_never_runs_back() {
    let mut race = race(&['a', 'b']);
    assert_eq!(race.poll_start(at(500)), Some('a'));
    assert_eq!(race.poll_start(at(0)), None);
    race.handle_failed(at(0));
    assert_eq!(race.poll_start(at(0)), Some('b'));
    race.handle_failed(at(600));
    race.handle_failed(at(600));
    assert_eq!(race.running(), 0);
    race.add(['c']);
    assert_eq!(race.poll_start(at(600)), Some('c'));
    assert_eq!(race.poll_timeout(), None);
}

#[test]
fn the_stagger_has_a_least() {
    let mut race = Race::new(Duration::ZERO);
    race.add(['a', 'b']);
    assert_eq!(race.poll_start(at(0)), Some('a'));
    assert_eq!(race.poll_start(at(9)), None);
    assert_eq!(race.poll_start(at(10)), Some('b'));
}

#[test]
fn the_65th_waiting_candidate_is_dropped() {
    let mut race = Race::new(Duration::ZERO);
    assert_eq!(race.add(0..70), 64);
    assert_eq!(race.add([70]), 0);
    assert_eq!(race.poll_start(at(0)), Some(0));
    assert_eq!(race.add([71]), 1);
    assert_eq!(race.waiting(), 64);
}

#[test]
fn families_take_turns_from_the_first() {
    let check = |given: &[&str], expected: &[&str]| {
        assert_eq!(interleave(&addresses(given), false), addresses(expected), "{given:?}");
    };
    check(&[], &[]);
    check(&["192.0.2.1"], &["192.0.2.1"]);
    check(
        &["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"],
        &["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"],
    );
    check(
        &["192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.2"],
        &["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"],
    );
    check(&["192.0.2.1", "192.0.2.2", "192.0.2.1"], &["192.0.2.1", "192.0.2.2"]);
    check(&["2001:db8::1", "192.0.2.1", "192.0.2.2"], &["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
}

#[test]
fn ipv4_comes_first_where_it_is_wanted() {
    let given = addresses(&["2001:db8::1", "2001:db8::2", "192.0.2.1"]);
    assert_eq!(interleave(&given, true), addresses(&["192.0.2.1", "2001:db8::1", "2001:db8::2"]));
    assert_eq!(interleave(&given[..2], true), given[..2], "there is nothing else");
}

#[test]
fn late_candidates_take_turns_with_those_that_wait() {
    let mut race = race(&['a', 'b', 'c', 'd']);
    assert_eq!(race.poll_start(at(0)), Some('a'));
    assert_eq!(race.add(['x', 'y']), 2);
    let order: String = (1..6).filter_map(|turn| race.poll_start(at(turn * 250))).collect();
    assert_eq!(order, "xbycd");
}

#[test]
fn the_bound_keeps_both_families() {
    let many: Vec<IpAddr> = (0..100_u128)
        .map(|n| IpAddr::V6((0x2001_0db8 << 96 | n).into()))
        .chain(addresses(&["192.0.2.1"]))
        .collect();
    let order = interleave(&many, false);
    assert_eq!(order.len(), 16);
    assert_eq!(order[1], many[100]);
    assert_eq!(order[15], many[14]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(64) })]

    #[test]
    fn interleaving_keeps_what_there_is_once(picks in proptest::collection::vec((any::<bool>(), 0_u8..12), 0..40)) {
        let given: Vec<IpAddr> = picks
            .iter()
            .map(|(v4, n)| if *v4 { [192, 0, 2, *n].into() } else { [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(*n)].into() })
            .collect();
        let order = interleave(&given, false);
        let mut distinct = given.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(order.len(), distinct.len().min(16));
        prop_assert!(order.iter().all(|address| given.contains(address)));
        prop_assert!(order.iter().enumerate().all(|(n, address)| !order[..n].contains(address)));
        prop_assert_eq!(order.first(), given.first());
    }

    #[test]
    fn starts_are_a_stagger_apart_unless_something_failed(steps in proptest::collection::vec((0_u64..400, 0_u8..3), 0..60)) {
        let mut race = Race::new(Race::<u64>::STAGGER);
        let (mut now, mut pushed, mut started, mut failed) = (0, 0, 0, 0);
        let mut free_from = 0;
        for (pass, input) in steps {
            now += pass;
            match input {
                0 => { race.add([pushed]); pushed += 1; }
                1 if race.running() > 0 => { race.handle_failed(at(now)); failed += 1; free_from = free_from.min(now); }
                _ => {
                    let expected = now >= free_from && started < pushed;
                    prop_assert_eq!(race.poll_start(at(now)).is_some(), expected);
                    if expected { started += 1; free_from = now + 250; }
                }
            }
            prop_assert_eq!(race.running() as u64, started - failed);
            prop_assert_eq!(race.poll_timeout(), (started < pushed).then_some(at(free_from)));
        }
    }
}
