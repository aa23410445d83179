use super::*;

#[test]
fn only_who_waited_shortly_lets_packets_gather() {
    let gathering = Gathering::new(Duration::from_secs(3_600));
    let sleeps = |gathering: &Gathering| {
        let mut slept = false;
        gathering.before_wait(|_| slept = true);
        slept
    };
    assert!(!sleeps(&gathering), "the first wait may be long");
    gathering.after_wait();
    assert!(sleeps(&gathering), "the last wait was shorter than an hour");
    gathering.waited.store(u64::MAX, Ordering::Relaxed);
    assert!(!sleeps(&gathering), "nothing had come for long");
}
