use proptest::prelude::*;

use super::{MAX, decode, encode, len, to_bytes};
use crate::testing::cases;

fn encoded(value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out);
    out
}

/// The samples of RFC 9000 §A.1.
#[test]
fn the_samples_of_the_standard_are_read_and_written() {
    for (bytes, value) in [
        (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
        (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
        (&[0x7b, 0xbd], 15_293),
        (&[0x25], 37),
    ] {
        assert_eq!(decode(bytes), Some((value, bytes.len())));
        assert_eq!(encoded(value), bytes);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), None, "{value} cut at {end}");
        }
    }
}

#[test]
fn every_width_is_legal() {
    assert_eq!(decode(&[0x40, 0x25, 9]), Some((37, 2)));
    assert_eq!(decode(&[0x80, 0, 0, 0x25]), Some((37, 4)));
    assert_eq!(decode(&[0xc0, 0, 0, 0, 0, 0, 0, 0x25]), Some((37, 8)));
}

#[test]
fn widths_change_where_the_standard_says() {
    for (value, width) in
        [(0, 1), (63, 1), (64, 2), (16_383, 2), (16_384, 4), (1_073_741_823, 4), (1_073_741_824, 8), (MAX, 8)]
    {
        assert_eq!((len(value), encoded(value).len()), (width, width), "{value}");
        assert_eq!(decode(&encoded(value)), Some((value, width)));
    }
    assert_eq!(to_bytes(u64::MAX), to_bytes(MAX));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_bytes_are_a_number_or_too_few(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let needed = bytes.first().map(|first| 1 << (first >> 6));
        match decode(&bytes) {
            Some((value, width)) => {
                prop_assert_eq!(Some(width), needed);
                prop_assert!(value <= MAX && len(value) <= width && width <= bytes.len());
            }
            None => prop_assert!(needed.is_none_or(|needed: usize| needed > bytes.len())),
        }
    }

    #[test]
    fn what_is_written_is_read(value in 0..=MAX, behind in any::<[u8; 2]>()) {
        let mut bytes = encoded(value);
        let width = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(decode(&bytes), Some((value, width)));
    }
}
