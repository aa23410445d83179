use core::time::Duration;

use super::Backoff;
use crate::base::Seed;
use crate::config::BackoffConfig;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn waits_double_up_to_the_bound_and_start_over() {
    let config = BackoffConfig { jitter: 0, most: ms(3_000), ..BackoffConfig::default() };
    let mut rng = Seed::new([1; 32]).stream("backoff");
    let mut backoff = Backoff::new();
    let waits: Vec<_> = (0..5).map(|_| backoff.next(&config, &mut rng)).collect();
    assert_eq!(waits, [ms(500), ms(1_000), ms(2_000), ms(3_000), ms(3_000)]);
    backoff.reset();
    assert_eq!(backoff.next(&config, &mut rng), ms(500));
}

#[test]
fn jitter_takes_off_at_most_its_share_and_fills_it() {
    let config = BackoffConfig { first: ms(1_000), most: ms(1_000), jitter: 50, factor: 2 };
    let mut rng = Seed::new([2; 32]).stream("backoff");
    let mut backoff = Backoff::new();
    let waits: Vec<_> = (0..500).map(|_| backoff.next(&config, &mut rng)).collect();
    assert!(waits.iter().all(|wait| (ms(500)..=ms(1_000)).contains(wait)));
    assert!(waits.iter().any(|wait| *wait < ms(550)));
    assert!(waits.iter().any(|wait| *wait > ms(950)));
}

#[test]
fn the_same_seed_waits_the_same() {
    let config = BackoffConfig::default();
    let waits = |byte| {
        let mut rng = Seed::new([byte; 32]).stream("backoff");
        let mut backoff = Backoff::new();
        (0..9).map(|_| backoff.next(&config, &mut rng)).collect::<Vec<_>>()
    };
    assert_eq!(waits(3), waits(3));
    assert_ne!(waits(3), waits(4));
}

#[test]
fn absurd_configurations_saturate() {
    let config =
        BackoffConfig { first: Duration::MAX, most: Duration::MAX, factor: u32::MAX, jitter: u8::MAX };
    let mut rng = Seed::new([5; 32]).stream("backoff");
    let mut backoff = Backoff::new();
    for _ in 0..10 {
        assert!(backoff.next(&config, &mut rng) > Duration::ZERO);
    }
    let none = BackoffConfig { first: Duration::ZERO, most: Duration::ZERO, factor: 0, jitter: 100 };
    assert_eq!(Backoff::new().next(&none, &mut rng), Duration::ZERO);
}
