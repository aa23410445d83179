//! Datagrams: capsules, queues, ends (rows 21 to 27, 31 and 32 of the abuse cases).

use super::*;
use crate::net::{Arrival, Onward};

/// An integer of eight bytes, whatever its value.
fn wide(value: u64) -> Vec<u8> {
    (value | 3 << 62).to_be_bytes().to_vec()
}

#[test]
pub(super) fn each_capsule_is_one_datagram_and_each_datagram_one_capsule() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.say(&mut peer, [capsule(b"one"), capsule(b""), capsule(&[3; 1_400])].concat());
    assert_eq!(rig.sent(target), [b"one".to_vec(), Vec::new(), vec![3; 1_400]]);
    for payload in [b"a".as_slice(), b"", &[4; 1_400]] {
        rig.receive(target, payload);
    }
    rig.hear(&mut peer);
    assert_eq!(payloads(&peer.take()), [b"a".to_vec(), Vec::new(), vec![4; 1_400]]);
    rig.end(&mut peer);
    let What::TunnelClosed { sent, received, dropped, reason, .. } = rig.last() else { panic!() };
    assert_eq!((*sent, *received, *dropped, reason), (1_403, 1_401, 0, &CloseReason::Finished));
    rig.assert_clean();
}

#[test]
fn what_is_unknown_is_skipped_and_the_tunnel_goes_on() {
    let strange = [
        [wide(0x1f), wide(3), vec![1, 2, 3]].concat(),
        [wide(0x1f), wide(0)].concat(),
        // A datagram of context 2, and of a context of eight bytes.
        [wide(0), wide(2), vec![2, 9]].concat(),
        [wide(0), wide(9), wide(77), vec![9]].concat(),
    ];
    for strange in strange {
        let mut rig = Rig::new();
        let (mut peer, target) = rig.datagrams();
        let all = [strange.clone(), wide(0), wide(10), wide(0), b"ok".to_vec(), capsule(b"")].concat();
        for byte in &all {
            rig.say(&mut peer, [*byte]);
        }
        assert_eq!(rig.sent(target), [b"ok".to_vec(), Vec::new()], "{strange:?}");
        assert_eq!(rig.relay.stats().tunnels, 1);
    }
}

#[test]
fn an_endless_unknown_capsule_is_skipped_without_a_buffer() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.datagrams();
    rig.say(&mut peer, [wide(0x1f), wide((1 << 62) - 1)].concat());
    for _ in 0..64 {
        rig.say(&mut peer, [0; 16 * 1024]);
        assert!(rig.relay.stats().held < 8 * 1024, "{}", rig.relay.stats().held);
    }
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.end(&mut peer);
    assert!(matches!(rig.close_reason(), CloseReason::BadCapsule(_)), "it ended inside the capsule");
    rig.assert_clean();
}

#[test]
fn a_broken_rule_of_the_capsule_protocol_ends_the_tunnel() {
    let cases = [
        ("a gigabyte", [wide(0), wide(1 << 30)].concat()),
        ("65536 bytes", [wide(0), wide(65_536)].concat()),
        ("a payload of 65528 bytes", [wide(0), wide(65_529), vec![0]].concat()),
        ("no context", [0, 0].to_vec()),
        ("half a context", [0, 1, 0x40].to_vec()),
    ];
    for (name, bytes) in cases {
        let mut rig = Rig::new();
        let (mut peer, target) = rig.datagrams();
        rig.say(&mut peer, &bytes);
        assert!(matches!(rig.close_reason(), CloseReason::BadCapsule(_)), "{name}");
        assert!(rig.closed.contains_key(&target), "{name}");
        assert!(peer.session.is_finished(), "{name}");
        rig.say(&mut peer, capsule(b"behind"));
        assert_eq!(rig.sent(target), Vec::<Vec<u8>>::new());
        rig.end(&mut peer);
        rig.assert_clean();
    }
}

#[test]
fn a_capsule_cut_by_the_end_is_malformed() {
    let whole = [wide(0), wide(9), wide(0), b"x".to_vec()].concat();
    for cut in 1..whole.len() {
        let mut rig = Rig::new();
        let (mut peer, target) = rig.datagrams();
        rig.say(&mut peer, &whole[..cut]);
        rig.end(&mut peer);
        assert!(matches!(rig.close_reason(), CloseReason::BadCapsule(_)), "cut at {cut}");
        assert!(rig.closed.contains_key(&target));
        rig.assert_clean();
    }
}

#[test]
fn the_largest_payload_passes_and_half_written_ones_stay_bounded() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.say(&mut peer, capsule(&[5; 65_527]));
    assert_eq!(rig.sent(target).concat().len(), 65_527);
    rig.end(&mut peer);
    let mut peers = Vec::new();
    for _ in 0..30 {
        let (mut peer, _) = rig.datagrams();
        let half = capsule(&[5; 65_527]);
        rig.say(&mut peer, &half[..60_000]);
        peers.push(peer);
    }
    let held = rig.relay.stats().held;
    assert!(held > 30 * 59_000 && held < 30 * 200 * 1024, "{held}");
    for mut peer in peers {
        rig.end(&mut peer);
    }
    rig.assert_clean();
}

