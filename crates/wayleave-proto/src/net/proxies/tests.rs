use core::time::Duration;

use super::Proxies;
use crate::base::{Instant, Seed};
use crate::config::BackoffConfig;

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Waits of exactly 500 ms, 1 s, 2 s and so on.
fn proxies(count: usize) -> Proxies {
    Proxies::new(count, &Seed::new([1; 32]), BackoffConfig { jitter: 0, ..BackoffConfig::default() })
}

#[track_caller]
fn check(proxies: &Proxies, millis: u64, expected: &[usize]) {
    assert_eq!(proxies.order(at(millis)).as_slice(), expected);
}

#[test]
fn nothing_known_is_the_configured_order() {
    check(&proxies(0), 0, &[]);
    check(&proxies(6), 0, &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_last_good_one_comes_first() {
    let mut proxies = proxies(3);
    proxies.handle_good(2);
    check(&proxies, 0, &[2, 0, 1]);
    proxies.handle_good(1);
    check(&proxies, 0, &[1, 0, 2]);
}

#[test]
fn a_failed_one_goes_last_until_its_backoff_ends() {
    let mut proxies = proxies(3);
    proxies.handle_failed(at(0), 0, None);
    check(&proxies, 0, &[1, 2, 0]);
    check(&proxies, 499, &[1, 2, 0]);
    check(&proxies, 500, &[0, 1, 2]);
    proxies.handle_failed(at(500), 0, None);
    check(&proxies, 1_499, &[1, 2, 0]);
    check(&proxies, 1_500, &[0, 1, 2]);
}

#[test]
fn when_all_failed_all_are_tried_the_last_good_one_first() {
    let mut proxies = proxies(3);
    proxies.handle_good(1);
    for index in 0..3 {
        proxies.handle_failed(at(0), index, None);
    }
    check(&proxies, 1, &[1, 0, 2]);
}

#[test]
fn a_good_one_that_fails_comes_back_first() {
    let mut proxies = proxies(2);
    proxies.handle_good(1);
    proxies.handle_failed(at(0), 1, None);
    check(&proxies, 1, &[0, 1]);
    check(&proxies, 500, &[1, 0]);
}

#[test]
fn success_starts_the_backoff_over() {
    let mut proxies = proxies(2);
    proxies.handle_failed(at(0), 0, None);
    proxies.handle_failed(at(500), 0, None);
    proxies.handle_good(0);
    check(&proxies, 501, &[0, 1]);
    proxies.handle_failed(at(600), 0, None);
    check(&proxies, 1_099, &[1, 0]);
    check(&proxies, 1_100, &[0, 1]);
}

#[test]
fn failures_within_the_backoff_are_one_failure() {
    let mut proxies = proxies(2);
    for _ in 0..1_000 {
        proxies.handle_failed(at(0), 0, None);
    }
    check(&proxies, 500, &[0, 1]);
    proxies.handle_failed(at(500), 0, None);
    check(&proxies, 1_499, &[1, 0]);
    check(&proxies, 1_500, &[0, 1]);
}

#[test]
fn retry_after_lengthens_and_is_bounded() {
    let mut proxies = proxies(2);
    proxies.handle_failed(at(0), 0, Some(Duration::from_millis(1)));
    check(&proxies, 499, &[1, 0]);
    proxies.handle_failed(at(100), 0, Some(Duration::from_secs(60)));
    check(&proxies, 60_099, &[1, 0]);
    check(&proxies, 60_100, &[0, 1]);
    proxies.handle_failed(at(100_000), 0, Some(Duration::MAX));
    check(&proxies, 3_699_999, &[1, 0]);
    check(&proxies, 3_700_000, &[0, 1]);
}

#[test]
fn another_network_forgets_failures_and_keeps_the_last_good_one() {
    let mut proxies = proxies(3);
    proxies.handle_good(2);
    proxies.handle_failed(at(0), 2, Some(Duration::from_secs(60)));
    proxies.handle_failed(at(0), 0, None);
    proxies.forget();
    check(&proxies, 1, &[2, 0, 1]);
    proxies.handle_failed(at(1), 0, None);
    check(&proxies, 501, &[2, 0, 1]);
}

#[test]
fn an_index_that_is_none_is_ignored() {
    let mut proxies = proxies(1);
    proxies.handle_good(7);
    proxies.handle_failed(at(0), 7, None);
    check(&proxies, 0, &[0]);
}
