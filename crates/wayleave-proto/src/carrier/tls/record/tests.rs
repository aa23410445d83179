//! The record layer by itself.

use proptest::prelude::*;
use ring::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305};

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn key(algorithm: &'static Algorithm) -> RecordKey {
    RecordKey::from_parts(0, algorithm, &vec![7; algorithm.key_len()], &[9; 12]).unwrap()
}

fn halves(algorithm: &'static Algorithm) -> (Sealer, Opener) {
    (Sealer::new(key(algorithm), u64::MAX), Opener::new(key(algorithm)))
}

/// One record with exactly this inside.
fn record(key: &mut RecordKey, inner: &[u8]) -> Vec<u8> {
    let [.., high, low] = (inner.len() + TAG).to_be_bytes();
    let header = [DATA, 3, 3, high, low];
    let mut sealed = inner.to_vec();
    let tag = key.seal(&header, &mut sealed).unwrap();
    [&header[..], &sealed, &tag].concat()
}

fn open_one(bytes: &mut [u8]) -> Result<Option<(Content, usize)>, Fault> {
    Opener::new(key(&AES_128_GCM)).open(bytes, &mut Place::default())
}

/// The last records of the client in RFC 8448 §3.
#[test]
fn the_records_of_rfc_8448_are_made_and_opened() {
    let data: Vec<u8> = (0..50).collect();
    let records = hex(
        "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 \
         6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4 \
         17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3",
    );
    let key = || {
        let key = hex("17 42 2d da 59 6e d5 d9 ac d8 90 e3 c6 3f 50 51");
        RecordKey::from_parts(0, &AES_128_GCM, &key, &hex("5b 78 92 3d ee 08 57 90 33 e5 23 d9")).unwrap()
    };
    let (mut sealer, mut out) = (Sealer::new(key(), u64::MAX), Vec::new());
    sealer.seal(Content::Data, &[&data], &mut out).unwrap();
    sealer.seal(Content::Alert, &[&[1, 0]], &mut out).unwrap();
    assert_eq!(out, records);

    let (mut opener, mut place) = (Opener::new(key()), Place::default());
    assert_eq!(opener.open(&mut out, &mut place), Ok(Some((Content::Data, 50))));
    assert_eq!(out[..50], data);
    place.written = 50;
    assert_eq!(opener.open(&mut out, &mut place), Ok(Some((Content::Alert, 2))));
    assert_eq!(out[50..52], [1, 0]);
    assert_eq!(opener.open(&mut out, &mut place), Ok(None));
}

/// Opens everything in `bytes` and appends the payload to `all`.
fn open_all(opener: &mut Opener, bytes: &mut [u8], all: &mut Vec<u8>) {
    let mut rest = bytes;
    if opener.has_begun() {
        let Some(mut record) = opener.complete(&mut rest).unwrap() else { return };
        open_all(opener, &mut record, all);
    }
    let mut place = Place::default();
    while let Some((content, length)) = opener.open(rest, &mut place).unwrap() {
        assert_eq!(content, Content::Data);
        place.written += length;
    }
    all.extend(&rest[..place.written]);
    opener.keep(rest, place);
}

proptest! {
    #[test]
    fn payload_survives_every_cut(
        sizes in prop::collection::vec(0_usize..40_000, 1..6),
        cuts in prop::collection::vec(prop_oneof![1_usize..9, 1_usize..40_000], 1..8),
        which in 0_usize..3,
    ) {
        let algorithm = [&AES_128_GCM, &AES_256_GCM, &CHACHA20_POLY1305][which];
        let (mut sealer, mut opener) = halves(algorithm);
        let (mut sent, mut sealed, mut got) = (Vec::new(), Vec::new(), Vec::new());
        for (number, size) in sizes.iter().enumerate() {
            let payload: Vec<u8> = (0..*size).map(|i| (i * 7 + number) as u8).collect();
            let before = sealed.len();
            let (front, back) = payload.split_at(size / 3);
            sealer.seal(Content::Data, &[front, b"", back], &mut sealed).unwrap();
            prop_assert_eq!(sealed.len() - before, Sealer::sealed_len(*size));
            sent.extend(payload);
        }
        let (mut rest, mut cuts) = (sealed.as_mut_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at_mut((*cuts.next().unwrap()).min(rest.len()));
            open_all(&mut opener, piece, &mut got);
            prop_assert!(opener.held() <= HEADER + LONGEST_SEALED);
            rest = behind;
        }
        prop_assert!(got == sent);
        prop_assert_eq!(opener.held(), 0);
    }
}

#[test]
fn a_change_of_any_bit_is_found() {
    let whole = record(&mut key(&AES_128_GCM), &[&[5; 30][..], &[DATA]].concat());
    assert_eq!(open_one(&mut whole.clone()), Ok(Some((Content::Data, 30))));
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches!(open_one(&mut changed), Ok(Some(_))), "bit {bit}");
    }
}

#[test]
fn a_record_opens_once_and_in_its_place() {
    let mut sealing = key(&AES_128_GCM);
    let (first, second) = (record(&mut sealing, &[1, DATA]), record(&mut sealing, &[2, DATA]));
    assert_eq!(open_one(&mut second.clone()), Err(Fault::BadRecordMac));
    let mut twice = [&first[..], &first].concat();
    let (mut opener, mut place) = (Opener::new(key(&AES_128_GCM)), Place::default());
    assert_eq!(opener.open(&mut twice, &mut place), Ok(Some((Content::Data, 1))));
    assert_eq!(opener.open(&mut twice, &mut place), Err(Fault::BadRecordMac));
}

