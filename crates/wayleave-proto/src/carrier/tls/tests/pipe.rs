use super::*;
use crate::carrier::tls::{PlainAcceptor, PlainConnector};

/// Runs `check` for both engines.
fn each(check: impl Fn(Pair)) {
    check(Pair::plain());
    check(Pair::rustls());
}

#[test]
fn handshake_and_data_survive_every_split() {
    let ca = Ca::new("test");
    let (connector, acceptor) = (ca.connector(), ca.acceptor(&["relay.example"]));
    let engines: [(&dyn Connector, &dyn Acceptor, usize); 2] =
        [(&connector, &acceptor, 29), (&PlainConnector, &PlainAcceptor, 1)];
    for (connector, acceptor, step) in engines {
        for split in (1..700).step_by(step).chain([4_096, 16_384, 16_406]) {
            let mut pair = Pair::new(connector, acceptor, "relay.example");
            pair.client.send(&[b"early ", b"request"]);
            assert!(pair.client.is_handshaking() && pair.client.held() >= 13);
            assert_eq!(pair.settle(split), Ok(()), "split {split}");
            assert_eq!(read(&mut *pair.server), b"early request", "split {split}");
            pair.server.send(&[b"answer"]);
            pair.settle(split).unwrap();
            assert_eq!(read(&mut *pair.client), b"answer", "split {split}");
        }
    }
}

#[test]
fn both_sides_agree_on_the_protocol() {
    each(|pair| {
        assert_eq!(pair.client.alpn(), Some(&b"http/1.1"[..]));
        assert_eq!(pair.server.alpn(), Some(&b"http/1.1"[..]));
    });
}

#[test]
fn both_sides_export_the_same_key_material() {
    each(|pair| {
        let export = |session: &dyn Session, label: &[u8], context: Option<&[u8]>| {
            let mut key = [0; 48];
            session.export_keying_material(&mut key, label, context).unwrap();
            key
        };
        let key = export(&*pair.client, b"EXPORTER-test", Some(b"context"));
        assert_eq!(key, export(&*pair.server, b"EXPORTER-test", Some(b"context")));
        assert_ne!(key, export(&*pair.server, b"EXPORTER-test", Some(b"other")));
        assert_ne!(key, export(&*pair.server, b"EXPORTER-other", Some(b"context")));
        assert!(pair.client.export_keying_material(&mut [], b"EXPORTER-test", None).is_err());
    });
}

#[test]
fn there_is_no_key_material_before_the_handshake_is_over() {
    let ca = Ca::new("test");
    let client = ca.connector().connect(&host("relay.example")).unwrap();
    assert!(matches!(
        client.export_keying_material(&mut [0; 32], b"EXPORTER-test", None),
        Err(TlsError::Protocol { .. })
    ));
}

#[test]
fn each_half_ends_on_its_own() {
    each(|pair| check_half_close(pair.client, pair.server));
    each(|pair| check_half_close(pair.server, pair.client));
}

fn check_half_close(mut first: Box<dyn Session>, mut second: Box<dyn Session>) {
    first.send(&[b"last"]);
    first.send_end();
    first.send_end();
    first.send(&[b"never"]);
    carry(&mut *first, &mut *second, usize::MAX).unwrap();
    assert!(!second.is_finished(), "plaintext waits");
    assert_eq!(read(&mut *second), b"last");
    assert!(second.is_finished());
    assert_eq!(second.receive_end(), Ok(()));
    assert_eq!(second.receive(&mut [0xff; 9]), Ok(()), "what comes after the end is ignored");
    assert!(second.plaintext().is_empty());

    second.send(&[b"still ", b"here"]);
    carry(&mut *second, &mut *first, usize::MAX).unwrap();
    assert_eq!(read(&mut *first), b"still here");
    assert!(!first.is_finished());
    assert_eq!(first.receive_end(), Err(TlsError::Truncated));
    second.send_end();
    let mut bytes = [second.pending(), &[23, 3, 3, 0, 99, 1, 2, 3]].concat();
    second.written(usize::MAX);
    assert_eq!(first.receive(&mut bytes), Ok(()), "what comes in one piece with the end is ignored");
    assert!(first.is_finished());
    assert_eq!(first.receive_end(), Ok(()));
    assert_eq!((first.held(), second.held()), (0, 0));
}

