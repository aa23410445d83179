//! The handshake, a request, its answer and what follows, in any pieces.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::base::{Kind, Secret, Target, UnixTime};
use crate::carrier::tls::{PlainAcceptor, PlainConnector};
use crate::codec::h1::{HeadLimits, HeadReader, encode_answer, encode_ask, parse_answer, parse_ask};
use crate::codec::http::{Answer, Ask, Want};
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
    let want = Want::Tunnel { kind: Kind::Stream, target };
    let authorization = Some(Secret::new("Bearer abc".into()));
    let ask = Ask { want: want.clone(), authority: None, authorization, user_agent: None, echo: None };
    encode_ask(&mut request, &ask);
    pair.client.send(&[&request]);
    pieces.settle(&mut pair);
    assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
    let head = take_head(&mut *pair.server, sizes[0]);
    assert_eq!(parse_ask(&head, &HeadLimits::default()).unwrap().want, want);

    // The target's first bytes come in one piece with the answer.
    let mut answer = Vec::new();
    let said = Answer::Accepted { by: Some("relay".into()), echo: None };
    encode_answer(&mut answer, Some(Kind::Stream), &said, UnixTime::from_secs(0));
    pair.server.send(&[&answer, returned]);
    pieces.settle(&mut pair);
    let head = take_head(&mut *pair.client, sizes[0]);
    assert_eq!(parse_answer(&head, Some(Kind::Stream)), Ok(Some(said)));
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
