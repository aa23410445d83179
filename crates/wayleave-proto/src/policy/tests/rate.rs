use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use proptest::prelude::*;

use crate::base::Instant;
use crate::policy::{Bucket, RateLimit, SourceLimits};
use crate::testing::cases;

/// The bucket as a textbook has it, in billionths of a unit.
struct Naive {
    level: u128,
    at: Instant,
}

impl Naive {
    fn take(&mut self, now: Instant, limit: &RateLimit, amount: u64) -> bool {
        let refill = now.since(self.at).as_nanos() * u128::from(limit.per_second);
        self.level = (self.level + refill).min(u128::from(limit.burst) * 1_000_000_000);
        self.at = now;
        let price = u128::from(amount) * 1_000_000_000;
        let enough = self.level >= price;
        if enough {
            self.level -= price;
        }
        enough
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_bucket_does_what_the_textbook_does(
        // Divisors of a second, so that the textbook's division is exact as well.
        per_second in prop::sample::select(vec![1_u64, 2, 5, 8, 1_000, 64_000, 1_000_000, 1_000_000_000]),
        burst in 0_u64..50,
        steps in prop::collection::vec((0_u64..3_000, 0_u64..60), 1..60),
    ) {
        let limit = RateLimit { per_second, burst };
        let mut bucket = Bucket::new();
        let mut naive = Naive { level: u128::from(burst) * 1_000_000_000, at: Instant::ZERO };
        let mut now = Instant::ZERO;
        for (gap, amount) in steps {
            now = now + Duration::from_nanos(gap * (2_000_000_000 / per_second / 1_000).max(1));
            let taken = bucket.take(now, &limit, amount);
            prop_assert_eq!(taken.is_ok(), naive.take(now, &limit, amount), "at {} amount {}", now, amount);
            if let Err(again) = taken && amount <= burst {
                let mut copy = bucket;
                prop_assert!(again > now);
                prop_assert!(copy.take(again, &limit, amount).is_ok());
                let before = Instant::from_nanos(again.as_nanos() - 1);
                prop_assert!(bucket.ready_at(before, &limit, amount).is_some());
            }
        }
    }

    #[test]
    fn no_rate_is_exceeded_in_the_long_run(per_second in 1_u64..20_000_000_000, burst in 1_u64..100_000) {
        let limit = RateLimit { per_second, burst };
        let (mut bucket, mut taken, mut now) = (Bucket::new(), 0_u128, Instant::ZERO);
        for _ in 0..200 {
            match bucket.take(now, &limit, burst.min(1_000)) {
                Ok(()) => taken += u128::from(burst.min(1_000)),
                Err(again) => now = again,
            }
        }
        let most = u128::from(burst) + now.since(Instant::ZERO).as_nanos() * u128::from(per_second) / 1_000_000_000;
        prop_assert!(taken <= most + 1, "{} of {}", taken, most);
    }
}

#[test]
fn the_whole_burst_passes_at_any_rate() {
    for (per_second, burst) in [(3, 3), (7, 100), (1_000_003, 4_096), (10_000_000_000, 12_000)] {
        let limit = RateLimit { per_second, burst };
        let mut bucket = Bucket::new();
        for _ in 0..burst {
            assert_eq!(bucket.take(Instant::ZERO, &limit, 1), Ok(()), "{limit:?}");
        }
        assert!(bucket.take(Instant::ZERO, &limit, 1).is_err(), "{limit:?}");
    }
}

#[test]
fn the_extremes_are_defined() {
    let end = Instant::from_nanos(u64::MAX);
    let now = Instant::from_millis(5);
    let zero = RateLimit { per_second: 0, burst: 10 };
    assert_eq!(Bucket::new().take(now, &zero, 1), Err(end));
    assert_eq!(Bucket::new().take(now, &zero, 0), Ok(()));
    let small = RateLimit { per_second: 1, burst: 1 };
    assert_eq!(Bucket::new().take(now, &small, 2), Err(end), "more than the burst never fits");
    let huge = RateLimit { per_second: u64::MAX, burst: u64::MAX };
    assert_eq!(Bucket::new().take(end, &huge, u64::MAX), Ok(()));
    let slow = RateLimit { per_second: 1, burst: u64::MAX };
    let mut bucket = Bucket::new();
    assert_eq!(bucket.take(end, &slow, u64::MAX), Ok(()));
    assert!(bucket.take(end, &slow, u64::MAX).is_err());
    // An older moment counts for nothing and gives nothing back.
    let mut bucket = Bucket::new();
    assert_eq!(bucket.take(now, &small, 1), Ok(()));
    assert_eq!(bucket.take(Instant::ZERO, &small, 1), Err(now + Duration::from_secs(1)));
}

#[test]
fn a_source_that_fails_too_often_is_suspected_alone() {
    let mut sources = SourceLimits::default();
    let [bad, good]: [IpAddr; 2] = ["198.51.100.1".parse().unwrap(), "198.51.100.2".parse().unwrap()];
    let now = Instant::from_millis(1_000);
    for _ in 0..20 {
        assert_eq!(sources.suspected_until(now, bad), None);
        sources.record_failure(now, bad);
    }
    let again = now + Duration::from_secs(1);
    assert_eq!(sources.suspected_until(now, bad), Some(again));
    assert_eq!(sources.suspected_until(now, "::ffff:198.51.100.1".parse().unwrap()), Some(again));
    assert_eq!(sources.suspected_until(now, good), None);
    // What fails meanwhile does not make it longer.
    sources.record_failure(now, bad);
    assert_eq!(sources.suspected_until(again, bad), None);
    sources.record_failure(again, bad);
    assert_eq!(sources.suspected_until(again, bad), Some(again + Duration::from_secs(1)));
}

#[test]
fn a_suspected_source_is_judged_at_a_rate() {
    let mut sources = SourceLimits::default();
    let [bad, good]: [IpAddr; 2] = ["198.51.100.1".parse().unwrap(), "198.51.100.2".parse().unwrap()];
    let now = Instant::from_millis(1_000);
    for _ in 0..100 {
        assert!(sources.may_try(now, bad), "nobody is suspected yet");
    }
    for _ in 0..20 {
        sources.record_failure(now, bad);
    }
    let tries =
        |sources: &mut SourceLimits, now, source| (0..100).filter(|_| sources.may_try(now, source)).count();
    assert_eq!((tries(&mut sources, now, bad), tries(&mut sources, now, good)), (10, 100));
    let later = now + Duration::from_millis(500);
    assert_eq!(tries(&mut sources, later, bad), 5);
    assert_eq!(tries(&mut sources, now + Duration::from_secs(1), bad), 100, "not suspected any more");
}

#[test]
fn addresses_of_one_64_are_one_source() {
    let one = RateLimit { per_second: 1, burst: 1 };
    let mut sources = SourceLimits::new(one, one, 8);
    sources.record_failure(Instant::ZERO, "2001:db8:0:1::1".parse().unwrap());
    assert!(sources.suspected_until(Instant::ZERO, "2001:db8:0:1:ffff::2".parse().unwrap()).is_some());
    assert!(sources.suspected_until(Instant::ZERO, "2001:db8:0:2::1".parse().unwrap()).is_none());
}

#[test]
fn the_table_of_sources_is_bounded_and_forgets_what_rests() {
    let two = RateLimit { per_second: 1, burst: 2 };
    let mut sources = SourceLimits::new(two, two, 100);
    let source = |n: u32| IpAddr::V4(Ipv4Addr::from(n));
    for _ in 0..2 {
        sources.record_failure(Instant::ZERO, source(7));
    }
    for n in 1_000..2_000 {
        sources.record_failure(Instant::ZERO, source(n));
        assert!(sources.len() <= 100);
    }
    assert!(sources.suspected_until(Instant::ZERO, source(7)).is_some(), "the worst is kept");
    let later = Instant::from_millis(60_000);
    for n in 0..100 {
        sources.record_failure(later, source(n % 2));
    }
    assert_eq!(sources.len(), 2);
    let mut none = SourceLimits::new(two, two, 0);
    none.record_failure(later, source(1));
    assert!(none.is_empty());
}