#[test]
fn an_end_during_the_handshake_does_not_overtake_data() {
    let ca = Ca::new("test");
    let mut pair = Pair::new(&ca.connector(), &ca.acceptor(&["relay.example"]), "relay.example");
    pair.client.send(&[b"all of it"]);
    pair.client.send_end();
    pair.settle(100).unwrap();
    assert_eq!(read(&mut *pair.server), b"all of it");
    assert!(pair.server.is_finished());
}

#[test]
fn chunks_make_one_record() {
    each(|mut pair| {
        let mut sent = |chunks: &[&[u8]]| {
            pair.client.send(chunks);
            let len = pair.client.pending_len();
            pair.client.written(len);
            len
        };
        let whole = sent(&[&[7; 900]]);
        assert_eq!(sent(&[&[7; 300], &[7; 500], &[], &[7; 100]]), whole);
        assert_eq!(sent(&[&[7; 9][..]; 100]), whole);
        let overhead = whole - 900;
        assert_eq!(sent(&[&[7; 16_000], &[7; 385]]), 16_385 + 2 * overhead);
        assert_eq!(sent(&[]), 0);
        assert_eq!(sent(&[b"", b""]), 0);
    });
}

#[test]
fn a_megabyte_comes_back_as_it_went() {
    each(|mut pair| {
        let data: Vec<u8> = (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut back = Vec::new();
        for (number, part) in data.chunks(100_000).enumerate() {
            pair.client.send(&[part]);
            // Sizes that end within records, and one that is more than the engine holds.
            while pair.client.pending_len() > 0 {
                carry(&mut *pair.client, &mut *pair.server, 7_001 + 9_973 * number).unwrap();
                let echo = read(&mut *pair.server);
                pair.server.send(&[&echo]);
            }
            pair.settle(1_460).unwrap();
            back.extend(read(&mut *pair.client));
        }
        let sum = |bytes| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
        assert_eq!(sum(&back), sum(&data));
        assert_eq!((pair.client.held(), pair.server.held()), (0, 0));
    });
}

#[test]
fn everything_is_taken_even_if_nobody_reads() {
    each(|mut pair| {
        let data: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        pair.client.send(&[&data]);
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        assert_eq!(pair.server.plaintext_len(), data.len());
        assert!(pair.server.held() >= data.len());
        // More than is lent at once, and over the seam between the two queues.
        pair.server.consume(199_000);
        assert_eq!(pair.server.plaintext_len(), 1_000);
        assert_eq!(read(&mut *pair.server), data[199_000..]);
        pair.server.consume(10);
        assert_eq!((pair.server.plaintext_len(), pair.server.held()), (0, 0));
    });
}

#[test]
fn an_idle_session_holds_nothing() {
    each(|mut pair| {
        assert_eq!((pair.client.held(), pair.server.held()), (0, 0));
        pair.client.send(&[&[1; 5_000]]);
        assert!(pair.client.held() >= 5_000);
        carry(&mut *pair.client, &mut *pair.server, 3_000).unwrap();
        assert!(pair.server.held() >= 3_000, "an incomplete record is held");
        pair.settle(usize::MAX).unwrap();
        read(&mut *pair.server);
        assert_eq!((pair.client.held(), pair.server.held()), (0, 0));
    });
}

#[test]
fn a_client_resumes() {
    let ca = Ca::new("test");
    let (connector, acceptor) = (ca.connector(), ca.acceptor(&["relay.example"]));
    let handshake = || {
        let mut pair = Pair::new(&connector, &acceptor, "relay.example");
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        let flight = pair.server.pending_len();
        carry(&mut *pair.server, &mut *pair.client, usize::MAX).unwrap();
        carry(&mut *pair.client, &mut *pair.server, usize::MAX).unwrap();
        // The handshake is over, and the ticket waits for the first data.
        assert!(!pair.server.is_handshaking());
        assert_eq!(pair.server.pending_len(), 0);
        pair.server.send(&[b"answer"]);
        pair.settle(usize::MAX).unwrap();
        assert_eq!(read(&mut *pair.client), b"answer");
        flight
    };
    let (full, resumed) = (handshake(), handshake());
    assert!(resumed + 300 < full, "the certificate is spared: {resumed} and {full} bytes");
}
