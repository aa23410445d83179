use core::time::Duration;
use std::collections::VecDeque;

use proptest::prelude::*;

use super::{ByteQueue, DatagramLimits, DatagramQueue, Drops};
use crate::base::Instant;
use crate::testing::cases;

const LIMITS: DatagramLimits = DatagramLimits { count: 4, bytes: 10, age: Duration::from_millis(100) };

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn waiting(queue: &DatagramQueue) -> Vec<Vec<u8>> {
    queue.iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn the_oldest_makes_room_by_count() {
    let mut queue = DatagramQueue::new(LIMITS);
    for byte in 0..6u8 {
        queue.push(at(0), &[byte]);
    }
    assert_eq!(waiting(&queue), [[2], [3], [4], [5]]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn the_oldest_make_room_by_bytes() {
    let mut queue = DatagramQueue::new(LIMITS);
    queue.push(at(0), &[1; 4]);
    queue.push(at(0), &[2; 4]);
    queue.push(at(0), &[3; 10]);
    assert_eq!(waiting(&queue), [[3; 10]]);
    assert_eq!(queue.dropped(), 2);
    queue.push(at(0), &[4; 11]);
    assert_eq!(waiting(&queue), [[3; 10]]);
    assert_eq!(queue.dropped(), 3);
}

#[test]
fn a_datagram_may_wait_its_age_and_no_longer() {
    let mut queue = DatagramQueue::new(LIMITS);
    queue.push(at(0), b"a");
    queue.push(at(1), b"b");
    assert_eq!(queue.front(at(100)), Some(&b"a"[..]));
    assert_eq!(queue.front(at(101)), Some(&b"b"[..]));
    assert_eq!(queue.front(at(102)), None);
    assert_eq!((queue.len(), queue.dropped()), (0, 2));
}

#[test]
fn drops_are_counted_by_reason_and_room_is_told() {
    let mut queue = DatagramQueue::new(LIMITS);
    assert!(queue.has_room(at(0), 11), "nothing waits that would have to go");
    for _ in 0..3 {
        queue.push(at(0), &[1; 3]);
    }
    assert!(queue.has_room(at(0), 1));
    assert!(!queue.has_room(at(0), 2), "bytes");
    queue.push(at(50), b"");
    assert!(!queue.has_room(at(50), 0), "count");
    queue.push(at(50), &[2; 4]);
    assert_eq!(queue.drops(), Drops { aged: 0, crowded: 1 });
    assert!(queue.has_room(at(101), 5), "what is too old gives its room");
    assert_eq!(queue.drops(), Drops { aged: 2, crowded: 1 });
    queue.push(at(101), &[3; 11]);
    assert_eq!((queue.drops().crowded, queue.dropped()), (2, 4));
}

#[test]
fn an_empty_datagram_is_one() {
    let mut queue = DatagramQueue::new(LIMITS);
    queue.push(at(0), b"");
    queue.push(at(0), b"x");
    assert_eq!(queue.front(at(0)), Some(&b""[..]));
    queue.pop();
    assert_eq!(queue.front(at(0)), Some(&b"x"[..]));
    queue.pop();
    queue.pop();
    assert!(queue.is_empty());
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn a_queue_without_room_drops_everything() {
    let mut queue = DatagramQueue::new(DatagramLimits { count: 0, ..LIMITS });
    queue.push(at(0), b"");
    assert_eq!((queue.len(), queue.dropped()), (0, 1));
}

#[test]
fn a_full_queue_holds_a_quarter_more_than_what_waits() {
    for piece in [1_000, 16_384, 65_536, 131_072] {
        let mut queue = ByteQueue::new();
        queue.push(&[1; 20_000]);
        queue.consume(5_000);
        while queue.len() < 200_000 {
            queue.push(&vec![2; piece]);
            assert!(queue.held() <= queue.len() / 4 * 5, "{} for {}", queue.held(), queue.len());
        }
    }
}

#[test]
fn a_queue_that_is_never_empty_is_moved_seldom() {
    let mut queue = ByteQueue::new();
    queue.push(&[1; 4_000]);
    let (mut moves, mut place) = (0, queue.as_slice().as_ptr().addr());
    for _ in 0..1_000 {
        queue.consume(50);
        queue.push(&[2; 50]);
        // What is not moved begins where it was, but for what was consumed.
        moves += u32::from(queue.as_slice().as_ptr().addr() != place + 50);
        place = queue.as_slice().as_ptr().addr();
    }
    assert!(moves <= 60, "{moves} moves of 4,000 bytes for 50,000");
}

#[test]
fn gathering_stops_at_bytes_and_at_count() {
    let mut queue = DatagramQueue::new(LIMITS);
    for payload in [&b"abc"[..], b"", b"de", b"f"] {
        queue.push(at(0), payload);
    }
    let gathered = |bytes, count| queue.gather(bytes, count).collect::<Vec<_>>().concat();
    for (bytes, count, expected) in [
        (100, 100, "abcdef"),
        (5, 100, "abcde"),
        (4, 100, "abc"),
        (2, 100, ""),
        (100, 3, "abcde"),
        (100, 0, ""),
    ] {
        assert_eq!(gathered(bytes, count), expected.as_bytes(), "{bytes} bytes, {count} datagrams");
    }
}

#[test]
fn those_of_one_size_leave_together_with_one_that_is_shorter() {
    let mut queue = DatagramQueue::new(DatagramLimits { count: 9, bytes: 99, ..LIMITS });
    for payload in [&b"old"[..], b"one", b"two", b"3", b"fourth", b"", b"", b"a", b"b"] {
        queue.push(at(if payload == b"old" { 0 } else { 1 }), payload);
    }
    let mut runs = Vec::new();
    while let Some((contents, size)) = queue.alike(at(101), 99, 9) {
        runs.push((String::from_utf8(contents.to_vec()).unwrap(), size));
        for _ in 0..contents.len().checked_div(size).map_or(1, |_| contents.len().div_ceil(size)) {
            queue.pop();
        }
    }
    let expected = [("onetwo3", 3), ("fourth", 6), ("", 0), ("", 0), ("ab", 1)];
    assert_eq!(runs, expected.map(|(contents, size)| (contents.to_owned(), size)));
    assert_eq!(queue.drops(), Drops { aged: 1, crowded: 0 });
}

#[test]
fn no_more_leaves_together_than_is_allowed() {
    let mut queue = DatagramQueue::new(LIMITS);
    for payload in [b"abc", b"def", b"ghi"] {
        queue.push(at(0), payload);
    }
    for (bytes, count, expected) in
        [(100, 100, "abcdefghi"), (8, 100, "abcdef"), (100, 2, "abcdef"), (2, 100, "abc"), (100, 0, "abc")]
    {
        let (contents, size) = queue.alike(at(0), bytes, count).unwrap();
        assert_eq!((contents, size), (expected.as_bytes(), 3), "{bytes} bytes, {count} datagrams");
    }
}

#[test]
fn memory_is_bounded_kept_when_small_and_given_back_when_large() {
    let limits = DatagramLimits::default();
    let mut queue = DatagramQueue::new(limits);
    for _ in 0..5_000 {
        queue.push(at(0), &[7; 1_200]);
        assert!(queue.held() <= 2 * limits.bytes + 16 * 512, "{}", queue.held());
    }
    while !queue.is_empty() {
        queue.pop();
    }
    assert!(queue.held() <= 2 * 1024 + 16 * 16 * 2, "{}", queue.held());

    queue.push(at(0), &[7; 1_200]);
    queue.pop();
    let held = queue.held();
    assert!(held >= 1_200);
    for _ in 0..100 {
        queue.push(at(0), &[7; 1_200]);
        queue.pop();
        assert_eq!(queue.held(), held);
    }
}

#[test]
fn a_queue_that_never_empties_does_not_grow() {
    let mut bytes = ByteQueue::new();
    let mut datagrams = DatagramQueue::default();
    for _ in 0..3 {
        bytes.push(&[1; 1_000]);
        datagrams.push(at(0), &[1; 1_000]);
    }
    for _ in 0..10_000 {
        bytes.push(&[1; 1_000]);
        bytes.consume(1_000);
        datagrams.push(at(0), &[1; 1_000]);
        datagrams.pop();
    }
    assert!(bytes.held() <= 16_000, "{}", bytes.held());
    assert!(datagrams.held() <= 16_000, "{}", datagrams.held());
}

#[test]
fn an_empty_byte_queue_holds_nothing() {
    let mut queue = ByteQueue::new();
    queue.push(&[0; 100_000]);
    queue.consume(99_999);
    assert!(queue.held() >= 100_000);
    queue.consume(5);
    assert_eq!((queue.len(), queue.held()), (0, 0));
    assert!(queue.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Front,
    Pop,
    Push(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Front),
        2 => Just(Step::Pop),
        4 => (0..13usize).prop_map(Step::Push),
        2 => (0..70u64).prop_map(Step::Wait),
    ]
}

/// The obvious queue.
#[derive(Default)]
struct Model {
    queue: VecDeque<(u64, Vec<u8>)>,
    dropped: u64,
}

impl Model {
    fn expire(&mut self, now: u64) {
        while self.queue.front().is_some_and(|(came, _)| now - came > 100) {
            self.queue.pop_front();
            self.dropped += 1;
        }
    }

    fn push(&mut self, now: u64, payload: Vec<u8>) {
        self.expire(now);
        if payload.len() > LIMITS.bytes {
            self.dropped += 1;
            return;
        }
        self.queue.push_back((now, payload));
        while self.queue.len() > LIMITS.count
            || self.queue.iter().map(|(_, payload)| payload.len()).sum::<usize>() > LIMITS.bytes
        {
            self.queue.pop_front();
            self.dropped += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(128) })]

    #[test]
    fn datagrams_behave_like_the_obvious_queue(steps in prop::collection::vec(step(), 0..120)) {
        let (mut queue, mut model, mut now) = (DatagramQueue::new(LIMITS), Model::default(), 0);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Front => {
                    model.expire(now);
                    prop_assert_eq!(queue.front(at(now)), model.queue.front().map(|(_, payload)| &payload[..]));
                }
                Step::Pop => {
                    queue.pop();
                    model.queue.pop_front();
                }
                Step::Push(len) => {
                    let payload = vec![number as u8; len];
                    queue.push(at(now), &payload);
                    model.push(now, payload);
                }
                Step::Wait(millis) => now += millis,
            }
            let expected: Vec<_> = model.queue.iter().map(|(_, payload)| payload.clone()).collect();
            prop_assert_eq!(waiting(&queue), expected);
            prop_assert_eq!(queue.len(), model.queue.len());
            prop_assert_eq!(queue.dropped(), model.dropped);
        }
    }

    #[test]
    fn bytes_behave_like_the_obvious_queue(steps in prop::collection::vec((any::<bool>(), 0..50usize), 0..120)) {
        let (mut queue, mut model) = (ByteQueue::new(), VecDeque::new());
        for (number, (push, amount)) in steps.into_iter().enumerate() {
            if push {
                queue.push(&vec![number as u8; amount]);
                model.extend(vec![number as u8; amount]);
            } else {
                queue.consume(amount);
                model.drain(..amount.min(model.len()));
            }
            prop_assert_eq!(queue.as_slice(), &*model.make_contiguous());
            prop_assert_eq!(queue.len(), model.len());
        }
    }
}
