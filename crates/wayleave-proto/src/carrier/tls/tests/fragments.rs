//! The handshake, a request, its answer and what follows, in any pieces.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::base::{Kind, Target};
use crate::carrier::tls::{PlainAcceptor, PlainConnector};
use crate::codec::h1::{HeadLimits, HeadReader, connect_ok, encode_connect, parse_request, parse_response};
use crate::testing::cases;

/// Sizes of pieces, taken in turn.
struct Pieces<'a> {
    sizes: core::iter::Cycle<core::slice::Iter<'a, usize>>,
}

impl Pieces<'_> {
    /// Carries everything both ways, each time as much as the next size says.
    fn settle(&mut self, pair: &mut Pair) {
        while pair.client.pending_len() + pair.server.pending_len() > 0 {
            let mut next = || *self.sizes.next().unwrap();
            carry(&mut *pair.client, &mut *pair.server, next()).unwrap();
            carry(&mut *pair.server, &mut *pair.client, next()).unwrap();
        }
    }
}

/// Takes one head from what waits, in pieces.
fn take_head(session: &mut dyn Session, size: usize) -> Vec<u8> {
    let mut reader = HeadReader::new(HeadLimits::default());
    loop {
        let plain = session.plaintext();
        assert!(!plain.is_empty(), "the head is cut");
        let piece = &plain[..size.min(plain.len())];
        let progress = reader.push(piece).unwrap();
        session.consume(progress.consumed);
        if progress.complete {
            return reader.take();
        }
    }
}

fn talk(mut pair: Pair, sizes: &[usize], sent: &[u8], returned: &[u8], is_early: bool) {
    let mut pieces = Pieces { sizes: sizes.iter().cycle() };
    let target: Target = "signal.example:443".parse().unwrap();
    if !is_early {
        pieces.settle(&mut pair);
    }
    let mut request = Vec::new();
    encode_connect(&mut request, &target, Some("Bearer abc"));
    pair.client.send(&[&request]);
    pieces.settle(&mut pair);
    assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
    let head = take_head(&mut *pair.server, sizes[0]);
    let wish = parse_request(&head, &HeadLimits::default()).unwrap().wish;
    assert!(matches!(wish, crate::codec::h1::Wish::Tunnel { target: asked, .. } if asked == target));

    // The target's first bytes come in one piece with the answer.
    let mut answer = Vec::new();
    connect_ok(&mut answer, "relay");
    pair.server.send(&[&answer, returned]);
    pieces.settle(&mut pair);
    let head = take_head(&mut *pair.client, sizes[0]);
    assert!(parse_response(&head, Kind::Stream).is_ok());
    assert_eq!(read(&mut *pair.client), returned);

    pair.client.send(&[sent]);
    pair.client.send_end();
    pair.server.send(&[returned]);
    pair.server.send_end();
    pieces.settle(&mut pair);
    assert_eq!(read(&mut *pair.server), sent);
    assert_eq!(read(&mut *pair.client), returned);
    assert!(pair.client.is_finished() && pair.server.is_finished());
    assert_eq!((pair.client.receive_end(), pair.server.receive_end()), (Ok(()), Ok(())));
    assert_eq!((pair.client.held(), pair.server.held()), (0, 0));
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![3 => 1_usize..8, 3 => 1_usize..700, 1 => 1_000_usize..40_000];
    proptest::collection::vec(size, 1..12)
}

static RUSTLS: LazyLock<(RustlsConnector, RustlsAcceptor)> = LazyLock::new(|| {
    let ca = Ca::new("test");
    (ca.connector(), ca.acceptor(&["relay.example"]))
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..cases(48) })]

    #[test]
    fn two_sides_understand_each_other_in_any_pieces(
        sizes in sizes(),
        sent in proptest::collection::vec(any::<u8>(), 0..20_000),
        returned in proptest::collection::vec(any::<u8>(), 0..20_000),
        is_early in any::<bool>(),
    ) {
        let (connector, acceptor) = &*RUSTLS;
        talk(Pair::new(connector, acceptor, "relay.example"), &sizes, &sent, &returned, is_early);
        talk(Pair::new(&PlainConnector, &PlainAcceptor, "relay.example"), &sizes, &sent, &returned, is_early);
    }
}