#[test]
pub(super) fn a_client_that_never_reads_loses_the_oldest() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(peer.socket);
    for number in 0..1_000_u32 {
        rig.receive(target, &number.to_be_bytes());
    }
    assert!(!rig.paused.contains(&target), "datagrams are dropped, not held back");
    assert!(rig.relay.stats().held < 600 * 1024);
    rig.unstall(peer.socket);
    rig.hear(&mut peer);
    let got = payloads(&peer.take());
    assert_eq!(got.len(), 256);
    assert_eq!(got.last().unwrap(), &999_u32.to_be_bytes());
    rig.end(&mut peer);
    let What::TunnelClosed { dropped, .. } = rig.last() else { panic!() };
    assert_eq!(*dropped, 744);
    rig.assert_clean();
}

#[test]
pub(super) fn what_does_not_fit_into_one_write_goes_with_the_next() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(peer.socket);
    for number in 0..100 {
        rig.receive(target, &[number; 1_400]);
    }
    rig.unstall(peer.socket);
    rig.hear(&mut peer);
    let got: Vec<u8> = payloads(&peer.take()).iter().map(|payload| payload[0]).collect();
    assert_eq!(got, (0..100).collect::<Vec<_>>());
}

#[test]
pub(super) fn a_target_that_takes_nothing_loses_the_oldest() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    for number in 0..1_000_u32 {
        rig.say(&mut peer, capsule(&number.to_be_bytes()));
    }
    assert!(!rig.paused.contains(&peer.socket));
    rig.unstall(target);
    let got = rig.sent(target);
    assert_eq!((got.len(), got.last().unwrap()), (256, &999_u32.to_be_bytes().to_vec()));
    rig.end(&mut peer);
    let What::TunnelClosed { dropped, .. } = rig.last() else { panic!() };
    assert_eq!(*dropped, 744);
}

#[test]
pub(super) fn late_datagrams_are_dropped() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    rig.say(&mut peer, capsule(b"late"));
    rig.pass(Duration::from_millis(501));
    rig.say(&mut peer, capsule(b"fresh"));
    rig.unstall(target);
    assert_eq!(rig.sent(target), [b"fresh"]);
}

#[test]
pub(super) fn a_datagram_that_was_written_costs_no_other_its_place() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    rig.say(&mut peer, capsule(b"old"));
    rig.pass(Duration::from_millis(400));
    rig.say(&mut peer, capsule(b"new"));
    rig.pass(Duration::from_millis(100));
    // It is lent in its last moment, and reported a little later.
    let together = Transmit { segment_size: 3, ..Transmit::one(b"oldnew") };
    assert_eq!(rig.relay.transmit(rig.now, target), Some(together));
    rig.now = rig.now + Duration::from_millis(1);
    rig.relay.handle_sent(rig.now, target, 1);
    assert_eq!(rig.relay.transmit(rig.now, target), Some(Transmit::one(b"new")));
}

#[test]
pub(super) fn a_refused_datagram_leaves_the_tunnel_open() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.fail(target, IoFailure::ConnectionRefused);
    assert!(!rig.closed.contains_key(&target));
    // The server was started again.
    rig.say(&mut peer, capsule(b"again"));
    assert_eq!(rig.sent(target), [b"again"]);
    rig.end(&mut peer);
    assert_eq!(rig.close_reason(), &CloseReason::Finished);
    rig.assert_clean();
}

#[test]
pub(super) fn a_tunnel_of_datagrams_is_idle_after_five_minutes() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.pass(299 * SECOND);
    rig.say(&mut peer, capsule(b"x"));
    rig.pass(299 * SECOND);
    rig.receive(target, b"y");
    rig.pass(299 * SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.pass(SECOND);
    assert_eq!(rig.close_reason(), &CloseReason::Idle);
    assert!(rig.closed.contains_key(&target));
    rig.hear(&mut peer);
    assert!(peer.session.is_finished());
    rig.pass(5 * SECOND);
    rig.assert_clean();
}

#[test]
pub(super) fn a_payload_that_no_capsule_may_carry_is_dropped() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.receive(target, &[0; 65_528]);
    rig.receive(target, b"next");
    rig.hear(&mut peer);
    assert_eq!(payloads(&peer.take()), [b"next"]);
}

#[test]
pub(super) fn what_was_sent_just_before_the_end_is_delivered() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    peer.session.send(&[&[capsule(b"last"), capsule(b"words")].concat()]);
    rig.end(&mut peer);
    assert_eq!(rig.sent(target), [b"last".to_vec(), b"words".to_vec()]);
    assert_eq!(*rig.close_reason(), CloseReason::Finished);
    rig.assert_clean();
}

/// Takes datagrams as an adapter does that can send at once.
#[derive(Default)]
struct Straight {
    room: usize,
    /// What each call took.
    calls: Vec<usize>,
    sent: Vec<Vec<u8>>,
}

impl Onward for Straight {
    fn write(&mut self, _: SocketId, _: [&[u8]; 2]) -> usize {
        0
    }

