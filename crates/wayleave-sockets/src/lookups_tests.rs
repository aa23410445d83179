//! Look-ups on threads: all are done, and their queue has an end.

use std::task::Context;

use super::*;

fn name() -> Name {
    "localhost".parse().expect("a name")
}

#[test]
fn more_names_than_threads_are_all_looked_up() {
    let lookups = Arc::new(Lookups::default());
    let mut running: Vec<_> = (0..4 * MOST_THREADS).map(|_| Box::pin(lookups.begin(&name()))).collect();
    // These are given up, most before their turn has come.
    running.truncate(3 * MOST_THREADS);
    assert!(lookups.thread_count() <= MOST_THREADS);
    for mut lookup in running {
        let mut cx = Context::from_waker(Waker::noop());
        let answer = loop {
            match lookup.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => break answer,
                Poll::Pending => thread::yield_now(),
            }
        };
        let addresses = answer.expect("an answer");
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }
    while lookups.thread_count() > 0 {
        thread::yield_now();
    }
}

#[test]
fn the_queue_has_an_end_and_forgets_those_who_left() {
    let lookups = Arc::new(Lookups::default());
    lock(&lookups.0).threads = MOST_THREADS;
    let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(lookups.begin(&name()))).collect();
    let mut refused = Box::pin(lookups.begin(&name()));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = refused.as_mut().poll(&mut cx) else { panic!("it was taken") };
    assert_eq!(error.failure, IoFailure::Exhausted(Resource::Lookups));
    waiting.pop();
    let mut taken = Box::pin(lookups.begin(&name()));
    assert!(taken.as_mut().poll(&mut cx).is_pending(), "one left, and made room");
    assert_eq!(lock(&lookups.0).queue.len(), MOST_WAITING);
}
