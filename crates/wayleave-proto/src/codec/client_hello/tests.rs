use proptest::prelude::*;

use super::{ClientHello, HelloError, MOST, decode};
use crate::testing::{cases, client_hello};

fn hello(length: usize, early_data: bool) -> Result<ClientHello, HelloError> {
    Ok(ClientHello { length, early_data })
}

/// The fragments of `bytes`, whose records hold `size` bytes each.
fn fragmented(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes[5..].chunks(size).flat_map(record).collect()
}

fn record(fragment: &[u8]) -> Vec<u8> {
    let mut bytes = vec![22, 3, 1];
    bytes.extend(u16::try_from(fragment.len()).unwrap().to_be_bytes());
    bytes.extend(fragment);
    bytes
}

/// The ClientHello of RFC 8448 §3, as it is on the wire.
fn simple_handshake() -> Vec<u8> {
    let text = "16030100c4010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece70000061301\
                13031302010000910000000b0009000006736572766572ff01000100000a00140012001d001700180019010001010102\
                0103010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529a\
                af2c002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00\
                020101001c00024001";
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// RFC 8448 §3.
#[test]
fn the_sample_of_the_standard_may_be_sent_again() {
    let bytes = simple_handshake();
    assert_eq!(bytes.len(), 201);
    assert_eq!(decode(&bytes), hello(201, false));
}

/// RFC 8446 §4.2.10.
#[test]
fn early_data_is_seen() {
    let bytes = client_hello(&[7; 17], true);
    assert_eq!(decode(&bytes), hello(bytes.len(), true));
    let bytes = client_hello(&[7; 17], false);
    assert_eq!(decode(&bytes), hello(bytes.len(), false));
}

#[test]
fn every_truncation_is_incomplete() {
    for bytes in [simple_handshake(), client_hello(b"x", true), fragmented(&simple_handshake(), 7)] {
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(HelloError::Incomplete), "cut at {end}");
        }
    }
}

/// RFC 8446 §5.1.
#[test]
fn any_fragmentation_is_read() {
    let bytes = simple_handshake();
    for size in 1..bytes.len() {
        let pieces = fragmented(&bytes, size);
        assert_eq!(decode(&pieces), hello(pieces.len(), false), "{size}");
    }
}

#[test]
fn what_follows_in_records_of_its_own_does_not_belong_to_it() {
    let mut bytes = simple_handshake();
    bytes.extend([20, 3, 3, 0, 1, 1]);
    assert_eq!(decode(&bytes), hello(201, false));
}

#[test]
fn what_follows_in_the_same_record_is_refused() {
    let mut message = simple_handshake()[5..].to_vec();
    message.push(1);
    assert_eq!(decode(&record(&message)), Err(HelloError::Other));
}

#[test]
fn other_protocols_are_known_by_their_first_bytes() {
    for bytes in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x\r\n",
        &[0x80, 0x2e, 1, 0, 2], // the ClientHello of SSL 2
        &[23, 3, 3, 0, 1, 0],
        &[22, 2],
        &[22, 3, 1, 0, 0],
        &[22, 3, 1, 0x40, 1],
        &[22, 3, 1, 0, 1, 2], // a ServerHello
    ] {
        assert_eq!(decode(bytes), Err(HelloError::Other), "{bytes:02x?}");
    }
}

#[test]
fn a_message_that_breaks_a_rule_is_refused() {
    let usual = simple_handshake();
    let change = |changes: &[(usize, u8)]| {
        let mut bytes = usual.clone();
        changes.iter().for_each(|(place, byte)| bytes[*place] = *byte);
        decode(&bytes)
    };
    // The major version, the lengths of the session, of the ciphers (odd, beyond the end), of the compressions, of the
    // list of extensions and of the first of them.
    for (place, byte) in [(9, 2), (43, 33), (45, 5), (44, 9), (52, 0), (55, 0x90), (59, 0xff)] {
        assert_eq!(change(&[(place, byte)]), Err(HelloError::Other), "byte {place}");
    }
    // The extension after the first becomes a second server_name.
    assert_eq!(change(&[(71, 0), (72, 0)]), Err(HelloError::Other));
}

#[test]
fn a_list_of_extensions_may_be_missing() {
    let mut message = vec![1, 0, 0, 41, 3, 3];
    message.extend([0; 32]);
    message.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let bytes = record(&message);
    assert_eq!(decode(&bytes), hello(bytes.len(), false));
}

#[test]
fn what_is_too_long_is_refused_before_it_is_whole() {
    let length = u32::try_from(MOST + 1).unwrap().to_be_bytes();
    let begun = record(&[1, length[1], length[2], length[3]]);
    assert_eq!(decode(&begun), Err(HelloError::TooLong));
    // Many small records cost more than they hold.
    let mut many = record(&[1, 0, 0x3f, 0xff]);
    (0..3_000).for_each(|_| many.extend(record(&[0])));
    assert_eq!(decode(&many), Err(HelloError::TooLong));
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_are_judged_alike_however_much_follows(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        place in 0_usize..201,
        byte in any::<u8>(),
        more in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut changed = simple_handshake();
        changed[place] = byte;
        for bytes in [bytes, changed] {
            let judged = decode(&bytes);
            if let Ok(hello) = judged {
                prop_assert!(hello.length <= bytes.len());
                prop_assert_eq!(decode(&bytes[..hello.length]), judged);
            }
            if judged != Err(HelloError::Incomplete) {
                let longer: Vec<u8> = bytes.iter().chain(&more).copied().collect();
                prop_assert_eq!(decode(&longer), judged);
            }
        }
    }
}
