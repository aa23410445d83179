//! What a host does with a connection that its owner has given back, and with what was lost.

use core::time::Duration;

use wayleave_proto::base::Instant;
use wayleave_proto::config::{Liveness, Peer};
use wayleave_proto::error::IoFailure;

use super::{Handle, Happened, Stack};
use crate::network::Body;

/// Two hosts, and a connection over which more was written than the other side has room for, given back at the start.
struct Pair {
    now: Instant,
    client: Stack,
    server: Stack,
    accepted: Handle,
    /// So many more segments from the start of a stream are lost.
    loses: u32,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::ZERO;
        let mut client = Stack::new([192, 0, 2, 1].into());
        let mut server = Stack::new([192, 0, 2, 2].into());
        server.listen(80, true);
        let handle = client.connect(now, ([192, 0, 2, 2], 80).into()).unwrap();
        let mut pair = Self { now, client, server, accepted: handle, loses: 0 };
        pair.run(Duration::ZERO);
        while let Some(happened) = pair.server.poll_happened() {
            if let Happened::Accepted(accepted) = happened {
                pair.accepted = accepted;
            }
        }
        for _ in 0..2 {
            assert!(pair.client.write(now, handle, &[7; 60_000]) > 0);
            pair.run(Duration::from_secs(1));
        }
        pair.client.close(pair.now, handle, false);
        pair
    }

    /// Another connection, from both sides.
    fn connect(&mut self) -> (Handle, Handle) {
        let handle = self.client.connect(self.now, ([192, 0, 2, 2], 80).into()).unwrap();
        self.run(Duration::ZERO);
        let accepted =
            core::iter::from_fn(|| self.server.poll_happened()).find_map(|happened| match happened {
                Happened::Accepted(accepted) => Some(accepted),
                _ => None,
            });
        (handle, accepted.expect("a connection"))
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.exchange();
            let due = [&self.client, &self.server].into_iter().filter_map(Stack::poll_timeout).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        loop {
            if let Some(packet) = self.client.poll_packet() {
                if self.loses > 0
                    && matches!(&packet.body, Body::Tcp(it) if it.position == 1 && !it.bytes.is_empty())
                {
                    self.loses -= 1;
                    continue;
                }
                self.server.handle_packet(self.now, packet);
            } else if let Some(packet) = self.server.poll_packet() {
                self.client.handle_packet(self.now, packet);
            } else {
                return;
            }
        }
    }
}

#[test]
fn it_is_given_up_where_the_other_side_never_has_room() {
    let mut pair = Pair::new();
    pair.run(Duration::from_secs(190));
    assert_eq!(pair.client.len(), 1);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.client.len(), 0);
}

#[test]
fn it_delivers_everything_where_the_other_side_reads_now_and_then() {
    let mut pair = Pair::new();
    let mut got = 0;
    for _ in 0..10 {
        pair.run(Duration::from_secs(150));
        got += pair.server.read(pair.now, pair.accepted, 15_000).len();
    }
    assert_eq!(got, 120_000);
    assert!(pair.server.is_finished(pair.accepted));
}

#[test]
fn what_was_lost_twice_is_sent_again_although_more_is_written_behind_it() {
    let mut pair = Pair::new();
    let (handle, accepted) = pair.connect();
    // The first segment is lost, and so is its first repetition.
    pair.loses = 2;
    for round in 0..16 {
        assert_eq!(pair.client.write(pair.now, handle, &[round; 10]), 10);
        pair.run(Duration::from_millis(250));
    }
    assert_eq!(pair.loses, 0);
    assert_eq!(pair.server.read(pair.now, accepted, usize::MAX).len(), 160);
}

#[test]
fn a_connection_is_watched_over_however_often_its_owner_looks_for_bytes() {
    let mut pair = Pair::new();
    let (handle, _) = pair.connect();
    let (idle, timeout) = (Duration::from_secs(45), Duration::from_secs(15));
    pair.client.watch(pair.now, handle, Liveness { idle, timeout, peer: Peer::Pausing });
    // The other host vanishes.
    for _ in 0..70 {
        pair.now = pair.now + Duration::from_secs(1);
        pair.client.handle_timeout(pair.now);
        while pair.client.poll_packet().is_some() {}
        assert!(pair.client.read(pair.now, handle, 1).is_empty());
    }
    let happened: Vec<Happened> = core::iter::from_fn(|| pair.client.poll_news()).collect();
    assert!(happened.contains(&Happened::Failed(handle, IoFailure::TimedOut)), "{happened:?}");
}

#[test]
fn a_connection_that_broke_is_read_to_its_end() {
    let mut pair = Pair::new();
    let (handle, accepted) = pair.connect();
    assert_eq!(pair.client.write(pair.now, handle, b"farewell"), 8);
    pair.run(Duration::ZERO);
    pair.client.close(pair.now, handle, true);
    pair.run(Duration::ZERO);
    let before = pair.server.len();
    assert_eq!(pair.server.read(pair.now, accepted, 100), b"farewell");
    pair.server.close(pair.now, accepted, false);
    assert_eq!(pair.server.len(), before - 1, "its owner had it until then");
}