    fn send(&mut self, _: SocketId, transmit: Transmit<'_>) -> usize {
        let count = transmit.count().min(self.room - self.sent.len());
        self.sent.extend(transmit.datagrams().take(count).map(<[u8]>::to_vec));
        self.calls.push(count);
        count
    }
}

fn pass(rig: &mut Rig, peer: &mut Peer, onward: &mut Straight, payloads: &[&[u8]]) {
    for payload in payloads {
        peer.session.send(&[&capsule(payload)]);
    }
    let mut bytes = peer.session.pending().to_vec();
    peer.session.written(bytes.len());
    rig.relay.handle_stream(rig.now, peer.socket, &mut bytes, onward);
}

#[test]
pub(super) fn datagrams_go_straight_on_until_one_has_to_wait() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    let mut onward = Straight { room: 2, ..Straight::default() };
    pass(&mut rig, &mut peer, &mut onward, &[b"one", b"two", b"three"]);
    rig.pump();
    // The socket takes more now, but not before what waits.
    onward.room = 9;
    pass(&mut rig, &mut peer, &mut onward, &[b"four"]);
    assert_eq!(onward.sent, [&b"one"[..], b"two"]);
    rig.unstall(target);
    assert_eq!(rig.sent(target), [&b"three"[..], b"four"]);
    pass(&mut rig, &mut peer, &mut onward, &[b"five"]);
    assert_eq!(onward.sent, [&b"one"[..], b"two", b"five"]);
    rig.pump();
    assert!(rig.sent(target).is_empty());
    rig.end(&mut peer);
    let What::TunnelClosed { sent, dropped, reason, .. } = rig.last() else { panic!() };
    assert_eq!((*sent, *dropped, reason), (19, 0, &CloseReason::Finished));
    rig.assert_clean();
}

#[test]
pub(super) fn what_goes_straight_on_counts_against_the_rate() {
    let mut rig = Rig::with(|config| config.scope.to_target.packets_per_second = Some(2));
    let (mut peer, _) = rig.datagrams();
    let mut onward = Straight { room: 9, ..Straight::default() };
    pass(&mut rig, &mut peer, &mut onward, &[b"a", b"b", b"c", b"d", b"e"]);
    assert_eq!(onward.sent, [b"a", b"b", b"c"], "one beyond the burst, and then no more");
    assert_eq!(onward.calls, [3]);
    rig.end(&mut peer);
    assert!(matches!(rig.last(), What::TunnelClosed { dropped: 2, .. }));
}

#[test]
pub(super) fn datagrams_of_one_read_leave_together_where_their_sizes_are_alike() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.datagrams();
    let mut onward = Straight { room: 99, ..Straight::default() };
    let large = [7; 1_200];
    let mut payloads = vec![&large[..]; 60];
    payloads.extend([&b"end"[..], b"one", b"two", b"", b"3"]);
    pass(&mut rig, &mut peer, &mut onward, &payloads);
    assert_eq!(onward.sent, payloads);
    let whole = Transmit::MOST_BYTES / large.len();
    assert_eq!(onward.calls, [whole, 60 - whole + 1, 2, 1, 1]);
}

#[test]
pub(super) fn one_read_may_bring_more_datagrams_than_may_wait() {
    for (size, count) in [(3, 700), (9_000, 40)] {
        let mut rig = Rig::with(|config| config.limits.datagrams.bytes = 64 * 1024);
        let (mut peer, target) = rig.datagrams();
        let payload = vec![7; size];
        let payloads = vec![&payload[..]; count];
        let mut onward = Straight { room: count, ..Straight::default() };
        pass(&mut rig, &mut peer, &mut onward, &payloads);
        assert_eq!(onward.sent.len(), count, "{count} of {size} bytes");
        // What a full socket does not take waits, the oldest make room, and it is not asked again and again.
        onward.calls.clear();
        pass(&mut rig, &mut peer, &mut onward, &payloads);
        assert_eq!(onward.calls, [0], "{count} of {size} bytes");
        rig.pump();
        assert_eq!(rig.sent(target).len(), if size == 3 { 256 } else { 7 });
    }
}

#[test]
pub(super) fn what_came_in_one_call_goes_to_the_client_in_one_write() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    let mut buffer = vec![0; 2 * Packets::SLOT];
    buffer[..5].copy_from_slice(b"aabbc");
    buffer[Packets::SLOT..][..2].copy_from_slice(b"dd");
    let from = TARGET.parse().unwrap();
    let arrivals = [Arrival { stride: 2, ..Arrival::one(from, 5) }, Arrival::one(from, 2)];
    rig.relay.handle_packets(rig.now, target, Packets::new(&mut buffer, &arrivals));
    rig.pump();
    assert_eq!(rig.written[&peer.socket].len(), 1);
    rig.hear(&mut peer);
    assert_eq!(payloads(&peer.take()), [&b"aa"[..], b"bb", b"c", b"dd"]);
    rig.end(&mut peer);
    assert!(matches!(rig.last(), What::TunnelClosed { received: 7, .. }));
}