/// RFC 8446 §5.4.
#[test]
fn padding_is_taken_off() {
    for (inner, expected) in [
        (&[1, 2, DATA, 0, 0, 0][..], Ok(Some((Content::Data, 2)))),
        (&[1, 0, 0, 22, 0], Ok(Some((Content::Handshake, 3)))),
        (&[DATA], Ok(Some((Content::Data, 0)))),
        (&[DATA, 0], Ok(Some((Content::Data, 0)))),
        (&[0, 0, 0], Err(Fault::Unexpected)),
        (&[], Err(Fault::Unexpected)),
        (&[1, 20], Err(Fault::Unexpected)),
        (&[1, 24], Err(Fault::Unexpected)),
    ] {
        let mut bytes = record(&mut key(&AES_128_GCM), inner);
        assert_eq!(open_one(&mut bytes), expected, "{inner:?}");
    }
}

/// RFC 8446 §5.2, §5.4.
#[test]
fn a_record_has_its_limits() {
    let inner = |length: usize, padding: usize| [&vec![3; length][..], &[DATA], &vec![0; padding]].concat();
    for (inner, expected) in [
        (inner(LONGEST, 0), Ok(Some((Content::Data, LONGEST)))),
        (inner(LONGEST - 100, 100), Ok(Some((Content::Data, LONGEST - 100)))),
        (inner(LONGEST, 1), Err(Fault::Overflow)),
        (inner(LONGEST + 1, 0), Err(Fault::Overflow)),
        (inner(100, LONGEST), Err(Fault::Overflow)),
    ] {
        assert_eq!(open_one(&mut record(&mut key(&AES_128_GCM), &inner)), expected, "{}", inner.len());
    }
    // The header is enough.
    let [.., high, low] = (LONGEST_SEALED + 1).to_be_bytes();
    assert_eq!(open_one(&mut [DATA, 3, 3, high, low]), Err(Fault::Overflow));
    assert_eq!(open_one(&mut [DATA, 3, 3, 0, 4, 1, 2, 3, 4]), Err(Fault::BadRecordMac));
    for outer in [0, 20, 21, 22, 24, 255] {
        assert_eq!(open_one(&mut [outer, 3, 3, 0, 1]), Err(Fault::Unexpected));
    }
    let mut opener = Opener::new(key(&AES_128_GCM));
    opener.keep(&[22, 3], Place::default());
    assert!(matches!(opener.complete(&mut &mut [3, 0, 1][..]), Err(Fault::Unexpected)));
}

#[test]
fn a_key_wears_out_and_is_replaced() {
    let (mut sealer, mut opener) = (Sealer::new(key(&AES_128_GCM), 2), Opener::new(key(&AES_128_GCM)));
    let mut out = Vec::new();
    sealer.seal(Content::Data, &[b"a"], &mut out).unwrap();
    assert!(!sealer.is_worn());
    sealer.seal(Content::Data, &[b"b"], &mut out).unwrap();
    assert!(sealer.is_worn());
    let next = || RecordKey::from_parts(0, &AES_128_GCM, &[8; 16], &[8; 12]).unwrap();
    sealer.renew(next());
    assert!(!sealer.is_worn());
    sealer.seal(Content::Data, &[b"c"], &mut out).unwrap();
    let mut place = Place::default();
    for _ in 0..2 {
        assert_eq!(opener.open(&mut out, &mut place), Ok(Some((Content::Data, 1))));
    }
    opener.renew(next());
    assert_eq!(opener.open(&mut out, &mut place), Ok(Some((Content::Data, 1))));
    assert_eq!(out[0], b'c');
}

#[test]
fn the_last_number_of_a_key_is_never_used() {
    let mut last = RecordKey::from_parts(u64::MAX, &AES_128_GCM, &[7; 16], &[9; 12]).unwrap();
    assert_eq!(last.seal(&[0; HEADER], &mut []), Err(Fault::Internal));
}

#[test]
fn messages_may_be_cut_and_joined() {
    let ticket = [&[4, 0, 0, 3][..], b"abc"].concat();
    let both = [&ticket[..], &ticket, &[24, 0, 0, 1, 1]].concat();
    for cut in 1..both.len() {
        let mut messages = Messages::default();
        let mut seen = Vec::new();
        for part in [&both[..cut], &both[cut..]] {
            messages.push(part).unwrap();
            while let Some(message) = messages.next().unwrap() {
                seen.push(message);
            }
        }
        let ticket = || Message::Ticket(b"abc".to_vec());
        assert_eq!(seen, [ticket(), ticket(), Message::KeyUpdate { requested: true }], "cut {cut}");
        assert!(!messages.has_begun());
        assert_eq!(messages.held(), 0);
    }
}

#[test]
fn messages_that_may_not_come_are_refused() {
    for (bytes, fault) in [
        (&[24, 0, 0, 1, 2][..], Fault::Illegal),
        (&[24, 0, 0, 1, 255], Fault::Illegal),
        (&[24, 0, 0, 0], Fault::Decode),
        (&[24, 0, 0, 2, 0, 0], Fault::Decode),
        (&[24, 0, 0, 1, 0, 4], Fault::Unexpected),
        (&[1, 0, 0, 0], Fault::Unexpected),
        (&[13, 0, 0, 0], Fault::Unexpected),
        (&[4, 0, 255, 255], Fault::Overflow),
    ] {
        let mut messages = Messages::default();
        messages.push(bytes).unwrap();
        assert_eq!(messages.next(), Err(fault), "{bytes:?}");
    }
    let mut messages = Messages::default();
    assert_eq!(messages.push(&[]), Err(Fault::Unexpected));
    messages.push(&[4, 0, 127, 255]).unwrap();
    messages.push(&[0; LONGEST]).unwrap();
    assert_eq!(messages.push(&[0; LONGEST]), Err(Fault::Overflow));
}
